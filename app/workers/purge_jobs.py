"""Forgets jobs that were over long ago; what they did stays."""

from app.clock import now_ms
from app.state import State
from graph.queue import forget_finished

KEPT_MS = 7 * 86_400_000
BATCH = 500


def work(parts: State) -> bool:
    """Delete one batch; return whether more is waiting."""
    return forget_finished(parts.graph, now_ms() - KEPT_MS, BATCH) == BATCH

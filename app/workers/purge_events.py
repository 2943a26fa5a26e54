"""Forgets events that are too old, and what was sent of them; what still waits to be sent stays."""

from app.clock import now_ms
from app.state import State
from graph.event_purge import forget_events

DAY_MS = 86_400_000
BATCH = 500


def work(parts: State) -> bool:
    """Delete one batch; return whether more may be waiting."""
    days = parts.settings.event_days
    return bool(days) and forget_events(parts.graph, now_ms() - days * DAY_MS, BATCH)

"""Numbers the events of committed changes and makes the deliveries of those that webhooks asked for."""

from app.state import State
from graph.announce import announce

BATCH = 500


def work(parts: State) -> bool:
    """Announce one batch; return whether more may be waiting."""
    return announce(parts.graph, BATCH) >= BATCH

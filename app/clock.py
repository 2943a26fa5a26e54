"""Times as the wire shows them; `now_ms` is the graph's own clock."""

from datetime import UTC, datetime

from graph.clock import now_ms

__all__ = ["iso", "now_ms", "seconds"]


def iso(ms: int | None) -> str | None:
    """Return epoch milliseconds as ISO 8601 in UTC with a trailing Z, and None as None."""
    if ms is None:
        return None
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{ms % 1000:03d}Z" if ms % 1000 else "Z")


def seconds(ms: int | None) -> int | None:
    """Return epoch milliseconds as whole unix seconds, and None as None."""
    return None if ms is None else ms // 1000

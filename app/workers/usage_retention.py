"""Deletes audit entries older than LOCI_AUDIT_DAYS, and usage of days that no report asks for any more."""

from app.clock import now_ms
from app.services.usage import DAY_MS, day_of
from app.state import State
from graph.audit import forget_entries
from graph.usage import forget_usage

BATCH = 1_000
USAGE_DAYS = 400


def work(parts: State) -> bool:
    """Delete one batch of each; return whether more is waiting."""
    gone = [forget_usage(parts.graph, day_of(now_ms() - USAGE_DAYS * DAY_MS), BATCH)]
    if parts.settings.audit_days:
        gone.append(forget_entries(parts.graph, now_ms() - parts.settings.audit_days * DAY_MS, BATCH))
    return BATCH in gone

"""Deletes audit entries and deletions told of before LOCI_AUDIT_DAYS, and the days of usage that no report asks for any
more: of those the sums by route stay."""

from app.clock import now_ms
from app.services.usage import DAY_MS, day_of
from app.state import State
from graph.audit import forget_entries
from graph.memory_changes import forget_deletions
from graph.usage import forget_usage

BATCH = 1_000
USAGE_DAYS = 400


def work(parts: State) -> bool:
    """Delete one batch of each; return whether more is waiting."""
    gone = [forget_usage(parts.graph, day_of(now_ms() - USAGE_DAYS * DAY_MS), BATCH)]
    if parts.settings.audit_days:
        before = now_ms() - parts.settings.audit_days * DAY_MS
        gone += [forget_entries(parts.graph, before, BATCH), forget_deletions(parts.graph, before, BATCH)]
    return BATCH in gone

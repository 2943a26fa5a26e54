"""Maintenance of memories, in stretches, for as long as a request may take.

`demote_cold`, in this order:

* a warm memory with an importance below 0.4 becomes cold at once: its tier was set higher than it deserves;
* a warm memory with an importance of at most 0.5 that nobody changed for 90 days becomes cold;
* a cold memory that nobody changed for 180 days is archived, unless a decision is based on it.

Hot memories are never touched. A change is a store or an edit; reading is none.
"""

import time
from collections.abc import Callable

from app.auth import Principal
from app.clock import now_ms
from app.services.remember import WARM
from app.state import State
from graph.memory_care import MemoryCareRepository
from graph.records import Row

MIDDLING = 0.5
DAY_MS = 86_400_000
IDLE_WARM_DAYS, IDLE_COLD_DAYS = 90, 180
STRETCH = 500
SECONDS = 20.0


def demote_cold(parts: State, caller: Principal, seconds: float = SECONDS) -> Row:
    """Apply the rule above and return `{demoted_count, archived_count, has_more}`."""
    care = MemoryCareRepository(parts.graph, caller)
    until = time.monotonic() + seconds
    now = now_ms()
    rule = {"low": WARM, "middling": MIDDLING, "idle_since": now - IDLE_WARM_DAYS * DAY_MS}
    idle_since = now - IDLE_COLD_DAYS * DAY_MS
    demoted, warm_done = _walked(
        lambda at: care.walk_warm(at, STRETCH, rule), lambda ids: care.demote(ids, rule), until
    )
    archived, cold_done = _walked(
        lambda at: care.walk_cold(at, STRETCH, idle_since), lambda ids: care.archive(ids, idle_since), until
    )
    return {"demoted_count": demoted, "archived_count": archived, "has_more": not (warm_done and cold_done)}


def _walked(
    walk: Callable[[tuple[int, int]], Row], change: Callable[[list[str]], int], until: float
) -> tuple[int, bool]:
    at, changed = (0, -1), 0
    while time.monotonic() < until:
        row = walk(at)
        if row["ids"]:
            changed += change(row["ids"])
        if row["seen"] < STRETCH:
            return changed, True
        at = (row["at"][0], row["at"][1])
    return changed, False

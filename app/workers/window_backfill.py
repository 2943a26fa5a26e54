"""Gives windows to long memories that were stored before there were any; once it is through, it only looks at its mark.

It works beside the queue of jobs and not through it: thousands of old memories must not keep a new one waiting.
"""

from app.services import memory_windows
from app.services.remember import window_row
from app.state import State
from graph.driver import Transaction
from graph.memory_windows import MemoryWindowRepository
from graph.records import Row
from graph.tenants import Owner
from graph.window_backfill import following, keep_place, place

STRETCH = 50
# Below this any model sees the whole text: a token has a character at least.
LEAST = 250


def work(parts: State) -> bool:
    """Work through one stretch; return whether there is more."""
    reached = place(parts.graph)
    if reached.done:
        return False
    reached, long = following(parts.graph, reached, STRETCH, LEAST, parts.space.slot)
    for memory in long:
        if windows := memory_windows.windows(parts.embedder, memory["content"]):
            _put(parts, memory, windows)
    keep_place(parts.graph, reached)
    return not reached.done


def _put(parts: State, memory: Row, windows: list[Row]) -> None:
    def write(tx: Transaction) -> None:
        repository = MemoryWindowRepository(parts.graph, Owner(memory["tenant"]), tx, parts.space.slot)
        repository.check_slot()
        # One that was edited or deleted meanwhile has, or needs, none of these.
        repository.put([window_row(parts, memory, windows)])

    parts.graph.transaction(write)

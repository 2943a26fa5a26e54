"""Archiving: an archived memory stays as it is, and search and lists leave it out unless asked."""

from app.auth import Principal
from app.state import State
from graph.clock import now_ms
from graph.driver import Transaction
from graph.memories import MemoryRepository
from graph.memory_changes import MemoryChangeRepository
from graph.records import Row


def set_archived(parts: State, caller: Principal, id: str, archived: bool) -> Row:
    """Archive a memory, or take it back out, and return it; one that is so already keeps its time.

    Raises:
        NotFound: no such memory.
    """

    def work(tx: Transaction) -> None:
        memories = MemoryRepository(parts.graph, caller, tx)
        if memories.lock(id)["archived"] != archived:
            now = now_ms()
            change = "archived" if archived else "unarchived"
            MemoryChangeRepository(parts.graph, caller, tx).keep(id, change, ["archived"], now)
            made = {"archived": archived, "archived_at": now if archived else None, "updated_at": now}
            memories.update(id, made, changed=["archived"])

    parts.graph.transaction(work)
    return MemoryRepository(parts.graph, caller).get(id)

"""Memories looked up for other APIs, which know them by part of an id, by their text, or only count them."""

from app.auth import Principal
from app.services.refer import NOBODY, agent_named
from app.services.remember import content_hash
from app.state import State
from graph.memory_lookup import MemoryLookupRepository
from graph.records import Row


def memory_starting(parts: State, caller: Principal, start: str) -> str:
    """Return the id of the memory whose id begins like this.

    Raises:
        NotFound: there is none.
    """
    return MemoryLookupRepository(parts.graph, caller).starting(start)


def same_text(parts: State, caller: Principal, agent: str, user_id: str, content: str) -> str | None:
    """Return the id of a memory of this agent (by id or name) and user that says the same, complete or pending."""
    agent_id = agent_named(parts, caller, agent)
    if agent_id is None or agent_id == NOBODY:
        return None
    return MemoryLookupRepository(parts.graph, caller).twin(content_hash(content), user_id, agent_id)


def memory_stored(parts: State, caller: Principal, id: str) -> Row:
    """Return a memory that was stored just now as `MemoryRepository` shows it, though its time be over already.

    Raises:
        NotFound: it was deleted meanwhile.
    """
    return MemoryLookupRepository(parts.graph, caller).stored(id)


def memory_groups(parts: State, caller: Principal, before: int, user_id: str | None = None) -> list[Row]:
    """Return `{memory_type, metadata, total, importance, oldest, unchanged}` for each kind and metadata text, of one
    user or of all.

    `metadata` is text, `importance` a sum, `unchanged` how many were not changed since `before` (epoch ms).
    """
    return MemoryLookupRepository(parts.graph, caller).groups(before, user_id)

"""Deleting: in bounded batches, so that no single transaction grows with what there is to delete.

With LOCI_TRASH_DAYS what is deleted is written down in the trash first, in the same transaction; without, it is gone.
"""

from collections.abc import Callable

from app.auth import Principal
from app.clock import now_ms
from app.state import State
from graph.agents import AgentRepository
from graph.decisions import DecisionRepository
from graph.driver import Transaction
from graph.entity_removal import EntityRemovalRepository
from graph.errors import NotFound
from graph.memories import MemoryRepository
from graph.patterns import PatternRepository
from graph.records import Ids
from graph.repository import Tenanted
from graph.trash import TrashRepository

BATCH = 200
DAY_MS = 86_400_000


def kept_until(parts: State) -> int:
    """Return until when (epoch ms) what is deleted now can be restored; 0: not at all."""
    days = parts.settings.trash_days
    return now_ms() + days * DAY_MS if days else 0


def keep(parts: State, caller: Tenanted, tx: Transaction, noun: str, id: str) -> None:
    """Put a thing into the trash, where there is one, in the open transaction that deletes it afterwards."""
    if until := kept_until(parts):
        TrashRepository(parts.graph, caller, tx).keep(noun, [id], until)


def keep_links(parts: State, caller: Principal, noun: str, id: str) -> None:
    """Write down what a thing is linked to, where there is a trash, before its links go batch by batch."""
    if until := kept_until(parts):
        TrashRepository(parts.graph, caller).keep_links(noun, id, until)


def delete_memories(
    parts: State, caller: Tenanted, ids: Ids, deleted_with: str = "", tx: Transaction | None = None
) -> Ids:
    """Delete a batch of memories with their versions and links; return the ids that were there.

    `deleted_with` is the id of what takes them along.
    """
    until = kept_until(parts)
    if not until:
        return MemoryRepository(parts.graph, caller, tx).delete(ids)

    def work(tx: Transaction) -> Ids:
        TrashRepository(parts.graph, caller, tx).keep("memory", ids, until, deleted_with)
        return MemoryRepository(parts.graph, caller, tx).delete(ids)

    return work(tx) if tx is not None else parts.graph.transaction(work)


def delete_memory(parts: State, caller: Principal, id: str) -> None:
    """Delete one memory with its versions and links.

    Raises:
        NotFound: no such memory.
    """
    if not delete_memories(parts, caller, [id]):
        raise NotFound("Memory")


def delete_decision(parts: State, caller: Principal, id: str) -> None:
    """Delete a decision and close its chain.

    Raises:
        NotFound: no such decision.
    """
    _kept_and_deleted(parts, caller, "decision", id, lambda tx: DecisionRepository(parts.graph, caller, tx).delete(id))


def delete_pattern(parts: State, caller: Principal, id: str) -> None:
    """Delete a pattern with its adoptions.

    Raises:
        NotFound: no such pattern.
    """
    _kept_and_deleted(parts, caller, "pattern", id, lambda tx: PatternRepository(parts.graph, caller, tx).delete(id))


def delete_entity(parts: State, caller: Principal, id: str) -> None:
    """Delete an entity with its links and with the spellings that lead nowhere else.

    Raises:
        NotFound: no such entity.
    """
    removal = EntityRemovalRepository(parts.graph, caller)
    if kept_until(parts) and removal.is_hub(id):
        keep_links(parts, caller, "entity", id)
    removal.thin(id)

    def delete(tx: Transaction) -> None:
        EntityRemovalRepository(parts.graph, caller, tx).delete(id)

    _kept_and_deleted(parts, caller, "entity", id, delete)


def delete_agent(parts: State, caller: Principal, id: str) -> None:
    """Delete the memories an agent recorded, then the agent.

    Raises:
        NotFound: no such agent.
    """
    AgentRepository(parts.graph, caller).get(id)
    _empty(parts, caller, id)

    def delete(tx: Transaction) -> None:
        # What was stored while the rest went, and then the agent: it is locked, so it is little.
        _empty(parts, caller, id, tx)
        AgentRepository(parts.graph, caller, tx).delete(id)
        _empty(parts, caller, id, tx)

    _kept_and_deleted(parts, caller, "agent", id, delete)


def _kept_and_deleted(
    parts: State, caller: Principal, noun: str, id: str, delete: Callable[[Transaction], None]
) -> None:
    def work(tx: Transaction) -> None:
        keep(parts, caller, tx, noun, id)
        delete(tx)

    parts.graph.transaction(work)


def _empty(parts: State, caller: Principal, agent_id: str, tx: Transaction | None = None) -> None:
    memories = MemoryRepository(parts.graph, caller, tx)
    while ids := memories.of_agent(agent_id, BATCH):
        delete_memories(parts, caller, ids, agent_id, tx)

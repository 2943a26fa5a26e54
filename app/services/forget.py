"""Deleting: in bounded batches, so that no single transaction grows with what there is to delete."""

from app.auth import principal
from app.state import state
from graph.agents import AgentRepository
from graph.driver import Transaction
from graph.errors import NotFound
from graph.memories import MemoryRepository

BATCH = 200


def delete_memory(id: str) -> None:
    """Delete one memory with its versions and links.

    Raises:
        NotFound: no such memory.
    """
    if not MemoryRepository(state().graph, principal()).delete([id]):
        raise NotFound("Memory")


def delete_agent(id: str) -> None:
    """Delete the memories an agent recorded, then the agent.

    Raises:
        NotFound: no such agent.
    """
    agents = AgentRepository(state().graph, principal())
    memories = MemoryRepository(state().graph, principal())
    agents.get(id)
    _empty(memories, id)

    def work(tx: Transaction) -> None:
        AgentRepository(state().graph, principal(), tx).delete(id)
        # What was stored while the rest went: nothing more can come now, so it is little.
        _empty(MemoryRepository(state().graph, principal(), tx), id)

    state().graph.transaction(work)


def _empty(memories: MemoryRepository, agent_id: str) -> None:
    while ids := memories.of_agent(agent_id, BATCH):
        memories.delete(ids)

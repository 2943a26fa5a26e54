"""Deleting: in bounded batches, so that no single transaction grows with what there is to delete."""

from app.auth import principal
from app.state import state
from graph.agents import AgentRepository
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
    while ids := memories.of_agent(id, BATCH):
        memories.delete(ids)
    agents.delete(id)

"""Finding names in memories that were stored without, or by lesser means than there are now."""

from app.auth import Principal
from app.services.refer import agent_named
from app.services.remember import EXTRACT, job
from app.state import State
from graph.jobs import JobRepository
from graph.labels import NONE
from graph.memory_care import MemoryCareRepository


def backfill(parts: State, caller: Principal, limit: int, agent: str | None) -> int:
    """Queue memories without extraction, newest first, and return how many.

    Where a chat model finds the names, those that the rules found are queued as well.
    """
    agent_id = agent_named(parts, caller, agent)
    method = parts.extractors.of(parts, caller).method
    methods = [NONE] if method == "rules" else [NONE, "rules"]
    care = MemoryCareRepository(parts.graph, caller)
    ids: list[str] = []
    for each in methods:
        ids += care.unextracted(each, agent_id, limit - len(ids)) if len(ids) < limit else []
    if not ids:
        return 0
    rows = JobRepository(parts.graph, caller).create([{**job(EXTRACT), "memory_id": id} for id in ids])
    return sum(row["created"] for row in rows)

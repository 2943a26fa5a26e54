"""What a tenant holds and what was asked of it, counted for APIs that tell more of it than the native one."""

from collections.abc import Sequence

from app.auth import Principal
from app.state import State
from graph.memory_stats import MemoryStatsRepository
from graph.records import Row
from graph.usage import UsageRepository

STRETCH = 500
FLOAT_BYTES = 4


def held(parts: State, caller: Principal) -> Row:
    """Return `{total, permanent, active, expired, oldest_at, newest_at}`: memories by whether and how they end.

    All count: archived and superseded ones, and expired ones until they are purged. Times are epoch ms, None without
    any memory.
    """
    found = MemoryStatsRepository(parts.graph, caller).ends()
    return {**found, "active": found["total"] - found["permanent"] - found["expired"]}


def characters(parts: State, caller: Principal) -> int:
    """Return how many characters the texts of all memories have together. Reads them all, a stretch at a time."""
    stats, after, total = MemoryStatsRepository(parts.graph, caller), "", 0
    while rows := stats.contents(after, STRETCH):
        total += sum(len(row["content"]) for row in rows)
        after = rows[-1]["id"]
    return total


def vector_bytes(parts: State, memories: int) -> int:
    """Return what the vectors of so many memories take, those of windows left out."""
    return memories * parts.space.dimensions * FLOAT_BYTES


def calls(parts: State, caller: Principal, routes: Sequence[str]) -> tuple[list[int], int | None]:
    """Return how often keys of the tenant had each route done, and when (epoch ms) the last call of any was noted.

    What was refused or failed is left out. What this process has counted so far is in it.
    """
    parts.ledger.flush(parts.graph)
    found = UsageRepository(parts.graph, caller).calls(routes)
    last = max((row["last_at"] for row in found.values()), default=None)
    return [int(found[route]["done"]) if route in found else 0 for route in routes], last

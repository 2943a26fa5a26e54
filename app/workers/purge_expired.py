"""Deletes memories whose time has passed. Reads leave them out at the very moment; this only frees the space.

Once an hour, as clients of Sendryx know it: until then they may list what has expired.
"""

from dataclasses import dataclass

from app.state import State
from graph.memories import MemoryRepository, expired

BATCH = 200


@dataclass(frozen=True)
class Owner:
    """The tenant on whose behalf the loop works."""

    tenant: str


def work(parts: State) -> bool:
    """Delete one batch; return whether more is waiting."""
    found = expired(parts.graph, BATCH)
    for tenant in sorted({row["tenant"] for row in found}):
        ids = [row["id"] for row in found if row["tenant"] == tenant]
        MemoryRepository(parts.graph, Owner(tenant)).delete(ids)
    return len(found) == BATCH

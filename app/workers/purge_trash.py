"""Erases what was in the trash for its time. It cannot be restored from the very moment; this only frees the space."""

from app.state import State
from graph.tenants import Owner
from graph.trash import TrashRepository, expired_trash, forget_links

BATCH = 200


def work(parts: State) -> bool:
    """Erase one batch; return whether more is waiting."""
    found = expired_trash(parts.graph, BATCH)
    for tenant in sorted({row["tenant"] for row in found}):
        ids = [row["id"] for row in found if row["tenant"] == tenant]
        TrashRepository(parts.graph, Owner(tenant)).erase(ids)
    links = forget_links(parts.graph, BATCH)
    return len(found) == BATCH or links == BATCH

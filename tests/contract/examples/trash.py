"""How to call the routes of the trash."""

from __future__ import annotations

from app.clock import now_ms
from app.state import State
from graph.trash import TrashRepository
from tests.contract.examples.world import Makers, World


def trashed(w: World) -> str:
    """Return the id of an agent that was deleted where there is a trash."""
    parts: State = w.caller.app.extensions["loci"]
    id = str(w.create("/v1/agents", name=w.fresh("old-agent"))["id"])
    TrashRepository(parts.graph, w.caller).keep("agent", [id], now_ms() + 86_400_000)
    assert w.caller.delete(f"/v1/agents/{id}").status_code == 204
    return id


MAKERS: Makers = {"trashed_id": trashed}

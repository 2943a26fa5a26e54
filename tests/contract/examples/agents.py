"""How to call the routes of agents."""

from __future__ import annotations

from tests.contract.examples.world import Makers, Makes

MAKERS: Makers = {
    "agent_id": lambda w: str(w.create("/v1/agents", **BODIES["POST /v1/agents"](w))["id"]),
    "agent": lambda w: w.id("agent_id"),
}
BODIES: Makes = {
    "POST /v1/agents": lambda w: {
        "name": w.fresh("iris"),
        "description": w.text("Keeps notes"),
        "metadata": {"team": w.text("platform")},
    },
    "PUT /v1/agents/{agent_id}": lambda w: {"description": w.text("Keeps better notes"), "metadata": {"a": w.text()}},
}

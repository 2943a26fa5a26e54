"""How to call the routes of decisions."""

from __future__ import annotations

from tests.contract.examples.world import STORY, Makers, Makes, World


def linked(world: World, kind: str, field: str, other: str) -> str:
    """Link the world's decision to another node and return that node's id."""
    world.create(f"/v1/decisions/{world.id('decision_id')}/{kind}", **{field: other})
    return other


MAKERS: Makers = {
    "decision_id": lambda w: str(w.create("/v1/decisions", **BODIES["POST /v1/decisions"](w))["id"]),
    "other_decision_id": lambda w: str(w.create("/v1/decisions", title=w.text(), rationale=w.text("because"))["id"]),
    # Not in a path: what bodies and queries name.
    "ground_id": lambda w: linked(w, "memories", "memory_id", w.id("memory_id")),
    "dependency_id": lambda w: linked(w, "dependencies", "decision_id", w.id("other_decision_id")),
}
BODIES: Makes = {
    "POST /v1/decisions": lambda w: {
        "title": w.text("Keep the Billing Service on PostgreSQL"),
        "rationale": w.text("Priya Raman knows it"),
        "alternatives": w.text("Oracle costs more"),
        "agent_id": w.id("agent_id"),
        "session_id": w.id("session_id"),
        "project_slug": w.fresh("billing"),
        "tags": [w.text("storage")],
        "metadata": {"source": w.text("meeting")},
        "memory_ids": [w.id("memory_id")],
    },
    "PUT /v1/decisions/{decision_id}": lambda w: {
        "rationale": w.text("Lisbon has the backups"),
        "status": "experimental",
        "metadata": {"by": w.text("Priya")},
    },
    "POST /v1/decisions/{decision_id}/supersede": lambda w: {
        "title": w.text("Move the Billing Service to Oracle"),
        "rationale": w.text("The auditors ask for it"),
    },
    "POST /v1/decisions/{decision_id}/memories": lambda w: {"memory_id": w.id("memory_id")},
    "DELETE /v1/decisions/{decision_id}/memories": lambda w: {"memory_id": w.id("ground_id")},
    "POST /v1/decisions/{decision_id}/dependencies": lambda w: {"decision_id": w.id("other_decision_id")},
    "DELETE /v1/decisions/{decision_id}/dependencies": lambda w: {"decision_id": w.id("dependency_id")},
}
QUERIES: Makes = {
    "GET /v1/decisions/check": lambda w: {"query": STORY, "threshold": 0, "limit": 20, "include_superseded": True},
}

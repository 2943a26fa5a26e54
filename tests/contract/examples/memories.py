"""How to call the routes of memories and their jobs."""

from __future__ import annotations

from tests.contract.examples.world import STORY, Makers, Makes, World


def edited(world: World) -> str:
    """Edit the world's memory and return the id of what it said before."""
    memory_id = world.id("memory_id")
    world.caller.put(f"/v1/memories/{memory_id}", {"content": world.text("Priya Raman left")})
    listed = world.caller.get(f"/v1/memories/{memory_id}/versions").get_json()
    return str(next(row["id"] for row in listed["data"] if not row["is_current"]))


MAKERS: Makers = {
    "memory_id": lambda w: str(w.create("/v1/memories", **BODIES["POST /v1/memories"](w))["id"]),
    "version_id": lambda w: edited(w),
    "job": lambda w: str(w.create("/v2/memories", **BODIES["POST /v2/memories"](w))["job_id"]),
}
BODIES: Makes = {
    "POST /v1/memories": lambda w: {
        "content": w.text(),
        "agent_id": "iris",
        "title": w.text("Billing move"),
        "user_id": w.text("user"),
        "session_id": w.id("session_id"),
        "project": w.fresh("billing"),
        "metadata": {"source": w.text("runbook")},
        "occurred_at": "2026-03-03T09:00:00Z",
    },
    "PUT /v1/memories/{memory_id}": lambda w: {
        "content": w.text("Priya Raman keeps the Billing Service on PostgreSQL"),
        "metadata": {"by": w.text("Priya")},
        "importance": 0.9,
    },
    "POST /v1/memories/search": lambda w: {"query": STORY, "limit": 100, "include_archived": True},
    "POST /v1/memories/batch": lambda w: {
        "memories": [{"content": w.text("Lisbon hosts the database"), "agent_id": "iris"}, {"content": w.text()}],
        "agent_id": w.id("agent_id"),
    },
    "PUT /v1/memories/{memory_id}/importance": lambda w: {"importance": 0.9, "tier": "warm"},
    "POST /v1/memories/maintenance": lambda w: {"action": "demote_cold"},
    "POST /v1/memories/bulk-delete": lambda w: {"agent_id": "iris", "user_id": w.text("user"), "dry_run": True},
    "POST /v2/memories": lambda w: {"content": w.text(), "agent_id": "iris", "project": w.fresh("billing")},
}
SCOPES: dict[str, str] = {
    "POST /v1/memories/search": "read",
    "POST /v1/memories/bulk-delete": "delete",
    "POST /v1/memories/maintenance": "admin",
}

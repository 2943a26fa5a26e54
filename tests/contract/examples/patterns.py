"""How to call the routes of patterns."""

from __future__ import annotations

from tests.contract.examples.world import STORY, Makers, Makes, World


def adopter(world: World) -> str:
    """Return the slug of a project that has adopted the world's pattern."""
    world.create(f"/v1/patterns/{world.id('pattern_id')}/adopt", project=world.id("known_slug"))
    return world.id("known_slug")


MAKERS: Makers = {
    "pattern_id": lambda w: str(w.create("/v1/patterns", **BODIES["POST /v1/patterns"](w))["id"]),
    # Not in a path: what bodies and queries name.
    "adopter_slug": lambda w: adopter(w),
}
BODIES: Makes = {
    "POST /v1/patterns": lambda w: {
        "title": w.text("Idempotent writers"),
        "description": w.text("Every write of the Billing Service takes a key"),
        "category": w.text("reliability"),
        "tags": [w.text("api")],
        "example_code": w.text("def put(key): ..."),
        "source_project": w.fresh("billing"),
        "metadata": {"source": w.text("review")},
    },
    "PUT /v1/patterns/{pattern_id}": lambda w: {"description": w.text("Keys expire"), "metadata": {"a": w.text()}},
    "POST /v1/patterns/{pattern_id}/adopt": lambda w: {"project": w.id("known_slug")},
    "DELETE /v1/patterns/{pattern_id}/adopt": lambda w: {"project": w.id("adopter_slug")},
}
QUERIES: Makes = {
    "GET /v1/patterns/search": lambda w: {"query": STORY, "threshold": 0, "limit": 50},
    "GET /v1/patterns/suggest": lambda w: {"project": w.id("known_slug")},
}

"""How to call the routes of entities and what hangs together."""

from __future__ import annotations

import itertools

from app.workers.topics import find_topics
from tests.contract.examples.world import Makers, Makes, World


def entity(world: World) -> str:
    """Create an entity that the world's memory mentions, and return its id."""
    made = world.create("/v1/entities", **BODIES["POST /v1/entities"](world))
    world.create(f"/v1/entities/{made['id']}/link", memory_id=world.id("memory_id"))
    return str(made["id"])


def alias(world: World) -> str:
    """Give the world's entity another name and return that."""
    found = world.fresh("billing alias")
    world.create(f"/v1/entities/{world.id('entity_id')}/aliases", alias=found)
    return found


def topic(world: World) -> str:
    """Let the worker find the topics of the tenant, and return the id of one."""
    ids = [world.create("/v1/entities", name=world.fresh("topic"), entity_type="concept")["id"] for _ in range(3)]
    for one, other in itertools.combinations(ids, 2):
        body = {"target_id": other, "relationship_type": "near", "weight": 9}
        world.create(f"/v1/entities/{one}/relationships", **body)
    find_topics(world.caller.app.extensions["loci"].graph, world.caller.tenant)
    return str(world.caller.get("/v1/entities/topics").get_json()["data"][0]["id"])


RELATE = "POST /v1/entities/{entity_id}/relationships"
MAKERS: Makers = {
    "entity_id": entity,
    "entities/relationship_id": lambda w: str(
        w.create(f"/v1/entities/{w.id('entity_id')}/relationships", **BODIES[RELATE](w))["id"]
    ),
    "topic_id": topic,
    "other_entity_id": lambda w: str(w.create("/v1/entities", **BODIES["POST /v1/entities"](w))["id"]),
    "alias": alias,
}
BODIES: Makes = {
    "POST /v1/entities": lambda w: {
        "name": w.fresh("Billing Service"),
        "entity_type": "project",
        "metadata": {"owner": w.text("platform")},
        "agent_id": w.id("agent_id"),
    },
    "PUT /v1/entities/{entity_id}": lambda w: {"name": w.fresh("Billing API"), "metadata": {"owner": w.text("Priya")}},
    "POST /v1/entities/links": lambda w: {
        "entity_id": w.id("entity_id"),
        "memory_id": w.id("memory_id"),
        "relationship": w.text("about"),
    },
    "POST /v1/entities/{entity_id}/link": lambda w: {"memory_id": w.id("memory_id")},
    "POST /v1/entities/{entity_id}/aliases": lambda w: {"alias": w.fresh("billing svc")},
    "POST /v1/entities/{entity_id}/merge": lambda w: {"into": w.id("other_entity_id")},
    RELATE: lambda w: {
        "target_id": w.id("other_entity_id"),
        "relationship_type": "depends_on",
        "metadata": {"since": w.text("March")},
    },
}
QUERIES: Makes = {
    "GET /v1/entities/paths": lambda w: {"source": w.id("entity_id"), "target": w.id("entity_id")},
    "DELETE /v1/entities/{entity_id}/aliases": lambda w: {"alias": w.id("alias")},
}

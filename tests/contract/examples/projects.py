"""How to call the routes of projects and their links."""

from __future__ import annotations

from tests.contract.examples.world import STORY, Makers, Makes, World


def known_slug(world: World) -> str:
    """Return the slug of a project that a memory has registered."""
    slug = world.fresh("billing")
    world.create("/v1/memories", content=world.text(), agent_id="iris", project=slug)
    return slug


def related(world: World) -> str:
    """Link the world's project to another and return the link's id."""
    made = world.create(f"/v1/projects/{world.id('slug')}/relationships", **BODIES[RELATE](world))
    return str(made["id"])


RELATE = "POST /v1/projects/{slug}/relationships"
MAKERS: Makers = {
    "slug": lambda w: str(w.create("/v1/projects", **BODIES["POST /v1/projects"](w))["slug"]),
    "relationship_id": lambda w: related(w),
    # Not in a path: what bodies and queries name.
    "known_slug": lambda w: known_slug(w),
}
BODIES: Makes = {
    "POST /v1/projects": lambda w: {
        "name": w.text("Billing"),
        "slug": w.fresh("billing"),
        "description": w.text("Invoices and dunning"),
        "stack": {"languages": [w.text("python")]},
        "repo_url": w.text("ssh://code/billing"),
        "metadata": {"team": w.text("platform")},
    },
    "PUT /v1/projects/{slug}": lambda w: {
        "name": w.text("Billing"),
        "stack": {"a": w.text()},
        "metadata": {"a": w.text()},
    },
    RELATE: lambda w: {
        "target_project": w.id("known_slug"),
        "relationship_type": w.text("depends_on"),
        "metadata": {"since": w.text("2024")},
    },
    "POST /v1/projects/impact-analysis": lambda w: {"project": w.id("slug"), "change_description": STORY},
}
QUERIES: Makes = {
    "GET /v1/projects/shared-patterns": lambda w: {"a": w.id("slug"), "b": w.id("known_slug")},
}
SCOPES: dict[str, str] = {
    "POST /v1/projects/impact-analysis": "read",
}

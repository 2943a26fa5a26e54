"""How to call every operation: the one table that all generated tests read.

A new route is covered by adding to three dictionaries, each only where the route needs it:

* `MAKERS["thing_id"]`, for a path parameter not used before: makes an instance and returns what the path names it by
  (`MAKERS["nouns/thing_id"]` where another noun has a parameter of that name);
* `BODIES["POST /v1/things"]`, for an operation with a body: returns one that is accepted;
* `QUERIES["GET /v1/things/search"]`, for an operation with a required query argument.

Free texts go through `world.text("...")` and unique names through `world.fresh("...")`: both carry the marker by which
the tenancy tests see one tenant's words in another tenant's answers. Ids come from `world.id("thing_id")`.
`SCOPES` names operations whose scope is not the one of their verb.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from app.scopes import BY_VERB
from app.workers.topics import find_topics
from tests.callers import Caller
from tests.contract.operations import Operation

_numbers = itertools.count()
STORY = "Priya Raman moved the Billing Service from Oracle to PostgreSQL in Lisbon"


@dataclass
class World:
    """A caller, and the instances it has made. `names` is another world whose ids are used instead of its own."""

    caller: Caller
    marker: str = ""
    names: World | None = None
    made: dict[str, str] = field(default_factory=dict)

    def text(self, words: str = STORY) -> str:
        """Return a text with the marker in it."""
        return f"{words} {self.marker}".strip()

    def fresh(self, stem: str = "thing") -> str:
        """Return a name nobody has, made of small letters, digits and hyphens, with the marker in it."""
        return "-".join(part for part in (stem, self.marker, str(next(_numbers))) if part)

    def id(self, parameter: str) -> str:
        """Return what a path names an instance by; it is made on first use."""
        if self.names is not None:
            return self.names.id(parameter)
        if parameter not in self.made:
            if parameter not in MAKERS:
                pytest.fail(f"add MAKERS[{parameter!r}] to tests/contract/examples.py: it makes one and returns its id")
            self.made[parameter] = MAKERS[parameter](self)
        return self.made[parameter]

    def create(self, path: str, **body: Any) -> dict[str, Any]:
        """POST and return the answer."""
        response = self.caller.post(path, body)
        assert response.status_code in (200, 201, 202), (path, response.get_json())
        found: dict[str, Any] = response.get_json()
        return found


Make = Callable[[World], Any]


def known_slug(world: World) -> str:
    """Return the slug of a project that a memory has registered."""
    slug = world.fresh("billing")
    world.create("/v1/memories", content=world.text(), agent_id="iris", project=slug)
    return slug


def related(world: World) -> str:
    """Link the world's project to another and return the link's id."""
    made = world.create(f"/v1/projects/{world.id('slug')}/relationships", **BODIES[RELATE](world))
    return str(made["id"])


def linked(world: World, kind: str, field: str, other: str) -> str:
    """Link the world's decision to another node and return that node's id."""
    world.create(f"/v1/decisions/{world.id('decision_id')}/{kind}", **{field: other})
    return other


def adopter(world: World) -> str:
    """Return the slug of a project that has adopted the world's pattern."""
    world.create(f"/v1/patterns/{world.id('pattern_id')}/adopt", project=world.id("known_slug"))
    return world.id("known_slug")


def edited(world: World) -> str:
    """Edit the world's memory and return the id of what it said before."""
    memory_id = world.id("memory_id")
    world.caller.put(f"/v1/memories/{memory_id}", {"content": world.text("Priya Raman left")})
    listed = world.caller.get(f"/v1/memories/{memory_id}/versions").get_json()
    return str(next(row["id"] for row in listed["data"] if not row["is_current"]))


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


RELATE = "POST /v1/projects/{slug}/relationships"
RELATE_ENTITIES = "POST /v1/entities/{entity_id}/relationships"
MAKERS: dict[str, Callable[[World], str]] = {
    "memory_id": lambda w: str(w.create("/v1/memories", **BODIES["POST /v1/memories"](w))["id"]),
    "version_id": lambda w: edited(w),
    "job": lambda w: str(w.create("/v2/memories", **BODIES["POST /v2/memories"](w))["job_id"]),
    "extraction_key_id": lambda w: str(w.create("/v1/extraction/keys", **BODIES["POST /v1/extraction/keys"](w))["id"]),
    "agent_id": lambda w: str(w.create("/v1/agents", **BODIES["POST /v1/agents"](w))["id"]),
    "agent": lambda w: w.id("agent_id"),
    "session_id": lambda w: str(w.create("/v1/sessions", **BODIES["POST /v1/sessions"](w))["id"]),
    "decision_id": lambda w: str(w.create("/v1/decisions", **BODIES["POST /v1/decisions"](w))["id"]),
    "other_decision_id": lambda w: str(w.create("/v1/decisions", title=w.text(), rationale=w.text("because"))["id"]),
    "pattern_id": lambda w: str(w.create("/v1/patterns", **BODIES["POST /v1/patterns"](w))["id"]),
    "slug": lambda w: str(w.create("/v1/projects", **BODIES["POST /v1/projects"](w))["slug"]),
    "relationship_id": lambda w: related(w),
    "entity_id": entity,
    "entities/relationship_id": lambda w: str(
        w.create(f"/v1/entities/{w.id('entity_id')}/relationships", **BODIES[RELATE_ENTITIES](w))["id"]
    ),
    "topic_id": topic,
    "other_entity_id": lambda w: str(w.create("/v1/entities", **BODIES["POST /v1/entities"](w))["id"]),
    "alias": alias,
    # Not in paths: what bodies and queries of decisions and patterns name.
    "known_slug": lambda w: known_slug(w),
    "ground_id": lambda w: linked(w, "memories", "memory_id", w.id("memory_id")),
    "dependency_id": lambda w: linked(w, "dependencies", "decision_id", w.id("other_decision_id")),
    "adopter_slug": lambda w: adopter(w),
    "webhook_id": lambda w: str(w.create("/v1/webhooks", **BODIES["POST /v1/webhooks"](w))["id"]),
    "key_id": lambda w: str(w.create("/v1/keys", name=w.text("ci"))["key_info"]["id"]),
}

BODIES: dict[str, Make] = {
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
    "POST /v1/memories/context": lambda w: {"query": STORY, "limit": 50, "threshold": 0.0, "max_tokens": 4000},
    "POST /v2/context/build": lambda w: {"query": STORY, "max_memories": 50, "max_tokens": 4000, "ai_enhanced": True},
    "POST /v2/context": lambda w: {"query": STORY, "exclude_memory_ids": [w.id("memory_id")]},
    "POST /v1/ask": lambda w: {"question": STORY, "limit": 50},
    "POST /v2/memories": lambda w: {"content": w.text(), "agent_id": "iris", "project": w.fresh("billing")},
    "POST /v1/embed": lambda w: {"text": STORY, "prefix": "search_document"},
    "POST /v1/extraction/keys": lambda w: {"provider": "openai", "api_key": w.text("sk-example"), "model": w.text("m")},
    "POST /v1/agents": lambda w: {
        "name": w.fresh("iris"),
        "description": w.text("Keeps notes"),
        "metadata": {"team": w.text("platform")},
    },
    "PUT /v1/agents/{agent_id}": lambda w: {"description": w.text("Keeps better notes"), "metadata": {"a": w.text()}},
    "POST /v1/sessions": lambda w: {
        "agent_id": w.id("agent_id"),
        "external_id": w.fresh("repo"),
        "project": w.text("billing"),
        "title": w.text("Moving house"),
        "metadata": {"branch": w.text("main")},
    },
    "POST /v1/sessions/get-or-create": lambda w: {"external_id": w.fresh("repo"), "title": w.text("Moving house")},
    "PUT /v1/sessions/{session_id}/end": lambda w: {"summary": w.text("All is moved")},
    "PUT /v1/sessions/{session_id}": lambda w: {
        "title": w.text("Moved house"),
        "project": w.text("billing"),
        "summary": w.text("All is moved"),
        "metadata": {"by": w.text("Priya")},
    },
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
    RELATE_ENTITIES: lambda w: {
        "target_id": w.id("other_entity_id"),
        "relationship_type": "depends_on",
        "metadata": {"since": w.text("March")},
    },
    "POST /v1/webhooks": lambda w: {
        "url": "https://hooks.example.com/loci",
        "event_types": ["memory.created", "memory.deleted"],
        "description": w.text("audit trail"),
    },
    "PUT /v1/webhooks/{webhook_id}": lambda w: {"description": w.text("nightly"), "enabled": False},
    "POST /v1/webhooks/{webhook_id}/rotate-secret": lambda w: {"grace_hours": 1},
    "POST /v1/keys": lambda w: {"name": w.text("ci"), "scopes": ["read"], "expires_days": 30},
    "PUT /v1/keys/{key_id}": lambda w: {"name": w.text("ci, weekly"), "scopes": ["read"]},
    "POST /v1/keys/{key_id}/rotate": lambda w: {"grace_hours": 1},
}
for _path in (
    "/v1/memories/{memory_id}",
    "/v1/memories/{memory_id}/importance",
    "/v1/agents/{agent_id}",
    "/v1/sessions/{session_id}",
    "/v1/projects/{slug}",
    "/v1/keys/{key_id}",
    "/v1/webhooks/{webhook_id}",
    "/v1/entities/{entity_id}",
    "/v1/decisions/{decision_id}",
    "/v1/patterns/{pattern_id}",
):
    BODIES[f"PATCH {_path}"] = BODIES[f"PUT {_path}"]

QUERIES: dict[str, Make] = {
    "GET /v1/entities/paths": lambda w: {"source": w.id("entity_id"), "target": w.id("entity_id")},
    "DELETE /v1/entities/{entity_id}/aliases": lambda w: {"alias": w.id("alias")},
    "GET /v1/decisions/check": lambda w: {"query": STORY, "threshold": 0, "limit": 20, "include_superseded": True},
    "GET /v1/patterns/search": lambda w: {"query": STORY, "threshold": 0, "limit": 50},
    "GET /v1/projects/shared-patterns": lambda w: {"a": w.id("slug"), "b": w.id("known_slug")},
    "GET /v1/patterns/suggest": lambda w: {"project": w.id("known_slug")},
}

# Reading POSTs, and what only an admin key may do.
SCOPES = {
    "POST /v1/memories/search": "read",
    "POST /v1/memories/context": "read",
    "POST /v2/context/build": "read",
    "POST /v2/context": "read",
    "POST /v1/ask": "read",
    "POST /v1/embed": "read",
    "POST /v1/memories/bulk-delete": "delete",
    "POST /v1/memories/maintenance": "admin",
    "POST /v1/extraction/keys": "admin",
    "POST /v1/extraction/keys/deactivate-all": "admin",
    "POST /v1/extraction/keys/{extraction_key_id}/activate": "admin",
    "DELETE /v1/extraction/keys/{extraction_key_id}": "admin",
    "POST /v1/projects/impact-analysis": "read",
    "POST /v1/keys": "admin",
    "GET /v1/audit": "admin",
    "GET /v1/keys": "admin",
    "GET /v1/keys/namespaces": "admin",
    "GET /v1/keys/{key_id}": "admin",
    "PUT /v1/keys/{key_id}": "admin",
    "PATCH /v1/keys/{key_id}": "admin",
    "DELETE /v1/keys/{key_id}": "admin",
    "POST /v1/keys/{key_id}/rotate": "admin",
}


def scope_of(operation: Operation) -> str:
    """Return the scope an operation is to need."""
    return SCOPES.get(str(operation), BY_VERB[operation.verb])


def body_of(operation: Operation, world: World) -> Any:
    """Return a good body, None for an operation without one."""
    if operation.body is None:
        return None
    if str(operation) not in BODIES:
        pytest.fail(f"add BODIES[{str(operation)!r}] to tests/contract/examples.py: a body that is accepted")
    return BODIES[str(operation)](world)


def query_of(operation: Operation, world: World) -> dict[str, Any]:
    """Return good query arguments."""
    required = [p["name"] for p in operation.spec.get("parameters", []) if p["in"] == "query" and p.get("required")]
    if str(operation) not in QUERIES:
        if required:
            pytest.fail(f"add QUERIES[{str(operation)!r}] with {required} to tests/contract/examples.py")
        return {}
    found: dict[str, Any] = QUERIES[str(operation)](world)
    return found


def path_of(operation: Operation, world: World, **given: str) -> str:
    """Return the path with its parameters filled in: those `given`, the others by the world's own instances."""
    names = {name: given.get(name) or world.id(maker_of(operation, name)) for name in operation.parameters}
    return operation.path.format(**{name: quote(value, safe="") for name, value in names.items()})


def maker_of(operation: Operation, parameter: str) -> str:
    """Return the name of what makes a path parameter: `noun/parameter` where two nouns use the same one."""
    own = f"{operation.path.split('/')[2]}/{parameter}"
    return own if own in MAKERS else parameter


UNSET: Any = object()


def call(operation: Operation, world: World, caller: Caller | None = None, **change: Any) -> TestResponse:
    """Call an operation with its example. `change` may replace `body`, `query`, `path` (a dict), `data`, `headers`."""
    path = path_of(operation, world, **change.pop("path", {}))
    query = change.pop("query", UNSET)
    body = change.pop("body", UNSET)
    if "data" not in change:
        change["json"] = body_of(operation, world) if body is UNSET else body
    change["query_string"] = query_of(operation, world) if query is UNSET else query
    return (caller or world.caller).call(operation.verb, path, **change)

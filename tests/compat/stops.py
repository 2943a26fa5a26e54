"""How each of the 65 routes is called, and in which ways it must be refused: what `tour` goes by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.compat.tour import World

UNKNOWN = "00000000-0000-4000-8000-000000000000"
NEVER_REGISTERED = "never-registered"
TEXT = "Priya Raman moved the Billing Service to PostgreSQL in Lisbon"
LONG = "x" * 50_001
Make = Callable[["World"], dict[str, Any]]


@dataclass(frozen=True)
class Stop:
    """How a route is called and what it must answer: `good` to a good call, `twice` to the same call once more.

    `bad` and `asking` are a body and query arguments that must be refused with 422. `scope` is what a key needs when
    that is not the scope of the verb.
    """

    good: int
    body: Make | None = None
    query: Make | None = None
    bad: dict[str, Any] | None = None
    asking: dict[str, Any] | None = None
    twice: int | None = None
    scope: str = ""


@dataclass(frozen=True)
class Probe:
    """One more way to call a route, and the status it must answer; what is not given is as in a good call."""

    case: str
    status: int
    body: Make | None = None
    query: Make | None = None
    name: Callable[[World], str] | None = None
    headers: dict[str, str] = field(default_factory=dict)


def link(w: World) -> dict[str, Any]:
    return {"entity_id": w.id("entity"), "memory_id": w.id("memory"), "relationship": "mentioned_in"}


def reason(w: World) -> dict[str, Any]:
    return {"title": "Keep the queue in the database", "rationale": "One transaction"}


def note(**change: Any) -> dict[str, Any]:
    return {"content": TEXT, "agent_id": "iris", **change}


def superseded(w: World) -> dict[str, Any]:
    old = w.make("memory")
    w.send("/v1/memories", note(supersedes=old))
    return note(supersedes=old)


def known_external_id(w: World) -> dict[str, Any]:
    body = {"external_id": w.name("repo")}
    w.send("/v1/sessions/get-or-create", body)
    return body


def depends(target: str) -> dict[str, Any]:
    return {"target_project": target, "relationship_type": "depends_on"}


def change(project: str) -> dict[str, Any]:
    return {"project": project, "change_description": TEXT}


def with_body(kind: str) -> Probe:
    """Return the deletion by a client that needs a body."""
    return Probe("body asked for", 200, name=lambda w: w.make(kind), headers={"Prefer": "return=representation"})


PAGE = {"limit": 101}
STOPS: dict[int, Stop] = {
    1: Stop(200, scope="public"),
    2: Stop(200, lambda w: {"text": TEXT, "prefix": "search_query"}, bad={}, scope="read"),
    3: Stop(200),
    4: Stop(201, lambda w: note(), bad={}),
    5: Stop(200, asking=PAGE),
    6: Stop(200),
    7: Stop(200, lambda w: {"content": TEXT, "metadata": None}, bad={"content": " "}),
    8: Stop(204, twice=404),
    9: Stop(200, lambda w: {"query": "billing", "limit": 5}, bad={}, scope="read"),
    10: Stop(200, lambda w: {"memories": [note()]}, bad={"memories": []}),
    11: Stop(200, lambda w: {"query": "billing"}, bad={}, scope="read"),
    12: Stop(200, lambda w: {"importance": 0.9}, bad={"importance": 2}),
    13: Stop(200, lambda w: {"action": "demote_cold"}, bad={"action": "explode"}, scope="admin"),
    14: Stop(200),
    15: Stop(200),
    16: Stop(200, query=lambda w: {"limit": 5}, asking={"limit": 501}),
    17: Stop(201, lambda w: {"name": w.name("iris")}, bad={}, twice=409),
    18: Stop(200, asking=PAGE),
    19: Stop(200),
    20: Stop(200, lambda w: {"description": "Keeps notes"}, bad={"name": " "}),
    21: Stop(204, twice=404),
    22: Stop(200),
    23: Stop(201, lambda w: {"name": w.name("Billing"), "entity_type": "project"}, bad={}, twice=200),
    24: Stop(200, asking=PAGE),
    25: Stop(200),
    26: Stop(200, lambda w: {"metadata": {"owner": "platform"}}, bad={"name": " "}),
    27: Stop(204, twice=404),
    28: Stop(201, link, bad={}, twice=200),
    29: Stop(201, lambda w: {"memory_id": w.make("memory")}, bad={}, twice=200),
    30: Stop(200),
    31: Stop(200, query=lambda w: {"depth": 2, "max_neighbors": 10}, asking={"depth": 6}),
    32: Stop(201, lambda w: {"title": "Untangle retries"}, bad={"title": LONG}),
    33: Stop(201, lambda w: {"external_id": w.name("repo")}, bad={}, twice=200),
    34: Stop(200, asking=PAGE),
    35: Stop(200, query=lambda w: {"include_memories": "true"}),
    36: Stop(200, lambda w: {"summary": "Done"}, bad={"summary": LONG}, twice=200),
    37: Stop(201, reason, bad={}),
    38: Stop(200, asking=PAGE),
    39: Stop(200, query=lambda w: {"query": "queue"}, asking={"limit": 5}),
    40: Stop(201, reason, bad={}, twice=409),
    41: Stop(201, lambda w: {"title": "Idempotent writers", "description": "Take a key"}, bad={}),
    42: Stop(200, query=lambda w: {"query": "writers"}, asking={"limit": 5}),
    43: Stop(200, query=lambda w: {"project": w.id("project")}, asking={"limit": 5}),
    44: Stop(200, lambda w: {"project": w.id("project")}, bad={}, twice=200),
    45: Stop(201, lambda w: {"name": "Billing", "slug": w.name("billing")}, bad={"slug": "No Slug"}, twice=409),
    46: Stop(200, asking=PAGE),
    47: Stop(200),
    48: Stop(200),
    49: Stop(201, lambda w: depends(w.make("project")), bad={}, twice=200),
    50: Stop(200),
    51: Stop(200),
    52: Stop(200),
    53: Stop(200, lambda w: change(w.id("project")), bad={}, scope="read"),
    54: Stop(200, query=lambda w: {"a": w.id("project"), "b": w.make("project")}, asking={}),
    55: Stop(201, lambda w: {"name": "ci", "scopes": ["read"]}, bad={"scopes": ["king"]}, scope="admin"),
    56: Stop(201, lambda w: {"url": "https://hooks.example.test/loci"}, bad={"url": "http://hooks.example.test/loci"}),
    57: Stop(200, asking=PAGE),
    58: Stop(202, lambda w: note(), bad={}),
    59: Stop(200),
    60: Stop(200, lambda w: {"query": "billing", "agent_id": None}, bad={}, scope="read"),
    61: Stop(200),
    62: Stop(200, lambda w: {"provider": "openai", "api_key": "sk-0123456789abcdef", "model": "small"}, bad={}),
    63: Stop(200),
    64: Stop(200),
    65: Stop(200, twice=404),
}


MALFORMED_SLUG = Probe("malformed slug", 422, name=lambda w: "No%20Slug")
MEMORY_PROBES = (
    Probe("unknown session", 400, lambda w: note(session_id=UNKNOWN)),
    Probe("unknown agent", 404, lambda w: note(agent_id=UNKNOWN)),
    Probe("unknown project", 404, lambda w: note(project_id=UNKNOWN)),
    Probe("unknown memory to supersede", 400, lambda w: note(supersedes=UNKNOWN)),
    Probe("superseded already", 409, superseded),
)
PROBES: dict[int, tuple[Probe, ...]] = {
    4: (
        Probe("said before", 200, lambda w: {**w.said("memory"), "deduplicate": True}),
        *MEMORY_PROBES,
    ),
    8: (with_body("memory"),),
    20: (Probe("name taken", 409, lambda w: {"name": w.said("agent")["name"]}),),
    21: (with_body("agent"),),
    23: (Probe("unknown agent", 404, lambda w: {**w.said("entity"), "agent_id": UNKNOWN}),),
    26: (Probe("name taken", 409, lambda w: {"name": w.said("entity")["name"]}),),
    27: (with_body("entity"),),
    28: (
        Probe("unknown entity", 404, lambda w: {**link(w), "entity_id": UNKNOWN}),
        Probe("unknown memory", 404, lambda w: {**link(w), "memory_id": UNKNOWN}),
    ),
    29: (Probe("unknown memory", 404, lambda w: {"memory_id": UNKNOWN}),),
    32: (
        Probe("unknown agent", 404, lambda w: {"agent_id": UNKNOWN}),
        Probe("external id taken", 409, known_external_id),
    ),
    33: (Probe("unknown agent", 404, lambda w: {"external_id": w.name("repo"), "agent_id": UNKNOWN}),),
    37: (
        Probe("unknown session", 400, lambda w: {**reason(w), "session_id": UNKNOWN}),
        Probe("unknown agent", 404, lambda w: {**reason(w), "agent_id": UNKNOWN}),
    ),
    43: (Probe("unknown project", 404, query=lambda w: {"project": NEVER_REGISTERED}),),
    44: (Probe("unknown project", 404, lambda w: {"project": NEVER_REGISTERED}),),
    47: (MALFORMED_SLUG,),
    48: (MALFORMED_SLUG,),
    49: (MALFORMED_SLUG, Probe("unknown target", 404, lambda w: depends(NEVER_REGISTERED))),
    50: (MALFORMED_SLUG,),
    51: (MALFORMED_SLUG,),
    52: (MALFORMED_SLUG,),
    53: (Probe("unknown project", 404, lambda w: change(NEVER_REGISTERED)),),
    54: (Probe("unknown project", 404, query=lambda w: {"a": w.id("project"), "b": NEVER_REGISTERED}),),
    58: MEMORY_PROBES,
}

"""A tour through the 65 routes over HTTP: each is called as a client would, and in the ways that must be refused.

`tour` returns one `Visit` a route; `table` makes of them what stands in `docs/compatibility.md`. Neither ids nor times
get into it, so that the same server always gives the same table.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from app.scopes import ALL_SCOPES, BY_VERB
from tests.compat.routes import ROUTES, Route, callers_of

UNKNOWN = "00000000-0000-4000-8000-000000000000"
NEVER_REGISTERED = "never-registered"
TEXT = "Priya Raman moved the Billing Service to PostgreSQL in Lisbon"
LONG = "x" * 50_001


@dataclass
class World:
    """A namespace with keys for it, and the things made there so far."""

    url: str
    keys: Callable[..., str]
    made: dict[str, str] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.everything = self.client(*ALL_SCOPES)
        rest = {scope: [other for other in ALL_SCOPES if other not in (scope, "admin")] for scope in ALL_SCOPES}
        self.without = {scope: self.client(*others) for scope, others in rest.items()}
        self.anonymous = httpx2.Client(base_url=self.url, timeout=30)

    def client(self, *scopes: str) -> httpx2.Client:
        """Return a client with a key for these scopes."""
        headers = {"Authorization": f"Bearer {self.keys(*scopes)}"}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=30)

    def close(self) -> None:
        """Close all clients."""
        for client in (self.everything, self.anonymous, *self.without.values()):
            client.close()

    def name(self, stem: str) -> str:
        """Return a name that is new in this namespace."""
        return f"{stem}-{next(self.numbers)}"

    def make(self, kind: str) -> str:
        """Make a thing by its own route, and return what a path names it by."""
        route, stop = ROUTES[MADE_BY[kind]], STOPS[MADE_BY[kind]]
        answer = self.everything.request(route.verb, route.path, json=stop.body(self) if stop.body else None)
        found = answer.raise_for_status().json()
        return str(found["slug"] if kind == "project" else found["id"])

    def id(self, kind: str) -> str:
        """Return a thing of this kind that stays; it is made on first use."""
        if kind not in self.made:
            self.made[kind] = self.make(kind)
        return self.made[kind]


Make = Callable[[World], dict[str, Any]]
# The routes that make each kind of thing.
MADE_BY = {
    "memory": 4, "agent": 17, "entity": 23, "session": 32, "decision": 37, "pattern": 41, "project": 45, "key": 62,
}  # fmt: skip
# The word of a path before its parameter, and the kind of thing that the parameter names.
KINDS = {
    "memories": "memory", "agents": "agent", "entities": "entity", "sessions": "session", "decisions": "decision",
    "patterns": "pattern", "projects": "project", "keys": "key",
}  # fmt: skip


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


def link(w: World) -> dict[str, Any]:
    return {"entity_id": w.id("entity"), "memory_id": w.id("memory"), "relationship": "mentioned_in"}


def reason(w: World) -> dict[str, Any]:
    return {"title": "Keep the queue in the database", "rationale": "One transaction"}


PAGE = {"limit": 101}
STOPS: dict[int, Stop] = {
    1: Stop(200, scope="public"),
    2: Stop(200, lambda w: {"text": TEXT, "prefix": "search_query"}, bad={}, scope="read"),
    3: Stop(200),
    4: Stop(201, lambda w: {"content": TEXT, "agent_id": "iris"}, bad={}),
    5: Stop(200, asking=PAGE),
    6: Stop(200),
    7: Stop(200, lambda w: {"content": TEXT, "metadata": None}, bad={"content": " "}),
    8: Stop(204, twice=404),
    9: Stop(200, lambda w: {"query": "billing", "limit": 5}, bad={}, scope="read"),
    10: Stop(200, lambda w: {"memories": [{"content": TEXT, "agent_id": "iris"}]}, bad={"memories": []}),
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
    49: Stop(201, lambda w: {"target_project": w.make("project"), "relationship_type": "depends_on"}, bad={}),
    50: Stop(200),
    51: Stop(200),
    52: Stop(200),
    53: Stop(200, lambda w: {"project": w.id("project"), "change_description": TEXT}, bad={}, scope="read"),
    54: Stop(200, query=lambda w: {"a": w.id("project"), "b": w.make("project")}, asking={}),
    55: Stop(201, lambda w: {"name": "ci", "scopes": ["read"]}, bad={"scopes": ["king"]}, scope="admin"),
    56: Stop(201, lambda w: {"url": "https://hooks.example.test/loci"}, bad={"url": "http://hooks.example.test/loci"}),
    57: Stop(200),
    58: Stop(202, lambda w: {"content": TEXT, "agent_id": "iris"}, bad={}),
    59: Stop(200),
    60: Stop(200, lambda w: {"query": "billing", "agent_id": None}, bad={}, scope="read"),
    61: Stop(200),
    62: Stop(200, lambda w: {"provider": "openai", "api_key": "sk-0123456789abcdef", "model": "small"}, bad={}),
    63: Stop(200),
    64: Stop(200),
    65: Stop(200, twice=404),
}


@dataclass(frozen=True)
class Visit:
    """What a route answered: for each way of calling it, the status seen and the status it must have."""

    route: Route
    seen: dict[str, int]
    wanted: dict[str, int]

    @property
    def faults(self) -> list[str]:
        """One sentence for each answer that is not as it must be."""
        return [
            f"{case}: answered {self.seen[case]}, must be {wanted}"
            for case, wanted in self.wanted.items()
            if self.seen[case] != wanted
        ]


def visit(route: Route, world: World) -> Visit:
    """Call one route in every way; one whose things cannot be made has no good answer."""
    stop = STOPS[route.number]
    try:
        calls = ways(route, stop, world)
    except httpx2.HTTPStatusError as error:
        return Visit(route, {"good": error.response.status_code}, {"good": stop.good})
    wanted = {case: status for case, (status, _) in calls.items()}
    return Visit(route, {case: make() for case, (_, make) in calls.items()}, wanted)


def ways(route: Route, stop: Stop, world: World) -> dict[str, tuple[int, Callable[[], int]]]:
    """Return the ways of calling a route: the status wanted, and the call that returns the status seen.

    Raises:
        httpx2.HTTPStatusError: what the route is about cannot be made.
    """
    kind = next((kind for word, kind in KINDS.items() if f"/{word}/{{" in route.path), "")
    body, query = (stop.body(world) if stop.body else None), (stop.query(world) if stop.query else None)
    # What is deleted, ended or superseded is made for it; the rest may be shared.
    place = (world.make(kind) if stop.twice or route.verb == "DELETE" else world.id(kind)) if kind else ""

    def call(client: httpx2.Client, name: str = place, json: Any = body, params: Any = query) -> int:
        path = route.path.replace("{id}", name).replace("{slug}", name)
        return client.request(route.verb, path, json=json, params=params).status_code

    calls: dict[str, tuple[int, Callable[[], int]]] = {"good": (stop.good, lambda: call(world.everything))}
    if stop.twice is not None:
        calls["twice"] = (stop.twice, lambda: call(world.everything))
    if stop.scope != "public":
        scope = stop.scope or BY_VERB[route.verb]
        calls["no key"] = (401, lambda: call(world.anonymous))
        calls[f"without {scope}"] = (403, lambda: call(world.without[scope]))
    if kind:
        nothing = NEVER_REGISTERED if kind == "project" else UNKNOWN
        calls["unknown"] = (404, lambda: call(world.everything, nothing))
    if kind and kind != "project" and route.number != 22:
        calls["malformed id"] = (422, lambda: call(world.everything, "not-a-uuid"))
    if stop.bad is not None:
        calls["bad body"] = (422, lambda: call(world.everything, json=stop.bad))
    if stop.asking is not None:
        calls["bad query"] = (422, lambda: call(world.everything, params=stop.asking))
    return calls


def tour(world: World) -> list[Visit]:
    """Call all routes, in order."""
    return [visit(route, world) for route in ROUTES.values()]


def table(visits: list[Visit]) -> str:
    """Return the Markdown table of a tour."""
    rows = ["| # | route | called by | answers seen | result |", "|---|---|---|---|---|"]
    for one in visits:
        callers = ", ".join(callers_of(one.route.number)) or "as documented"
        answers = " ".join(str(status) for status in sorted(set(one.seen.values())))
        result = "; ".join(one.faults) or "pass"
        rows.append(f"| {one.route.number} | `{one.route.verb} {one.route.path}` | {callers} | {answers} | {result} |")
    return "\n".join(rows)

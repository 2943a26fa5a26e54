"""A tour through the 65 routes over HTTP: each is called as a client would, and in the ways that must be refused.

`tour` returns one `Visit` a route; `table` makes of them what stands in `docs/compatibility.md`. Neither ids nor times
get into it, so that the same server always gives the same table.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import httpx2

from app.scopes import ALL_SCOPES, BY_VERB
from tests.compat.routes import ROUTES, Route, callers_of
from tests.compat.stops import NEVER_REGISTERED, PROBES, STOPS, UNKNOWN, Probe, Stop

# Bytes that are announced and never sent: a server that waits for them has not looked at the length first.
FAR_TOO_LARGE = "1000000000"
# The first calls of a new server on a busy machine take long.
PATIENCE = 120


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
        self.anonymous = httpx2.Client(base_url=self.url, timeout=PATIENCE)

    def client(self, *scopes: str) -> httpx2.Client:
        """Return a client with a key for these scopes."""
        headers = {"Authorization": f"Bearer {self.keys(*scopes)}"}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=PATIENCE)

    def close(self) -> None:
        """Close all clients."""
        for client in (self.everything, self.anonymous, *self.without.values()):
            client.close()

    def name(self, stem: str) -> str:
        """Return a name that is new in this namespace."""
        return f"{stem}-{next(self.numbers)}"

    def send(self, path: str, body: Any) -> dict[str, Any]:
        """POST, and return the answer.

        Raises:
            httpx2.HTTPStatusError: it was refused.
        """
        found: dict[str, Any] = self.everything.post(path, json=body).raise_for_status().json()
        return found

    def announce(self, verb: str, path: str) -> int:
        """Announce a body that is far too large, send none of it, and return the status."""
        where = urlsplit(self.url)
        connection = HTTPConnection(where.hostname or "", where.port, timeout=PATIENCE)
        with closing(connection):
            connection.putrequest(verb, path)
            connection.putheader("Authorization", self.everything.headers["Authorization"])
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", FAR_TOO_LARGE)
            connection.endheaders()
            return connection.getresponse().status

    def said(self, kind: str) -> dict[str, Any]:
        """Make a thing by its own route, and return the body that made it."""
        number = MADE_BY[kind]
        made_of = STOPS[number].body
        body = made_of(self) if made_of else {}
        self.send(ROUTES[number].path, body)
        return body

    def make(self, kind: str) -> str:
        """Make a thing by its own route, and return what a path names it by."""
        number = MADE_BY[kind]
        made_of = STOPS[number].body
        found = self.send(ROUTES[number].path, made_of(self) if made_of else {})
        return str(found["slug"] if kind == "project" else found["id"])

    def id(self, kind: str) -> str:
        """Return a thing of this kind that stays; it is made on first use."""
        if kind not in self.made:
            self.made[kind] = self.make(kind)
        return self.made[kind]


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

    def call(client: httpx2.Client = world.everything, name: str = place, **change: Any) -> int:
        sent = {"params": query, **({} if "content" in change else {"json": body}), **change}
        return client.request(route.verb, route.at(name), **sent).status_code

    calls: dict[str, tuple[int, Callable[[], int]]] = {"good": (stop.good, call)}
    if stop.twice is not None:
        calls["twice"] = (stop.twice, call)
    if stop.scope != "public":
        scope = stop.scope or BY_VERB[route.verb]
        calls["no key"] = (401, lambda: call(world.anonymous))
        calls[f"without {scope}"] = (403, lambda: call(world.without[scope]))
    if kind:
        nothing = NEVER_REGISTERED if kind == "project" else UNKNOWN
        calls["unknown"] = (404, lambda: call(name=nothing))
    if kind and kind != "project" and route.number != 22:
        calls["malformed id"] = (422, lambda: call(name="not-a-uuid"))
    if stop.bad is not None:
        calls["bad body"] = (422, lambda: call(json=stop.bad))
    if stop.asking is not None:
        calls["bad query"] = (422, lambda: call(params=stop.asking))
    if body is not None:
        calls["no JSON"] = (400, lambda: call(content="{", headers={"Content-Type": "application/json"}))
        calls["no JSON type"] = (415, lambda: call(content="{}", headers={"Content-Type": "text/plain"}))
        calls["too large"] = (413, lambda: world.announce(route.verb, route.at(place)))
    for probe in PROBES.get(route.number, ()):
        calls[probe.case] = (probe.status, partial(probed, probe, world, call))
    return calls


def probed(probe: Probe, world: World, call: Callable[..., int]) -> int:
    """Return the status that a probe is answered with."""
    given: dict[str, Any] = {"headers": probe.headers}
    if probe.name:
        given["name"] = probe.name(world)
    if probe.body:
        given["json"] = probe.body(world)
    if probe.query:
        given["params"] = probe.query(world)
    return call(**given)


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

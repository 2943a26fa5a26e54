"""Every documented request of Sendryx, with base URL and key swapped, and each way in which it must be refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app import create_app
from app.compat.sendryx import SENDRYX
from app.scopes import ALL_SCOPES
from app.state import State
from graph.driver import Connection, Graph
from tests.callers import Caller
from tests.compat.recorder import Recorder
from tests.compat.sendryx import shapes
from tests.compat.speakers import refused, speaker
from tests.contract.test_error_shape import BAD_JSON, NO_OBJECT, Broken
from tests.workers.test_embed_pending import Moody

BASE = "/sendryx/v1"
CONTENT = "Rings back after 16:00 only"
STORE: dict[str, Any] = {"content": CONTENT, "metadata": {"user": "u_9"}, "expires_in_seconds": 86_400}
Calls = Callable[[Caller], TestResponse]


class Deaf(Moody):
    """An embedder that is down, for questions too."""

    def embed_query(self, text: str) -> Any:
        return self.embed_documents([text])[0]


@dataclass(frozen=True)
class Route:
    """A documented request: how it is sent, the status and shape of its answer, the scope that it needs."""

    name: str
    scope: str
    send: Calls
    status: int
    shape: dict[str, Any]


def store(caller: Caller, **change: Any) -> TestResponse:
    """Send the documented store."""
    return caller.post(f"{BASE}/memory/store", {**STORE, **change})


def stored(caller: Caller, **change: Any) -> int:
    """Store a memory and return its id."""
    return int(store(caller, **change).get_json()["memory"]["id"])


def search(caller: Caller, **query: Any) -> TestResponse:
    """Send the documented search."""
    return caller.get(f"{BASE}/memory/search", query_string={"query": "when does she ring back?", **query})


def forget(caller: Caller, body: Any = None, **query: Any) -> TestResponse:
    """Send a documented delete."""
    return caller.delete(f"{BASE}/memory/forget", json=body, query_string=query)


def forget_new(caller: Caller) -> TestResponse:
    """Delete what is stored for it, where that can be."""
    made = store(caller).get_json()
    return forget(caller, id=made["memory"]["id"] if "memory" in made else 1)


def make_key(caller: Caller, **change: Any) -> TestResponse:
    """Send the documented making of a key."""
    return caller.post(f"{BASE}/keys", {"namespace": "helpdesk", "name": "laptop", **change})


def get(what: str) -> Calls:
    """Return a call that reads something."""
    return lambda caller: caller.get(f"{BASE}/memory/{what}")


ROUTES = (
    Route("store", "write", store, 201, shapes.STORED),
    Route("search", "read", search, 200, shapes.FOUND),
    Route("forget", "delete", forget_new, 200, shapes.DELETED),
    Route("list", "read", get("list"), 200, shapes.LISTED),
    Route("stats", "read", get("stats"), 200, shapes.STATS),
    Route("usage", "read", get("usage"), 200, shapes.USAGE),
)


class Tour:
    """Calls everything and gives each answer to the recorder."""

    def __init__(self, app: Flask, parts: State, away: Graph) -> None:
        self.app, self.parts = app, parts
        self.record = Recorder(app, SENDRYX)
        self.caller = speaker(app, parts, SENDRYX, name="helpdesk")
        self.refused = refused(app, parts, SENDRYX)
        self.broken = create_app(replace(parts, graph=Broken(parts.graph.connection)))
        self.away = create_app(replace(parts, graph=away))
        self.deaf = create_app(replace(parts, embedder=Deaf("")))

    def __call__(self, response: TestResponse, wanted: int, shape: Any = shapes.ERROR) -> Any:
        return self.record(response, wanted, *shapes.faults(shape, response.get_json(silent=True)))

    def all(self) -> Recorder:
        """Call all routes in all ways."""
        for route in ROUTES:
            self.answers(route)
        self.bad_input()
        self.keys()
        self.record(self.caller.get("/sendryx/app"), 302)
        for path in ("", "/", "/v1", "/v1/nothing", "/v1/memory/store/7", "/v2/memory/store"):
            self(self.caller.get(f"/sendryx{path}"), 404)
            self(Caller(self.app, "", "").get(f"/sendryx{path}"), 404)
        for verb in ("PUT", "PATCH", "GET", "DELETE"):
            self(self.caller.call(verb, f"{BASE}/memory/store"), 405)
        return self.record

    def answers(self, route: Route) -> None:
        """Call one route well, without a good key, without its scope, too often, and on servers that fail."""
        self(route.send(self.caller), route.status, route.shape)
        self(route.send(Caller(self.app, "", "")), 401)
        for bad in self.refused.values():
            self(route.send(bad), 401)
        others = [scope for scope in ALL_SCOPES if scope not in (route.scope, "admin")]
        without = speaker(self.app, self.parts, SENDRYX, *others, namespace_of=self.caller)
        self(route.send(without), 403)
        self(route.send(replace(self.caller, app=self.broken)), 500)
        self(route.send(replace(self.caller, app=self.away)), 503)
        # Counted with the application it is asked of: each has counts of its own.
        limited = create_app(replace(self.parts, settings=replace(self.parts.settings, rate_limit="100/minute")))
        for _ in range(60):
            replace(self.caller, app=limited).get(f"{BASE}/memory/stats")
        self(route.send(replace(self.caller, app=limited)), 429, shapes.TOO_MANY)

    def bad_input(self) -> None:
        """Send what must be refused, whichever route it is sent to."""
        json, size = {"Content-Type": "application/json"}, {"CONTENT_LENGTH": str(30 * 1024 * 1024)}
        for verb, path in (("POST", f"{BASE}/memory/store"), ("DELETE", f"{BASE}/memory/forget")):
            for data in (*BAD_JSON, *NO_OBJECT):
                self(self.caller.call(verb, path, data=data, headers=json), 400)
            self(self.caller.call(verb, path, data=b"{}", headers=json, environ_overrides=size), 413)
        for route in ROUTES[:2]:
            self(route.send(replace(self.caller, app=self.deaf)), 500)
        self.bad_stores()
        self.bad_questions()
        self.bad_deletes()

    def bad_stores(self) -> None:
        """Store what cannot be stored."""
        self(self.caller.post(f"{BASE}/memory/store", {}), 400)
        for content in ("", "  \n", "a\x00b", 7, ["x"], {"x": 1}, True):
            self(store(self.caller, content=content), 400)
        for metadata in ("text", ["x"], 7, True, {"x": "a\x00"}, {"x": "a" * 11_000}):
            self(store(self.caller, metadata=metadata), 400)
        for seconds in (0, -1, 1.5, "soon", True, [60], 10**15):
            self(store(self.caller, expires_in_seconds=seconds), 400)

    def bad_questions(self) -> None:
        """Ask what cannot be asked."""
        self(self.caller.get(f"{BASE}/memory/search"), 400)
        for query in ({"query": ""}, {"query": " "}, {"query": "a\x00b"}, {"query": "a" * 10_001}, {"threshold": "2"}):
            self(search(self.caller, **query), 400)
        self(self.caller.get(f"{BASE}/memory/list", query_string={"include_expired": "perhaps"}), 400)

    def bad_deletes(self) -> None:
        """Delete what cannot be deleted, and then, in all documented ways, what can."""
        for number in ("0", "-1", "1.5", "x", "1 OR 1", "\u0664\u0662", "4_2"):
            self(forget(self.caller, id=number), 400)
        for body in ({}, {"id": 0}, {"id": 1.5}, {"id": True}, {"id": [1]}, {"wipe": 1}, {"wipe": "yes"}):
            self(forget(self.caller, body), 400)
        self(forget(self.caller), 400)
        self(forget(self.caller, id=1, wipe="true"), 400)
        self(forget(self.caller, {"id": 1}, wipe="true"), 400)
        self(forget(self.caller, {"id": 1}, id=2), 400)
        for number in ("999999999", str(10**30)):
            self(forget(self.caller, id=number), 404)
        self(forget(self.caller, {"id": stored(self.caller)}), 200, shapes.DELETED)
        self(forget(self.caller, wipe="true"), 200, shapes.DELETED)
        self(forget(self.caller, {"wipe": True}), 200, shapes.DELETED)

    def keys(self) -> None:
        """Make keys, with and without being allowed to."""
        admin = speaker(self.app, self.parts, SENDRYX, *ALL_SCOPES)
        nobody = Caller(self.app, "", "")
        self(make_key(admin), 200, shapes.NEW_KEY)
        self(make_key(nobody), 401)
        self(make_key(self.refused["revoked"]), 401)
        self(make_key(self.caller), 403)
        for change in ({"namespace": None}, {"namespace": "a b"}, {"namespace": 7}, {"name": "a" * 256}):
            self(make_key(admin, **change), 400)
        self(make_key(replace(admin, app=self.broken)), 500)
        self(make_key(replace(admin, app=self.away)), 503)
        settings = replace(self.parts.settings, rate_limit="100/minute", signup=True)
        opened = replace(nobody, app=create_app(replace(self.parts, settings=settings)))
        name = admin.tenant  # a name that nobody has used
        self(make_key(opened, namespace=name), 200, shapes.NEW_KEY)
        self(make_key(opened, namespace=name), 401)
        for _ in range(58):
            make_key(opened, namespace="")
        self(make_key(opened), 429, shapes.TOO_MANY)


@pytest.fixture(scope="module")
def record(app: Flask, parts: State) -> Iterator[Recorder]:
    """What all calls were answered."""
    with closing(Graph(Connection("bolt://127.0.0.1:1", "neo4j", "x", patience=0.0))) as away:
        yield Tour(app, parts, away).all()


class TestTable:
    def test_every_answer_is_as_documented(self, record: Recorder) -> None:
        assert record.faults == []

    def test_stands_in_the_documentation(self, record: Recorder) -> None:
        assert record.is_written(), "run `make compatibility`"


@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_the_key_may_come_in_either_header(route: Route, header: str, app: Flask, caller: Caller) -> None:
    bare = Keyed(app, caller.key, header)
    response = route.send(bare)
    assert response.status_code == route.status, response.get_json()
    assert list(shapes.faults(route.shape, response.get_json())) == []


def test_the_own_header_counts_where_both_are_sent(caller: Caller) -> None:
    answers = [
        caller.get(f"{BASE}/memory/stats", headers=headers).status_code
        for headers in (
            {"X-API-Key": caller.key, "Authorization": "Bearer sk-gw-wrong"},
            {"X-API-Key": "sk-gw-wrong", "Authorization": f"Bearer {caller.key}"},
        )
    ]
    assert answers == [200, 401]


def test_a_body_is_read_as_json_whatever_it_is_called(caller: Caller) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        data = b'{"content": "Rings back"}'
        response = caller.call("POST", f"{BASE}/memory/store", data=data, headers={"Content-Type": kind})
        assert response.status_code == 201, response.get_json()


@dataclass(frozen=True)
class Keyed(Caller):
    """A caller that sends its key in a header of its choice (`account` names it)."""

    def call(self, verb: str, path: str, json: Any = None, **options: Any) -> TestResponse:
        value = self.key if self.account == "X-API-Key" else f"Bearer {self.key}"
        headers = {self.account: value, **options.pop("headers", {})}
        return Caller(self.app, "", "").call(verb, path, json, headers=headers, **options)

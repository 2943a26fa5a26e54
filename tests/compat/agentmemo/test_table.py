"""Every route of AgentMemo answers as it must, and `docs/compatibility.md` says what they answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import time_machine
from flask import Flask

from app import create_app
from app.compat.agentmemo import DIALECT
from app.state import State
from graph.driver import Connection, Graph
from tests.callers import Caller
from tests.compat.agentmemo import shapes
from tests.compat.agentmemo.test_edge import ROUTES, Broken
from tests.compat.agentmemo.test_mcp import DOCUMENTS
from tests.compat.recorder import Recorder
from tests.compat.speakers import refused, speaker
from tests.frozen_clock import START

STORE = {"user_id": "u_77", "agent_id": "desk", "content": "Wants invoices in EUR", "metadata": {"src": "call"}}


class Tour:
    """Calls routes with a key of AgentMemo, and notes what they answer and what is wrong with it."""

    def __init__(self, app: Flask, parts: State) -> None:
        self.app = app
        self.open = create_app(replace(parts, settings=replace(parts.settings, signup=True)))
        self.record = Recorder(app, DIALECT)
        self.good = speaker(app, parts, DIALECT)
        self.admin = speaker(app, parts, DIALECT, "admin")
        self.nobody = replace(self.good, key="")
        self.by = {scope: speaker(app, parts, DIALECT, scope) for scope in ("read", "write")}
        bad = refused(app, parts, DIALECT)
        self.bad = [
            (401, self.nobody),
            *((403 if kind in ("revoked", "expired") else 401, by) for kind, by in bad.items()),
        ]

    def call(self, status: int, shape: Any, verb: str, path: str, body: Any = None, *, by: Caller | None = None,
             **options: Any) -> Any:  # fmt: skip
        """Call a route, note its answer, and return the JSON of it."""
        response = (by or self.good).call(verb, DIALECT.prefix + path, body, **options)
        found = response.get_json(silent=True)
        self.record(response, status, *shapes.faults(shape, found))
        return found

    def guarded(self, verb: str, path: str, body: Any = None, lacks: Caller | None = None) -> None:
        """Call a route with keys that are no good for it."""
        for status, by in [*self.bad, *([(403, lacks)] if lacks else [])]:
            self.call(status, shapes.ERROR, verb, path, body, by=by)

    def unread(self, path: str, by: Caller | None = None) -> None:
        """Send bodies that cannot be read."""
        for data in ("{", "[]", "{}"):
            self.call(400, shapes.ERROR, "POST", path, by=by, data=data)
        size = {"CONTENT_LENGTH": str(30 * 1024 * 1024)}
        self.call(413, shapes.ERROR, "POST", path, by=by, data="{}", environ_overrides=size)


@pytest.fixture(scope="module")
def tour(app: Flask, parts: State) -> Tour:
    """The tour, done."""
    made = Tour(app, parts)
    for stop in (memories, beside, keys, pages):
        stop(made)
    troubles(made, parts)
    return made


def memories(tour: Tour) -> None:
    made = tour.call(201, shapes.STORED, "POST", "/memory/store", STORE)
    tour.call(200, shapes.DUPLICATE, "POST", "/memory/store", STORE)
    tour.unread("/memory/store")
    tour.guarded("POST", "/memory/store", STORE, tour.by["read"])
    path = "/memory/retrieve?q=billing+currency&user_id=u_77"
    for query in ("", "&agent_id=desk&limit=5&min_score=0.1", "&tags=a,b&namespace=default&include_expired=true"):
        tour.call(200, shapes.RETRIEVED, "GET", path + query)
    tour.call(400, shapes.ERROR, "GET", "/memory/retrieve?q=x")
    tour.guarded("GET", path, lacks=tour.by["write"])
    for status, shape, query in (
        (200, shapes.DELETED, f"?id={made['id']}"), (404, shapes.ERROR, f"?id={made['id']}"),
        (200, shapes.DELETED, "?user_id=u_77&agent_id=desk"), (200, shapes.DELETED, "?user_id=u_77"),
        (400, shapes.ERROR, ""), (400, shapes.ERROR, "?agent_id=desk"),
    ):  # fmt: skip
        tour.call(status, shape, "DELETE", f"/memory/forget{query}")
    tour.guarded("DELETE", "/memory/forget?user_id=u_77", lacks=tour.by["read"])


def beside(tour: Tour) -> None:
    made = tour.call(201, shapes.STORED, "POST", "/memory/store", STORE)
    batch = {"memories": [{**STORE, "content": "one"}, STORE, {}]}
    tour.call(201, shapes.BATCH, "POST", "/memory/batch", batch)
    tour.unread("/memory/batch")
    tour.guarded("POST", "/memory/batch", batch, tour.by["read"])
    tour.call(200, shapes.CONTEXT, "GET", "/memory/context?user_id=u_77&format=openai&max_tokens=500")
    tour.call(400, shapes.ERROR, "GET", "/memory/context")
    tour.guarded("GET", "/memory/context?user_id=u_77", lacks=tour.by["write"])
    said = {"memory_id": made["id"], "outcome": "success"}
    tour.call(200, shapes.FEEDBACK, "POST", "/memory/feedback", said)
    tour.call(404, shapes.ERROR, "POST", "/memory/feedback", {**said, "memory_id": "mem_1"})
    tour.unread("/memory/feedback")
    tour.guarded("POST", "/memory/feedback", said, tour.by["read"])
    tour.call(200, shapes.STATS, "GET", "/memory/stats")
    tour.guarded("GET", "/memory/stats", lacks=tour.by["write"])
    tour.call(200, shapes.USAGE, "GET", "/usage?days=7")
    tour.call(400, shapes.ERROR, "GET", "/usage?from=x")
    tour.guarded("GET", "/usage")


def keys(tour: Tour) -> None:
    tour.call(201, shapes.KEY, "POST", "/auth/keys", {"name": "desk-bot", "scopes": ["read", "*"]}, by=tour.admin)
    tour.unread("/auth/keys", tour.admin)
    tour.guarded("POST", "/auth/keys", {"name": "desk-bot"}, tour.good)
    tour.call(201, shapes.SIGNED_UP, "POST", "/signup", {"name": "n"}, by=replace(tour.nobody, app=tour.open))
    tour.call(403, shapes.ERROR, "POST", "/signup", {"name": "n"}, by=tour.nobody)
    tour.unread("/signup", tour.nobody)


def pages(tour: Tour) -> None:
    ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    tour.call(200, shapes.ANSWER, "POST", "/mcp", ask, by=tour.nobody)
    tour.call(400, shapes.FAILED, "POST", "/mcp", by=tour.nobody, data="{")
    tour.call(200, shapes.HEALTH, "GET", "/health", by=tour.nobody)
    tour.call(200, shapes.STATUS, "GET", "/status.json", by=tour.nobody)
    for path in DOCUMENTS:
        tour.call(200, {}, "GET", path, by=tour.nobody)
    for path in ("/llms.txt", "/auth.md"):
        tour.call(200, type(None), "GET", path, by=tour.nobody)
    tour.call(405, shapes.ERROR, "PUT", "/memory/store")
    tour.call(404, shapes.ERROR, "GET", "/memory/episodes")


def troubles(tour: Tour, parts: State) -> None:
    """Call every route that needs a key where the server is in trouble, and where the key has called too often."""
    limited = create_app(replace(parts, settings=replace(parts.settings, rate_limit="100/minute")))
    away = Graph(Connection("bolt://127.0.0.1:1", "neo4j", "x", patience=0.0))
    broken = Broken(parts.graph.connection)
    by = speaker(limited, parts, DIALECT, "admin")
    with time_machine.travel(START, tick=False):
        for _ in range(100):
            by.get(f"{DIALECT.prefix}/memory/stats")
        for verb, path, body in ROUTES.values():
            tour.call(429, shapes.ERROR, verb, path, body, by=by)
    for verb, path, body in ROUTES.values():
        for status, graph in ((500, broken), (503, away)):
            caller = replace(tour.good, app=create_app(replace(parts, graph=graph)))
            tour.call(status, shapes.ERROR, verb, path, body, by=caller)
    tour.call(503, shapes.HEALTH, "GET", "/health", by=replace(tour.nobody, app=caller.app))
    away.close()


class TestTable:
    def test_every_route_answers_as_it_must(self, tour: Tour) -> None:
        assert tour.record.faults == []

    def test_stands_in_the_documentation(self, tour: Tour) -> None:
        assert tour.record.is_written(), "run `make compatibility`"

"""Every route of Azen answers as it must, and `docs/compatibility.md` says what they answered."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from app.compat.azen import API, PREFIX, Azen
from app.state import State
from tests.callers import Caller
from tests.compat.recorder import Recorder
from tests.compat.speakers import refused, speaker

ID = "3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90"
JSON = {"Content-Type": "application/json"}
# What each kind of object must have.
CREATED = {"status", "memoryId", "createdAt", "embedding"}
PAGE = {"status", "memories", "page", "per", "total_pages", "total_count"}
USAGE = {"range", "labels", "series", "summary"}
ERROR = {"status", "message", "code"}


class Tour:
    """Calls routes with a key of Azen, and notes what they answer and what is missing in it."""

    def __init__(self, app: Flask, parts: State) -> None:
        self.record = Recorder(app, Azen())
        self.good = speaker(app, parts, Azen())
        self.reader = speaker(app, parts, Azen(), "read", namespace_of=self.good)
        self.writer = speaker(app, parts, Azen(), "write", namespace_of=self.good)
        self.bad = [replace(self.good, key=""), *refused(app, parts, Azen()).values()]

    def call(self, status: int, fields: set[str], verb: str, path: str, body: Any = None, *, by: Caller | None = None,
             **options: Any) -> Any:  # fmt: skip
        """Call a route, note its answer, and return the JSON of it."""
        caller = by or self.good
        headers = {**options.pop("headers", {}), **({"azen-api-key": caller.key} if caller.key else {})}
        response = caller.app.test_client().open(path, method=verb, json=body, headers=headers, **options)
        found = response.get_json(silent=True)
        wrong = [] if set(found or {}) == fields else [f"answered {found}, must have {sorted(fields)}"]
        self.record(response, status, *wrong)
        return found

    def guarded(self, verb: str, path: str, body: Any, lacks: Caller) -> None:
        """Call a route with keys that are no good for it."""
        for number, by in enumerate(self.bad):
            self.call(403 if number else 401, ERROR, verb, path, body, by=by)
        self.call(403, ERROR, verb, path, body, by=lacks)

    def unread(self, path: str) -> None:
        """Send bodies that cannot be read."""
        for body in ("{", "[]", "{}"):
            self.call(400, ERROR, "POST", path, data=body, headers=JSON)
        big = json.dumps({"text": "a" * 26_000_000, "query": "a"})
        self.call(413, ERROR, "POST", path, data=big, headers=JSON)


@pytest.fixture(scope="module")
def tour(app: Flask, parts: State) -> Tour:
    """The tour, done."""
    made = Tour(app, parts)
    for stop in (memories, one_memory, search, usage, pages):
        stop(made)
    return made


def memories(tour: Tour) -> None:
    path = f"{API}/memory"
    tour.call(201, CREATED, "POST", path, {"text": "Drinks oat-milk flat whites"})
    tour.unread(path)
    tour.guarded("POST", path, {"text": "one"}, tour.reader)
    for query in ("", "?page=2&per=7", "?page=x&per=1000"):
        tour.call(200, PAGE, "GET", path + query)
    tour.guarded("GET", path, None, tour.writer)


def one_memory(tour: Tour) -> None:
    id = tour.call(201, CREATED, "POST", f"{API}/memory", {"text": "Drinks tea"})["memoryId"]
    missing: list[Callable[[str], str]] = [lambda id: id, lambda id: ID, lambda id: "not-a-uuid"]
    for verb, fields in (("GET", {"status", "memory"}), ("DELETE", {"status", "deleted", "memoryId", "message"})):
        path = f"{API}/memory/"
        tour.guarded(verb, path + id, None, tour.writer)
        for status, wanted, of in zip((200, 404, 400), (fields, ERROR, ERROR), missing, strict=True):
            tour.call(status, wanted, verb, path + of(id))
    tour.call(404, ERROR, "DELETE", f"{API}/memory/{id}")


def search(tour: Tour) -> None:
    path = f"{API}/memory/search"
    for body in ({"query": "coffee"}, {"query": "coffee", "topK": 50}):
        tour.call(200, {"status", "memories", "rawMatches"}, "POST", path, body)
    for top in (0, 51):
        tour.call(400, ERROR, "POST", path, {"query": "coffee", "topK": top})
    tour.unread(path)
    tour.guarded("POST", path, {"query": "coffee"}, tour.writer)
    for verb in ("GET", "DELETE"):
        tour.call(400, ERROR, verb, path)
        tour.guarded(verb, path, None, tour.writer)


def usage(tour: Tour) -> None:
    tour.call(200, USAGE, "GET", f"{API}/usage")
    tour.guarded("GET", f"{API}/usage", None, tour.writer)


def pages(tour: Tour) -> None:
    for path in (API, f"{API}/"):
        tour.call(200, {"status"}, "GET", path)
    for path in (PREFIX, f"{PREFIX}/", f"{PREFIX}/openapi.yaml"):
        tour.call(200, set(), "GET", path)
    tour.call(405, ERROR, "PUT", f"{API}/memory")
    tour.call(404, ERROR, "GET", f"{API}/memories")


class TestTable:
    def test_every_route_answers_as_it_must(self, tour: Tour) -> None:
        assert tour.record.faults == []

    def test_stands_in_the_documentation(self, tour: Tour) -> None:
        assert tour.record.is_written(), "run `make compatibility`"

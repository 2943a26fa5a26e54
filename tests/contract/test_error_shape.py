"""Every error of every route has the one documented body, whatever went wrong and wherever it did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from app import MAX_BODY, create_app
from app.state import State
from graph.driver import Connection, Graph
from tests.callers import Caller, error_of
from tests.contract.conftest import Crew
from tests.contract.examples import World, call
from tests.contract.operations import WITH_BODY, Operation, conforms, each_guarded, each_operation, each_with_body
from tests.contract.test_routes_guarded import NOWHERE, bare

JSON = {"Content-Type": "application/json"}


class Broken(Graph):
    """A graph that fails the way only a mistake of ours can."""

    def read(self, query: str, **parameters: Any) -> Any:
        raise RuntimeError(f"MATCH (secret) {parameters}")

    write = transaction = snapshot = ping = read  # type: ignore[assignment]


@pytest.fixture(scope="module")
def broken(parts: State) -> Flask:
    """The app over a graph that raises what nobody expects."""
    return create_app(replace(parts, graph=Broken(parts.graph.connection)))


@pytest.fixture(scope="module")
def away(parts: State) -> Iterator[Flask]:
    """The app over a database that is not there: a port nothing listens on."""
    graph = Graph(Connection("bolt://127.0.0.1:1", "neo4j", "x", patience=0.0))
    yield create_app(replace(parts, graph=graph))
    graph.close()


@pytest.fixture(scope="module")
def strict(parts: State) -> Flask:
    """The app with one request a minute for each key."""
    return create_app(replace(parts, settings=replace(parts.settings, rate_limit="1/minute")))


BAD_JSON = (b'{"content": ', b"{'content': 1}", b"\xff\xfe\x00", b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "\\ud800"}')
NO_OBJECT = (b"[]", b'["a"]', b'"text"', b"7", b"true", b"null")
OTHER_TYPES = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "")


class TestBody:
    @each_with_body
    def test_that_is_no_json_is_400(self, operation: Operation, crew: Crew) -> None:
        for data in BAD_JSON:
            response = call(operation, NOWHERE, crew.all, query={}, data=data, headers=JSON)
            assert error_of(response, 400)["type"] == "bad_request"
            conforms(operation, response)

    @each_with_body
    def test_that_is_no_object_is_422(self, operation: Operation, crew: Crew) -> None:
        for data in NO_OBJECT:
            response = call(operation, NOWHERE, crew.all, query={}, data=data, headers=JSON)
            error_of(response, 422)
            conforms(operation, response)

    @each_with_body
    def test_of_another_type_is_415(self, operation: Operation, crew: Crew) -> None:
        for kind in OTHER_TYPES:
            response = call(operation, NOWHERE, crew.all, query={}, data=b'{"a": 1}', headers={"Content-Type": kind})
            assert error_of(response, 415)["type"] == "unsupported_media_type"
            conforms(operation, response)

    @each_with_body
    def test_may_name_its_charset(self, operation: Operation, world: World) -> None:
        response = call(operation, world, headers={"Content-Type": "application/json; charset=utf-8"})
        assert response.status_code < 300, response.get_json()

    @each_with_body
    def test_that_says_it_is_too_large_is_413(self, operation: Operation, crew: Crew) -> None:
        size = {"CONTENT_LENGTH": str(30 * 1024 * 1024)}
        response = call(operation, NOWHERE, crew.all, query={}, data=b"{}", headers=JSON, environ_overrides=size)
        assert "24 MB" in error_of(response, 413)["message"]
        conforms(operation, response)

    def test_that_is_too_large_and_does_not_say_so_is_413(self, crew: Crew) -> None:
        parts = (b'{"content": "' + b"a" * 65_536 for _ in range(MAX_BODY // 65_536 + 2))
        unsaid = {"wsgi.input_terminated": True, "wsgi.input": Pieces(parts), "CONTENT_LENGTH": ""}
        response = crew.all.call("POST", "/v1/memories", headers=JSON, environ_overrides=unsaid)
        error_of(response, 413)

    def test_that_is_really_30_mb_is_413(self, crew: Crew) -> None:
        error_of(crew.all.post("/v1/memories", {"content": "a" * 30 * 1024 * 1024, "agent_id": "iris"}), 413)


class TestServer:
    @each_operation
    def test_mistake_is_500_and_shows_nothing(self, operation: Operation, broken: Flask, crew: Crew) -> None:
        response = call(operation, NOWHERE, Caller(broken, crew.all.key, ""), **bare(operation))
        assert "request id" in error_of(response, 500)["message"]
        conforms(operation, response)

    @each_operation
    def test_without_its_database_is_503_and_says_when_to_return(
        self, operation: Operation, away: Flask, crew: Crew
    ) -> None:
        response = call(operation, NOWHERE, Caller(away, crew.all.key, ""), **bare(operation))
        assert response.status_code == 503
        conforms(operation, response)
        if not operation.public:
            assert error_of(response, 503)["type"] == "service_unavailable"
            assert int(response.headers["Retry-After"]) >= 1

    @each_guarded
    def test_asked_too_often_is_429_and_says_when_to_return(
        self, operation: Operation, strict: Flask, make_caller: Callable[..., Caller]
    ) -> None:
        caller = Caller(strict, make_caller().key, "")
        assert caller.get("/v1/agents").status_code == 200
        response = call(operation, NOWHERE, caller, **bare(operation))
        assert error_of(response, 429)["type"] == "rate_limit_exceeded"
        assert 1 <= int(response.headers["Retry-After"]) <= 60
        conforms(operation, response)


class Pieces:
    """A body that arrives in pieces, its length unsaid."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self.parts = parts

    def read(self, size: int = -1) -> bytes:
        return next(self.parts, b"")

    def readline(self, size: int = -1) -> bytes:
        return self.read(size)


REQUIRING = [operation for operation in WITH_BODY if (operation.body or {}).get("required")]


class TestMessage:
    @pytest.mark.parametrize("operation", REQUIRING, ids=str)
    def test_of_an_empty_body_names_each_field_that_is_required(self, operation: Operation, crew: Crew) -> None:
        found = error_of(call(operation, NOWHERE, crew.all, query={}, body={}), 422)
        required = sorted((operation.body or {})["required"])
        assert sorted(detail["field"] for detail in found["details"]) == required
        assert all(field in found["message"] for field in required)

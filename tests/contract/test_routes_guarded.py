"""Who may call what, for every route: keys, scopes, ids and verbs. A new route is covered by itself."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from flask import Flask

from app.auth import PUBLIC_ENDPOINTS
from app.compat import DIALECTS
from tests.callers import error_of
from tests.contract.conftest import Crew
from tests.contract.examples import BODIES, MAKERS, QUERIES, SCOPES, World, body_of, call, maker_of, scope_of
from tests.contract.operations import (
    OPERATIONS,
    VERBS,
    WITH_BODY,
    Operation,
    conforms,
    document,
    each_guarded,
    each_operation,
    each_with_body,
)

# Nothing of these exists, which matters only once a request is let in.
NOWHERE = World(
    None,  # type: ignore[arg-type]
    made=dict.fromkeys(
        [*MAKERS, *(name for operation in OPERATIONS for name in operation.parameters)], str(uuid.uuid4())
    ),
)
# Outside the document: what people read with a browser, and other APIs.
OUTSIDE = ("/docs", *(f"{dialect.prefix}/" for dialect in DIALECTS))

PLACES = [(operation, name) for operation in OPERATIONS for name in operation.parameters]
ID_PLACES = [(operation, name) for operation, name in PLACES if name.endswith("_id")]
PATHS = sorted({operation.path for operation in OPERATIONS})

each_place = pytest.mark.parametrize(("operation", "name"), PLACES, ids=[f"{o}-{name}" for o, name in PLACES])
each_id = pytest.mark.parametrize(("operation", "name"), ID_PLACES, ids=[f"{o}-{name}" for o, name in ID_PLACES])


def bare(operation: Operation, **given: Any) -> dict[str, Any]:
    """Return the changes that make a call need nothing of a world."""
    return {"body": {} if operation.body is not None else None, "query": {}, **given}


class TestTheTable:
    def test_every_route_of_the_app_is_documented(self, app: Flask) -> None:
        served = {
            (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
            for rule in app.url_map.iter_rules()
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
            if rule.endpoint not in PUBLIC_ENDPOINTS
        }
        assert {(verb, path) for verb, path in served if not f"{path}/".startswith(OUTSIDE)} == {
            (operation.verb, operation.path) for operation in OPERATIONS
        }

    def test_the_examples_name_no_route_that_does_not_exist(self) -> None:
        assert (BODIES.keys() | QUERIES.keys() | SCOPES.keys()) - {str(operation) for operation in OPERATIONS} == set()

    def test_public_routes_are_these_alone(self) -> None:
        assert {str(operation) for operation in OPERATIONS if operation.public} == {"GET /v1/health"}


class TestExample:
    @each_operation
    def test_works_and_answers_as_documented(self, operation: Operation, world: World) -> None:
        response = call(operation, world)
        conforms(operation, response)
        assert response.status_code < 300, response.get_json()


class TestKey:
    @each_guarded
    @pytest.mark.parametrize("kind", ["no", "an unknown", "a malformed", "an endless", "a revoked", "an expired"])
    def test_is_needed_and_must_be_good(self, operation: Operation, kind: str, crew: Crew) -> None:
        response = call(operation, NOWHERE, crew.bad[kind], **bare(operation))
        error_of(response, 401)
        conforms(operation, response)
        assert response.headers["WWW-Authenticate"] == "Bearer"

    @each_guarded
    def test_may_come_in_either_header(self, operation: Operation, crew: Crew) -> None:
        headers = {"X-API-Key": crew.all.key}
        response = call(operation, NOWHERE, crew.bad["no"], **bare(operation), headers=headers)
        assert response.status_code != 401


class TestScope:
    @each_guarded
    def test_missing_is_403(self, operation: Operation, crew: Crew) -> None:
        scope = scope_of(operation)
        response = call(operation, NOWHERE, crew.but[scope], **bare(operation))
        assert f"`{scope}`" in error_of(response, 403)["message"]
        conforms(operation, response)

    @each_guarded
    def test_alone_is_enough(self, operation: Operation, crew: Crew, world: World) -> None:
        response = call(operation, world, crew.only[scope_of(operation)])
        assert response.status_code < 300, response.get_json()

    @each_guarded
    def test_admin_includes_the_others(self, operation: Operation, crew: Crew) -> None:
        assert call(operation, NOWHERE, crew.only["admin"], **bare(operation)).status_code != 403


class TestId:
    @each_place
    def test_unknown_is_404(self, operation: Operation, name: str, world: World) -> None:
        response = call(operation, world, path={name: str(uuid.uuid4())})
        assert error_of(response, 404)["message"].endswith(" not found")
        conforms(operation, response)

    @each_id
    def test_malformed_is_422_and_named(self, operation: Operation, name: str, world: World) -> None:
        for malformed in (
            "7",
            uuid.UUID(int=7).hex,
            f"{{{uuid.UUID(int=7)}}}",
            f"{uuid.UUID(int=7)}\n",
            "a\x00b",
            "' OR 1",
        ):
            response = call(operation, NOWHERE, world.caller, **bare(operation), path={name: malformed})
            assert [detail["field"] for detail in error_of(response, 422)["details"]] == [name]
            conforms(operation, response)

    @each_id
    def test_may_be_written_in_capitals(self, operation: Operation, name: str, world: World) -> None:
        assert call(operation, world, path={name: world.id(maker_of(operation, name)).upper()}).status_code < 300


class TestTolerance:
    @each_with_body
    def test_unknown_fields_are_ignored(self, operation: Operation, world: World) -> None:
        body = {**body_of(operation, world), "no_such_field": {"deep": [1]}, "object": "x", "$where": "1"}
        response = call(operation, world, body=body)
        assert response.status_code < 300, response.get_json()

    @each_operation
    def test_unknown_query_arguments_are_ignored(self, operation: Operation, world: World) -> None:
        response = call(operation, world, query={**_query(operation, world), "no_such_argument": "1"})
        assert response.status_code < 300, response.get_json()

    @each_with_body
    def test_null_means_absent(self, operation: Operation, world: World) -> None:
        required = set((operation.body or {}).get("required", []))
        example = body_of(operation, world)
        least = {name: value for name, value in example.items() if name in required}
        nulls = {**dict.fromkeys(set(operation.fields) - required), **least}
        absent = call(operation, World(world.caller), body=least)
        null = call(operation, World(world.caller), body=_renamed(nulls, world))
        assert (null.status_code, _shape(null.get_json())) == (absent.status_code, _shape(absent.get_json()))

    @each_with_body
    def test_null_for_what_is_required_is_as_missing(self, operation: Operation, world: World) -> None:
        required = sorted((operation.body or {}).get("required", []))
        for name in required:
            response = call(operation, world, body={**body_of(operation, world), name: None})
            assert name in [detail["field"] for detail in error_of(response, 422)["details"]]
        if not required:
            assert call(operation, world, body=dict.fromkeys(operation.fields)).status_code < 500

    @each_operation
    def test_a_json_content_type_without_a_body_is_no_fault(self, operation: Operation, crew: Crew) -> None:
        headers = {"Content-Type": "application/json"}
        response = call(operation, NOWHERE, crew.all, query={}, data=b"", headers=headers)
        conforms(operation, response)
        assert response.status_code not in (400, 415)

    @each_operation
    def test_a_second_slash_at_the_front_is_no_fault(self, operation: Operation, crew: Crew) -> None:
        path = operation.path.format(**dict.fromkeys(operation.parameters, "x"))
        response = crew.bad["no"].call(operation.verb, path, environ_overrides={"PATH_INFO": "/" + path})
        assert response.status_code == (200 if operation.public else 401)


class TestVerb:
    @pytest.mark.parametrize("path", PATHS)
    def test_not_served_is_405_with_those_that_are(self, path: str, crew: Crew) -> None:
        concrete = re.sub(r"{\w+}", str(uuid.uuid4()), path)
        served = _verbs_on(concrete)
        allow = served | {"OPTIONS"} | ({"HEAD"} if "GET" in served else set())
        refused = {verb.upper() for verb in VERBS} - served
        for verb in refused:
            response = crew.all.call(verb, concrete)
            assert set(response.headers.get("Allow", "").split(", ")) == allow, verb
            assert error_of(response, 405)["type"] == "method_not_allowed"
        assert set(crew.all.call("OPTIONS", concrete).headers["Allow"].split(", ")) == allow

    @pytest.mark.parametrize("path", ["/", "/v1", "/v1/nothing", "/v1/memories/", "/v2/icm/capabilities", "/v1/%00"])
    def test_on_an_unknown_path_is_404(self, path: str, crew: Crew) -> None:
        for caller in (crew.all, crew.bad["no"]):
            assert error_of(caller.get(path), 404)["type"] == "not_found"


class TestRequestId:
    @each_operation
    def test_of_the_caller_is_echoed(self, operation: Operation, crew: Crew) -> None:
        headers = {"X-Request-ID": "trace-7/a.b:c=d+e"}
        response = call(operation, NOWHERE, crew.all, **bare(operation), headers=headers)
        assert response.headers["X-Request-ID"] == "trace-7/a.b:c=d+e"

    @each_operation
    def test_is_minted_when_there_is_none_or_a_wild_one(self, operation: Operation, crew: Crew) -> None:
        seen = set()
        for sent in ({}, {"X-Request-ID": "x" * 129}, {"X-Request-ID": "<script>"}):
            response = call(operation, NOWHERE, crew.bad["no"], **bare(operation), headers=sent)
            seen.add(response.headers["X-Request-ID"])
        assert len(seen) == 3
        assert all(re.fullmatch(r"req_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", minted) for minted in seen)


def test_reading_head_is_as_get_without_a_body(crew: Crew) -> None:
    response = crew.all.call("HEAD", "/v1/agents")
    assert (response.status_code, response.get_data()) == (200, b"")


def _query(operation: Operation, world: World) -> dict[str, Any]:
    return dict(QUERIES[str(operation)](world)) if str(operation) in QUERIES else {}


def _verbs_on(concrete: str) -> set[str]:
    paths = document()["paths"]
    # A word of ours is never taken for an id.
    served = {concrete: paths[concrete]} if concrete in paths else paths
    return {
        verb.upper()
        for path, item in served.items()
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), concrete)
        for verb in VERBS
        if verb in item
    }


def _renamed(body: dict[str, Any], world: World) -> dict[str, Any]:
    """Return the body with a name of its own, where the one used may be taken by now."""
    return {
        name: world.fresh("again") if v and name in {"name", "alias", "slug", "external_id"} else v
        for name, v in body.items()
    }


def _shape(answer: Any) -> Any:
    """Return an answer without its values: what null and absent must have in common."""
    if isinstance(answer, dict):
        return {name: _shape(value) for name, value in answer.items()}
    return type(answer).__name__ if not isinstance(answer, list) else [_shape(item) for item in answer[:1]]


def test_there_are_operations_to_test() -> None:
    assert len(OPERATIONS) > 20
    assert WITH_BODY

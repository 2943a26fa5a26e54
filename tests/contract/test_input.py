"""Bad input in every field of every route: refused with the field's name, nothing written, nothing internal shown."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from app.state import State
from tests.callers import error_of
from tests.contract.examples import World, body_of, call, path_of, query_of, scope_of
from tests.contract.footprint import footprint
from tests.contract.operations import OPERATIONS, WITH_BODY, Operation, conforms

WITH_QUERY = [operation for operation in OPERATIONS if operation.query]
THE_CLIENTS_OWN = {"client_id", "user_id", "external_id"}
FREE_OBJECTS = {"metadata", "stack"}
NUL = "a\x00b"
# Cypher, Lucene, templates, headers, paths; joined, so that one call tries many.
HOSTILE = (
    "'}) MATCH (n) DETACH DELETE n // `$tenant` \" OR 1=1 -- ${7*7} {{7*7}} %s %n {0}",
    '+-&&||!(){}[]^"~*?:\\/ AND OR NOT content:x [a TO *] /re(/ fuzzy~9 boost^^ "',
    "\u202e\ufeff\U0001f600 \r\nSet-Cookie: a=b <script>alert(1)</script> &amp;lt; ../../etc/passwd \\u0000 \\ud800",
)
# These answer for each item by itself.
PER_ITEM = {"POST /v1/memories/batch"}


def bad_values(name: str, schema: dict[str, Any], required: bool) -> Iterator[Any]:
    """Yield values that a field of this schema must refuse."""
    kind = schema.get("type")
    if kind == "string":
        yield from (7, ["x"], {"x": 1}, True, NUL)
        yield from ("" for _ in range(required and "enum" not in schema))
        yield from bad_texts(schema)
    elif kind in ("integer", "number"):
        yield from ("many", [1], {"x": 1}, "")
        yield from (schema[end] + step for end, step in (("minimum", -1), ("maximum", 1)) if end in schema)
        yield from (10**30 for _ in range("maximum" in schema))
    elif kind == "boolean":
        yield from ("perhaps", [True], {"x": 1}, 7)
    elif kind == "object":
        yield from ("text", ["x"], 7, True)
        if name in FREE_OBJECTS:
            yield from ({"x": "a" * 11_000}, nested(60), {"x": NUL}, {NUL: 1})
    elif kind == "array":
        yield from (7, {"x": 1}, True)
        yield from ([0] * (schema["maxItems"] + 1) for _ in range("maxItems" in schema))
    elif isinstance(kind, list) and "object" not in kind:
        yield from ({"x": 1}, True, NUL)


def bad_texts(schema: dict[str, Any]) -> Iterator[str]:
    """Yield texts that a string field must refuse."""
    if "maxLength" in schema:
        yield "a" * (schema["maxLength"] + 1)
    if "enum" in schema:
        yield "no-such-choice"
    if schema.get("format") == "uuid":
        yield from ("not-a-uuid", uuid.uuid4().hex)
    if "pattern" in schema:
        yield from ("!? \n", "ok\n")


def nested(depth: int) -> Any:
    """Return an object inside an object, `depth` times."""
    found: Any = {}
    for _ in range(depth):
        found = {"x": found}
    return found


def named(name: str, response: Any) -> bool:
    """Tell whether an error names a field or something inside it."""
    return any(f"{detail['field']}.".startswith(f"{name}.") for detail in response.get_json()["details"])


class TestField:
    @pytest.mark.parametrize("operation", WITH_BODY, ids=str)
    def test_of_a_body_refuses_what_it_cannot_be(self, operation: Operation, world: World, parts: State) -> None:
        example = body_of(operation, world)
        path_of(operation, world)  # makes what the path names, before the first look
        before = footprint(parts, world.caller)
        for name, schema in operation.fields.items():
            required = name in (operation.body or {}).get("required", [])
            for value in bad_values(name, schema, required):
                data = json.dumps({**example, name: value}).encode()
                response = call(operation, world, data=data, headers={"Content-Type": "application/json"})
                assert response.status_code == 422, (name, str(value)[:80], response.status_code, response.get_json())
                assert named(name, response), (name, str(value)[:80], response.get_json())
                conforms(operation, response)
        assert footprint(parts, world.caller) == before

    @pytest.mark.parametrize("operation", WITH_QUERY, ids=str)
    def test_of_a_query_refuses_what_it_cannot_be(self, operation: Operation, world: World) -> None:
        example = query_of(operation, world)
        for name, schema in operation.query.items():
            for value in bad_values(name, schema, required=False):
                if isinstance(value, str | int) and not isinstance(value, bool) and value not in ("", 7):
                    response = call(operation, world, query={**example, name: value})
                    assert response.status_code == 422, (name, str(value)[:80], response.get_json())
                    assert named(name, response), (name, response.get_json())
                    conforms(operation, response)

    @pytest.mark.parametrize("operation", [o for o in WITH_QUERY if o.verb == "GET"], ids=str)
    def test_of_a_query_that_is_empty_counts_as_absent(self, operation: Operation, world: World) -> None:
        world.id("memory_id")  # of a user, in a project and in a session: a filter for none of these would hide it
        example = query_of(operation, world)
        plain = call(operation, world, query=example)
        empty = call(operation, world, query={**dict.fromkeys(operation.query, ""), **example})
        assert empty.status_code == plain.status_code == 200, empty.get_json()
        if plain.is_json:
            assert empty.get_json().get("total_count") == plain.get_json().get("total_count")

    @pytest.mark.parametrize("operation", WITH_BODY, ids=str)
    def test_that_holds_text_has_a_limit(self, operation: Operation) -> None:
        endless = [
            name
            for name, schema in operation.fields.items()
            if schema.get("type") == "string" and not {"maxLength", "enum", "format", "pattern"} & schema.keys()
        ]
        assert endless == []

    @pytest.mark.parametrize("operation", WITH_BODY, ids=str)
    def test_takes_hostile_text_as_text(self, operation: Operation, world: World) -> None:
        example = body_of(operation, world)
        for name, schema in operation.fields.items():
            if schema.get("type") == "string" and not {"enum", "format", "pattern"} & schema.keys():
                for text in HOSTILE:
                    value = text[: schema.get("maxLength", 255)].strip()
                    response = call(operation, World(world.caller), body={**example, name: value})
                    assert response.status_code < 500, (name, value)
                    conforms(operation, response)

    @pytest.mark.parametrize("operation", WITH_BODY, ids=str)
    def test_that_names_nothing_known_is_refused(self, operation: Operation, world: World, parts: State) -> None:
        example = body_of(operation, world)
        path_of(operation, world)
        for name in [name for name in operation.fields if name.endswith("_id") and name not in THE_CLIENTS_OWN]:
            before = footprint(parts, world.caller)
            response = call(operation, world, body={**example, name: str(uuid.uuid4())})
            conforms(operation, response)
            if scope_of(operation) == "write" and str(operation) not in PER_ITEM:
                assert response.status_code in (400, 404), (name, response.get_json())
                assert footprint(parts, world.caller) == before


@pytest.mark.parametrize(
    "path", ["/v1/memories/' OR 1=1", "/v1/agents/../../etc/passwd", "/v1/projects/%00", "/v1/%ff"]
)
def test_hostile_paths_lead_nowhere(path: str, world: World) -> None:
    response = world.caller.get(path)
    error_of(response, response.status_code)
    assert response.status_code in (404, 422)

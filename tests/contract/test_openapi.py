"""The API document in the repository is the one the running server gives, a valid one, and complete.

A route or a field that is new and says too little of itself fails here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
from openapi_spec_validator import validate

from app.scopes import SCOPES
from scripts import openapi
from tests.contract.operations import OPERATIONS, VERBS, Operation, document, each_operation, resolved

pytestmark = pytest.mark.static

SCHEMAS: dict[str, dict[str, Any]] = document()["components"]["schemas"]
TAGS = {tag["name"]: tag["description"] for tag in document()["tags"]}
RATE = {"X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"}
FORMATS = FormatChecker()
REFERENCE = re.compile(r'"#/components/(\w+)/([\w-]+)"')

each_schema = pytest.mark.parametrize("name", list(SCHEMAS))


def shape(part: dict[str, Any]) -> bool:
    """Tell whether a field is a schema of its own, or a list of one: its example is put together from its fields."""
    return bool({"$ref", "allOf", "anyOf"} & part.keys()) or ("items" in part and shape(part["items"]))


def faults(part: dict[str, Any], value: Any) -> list[str]:
    """Return why a value does not fit a part of the document."""
    schema = {**part, "components": document()["components"]}
    return [error.message for error in Draft202012Validator(schema, format_checker=FORMATS).iter_errors(value)]


def unsaid(part: dict[str, Any]) -> Iterator[str]:
    """Yield what a field or parameter does not say of itself; `part` has description and schema in one."""
    if not part.get("description", "").strip().endswith("."):
        yield "a description that ends with a full stop"
    if shape(part):
        return
    if "example" not in part:
        yield "an example (in its field's metadata, or by its name in app/samples.py)"
    elif part["example"] == "string" or faults(part, part["example"]):
        yield f"an example that is valid: {part['example']!r} is not {faults(part, part['example'])}"


def unlimited(part: dict[str, Any]) -> Iterator[str]:
    """Yield which limit an input does not have."""
    kinds = part.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if {"enum", "const", "pattern"} & part.keys() or part.get("format") == "uuid" or kinds == ["string", "number"]:
        return
    if "string" in kinds and "maxLength" not in part:
        yield "maxLength"
    if {"integer", "number"} & set(kinds) and not {"minimum", "maximum"} <= part.keys():
        yield "minimum and maximum"
    if "array" in kinds:
        if "maxItems" not in part and "enum" not in part["items"]:
            yield "maxItems"
        yield from unlimited(part["items"])


def parameters(operation: Operation) -> list[dict[str, Any]]:
    """Return the parameters of an operation, those of its path included, each with its schema at the top."""
    item = document()["paths"][operation.path]
    found = [*item.get("parameters", []), *operation.spec.get("parameters", [])]
    return [{**parameter["schema"], **parameter} for parameter in found]


def used(kind: str, part: Any) -> set[str]:
    """Return which schemas a part of the document leads to."""
    found: set[str] = set()
    waiting = [part]
    while waiting:
        names = {name for group, name in REFERENCE.findall(_text(waiting.pop())) if group == kind} - found
        found |= names
        waiting += [document()["components"][kind][name] for name in names]
    return found


def _text(part: Any) -> str:
    return json.dumps(part)


ANSWERED = used("schemas", [operation.spec["responses"] for operation in OPERATIONS])
SENT = used("schemas", [operation.spec.get("requestBody") for operation in OPERATIONS])


def test_document_in_the_repository_is_current() -> None:
    assert openapi.is_current(), "run `make openapi`"


def test_document_is_valid() -> None:
    validate(openapi.document())


def test_operation_ids_are_there_and_differ() -> None:
    ids = [operation.spec.get("operationId", "") for operation in OPERATIONS]
    assert ids
    assert "" not in ids
    assert sorted(ids) == sorted(set(ids))


def test_every_component_is_used() -> None:
    components = document()["components"]
    named = set(REFERENCE.findall(_text(document())))
    left = [(kind, name) for kind in ("schemas", "responses", "headers") for name in components[kind]]
    assert [one for one in left if one not in named] == []


def test_every_tag_is_used_and_described() -> None:
    assert {tag for operation in OPERATIONS for tag in operation.spec["tags"]} == set(TAGS)
    assert [name for name, description in TAGS.items() if not description.endswith(".")] == []


def test_headers_are_described_once_with_valid_examples() -> None:
    for name, header in document()["components"]["headers"].items():
        assert list(unsaid({**header["schema"], **header})) == [], name


class TestOperation:
    @each_operation
    def test_it_says_in_a_line_what_it_does_and_then_what_its_user_needs(self, operation: Operation) -> None:
        summary, description = operation.spec["summary"], operation.spec.get("description", "")
        assert "\n" not in summary
        assert not summary.endswith(".")
        assert description.endswith("."), "add to the view's docstring: effects, 404, what repeating it does"
        assert description.rstrip(".").casefold() not in summary.casefold()

    @each_operation
    def test_its_parameters_are_described_with_limits_and_valid_examples(self, operation: Operation) -> None:
        wrong = {part["name"]: list(unsaid(part)) for part in parameters(operation)}
        assert {name: missing for name, missing in wrong.items() if missing} == {}
        open_ones = {part["name"]: list(unlimited(part)) for part in parameters(operation) if part["in"] == "query"}
        assert {name: missing for name, missing in open_ones.items() if missing} == {}

    @each_operation
    def test_it_says_which_scope_a_key_needs(self, operation: Operation) -> None:
        security = operation.spec["security"]
        if operation.public:
            return
        assert [set(way) for way in security] == [{"bearer"}, {"apiKey"}]
        scopes = {scope for way in security for names in way.values() for scope in names}
        assert len(scopes) == 1
        assert scopes <= set(SCOPES)

    @each_operation
    def test_every_error_has_the_common_body_with_an_example(self, operation: Operation) -> None:
        errors = [int(status) for status in operation.spec["responses"] if int(status) >= 400]
        assert set(errors) >= ({500, 503} if operation.public else {401, 403, 429, 500, 503})
        for status in errors:
            if str(operation) == "GET /v1/health" and status == 503:
                continue  # it tells how it is, whatever the status
            content = (operation.answer(status) or {})["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/ErrorOut"}
            assert content["example"]["code"] == status
            assert faults(content["schema"], content["example"]) == []

    @each_operation
    def test_every_answer_says_what_it_means_and_which_headers_it_has(self, operation: Operation) -> None:
        for status in map(int, operation.spec["responses"]):
            answer = operation.answer(status) or {}
            assert answer["description"]
            assert "X-Request-ID" in answer["headers"], status
            if status not in (401, 500, 503) and not operation.public:
                assert set(answer["headers"]) >= RATE, status

    @pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.spec.get("deprecated")], ids=str)
    def test_a_deprecated_one_names_what_to_use_instead(self, operation: Operation) -> None:
        named = re.match(r"Deprecated: use `(/\S+)`", operation.spec["description"])
        assert named, "begin the description with: Deprecated: use `/path`"
        assert named[1] in document()["paths"]


def test_older_spellings_of_routes_are_deprecated() -> None:
    deprecated = {str(operation) for operation in OPERATIONS if operation.spec.get("deprecated")}
    assert deprecated == {"POST /v2/context", "POST /v1/entities/{entity_id}/link"}


class TestSchema:
    @each_schema
    def test_it_and_all_its_fields_are_described_with_valid_examples(self, name: str) -> None:
        schema = SCHEMAS[name]
        assert schema["description"].endswith("."), "give its class a docstring"
        wrong = {field: list(unsaid(part)) for field, part in schema["properties"].items()}
        assert {field: missing for field, missing in wrong.items() if missing} == {}

    @pytest.mark.parametrize("name", sorted(SENT))
    def test_every_field_of_a_body_has_its_limits(self, name: str) -> None:
        wrong = {field: list(unlimited(part)) for field, part in SCHEMAS[name]["properties"].items()}
        assert {field: missing for field, missing in wrong.items() if missing} == {}

    @pytest.mark.parametrize("name", sorted(ANSWERED))
    def test_an_answer_says_what_it_always_holds(self, name: str) -> None:
        schema = SCHEMAS[name]
        assert schema.get("required"), "derive it from marshmallow's Schema; mark fields that may lack as `sometimes`"
        assert set(schema["required"]) <= set(schema["properties"])

    @pytest.mark.parametrize("name", sorted(ANSWERED))
    def test_a_field_that_is_one_of_a_few_lists_them(self, name: str) -> None:
        for field, part in SCHEMAS[name]["properties"].items():
            if re.match(r"One of |Always `|`\w+` or `", part["description"]) and "string" in str(part.get("type")):
                assert {"enum", "const"} & part.keys(), f"{field}: validate=one_of(...)"


def test_no_schema_is_both_sent_and_answered() -> None:
    assert SENT.isdisjoint(ANSWERED)


@pytest.mark.parametrize("verb", VERBS)
def test_operations_of_every_verb_were_looked_at(verb: str) -> None:
    assert any(operation.verb == verb.upper() for operation in OPERATIONS)


@pytest.mark.parametrize(
    ("part", "missing"),
    [
        ({"description": "A name.", "type": "string"}, "an example ("),
        ({"description": "A name", "type": "string", "example": "iris"}, "a description"),
        ({"description": "A name.", "type": "string", "example": 3}, "an example that is valid"),
        ({"description": "An id.", "type": "string", "format": "uuid", "example": "x"}, "an example that is valid"),
        ({"description": "A name.", "type": "string", "example": "string"}, "an example that is valid"),
    ],
)
def test_what_says_too_little_is_found(part: dict[str, Any], missing: str) -> None:
    assert [fault.startswith(missing) for fault in unsaid(part)] == [True]


def test_a_missing_limit_is_found() -> None:
    assert list(unlimited({"type": "string"})) == ["maxLength"]
    assert list(unlimited({"type": ["integer", "null"], "minimum": 0})) == ["minimum and maximum"]
    assert list(unlimited({"type": "array", "items": {"type": "string"}})) == ["maxItems", "maxLength"]


def test_references_are_followed() -> None:
    assert resolved({"$ref": "#/components/schemas/ErrorOut"}) is SCHEMAS["ErrorOut"]

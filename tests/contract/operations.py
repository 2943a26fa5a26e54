"""Every operation of the API, read from the document the app itself gives; what all of them must answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from werkzeug.test import TestResponse

from app.errors import BY_STATUS
from scripts import openapi

VERBS = ("get", "post", "put", "patch", "delete")
# What an answer must never show: queries, tracebacks, files, names of the machinery behind.
INTERNALS = re.compile(
    r"Traceback|site-packages|\.py\b.{0,20}line|CYPHER 25|\$tenant|Neo\.(?:Client|Database|Transient)|"
    r"\bMATCH \(|(?:neo4j|werkzeug|marshmallow|orjson)\.|/(?:home|tmp|work|usr|opt)/"
)


# A file, a JSON object a line.
LINES = "application/x-ndjson"


@dataclass(frozen=True)
class Operation:
    """One verb on one path. `path` has `{name}` for each parameter; `scope` is empty on a public route."""

    verb: str
    path: str
    spec: dict[str, Any] = field(hash=False, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.verb} {self.path}"

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names in the path."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    @property
    def query(self) -> dict[str, dict[str, Any]]:
        """The schema of each query argument by its name."""
        return {p["name"]: p["schema"] for p in self.spec.get("parameters", []) if p["in"] == "query"}

    @property
    def public(self) -> bool:
        """Whether it needs no key."""
        return not self.spec["security"]

    @property
    def body(self) -> dict[str, Any] | None:
        """The schema of the body, references resolved at the top; None when it takes none, or a file."""
        if "application/json" not in self.spec.get("requestBody", {}).get("content", {}):
            return None
        return resolved(self.spec["requestBody"]["content"]["application/json"]["schema"])

    @property
    def fields(self) -> dict[str, dict[str, Any]]:
        """The schema of each field of the body by its name."""
        return {name: resolved(schema) for name, schema in (self.body or {}).get("properties", {}).items()}

    def answer(self, status: int) -> dict[str, Any] | None:
        """Return what the document says of a status; None when it says nothing."""
        found = self.spec["responses"].get(str(status))
        return resolved(found) if found else None


@cache
def document() -> dict[str, Any]:
    """Return the API document."""
    return openapi.document()


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a part of the document with a reference at its top followed."""
    while "$ref" in schema or set(schema) == {"allOf"}:
        if "allOf" in schema:
            schema = schema["allOf"][0]
            continue
        found: Any = document()
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


@cache
def operations() -> tuple[Operation, ...]:
    """Return every operation of the document."""
    paths = document()["paths"]
    return tuple(
        Operation(verb.upper(), path, item[verb]) for path, item in paths.items() for verb in VERBS if verb in item
    )


OPERATIONS = operations()
GUARDED = tuple(operation for operation in OPERATIONS if not operation.public)
WITH_BODY = tuple(operation for operation in OPERATIONS if operation.body is not None)

each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=str)
each_guarded = pytest.mark.parametrize("operation", GUARDED, ids=str)
each_with_body = pytest.mark.parametrize("operation", WITH_BODY, ids=str)


def conforms(operation: Operation, response: TestResponse) -> None:
    """Assert that a status is documented, its body fits the documented schema, and nothing internal is shown."""
    text = response.get_data(as_text=True)
    shown = f"{operation} answered {response.status_code}: {text[:600]}"
    assert response.status_code < 400 or INTERNALS.findall(text) == [], shown
    assert response.headers["X-Request-ID"], shown
    described = operation.answer(response.status_code)
    assert described is not None, f"{shown}\nThe status is not documented: add @blueprint.alt_response"
    content = described.get("content")
    if content is None:
        assert (text, response.headers.get("Content-Type")) == ("", None), shown
        return
    if response.status_code < 300 and LINES in content:
        assert response.mimetype == LINES, shown
        assert all(isinstance(json.loads(line), dict) for line in text.splitlines()), shown
        return
    assert response.mimetype == "application/json", shown
    schema = {**content["application/json"]["schema"], "components": document()["components"]}
    faults = [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(response.json)
    ]
    assert faults == [], f"{faults}\n{shown}"
    if response.status_code >= 400 and "HealthOut" not in str(content):
        body = response.get_json()
        assert set(body) == {"type", "message", "code", "request_id", "details", "detail", "error"}, shown
        assert body["type"] == BY_STATUS[response.status_code].type, shown

"""How schemas become OpenAPI: described by their docstrings, with what an answer always holds, and with examples."""

import inspect
from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import Schema, fields

from app.samples import NOTHING, sample
from app.schemas.common import Schema as Input


class Converter(OpenAPIConverter):
    """apispec's converter, told more."""

    def init_attribute_functions(self) -> None:
        """Add ours after apispec's own."""
        super().init_attribute_functions()  # type: ignore[no-untyped-call]
        self.attribute_functions += [self.constant2const, self.field2example]

    def field2read_only(self, field: fields.Field[Any], **_: Any) -> dict[str, Any]:
        """Say nothing: inputs and answers are schemas of their own here."""
        return {}

    def constant2const(self, field: fields.Field[Any], ret: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Name the one value that a constant has."""
        if not isinstance(field, fields.Constant):
            return {}
        ret.pop("default", None)
        return {"type": "string", "const": field.constant}

    def field2example(self, field: fields.Field[Any], ret: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Give an example to whatever is no schema of its own."""
        found = ret.get("example", NOTHING)
        if found is NOTHING and not ({"$ref", "allOf", "anyOf"} & ret.keys()):
            found = sample(field, ret)
        if isinstance(field, fields.List):
            ret.get("items", {}).pop("example", None)  # the list's own example shows it
        return {} if found is NOTHING else {"example": found}

    def schema2jsonschema(self, schema: Any) -> dict[str, Any]:
        """Describe a schema, and say which fields an answer always holds: all but those marked `sometimes`."""
        found: dict[str, Any] = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
        made: Schema = schema() if isinstance(schema, type) else schema
        found["description"] = " ".join(inspect.cleandoc(type(made).__doc__ or "").split())
        if not isinstance(made, Input):
            found["required"] = sorted(
                field.data_key or name for name, field in made.fields.items() if not field.metadata.get("sometimes")
            )
        return found


class Plugin(MarshmallowPlugin):
    """apispec's plugin with our converter."""

    Converter = Converter


# What is sent with every answer, and with every answer for a key.
ALWAYS = ("X-Request-ID",)
COUNTED = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
DELETED = {
    "200": "Deleted. This body is for callers that ask for one with `Prefer: return=representation`, and for clients "
    "known to need it.",
    "204": "Deleted.",
}
# Where one operation answers both, the one is about what was there before.
FOUND = "It was there already; nothing new was made."


def headers(*names: str) -> dict[str, Any]:
    """Return references to the document's headers of these names."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def finished(responses: dict[Any, Any], method: str, *, counted: bool) -> dict[str, Any]:
    """Return an operation's answers in order, each good one with its headers and what it means."""
    made = {str(status): responses[status] for status in sorted(responses, key=str)}
    for status, answer in made.items():
        if not isinstance(answer, dict) or "$ref" in answer:
            continue
        answer["headers"] = headers(*ALWAYS, *(COUNTED if counted else ()))
        if method == "delete" and "204" in made:
            answer["description"] = DELETED[status]
        elif method == "post" and status == "200" and "201" in made:
            answer["description"] = FOUND
    return made

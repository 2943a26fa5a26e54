"""What AgentMemo's clients send. Times are epoch milliseconds; an explicit null counts as absent."""

from typing import Any

import marshmallow as ma
from marshmallow import ValidationError, fields, validate

from app.compat.frame import Clamped
from app.schemas.common import Fraction, Metadata, Schema, Text
from app.schemas.keys import NAMESPACE
from app.schemas.memories import LONGEST_KEPT

# Properties of a memory that Loci has no field for stand in its metadata, under names that begin like this.
OWN = "agentmemo."
OUTCOMES = ("success", "failure", "unknown")
FORMATS = ("raw", "anthropic", "openai")
# The last millisecond of the year 9999.
LAST = 253_402_300_799_999
LONGEST_TTL = 3_153_600_000
LONGEST_TAGS = 4_000


def one_of(values: tuple[str, ...]) -> validate.OneOf:
    """Return a check whose message names the choices."""
    return validate.OneOf(values, error="must be one of: {choices}")


def between(least: float | None, most: float) -> validate.Range:
    """Return a check whose message names the bounds."""
    return validate.Range(least, most, error="must lie between {min} and {max}")


class OwnMetadata(Metadata):
    """The client's own object, without the names that are ours."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        found = super()._deserialize(value, attr, data, **kwargs)
        if any(key.startswith(OWN) for key in found):
            raise ValidationError(f"must have no key that begins with `{OWN}`")
        return found


def moment(**kwargs: Any) -> fields.Integer:
    """Return the field of a time in epoch milliseconds."""
    return fields.Integer(validate=[between(0, LAST)], **kwargs)


class Stored(Schema):
    """A memory to store, also as one of a batch."""

    user_id = Text(256, blank=False, required=True)
    agent_id = Text(256, blank=False, required=True)
    content = Text(LONGEST_KEPT, blank=False, required=True)
    metadata = OwnMetadata(load_default=dict)
    importance = fields.Float(allow_nan=False, load_default=0.0, validate=[between(0, 10)])
    ttl_seconds = fields.Float(
        allow_nan=False, validate=[validate.Range(0, min_inclusive=False, error="must be greater than {min}")]
    )
    tags = fields.List(Text(LONGEST_TAGS), load_default=list)
    namespace = Text(128, load_default="default")
    outcome = Text(load_default="unknown", validate=[one_of(OUTCOMES)])
    valid_from = moment()
    valid_until = moment()
    detect_conflicts = fields.Boolean(load_default=False)


class Batch(Schema):
    """Up to 100 memories, each looked at by itself."""

    memories = fields.List(
        fields.Raw(allow_none=True), required=True,
        validate=validate.Length(1, 100, error="must hold between {min} and {max} memories"),
    )  # fmt: skip


class Retrieve(Schema):
    """A question and what its answers must be."""

    q = Text(4_000, blank=False, required=True)
    user_id = Text(256, blank=False, required=True)
    agent_id = Text(256)
    limit = Clamped(1, 100, 10, below=10)
    min_score = fields.Float(allow_nan=False, load_default=0.0)
    namespace = Text(128)
    outcome = Text(64)
    min_importance = fields.Float(allow_nan=False)
    tags = Text(LONGEST_TAGS)
    include_expired = fields.Boolean(load_default=False)


class Forget(Schema):
    """One memory, or all of a user or of a user and an agent."""

    id = Text(256)
    user_id = Text(256)
    agent_id = Text(256)

    @ma.validates_schema
    def names_something(self, data: dict[str, Any], **_: Any) -> None:
        if "id" not in data and "user_id" not in data:
            raise ValidationError("send `id`, or `user_id` with or without `agent_id`", "id")


class Context(Schema):
    """Whose memories to put together, and in how many tokens."""

    user_id = Text(256, blank=False, required=True)
    agent_id = Text(256)
    max_tokens = Clamped(100, 8_000, 2_000)
    format = Text(load_default="raw", validate=[one_of(FORMATS)])


class Feedback(Schema):
    """How a memory has served."""

    memory_id = Text(256, blank=False, required=True)
    outcome = Text(required=True, validate=[one_of(OUTCOMES[:2])])
    confidence = Fraction(load_default=1.0)


class Stats(Schema):
    """Whose memories to count; absent: everybody's."""

    user_id = Text(256)


class Usage(Schema):
    """A stretch of time, and for how many days to answer one row each."""

    since = moment(data_key="from")
    until = moment(data_key="to")
    days = Clamped(1, 365, 30, below=30)


class KeyWanted(Schema):
    """A key to make. `namespace` is Loci's own; absent, the key gets a new one."""

    name = Text(200, blank=False, required=True)
    owner = Text(200, load_default=None)
    scopes = fields.List(
        Text(validate=[one_of(("read", "write", "*"))]), load_default=lambda: ["read", "write"],
        validate=validate.Length(1, error="must name at least one scope"),
    )  # fmt: skip
    tier = Text(load_default="pro", validate=[one_of(("free", "pro"))])
    namespace = Text(255, blank=False, validate=[NAMESPACE])


class SignUp(Schema):
    """Who signs up. The address is not kept."""

    name = Text(200, blank=False, required=True)
    email = Text(320)


# The tools of its MCP server.
USER = {"user_id": {"type": "string", "description": "Whose memories."}}
AGENT = {"agent_id": {"type": "string", "description": "Name of the agent."}}


def tool(route: str, description: str, required: str, **properties: dict[str, Any]) -> dict[str, Any]:
    """Return a tool: its route, and what MCP tells of it."""
    schema = {"type": "object", "properties": properties, "required": required.split()}
    return {"route": route.split(" "), "description": description, "inputSchema": schema}


def text(description: str, **more: Any) -> dict[str, Any]:
    """Return the schema of a text."""
    return {"type": "string", "description": description, **more}


TOOLS: dict[str, dict[str, Any]] = {
    "store_memory": tool(
        "POST /memory/store", "Remember something about a user.", "user_id agent_id content", **USER, **AGENT,
        content=text("What to remember."), metadata={"type": "object", "description": "Anything beside it."},
    ),
    "retrieve_memory": tool(
        "GET /memory/retrieve", "Find memories of a user by meaning.", "user_id query", **USER,
        query=text("The question."), **AGENT, limit={"type": "integer", "minimum": 1, "maximum": 100},
    ),
    "forget_memory": tool(
        "DELETE /memory/forget", "Delete one memory by `id`, or all of a user.", "",
        id=text("Id of the memory."), **USER, **AGENT,
    ),
    "get_context": tool(
        "GET /memory/context", "Put a user's memories together for a prompt.", "user_id", **USER, **AGENT,
        format=text("How to wrap them.", enum=list(FORMATS)),
        max_tokens={"type": "integer", "minimum": 100, "maximum": 8000},
    ),
    "give_feedback": tool(
        "POST /memory/feedback", "Say how a memory has served.", "memory_id outcome", memory_id=text("Its id."),
        outcome=text("How.", enum=list(OUTCOMES[:2])),
        confidence={"type": "number", "minimum": 0, "maximum": 1},
    ),
    "get_stats": tool("GET /memory/stats", "Count memories, of a user or of all.", "", **USER),
    "get_usage": tool("GET /usage", "Count what the key did.", ""),
}  # fmt: skip

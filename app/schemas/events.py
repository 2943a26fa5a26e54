"""Events on the wire."""

import re
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from app.events import EVENTS
from app.schemas.common import Id, Moment, Schema, Text
from app.schemas.memories import one_of

# What events are about, as `data.object` names it.
NOUNS = ("memory", "entity", "session", "decision", "pattern", "project", "agent", "key", "webhook")
MOST = 1_000
CURSOR = "^[0-9]{1,15}$"


def check_cursor(text: str) -> None:
    """Refuse what is no number of an event.

    Raises:
        ValidationError: says what it must be.
    """
    if not re.fullmatch(CURSOR, text, re.ASCII):
        raise ma.ValidationError("must be a `next_cursor`, or the `id` of a stream's event")


class Types(fields.List[Any]):
    """Names of events, repeated or separated by commas."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if isinstance(value, list):
            value = [part.strip() for each in value for part in str(each).split(",") if part.strip()]
        return super()._deserialize(value, attr, data, **kwargs)


class EventArgs(Schema):
    """Which events, and from where on."""

    cursor = Text(
        validate=[check_cursor],
        metadata={
            "description": "`next_cursor` of an earlier page, or the `number` of an event: what follows it.",
            "example": "1041",
            "pattern": CURSOR,
        },
    )
    since = Moment(metadata={"description": "Begin at the first event of this time or later; beside no `cursor`."})
    start = Text(
        data_key="from",
        validate=[one_of(("oldest", "now"))],
        metadata={
            "description": "Where to begin without `cursor` and `since`: `oldest` that is kept, or `now`. Pages begin "
            "at `oldest` unless told otherwise, a stream `now`.",
            "example": "now",
        },
    )
    types = Types(
        Text(validate=[validate.OneOf(list(EVENTS), error="is no event; docs/webhooks.md lists them")]),
        validate=validate.Length(max=100, error="must name at most {max} events"),
        metadata={"description": "Only these, repeated or with commas between.", "example": ["memory.created"]},
    )
    object = Text(
        validate=[one_of(NOUNS)],
        metadata={"description": "Only events of this kind of thing, as `data.object` names it.", "example": "memory"},
    )
    object_id = Id(metadata={"description": "Only events of this one thing, as `data.id` names it."})
    agent_id = Id(metadata={"description": "Only events of this agent, and of what names it as its agent."})
    limit = fields.Integer(
        load_default=100, validate=validate.Range(1, MOST, error="must lie between {min} and {max}"),
        metadata={"description": "Events on a page; a stream has no pages.", "example": 100},
    )  # fmt: skip


class EventOut(ma.Schema):
    """Something that happened: the same as in the body of a webhook and in the data of the stream."""

    object = fields.Constant("event", metadata={"description": "Always `event`."})
    id = fields.String(metadata={"description": "UUID; repeats are recognised by it.", "format": "uuid"})
    type = fields.String(metadata={"description": "Name of the event.", "example": "memory.created"})
    schema_version = fields.Integer(metadata={"description": "Form of `data`; it only grows within one.", "example": 1})
    number = fields.Integer(
        allow_none=True, metadata={"description": "Place among the tenant's events, rising by 1.", "example": 1042}
    )
    created_at = fields.String(metadata={"description": "When it happened.", "example": "2026-03-20T08:11:00Z"})
    data = fields.Dict(
        metadata={
            "description": "`object` and `id` of what changed, and ids and names of fields beside: never a text.",
            "example": {"object": "memory", "id": "3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90", "changed": ["content"]},
        }
    )


class EventList(ma.Schema):
    """Events, oldest first."""

    object = fields.Constant("list", metadata={"description": "Always `list`."})
    data = fields.List(fields.Nested(EventOut), metadata={"description": "The events of this page; may be empty."})
    has_more = fields.Boolean(metadata={"description": "Whether there is more to read now.", "example": False})
    next_cursor = fields.String(
        metadata={"description": "Send as `cursor` for what follows, now or later; never null.", "example": "1042"}
    )

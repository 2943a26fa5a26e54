"""Agents on the wire."""

from html import unescape
from typing import Any

import marshmallow as ma
from marshmallow import ValidationError, fields

from app.ids import is_uuid
from app.schemas.common import IsoTime, Metadata, Schema, Text


class Name(Text):
    """A name, 1 to 255 characters. Some clients HTML-escape names before sending: `R&amp;D` means `R&D`."""

    def __init__(self, longest: int = 255, **kwargs: Any) -> None:
        super().__init__(longest, blank=False, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return super()._deserialize(unescape(value) if isinstance(value, str) else value, attr, data, **kwargs).strip()


class NewName(Name):
    """A name to give. It must not look like an id: what names an agent is read as an id first."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=[not_an_id], **kwargs)


def not_an_id(name: str) -> None:
    """Refuse a name that is a UUID.

    Raises:
        ValidationError: it is one.
    """
    if is_uuid(name):
        raise ValidationError("must not be a UUID; choose a name, Loci gives the id")


class AgentOut(ma.Schema):
    """An agent: a named namespace for memories."""

    object = fields.Constant("agent", metadata={"description": "Always `agent`."})
    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    name = fields.String(metadata={"description": "Unique in the tenant.", "example": "release-helper"})
    description = fields.String(
        allow_none=True,
        metadata={
            "description": "What the agent is for.",
            "example": "Keeps the release notes and remembers who decided what",
        },
    )
    config = fields.Dict(metadata={"description": "Reserved; always empty.", "example": {}}, dump_default=dict)
    metadata = fields.Dict(metadata={"description": "The client's own JSON object."})
    memory_count = fields.Integer(metadata={"description": "Memories it recorded.", "example": 17})
    session_count = fields.Integer(metadata={"description": "Sessions it started.", "example": 3})
    project_count = fields.Integer(metadata={"description": "Projects its memories belong to.", "example": 1})
    last_active_at = IsoTime(allow_none=True, metadata={"description": "When it last stored a memory."})
    created_at = IsoTime(metadata={"description": "When it was created."})
    updated_at = IsoTime(metadata={"description": "When it was last changed."})


class AgentCreate(Schema):
    """A new agent. An `id` sent by old clients is ignored."""

    name = NewName(required=True, metadata={"description": "Unique in the tenant.", "example": "release-helper"})
    description = Text(
        1000,
        load_default=None,
        metadata={
            "description": "What the agent is for.",
            "example": "Keeps the release notes and remembers who decided what",
        },
    )
    metadata = Metadata(load_default=dict, metadata={"description": "At most 10 KB.", "example": {"team": "platform"}})


class AgentUpdate(Schema):
    """Changes to an agent; absent and null fields stay as they are."""

    name = NewName(metadata={"description": "Unique in the tenant.", "example": "release-helper"})
    description = Text(
        1000,
        metadata={
            "description": "What the agent is for.",
            "example": "Keeps the release notes and remembers who decided what",
        },
    )
    metadata = Metadata(metadata={"description": "Merged key by key; a null value removes its key."})


class AgentStatsData(ma.Schema):
    """The part of the statistics that older clients read."""

    total_memories = fields.Integer(metadata={"description": "Memories it recorded.", "example": 256})
    last_updated = IsoTime(allow_none=True, metadata={"description": "When one of them last changed."})


class AgentStatsOut(ma.Schema):
    """What an agent holds; `data` repeats the counts for older clients."""

    data = fields.Nested(AgentStatsData, metadata={"description": "The same, nested.", "deprecated": True})
    memory_count = fields.Integer(metadata={"description": "Memories it recorded.", "example": 256})
    entity_count = fields.Integer(metadata={"description": "Entities they mention.", "example": 40})
    session_count = fields.Integer(metadata={"description": "Sessions it started.", "example": 3})
    project_count = fields.Integer(metadata={"description": "Projects its memories belong to.", "example": 1})

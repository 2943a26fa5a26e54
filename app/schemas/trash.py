"""The trash on the wire."""

import marshmallow as ma
from marshmallow import fields

from app.pagination import PageArgs
from app.schemas.common import Id, IsoTime, Text
from app.schemas.memories import one_of

NOUNS = ("memory", "entity", "session", "decision", "pattern", "project", "agent")


class TrashedOut(ma.Schema):
    """Something that was deleted and can be restored."""

    object = fields.Constant("trashed", metadata={"description": "Always `trashed`."})
    id = fields.String(metadata={"description": "UUID, the same as before.", "format": "uuid"})
    noun = fields.String(
        validate=one_of(NOUNS), metadata={"description": f"One of {', '.join(NOUNS)}.", "example": "memory"}
    )
    name = fields.String(
        metadata={"description": "Its name or first words.", "example": "Deploys of billing happen on Tuesdays"}
    )
    deleted_with = fields.String(
        allow_none=True,
        metadata={"description": "What was deleted and took it along.", "format": "uuid"},
    )
    deleted_at = IsoTime(attribute="created_at", metadata={"description": "When it was deleted."})
    expires_at = IsoTime(metadata={"description": "Until when it can be restored."})


class TrashArgs(PageArgs):
    """Query arguments of the list."""

    noun = Text(validate=[one_of(NOUNS)], metadata={"description": "Only things of this kind."})
    deleted_with = Id(metadata={"description": "Only what was deleted along with this."})

"""Exports and imports on the wire."""

import marshmallow as ma
from marshmallow import fields

from app.schemas.common import IsoTime, Schema, Text
from app.schemas.jobs import STATES
from app.schemas.memories import one_of

LONGEST_MARK = 4_000


class ExportArgs(Schema):
    """Query arguments of an export."""

    vectors = fields.Boolean(
        load_default=False,
        metadata={"description": "Whether vectors travel: larger, and imported without the model.", "example": False},
    )
    after = Text(
        LONGEST_MARK,
        metadata={
            "description": "The last mark of an export that was cut off: it goes on there. Cut what came after it.",
            "example": "WyJ0MWYyIiwiIiwibm9kZXMiXQ",
        },
    )


class ImportResult(ma.Schema):
    """What became of a file."""

    made = fields.Dict(
        keys=fields.String(), values=fields.Integer(),
        metadata={"description": "Nodes that were written, by label.", "example": {"Memory": 120, "Entity": 48}},
    )  # fmt: skip
    known = fields.Dict(
        keys=fields.String(), values=fields.Integer(),
        metadata={"description": "Nodes that were there, by label.", "example": {"Agent": 1}},
    )  # fmt: skip
    embedded = fields.Integer(metadata={"description": "Texts whose vectors were made here.", "example": 0})
    relationships = fields.Integer(
        metadata={"description": "Relationships that are there now, both ends found.", "example": 610}
    )
    without_an_end = fields.Integer(
        metadata={"description": "Relationships left out because an end is missing.", "example": 0}
    )


class ImportFault(ma.Schema):
    """What a file was refused for."""

    line = fields.Integer(
        allow_none=True, metadata={"description": "Line, from 1; null: the file as a whole.", "example": 812}
    )
    field = fields.String(metadata={"description": "Path in the line.", "example": "props.content"})
    message = fields.String(
        metadata={"description": "What is wrong, and the remedy.", "example": "must not contain a NUL character"}
    )


class ImportOut(ma.Schema):
    """An import, as a job in the background."""

    object = fields.Constant("import", metadata={"description": "Always `import`."})
    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    state = fields.String(
        validate=one_of(STATES), metadata={"description": f"One of {', '.join(STATES)}.", "example": "running"}
    )
    bytes = fields.Integer(metadata={"description": "Size of the file.", "example": 734003})
    lines = fields.Integer(metadata={"description": "Lines of the file.", "example": 812})
    done = fields.Integer(metadata={"description": "Lines that were gone through.", "example": 406})
    result = fields.Nested(
        ImportResult, allow_none=True, metadata={"description": "What became of it; null before it is done."}
    )
    fault = fields.Nested(
        ImportFault, allow_none=True, metadata={"description": "What it was refused for; null where it was not."}
    )
    error = fields.String(allow_none=True, metadata={"description": "What went wrong the last time.", "example": None})
    created_at = IsoTime(metadata={"description": "When the file was taken in."})
    updated_at = IsoTime(metadata={"description": "When it last went on."})
    started_at = IsoTime(allow_none=True, metadata={"description": "When it was first begun."})
    finished_at = IsoTime(allow_none=True, metadata={"description": "When it was over."})

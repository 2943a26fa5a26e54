"""Blocks of a context, on the wire."""

import marshmallow as ma
from marshmallow import fields, validate

from app.schemas.common import IsoTime

KINDS = ("memories", "decision", "entities")


class BlockOut(ma.Schema):
    """One block of a context: memories of a session and a day, a decision in force, or the names in the memories."""

    kind = fields.String(
        validate=validate.OneOf(KINDS), metadata={"description": f"One of {', '.join(KINDS)}.", "example": "memories"}
    )
    session_id = fields.String(allow_none=True, metadata={"description": "Session of the memories.", "format": "uuid"})
    decision_id = fields.String(allow_none=True, metadata={"description": "The decision.", "format": "uuid"})
    since = IsoTime(data_key="from", allow_none=True, metadata={"description": "When the first of it took place."})
    until = IsoTime(data_key="to", allow_none=True, metadata={"description": "When the last of it took place."})
    memory_ids = fields.List(
        fields.String(metadata={"format": "uuid"}),
        metadata={"description": "What it rests on, in the order of its lines; a decision may rest on none."},
    )
    text = fields.String(
        allow_none=True,
        metadata={
            "description": "Ready for a prompt; null where the answer has the texts already.",
            "example": '2026-03-03, session "Moving house":\n- Billing runs on PostgreSQL now',
        },
    )
    tokens = fields.Integer(metadata={"description": "The text in tokens of four characters.", "example": 96})

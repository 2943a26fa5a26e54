"""The asynchronous store on the wire."""

import marshmallow as ma
from marshmallow import fields

from app.schemas.common import IsoTime, Text
from app.schemas.memories import MemoryCreate, one_of

STATUSES = ("pending", "processing", "ready", "failed")


class MemoryAccept(MemoryCreate):
    """A new memory, to be completed in the background."""

    webhook_url = Text(
        2048,
        metadata={
            "description": "Called when it is ready or has failed; https.",
            "format": "uri",
            "example": "https://hooks.example.com/loci",
        },
    )


class MemoryAcceptedOut(ma.Schema):
    """A memory that was accepted: it can be read at once, and found once it is ready."""

    id = fields.String(metadata={"description": "UUID of the memory.", "format": "uuid"})
    status = fields.String(
        validate=one_of(STATUSES), metadata={"description": f"One of {', '.join(STATUSES)}.", "example": "pending"}
    )
    job_id = fields.String(allow_none=True, metadata={"description": "The job behind it.", "example": "arq:9f2c1b"})
    estimated_completion_seconds = fields.Integer(metadata={"description": "About how long.", "example": 1})
    is_duplicate = fields.Boolean(metadata={"description": "Whether `deduplicate` met the same text."})


class MemoryStatusOut(ma.Schema):
    """How far a memory is."""

    id = fields.String(metadata={"description": "UUID of the memory.", "format": "uuid"})
    status = fields.String(
        validate=one_of(STATUSES), metadata={"description": f"One of {', '.join(STATUSES)}.", "example": "ready"}
    )
    created_at = IsoTime(metadata={"description": "When it was accepted."})
    updated_at = IsoTime(metadata={"description": "When it was last changed."})
    error = fields.String(allow_none=True, metadata={"description": "Why it failed.", "example": None})

"""Erasures on the wire."""

from typing import Any

import marshmallow as ma
from marshmallow import ValidationError, fields

from app.schemas.common import Id, IsoTime, Schema, Text
from app.schemas.memories import one_of

STATES = ("dry_run", "running", "done")
KINDS = ("memory", "user", "agent", "session", "project", "tenant")
COUNTS = {"memories": 12, "versions": 3, "vectors": 19, "links": 40}


class ErasureIn(Schema):
    """What to erase: exactly one of these."""

    memory_id = Id(metadata={"description": "One memory."})
    user_id = Text(255, blank=False, metadata={"description": "All memories of one end user."})
    agent_id = Id(metadata={"description": "An agent with its memories, its decisions and the sessions it started."})
    session_id = Id(metadata={"description": "A session with its memories and decisions."})
    project = Text(
        100, blank=False,
        metadata={"description": "A project, by slug or UUID, with its memories, decisions, patterns and sessions."},
    )  # fmt: skip
    tenant = fields.Boolean(metadata={"description": "Everything but keys, usage and audit trail. Needs `admin`."})
    dry_run = fields.Boolean(
        load_default=True, metadata={"description": "Only count what would go. Send false to erase."}
    )

    @ma.validates_schema
    def names_one_thing(self, data: dict[str, Any], **_: Any) -> None:
        named = [name for name, value in data.items() if name != "dry_run" and value]
        if len(named) != 1:
            raise ValidationError(
                "name exactly one of memory_id, user_id, agent_id, session_id, project, tenant", "memory_id"
            )


class ErasureOut(ma.Schema):
    """An erasure, and its receipt once it is done. It holds ids, counts and times, never content."""

    object = fields.Constant("erasure", metadata={"description": "Always `erasure`."})
    id = fields.String(allow_none=True, metadata={"description": "UUID; null for a dry run.", "format": "uuid"})
    state = fields.String(
        validate=one_of(STATES), metadata={"description": f"One of {', '.join(STATES)}.", "example": "done"}
    )
    by = fields.String(
        validate=one_of(KINDS), metadata={"description": f"One of {', '.join(KINDS)}.", "example": "agent"}
    )
    subject = fields.String(
        attribute="named",
        metadata={
            "description": "Its id; of a user the SHA-256 of the id.",
            "example": "3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90",
        },
    )
    removed = fields.Dict(
        keys=fields.String(), values=fields.Integer(),
        metadata={"description": "How much went of each kind; of a dry run how much would go.", "example": COUNTS},
    )  # fmt: skip
    remaining = fields.Dict(
        keys=fields.String(), values=fields.Integer(),
        metadata={"description": "What another count found afterwards, by kind.", "example": {"memories": 0}},
    )  # fmt: skip
    receipt = fields.String(
        allow_none=True,
        metadata={"description": "The text that is signed: JSON of all this.", "example": '{"by":"agent"}'},
    )
    signature = fields.String(
        allow_none=True, metadata={"description": "Ed25519 over the receipt's UTF-8 bytes, base64.", "example": "c2ln"}
    )
    public_key = fields.String(
        allow_none=True, metadata={"description": "The server's Ed25519 key, base64.", "example": "a2V5"}
    )
    created_at = IsoTime(metadata={"description": "When it was asked for."})
    finished_at = IsoTime(allow_none=True, metadata={"description": "When it was done."})


class ReceiptIn(Schema):
    """A receipt to check."""

    receipt = Text(
        20_000, required=True, blank=False, metadata={"description": "As it was given.", "example": '{"by":"agent"}'}
    )
    signature = Text(200, required=True, blank=False, metadata={"description": "As it was given.", "example": "c2ln"})


class ReceiptOut(ma.Schema):
    """Whether a receipt is this server's."""

    valid = fields.Boolean(metadata={"description": "Whether this server signed exactly this text.", "example": True})

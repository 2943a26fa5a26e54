"""Sessions on the wire."""

import marshmallow as ma
from marshmallow import fields

from app.schemas.agents import Name
from app.schemas.common import IsoTime, Metadata, Schema, Text
from app.schemas.decisions import STATUSES as DECISION_STATUSES
from app.schemas.memories import MemoryOut, one_of
from app.schemas.moments import AsOfArgs

STATUSES = ("active", "ended")
KINDS = ("started", "memory", "decision", "ended")
METHODS = ("extractive", "llm")


class SessionOut(ma.Schema):
    """A session: memories that belong together in time."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    agent_id = fields.String(
        allow_none=True, metadata={"description": "UUID of the agent that started it.", "format": "uuid"}
    )
    external_id = fields.String(
        allow_none=True, metadata={"description": "The client's own key, unique in the tenant."}
    )
    project = fields.String(allow_none=True, metadata={"description": "A plain label.", "example": "billing"})
    status = fields.String(
        validate=one_of(STATUSES), metadata={"description": "`active` or `ended`.", "example": "active"}
    )
    title = fields.String(
        allow_none=True, metadata={"description": "What it is about.", "example": "Move billing to PostgreSQL"}
    )
    summary = fields.String(
        allow_none=True, metadata={"description": "What came of it: as given, else as last generated."}
    )
    metadata = fields.Dict(metadata={"description": "The client's own JSON object."})
    memory_count = fields.Integer(metadata={"description": "Memories in it.", "example": 12})
    started_at = IsoTime(metadata={"description": "When it began."})
    ended_at = IsoTime(allow_none=True, metadata={"description": "When it ended.", "example": None})
    created_at = IsoTime(metadata={"description": "When it was created."})
    updated_at = IsoTime(metadata={"description": "When it last changed, new memories included."})


class SessionFoundOut(SessionOut):
    """A session, and whether this call created it."""

    created = fields.Boolean(metadata={"description": "Whether it is new.", "example": True})


class SessionWithMemoriesOut(SessionOut):
    """A session, with its memories where asked for."""

    memories = fields.List(
        fields.Nested(MemoryOut), metadata={"description": "In writing order; up to 1,000.", "sometimes": True}
    )


class SessionCreate(Schema):
    """A new session; every field is optional."""

    agent_id = Name(metadata={"description": "Agent UUID or name, created on first use.", "example": "iris"})
    external_id = Text(
        255, blank=False, metadata={"description": "The client's own key.", "example": "repo:billing:2026-03-20"}
    )
    project = Text(255, metadata={"description": "A plain label.", "example": "billing"})
    title = Text(500, metadata={"description": "What it is about.", "example": "Move billing to PostgreSQL"})
    metadata = Metadata(load_default=dict, metadata={"description": "At most 10 KB."})


class SessionFind(SessionCreate):
    """The session with this key; created when there is none, returned unchanged otherwise."""

    external_id = Text(
        255, blank=False, required=True,
        metadata={"description": "The client's own key.", "example": "repo:billing:2026-03-20"},
    )  # fmt: skip


class SessionFilter(Schema):
    """Query arguments of the list."""

    agent_id = Name(metadata={"description": "Agent UUID or name."})
    project = Text(255, metadata={"description": "Label."})
    external_id = Text(255, metadata={"description": "The client's own key; at most one session has it."})
    status = Text(validate=[one_of(STATUSES)], metadata={"description": "`active` or `ended`."})


class SessionShow(AsOfArgs):
    """Query arguments of one session."""

    include_memories = fields.Boolean(load_default=False, metadata={"description": "Add its memories."})


class SessionEnd(Schema):
    """How it ended."""

    summary = Text(50_000, metadata={"description": "What came of it."})


class SessionUpdate(Schema):
    """Changes to a session; absent and null fields stay as they are."""

    title = Text(500, metadata={"description": "What it is about.", "example": "Move billing to PostgreSQL"})
    project = Text(255, metadata={"description": "A plain label.", "example": "billing"})
    summary = Text(50_000, metadata={"description": "What came of it."})
    metadata = Metadata(metadata={"description": "Merged key by key; a null value removes its key."})


class SessionDelete(Schema):
    """Query arguments of DELETE."""

    memories = Text(
        load_default="keep", validate=[one_of(("keep", "delete"))],
        metadata={"description": "`keep`: they stay, in no session. `delete`: they go with it."},
    )  # fmt: skip


class MadeDecisionOut(ma.Schema):
    """A decision on a timeline."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    title = fields.String(metadata={"description": "What was decided.", "example": "Keep the queue in the database"})
    rationale = fields.String(metadata={"description": "Why."})
    status = fields.String(
        validate=one_of(DECISION_STATUSES), metadata={"description": "Its present status.", "example": "active"}
    )


class MomentOut(ma.Schema):
    """One thing that happened in a session."""

    at = IsoTime(metadata={"description": "When."})
    kind = fields.String(
        validate=one_of(KINDS), metadata={"description": f"One of {', '.join(KINDS)}.", "example": "memory"}
    )
    memory = fields.Nested(MemoryOut, metadata={"description": "The memory that was stored.", "sometimes": True})
    decision = fields.Nested(
        MadeDecisionOut, metadata={"description": "The decision that was made.", "sometimes": True}
    )


class SummaryOut(ma.Schema):
    """A summary made of a session's memories; confidential and archived ones are left out."""

    session_id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    summary = fields.String(metadata={"description": "Empty while there is nothing to tell."})
    memory_count = fields.Integer(metadata={"description": "Memories in the session at that time.", "example": 12})
    generated_at = IsoTime(metadata={"description": "When it was made."})
    method = fields.String(
        validate=one_of(METHODS), metadata={"description": f"{' or '.join(f'`{way}`' for way in METHODS)}."}
    )

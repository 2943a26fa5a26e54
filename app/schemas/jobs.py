"""Jobs on the wire."""

import marshmallow as ma
from marshmallow import fields

from app.schemas.common import IsoTime, Schema, Text
from app.schemas.memories import one_of

STATES = ("queued", "running", "done", "failed", "cancelled")
KINDS = ("embed", "extract", "windows", "import")


class JobOut(ma.Schema):
    """A piece of work that a worker does."""

    object = fields.Constant("job", metadata={"description": "Always `job`."})
    id = fields.String(metadata={"description": "As `job_id` of the store says it.", "example": "arq:9f2c1b"})
    kind = fields.String(
        validate=one_of(KINDS), metadata={"description": f"One of {', '.join(KINDS)}.", "example": "embed"}
    )
    state = fields.String(
        validate=one_of(STATES), metadata={"description": f"One of {', '.join(STATES)}.", "example": "done"}
    )
    memory_id = fields.String(
        allow_none=True, metadata={"description": "UUID of its memory, while that exists.", "format": "uuid"}
    )
    attempts = fields.Integer(metadata={"description": "How often it was begun.", "example": 1})
    max_attempts = fields.Integer(metadata={"description": "How often it is tried at most.", "example": 6})
    error = fields.String(allow_none=True, metadata={"description": "What went wrong the last time.", "example": None})
    run_at = IsoTime(allow_none=True, metadata={"description": "When it is due; null: it is over.", "example": None})
    created_at = IsoTime(metadata={"description": "When it was made."})
    updated_at = IsoTime(metadata={"description": "When it last changed."})
    started_at = IsoTime(allow_none=True, metadata={"description": "When it was first begun."})
    finished_at = IsoTime(allow_none=True, metadata={"description": "When it was over."})


class JobFilter(Schema):
    """Query arguments of the list."""

    state = Text(validate=[one_of(STATES)], metadata={"description": "Only jobs in this state."})
    kind = Text(validate=[one_of(KINDS)], metadata={"description": "Only jobs of this kind."})


class JobCountArgs(Schema):
    """Which jobs are counted."""

    kind = Text(validate=[one_of(KINDS)], metadata={"description": "Only jobs of this kind."})


def counted(said: str) -> fields.Integer:
    """Return the field for a number of jobs."""
    return fields.Integer(metadata={"description": said, "example": 3})


class JobCountsOut(ma.Schema):
    """How many jobs there are in each state; those that are over are forgotten after a while."""

    object = fields.Constant("job_counts", metadata={"description": "Always `job_counts`."})
    queued = counted("Wait for their time.")
    running = counted("A worker has them, or had them when it died: then they are taken over within a minute.")
    done = counted("Are over.")
    failed = counted("Were given up.")
    cancelled = counted("Were cancelled, or their memory was deleted.")
    total = counted("All of these.")
    waiting_since = IsoTime(
        allow_none=True,
        metadata={"description": "When the oldest that is not over was made; null: none waits.", "example": None},
    )

"""Projects on the wire. Their links to one another: `app.schemas.project_links`."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from app.schemas.agents import Name
from app.schemas.blocks import BlockOut
from app.schemas.common import IsoTime, Metadata, Schema, Text
from app.schemas.memories import SLUG, TYPES, one_of
from app.schemas.moments import AsOfArgs
from app.schemas.sessions import STATUSES

LONGEST_SLUG = 100
WITH_MEMORIES = ("keep", "delete")


class Slug(Text):
    """A project's slug: lower-case letters, digits and hyphens, 1 to 100 characters."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(LONGEST_SLUG, validate=[SLUG], **kwargs)


class Stack(Metadata):
    """What a project is built with, a JSON object of at most 10 KB."""


class ProjectOut(ma.Schema):
    """A project."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    slug = fields.String(metadata={"description": "Its public key, unique in the tenant.", "example": "billing"})
    name = fields.String(metadata={"description": "What people call it.", "example": "Billing"})
    description = fields.String(
        allow_none=True, metadata={"description": "What it is for.", "example": "Invoices, payments and dunning"}
    )
    stack = fields.Dict(metadata={"description": "What it is built with.", "example": {"languages": ["python"]}})
    repo_url = fields.String(allow_none=True, metadata={"description": "Where its code lives."})
    metadata = fields.Dict(metadata={"description": "The client's own JSON object."})
    memory_count = fields.Integer(metadata={"description": "Memories in it.", "example": 42})
    created_at = IsoTime(metadata={"description": "When it was registered or first named."})
    updated_at = IsoTime(metadata={"description": "When it was last changed."})


class ProjectCreate(Schema):
    """A new project. One that a memory named first, and nobody registered, is completed."""

    name = Name(required=True, metadata={"description": "What people call it.", "example": "Billing"})
    slug = Slug(required=True, metadata={"description": "Its public key, unique in the tenant."})
    description = Text(
        5000,
        load_default=None,
        metadata={"description": "What it is for.", "example": "Invoices, payments and dunning"},
    )
    stack = Stack(load_default=dict, metadata={"description": "At most 10 KB.", "example": {"languages": ["python"]}})
    repo_url = Text(500, load_default=None, metadata={"description": "Where its code lives."})
    metadata = Metadata(load_default=dict, metadata={"description": "At most 10 KB."})


class ProjectUpdate(Schema):
    """Changes to a project; absent and null fields stay as they are."""

    name = Name(metadata={"description": "What people call it.", "example": "Billing"})
    slug = Slug(metadata={"description": "Must be the present one: a slug is a key that others keep."})
    description = Text(5000, metadata={"description": "What it is for.", "example": "Invoices, payments and dunning"})
    stack = Stack(metadata={"description": "Replaces the old one.", "example": {"languages": ["python"]}})
    repo_url = Text(500, metadata={"description": "Where its code lives."})
    metadata = Metadata(metadata={"description": "Merged key by key; a null value removes its key."})


class ProjectDelete(Schema):
    """Query arguments of DELETE."""

    memories = Text(
        load_default="keep", validate=[one_of(WITH_MEMORIES)],
        metadata={"description": "`keep`: they stay, in no project. `delete`: they go with it."},
    )  # fmt: skip


class ProjectContextArgs(AsOfArgs):
    """Query arguments of the context."""

    max_tokens = fields.Integer(
        load_default=3_000, validate=validate.Range(100, 128_000, error="must lie between {min} and {max}"),
        metadata={"description": "Tokens of four characters for the Markdown, and for all blocks.", "example": 3000},
    )  # fmt: skip
    block_texts = fields.Boolean(
        load_default=False, metadata={"description": "Repeat memories and decisions in `blocks`, ready for a prompt."}
    )


class HotMemoryOut(ma.Schema):
    """A memory in a project's context."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    content = fields.String(metadata={"description": "Its text, cut to 2,000 characters."})
    title = fields.String(
        allow_none=True, metadata={"description": "What it is about, when given.", "example": "Billing deploys"}
    )
    memory_type = fields.String(validate=one_of(TYPES), metadata={"description": "Kind of memory.", "example": "fact"})
    importance = fields.Float(metadata={"description": "0 to 1.", "example": 0.9})


class RecentDecisionOut(ma.Schema):
    """A decision in a project's context."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    title = fields.String(metadata={"description": "What was decided.", "example": "Keep the queue in the database"})
    rationale = fields.String(metadata={"description": "Why, cut to 2,000 characters."})
    status = fields.String(
        validate=one_of(("active",)), metadata={"description": "Always `active` here.", "example": "active"}
    )
    created_at = IsoTime(metadata={"description": "When it was recorded."})


class ActivePatternOut(ma.Schema):
    """A pattern in a project's context."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    title = fields.String(metadata={"description": "Its name.", "example": "Idempotent writers"})
    description = fields.String(
        metadata={
            "description": "What to do, cut to 2,000 characters.",
            "example": "Every write takes an idempotency key",
        }
    )
    category = fields.String(allow_none=True, metadata={"description": "Its category, when given."})
    adopted_at = IsoTime(allow_none=True, metadata={"description": "When the project adopted it."})


class RecentSessionOut(ma.Schema):
    """A session in a project's context."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    title = fields.String(
        allow_none=True, metadata={"description": "What it is about.", "example": "Move billing to PostgreSQL"}
    )
    status = fields.String(
        validate=one_of(STATUSES), metadata={"description": "`active` or `ended`.", "example": "ended"}
    )
    summary = fields.String(allow_none=True, metadata={"description": "What came of it, cut to 2,000 characters."})
    started_at = IsoTime(metadata={"description": "When it began."})
    ended_at = IsoTime(allow_none=True, metadata={"description": "When it ended."})


class ProjectContextOut(ma.Schema):
    """What to know before working on a project."""

    project = fields.Nested(ProjectOut, metadata={"description": "The project."})
    hot_memories = fields.List(
        fields.Nested(HotMemoryOut), metadata={"description": "Up to 10 of the hot tier, most important first."}
    )
    recent_decisions = fields.List(
        fields.Nested(RecentDecisionOut), metadata={"description": "Up to 10 active ones, newest first."}
    )
    active_patterns = fields.List(
        fields.Nested(ActivePatternOut), metadata={"description": "Up to 10 adopted ones, last adopted first."}
    )
    recent_sessions = fields.List(
        fields.Nested(RecentSessionOut), metadata={"description": "Up to 5 with the slug as label, newest first."}
    )
    formatted_context = fields.String(
        metadata={"description": "All of it as Markdown, at most 12,000 characters.", "example": "## Billing\n..."}
    )
    blocks = fields.List(
        fields.Nested(BlockOut),
        metadata={"description": "Hot memories by session and day, then decisions in force, then names."},
    )

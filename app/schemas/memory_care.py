"""What is done to many memories at once: maintenance, bulk deletion, counting, extraction still to do."""

from typing import Any

import marshmallow as ma
from marshmallow import ValidationError, fields, validate

from app.schemas.agents import Name
from app.schemas.common import Fraction, Id, IsoTime, Moment, Schema, Text
from app.schemas.memories import TIERS, TYPES, VISIBILITIES, one_of

ACTIONS = ("demote_cold",)


class MaintenanceIn(Schema):
    """What to do."""

    action = Text(required=True, validate=[one_of(ACTIONS)], metadata={"description": "`demote_cold`."})


class MaintenanceOut(ma.Schema):
    """What was done."""

    action = fields.String(validate=one_of(ACTIONS), metadata={"description": "As sent.", "example": "demote_cold"})
    demoted_count = fields.Integer(metadata={"description": "Warm memories that became cold.", "example": 12})
    archived_count = fields.Integer(metadata={"description": "Cold memories that were archived.", "example": 3})
    has_more = fields.Boolean(metadata={"description": "Whether time ran out: call again."})


class BulkDeleteIn(Schema):
    """Which memories to delete: all that meet every condition, archived, superseded and confidential ones included."""

    ids = fields.List(
        Id(), validate=validate.Length(1, 1000, error="must hold between {min} and {max} ids"),
        metadata={"description": "These memories, and no other condition."},
    )  # fmt: skip
    agent_id = Name(metadata={"description": "Agent UUID or name."})
    user_id = Text(255, blank=False, metadata={"description": "End user."})
    session_id = Id(metadata={"description": "Session UUID."})
    project = Text(100, blank=False, metadata={"description": "Project slug."})
    project_id = Id(metadata={"description": "Project UUID; wins over `project`."})
    memory_type = Text(validate=[one_of(TYPES)], metadata={"description": "Kind of memory."})
    type = Text(validate=[one_of(TYPES)], metadata={"description": "Same as `memory_type`.", "deprecated": True})
    tier = Text(validate=[one_of(TIERS)], metadata={"description": "Tier."})
    visibility = Text(validate=[one_of(VISIBILITIES)], metadata={"description": "Visibility."})
    min_importance = Fraction(metadata={"description": "Only these and more important ones.", "example": 0.5})
    include_archived = fields.Boolean(metadata={"description": "False: no archived ones."})
    archived_only = fields.Boolean(metadata={"description": "True: archived ones alone."})
    archived = fields.Boolean(
        metadata={"description": "True: `archived_only`; false: no `include_archived`.", "deprecated": True}
    )
    created_after = Moment(metadata={"description": "Stored at this time or later."})
    created_before = Moment(metadata={"description": "Stored before this time."})
    occurred_after = Moment(metadata={"description": "Tells of something at this time or later."})
    occurred_before = Moment(metadata={"description": "Tells of something before this time."})
    metadata_filter = fields.Dict(metadata={"description": "Conditions on the metadata, as in a search."})
    all = fields.Boolean(metadata={"description": "Every memory: needed when no condition is given."})
    dry_run = fields.Boolean(load_default=False, metadata={"description": "Only count what would go."})

    @ma.validates_schema
    def names_something(self, data: dict[str, Any], **_: Any) -> None:
        said = _archived(data)
        if len(said) > 1:
            raise ValidationError("send either `archived_only: true` or `include_archived: false`", "archived_only")
        conditions = data.keys() - {"dry_run", "all", "include_archived", "archived_only"} | (
            {"archived"} if said else set()
        )
        if not conditions and not data.get("all"):
            raise ValidationError("name at least one condition, or send `all: true`", "all")
        if data.get("all") and conditions:
            raise ValidationError("send conditions or `all: true`, not both", "all")
        if "ids" in data and conditions != {"ids"}:
            raise ValidationError("send `ids` or other conditions, not both", "ids")
        if "metadata_filter" in data and not data["metadata_filter"]:
            raise ValidationError("must hold a condition", "metadata_filter")

    @ma.post_load
    def one_spelling(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        said = _archived(data)
        return data | {"archived": True in said} if said else data


def _archived(data: dict[str, Any]) -> set[bool]:
    """Return what is asked for: {True} for archived memories alone, {False} for none of them, nothing for both."""
    said = {data["archived"]} if "archived" in data else set()
    alone = {True} if data.get("archived_only") else set()
    none = {False} if data.get("include_archived") is False else set()
    return said | alone | none


class BulkDeleteOut(ma.Schema):
    """What became of a bulk deletion."""

    object = fields.Constant("bulk_delete", metadata={"description": "Always `bulk_delete`."})
    dry_run = fields.Boolean(metadata={"description": "Whether nothing was deleted."})
    matched = fields.Integer(metadata={"description": "Memories that met the conditions.", "example": 40})
    deleted = fields.Integer(metadata={"description": "Memories that are gone now.", "example": 40})
    has_more = fields.Boolean(metadata={"description": "Whether time ran out: call again."})


class CountedAgentOut(ma.Schema):
    """An agent and its count."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    name = fields.String(metadata={"description": "Its name.", "example": "iris"})
    count = fields.Integer(metadata={"description": "Memories it recorded.", "example": 17})


class CountedProjectOut(ma.Schema):
    """A project and its count."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    slug = fields.String(metadata={"description": "Its slug.", "example": "billing-api"})
    name = fields.String(allow_none=True, metadata={"description": "Its name."})
    count = fields.Integer(metadata={"description": "Memories in it.", "example": 17})


class MemoryStatsOut(ma.Schema):
    """Counts of all memories, archived and superseded ones included."""

    object = fields.Constant("memory_stats", metadata={"description": "Always `memory_stats`."})
    total = fields.Integer(metadata={"description": "All memories.", "example": 256})
    archived = fields.Integer(metadata={"description": "Archived ones.", "example": 4})
    last_1_days = fields.Integer(metadata={"description": "Stored in the last day.", "example": 9})
    last_7_days = fields.Integer(metadata={"description": "Stored in the last seven days.", "example": 40})
    last_30_days = fields.Integer(metadata={"description": "Stored in the last thirty days.", "example": 120})
    oldest_at = IsoTime(allow_none=True, metadata={"description": "When the first was stored."})
    newest_at = IsoTime(allow_none=True, metadata={"description": "When the last was stored."})
    by_tier = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "Count by tier.", "example": {"hot": 12, "warm": 230, "cold": 14}},
    )
    by_type = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "Count by kind.", "example": {"fact": 180, "event": 76}},
    )
    by_extraction = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata={"description": "Count by the way names were found.", "example": {"rules": 251, "none": 5}},
    )
    by_agent = fields.List(fields.Nested(CountedAgentOut), metadata={"description": "The 50 with most memories."})
    by_project = fields.List(fields.Nested(CountedProjectOut), metadata={"description": "The 50 with most memories."})


class BackfillArgs(Schema):
    """Query arguments of the backfill."""

    limit = fields.Integer(
        load_default=100, validate=validate.Range(1, 500, error="must lie between {min} and {max}"),
        metadata={"description": "Most memories to queue.", "example": 100},
    )  # fmt: skip
    agent_id = Name(metadata={"description": "Agent UUID or name; all agents when absent."})


class BackfillOut(ma.Schema):
    """What was queued."""

    status = fields.String(
        validate=one_of(("queued", "nothing_to_do")),
        metadata={"description": "`queued`, or `nothing_to_do`.", "example": "queued"},
    )
    queued = fields.Integer(metadata={"description": "Memories whose names will be found soon.", "example": 12})

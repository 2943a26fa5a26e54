"""Memories on the wire."""

from typing import Any

import marshmallow as ma
import orjson
from marshmallow import ValidationError, fields, validate

from app.schemas.agents import Name
from app.schemas.common import (
    DEEPEST,
    METADATA_BYTES,
    Fraction,
    Future,
    Id,
    IsoTime,
    Metadata,
    Moment,
    Schema,
    Text,
    UnixTime,
    check_json,
)

TYPES = ("fact", "event", "insight", "task", "preference", "entity_reference", "system")
TIERS = ("hot", "warm", "cold")
VISIBILITIES = ("private", "confidential")
LONGEST = 50_000
# Other APIs take more.
LONGEST_KEPT = 100_000
SLUG = validate.Regexp(
    # `(?!\n)`: to Python, `$` also matches before a final line feed; \Z is unknown to readers of the API document.
    # Two names are routes below /v1/projects, so that a project could not be reached under them.
    r"^(?!(?:impact-analysis|shared-patterns)$)[a-z0-9][a-z0-9-]*$(?!\n)",
    error="must be a slug: lower-case letters, digits and hyphens, such as `billing-api`; "
    "`impact-analysis` and `shared-patterns` are taken by routes",
)


def one_of(values: tuple[str, ...]) -> validate.OneOf:
    """Return a check whose message names the choices."""
    return validate.OneOf(values, error="must be one of: {choices}")


class JsonObject(Text):
    """A JSON object inside a query argument."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(METADATA_BYTES, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        # Checks run on the object that this returns, so the text's own length is checked here.
        if len(text) > METADATA_BYTES:
            raise ValidationError(f"must be at most {METADATA_BYTES} characters long")
        try:
            found = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise ValidationError('must be a JSON object such as {"source": "runbook"}') from error
        if not isinstance(found, dict):
            raise ValidationError('must be a JSON object such as {"source": "runbook"}')
        check_json(found, DEEPEST)
        return found


class MentionOut(ma.Schema):
    """A name found in a memory."""

    type = fields.String(metadata={"description": "Kind of entity.", "example": "project"})
    value = fields.String(metadata={"description": "The name.", "example": "Billing Service"})
    confidence = fields.Float(metadata={"description": "0 to 1.", "example": 0.9})


class MemoryOut(ma.Schema):
    """A memory."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    object = fields.Constant("memory", metadata={"description": "Always `memory`."})
    content = fields.String(metadata={"description": "The text, exactly as stored."})
    title = fields.String(
        allow_none=True, metadata={"description": "What the memory is about, when given.", "example": "Billing deploys"}
    )
    agent_id = fields.String(metadata={"description": "UUID of the agent.", "format": "uuid"})
    user_id = fields.String(allow_none=True, metadata={"description": "End user it belongs to."})
    session_id = fields.String(allow_none=True, metadata={"description": "UUID of its session.", "format": "uuid"})
    project_id = fields.String(allow_none=True, metadata={"description": "UUID of its project.", "format": "uuid"})
    metadata = fields.Dict(metadata={"description": "The client's own JSON object, `{}` when there is none."})
    entities = fields.List(fields.Nested(MentionOut), metadata={"description": "Names found in it, surest first."})
    memory_type = fields.String(
        validate=one_of(TYPES), metadata={"description": f"One of {', '.join(TYPES)}.", "example": "fact"}
    )
    extraction_model = fields.String(allow_none=True, metadata={"description": "Model that found the names."})
    extraction_method = fields.String(
        allow_none=True, metadata={"description": "`rules`, `llm` or `byok`.", "example": "rules"}
    )
    extraction_status = fields.String(
        allow_none=True,
        validate=one_of(("pending", "ready", "failed")),
        metadata={"description": "`pending`, `ready` once it can be searched, or `failed`.", "example": "ready"},
    )
    visibility = fields.String(
        validate=one_of(VISIBILITIES), metadata={"description": "`private` or `confidential`.", "example": "private"}
    )
    salience_score = fields.Float(
        allow_none=True, metadata={"description": "0 to 1, computed by the server.", "example": 0.62}
    )
    importance = fields.Float(metadata={"description": "0 to 1.", "example": 0.5})
    tier = fields.String(
        validate=one_of(TIERS), metadata={"description": "`hot`, `warm` or `cold`.", "example": "warm"}
    )
    is_duplicate = fields.Boolean(metadata={"description": "Whether storing met an equal memory and returned it."})
    embedding = fields.List(
        fields.Float(),
        metadata={"description": "The vector, when asked for.", "example": [0.031, -0.118, 0.067], "sometimes": True},
    )
    archived_at = UnixTime(allow_none=True, metadata={"description": "When it was archived.", "example": None})
    supersedes = fields.String(
        allow_none=True, metadata={"description": "UUID of the memory that it replaced.", "format": "uuid"}
    )
    superseded_by = fields.String(
        allow_none=True, metadata={"description": "UUID of the memory that replaced it.", "format": "uuid"}
    )
    superseded_at = UnixTime(allow_none=True, metadata={"description": "When it was replaced.", "example": None})
    occurred_at = IsoTime(allow_none=True, metadata={"description": "When what it tells took place."})
    expires_at = IsoTime(
        allow_none=True, metadata={"description": "When it will be gone; null: never.", "example": None}
    )
    created_at = UnixTime(metadata={"description": "Unix seconds.", "example": 1773655200})
    updated_at = UnixTime(metadata={"description": "Unix seconds.", "example": 1773655200})


class MemoryFields(Schema):
    """What store, batch items and the asynchronous store have in common."""

    content = Text(
        LONGEST, blank=False, required=True,
        metadata={"description": "The text to remember.", "example": "Deploys of billing happen on Tuesdays"},
    )  # fmt: skip
    metadata = Metadata(load_default=dict, metadata={"description": "At most 10 KB.", "example": {"source": "runbook"}})
    memory_type = Text(validate=[one_of(TYPES)], metadata={"description": "Classified by rules when absent."})
    session_id = Id(metadata={"description": "An existing session."})
    project = Text(100, validate=[SLUG], metadata={"description": "Project slug; registered on first use."})
    project_id = Id(metadata={"description": "An existing project; wins over `project`."})
    importance = Fraction(load_default=0.5, metadata={"description": "0.8 and more is the hot tier.", "example": 0.5})
    tier = Text(validate=[one_of(TIERS)], metadata={"description": "From the importance when absent."})
    visibility = Text(
        load_default="private", validate=[one_of(VISIBILITIES)],
        metadata={"description": "Confidential memories are left out of search unless asked for."},
    )  # fmt: skip
    user_id = Text(255, metadata={"description": "End user it belongs to."})
    deduplicate = fields.Boolean(load_default=False, metadata={"description": "Return an equal memory instead."})
    dedup_threshold = Fraction(
        0.5, 1.0, load_default=0.95, metadata={"description": "Cosine from which texts are equal."}
    )
    auto_extract_entities = fields.Boolean(metadata={"description": "False: find no names in it."})
    title = Text(500, metadata={"description": "What it is about.", "example": "Billing deploys"})
    occurred_at = Moment(metadata={"description": "When what it tells took place.", "example": "2026-03-03T09:00:00Z"})
    expires_at = Future(metadata={"description": "When it is to be gone, from this moment on exactly."})
    supersedes = Id(
        metadata={"description": "A memory that this one replaces: search and lists leave it out from now on."}
    )
    derived_from = fields.List(
        Id(), validate=validate.Length(max=20, error="must hold at most {max} ids"),
        metadata={"description": "Memories that this one was drawn from."},
    )  # fmt: skip
    ttl_seconds = fields.Integer(
        validate=validate.Range(1, 3_153_600_000, error="must lie between {min} and {max}"),
        metadata={"description": "Seconds until it is to be gone; not beside `expires_at`.", "example": 86400},
    )

    @ma.validates_schema
    def one_end(self, data: dict[str, Any], **_: Any) -> None:
        if "expires_at" in data and "ttl_seconds" in data:
            raise ValidationError("send `expires_at` or `ttl_seconds`, not both", "ttl_seconds")


class MemoryCreate(MemoryFields):
    """A new memory."""

    agent_id = Name(
        required=True, metadata={"description": "Agent UUID, or a name, created on first use.", "example": "iris"}
    )


class BatchItem(MemoryFields):
    """One memory of a batch."""

    agent_id = Name(metadata={"description": "Agent UUID or name; the batch's own when absent.", "example": "iris"})
    client_id = Text(255, metadata={"description": "Accepted and ignored.", "example": "row-17"})


class BatchCreate(Schema):
    """Up to 100 memories. Each is checked by itself: a bad one does not fail the others."""

    memories = fields.List(
        fields.Raw(allow_none=True, metadata={"allOf": [{"$ref": "#/components/schemas/BatchItem"}]}), required=True,
        validate=validate.Length(1, 100, error="must hold between {min} and {max} memories"),
        metadata={
            "description": "Objects as for a single store.",
            "example": [{"content": "Deploys of billing happen on Tuesdays", "agent_id": "iris"}],
        },
    )  # fmt: skip
    agent_id = Name(metadata={"description": "For items without one.", "example": "iris"})
    parallel_embeddings = fields.Boolean(load_default=True, metadata={"description": "Accepted; always on."})


class BatchResult(ma.Schema):
    """What became of one item."""

    index = fields.Integer(metadata={"description": "Position in the request.", "example": 0})
    status = fields.String(
        validate=one_of(("success", "failed", "skipped")),
        metadata={"description": "`success`, `failed`, or `skipped` for a duplicate.", "example": "success"},
    )
    id = fields.String(allow_none=True, metadata={"description": "UUID of the memory.", "format": "uuid"})
    memory_id = fields.String(allow_none=True, metadata={"description": "Same as `id`.", "format": "uuid"})
    error = fields.String(allow_none=True, metadata={"description": "What is wrong with the item.", "example": None})
    error_code = fields.String(
        allow_none=True, metadata={"description": "Kind of error, such as `validation_error`.", "example": None}
    )
    content_preview = fields.String(
        metadata={"description": "The first 100 characters.", "example": "Deploys of billing happen on Tuesdays"}
    )


class BatchTiming(ma.Schema):
    """Milliseconds."""

    total_ms = fields.Float(metadata={"description": "The whole request.", "example": 41.7})
    embedding_ms = fields.Float(metadata={"description": "Computing vectors.", "example": 28.3})
    database_ms = fields.Float(metadata={"description": "Writing.", "example": 11.2})
    per_memory_avg_ms = fields.Float(metadata={"description": "The whole, divided by the items.", "example": 4.2})
    avg_per_item_ms = fields.Float(metadata={"description": "Same as `per_memory_avg_ms`.", "example": 4.2})


class BatchOut(ma.Schema):
    """What became of a batch; `success` is true when no item failed."""

    success = fields.Boolean(metadata={"description": "Whether no item failed.", "example": True})
    total = fields.Integer(metadata={"description": "Items sent.", "example": 10})
    succeeded = fields.Integer(metadata={"description": "Items stored.", "example": 9})
    failed = fields.Integer(metadata={"description": "Items refused.", "example": 0})
    skipped = fields.Integer(metadata={"description": "Items that were there already.", "example": 1})
    results = fields.List(fields.Nested(BatchResult), metadata={"description": "One for each item, in order."})
    timing = fields.Nested(BatchTiming, metadata={"description": "Milliseconds."})


class MemoryUpdate(Schema):
    """Changes to a memory; absent and null fields stay as they are."""

    content = Text(LONGEST, blank=False, metadata={"description": "The new text; the old one is kept as a version."})
    metadata = Metadata(metadata={"description": "Merged key by key; a null value removes its key."})
    memory_type = Text(validate=[one_of(TYPES)], metadata={"description": "Kind of memory."})
    importance = Fraction(metadata={"description": "0 to 1; moves the tier unless `tier` is sent.", "example": 0.9})
    tier = Text(validate=[one_of(TIERS)], metadata={"description": "`hot`, `warm` or `cold`."})
    visibility = Text(validate=[one_of(VISIBILITIES)], metadata={"description": "`private` or `confidential`."})
    title = Text(500, metadata={"description": "What it is about.", "example": "Billing deploys"})
    occurred_at = Moment(metadata={"description": "When what it tells took place."})
    expires_at = Future(metadata={"description": "When it is to be gone."})


class MemoryFilter(Schema):
    """Query arguments of the list. Times are from (`_after`) and up to, but without (`_before`)."""

    agent_id = Name(metadata={"description": "Agent UUID or name."})
    user_id = Text(255, metadata={"description": "End user."})
    session_id = Id(metadata={"description": "Session UUID."})
    project = Text(100, metadata={"description": "Project slug."})
    project_id = Id(metadata={"description": "Project UUID; wins over `project`."})
    memory_type = Text(validate=[one_of(TYPES)], metadata={"description": "Kind of memory."})
    type = Text(validate=[one_of(TYPES)], metadata={"description": "Same as `memory_type`.", "deprecated": True})
    tier = Text(validate=[one_of(TIERS)], metadata={"description": "Tier."})
    visibility = Text(validate=[one_of(VISIBILITIES)], metadata={"description": "Visibility."})
    min_importance = Fraction(metadata={"description": "Leave out less important ones.", "example": 0.5})
    created_after = Moment(metadata={"description": "Stored at this time or later."})
    created_before = Moment(metadata={"description": "Stored before this time."})
    occurred_after = Moment(metadata={"description": "Tells of something at this time or later."})
    occurred_before = Moment(metadata={"description": "Tells of something before this time."})
    metadata_filter = JsonObject(
        metadata={"description": "JSON object of conditions on the metadata, as in a search.", "example": '{"a": 1}'}
    )
    include_archived = fields.Boolean(load_default=False, metadata={"description": "Also archived ones."})
    archived_only = fields.Boolean(load_default=False, metadata={"description": "Archived ones alone."})
    include_superseded = fields.Boolean(load_default=False, metadata={"description": "Also ones that were replaced."})
    include_embeddings = fields.Boolean(load_default=False, metadata={"description": "Add `embedding` to each."})

"""What belongs to one memory: importance, versions, neighbours, extraction."""

import marshmallow as ma
from marshmallow import fields, validate

from app.schemas.common import Fraction, IsoTime, Schema, Text, UnixTime
from app.schemas.entities import ENTITY_TYPES
from app.schemas.memories import TIERS, TYPES, VISIBILITIES, MemoryOut, one_of
from app.schemas.memories_v2 import STATUSES

REASONS = ("entity", "session", "similar", "supersedes", "superseded_by", "derived_from", "source_of")


class ImportanceIn(Schema):
    """A new importance."""

    importance = Fraction(required=True, metadata={"description": "0 to 1; moves the tier.", "example": 0.9})
    tier = Text(validate=[one_of(TIERS)], metadata={"description": "This tier, whatever the importance."})


class MemoryVersionOut(ma.Schema):
    """What a memory says or said. Its present text is the last version, under the memory's own id."""

    object = fields.Constant("memory_version", metadata={"description": "Always `memory_version`."})
    id = fields.String(metadata={"description": "UUID of the version.", "format": "uuid"})
    memory_id = fields.String(metadata={"description": "UUID of the memory.", "format": "uuid"})
    version = fields.Integer(metadata={"description": "Rises with every change of the memory.", "example": 3})
    content = fields.String(metadata={"description": "The text."})
    title = fields.String(allow_none=True, metadata={"description": "What it was about.", "example": "Billing deploys"})
    metadata = fields.Dict(metadata={"description": "The client's own JSON object."})
    memory_type = fields.String(validate=one_of(TYPES), metadata={"description": "Kind of memory.", "example": "fact"})
    importance = fields.Float(metadata={"description": "0 to 1.", "example": 0.5})
    tier = fields.String(
        validate=one_of(TIERS), metadata={"description": "`hot`, `warm` or `cold`.", "example": "warm"}
    )
    visibility = fields.String(
        validate=one_of(VISIBILITIES), metadata={"description": "`private` or `confidential`.", "example": "private"}
    )
    is_current = fields.Boolean(metadata={"description": "Whether the memory says this now.", "example": True})
    said_since = IsoTime(metadata={"description": "From when it said this."})
    said_until = IsoTime(allow_none=True, metadata={"description": "Until when; null: still.", "example": None})


class RelatedArgs(Schema):
    """Query arguments of the related memories."""

    limit = fields.Integer(
        load_default=10, validate=validate.Range(1, 50, error="must lie between {min} and {max}"),
        metadata={"description": "Most memories to return.", "example": 10},
    )  # fmt: skip
    include_confidential = fields.Boolean(load_default=False, metadata={"description": "Also confidential ones."})
    include_archived = fields.Boolean(load_default=False, metadata={"description": "Also archived ones."})


class ReasonEntityOut(ma.Schema):
    """The name that both memories mention."""

    id = fields.String(metadata={"description": "UUID of the entity.", "format": "uuid"})
    name = fields.String(metadata={"description": "Its name.", "example": "Billing Service"})
    entity_type = fields.String(
        validate=one_of(ENTITY_TYPES), metadata={"description": "Its kind.", "example": "project"}
    )


class ReasonOut(ma.Schema):
    """Why a memory is related."""

    type = fields.String(
        validate=one_of(REASONS), metadata={"description": f"One of {', '.join(REASONS)}.", "example": "entity"}
    )
    weight = fields.Float(metadata={"description": "How much it counts.", "example": 0.6})
    entity = fields.Nested(
        ReasonEntityOut, metadata={"description": "For `entity`: the shared name.", "sometimes": True}
    )
    place = fields.String(
        validate=one_of(("next", "previous")),
        metadata={"description": "For `session`: `next` or `previous`.", "example": "next", "sometimes": True},
    )
    steps = fields.Integer(
        metadata={"description": "For `session`: how far along it.", "example": 1, "sometimes": True}
    )
    similarity = fields.Float(
        metadata={"description": "For `similar`: cosine of the two texts.", "example": 0.8, "sometimes": True}
    )


class RelatedHitOut(ma.Schema):
    """A related memory."""

    memory = fields.Nested(MemoryOut, metadata={"description": "The memory."})
    score = fields.Float(metadata={"description": "Between 0 and 1.", "example": 0.7})
    reasons = fields.List(fields.Nested(ReasonOut), metadata={"description": "Why, weightiest first."})


class RelatedOut(ma.Schema):
    """Memories that stand near one, most related first."""

    object = fields.Constant("list", metadata={"description": "Always `list`."})
    memory_id = fields.String(metadata={"description": "UUID of the memory asked about.", "format": "uuid"})
    data = fields.List(fields.Nested(RelatedHitOut), metadata={"description": "Most related first."})
    total = fields.Integer(metadata={"description": "How many are shown.", "example": 3})


class ExtractionOut(ma.Schema):
    """How the names of a memory were found."""

    memory_id = fields.String(metadata={"description": "UUID of the memory.", "format": "uuid"})
    status = fields.String(
        validate=one_of(STATUSES),
        metadata={"description": "`pending`, `processing`, `ready` or `failed`.", "example": "ready"},
    )
    extraction_method = fields.String(
        allow_none=True, metadata={"description": "`rules`, `llm` or `byok`.", "example": "rules"}
    )
    extraction_model = fields.String(allow_none=True, metadata={"description": "The model, where one was asked."})
    entity_count = fields.Integer(metadata={"description": "Names it mentions.", "example": 3})
    updated_at = UnixTime(metadata={"description": "Unix seconds.", "example": 1773655200})
    error = fields.String(allow_none=True, metadata={"description": "Why it failed.", "example": None})

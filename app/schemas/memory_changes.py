"""Changes of memories on the wire."""

import marshmallow as ma
from marshmallow import fields

from app.pagination import PageArgs
from app.schemas.agents import Name
from app.schemas.common import Id, IsoTime, Text, UnixTime
from app.schemas.memories import TIERS, TYPES, VISIBILITIES, one_of
from app.schemas.usage import PeriodArgs

KINDS = ("created", "edited", "superseded", "archived", "unarchived", "deleted", "restored")


class MemoryChangeArgs(PageArgs, PeriodArgs):
    """Which changes are asked for. Both ends of the period belong to it, a whole second up to its end."""

    agent_id = Name(metadata={"description": "Only memories of this agent, by UUID or name.", "example": "iris"})
    project = Text(100, metadata={"description": "Only memories of this project, by slug."})
    project_id = Id(metadata={"description": "Only memories of this project; wins over `project`."})
    session_id = Id(metadata={"description": "Only memories of this session."})
    user_id = Text(255, metadata={"description": "Only this end user's memories."})


class MemoryStateOut(ma.Schema):
    """What a memory was: the fields that a change touched, or all of these where it was stored."""

    object = fields.Constant("memory_state", metadata={"description": "Always `memory_state`."})
    content = fields.String(metadata={"sometimes": True, "description": "The text."})
    title = fields.String(
        allow_none=True, metadata={"sometimes": True, "description": "What it is about.", "example": "Billing deploys"}
    )
    metadata = fields.Dict(metadata={"sometimes": True, "description": "The client's own JSON object."})
    memory_type = fields.String(
        validate=one_of(TYPES),
        metadata={"sometimes": True, "description": f"One of {', '.join(TYPES)}.", "example": "fact"},
    )
    importance = fields.Float(metadata={"sometimes": True, "description": "0 to 1.", "example": 0.5})
    tier = fields.String(
        validate=one_of(TIERS),
        metadata={"sometimes": True, "description": "`hot`, `warm` or `cold`.", "example": "warm"},
    )
    visibility = fields.String(
        validate=one_of(VISIBILITIES),
        metadata={"sometimes": True, "description": "`private` or `confidential`.", "example": "private"},
    )
    occurred_at = IsoTime(
        allow_none=True, metadata={"sometimes": True, "description": "When what it tells took place."}
    )
    expires_at = IsoTime(
        allow_none=True, metadata={"sometimes": True, "description": "When it will be gone; null: never."}
    )


class MemoryChangeOut(ma.Schema):
    """What became of a memory, and when. Of a deleted one its id, its owners but the user, and the time are known."""

    object = fields.Constant("memory_change", metadata={"description": "Always `memory_change`."})
    id = fields.String(metadata={"description": "UUID; of `created`, that of the memory.", "format": "uuid"})
    kind = fields.String(
        validate=one_of(KINDS), metadata={"description": f"One of {', '.join(KINDS)}.", "example": "edited"}
    )
    memory_id = fields.String(metadata={"description": "UUID of the memory.", "format": "uuid"})
    changed_at = UnixTime(metadata={"description": "Unix seconds."})
    agent_id = fields.String(allow_none=True, metadata={"description": "UUID of its agent.", "format": "uuid"})
    user_id = fields.String(allow_none=True, metadata={"description": "End user it belongs to."})
    session_id = fields.String(allow_none=True, metadata={"description": "UUID of its session.", "format": "uuid"})
    project_id = fields.String(allow_none=True, metadata={"description": "UUID of its project.", "format": "uuid"})
    fields_changed = fields.List(
        fields.String(),
        data_key="fields",
        metadata={"description": "What an edit touched.", "example": ["content", "importance"]},
    )
    version_before = fields.Integer(
        allow_none=True,
        metadata={"description": "Number of its version until then; null where it was stored.", "example": 2},
    )
    version_after = fields.Integer(
        allow_none=True,
        metadata={"description": "Number of its version from then on; null where it was deleted.", "example": 3},
    )
    version_id = fields.String(
        allow_none=True, metadata={"description": "UUID of the version that keeps the old text.", "format": "uuid"}
    )
    before = fields.Nested(
        MemoryStateOut, allow_none=True, metadata={"description": "For `edited`: the touched fields as they were."}
    )
    after = fields.Nested(
        MemoryStateOut, allow_none=True,
        metadata={"description": "For `edited`: the same as they became; for `created`: the memory as it was stored."},
    )  # fmt: skip
    superseded_by = fields.String(
        allow_none=True, metadata={"description": "For `superseded`: UUID of what replaced it.", "format": "uuid"}
    )

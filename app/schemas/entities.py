"""Entities on the wire."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from app.pagination import PageArgs
from app.schemas.agents import Name
from app.schemas.common import Id, IsoTime, Metadata, Schema, Text
from app.schemas.memories import VISIBILITIES, MemoryOut, one_of
from app.schemas.moments import AsOfArgs

ENTITY_TYPES = (
    "person", "organization", "technology", "project", "product", "location", "document", "metric", "event", "skill",
    "concept", "other",
)  # fmt: skip
TYPE_ALIASES = {"place": "location"}
TYPE_TEXT = f"One of {', '.join(ENTITY_TYPES)}; `place` means `location`. May be sent as `type`."


class EntityType(Text):
    """One of the twelve types, or an alias of one."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("metadata", {"description": TYPE_TEXT, "example": "project"})
        super().__init__(validate=[one_of(ENTITY_TYPES)], **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs).strip().lower()
        return TYPE_ALIASES.get(text, text)


class Renaming(Schema):
    """Base of inputs whose fields have older names: `other_names` maps those to ours; ours wins."""

    other_names: Mapping[str, str] = {}

    @ma.pre_load
    def rename(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        made = dict(data)
        for old, new in self.other_names.items():
            if made.get(new) is None and made.get(old) is not None:
                made[new] = made[old]
        return made


class EntityOut(ma.Schema):
    """Somebody or something that memories mention."""

    object = fields.Constant("entity", metadata={"description": "Always `entity`."})
    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    name = fields.String(metadata={"description": "Unique among entities of its type.", "example": "Billing Service"})
    entity_type = fields.String(
        validate=one_of(ENTITY_TYPES),
        metadata={"description": f"One of {', '.join(ENTITY_TYPES)}.", "example": "project"},
    )
    type = fields.String(
        attribute="entity_type",
        dump_only=True,
        validate=one_of(ENTITY_TYPES),
        metadata={"description": "Same as `entity_type`, for older clients.", "example": "project", "deprecated": True},
    )
    aliases = fields.List(
        fields.String(),
        metadata={"description": "Other names that lead here, at most 100.", "example": ["billing-svc"]},
    )
    metadata = fields.Dict(metadata={"description": "The client's own JSON object."})
    memory_count = fields.Integer(metadata={"description": "Memories that mention it.", "example": 4})
    relationship_count = fields.Integer(metadata={"description": "Relations to others that were stated.", "example": 2})
    created_at = IsoTime(metadata={"description": "When it was first named."})
    updated_at = IsoTime(metadata={"description": "When it was last changed."})


class EntityCreate(Renaming):
    """A new entity; one of the same name and type that exists already is returned instead."""

    other_names = {"type": "entity_type"}

    name = Name(required=True, metadata={"description": "1 to 255 characters.", "example": "Billing Service"})
    entity_type = EntityType(required=True)
    metadata = Metadata(load_default=dict, metadata={"description": "At most 10 KB.", "example": {"owner": "platform"}})
    agent_id = Name(metadata={"description": "Agent UUID or name that names it; a filter of the list."})


class EntityUpdate(Renaming):
    """Changes to an entity; absent and null fields stay as they are. The old name stays an alias."""

    other_names = {"type": "entity_type"}

    name = Name(metadata={"description": "1 to 255 characters.", "example": "Billing API"})
    entity_type = EntityType()
    metadata = Metadata(metadata={"description": "Merged key by key; a null value removes its key."})


class EntityFilter(Renaming):
    """Query arguments of the list."""

    other_names = {"type": "entity_type"}

    entity_type = EntityType()
    agent_id = Name(metadata={"description": "Agent UUID or name: what its memories mention, and what it named."})
    q = Text(
        255, blank=False,
        metadata={"description": "Search names and aliases: whole, by beginning, by words, misspelt. Best first, "
                  "at most 200; page by `offset`.", "example": "biling"},
    )  # fmt: skip


class EntityLinkBody(Schema):
    """A memory to tie to the entity of the path."""

    memory_id = Id(required=True, metadata={"description": "An existing memory."})
    relationship = Text(
        100, blank=False, metadata={"description": "How they belong together.", "example": "mentioned_in"}
    )


class EntityLinkCreate(EntityLinkBody):
    """A memory to tie to an entity."""

    entity_id = Id(required=True, metadata={"description": "An existing entity."})


class EntityLinkOut(ma.Schema):
    """A tie between a memory and an entity."""

    object = fields.Constant("entity_link", metadata={"description": "Always `entity_link`."})
    entity_id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    memory_id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    relationship = fields.String(metadata={"description": "How they belong together.", "example": "mentioned_in"})
    relevance_score = fields.Float(metadata={"description": "0 to 1; 1 for links made by hand.", "example": 1.0})
    created_at = IsoTime(metadata={"description": "When it was made."})


class EntityMemoryOut(MemoryOut):
    """A memory that mentions the entity."""

    relationship = fields.String(metadata={"description": "How they belong together.", "example": "mentioned_in"})
    relevance_score = fields.Float(metadata={"description": "0 to 1.", "example": 0.9})


class LinkedArgs(PageArgs, AsOfArgs):
    """Query arguments of an entity's memories."""

    include_archived = fields.Boolean(load_default=False, metadata={"description": "Also archived ones."})


class EntityAliasIn(Schema):
    """Another name of an entity."""

    alias = Name(required=True, metadata={"description": "1 to 255 characters.", "example": "billing-svc"})


class EntityAliasOut(ma.Schema):
    """Another name of an entity."""

    alias = fields.String(metadata={"description": "The spelling as it was first seen.", "example": "billing-svc"})
    created_at = IsoTime(metadata={"description": "When it was first seen."})


class EntityAliasesOut(ma.Schema):
    """All other names of an entity."""

    data = fields.List(fields.Nested(EntityAliasOut), metadata={"description": "In alphabetical order."})
    total = fields.Integer(metadata={"description": "How many there are.", "example": 1})


class EntityMergeIn(Renaming):
    """Which entity stays."""

    other_names = {"into_id": "into", "target_id": "into"}

    into = Id(required=True, metadata={"description": "UUID of the entity that stays."})


class EntityRelationCreate(Renaming):
    """A relation to another entity; stating it again changes its weight and metadata where they are given."""

    other_names = {"target_entity_id": "target_id", "relationship": "relationship_type", "type": "relationship_type"}

    target_id = Id(required=True, metadata={"description": "The other entity. May be sent as `target_entity_id`."})
    relationship_type = Text(
        100, blank=False, required=True,
        metadata={"description": "1 to 100 characters of free text. May be sent as `relationship` or `type`.",
                  "example": "depends_on"},
    )  # fmt: skip
    weight = fields.Float(
        allow_nan=False, validate=[validate.Range(0, 1_000_000, error="must lie between {min} and {max}")],
        metadata={"description": "0 to 1,000,000; 1 when absent.", "example": 1.0},
    )  # fmt: skip
    metadata = Metadata(metadata={"description": "At most 10 KB."})


class EntityRelationOut(ma.Schema):
    """A relation between two entities, stated by somebody or implied by the memories they share."""

    object = fields.Constant("entity_relationship", metadata={"description": "Always `entity_relationship`."})
    id = fields.String(
        allow_none=True, metadata={"description": "UUID; null where memories imply it.", "format": "uuid"}
    )
    source_entity_id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    target_entity_id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    source_name = fields.String(metadata={"description": "Name of the source.", "example": "Billing Service"})
    target_name = fields.String(metadata={"description": "Name of the target.", "example": "Stripe"})
    relationship_type = fields.String(
        metadata={"description": "`co_mentioned` where memories imply it.", "example": "depends_on"}
    )
    weight = fields.Float(metadata={"description": "As stated, or how many memories they share.", "example": 1.0})
    source = fields.String(
        validate=one_of(("stated", "co_mention")),
        metadata={"description": "`stated` or `co_mention`.", "example": "stated"},
    )
    metadata = fields.Dict(metadata={"description": "The client's own JSON object."})
    created_at = IsoTime(metadata={"description": "When it was stated, or the newest shared memory."})


class EntityRelationsArgs(AsOfArgs):
    """Query arguments of an entity's relations."""

    source = Text(
        load_default="all", validate=[one_of(("all", "stated", "co_mention"))],
        metadata={"description": "`stated`, `co_mention`, or `all`: the stated ones first."},
    )  # fmt: skip
    limit = fields.Integer(
        load_default=100, validate=validate.Range(1, 100, error="must lie between {min} and {max}"),
        metadata={"description": "Most relations to return.", "example": 100},
    )  # fmt: skip
    offset = fields.Integer(
        load_default=0, validate=validate.Range(0, 10_000_000, error="must lie between {min} and {max}"),
        metadata={"description": "Relations to skip.", "example": 0},
    )  # fmt: skip


class EntityRelationsOut(ma.Schema):
    """An entity's relations."""

    data = fields.List(
        fields.Nested(EntityRelationOut), metadata={"description": "Stated ones first, then the heaviest."}
    )
    total = fields.Integer(
        metadata={"description": "All there are; of those memories imply, at most 100.", "example": 2}
    )


class EntityBriefOut(ma.Schema):
    """An entity in few words."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    name = fields.String(metadata={"description": "Name.", "example": "Ada"})
    type = fields.String(validate=one_of(ENTITY_TYPES), metadata={"description": "Kind.", "example": "person"})
    entity_type = fields.String(
        validate=one_of(ENTITY_TYPES), metadata={"description": "Same as `type`.", "example": "person"}
    )


class EntityNeighbourOut(EntityBriefOut):
    """An entity near the centre."""

    relationship = fields.String(
        metadata={"description": "What ties it, `co_mentioned` where memories do.", "example": "co_mentioned"}
    )
    depth = fields.Integer(metadata={"description": "Steps from the centre.", "example": 1})
    weight = fields.Float(metadata={"description": "As stated, or how many memories are shared.", "example": 2.0})


class EntityEdgeOut(ma.Schema):
    """A tie between two entities of a neighbourhood."""

    source_entity_id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    target_entity_id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    relationship_type = fields.String(
        metadata={"description": "`co_mentioned` where memories imply it.", "example": "co_mentioned"}
    )
    weight = fields.Float(metadata={"description": "As stated, or how many memories are shared.", "example": 2.0})


class NeighborhoodArgs(AsOfArgs):
    """Query arguments of a neighbourhood."""

    depth = fields.Integer(
        load_default=1, validate=validate.Range(1, 5, error="must lie between {min} and {max}"),
        metadata={"description": "Most steps from the centre.", "example": 1},
    )  # fmt: skip
    max_neighbors = fields.Integer(
        load_default=50, validate=validate.Range(1, 100, error="must lie between {min} and {max}"),
        metadata={"description": "Most neighbours to return.", "example": 50},
    )  # fmt: skip


class NeighborhoodOut(ma.Schema):
    """What lies around an entity."""

    entity = fields.Nested(EntityBriefOut, metadata={"description": "The centre."})
    center = fields.Nested(EntityBriefOut, metadata={"description": "Same as `entity`."})
    neighbors = fields.List(fields.Nested(EntityNeighbourOut), metadata={"description": "Nearest and strongest first."})
    relationships = fields.List(fields.Nested(EntityEdgeOut), metadata={"description": "Ties among all of these."})
    total_neighbors = fields.Integer(metadata={"description": "Length of `neighbors`.", "example": 1})
    truncated = fields.Boolean(metadata={"description": "Whether `max_neighbors` left some out."})


class EntityPathArgs(AsOfArgs):
    """Query arguments of a path."""

    source = Name(required=True, metadata={"description": "Entity UUID, name or alias.", "example": "Ada"})
    target = Name(required=True, metadata={"description": "Entity UUID, name or alias.", "example": "Stripe"})
    max_depth = fields.Integer(
        load_default=4, validate=validate.Range(1, 6, error="must lie between {min} and {max}"),
        metadata={"description": "Most steps.", "example": 4},
    )  # fmt: skip


class SharedMemoryOut(ma.Schema):
    """A memory that two entities share."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    title = fields.String(
        allow_none=True, metadata={"description": "What it is about, when given.", "example": "Billing deploys"}
    )
    content = fields.String(allow_none=True, metadata={"description": "First 500 characters; null if confidential."})
    visibility = fields.String(
        validate=one_of(VISIBILITIES), metadata={"description": "`private` or `confidential`.", "example": "private"}
    )
    created_at = IsoTime(metadata={"description": "When it was stored."})


class EntityStatedOut(EntityEdgeOut):
    """A stated relation."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})


class EntityStepOut(ma.Schema):
    """One step of a path with what justifies it."""

    source_entity_id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    target_entity_id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    relationships = fields.List(fields.Nested(EntityStatedOut), metadata={"description": "Stated ones, at most 5."})
    shared_memories = fields.Integer(metadata={"description": "Memories they share, counted to 1,000.", "example": 2})
    memories = fields.List(fields.Nested(SharedMemoryOut), metadata={"description": "The newest of them, at most 3."})


class EntityPathOut(ma.Schema):
    """The shortest way from one entity to another."""

    object = fields.Constant("entity_path", metadata={"description": "Always `entity_path`."})
    found = fields.Boolean(
        metadata={"description": "Whether there is a way of at most `max_depth` steps.", "example": True}
    )
    length = fields.Integer(allow_none=True, metadata={"description": "Steps.", "example": 2})
    source = fields.Nested(EntityBriefOut, metadata={"description": "Where it starts."})
    target = fields.Nested(EntityBriefOut, metadata={"description": "Where it ends."})
    entities = fields.List(fields.Nested(EntityBriefOut), metadata={"description": "From source to target."})
    steps = fields.List(fields.Nested(EntityStepOut), metadata={"description": "One fewer than the entities."})


class TopicMemberOut(EntityBriefOut):
    """An entity of a topic."""

    weight = fields.Float(metadata={"description": "How much it is tied to the others.", "example": 3.5})


class TopicArgs(Schema):
    """Query arguments of one topic."""

    members = fields.Integer(
        load_default=10, validate=validate.Range(1, 100, error="must lie between {min} and {max}"),
        metadata={"description": "Most members to show of each.", "example": 10},
    )  # fmt: skip


class TopicOut(ma.Schema):
    """A group of entities that memories mention together."""

    object = fields.Constant("topic", metadata={"description": "Always `topic`."})
    id = fields.String(metadata={"description": "UUID; stays while most members do.", "format": "uuid"})
    label = fields.String(metadata={"description": "Its weightiest members.", "example": "Billing Service, Stripe"})
    member_count = fields.Integer(metadata={"description": "Entities in it.", "example": 12})
    members = fields.List(fields.Nested(TopicMemberOut), metadata={"description": "Weightiest first."})
    created_at = IsoTime(metadata={"description": "When it was first found."})
    updated_at = IsoTime(metadata={"description": "When it was last computed."})

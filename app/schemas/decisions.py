"""Decisions on the wire."""

from typing import Any

import marshmallow as ma
from marshmallow import ValidationError, fields, validate

from app.schemas.agents import Name
from app.schemas.common import Fraction, Id, IsoTime, Metadata, Schema, Text
from app.schemas.memories import SLUG, one_of
from app.schemas.tags import TagFilter, Tags

STATUSES = ("active", "experimental", "superseded", "reverted")
NEW_STATUSES = ("active", "experimental")
SET_STATUSES = ("active", "experimental", "reverted")
LONGEST = 50_000
MOST_LINKS = 100

RATIONALE = {"description": "Why.", "example": "One transaction boundary, no extra broker to run"}
TITLE = {"description": "What was decided.", "example": "Keep the queue in the database"}
ALTERNATIVES = {"description": "What else was considered: one text.", "example": "A broker: more moving parts"}


class DecisionOut(ma.Schema):
    """A decision: what was chosen and why."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    object = fields.Constant("decision", metadata={"description": "Always `decision`."})
    agent_id = fields.String(
        allow_none=True, metadata={"description": "UUID of the agent that decided.", "format": "uuid"}
    )
    session_id = fields.String(
        allow_none=True, metadata={"description": "UUID of the session it was made in.", "format": "uuid"}
    )
    project_slug = fields.String(allow_none=True, metadata={"description": "Its project.", "example": "billing"})
    title = fields.String(metadata=TITLE)
    rationale = fields.String(metadata=RATIONALE)
    alternatives = fields.String(allow_none=True, metadata=ALTERNATIVES)
    status = fields.String(
        validate=one_of(STATUSES), metadata={"description": f"One of {', '.join(STATUSES)}.", "example": "active"}
    )
    superseded_by = fields.String(
        allow_none=True,
        metadata={"description": "UUID of the decision in its place.", "format": "uuid", "example": None},
    )
    supersedes = fields.String(
        allow_none=True, metadata={"description": "UUID of the decision it took the place of.", "format": "uuid"}
    )
    tags = fields.List(fields.String(), metadata={"description": "Labels.", "example": ["queue", "storage"]})
    metadata = fields.Dict(metadata={"description": "The client's own JSON object."})
    memory_count = fields.Integer(metadata={"description": "Memories it rests on.", "example": 2})
    dependency_count = fields.Integer(metadata={"description": "Decisions it depends on.", "example": 1})
    dependent_count = fields.Integer(metadata={"description": "Decisions that depend on it.", "example": 0})
    created_at = IsoTime(metadata={"description": "When it was recorded."})
    updated_at = IsoTime(metadata={"description": "When it was last changed; links change nothing."})


class DecisionWords(Schema):
    """What a new decision says, whether it is the first on its matter or takes another's place."""

    title = Text(500, blank=False, required=True, metadata=TITLE)
    rationale = Text(LONGEST, blank=False, required=True, metadata=RATIONALE)
    alternatives = Text(LONGEST, metadata=ALTERNATIVES)
    status = Text(
        load_default="active", validate=[one_of(NEW_STATUSES)], metadata={"description": "`active` or `experimental`."}
    )
    agent_id = Name(metadata={"description": "Agent UUID, or a name, created on first use.", "example": "iris"})
    session_id = Id(metadata={"description": "An existing session."})
    project_slug = Text(100, validate=[SLUG], metadata={"description": "Project slug; registered on first use."})
    metadata = Metadata(load_default=dict, metadata={"description": "At most 10 KB."})
    memory_ids = fields.List(
        Id(), load_default=list,
        validate=validate.Length(max=MOST_LINKS, error="must hold at most {max} ids"),
        metadata={"description": "Memories it rests on."},
    )  # fmt: skip


class DecisionCreate(DecisionWords):
    """A new decision."""

    tags = Tags(load_default=list, metadata={"description": "At most 20.", "example": ["queue", "storage"]})


class DecisionSupersede(DecisionWords):
    """The decision that takes another's place. Agent, session, project and tags are inherited when absent."""

    tags = Tags(metadata={"description": "At most 20; those of the old decision when absent."})


class DecisionUpdate(Schema):
    """Changes to a decision; absent and null fields stay as they are."""

    title = Text(500, blank=False, metadata=TITLE)
    rationale = Text(LONGEST, blank=False, metadata=RATIONALE)
    alternatives = Text(LONGEST, metadata=ALTERNATIVES)
    status = Text(
        validate=[one_of(SET_STATUSES)],
        metadata={"description": "`active`, `experimental` or `reverted`; to replace a decision, supersede it."},
    )
    tags = Tags(metadata={"description": "All its tags from now on.", "example": ["queue"]})
    metadata = Metadata(metadata={"description": "Merged key by key; a null value removes its key."})


class DecisionFilter(TagFilter):
    """Query arguments of the list."""

    project = Text(100, metadata={"description": "Project slug.", "example": "billing"})
    status = Text(validate=[one_of(STATUSES)], metadata={"description": "Only decisions of this status."})
    agent_id = Name(metadata={"description": "Agent UUID or name."})
    session_id = Id(metadata={"description": "Session UUID."})


class DecisionCheck(Schema):
    """What is about to be decided. Decisions no longer in force are left out unless asked for."""

    query = Text(
        10_000, blank=False, required=True, metadata={"description": "The question.", "example": "which queue to use?"}
    )
    project = Text(100, metadata={"description": "Only decisions of this project (slug)."})
    limit = fields.Integer(
        load_default=5, validate=validate.Range(1, 20, error="must lie between {min} and {max}"),
        metadata={"description": "Most hits to return.", "example": 5},
    )  # fmt: skip
    threshold = Fraction(load_default=0.3, metadata={"description": "Leave out hits below this score."})
    min_score = Fraction(metadata={"description": "Same as `threshold`.", "example": 0.3})
    include_superseded = fields.Boolean(
        load_default=False, metadata={"description": "Also superseded and reverted ones."}
    )


class DecisionHitOut(ma.Schema):
    """One hit."""

    decision = fields.Nested(DecisionOut, metadata={"description": "The decision."})
    score = fields.Float(metadata={"description": "0 to 1; below 0.3 hardly related.", "example": 0.47})


class DecisionCheckOut(ma.Schema):
    """Decisions on the matter, best first. It is a search, not a verdict."""

    data = fields.List(fields.Nested(DecisionHitOut), metadata={"description": "Hits, best first."})
    query = fields.String(metadata={"description": "The question as sent."})
    total = fields.Integer(metadata={"description": "Hits in `data`.", "example": 1})


class DecisionChainOut(ma.Schema):
    """The decisions that superseded one another, oldest first."""

    object = fields.Constant("list", metadata={"description": "Always `list`."})
    data = fields.List(fields.Nested(DecisionOut), metadata={"description": "Oldest first."})
    total = fields.Integer(metadata={"description": "Decisions in the chain.", "example": 3})
    current_id = fields.String(metadata={"description": "UUID of the last in the chain.", "format": "uuid"})


class OneOrMore(Schema):
    """Base of bodies that take one id or a list of them; `pair` names both fields."""

    pair: tuple[str, str] = ("", "")

    @ma.post_load
    def together(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        one, many = self.pair
        ids = [*([data[one]] if one in data else []), *data.get(many, [])]
        if not ids:
            raise ValidationError(f"send `{one}` or `{many}`", one)
        return {"ids": list(dict.fromkeys(ids))}


class MemoryLinks(OneOrMore):
    """Memories that a decision rests on."""

    pair = ("memory_id", "memory_ids")
    memory_id = Id(metadata={"description": "One memory."})
    memory_ids = fields.List(
        Id(), validate=validate.Length(1, MOST_LINKS, error="must hold between {min} and {max} ids"),
        metadata={"description": "Up to 100 memories."},
    )  # fmt: skip


class DependencyLinks(OneOrMore):
    """Decisions that a decision depends on."""

    pair = ("decision_id", "decision_ids")
    decision_id = Id(metadata={"description": "One decision."})
    decision_ids = fields.List(
        Id(), validate=validate.Length(1, MOST_LINKS, error="must hold between {min} and {max} ids"),
        metadata={"description": "Up to 100 decisions."},
    )  # fmt: skip


class MemoryUnlink(Schema):
    """The memory to take away, in the body or in the query."""

    memory_id = Id(metadata={"description": "UUID of the memory."})


class DependencyUnlink(Schema):
    """The decision to take away, in the body or in the query."""

    decision_id = Id(metadata={"description": "UUID of the other decision."})


class LinkedOut(ma.Schema):
    """What became of links to add; those that were there count as before."""

    id = fields.String(metadata={"description": "UUID of the decision.", "format": "uuid"})
    object = fields.Constant("decision_links", metadata={"description": "Always `decision_links`."})
    linked = fields.List(
        fields.String(),
        metadata={
            "description": "The ids sent: all are linked now.",
            "example": ["3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90"],
        },
    )
    added = fields.Integer(metadata={"description": "How many of these links are new.", "example": 1})


class ImpactArgs(Schema):
    """Query arguments of the impact."""

    depth = fields.Integer(
        load_default=6, validate=validate.Range(1, 10, error="must lie between {min} and {max}"),
        metadata={"description": "Most relationships on a path.", "example": 6},
    )  # fmt: skip
    limit = fields.Integer(
        load_default=50, validate=validate.Range(1, 100, error="must lie between {min} and {max}"),
        metadata={"description": "Most decisions to return.", "example": 50},
    )  # fmt: skip
    include_superseded = fields.Boolean(
        load_default=False, metadata={"description": "Also decisions no longer in force."}
    )


class NodeOut(ma.Schema):
    """A node of a path."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    type = fields.String(
        validate=one_of(("decision", "memory", "entity")),
        metadata={"description": "`decision`, `memory` or `entity`.", "example": "decision"},
    )
    name = fields.String(metadata={"description": "Title, first words or name.", "example": "Use one database"})


class LinkOut(ma.Schema):
    """A relationship of a path, as it stands in the graph."""

    type = fields.String(metadata={"description": "Such as `DEPENDS_ON`.", "example": "DEPENDS_ON"})
    start = fields.String(
        attribute="from",
        data_key="from",
        metadata={"description": "UUID of the node it starts from.", "format": "uuid"},
    )
    end = fields.String(
        attribute="to", data_key="to", metadata={"description": "UUID of the node it leads to.", "format": "uuid"}
    )


class PathOut(ma.Schema):
    """A way from the decision that changes to one that is affected."""

    nodes = fields.List(fields.Nested(NodeOut), metadata={"description": "Both ends and what lies between."})
    relationships = fields.List(fields.Nested(LinkOut), metadata={"description": "One between each two nodes."})


class AffectedOut(ma.Schema):
    """An affected decision."""

    decision = fields.Nested(DecisionOut, metadata={"description": "The decision."})
    distance = fields.Integer(metadata={"description": "Relationships on the path.", "example": 1})
    depends = fields.Boolean(
        metadata={"description": "True: it depends on the changed one, directly or through others. False: it shares "
                  "grounds or subjects with it.", "example": True}
    )  # fmt: skip
    path = fields.Nested(PathOut, metadata={"description": "The shortest way."})


class ImpactOut(ma.Schema):
    """What falls if a decision changes, nearest first; each decision once."""

    object = fields.Constant("impact", metadata={"description": "Always `impact`."})
    decision = fields.Nested(DecisionOut, metadata={"description": "The decision that changes."})
    data = fields.List(fields.Nested(AffectedOut), metadata={"description": "Affected decisions, nearest first."})
    total = fields.Integer(
        metadata={"description": "Affected decisions found, those beyond `limit` included.", "example": 4}
    )
    truncated = fields.Boolean(metadata={"description": "Whether a bound (limit, nodes, neighbours) cut it short."})
    too_common = fields.List(
        fields.Nested(NodeOut), metadata={"description": "Entities so common that sharing them was not followed."}
    )

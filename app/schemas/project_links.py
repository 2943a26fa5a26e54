"""Links between projects on the wire, and what follows from them."""

import marshmallow as ma
from marshmallow import fields, validate

from app.schemas.common import Fraction, IsoTime, Metadata, Schema, Text
from app.schemas.decisions import DecisionOut
from app.schemas.memories import MemoryOut, one_of
from app.schemas.patterns import PatternOut
from app.schemas.projects import Slug

DIRECTIONS = ("outgoing", "incoming")
KNOWN_TYPES = "`depends_on`, `api_consumer`, `shares_schema`, `shares_infra`, `pattern_source`, `forked_from`"


class RelationshipCreate(Schema):
    """A link from this project to another."""

    target_project = Slug(required=True, metadata={"description": "Slug of the other project.", "example": "ledger"})
    relationship_type = Text(
        100, blank=False, required=True,
        metadata={"description": f"Free text; usual ones are {KNOWN_TYPES}.", "example": "depends_on"},
    )  # fmt: skip
    metadata = Metadata(load_default=dict, metadata={"description": "At most 10 KB."})


class RelationshipOut(ma.Schema):
    """A link between two projects."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    source_project = fields.String(metadata={"description": "Slug of the project it starts at.", "example": "billing"})
    target_project = fields.String(metadata={"description": "Slug of the project it ends at.", "example": "ledger"})
    relationship_type = fields.String(metadata={"description": "Its kind.", "example": "depends_on"})
    direction = fields.String(
        validate=one_of(DIRECTIONS),
        metadata={"description": "`outgoing` or `incoming`, seen from the project asked about.", "example": "outgoing"},
    )
    metadata = fields.Dict(metadata={"description": "The client's own JSON object."})
    created_at = IsoTime(metadata={"description": "When it was made."})


class WalkArgs(Schema):
    """Query arguments of dependencies and dependents."""

    transitive = fields.Boolean(
        load_default=False, metadata={"description": "Add those further away, each once, by the shortest way."}
    )


class LinkedProjectOut(ma.Schema):
    """A project at the other end of a link."""

    id = fields.String(metadata={"description": "UUID of the last link on the way.", "format": "uuid"})
    project_id = fields.String(metadata={"description": "UUID of the project.", "format": "uuid"})
    slug = fields.String(metadata={"description": "Its slug.", "example": "ledger"})
    name = fields.String(metadata={"description": "Its name.", "example": "Ledger"})
    relationship_type = fields.String(metadata={"description": "Kind of that link.", "example": "depends_on"})
    direction = fields.String(
        validate=one_of(DIRECTIONS), metadata={"description": "`outgoing` or `incoming`.", "example": "outgoing"}
    )
    metadata = fields.Dict(metadata={"description": "Metadata of that link."})
    depth = fields.Integer(metadata={"description": "Links to get there; 1 is direct.", "example": 1})
    path = fields.List(
        fields.String(), metadata={"description": "Slugs on the way, both ends included.", "example": ["billing", "x"]}
    )
    created_at = IsoTime(metadata={"description": "When that link was made."})


class LinkedProjectsOut(ma.Schema):
    """Projects that are linked to one."""

    project = fields.String(metadata={"description": "Slug of the project asked about.", "example": "billing"})
    data = fields.List(fields.Nested(LinkedProjectOut), metadata={"description": "Nearest first."})
    total = fields.Integer(metadata={"description": "Entries in `data`, which ends at about 1,000.", "example": 1})


class ProjectImpactIn(Schema):
    """A change that is being thought about."""

    project = Slug(required=True, metadata={"description": "Where the change happens."})
    change_description = Text(
        5000, blank=False, required=True,
        metadata={"description": "What is to change.", "example": "Drop the legacy invoice endpoint"},
    )  # fmt: skip
    limit = fields.Integer(
        load_default=5, validate=validate.Range(1, 20, error="must lie between {min} and {max}"),
        metadata={"description": "Most decisions, and most memories, of each project.", "example": 5},
    )  # fmt: skip
    min_score = Fraction(load_default=0.3, metadata={"description": "Leave out what scores less.", "example": 0.3})


class RelevantDecisionOut(ma.Schema):
    """A decision that the change may touch."""

    decision = fields.Nested(DecisionOut, metadata={"description": "The decision."})
    score = fields.Float(metadata={"description": "0 to 1.", "example": 0.7})


class RelevantMemoryOut(ma.Schema):
    """A memory that the change may touch."""

    memory = fields.Nested(MemoryOut, metadata={"description": "The memory."})
    score = fields.Float(metadata={"description": "0 to 1.", "example": 0.7})


class SharedPatternOut(ma.Schema):
    """A pattern that ties two projects, by name."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    title = fields.String(metadata={"description": "What it is called.", "example": "Idempotent writers"})


class AffectedProjectOut(ma.Schema):
    """A project that depends on the changed one."""

    slug = fields.String(metadata={"description": "Its slug.", "example": "checkout"})
    name = fields.String(metadata={"description": "Its name.", "example": "Checkout"})
    relationship_type = fields.String(metadata={"description": "Its link on the way.", "example": "depends_on"})
    depth = fields.Integer(metadata={"description": "Links away; 1 depends directly.", "example": 1})
    path = fields.List(
        fields.String(),
        metadata={"description": "Slugs from the changed project to this one.", "example": ["billing", "checkout"]},
    )
    relevant_decisions = fields.List(fields.Nested(RelevantDecisionOut), metadata={"description": "Best first."})
    relevant_memories = fields.List(fields.Nested(RelevantMemoryOut), metadata={"description": "Best first."})
    shared_patterns = fields.List(
        fields.Nested(SharedPatternOut), metadata={"description": "Up to 5 patterns that both have adopted."}
    )


class ProjectImpactOut(ma.Schema):
    """What a change may touch."""

    project = fields.String(metadata={"description": "Slug of the changed project.", "example": "billing"})
    change_description = fields.String(
        metadata={"description": "The change, as sent.", "example": "Drop the legacy invoice endpoint"}
    )
    affected_projects = fields.List(
        fields.Nested(AffectedProjectOut),
        metadata={"description": "Nearest first; the first 25 with what they decided and know."},
    )
    total_affected = fields.Integer(metadata={"description": "Projects that depend on it.", "example": 1})


class SharedArgs(Schema):
    """Query arguments of shared patterns."""

    a = Slug(required=True, metadata={"description": "Slug of one project.", "example": "billing"})
    b = Slug(required=True, metadata={"description": "Slug of the other.", "example": "ledger"})


class SharedPatternsOut(ma.Schema):
    """Patterns that two projects have adopted."""

    project_a = fields.String(metadata={"description": "Slug of one project.", "example": "billing"})
    project_b = fields.String(metadata={"description": "Slug of the other.", "example": "ledger"})
    data = fields.List(fields.Nested(PatternOut), metadata={"description": "Up to 100, newest first."})
    total = fields.Integer(metadata={"description": "Entries in `data`.", "example": 1})

"""Patterns on the wire."""

import marshmallow as ma
from marshmallow import fields, validate

from app.schemas.common import Fraction, IsoTime, Metadata, Schema, Text
from app.schemas.memories import SLUG, one_of
from app.schemas.tags import TagFilter, Tags

SCOPES = ("global", "project")
LONGEST = 50_000

TITLE = {"description": "What it is called.", "example": "Idempotent writers"}
DESCRIPTION = {"description": "What to do, and when.", "example": "Every write takes an idempotency key"}
CATEGORY = {"description": "Free text.", "example": "reliability"}
EXAMPLE = {"description": "Code that shows it.", "example": "def put(key): ..."}
SCOPE = {"description": "`global`: for all projects; `project`: for its source and those that adopt it."}


class PatternOut(ma.Schema):
    """A pattern: a solution worth repeating."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    object = fields.Constant("pattern", metadata={"description": "Always `pattern`."})
    title = fields.String(metadata=TITLE)
    description = fields.String(metadata=DESCRIPTION)
    scope = fields.String(validate=one_of(SCOPES), metadata={**SCOPE, "example": "global"})
    category = fields.String(allow_none=True, metadata=CATEGORY)
    tags = fields.List(fields.String(), metadata={"description": "Labels.", "example": ["api"]})
    example_code = fields.String(allow_none=True, metadata=EXAMPLE)
    source_project_id = fields.String(
        allow_none=True,
        metadata={"description": "UUID of the project it comes from, once that is registered.", "format": "uuid"},
    )
    source_project_slug = fields.String(
        allow_none=True, metadata={"description": "Slug of the project it comes from.", "example": "billing"}
    )
    metadata = fields.Dict(metadata={"description": "The client's own JSON object."})
    adoption_count = fields.Integer(metadata={"description": "Projects that adopted it.", "example": 3})
    created_at = IsoTime(metadata={"description": "When it was created."})
    updated_at = IsoTime(metadata={"description": "When it was last changed; adopting it changes nothing."})


class PatternCreate(Schema):
    """A new pattern."""

    title = Text(500, blank=False, required=True, metadata=TITLE)
    description = Text(LONGEST, blank=False, required=True, metadata=DESCRIPTION)
    scope = Text(load_default="global", validate=[one_of(SCOPES)], metadata=SCOPE)
    category = Text(100, metadata=CATEGORY)
    tags = Tags(load_default=list, metadata={"description": "At most 20.", "example": ["api"]})
    example_code = Text(LONGEST, metadata=EXAMPLE)
    source_project = Text(
        100,
        validate=[SLUG],
        metadata={"description": "Slug; kept as text while nobody has registered it.", "example": "billing"},
    )
    metadata = Metadata(load_default=dict, metadata={"description": "At most 10 KB."})


class PatternUpdate(Schema):
    """Changes to a pattern; absent and null fields stay as they are."""

    title = Text(500, blank=False, metadata=TITLE)
    description = Text(LONGEST, blank=False, metadata=DESCRIPTION)
    scope = Text(validate=[one_of(SCOPES)], metadata=SCOPE)
    category = Text(100, metadata=CATEGORY)
    tags = Tags(metadata={"description": "All its tags from now on.", "example": ["api"]})
    example_code = Text(LONGEST, metadata=EXAMPLE)
    source_project = Text(
        100, validate=[SLUG], metadata={"description": "Slug of the project it comes from.", "example": "billing"}
    )
    metadata = Metadata(metadata={"description": "Merged key by key; a null value removes its key."})


class PatternFilter(TagFilter):
    """Query arguments of the list."""

    scope = Text(validate=[one_of(SCOPES)], metadata={"description": "`global` or `project`."})
    category = Text(100, metadata={"description": "Category, case ignored.", "example": "reliability"})
    project = Text(100, metadata={"description": "Slug: patterns it adopted or is the source of."})


class PatternSearch(Schema):
    """What is looked for."""

    query = Text(
        10_000, blank=False, required=True, metadata={"description": "The question.", "example": "retry safely"}
    )
    category = Text(100, metadata={"description": "Category, case ignored.", "example": "reliability"})
    project = Text(100, metadata={"description": "Slug: global patterns and those of this project."})
    limit = fields.Integer(
        load_default=10, validate=validate.Range(1, 50, error="must lie between {min} and {max}"),
        metadata={"description": "Most hits to return.", "example": 10},
    )  # fmt: skip
    threshold = Fraction(load_default=0.3, metadata={"description": "Leave out hits below this score."})
    min_score = Fraction(metadata={"description": "Same as `threshold`.", "example": 0.3})


class PatternHitOut(ma.Schema):
    """One hit."""

    pattern = fields.Nested(PatternOut, metadata={"description": "The pattern."})
    score = fields.Float(metadata={"description": "0 to 1; below 0.3 hardly related.", "example": 0.47})


class PatternSearchOut(ma.Schema):
    """Patterns, best first."""

    data = fields.List(fields.Nested(PatternHitOut), metadata={"description": "Hits, best first."})
    query = fields.String(metadata={"description": "The question as sent."})
    total = fields.Integer(metadata={"description": "Hits in `data`.", "example": 1})


class PatternSuggest(Schema):
    """For whom, and how many."""

    project = Text(100, blank=False, required=True, metadata={"description": "Project slug.", "example": "billing"})
    limit = fields.Integer(
        load_default=10, validate=validate.Range(1, 50, error="must lie between {min} and {max}"),
        metadata={"description": "Most patterns to return.", "example": 10},
    )  # fmt: skip


class PatternSuggestOut(ma.Schema):
    """Patterns the project has not adopted, most popular among similar projects first."""

    data = fields.List(fields.Nested(PatternOut), metadata={"description": "Patterns, best first."})
    project = fields.String(metadata={"description": "The slug as sent.", "example": "billing"})
    total = fields.Integer(metadata={"description": "Patterns in `data`.", "example": 1})


class PatternAdopt(Schema):
    """Who adopts it."""

    project = Text(100, blank=False, required=True, metadata={"description": "Project slug.", "example": "billing"})


class PatternAbandon(Schema):
    """Who gives it up, in the body or in the query."""

    project = Text(100, blank=False, metadata={"description": "Project slug.", "example": "billing"})


class AdopterOut(ma.Schema):
    """A project that adopted the pattern."""

    id = fields.String(metadata={"description": "UUID of the project.", "format": "uuid"})
    slug = fields.String(metadata={"description": "Its slug.", "example": "billing"})
    name = fields.String(metadata={"description": "Its name.", "example": "Billing"})
    adopted_at = IsoTime(metadata={"description": "When it adopted the pattern."})

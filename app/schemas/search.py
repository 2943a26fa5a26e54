"""Searches on the wire."""

import marshmallow as ma
from marshmallow import fields, validate

from app.schemas.agents import Name
from app.schemas.common import Fraction, Id, IsoTime, Moment, Schema, Text
from app.schemas.memories import TIERS, TYPES, VISIBILITIES, MemoryOut, one_of
from app.schemas.moments import Past

MODES = ("hybrid", "semantic", "keyword")
ARMS = ("vectors", "words", "session", "graph", "entities")
CONFIDENCES = ("high", "medium", "low")
TIMES = ("boost", "restrict", "ignore")
NODES = ("question", "memory", "entity")


class SearchWeights(Schema):
    """Weights of one search in place of the usual ones, to see what each does; docs/recall.md says what they weigh."""

    lexical = Fraction(metadata={"description": "Words against meaning.", "example": 0.4})
    from_previous = Fraction(metadata={"description": "Taken over from the one before in the session.", "example": 0.3})
    from_next = Fraction(metadata={"description": "Taken over from the one after in the session.", "example": 0.4})
    named = Fraction(metadata={"description": "For carrying names of the question.", "example": 0.1})
    hop = Fraction(metadata={"description": "For what the best hits lead to by name.", "example": 0.4})
    shared_name = Fraction(metadata={"description": "A name shared, against a name in the title.", "example": 0.3})
    walk = Fraction(metadata={"description": "For what two steps through the graph reach.", "example": 0.2})
    boost = Fraction(metadata={"description": "Recency, importance, tier, evidence; 0: without.", "example": 1.0})
    further = Fraction(
        metadata={"description": "Taken off the cosine of what stands far down in a long memory.", "example": 0.08}
    )


class SearchFilter(Schema):
    """What every hit must be; absent: anything. Times are from (`_after`) and up to, but without (`_before`)."""

    agent_id = Name(metadata={"description": "Agent UUID or name; all agents when absent."})
    user_id = Text(255, metadata={"description": "Only this end user's."})
    session_id = Id(metadata={"description": "Only this session."})
    project = Text(100, metadata={"description": "Project slug; all projects when absent."})
    memory_type = Text(validate=[one_of(TYPES)], metadata={"description": "Only this kind."})
    tier = Text(validate=[one_of(TIERS)], metadata={"description": "Only this tier."})
    visibility = Text(
        validate=[one_of(VISIBILITIES)],
        metadata={"description": "Only these; absent: `private` ones, and all with `include_confidential`."},
    )
    min_importance = Fraction(metadata={"description": "Leave out less important ones.", "example": 0.5})
    created_after = Moment(metadata={"description": "Stored at this time or later."})
    created_before = Moment(metadata={"description": "Stored before this time."})
    occurred_after = Moment(metadata={"description": "Tells of something at this time or later."})
    occurred_before = Moment(metadata={"description": "Tells of something before this time."})
    include_confidential = fields.Boolean(load_default=False, metadata={"description": "Also confidential ones."})
    include_archived = fields.Boolean(load_default=False, metadata={"description": "Also archived ones."})
    archived_only = fields.Boolean(load_default=False, metadata={"description": "Archived ones alone."})
    metadata_filter = fields.Dict(
        load_default=dict, metadata={"description": "Keys and values a hit's metadata must have."}
    )


class SearchIn(SearchFilter):
    """A search. Results come best first; `score` is between 0 and 1."""

    query = Text(
        10_000, blank=False, required=True, metadata={"description": "The question.", "example": "when do we deploy?"}
    )
    limit = fields.Integer(
        load_default=10, validate=validate.Range(1, 100, error="must lie between {min} and {max}"),
        metadata={"description": "Most hits to return.", "example": 10},
    )  # fmt: skip
    time = Text(
        load_default="boost", validate=[one_of(TIMES)],
        metadata={
            "description": "What a time in the question does (`last March`, `two weeks before the release`): `boost` "
            "what took place then, `restrict` the hits to it, `ignore`.",
        },
    )  # fmt: skip
    as_of = Past(
        metadata={
            "description": "Answer as at this moment, with texts as they were. What was deleted since does not come "
            "back; names are not followed."
        }
    )
    min_score = Fraction(metadata={"description": "Leave out hits below this score.", "example": 0.3})
    threshold = Fraction(
        metadata={"description": "Same as `min_score`, for older clients.", "example": 0.3, "deprecated": True}
    )
    search_mode = Text(
        load_default="hybrid", validate=[one_of(MODES)], metadata={"description": "`hybrid`, `semantic` or `keyword`."}
    )
    arms = fields.List(
        Text(validate=[one_of(ARMS)]), validate=validate.Length(1, error="must name at least one arm"),
        metadata={"description": "Only these arms of a hybrid search, to see what each is worth; absent: all."},
    )  # fmt: skip
    weights = fields.Nested(SearchWeights, metadata={"description": "Other weights for a hybrid search."})
    explain = fields.Boolean(
        load_default=False, metadata={"description": "Add why each hit is here, and how the search went."}
    )
    include_linked = fields.Boolean(
        load_default=False,
        metadata={"description": "Add the decisions that rest on the hits and the patterns of their projects."},
    )
    collapse = fields.Boolean(
        load_default=False, metadata={"description": "Leave out what says nothing that a better hit does not."}
    )
    diversity = Fraction(
        metadata={"description": "0 shows the best; towards 1, hits that differ more from each other.", "example": 0.3}
    )
    compress = fields.Boolean(
        load_default=False, metadata={"description": "Shorten the texts to their best sentences."}
    )
    max_context_tokens = fields.Integer(
        validate=validate.Range(1, 1_000_000, error="must lie between {min} and {max}"),
        metadata={"description": "Beside `compress`: tokens all texts together may take.", "example": 1000},
    )


class HitNodeOut(ma.Schema):
    """A node on the way to a hit."""

    kind = fields.String(validate=one_of(NODES), metadata={"description": "What it is.", "example": "entity"})
    id = fields.String(
        allow_none=True, metadata={"description": "UUID; null for the question.", "format": "uuid", "example": None}
    )
    name = fields.String(metadata={"description": "Its name, or the beginning of its text.", "example": "Billing"})


class HitPathOut(ma.Schema):
    """The way from the question to a hit: nodes, and between each two a relationship."""

    nodes = fields.List(fields.Nested(HitNodeOut), metadata={"description": "From the question to the hit."})
    relationships = fields.List(
        fields.String(),
        metadata={
            "description": "`FOUND` by meaning or words, `NAMES`, or the type of a relationship of the graph.",
            "example": ["FOUND", "MENTIONS", "ABOUT"],
        },
    )


class HitArmOut(ma.Schema):
    """What one arm says of a hit."""

    rank = fields.Integer(
        allow_none=True,
        metadata={"description": "Place in this arm; null for one that only adds.", "example": 1},
    )
    score = fields.Float(
        metadata={"description": "Cosine (`vectors`), BM25 (`words`), else what the arm adds.", "example": 0.71}
    )


class HitReasonOut(ma.Schema):
    """Why a hit is where it is."""

    ranking_score = fields.Float(
        metadata={"description": "What it was ranked by; compares within one search.", "example": 1.12}
    )
    arms = fields.Dict(
        keys=fields.String(), values=fields.Nested(HitArmOut),
        metadata={"description": "By arm that had a part.", "example": {"words": {"rank": 1, "score": 9.1}}},
    )  # fmt: skip
    boosts = fields.Dict(
        keys=fields.String(), values=fields.Float(),
        metadata={"description": "Factors around 1, multiplied.", "example": {"recency": 1.01, "tier": 1.0}},
    )  # fmt: skip
    path = fields.Nested(HitPathOut, metadata={"description": "The way that contributed most."})


class HitOut(ma.Schema):
    """One hit."""

    memory = fields.Nested(MemoryOut, metadata={"description": "The memory."})
    score = fields.Float(metadata={"description": "0 to 1; 0.9 and above means nearly the same text.", "example": 0.81})
    distance = fields.Float(metadata={"description": "1 minus the score.", "example": 0.19})
    confidence = fields.String(
        validate=one_of(CONFIDENCES), metadata={"description": "How sure it answers; `low`: most likely not."}
    )
    explanation = fields.Nested(
        HitReasonOut, metadata={"description": "Why it is here, with `explain`.", "sometimes": True}
    )


class TimeOut(ma.Schema):
    """A stretch of time."""

    phrase = fields.String(metadata={"description": "The words of the question.", "example": "last March"})
    start = IsoTime(data_key="from", metadata={"description": "Its beginning."})
    end = IsoTime(data_key="to", metadata={"description": "Its end, which is no part of it."})


class SearchReasonOut(ma.Schema):
    """How a search went."""

    mode = fields.String(validate=one_of(MODES), metadata={"description": "Search mode."})
    arms = fields.List(fields.String(), metadata={"description": "Arms in use.", "example": ["vectors", "words"]})
    words = fields.List(fields.String(), metadata={"description": "Words looked for.", "example": ["deploy"]})
    names = fields.List(fields.String(), metadata={"description": "Names in the question.", "example": ["billing"]})
    counts = fields.Dict(
        keys=fields.String(), values=fields.Integer(),
        metadata={"description": "How many of what.", "example": {"memories": 1200, "ranked": 131}},
    )  # fmt: skip
    times = fields.List(
        fields.Nested(TimeOut), metadata={"description": "Stretches of time that the question speaks of."}
    )
    ms = fields.Dict(
        keys=fields.String(), values=fields.Float(),
        metadata={"description": "Milliseconds by stage.", "example": {"embed": 6.9, "search": 9.4}},
    )  # fmt: skip


class LinkedDecisionOut(ma.Schema):
    """A decision in force that rests on hits."""

    id = fields.String(metadata={"description": "UUID of the decision.", "format": "uuid"})
    title = fields.String(metadata={"description": "What was decided.", "example": "Keep jobs in the database"})
    rationale = fields.String(metadata={"description": "Why.", "example": "One thing less to run"})
    memory_ids = fields.List(
        fields.String(metadata={"description": "UUID.", "format": "uuid"}),
        metadata={"description": "The hits it rests on."},
    )


class LinkedPatternOut(ma.Schema):
    """A pattern that projects of hits have adopted."""

    id = fields.String(metadata={"description": "UUID of the pattern.", "format": "uuid"})
    title = fields.String(metadata={"description": "Its title.", "example": "Outbox"})
    memory_ids = fields.List(
        fields.String(metadata={"description": "UUID.", "format": "uuid"}),
        metadata={"description": "The hits of those projects."},
    )


class SearchLinksOut(ma.Schema):
    """What is tied to the hits, most tied first."""

    decisions = fields.List(fields.Nested(LinkedDecisionOut), metadata={"description": "Decisions in force."})
    patterns = fields.List(fields.Nested(LinkedPatternOut), metadata={"description": "Patterns in use."})


class SearchOut(ma.Schema):
    """Hits, best first."""

    object = fields.Constant("search_results", metadata={"description": "Always `search_results`."})
    query = fields.String(metadata={"description": "The question as sent."})
    data = fields.List(fields.Nested(HitOut), metadata={"description": "Hits, best first."})
    no_relevant_memory = fields.Boolean(
        metadata={"description": "Whether nothing answers: the hits are only the nearest there is.", "example": False}
    )
    explanation = fields.Nested(
        SearchReasonOut, metadata={"description": "How the search went, with `explain`.", "sometimes": True}
    )
    linked = fields.Nested(
        SearchLinksOut, metadata={"description": "What is tied to the hits, with `include_linked`.", "sometimes": True}
    )

"""Questions and their answers, on the wire."""

import marshmallow as ma
from marshmallow import fields, validate

from app.schemas.common import IsoTime, Text, UnixTime
from app.schemas.memories import one_of
from app.schemas.search import SearchIn

METHODS = ("model", "extractive")


class AskIn(SearchIn):
    """A question. Filters are those of a search."""

    class Meta(SearchIn.Meta):
        exclude = (
            "query",
            "search_mode",
            "arms",
            "weights",
            "explain",
            "include_linked",
            "collapse",
            "compress",
            "max_context_tokens",
        )

    question = Text(
        10_000, blank=False, required=True, metadata={"description": "The question.", "example": "When do we deploy?"}
    )
    limit = fields.Integer(
        load_default=10, validate=validate.Range(1, 50, error="must lie between {min} and {max}"),
        metadata={"description": "Most memories to answer from.", "example": 10},
    )  # fmt: skip
    max_tokens = fields.Integer(
        load_default=4_000, validate=validate.Range(100, 128_000, error="must lie between {min} and {max}"),
        metadata={"description": "Tokens of four characters that these memories may take together.", "example": 4000},
    )  # fmt: skip
    method = Text(
        validate=[one_of(METHODS)],
        metadata={
            "description": "`extractive`: ask no chat model. Absent or `model`: ask it where one is configured.",
            "example": "extractive",
        },
    )
    stream = fields.Boolean(
        metadata={"description": "Answer as server-sent events; absent: when `Accept` prefers `text/event-stream`."}
    )


class CitationOut(ma.Schema):
    """Words that bear an answer out, exactly as they stand in the memory."""

    number = fields.Integer(metadata={"description": "Its number among `hits` and in the answer.", "example": 1})
    memory_id = fields.String(metadata={"description": "UUID of the memory.", "format": "uuid"})
    quote = fields.String(
        metadata={"description": "Words of the memory.", "example": "Deploys of billing happen on Tuesdays"}
    )
    score = fields.Float(metadata={"description": "Score of the memory, 0 to 1.", "example": 0.81})


class AnswerHitOut(ma.Schema):
    """A memory that was looked at."""

    number = fields.Integer(metadata={"description": "What the answer calls it, from 1.", "example": 1})
    memory_id = fields.String(metadata={"description": "UUID of the memory.", "format": "uuid"})
    content = fields.String(
        metadata={
            "description": "Its text, cut at a word where the budget ends.",
            "example": "Deploys of billing happen on Tuesdays",
        }
    )
    truncated = fields.Boolean(metadata={"description": "Whether it was cut to fit."})
    score = fields.Float(metadata={"description": "0 to 1.", "example": 0.81})
    memory_type = fields.String(metadata={"description": "Kind of memory.", "example": "fact"})
    agent_id = fields.String(metadata={"description": "UUID of the agent.", "format": "uuid"})
    session_id = fields.String(allow_none=True, metadata={"description": "Its session.", "format": "uuid"})
    occurred_at = IsoTime(allow_none=True, metadata={"description": "When what it tells took place."})
    created_at = UnixTime(metadata={"description": "Unix seconds.", "example": 1773655200})


class AnswerOut(ma.Schema):
    """An answer, and what bears it out."""

    object = fields.Constant("answer", metadata={"description": "Always `answer`."})
    question = fields.String(metadata={"description": "The question as sent.", "example": "When do we deploy?"})
    answer = fields.String(
        metadata={
            "description": "The answer; `[1]` stands for the first of `hits`.",
            "example": "Deploys of billing happen on Tuesdays [1]",
        }
    )
    known = fields.Boolean(metadata={"description": "False: no memory answers it, and `answer` says so."})
    method = fields.String(
        validate=one_of(METHODS),
        metadata={"description": "`model`, or `extractive`: sentences word for word.", "example": "extractive"},
    )
    model = fields.String(allow_none=True, metadata={"description": "The chat model that answered.", "example": "tiny"})
    citations = fields.List(fields.Nested(CitationOut), metadata={"description": "In the order of the answer."})
    hits = fields.List(fields.Nested(AnswerHitOut), metadata={"description": "What was looked at, best first."})

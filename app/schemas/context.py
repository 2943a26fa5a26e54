"""Context for a prompt, on the wire."""

import marshmallow as ma
from marshmallow import fields, validate

from app.schemas.blocks import BlockOut
from app.schemas.common import Fraction, Id, Text
from app.schemas.memories import TYPES, one_of
from app.schemas.moments import Past
from app.schemas.search import MODES, SearchFilter


class ContextIn(SearchFilter):
    """What the context is to be about. Filters are those of a search."""

    query = Text(
        10_000, blank=False, required=True, metadata={"description": "The question.", "example": "when do we deploy?"}
    )
    limit = fields.Integer(
        load_default=10, validate=validate.Range(1, 50, error="must lie between {min} and {max}"),
        metadata={"description": "Most memories to use.", "example": 10},
    )  # fmt: skip
    threshold = Fraction(load_default=0.5, metadata={"description": "Leave out hits below this score."})
    min_score = Fraction(metadata={"description": "Same as `threshold`, and goes before it.", "example": 0.5})
    max_tokens = fields.Integer(
        validate=validate.Range(1, 1_000_000, error="must lie between {min} and {max}"),
        metadata={"description": "Tokens of four characters that the text may take.", "example": 1000},
    )
    as_of = Past(
        metadata={
            "description": "Build it as at this moment, with texts as they were, and the decisions in force then."
        }
    )


class ContextSourceOut(ma.Schema):
    """A memory that the text was made from."""

    memory_id = fields.String(metadata={"description": "UUID of the memory.", "format": "uuid"})
    score = fields.Float(metadata={"description": "0 to 1.", "example": 0.81})
    chars = fields.Integer(metadata={"description": "Characters of it in the text.", "example": 120})
    truncated = fields.Boolean(metadata={"description": "Whether it was cut to fit."})


class ContextOut(ma.Schema):
    """A text ready for a prompt: one block for each memory, best first, its score before it; and the same grouped."""

    context = fields.String(
        metadata={
            "description": "The text; empty when nothing was found.",
            "example": "[81%] Deploys of billing happen on Tuesdays",
        }
    )
    memories_used = fields.Integer(metadata={"description": "Memories in it.", "example": 4})
    total_chars = fields.Integer(metadata={"description": "Characters in it.", "example": 1180})
    token_count = fields.Integer(metadata={"description": "The same in tokens of four characters.", "example": 295})
    sources = fields.List(fields.Nested(ContextSourceOut), metadata={"description": "The memories, best first."})
    blocks = fields.List(
        fields.Nested(BlockOut),
        metadata={"description": "By session and day, then decisions in force, then names; `max_tokens` at most."},
    )


class ContextBuildIn(SearchFilter):
    """What the context is to be about, and how to build it. Filters are those of a search."""

    query = Text(
        10_000, blank=False, required=True, metadata={"description": "The question.", "example": "when do we deploy?"}
    )
    max_memories = fields.Integer(
        load_default=20, validate=validate.Range(1, 100, error="must lie between {min} and {max}"),
        metadata={"description": "Most memories to use.", "example": 20},
    )  # fmt: skip
    max_tokens = fields.Integer(
        validate=validate.Range(100, 128_000, error="must lie between {min} and {max}"),
        metadata={"description": "Tokens of four characters that all contents together may take.", "example": 1000},
    )
    min_score = Fraction(metadata={"description": "Leave out hits below this score.", "example": 0.5})
    threshold = Fraction(
        metadata={"description": "Same as `min_score`, for older clients.", "example": 0.5, "deprecated": True}
    )
    search_mode = Text(
        load_default="hybrid", validate=[one_of(MODES)], metadata={"description": "`hybrid`, `semantic` or `keyword`."}
    )
    ranking_version = Text(50, metadata={"description": "Accepted; there is one, `v1`.", "example": "v1"})
    ai_enhanced = fields.Boolean(
        load_default=False, metadata={"description": "Add a `summary` by a chat model, where one is configured."}
    )
    llm_api_url = Text(
        2048,
        metadata={
            "description": "OpenAI-compatible address for the summary; no key is sent.",
            "format": "uri",
            "example": "https://llm.example.com/v1",
        },
    )
    llm_model = Text(
        255,
        metadata={
            "description": "Model at `llm_api_url`, or at your own extraction key's address.",
            "example": "small-1",
        },
    )
    exclude_memory_ids = fields.List(
        Id(), load_default=list, validate=validate.Length(max=500, error="must hold at most {max} ids"),
        metadata={"description": "Memories to leave out, because they were used before."},
    )  # fmt: skip
    block_texts = fields.Boolean(
        load_default=False, metadata={"description": "Repeat the memories' texts in `blocks`, ready for a prompt."}
    )
    as_of = Past(
        metadata={
            "description": "Build it as at this moment, with texts as they were, and the decisions in force then."
        }
    )


class ContextItemOut(ma.Schema):
    """One memory of the context."""

    memory_id = fields.String(metadata={"description": "UUID of the memory.", "format": "uuid"})
    content = fields.String(metadata={"description": "Its text, cut at a word where the budget ends."})
    score = fields.Float(metadata={"description": "0 to 1.", "example": 0.77})
    memory_type = fields.String(validate=one_of(TYPES), metadata={"description": "Kind of memory.", "example": "fact"})
    agent_id = fields.String(metadata={"description": "UUID of the agent.", "format": "uuid"})
    truncated = fields.Boolean(metadata={"description": "Whether it was cut to fit."})


class ContextBuildOut(ma.Schema):
    """Memories for a prompt, best first."""

    context = fields.List(fields.Nested(ContextItemOut), metadata={"description": "Best first."})
    summary = fields.String(allow_none=True, metadata={"description": "By the chat model; null without."})
    token_count = fields.Integer(metadata={"description": "Tokens of four characters in all contents.", "example": 214})
    ranking_version = fields.String(metadata={"description": "How they were ranked.", "example": "v1"})
    ai_enhanced = fields.Boolean(metadata={"description": "Whether `summary` was made."})
    latency_ms = fields.Integer(metadata={"description": "Milliseconds it took.", "example": 38})
    blocks = fields.List(
        fields.Nested(BlockOut),
        metadata={"description": "By session and day, then decisions in force, then names; `max_tokens` at most."},
    )

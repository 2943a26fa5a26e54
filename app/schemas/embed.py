"""Vectors on the wire."""

import marshmallow as ma
from marshmallow import fields

from app.schemas.common import Schema, Text
from app.schemas.memories import LONGEST, one_of

PREFIXES = ("search_query", "search_document")


class EmbedIn(Schema):
    """A text to embed."""

    text = Text(LONGEST, blank=False, required=True, metadata={"description": "The text.", "example": "when?"})
    prefix = Text(
        load_default="search_query", validate=[one_of(PREFIXES)],
        metadata={"description": "`search_query` for a question, `search_document` for a text as it is stored."},
    )  # fmt: skip


class EmbedOut(ma.Schema):
    """The vector that a search or a store would use."""

    embedding = fields.List(fields.Float(), metadata={"description": "Of length 1.", "example": [0.031, -0.118, 0.067]})
    dimension = fields.Integer(metadata={"description": "How many numbers.", "example": 384})
    model = fields.String(metadata={"description": "`provider:model`.", "example": "local:bge-small-en-v1.5-q"})

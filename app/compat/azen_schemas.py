"""Azen's requests and answers. The answers are what its API document says of them."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from app.compat.frame import Clamped
from app.schemas.common import Id, Schema, Text
from app.schemas.memories import LONGEST

LONGEST_QUERY = 10_000
# Far beyond any list, and times `per` still a number that the database takes.
LAST_PAGE = 1_000_000_000
SOME = validate.Length(min=1, error="must not be empty")
ID = {"description": "UUID of the memory.", "example": "3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90"}
TIME = {"description": "ISO 8601 in UTC, with milliseconds.", "example": "2026-03-20T09:15:00.482Z"}


def always(value: str) -> fields.String:
    """Return a field that has one value."""
    return fields.String(validate=validate.OneOf([value]), metadata={"description": f"Always `{value}`."})


class Number(fields.Integer):
    """A whole number; digits in a text are none."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, str):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **kwargs)


class MemoryIn(Schema):
    """A new memory. Unknown fields are ignored."""

    text = Text(
        LONGEST, required=True, validate=[SOME],
        metadata={"description": "The text to remember.", "example": "Deploys of billing happen on Tuesdays"},
    )  # fmt: skip


class PageIn(Schema):
    """Which page of a list. What lies outside is moved in, what is no number is the default."""

    page = Clamped(1, LAST_PAGE, 1, metadata={"description": "Number of the page, from 1.", "example": 1})
    per = Clamped(1, 100, 20, metadata={"description": "Memories on a page, 1 to 100.", "example": 20})


class SearchIn(Schema):
    """A search by meaning."""

    query = Text(
        LONGEST_QUERY, required=True, validate=[SOME],
        metadata={"description": "The question.", "example": "when do we deploy?"},
    )  # fmt: skip
    topK = Number(
        load_default=5, validate=validate.Range(1, 50, error="must lie between {min} and {max}"),
        metadata={"description": "Most matches to return.", "example": 5},
    )  # fmt: skip


class MemoryOut(ma.Schema):
    """A memory."""

    id = Id(metadata=ID)
    content = fields.String(metadata={"description": "The text, as it was sent."})
    metadata = fields.Dict(
        allow_none=True,
        metadata={"description": "JSON object that another API has stored with it; else null.", "example": None},
    )
    createdAt = fields.String(metadata={**TIME, "format": "date-time"})
    embedded = fields.Boolean(metadata={"description": "Whether search finds it yet.", "example": True})


class CreatedOut(ma.Schema):
    """A memory was stored; it is embedded in the background."""

    status = always("success")
    memoryId = Id(metadata=ID)
    createdAt = fields.String(metadata={**TIME, "format": "date-time"})
    embedding = always("processing")


class PageOut(ma.Schema):
    """One page of memories, newest first."""

    status = always("success")
    memories = fields.List(fields.Nested(MemoryOut), metadata={"description": "The memories of this page."})
    page = fields.Integer(metadata={"description": "Number of the page.", "example": 1})
    per = fields.Integer(metadata={"description": "Memories on a page.", "example": 20})
    total_pages = fields.Integer(metadata={"description": "Pages there are; 0 without memories.", "example": 3})
    total_count = fields.Integer(metadata={"description": "Memories there are.", "example": 47})


class FetchedOut(ma.Schema):
    """One memory."""

    status = always("success")
    memory = fields.Nested(MemoryOut, metadata={"description": "The memory."})


class DeletedOut(ma.Schema):
    """A memory is gone."""

    status = always("success")
    deleted = fields.Boolean(metadata={"description": "Always true.", "example": True})
    memoryId = Id(metadata=ID)
    message = fields.String(metadata={"description": "The same in words.", "example": "Memory deleted"})


class MatchOut(ma.Schema):
    """One match."""

    id = fields.String(metadata={"description": "Id of the memory, `::` and 0.", "example": f"{ID['example']}::0"})
    score = fields.Float(metadata={"description": "0 to 1, higher is closer.", "example": 0.81})
    values = fields.List(fields.Float(), metadata={"description": "Always empty.", "example": []})


class FoundOut(ma.Schema):
    """What a search found, best first."""

    status = always("success")
    memories = fields.List(fields.Nested(MemoryOut), metadata={"description": "The memories found, best first."})
    rawMatches = fields.List(fields.Nested(MatchOut), metadata={"description": "Their scores, in the same order."})


class RangeOut(ma.Schema):
    """A stretch of days (UTC), both ends included."""

    start = fields.String(metadata={"description": "First day.", "format": "date", "example": "2026-02-19"})
    end = fields.String(metadata={"description": "Last day, today.", "format": "date", "example": "2026-03-20"})


class SeriesOut(ma.Schema):
    """One number for each day."""

    memory_create = fields.List(fields.Integer(), metadata={"description": "Memories stored.", "example": [4]})
    memory_search = fields.List(fields.Integer(), metadata={"description": "Searches answered.", "example": [9]})
    total = fields.List(fields.Integer(), metadata={"description": "Requests of both kinds.", "example": [13]})
    success = fields.List(fields.Integer(), metadata={"description": "Of these, answered well.", "example": [12]})
    error = fields.List(fields.Integer(), metadata={"description": "Of these, answered 4xx or 5xx.", "example": [1]})


class SummaryOut(ma.Schema):
    """The series, added up."""

    total_requests = fields.Integer(metadata={"description": "Requests.", "example": 13})
    success_count = fields.Integer(metadata={"description": "Answered well.", "example": 12})
    error_count = fields.Integer(metadata={"description": "Answered 4xx or 5xx.", "example": 1})
    memory_count = fields.Integer(metadata={"description": "Memories stored.", "example": 4})
    search_count = fields.Integer(metadata={"description": "Searches answered.", "example": 8})


class UsageOut(ma.Schema):
    """Creates and searches of the last 30 days, of all keys of the organisation."""

    range = fields.Nested(RangeOut, metadata={"description": "The days."})
    labels = fields.List(
        fields.String(metadata={"format": "date"}),
        metadata={"description": "The 30 days, oldest first.", "example": ["2026-03-20"]},
    )
    series = fields.Nested(SeriesOut, metadata={"description": "By day, in the order of `labels`."})
    summary = fields.Nested(SummaryOut, metadata={"description": "Added up."})


class LivenessOut(ma.Schema):
    """The server answers."""

    status = always("ok")


class ErrorOut(ma.Schema):
    """Every error has this body."""

    status = fields.String(metadata={"description": "Kind of error.", "example": "not_found"})
    message = fields.String(metadata={"description": "What is wrong.", "example": "Memory not found"})
    code = fields.Integer(metadata={"description": "The HTTP status.", "example": 404})

"""Lists: one set of query arguments, one envelope, one cursor.

`offset` works as documented; `next_cursor` costs the same on every page and neither skips nor repeats while others
write. A cursor holds the sort key of the last row shown and the total counted for the first page.
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import marshmallow as ma
import orjson
from marshmallow import fields, validate

from app.errors import invalid
from app.schemas.common import Schema, Text
from graph.labels import NEVER

DEFAULT_LIMIT = 20
MAX_LIMIT = 100
NO_CURSOR = "must be the `next_cursor` of an earlier page"
# What rows are told apart by: an id, a slug, a namespace, or a number.
TIE = re.compile(r"[\w.:/@-]{1,255}", re.ASCII)
SEQ = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True)
class Position:
    """Where a page starts: after the row with this sort key (newest first), or `offset` rows in."""

    before: int = NEVER
    before_id: str = ""
    offset: int = 0
    total: int | None = None

    @property
    def before_seq(self) -> int:
        """The last row's number, in lists whose rows are told apart by one.

        Raises:
            Invalid: the cursor is of another list.
        """
        if not self.before_id:
            return 0
        if not SEQ.fullmatch(self.before_id):
            raise invalid("cursor", NO_CURSOR)
        return int(self.before_id)


class PageArgs(Schema):
    """Query arguments of every list."""

    limit = fields.Integer(
        load_default=DEFAULT_LIMIT,
        validate=validate.Range(1, MAX_LIMIT, error="must lie between {min} and {max}"),
        metadata={"description": "Rows to return.", "example": 20},
    )
    offset = fields.Integer(
        load_default=0,
        validate=validate.Range(0, 10_000_000, error="must lie between {min} and {max}"),
        metadata={"description": "Rows to skip; ignored beside `cursor`.", "example": 0},
    )
    cursor = Text(512, metadata={"description": "`next_cursor` of the page before."})


def position(args: dict[str, Any]) -> Position:
    """Take the page arguments out of `args` and return where the page starts.

    Raises:
        Invalid: `cursor` is not one of ours.
    """
    cursor, offset = args.pop("cursor", None), args.pop("offset", 0)
    if not cursor:
        return Position(offset=offset)
    try:
        before, before_id, total = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, TypeError) as error:
        raise invalid("cursor", NO_CURSOR) from error
    if not (_counts(before) and _counts(total) and (type(before_id) is int or TIE.fullmatch(str(before_id)))):
        raise invalid("cursor", NO_CURSOR)
    return Position(before, str(before_id), 0, total)


def _counts(value: Any) -> bool:
    return type(value) is int and 0 <= value <= NEVER


def page(
    rows: list[dict[str, Any]], limit: int, at: Position, count: Callable[[], int], tie: str = "id"
) -> dict[str, Any]:
    """Return the list envelope for `rows`, fetched with `limit + 1`; `count` is asked on the first page only.

    Rows carry their sort key as `created_at` (epoch ms) and `tie`.
    """
    total = at.total if at.total is not None else count()
    shown, more = rows[:limit], len(rows) > limit
    return {
        "object": "list",
        "data": shown,
        "has_more": more,
        "next_cursor": _cursor(shown[-1], tie, total) if more else None,
        "total_count": total,
    }


def _cursor(row: dict[str, Any], tie: str, total: int) -> str:
    key = [row["created_at"], row[tie], total]
    return base64.urlsafe_b64encode(orjson.dumps(key)).decode().rstrip("=")


@cache
def list_of(item: type[ma.Schema]) -> type[ma.Schema]:
    """Return the envelope schema for pages of `item`; one for each, so that the API document names it once."""
    name = item.__name__.removesuffix("Out") + "List"
    made = ma.Schema.from_dict(
        {
            "object": fields.Constant("list", metadata={"description": "Always `list`."}),
            "data": fields.List(fields.Nested(item), metadata={"description": "The rows of this page."}),
            "has_more": fields.Boolean(metadata={"description": "Whether another page follows."}),
            "next_cursor": fields.String(allow_none=True, metadata={"description": "Send as `cursor` for the next."}),
            "total_count": fields.Integer(metadata={"description": "Rows in all pages together.", "example": 42}),
        },
        name=name,
    )
    # The API document describes a schema by its docstring.
    made.__doc__ = f"One page of a list. Each row: {(item.__doc__ or '').splitlines()[0]}"
    return made

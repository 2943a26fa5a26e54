"""Requests of Sendryx's clients. What is wrong is answered with 400."""

import re
from typing import Any

from marshmallow import ValidationError, fields

from app.compat.frame import Clamped
from app.schemas.common import Fraction, Metadata, Schema, Text
from app.schemas.keys import NAMESPACE

LONGEST = 8_191
LONGEST_LIFE = 3_153_600_000
DIGITS = re.compile(r"[0-9]{1,100}")
FLAGS = {"true": True, "false": False}


class Cut(Text):
    """A text of which the first LONGEST characters are taken."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return super()._deserialize(value[:LONGEST] if isinstance(value, str) else value, attr, data, **kwargs)


class Positive(fields.Field[int]):
    """A whole number from 1 on, as a number or as digits."""

    def __init__(self, most: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.most = most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, str) and DIGITS.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValidationError("must be a positive integer")
        if self.most is not None and value > self.most:
            raise ValidationError(f"must be at most {self.most}")
        return value


class Flag(fields.Field[bool]):
    """True or false, as JSON or as the words; nothing else, because it may be asked to delete everything."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if isinstance(value, bool):
            return value
        if not isinstance(value, str) or value.lower() not in FLAGS:
            raise ValidationError("must be true or false")
        return FLAGS[value.lower()]


class StoreIn(Schema):
    """A memory to store."""

    content = Cut(blank=False, required=True)
    metadata = Metadata(load_default=dict)
    expires_in_seconds = Positive(LONGEST_LIFE)


class SearchIn(Schema):
    """A question."""

    query = Text(10_000, blank=False, required=True)
    limit = Clamped(1, 100, 10)
    threshold = Fraction()


class ForgetIn(Schema):
    """What to delete; half of it may be in the query and half in the body."""

    id = Positive()
    wipe = Flag()


class ListIn(Schema):
    """A page of the list."""

    limit = Clamped(1, 200, 50)
    offset = Clamped(0, 10_000_000, 0)
    include_expired = Flag(load_default=False)


class KeyIn(Schema):
    """A key to make."""

    namespace = Text(255, blank=False, required=True, validate=[NAMESPACE])
    name = Text(255)

"""Moments of the past that a reader asks about."""

from typing import Any

from marshmallow import ValidationError

from app.clock import now_ms
from app.schemas.common import Moment, Schema, described


class Past(Moment):
    """A moment that has come. Sent without a fraction of a second it means that whole second, as times are shown."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**described(kwargs, example="2026-03-01T00:00:00Z"))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        found = super()._deserialize(value, attr, data, **kwargs)
        now = now_ms()
        if found > now:
            raise ValidationError("must not lie in the future")
        return found if found % 1000 else min(found + 999, now)


class AsOfArgs(Schema):
    """Query arguments of what can be asked of the past."""

    as_of = Past(
        metadata={
            "description": "Answer as at this moment: ISO 8601 or unix seconds, a whole second up to its end. What was "
            "deleted since does not come back."
        }
    )

"""Parts that every noun's schemas share."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import marshmallow as ma
import orjson
from marshmallow import ValidationError, fields, validate

from app.clock import iso, now_ms, seconds
from app.ids import is_uuid

METADATA_BYTES = 10_240
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*)?")
DEEPEST = 32
# What 64 bits hold, with a sign or without: JSON libraries make a float of anything beyond.
WHOLE = range(-(2**63), 2**64)
LONGEST_PATH = 200


class Schema(ma.Schema):
    """Base of all inputs: unknown fields are dropped, and an explicit null counts as absent (clients send both)."""

    class Meta:
        unknown = ma.EXCLUDE

    @ma.pre_load
    def drop_nulls(self, data: Any, **_: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        self._refuse_parts(data)
        return {key: value for key, value in data.items() if value is not None or self._keeps_null(key)}

    def _refuse_parts(self, data: Mapping[str, Any]) -> None:
        """Refuse 2.5 and true where a whole number is asked for: marshmallow would make 2 and 1 of them."""
        for key, value in data.items():
            whole = isinstance(self.fields.get(key), fields.Integer)
            if whole and (isinstance(value, bool) or (isinstance(value, float) and not value.is_integer())):
                raise ValidationError("Not a valid integer.", key)

    def _keeps_null(self, key: str) -> bool:
        field = self.fields.get(key)
        return field is not None and field.metadata.get("null_means_none", False) is True


def described(kwargs: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """Return a field's arguments with `facts` for the API document beside its own metadata."""
    return {**kwargs, "metadata": {**facts, **kwargs.get("metadata", {})}}


class Text(fields.String):
    """A string without NUL; `blank=False` also refuses one in which nothing can be seen."""

    default_error_messages = {
        "nul": "must not contain a NUL character",
        "blank": "must not be blank",
        "surrogate": "must be valid Unicode",
    }

    def __init__(self, longest: int | None = None, *, blank: bool = True, **kwargs: Any) -> None:
        checks = [validate.Length(max=longest, error="must be at most {max} characters long")] if longest else []
        super().__init__(validate=[*checks, *kwargs.pop("validate", [])], **kwargs)
        self.blank = blank
        self.longest = longest

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text: str = super()._deserialize(value, attr, data, **kwargs)
        if "\x00" in text:
            raise self.make_error("nul")
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise self.make_error("surrogate")
        if not self.blank and is_blank(text):
            raise self.make_error("blank")
        return text


class Id(Text):
    """A canonical hyphenated UUID, lower-cased."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=[check_uuid], **described(kwargs, format="uuid"))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        return super()._deserialize(value, attr, data, **kwargs).lower()


class Metadata(fields.Dict):
    """A JSON object of the client's own, at most 10 KB as compact JSON."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, Any]:
        found = cast(dict[str, Any], super()._deserialize(value, attr, data, **kwargs))  # type: ignore[no-untyped-call]
        check_json(found, DEEPEST)
        if (path := beyond_64_bits(found)) is not None:
            raise ValidationError({path[:LONGEST_PATH]: ["must fit into 64 bits; store a larger number as text"]})
        if len(orjson.dumps(found)) > METADATA_BYTES:
            raise ValidationError("must be at most 10 KB as JSON")
        return found


class Moment(fields.Field[int]):
    """A time given as ISO 8601 or unix seconds; loads to epoch milliseconds."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**described(kwargs, type=["string", "number"], example="2026-03-01T00:00:00Z"))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if isinstance(value, bool):
            raise ValidationError("must be an ISO 8601 time or unix seconds")
        if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
            value = float(value)
        if isinstance(value, (int, float)):
            return _in_range(value)
        try:
            moment = datetime.fromisoformat(str(value).strip())
        except ValueError as error:
            raise ValidationError("must be an ISO 8601 time or unix seconds") from error
        return _in_range((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


class Future(Moment):
    """A time that has not passed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**described(kwargs, example="2099-01-01T00:00:00Z"))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        found = super()._deserialize(value, attr, data, **kwargs)
        if found <= now_ms():
            raise ValidationError("must lie in the future")
        return found


class IsoTime(fields.Field[Any]):
    """Epoch milliseconds shown as ISO 8601 in UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            dump_only=True, **described(kwargs, type="string", format="date-time", example="2026-03-20T09:15:00Z")
        )

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return iso(value)


class UnixTime(fields.Field[Any]):
    """Epoch milliseconds shown as unix seconds."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(dump_only=True, **described(kwargs, type="integer", example=1773655200))

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> int | None:
        return seconds(value)


class Fraction(fields.Float):
    """A finite number in a closed range, 0 to 1 unless told otherwise."""

    def __init__(self, low: float = 0.0, high: float = 1.0, **kwargs: Any) -> None:
        check = validate.Range(low, high, error="must lie between {min} and {max}")
        super().__init__(allow_nan=False, validate=[check], **kwargs)


class ErrorDetail(ma.Schema):
    """One wrong field."""

    field = fields.String(
        metadata={"description": "Path of the field, such as `memories.0.content`.", "example": "memories.0.content"}
    )
    message = fields.String(metadata={"description": "What is wrong with it.", "example": "must not be blank"})


class ErrorOut(ma.Schema):
    """Every error has this body. `detail` and `error` repeat the message for older clients."""

    type = fields.String(required=True, metadata={"description": "Kind of error.", "example": "not_found"})
    message = fields.String(
        required=True, metadata={"description": "What is wrong, and the remedy.", "example": "Memory not found"}
    )
    code = fields.Integer(required=True, metadata={"description": "The HTTP status.", "example": 404})
    request_id = fields.String(required=True, metadata={"description": "Also in the header `X-Request-ID`."})
    details = fields.List(
        fields.Nested(ErrorDetail),
        required=True,
        metadata={"description": "One entry for each wrong field.", "example": []},
    )
    detail = fields.String(
        required=True, metadata={"description": "Same as `message`.", "example": "Memory not found", "deprecated": True}
    )
    error = fields.String(
        required=True, metadata={"description": "Same as `message`.", "example": "Memory not found", "deprecated": True}
    )


class DeletedOut(ma.Schema):
    """Answer to a DELETE that asked for a body."""

    id = fields.String(metadata={"description": "What was deleted.", "example": "3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90"})
    object = fields.String(metadata={"description": "Its noun.", "example": "memory"})
    deleted = fields.Boolean(metadata={"description": "Always true.", "example": True})


def check_uuid(text: str) -> None:
    """Refuse anything but a canonical UUID.

    Raises:
        ValidationError: it is not one.
    """
    if not is_uuid(text):
        raise ValidationError("must be a UUID such as 3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90")


def is_blank(text: str) -> bool:
    """Tell whether a text has nothing to see: white space, zero-width and control characters alone, or nothing."""
    return all(char.isspace() or unicodedata.category(char) in ("Cc", "Cf") for char in text)


def beyond_64_bits(value: Any, path: str = "") -> str | None:
    """Return the path of the first whole number inside a JSON value that 64 bits cannot hold, None without one."""
    if isinstance(value, int):
        return None if value in WHOLE else path
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    found = (beyond_64_bits(item, f"{path}.{key}".removeprefix(".")) for key, item in items)
    return next((each for each in found if each is not None), None)


def check_json(value: Any, depth: int) -> None:
    """Refuse what the store cannot hold faithfully inside a JSON value: NUL, half surrogates, endless nesting.

    Raises:
        ValidationError: it holds one of them.
    """
    if depth == 0:
        raise ValidationError("must not be nested so deeply")
    if isinstance(value, str):
        if "\x00" in value:
            raise ValidationError("must not contain a NUL character")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            check_json(str(key), depth)
            check_json(item, depth - 1)
    elif isinstance(value, list):
        for item in value:
            check_json(item, depth - 1)


def _in_range(unix: float) -> int:
    if not 0 <= unix < 253_402_300_799:
        raise ValidationError("must lie between 1970 and 9999")
    return round(unix * 1000)

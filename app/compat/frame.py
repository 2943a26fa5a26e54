"""What every adapter is made of: routes with a declared access, readers of requests, times and words of its wire.

An adapter loads its own schema, calls the services that the native API calls, and answers its own shape. It holds no
logic of memories, and nothing below knows of it.
"""

import secrets
import string
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import flask
import marshmallow as ma
from flask import g, request
from marshmallow import fields

from app import limits
from app.api import Parser
from app.dialects import Plan


class Blueprint(flask.Blueprint):
    """The routes of a dialect, outside the native API document. `access` is `tenant` (a key is needed) or `public`."""

    def __init__(self, name: str, import_name: str, *, prefix: str, access: str = "tenant") -> None:
        super().__init__(name, import_name, url_prefix=prefix)
        self.access = access


class AnyTypeParser(Parser):
    """Reads a body as JSON whatever its Content-Type says."""

    any_type = True


BASE62 = string.digits + string.ascii_letters
PARSER = Parser()
ANY_TYPE_PARSER = AnyTypeParser()


def body_of(schema: type[ma.Schema], parser: Parser = PARSER) -> dict[str, Any]:
    """Return the body of the request, loaded.

    Raises:
        BadRequest, TooLarge, WrongMediaType: it cannot be read.
        UnprocessableEntity: fields are wrong; `app.api` makes an `Invalid` of it.
    """
    found: dict[str, Any] = parser.parse(schema(), request, location="json")
    return found


def query_of(schema: type[ma.Schema]) -> dict[str, Any]:
    """Return the query of the request, loaded. Raises as `body_of`."""
    found: dict[str, Any] = PARSER.parse(schema(), request, location="query")
    return found


def wrote(id: str) -> str:
    """Return the id (a UUID) of what this request has written, for the audit log: answers name it in many ways."""
    g.written = id
    return id


# What an address may sign up in an hour, where LOCI_SIGNUP lets anybody do that.
SIGN_UPS = Plan("3/hour")


def count_sign_up() -> None:
    """Count that somebody without a key wants one.

    Raises:
        RateLimited: the address has had its share.
    """
    limits.spend(SIGN_UPS, f"ip:{request.remote_addr}", "signup")


def random_text(length: int) -> str:
    """Return random letters and digits, as keys are made of: about 5.95 bits each."""
    return "".join(secrets.choice(BASE62) for _ in range(length))


class Clamped(fields.Integer):
    """A whole number that is never wrong: what lies outside is moved in, what is no number is the default."""

    def __init__(self, least: int, most: int, default: int, *, below: int | None = None, **kwargs: Any) -> None:
        super().__init__(load_default=default, **kwargs)
        self.least, self.most, self.default = least, most, default
        self.below = least if below is None else below

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        try:
            number = int(float(value))
        except (TypeError, ValueError, OverflowError):
            return self.default
        return self.below if number < self.least else min(number, self.most)


def iso_ms(ms: int) -> str:
    """Return epoch milliseconds as ISO 8601 in UTC, always with three decimals and a trailing Z."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def only(source: Mapping[str, Any], *names: str, **also: Callable[[Any], Any]) -> dict[str, Any]:
    """Return some fields of a row as they are, and others through a function of their value."""
    return {**{name: source[name] for name in names}, **{name: make(source[name]) for name, make in also.items()}}

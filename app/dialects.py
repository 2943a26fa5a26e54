"""The APIs that Loci speaks beside its own: what one must say of itself, and which of them a request is in.

A dialect is what stands under its path prefix. It translates at the edge: keys as its clients send them, errors in its
own shape, its limits, its rules for browsers. Below that there is one core, which knows no dialect but this base.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, cast

from flask import Flask, Response, current_app, g, jsonify, request
from werkzeug.datastructures import Headers

from app import errors
from app.errors import ApiError, Unauthorized
from app.ids import new_key
from app.request_id import request_id
from app.scopes import DEFAULT_SCOPES

EXTENSION = "loci_dialects"


@dataclass(frozen=True)
class Cors:
    """What a page of another origin may do. No cookies are ever sent along, so any origin may."""

    methods: tuple[str, ...]
    request_headers: tuple[str, ...]
    max_age: int = 86_400
    shown_headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The limits of a key: `rates` as `60/minute;600/hour`, counted in fixed windows or in ones that slide."""

    rates: str
    window: Literal["fixed", "sliding"] = "fixed"


@dataclass(frozen=True)
class Left:
    """Where a key stands: requests in the window, how many are left, and when it ends (unix seconds)."""

    limit: int
    remaining: int
    reset: float


class Dialect:
    """What a dialect says of itself; the values here are those of the native API.

    `scopes` are what its keys may do unless told otherwise, `scope_names` what its own names of scopes mean. With
    `own_namespace`, a key made for it opens a namespace of its own where none is named, else `namespace` where there is
    one; with `encryption`, what it opens is put under this mode.
    """

    name: ClassVar[str] = "native"
    prefix: ClassVar[str] = ""
    scopes: ClassVar[Sequence[str]] = DEFAULT_SCOPES
    scope_names: ClassVar[Mapping[str, Sequence[str]]] = {}
    own_namespace: ClassVar[bool] = False
    namespace: ClassVar[str] = ""
    encryption: ClassVar[str] = ""
    plan: ClassVar[Plan | None] = None
    cors: ClassVar[Cors | None] = None

    def new_key(self) -> str:
        """Return a fresh key that looks as this dialect's clients expect."""
        return new_key()

    def presented_key(self, headers: Headers) -> str:
        """Return the key that a request brings.

        Raises:
            Unauthorized: there is none.
        """
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip()
        if sent := headers.get("X-API-Key", "").strip():
            return sent
        if scheme:
            raise Unauthorized("Authorization must be `Bearer <key>`")
        raise Unauthorized("Send an API key as `Authorization: Bearer <key>` or `X-API-Key: <key>`")

    def shown(self, error: ApiError) -> tuple[Any, int]:
        """Return the body and the status that tell of an error."""
        return errors.body(error, request_id()), error.status

    def error_headers(self, error: ApiError) -> Mapping[str, str]:
        """Return the headers that tell of an error beside its body."""
        return error.headers

    def limit_headers(self, left: Left) -> dict[str, str]:
        """Return the headers that tell a key where it stands."""
        return {}


NATIVE = Dialect()


def init_app(app: Flask, dialects: Sequence[Dialect]) -> None:
    """Serve these beside the native one, and let pages of other origins call those that say so."""
    app.extensions[EXTENSION] = tuple(dialects)

    @app.before_request
    def preflight() -> Response | None:
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return app.response_class(status=204) if asks and current().cors else None

    @app.after_request
    def allow(response: Response) -> Response:
        cors = current().cors
        if cors is None:
            return response
        response.headers["Access-Control-Allow-Origin"] = "*"
        if cors.shown_headers:
            response.headers["Access-Control-Expose-Headers"] = ", ".join(cors.shown_headers)
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = ", ".join(cors.methods)
            response.headers["Access-Control-Allow-Headers"] = ", ".join(cors.request_headers)
            response.headers["Access-Control-Max-Age"] = str(cors.max_age)
        return response


def spoken() -> tuple[Dialect, ...]:
    """Return the dialects that this app serves beside the native one."""
    return cast(tuple[Dialect, ...], current_app.extensions.get(EXTENSION, ()))


def named(name: str) -> Dialect:
    """Return a dialect of this app by its name.

    Raises:
        Invalid: it has none of that name.
    """
    known = {dialect.name: dialect for dialect in (NATIVE, *spoken())}
    if name not in known:
        raise errors.invalid("dialect", f"must be one of: {', '.join(known)}")
    return known[name]


def current() -> Dialect:
    """Return the dialect of the current request: that of its path, whether or not there is such a route."""
    if "dialect" not in g:
        path = request.path + "/"
        g.dialect = next((dialect for dialect in spoken() if path.startswith(dialect.prefix + "/")), NATIVE)
    return cast(Dialect, g.dialect)


def answer(error: ApiError) -> Response:
    """Return the response that tells of an error, as the dialect of the request does."""
    body, status = current().shown(error)
    response = jsonify(body)
    response.status_code = status
    response.headers.extend(current().error_headers(error))
    return response

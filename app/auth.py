"""From a request's header to a Principal, and from a view to the scope it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

from flask import Flask, current_app, g, request
from structlog.contextvars import bind_contextvars

from app import crypto, dialects
from app.clock import now_ms
from app.errors import Forbidden, KeyRefused, Unauthorized
from app.scopes import BY_VERB, allows
from app.state import State, state
from graph.keys import KeyDirectory

F = TypeVar("F", bound=Callable[..., object])

PUBLIC = "public"

# Pages that the framework itself registers; everything of ours says its access on its blueprint.
PUBLIC_ENDPOINTS = frozenset({"api-docs.openapi_json", "api-docs.openapi_swagger_ui", "static"})
LONGEST_KEY = 512


@dataclass(frozen=True)
class Principal:
    """Who calls. The tenant comes from the key alone, never from a field of the request."""

    tenant: str
    account: str
    namespace: str
    key_id: str
    scopes: frozenset[str]
    dialect: str = "native"
    key_prefix: str = ""


def require(scope: str) -> Callable[[F], F]:
    """Say that a view method needs `scope`, where its verb would suggest another."""

    def mark(view: F) -> F:
        view.__loci_scope__ = scope  # type: ignore[attr-defined]
        return view

    return mark


def principal() -> Principal:
    """Return the caller of the current request.

    Raises:
        Unauthorized: the route is public and no key was checked.
    """
    found = g.get("principal")
    if found is None:
        raise Unauthorized("This needs an API key")
    return cast(Principal, found)


def caller_if_any() -> Principal | None:
    """Return who calls a public route, and None for somebody without a key.

    Raises:
        KeyRefused: there is a key, and it is unknown, revoked or expired.
    """
    try:
        key = dialects.current().presented_key(request.headers)
    except Unauthorized:
        return None
    g.principal = authenticate(key)
    return principal()


def needed_scope(endpoint: str, method: str) -> str:
    """Return the scope that `method` on `endpoint` needs, or `public`."""
    view = current_app.view_functions[endpoint]
    blueprint = current_app.blueprints.get(endpoint.partition(".")[0])
    if getattr(blueprint, "access", None) == PUBLIC or endpoint in PUBLIC_ENDPOINTS:
        return PUBLIC
    view_class = getattr(view, "view_class", None)
    handler = getattr(view_class, method.lower(), None) or view
    return str(getattr(handler, "__loci_scope__", BY_VERB.get(method, "write")))


def init_app(app: Flask) -> None:
    """Check the key of each request before anything else looks at it."""

    @app.before_request
    def check() -> None:
        if request.url_rule is None or request.method == "OPTIONS":
            return
        scope = needed_scope(cast(str, request.endpoint), request.method)
        if scope == PUBLIC:
            return
        caller = authenticate(dialects.current().presented_key(request.headers))
        g.principal = caller
        bind_contextvars(key_id=caller.key_id)


def init_scopes(app: Flask) -> None:
    """Check the scope of each request; after the limits, so that what is forbidden is counted too."""

    @app.before_request
    def check_scope() -> None:
        caller: Principal | None = g.get("principal")
        if caller is not None:
            scope = needed_scope(cast(str, request.endpoint), request.method)
            if not allows(caller.scopes, scope):
                raise Forbidden(f"This key lacks the scope `{scope}`; create one that has it with an admin key")
        g.let_in = True


def authenticate(key: str) -> Principal:
    """Return who owns `key`.

    Raises:
        KeyRefused: the key is unknown, revoked or expired.
    """
    if len(key) > LONGEST_KEY:
        raise KeyRefused("The API key is not valid")
    return owner(state(), crypto.key_digest(state().pepper, key))


def owner(parts: State, digest: str) -> Principal:
    """Return who owns the key with this digest now.

    Raises:
        KeyRefused: the key is unknown, revoked or expired.
    """
    row = KeyDirectory(parts.graph).find(digest)
    if row is None or not crypto.same(row["digest"], digest):
        raise KeyRefused("The API key is not valid")
    now = now_ms()
    if row["revoked_at"] is not None or (row["auto_revoke_at"] is not None and row["auto_revoke_at"] <= now):
        raise KeyRefused("The API key was revoked", ended=True)
    if row["expires_at"] is not None and row["expires_at"] <= now:
        raise KeyRefused("The API key has expired", ended=True)
    if parts.graph.cipher is not None:
        parts.graph.cipher.note(row["tenant"], row["encryption"])
    return Principal(
        tenant=row["tenant"],
        account=row["account"],
        namespace=row["namespace"],
        key_id=row["id"],
        scopes=frozenset(row["scopes"]),
        dialect=row["dialect"] or "native",
        key_prefix=row["key_prefix"],
    )

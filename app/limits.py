"""Rate limits by key: flask-limiter counts, this file decides whose count it is and which headers are sent.

A store of counts that fails lets requests pass: a memory that cannot be reached hurts more than one call too many.
"""

import math
import time

from flask import Flask, Response, current_app, g, request
from flask_limiter import Limiter, RequestLimit
from werkzeug.exceptions import HTTPException

from app.auth import PUBLIC, needed_scope
from app.config import Settings
from app.errors import RateLimited
from app.state import state

UNLIMITED = "unlimited"
LARGE = 1_000_000
WINDOW = 60


def init_app(app: Flask, settings: Settings) -> None:
    """Count requests and send the three headers; `unlimited` sends them too, with a large number."""
    app.after_request(send_headers)
    if settings.rate_limit == UNLIMITED:
        return
    app.extensions["loci_limiter"] = Limiter(
        caller,
        app=app,
        application_limits=[settings.rate_limit],
        application_limits_exempt_when=exempt,
        storage_uri=settings.redis_url or "memory://",
        # A store of counts that hangs must not hold up a request for long.
        storage_options={"socket_connect_timeout": 1, "socket_timeout": 1} if settings.redis_url else {},
        strategy="fixed-window",
        swallow_errors=True,
        headers_enabled=False,
        key_prefix="loci",
    )


def store() -> str:
    """Return how the store of counts is: `up` or `down` for Redis, `memory` where this process counts by itself."""
    limiter: Limiter | None = current_app.extensions.get("loci_limiter")
    if limiter is None or not state().settings.redis_url:
        return "memory"
    return "up" if limiter.storage.check() else "down"


def caller() -> str:
    """Return whose count this request belongs to: the key's, or the address's where no key is needed."""
    who = g.get("principal")
    return f"key:{who.key_id}" if who else f"ip:{request.remote_addr}"


def exempt() -> bool:
    """Public routes and unknown ones are not counted."""
    return request.endpoint is None or needed_scope(request.endpoint, request.method) == PUBLIC


def too_many(error: HTTPException) -> RateLimited:
    """Return the 429 that says when to come back."""
    wait = max(1, math.ceil(_reset(_current()) - time.time()))
    message = f"Rate limit exceeded ({error.description}). Try again in {wait} seconds"
    return RateLimited(message, headers={"Retry-After": str(wait)})


def send_headers(response: Response) -> Response:
    """Add `X-RateLimit-Limit`, `-Remaining` and `-Reset` (unix seconds) to every answer for a key."""
    if "principal" in g:
        current = _current()
        response.headers["X-RateLimit-Limit"] = str(current.limit.amount if current else LARGE)
        response.headers["X-RateLimit-Remaining"] = str(max(0, current.remaining) if current else LARGE)
        response.headers["X-RateLimit-Reset"] = str(math.ceil(_reset(current)))
    return response


def _current() -> RequestLimit | None:
    limiter: Limiter | None = current_app.extensions.get("loci_limiter")
    return limiter.current_limit if limiter else None


def _reset(current: RequestLimit | None) -> float:
    # Not `reset_at`, which adds a second: `Retry-After` would exceed the window.
    return current.window.reset_time if current else time.time() + WINDOW

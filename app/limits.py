"""Rate limits by key: flask-limiter counts, this file decides whose count it is and which headers are sent.

A dialect has limits of its own (`Dialect.plan`), counted beside those of the native API, in the same store.

A store of counts that fails lets requests pass: a memory that cannot be reached hurts more than one call too many.
"""

import math
import time

import structlog
from flask import Flask, Response, current_app, g, request
from flask_limiter import Limiter, RequestLimit
from limits import RateLimitItem, parse_many
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter
from werkzeug.exceptions import HTTPException

from app.auth import PUBLIC, needed_scope
from app.config import Settings
from app.dialects import NATIVE, Left, Plan, current
from app.errors import RateLimited
from app.state import state

log = structlog.get_logger()

UNLIMITED = "unlimited"
LARGE = 1_000_000
WINDOW = 60
WINDOWS = {"fixed": FixedWindowRateLimiter, "sliding": MovingWindowRateLimiter}


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

    @app.before_request
    def count() -> None:
        plan = current().plan
        if plan is not None and "principal" in g:
            g.left = spend(plan, caller())


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
    """Public routes and unknown ones are not counted, nor are those of a dialect, which counts by itself."""
    if request.endpoint is None or current() is not NATIVE:
        return True
    return needed_scope(request.endpoint, request.method) == PUBLIC


def spend(plan: Plan, whose: str, what: str = "") -> Left | None:
    """Count one request, or with `what` something else, against the limits of a plan; return where that leaves it.

    None where nothing is limited, or nothing can be counted now.

    Raises:
        RateLimited: a limit is reached.
    """
    limiter: Limiter | None = current_app.extensions.get("loci_limiter")
    if limiter is None:
        return None
    counter = WINDOWS[plan.window](limiter.storage)
    names = ("loci", current().name, what, whose)
    try:
        rates = sorted(parse_many(plan.rates), key=lambda rate: rate.get_expiry())
        reached = next((rate for rate in rates if not counter.hit(rate, *names)), None)
        tightest = rates[0] if reached is None else reached
        reset, remaining = counter.get_window_stats(tightest, *names)
    except Exception as error:
        log.warning("limits_not_counted", reason=type(error).__name__)
        return None
    if reached is not None:
        g.left = Left(reached.amount, 0, reset)
        raise _reached(reached, reset)
    return Left(tightest.amount, remaining, reset)


def _reached(rate: RateLimitItem, reset: float) -> RateLimited:
    wait = max(1, math.ceil(reset - time.time()))
    return RateLimited(f"Rate limit exceeded ({rate}). Try again in {wait} seconds", wait, rate.GRANULARITY.name)


def too_many(error: HTTPException) -> RateLimited:
    """Return the 429 that says when to come back."""
    wait = max(1, math.ceil(_reset(_current()) - time.time()))
    return RateLimited(f"Rate limit exceeded ({error.description}). Try again in {wait} seconds", wait)


def send_headers(response: Response) -> Response:
    """Add `X-RateLimit-Limit`, `-Remaining` and `-Reset` (unix seconds) to every answer for a key.

    A dialect sends the headers that its clients know, or none.
    """
    if "principal" in g and current() is not NATIVE:
        left: Left | None = g.get("left")
        response.headers.extend(current().limit_headers(left or Left(LARGE, LARGE, time.time() + WINDOW)))
    elif "principal" in g:
        counted = _current()
        response.headers["X-RateLimit-Limit"] = str(counted.limit.amount if counted else LARGE)
        response.headers["X-RateLimit-Remaining"] = str(max(0, counted.remaining) if counted else LARGE)
        response.headers["X-RateLimit-Reset"] = str(math.ceil(_reset(counted)))
    return response


def _current() -> RequestLimit | None:
    limiter: Limiter | None = current_app.extensions.get("loci_limiter")
    return limiter.current_limit if limiter else None


def _reset(current: RequestLimit | None) -> float:
    # Not `reset_at`, which adds a second: `Retry-After` would exceed the window.
    return current.window.reset_time if current else time.time() + WINDOW

"""Every request has an id: the caller's, or a new one; it is echoed, logged and put into error bodies."""

import re
import uuid

from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

HEADER = "X-Request-ID"
ACCEPTED = re.compile(r"[\w.:/+=-]{1,128}")


def request_id() -> str:
    """Return the id of the current request."""
    found: str = g.get("request_id") or _assign()
    return found


def init_app(app: Flask) -> None:
    """Assign an id before each request and echo it after."""

    @app.before_request
    def begin() -> None:
        _assign()

    @app.after_request
    def echo(response: Response) -> Response:
        response.headers[HEADER] = request_id()
        return response


def _assign() -> str:
    sent = request.headers.get(HEADER, "")
    g.request_id = sent if ACCEPTED.fullmatch(sent) else f"req_{uuid.uuid4()}"
    clear_contextvars()
    bind_contextvars(request_id=g.request_id)
    return str(g.request_id)

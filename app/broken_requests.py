"""Requests that are no HTTP, or more of it than the server reads: they never reach the app, and are answered alike."""

import uuid
from typing import Any

import orjson
import structlog
from gunicorn import util
from gunicorn.http import errors as http
from gunicorn.workers.gthread import ThreadWorker

from app import errors
from app.request_id import HEADER
from app.stopping import STOPPING

log = structlog.get_logger()

# As long as gunicorn takes at most.
LONGEST_LINE = 8190
LONGEST_HEADER = 8190
MOST_HEADERS = 100
BROKEN = (400, "Bad Request", "The request is not valid HTTP/1.1; check the request line, the headers and the framing")
ANSWERS: dict[type[Exception], tuple[int, str, str]] = {
    http.LimitRequestLine: (
        414, "URI Too Long", f"The request line is longer than {LONGEST_LINE} bytes; shorten the query",
    ),
    http.LimitRequestHeaders: (
        431, "Request Header Fields Too Large",
        f"More than {MOST_HEADERS} headers, or one of more than {LONGEST_HEADER} bytes; send fewer or shorter ones",
    ),
    http.ExpectationFailed: (417, "Expectation Failed", "`Expect` may only be `100-continue`"),
    http.UnsupportedTransferCoding: (501, "Not Implemented", "`Transfer-Encoding` may only be `chunked`"),
}  # fmt: skip


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's worker with threads, but its own errors have Loci's body, and no bytes of the request are logged."""

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """Stop, and have streams end before the server stops waiting for them."""
        STOPPING.set()
        super().handle_exit(sig, frame)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer a request that the app never saw."""
        status, reason, message = ANSWERS.get(type(exc), BROKEN)
        if not isinstance(exc, http.ParseException):
            status, reason, message = 500, "Internal Server Error", "Something went wrong here"
        request_id = f"req_{uuid.uuid4()}"
        log.warning("broken_request", status=status, kind=type(exc).__name__, request_id=request_id)
        try:
            util.write_nonblock(client, answer(status, reason, message, request_id))
        except OSError:
            log.debug("broken_request_unanswered", request_id=request_id)


def answer(status: int, reason: str, message: str, request_id: str) -> bytes:
    """Return a whole HTTP response with the documented error body; the connection ends with it."""
    error = errors.Internal(message) if status == 500 else errors.BadRequest(message)
    error.status = status
    body = orjson.dumps(errors.body(error, request_id))
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{HEADER}: {request_id}\r\n\r\n"
    )
    return head.encode("ascii") + body

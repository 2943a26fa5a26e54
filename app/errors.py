"""Errors as clients see them: one class a kind, one table from graph errors to HTTP, one body.

The body is the superset that every known MemoryRelay client can read: `type`, `message`, `code`, `request_id`,
`details`, and `detail` and `error` that repeat the message.
"""

from typing import Any, ClassVar

from graph import errors as graph_errors


class ApiError(Exception):
    """Base of all errors that are answered to a client.

    Args: message (what is wrong and what to do), details (one `{field, message}` per wrong field), headers to add.
    """

    status = 500
    type = "internal_error"
    sent_always: ClassVar[dict[str, str]] = {}

    def __init__(
        self,
        message: str,
        details: list[dict[str, str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = details or []
        self.headers = {**self.sent_always, **(headers or {})}


class BadRequest(ApiError):
    """The request cannot be understood, or refers to something that does not exist."""

    status, type = 400, "bad_request"


class Unauthorized(ApiError):
    """No key, or one that is unknown, revoked or expired."""

    status, type = 401, "unauthorized"
    sent_always: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class KeyRefused(Unauthorized):
    """A key was sent, and it is unknown or (`ended`) revoked or expired; some dialects tell this from no key at all."""

    def __init__(self, message: str, *, ended: bool = False) -> None:
        super().__init__(message)
        self.ended = ended


class Forbidden(ApiError):
    """The key is good but lacks the scope."""

    status, type = 403, "forbidden"


class QuotaExceeded(Forbidden):
    """The tenant holds as many memories as LOCI_QUOTA allows; delete some first."""

    type = "quota_exceeded"


class NotFoundError(ApiError):
    """No such thing for this key."""

    status, type = 404, "not_found"


class MethodNotAllowed(ApiError):
    """The route exists, the verb does not; `Allow` says which do."""

    status, type = 405, "method_not_allowed"


class ConflictError(ApiError):
    """The request collides with what is stored."""

    status, type = 409, "conflict"


class Gone(ApiError):
    """What is asked for was there and is no longer kept; the message says how to go on."""

    status, type = 410, "gone"


class PreconditionFailed(ApiError):
    """`If-Match` names a version that is not the current one."""

    status, type = 412, "precondition_failed"


class TooLarge(ApiError):
    """The body is larger than the server reads."""

    status, type = 413, "payload_too_large"


class WrongMediaType(ApiError):
    """The body is not `application/json`."""

    status, type = 415, "unsupported_media_type"


class Invalid(ApiError):
    """Some fields are wrong; `details` has one entry for each."""

    status, type = 422, "validation_error"


class RateLimited(ApiError):
    """Too many requests; `Retry-After` says when to come back."""

    status, type = 429, "rate_limit_exceeded"

    def __init__(self, message: str, wait: int, period: str = "") -> None:
        """`wait` is in whole seconds; `period` is that of the limit that was reached: `minute`, `hour`."""
        super().__init__(message, headers={"Retry-After": str(wait)})
        self.wait = wait
        self.period = period


class Internal(ApiError):
    """A mistake of the server; the request id leads to its log line."""

    status, type = 500, "internal_error"


class NotAvailable(ApiError):
    """The database or the embedder cannot answer now; `Retry-After` says when to come back."""

    status, type = 503, "service_unavailable"


ERRORS: tuple[type[ApiError], ...] = (
    BadRequest,
    Unauthorized,
    QuotaExceeded,
    Forbidden,
    NotFoundError,
    MethodNotAllowed,
    ConflictError,
    Gone,
    PreconditionFailed,
    TooLarge,
    WrongMediaType,
    Invalid,
    RateLimited,
    Internal,
    NotAvailable,
)
# Of two kinds with one status, the later is the general one.
BY_STATUS = {error.status: error for error in ERRORS}


def invalid(field: str, message: str) -> Invalid:
    """Return the error for one wrong field."""
    return Invalid(f"{field}: {message}", [{"field": field, "message": message}])


def from_graph(error: graph_errors.GraphError) -> ApiError:
    """Return the answer to a graph error."""
    if isinstance(error, graph_errors.NotFound):
        return NotFoundError(str(error))
    if isinstance(error, graph_errors.Conflict):
        return ConflictError(str(error))
    if isinstance(error, graph_errors.BadReference):
        return BadRequest(str(error), [{"field": error.field, "message": str(error)}])
    if isinstance(error, graph_errors.Unavailable):
        return NotAvailable(str(error), headers={"Retry-After": str(error.retry_after)})
    return Internal("The database is not one that this server can work on; see its log")


def body(error: ApiError, request_id: str) -> dict[str, Any]:
    """Return the documented error body."""
    return {
        "type": error.type,
        "message": error.message,
        "code": error.status,
        "request_id": request_id,
        "details": error.details,
        "detail": error.message,
        "error": error.message,
    }

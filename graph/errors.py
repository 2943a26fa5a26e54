"""Everything that can go wrong in the graph, and the one table from driver errors to it.

GraphError
├── NotFound           no such node for this tenant
├── Conflict           a uniqueness rule or a version check said no
├── BadReference       a write names a node that does not exist
├── Unavailable        the database is away, starting, or its index is populating: try again later
│   ├── Vanished       a node that was read, or the connection, is gone before anything was written: repeat it at once
│   └── Moved          the embedding model was changed meanwhile: embed again with the new one
├── Unreadable         a stored text cannot be decrypted here
└── Unsupported        a server version or stored state that Loci must not run on
    └── Refused        the server does not take the user or the password
"""

from collections.abc import Iterator
from contextlib import contextmanager

from neo4j import exceptions as driver_errors

VANISHED = "Neo.ClientError.Statement.EntityNotFound"
REFUSED = "Neo.ClientError.Security.Unauthorized"
LOCKED_OUT = "Neo.ClientError.Security.AuthenticationRateLimit"
POPULATING = ("populating", "come online", "index is not online", "IndexNotFound")
BUSY = "The database is busy with conflicting writes; try again"
# What the driver says of a connection that broke in use, in contrast to one that could not be opened.
DEFUNCT = "defunct connection"
TIMED_OUT = "Neo.ClientError.Transaction.TransactionTimedOut"


class GraphError(Exception):
    """Base of all graph errors; the message is fit for the caller's eyes."""


class NotFound(GraphError):
    """Args: kind (`"Memory"`): the message reads `Memory not found`."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"{kind} not found")
        self.kind = kind


class Conflict(GraphError):
    """The write collides with what is stored."""


class BadReference(GraphError):
    """A field of the write names something that does not exist for this tenant."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class Unavailable(GraphError):
    """The database cannot answer now; `retry_after` is in whole seconds."""

    def __init__(self, message: str, retry_after: int = 2) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Vanished(Unavailable):
    """What a transaction had read, or its connection, went away before it committed: it may be repeated at once."""


class Moved(Unavailable):
    """The vectors in force are another model's by now; nothing was written."""

    def __init__(self) -> None:
        super().__init__("The embedding model was changed a moment ago; try again", retry_after=1)


class Unreadable(GraphError):
    """A stored text cannot be decrypted here: its key is missing, or it was changed or moved."""


class Unsupported(GraphError):
    """Loci refuses to work on what it found; `remedy` says what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message} {remedy}")
        self.remedy = remedy


class Refused(Unsupported):
    """The server does not take the user or the password."""

    def __init__(self) -> None:
        super().__init__("The database refuses the user or the password.", "Check NEO4J_USER and NEO4J_PASSWORD.")


@contextmanager
def translated() -> Iterator[None]:
    """Re-raise driver errors as graph errors; what has no meaning to a caller passes through unchanged."""
    try:
        yield
    except driver_errors.ResultFailedError as error:
        # Closing a transaction whose result failed midway hides what failed, and with it that it may be repeated.
        cause = error.__cause__
        if isinstance(cause, driver_errors.TransientError):
            raise Vanished(BUSY) from error
        found = _translation(cause)
        if found is None:
            raise
        raise found from error
    except (driver_errors.Neo4jError, driver_errors.DriverError) as error:
        found = _translation(error)
        if found is None:
            raise
        raise found from error


def _translation(error: BaseException | None) -> GraphError | None:
    match error:
        case driver_errors.ConstraintError():
            return Conflict("Something with the same unique name or id exists already")
        case driver_errors.ConnectionAcquisitionTimeoutError() | driver_errors.IncompleteCommit():
            return Unavailable("The database did not confirm in time; try again")
        case driver_errors.ServiceUnavailable() | driver_errors.SessionExpired():
            # A server that stops answering in the middle is noticed after longer than the driver repeats.
            lost = DEFUNCT in str(error)
            return (Vanished if lost else Unavailable)("The database is not reachable right now")
        case driver_errors.TransientError():
            return Unavailable(BUSY)
        case driver_errors.Neo4jError():
            return _by_code(error)
    return None


def _by_code(error: driver_errors.Neo4jError) -> GraphError | None:
    if error.code == VANISHED:
        return Vanished("Another request deleted what this one was writing; try again")
    if error.code == REFUSED:
        return Refused()
    if error.code == LOCKED_OUT:
        return Unavailable("The database lets nobody in after too many wrong passwords; try again", retry_after=5)
    if str(error.code).startswith(TIMED_OUT):
        return Unavailable("The database took too long; try again")
    if _is_populating(error):
        return Unavailable("An index is still being built; try again shortly", retry_after=5)
    return None


def _is_populating(error: driver_errors.Neo4jError) -> bool:
    text = f"{error.code} {error.message}"
    return any(sign in text for sign in POPULATING)

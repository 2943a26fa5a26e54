"""Everything that can go wrong in the graph, and the one table from driver errors to it.

GraphError
├── NotFound           no such node for this tenant
├── Conflict           a uniqueness rule or a version check said no
├── BadReference       a write names a node that does not exist
├── Unavailable        the database is away, starting, or its index is populating: try again later
│   └── Vanished       another writer deleted a node between our reading and our writing it
└── Unsupported        a server version or stored state that Loci must not run on
"""

from collections.abc import Iterator
from contextlib import contextmanager

from neo4j import exceptions as driver_errors

VANISHED = "Neo.ClientError.Statement.EntityNotFound"
POPULATING = ("populating", "come online", "index is not online", "IndexNotFound")


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
    """A node that the transaction had read was deleted by another one before it could be written."""


class Unsupported(GraphError):
    """Loci refuses to work on what it found; `remedy` says what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message} {remedy}")
        self.remedy = remedy


@contextmanager
def translated() -> Iterator[None]:
    """Re-raise driver errors as graph errors; what has no meaning to a caller passes through unchanged."""
    try:
        yield
    except driver_errors.ConstraintError as error:
        raise Conflict("Something with the same unique name or id exists already") from error
    except (driver_errors.ServiceUnavailable, driver_errors.SessionExpired) as error:
        raise Unavailable("The database is not reachable right now") from error
    except driver_errors.TransientError as error:
        raise Unavailable("The database is busy with conflicting writes; try again") from error
    except driver_errors.Neo4jError as error:
        if error.code == VANISHED:
            raise Vanished("Another request deleted what this one was writing; try again") from error
        if _is_populating(error):
            raise Unavailable("An index is still being built; try again shortly", retry_after=5) from error
        raise
    except driver_errors.DriverError as error:
        if isinstance(error, (driver_errors.ConnectionAcquisitionTimeoutError, driver_errors.IncompleteCommit)):
            raise Unavailable("The database did not confirm in time; try again") from error
        raise


def _is_populating(error: driver_errors.Neo4jError) -> bool:
    text = f"{error.code} {error.message}"
    return any(sign in text for sign in POPULATING)

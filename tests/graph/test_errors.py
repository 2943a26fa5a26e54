"""Errors of the driver as callers of the graph see them."""

import pytest
from neo4j import exceptions as driver_errors

from graph.errors import Conflict, GraphError, Unavailable, Vanished, translated

DEADLOCK = "Neo.TransientError.Transaction.DeadlockDetected"
NOT_UNIQUE = "Neo.ClientError.Schema.ConstraintValidationFailed"
GONE = "Neo.ClientError.Statement.EntityNotFound"
TIMED_OUT = "Neo.ClientError.Transaction.TransactionTimedOut"
SYNTAX = "Neo.ClientError.Statement.SyntaxError"


def said(code: str) -> driver_errors.Neo4jError:
    """Return the error that a server of any age raises with this code."""
    return driver_errors.Neo4jError._hydrate_neo4j(code=code, message="MATCH (secret)")


def raised(error: Exception, cause: Exception | None = None) -> GraphError:
    """Return what becomes of an error."""
    with pytest.raises(GraphError) as found, translated():
        raise error from cause
    assert "secret" not in str(found.value)
    return found.value


@pytest.mark.parametrize(
    ("code", "kind"), [(DEADLOCK, Unavailable), (NOT_UNIQUE, Conflict), (GONE, Vanished), (TIMED_OUT, Unavailable)]
)
def test_a_server_error_with_a_meaning_gets_it(code: str, kind: type[GraphError]) -> None:
    assert type(raised(said(code))) is kind


@pytest.mark.parametrize(
    ("code", "kind"), [(DEADLOCK, Vanished), (NOT_UNIQUE, Conflict), (GONE, Vanished), (TIMED_OUT, Unavailable)]
)
def test_it_keeps_it_when_closing_the_transaction_hides_it(code: str, kind: type[GraphError]) -> None:
    hidden = driver_errors.ResultFailedError(None, "The result has failed")
    assert type(raised(hidden, said(code))) is kind


@pytest.mark.parametrize("lost", [driver_errors.ServiceUnavailable, driver_errors.SessionExpired])
def test_a_connection_that_broke_in_use_is_worth_another_try(lost: type[driver_errors.DriverError]) -> None:
    assert type(raised(lost("Failed to read from defunct connection"))) is Vanished
    assert type(raised(lost("Couldn't connect to the server"))) is Unavailable


def test_a_commit_that_nobody_confirmed_is_never_repeated() -> None:
    assert type(raised(driver_errors.IncompleteCommit("Failed to read from defunct connection"))) is Unavailable


def test_a_mistake_of_ours_passes_through() -> None:
    with pytest.raises(driver_errors.CypherSyntaxError), translated():
        raise said(SYNTAX)
    with pytest.raises(driver_errors.ResultFailedError), translated():
        raise driver_errors.ResultFailedError(None, "The result has failed") from said(SYNTAX)

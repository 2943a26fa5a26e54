"""One Neo4j driver per process, made after fork; every statement runs in a managed transaction with a time-out."""

import copy
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from neo4j import READ_ACCESS, Driver, GraphDatabase, ManagedTransaction, Query, Session, unit_of_work
from neo4j.exceptions import DriverError, Neo4jError

from graph import outbox, sealing
from graph.errors import Unavailable, Unsupported, Vanished, translated
from graph.records import Row, rows

T = TypeVar("T")

VANISHED_ATTEMPTS = 6
SCHEMES = frozenset({"bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc"})
LOWEST_VERSION = (2026, 6)
BROKEN_VERSIONS: dict[tuple[int, ...], str] = {
    (2026, 8, 0): "Its query results cannot be trusted; the vendor withdrew it."
}

COMPONENTS = "CALL dbms.components() YIELD name, versions, edition RETURN name, versions[0] AS version, edition"
PING = "RETURN 1 AS ok"
SERVER_TIME = "RETURN timestamp() AS now"


@dataclass(frozen=True)
class Connection:
    """Where the database is. `uri` may be any scheme the driver knows (bolt, neo4j, neo4j+s).

    `timeout` is what one transaction may take, `patience` how long one is repeated on conflicts and lost connections
    (both in seconds).
    """

    uri: str
    user: str
    password: str
    database: str = "neo4j"
    pool_size: int = 40
    timeout: float = 30.0
    patience: float = 6.0


class Transaction:
    """What a unit of work sees: one open transaction. `told` holds the events of its changes, each with its tenant."""

    def __init__(self, tx: ManagedTransaction, cipher: sealing.Cipher | None = None) -> None:
        self._tx = tx
        self.cipher = cipher
        self.told: list[tuple[str, outbox.Happened]] = []

    def seals(self, tenant: str) -> bool:
        """Tell whether all that a tenant says is sealed here."""
        return self.cipher is not None and self.cipher.mode(tenant) == sealing.ALL

    def run(self, query: str, **parameters: Any) -> list[Row]:
        """Run one statement and return all its rows as plain dicts."""
        return _told(self.cipher, lambda given: self._tx.run(query, given), parameters)


class Graph:
    """The database, as the rest of Loci sees it. Safe to share between threads and to carry over a fork.

    With a `cipher`, texts of encrypted tenants are sealed on their way in and opened on their way out.
    """

    def __init__(self, connection: Connection, cipher: sealing.Cipher | None = None) -> None:
        self.connection = connection
        self.cipher = cipher
        self._driver: Driver | None = None
        self._pid = 0
        self._lock = threading.Lock()

    def read(self, query: str, **parameters: Any) -> list[Row]:
        """Run one reading statement and return its rows.

        Raises:
            GraphError: see `graph.errors`.
        """
        # Without a transaction's beginning and end a read is one round trip of three; what could be repeated is.
        try:
            with translated(), self._open().session(**self._reading()) as session:
                text = Query(query, timeout=self.connection.timeout)
                return _told(self.cipher, lambda given: session.run(text, given), parameters)
        except Unavailable as error:
            if not (isinstance(error, Vanished) or _passes(error.__cause__)):
                raise
        return self.snapshot(lambda tx: tx.run(query, **parameters))

    def write(self, query: str, **parameters: Any) -> list[Row]:
        """Run one writing statement in a transaction of its own and return its rows. May run twice: be idempotent."""
        return self.transaction(lambda tx: tx.run(query, **parameters))

    def transaction(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one writing transaction, retried on conflicts: `work` must have no side effects."""

        def once() -> T:
            with translated(), self._session() as session:
                return session.execute_write(self._bounded(work))

        return _persistent(once)

    def snapshot(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one reading transaction."""

        def once() -> T:
            with translated(), self._session() as session:
                return session.execute_read(self._bounded(work))

        return _persistent(once)

    def ping(self, timeout: float = 2.0) -> None:
        """Ask for one row without retries.

        Raises:
            Unavailable: no answer within `timeout` seconds.
        """
        with translated(), self._open().session(database=self.connection.database) as session:
            session.run(Query(PING, timeout=timeout)).consume()

    def check_version(self) -> tuple[str, str]:
        """Return (version, edition) of the server.

        Raises:
            Unsupported: Loci must not run on that version.
        """
        found = {row["name"]: row for row in self.read(COMPONENTS)}
        kernel = found.get("Neo4j Kernel")
        if kernel is None:
            raise Unsupported("The database does not say that it is Neo4j.", "Point NEO4J_URI at a Neo4j server.")
        refuse_version(kernel["version"])
        return kernel["version"], kernel["edition"]

    def server_ms(self) -> int:
        """Return the server's own clock in epoch milliseconds."""
        return int(self.read(SERVER_TIME)[0]["now"])

    def as_stored(self) -> Self:
        """Return this database with every value as it lies there: nothing is sealed, nothing opened."""
        self._open()
        other = copy.copy(self)
        other.cipher = None
        return other

    def close(self) -> None:
        """Close the driver of this process; the next call opens a new one."""
        with self._lock:
            if self._driver is not None and self._pid == os.getpid():
                self._driver.close()
            self._driver = None

    def _reading(self) -> dict[str, Any]:
        return {"database": self.connection.database, "default_access_mode": READ_ACCESS}

    def _bounded(self, work: Callable[[Transaction], T]) -> Callable[[ManagedTransaction], T]:
        @unit_of_work(timeout=self.connection.timeout)
        def run(tx: ManagedTransaction) -> T:
            inside = Transaction(tx, self.cipher)
            made = work(inside)
            outbox.flush(inside)
            return made

        return run

    def _session(self) -> Session:
        patience = self.connection.patience
        return self._open().session(database=self.connection.database, max_transaction_retry_time=patience, **RETRY)

    def _open(self) -> Driver:
        if self._driver is not None and self._pid == os.getpid():
            return self._driver
        with self._lock:
            if self._driver is None or self._pid != os.getpid():
                # A driver inherited over a fork shares its sockets with the parent: leave it, open our own.
                self._driver = open_driver(self.connection)
                self._pid = os.getpid()
            return self._driver


def _told(cipher: sealing.Cipher | None, run: Callable[[Any], Any], parameters: dict[str, Any]) -> list[Row]:
    if cipher is None:
        return rows(run(parameters))
    met: list[bytes] = []
    found = rows(run(sealing.closed(cipher, parameters)), met)
    tenant = str(parameters.get("tenant") or "")
    return [sealing.opened(cipher, row, tenant) for row in found] if met else found


def _passes(cause: BaseException | None) -> bool:
    return isinstance(cause, (Neo4jError, DriverError)) and cause.is_retryable()


def _persistent(once: Callable[[], T]) -> T:
    # The driver repeats deadlocks by itself, but nothing that met a node deleted a moment ago.
    for _ in range(VANISHED_ATTEMPTS):
        with suppress(Vanished):
            return once()
    return once()


# The first retry of the driver waits a second by default; conflicts between our small writes clear in milliseconds.
# The last wait may begin just inside the patience: with this growth a request ends within twice of it, and clients
# give up after 30 seconds.
RETRY: dict[str, Any] = {
    "initial_retry_delay": 0.02,
    "retry_delay_multiplier": 1.5,
    "retry_delay_jitter_factor": 0.5,
}


def open_driver(connection: Connection) -> Driver:
    """Open a driver; nothing is sent before its first use.

    Raises:
        Unsupported: the address or the credentials cannot be understood.
    """
    remedy = "Use bolt://host:port or neo4j://host:port."
    scheme = connection.uri.partition("://")[0]
    if scheme not in SCHEMES:
        raise Unsupported(f"NEO4J_URI cannot be used: its scheme is {scheme or 'missing'!r}.", remedy)
    try:
        return GraphDatabase.driver(
            connection.uri,
            auth=(connection.user, connection.password),
            max_connection_pool_size=connection.pool_size,
            connection_acquisition_timeout=10,
            connection_timeout=5,
            max_connection_lifetime=3600,
            liveness_check_timeout=60,
            notifications_min_severity="OFF",
            telemetry_disabled=True,
            user_agent="loci",
        )
    except (ValueError, DriverError) as error:
        raise Unsupported(f"NEO4J_URI cannot be used: {error}.", remedy) from error


def refuse_version(version: str) -> None:
    """Refuse a server that Loci must not run on.

    Raises:
        Unsupported: `version` is older than 2026.06, or one known to be broken.
    """
    numbers = tuple(int(part) for part in version.split("+")[0].split("-")[0].split(".") if part.isdigit())
    remedy = "Use Neo4j 2026.09 or newer, or unset NEO4J_URI to let Loci run its own."
    if numbers[:2] < LOWEST_VERSION:
        raise Unsupported(f"Neo4j {version} is too old: Loci needs 2026.06 for lists in vector filters.", remedy)
    if numbers[:3] in BROKEN_VERSIONS:
        raise Unsupported(f"Neo4j {version} must not be used. {BROKEN_VERSIONS[numbers[:3]]}", remedy)


__all__ = ["Connection", "Graph", "Transaction", "Unavailable", "open_driver", "refuse_version"]

"""A Neo4j server of our own: fetched, configured, started on loopback, watched by a guard, stopped in order.

Three locks in LOCI_HOME/neo4j, all kept by the kernel:

* `start.lock` is held while a server is being started or stopped, so that two starters do not meet.
* `server.lock` is inherited by guard and server: held means that something has the store open.
* `holders.lock` is held, shared, by each process that uses the server; when all are gone the guard stops it.
"""

import contextlib
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.local import java_cache
from app.local.artifacts import fetch
from app.local.errors import OccupiedError, ServerError
from app.local.home import Home
from app.local.java import find_java
from app.local.lockfile import load_lock
from app.local.locking import FileLock
from app.local.neo4j_config import machine_memory, size_memory
from app.local.neo4j_launch import STOP_TIMEOUT, Launch
from app.local.neo4j_place import Place, Server
from app.local.neo4j_process import Record, last_holder, listens, tail
from app.local.progress import Progress

ARTIFACTS = ("neo4j", "browser")
_POLL = 0.1


@dataclass(frozen=True)
class Status:
    """What is known without touching anything.

    Attributes:
        state: `running`, `starting`, `orphaned` (its guard was killed) or `stopped`.
        record: who runs it; None when stopped, or when it has not got that far.
        in_use: whether a running Loci uses it.
    """

    state: str
    record: Record | None
    in_use: bool


class ManagedNeo4j:
    """The one server of a home. Several processes may each have an object of their own for it."""

    def __init__(
        self,
        home: Home,
        bolt_port: int = 7687,
        http_port: int = 7474,
        heap: str | None = None,
        page_cache: str | None = None,
        java: str | Path | None = None,
        maven_url: str | None = None,
        progress: Progress | None = None,
        java_flags: Sequence[str] = (),
        cached: bool = True,
    ) -> None:
        """Nothing is touched yet.

        Args:
            home: where artifacts, store, logs and the password live.
            bolt_port: port on loopback; 0 picks a free one.
            http_port: port of HTTP and Neo4j Browser; 0 picks a free one.
            heap: such as `1g`; None or empty: by machine size.
            page_cache: such as `512m`; None or empty: by machine size.
            java: a launcher; None: see `find_java`.
            maven_url: a mirror for artifacts; None or empty: the fetch library's default.
            progress: who hears of a fetch.
            java_flags: further flags of the Java machine.
            cached: start from the Java machine's cache (`java_cache`), where there is one.
        """
        self.home = home
        self.place = Place(home)
        self._ports = bolt_port, http_port
        self._sizes = heap, page_cache
        self._java = java
        self._java_flags, self._cached = tuple(java_flags), cached
        self._source = maven_url, progress
        self.version = load_lock("neo4j").version
        self._start_lock = FileLock(home.neo4j / "start.lock")
        self._server_lock = FileLock(home.neo4j / "server.lock")
        self._holders = FileLock(home.neo4j / "holders.lock")
        self._guard: subprocess.Popen[bytes] | None = None

    def start(self, *, detached: bool = False, timeout: float = 180) -> Server:
        """Return a server that answers: the one that runs already, or a new one.

        A new server ends when every process that called `start` has called `stop` or has ended, however it ended; with
        `detached` it runs until `end`. An orphan left by a killed guard is stopped first.

        Args:
            detached: let it outlive this process.
            timeout: seconds that a start, with recovery of the store, may take once everything is fetched.

        Raises:
            HomeError: LOCI_HOME cannot be used.
            ArtifactError: the server cannot be fetched.
            JavaError: there is no Java for it.
            PortTakenError: a port given by number is in use.
            ServerError: it does not start, or does not accept our password; carries the end of its log.
        """
        self.home.create()
        self.place.logs.mkdir(mode=0o700, exist_ok=True)
        java = find_java(self._java)
        memory = size_memory(machine_memory(), *self._sizes)
        class_path = self.class_path()
        flags = (*(java_cache.flags(self.home, self.version, java) if self._cached else ()), *self._java_flags)
        deadline = time.monotonic() + timeout
        with self._starting(timeout):
            running = self._attach(deadline)
            if running is not None:
                return running
            launch = Launch(self.place, self.version, java, class_path, self._ports, memory, detached, deadline, flags)
            with self._server_lock:
                guard, record = launch.run(self._server_lock, self._holders)
        if self._guard is not None:
            self._guard.wait()  # of a server that died: the lock says that both have ended
            self._guard = None
        if detached:
            _let_go(guard)
        else:
            self._guard = guard
        return self.place.server(record, attached=False)

    def class_path(self) -> str:
        """Return where Java finds the server, fetched if need be. Raises ArtifactError."""
        return ":".join(f"{fetch(name, self.home, *self._source)}/*" for name in ARTIFACTS)

    def stop(self) -> bool:
        """Stop using the server; return whether it has ended because of that.

        It goes on where another process still uses it, or when it is detached.

        Raises:
            ServerError: it does not end.
        """
        guard, self._guard = self._guard, None
        if not self._holders.held:
            return False
        record = self.place.record()
        alone = last_holder(self._holders)
        if not alone or record is None or record.facts.detached:
            _let_go(guard)
            return False
        if guard is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                guard.wait(STOP_TIMEOUT + 5)
        if not record.guard.alive():
            record.java.end(STOP_TIMEOUT)  # nobody else is left to do it when the guard was killed
        self._wait_for_end(record)
        return True

    def end(self, *, force: bool = False) -> bool:
        """Stop whatever server this home has; return False when there is none.

        Raises:
            ServerError: another process still uses it, and `force` is not given; or it does not end.
        """
        with self.halted("Stop that first, or add --force.", force=force) as status:
            return status.state != "stopped"

    @contextlib.contextmanager
    def halted(self, remedy: str, *, force: bool = False) -> Iterator[Status]:
        """Stop whatever server this home has, and let none start while the block runs; yield what ran before.

        Who starts one meanwhile waits for the end of the block. `remedy` is said where the server is in use.

        Raises:
            ServerError: another process still uses it, and `force` is not given; or it does not end.
        """
        self._holders.release()
        with self._starting(STOP_TIMEOUT):
            status = self.status()
            if status.state != "stopped":
                self._end(status, remedy, force=force)
            yield status

    def _end(self, status: Status, remedy: str, *, force: bool) -> None:
        record = status.record
        if status.in_use and not force:
            owner = f" (process {record.facts.owner})" if record and not record.facts.detached else ""
            raise ServerError(f"This Neo4j is in use by a running Loci{owner}.", remedy)
        if record is not None:
            record.guard.end(STOP_TIMEOUT + 5)
            record.java.end(STOP_TIMEOUT)
        self._wait_for_end(record)
        if self._guard is not None:
            self._guard.wait()
            self._guard = None

    def alive(self) -> bool:
        """Whether the server that `start` returned still runs."""
        if self._guard is not None:
            return self._guard.poll() is None
        record = self.place.record()
        return record is not None and record.guard.alive()

    def status(self) -> Status:
        """Return what runs, touching nothing."""
        if not self.place.folder.is_dir() or _free(self._server_lock):
            return Status("stopped", None, in_use=False)
        record = self.place.record()
        in_use = not _free(self._holders)
        if record is None:
            return Status("starting", None, in_use)
        if not record.guard.alive():
            return Status("orphaned", record, in_use)
        return Status("running" if listens(record.facts.bolt_port) else "starting", record, in_use)

    def log_tail(self, lines: int = 30) -> list[str]:
        """Return the last lines of the server's own log."""
        return tail(self.place.log, lines)

    @contextlib.contextmanager
    def _starting(self, timeout: float) -> Iterator[None]:
        self.home.create()
        if not self._start_lock.acquire(timeout=timeout):
            raise OccupiedError(
                f"Another process has been starting or stopping this Neo4j for {timeout:.0f} seconds.",
                f"See the logs in {self.place.logs}; end that process if it hangs.",
            )
        try:
            yield
        finally:
            self._start_lock.release()

    def _attach(self, deadline: float) -> Server | None:
        """Return the server that runs; or None, with `server.lock` taken, once nothing of an earlier one is left."""
        while not self._server_lock.try_acquire():
            record = self.place.record()
            if time.monotonic() > deadline:
                who = f" It is process {record.java.pid}." if record else ""
                raise ServerError(
                    f"The store in {self.place.folder} is still open in another process.{who}",
                    "Stop that process, or set LOCI_HOME to another folder.",
                )
            if record is not None and record.guard.alive():
                # The guard holds this lock alone from the moment it stops its server.
                if self._holders.held or self._holders.try_acquire(shared=True):
                    return self._attached(record, deadline)
            elif record is not None and record.java.alive():
                record.java.end(STOP_TIMEOUT)
            time.sleep(_POLL)
        return None

    def _attached(self, record: Record, deadline: float) -> Server:
        try:
            if record.facts.version != self.version:
                raise ServerError(
                    f"Neo4j {record.facts.version} of an earlier Loci is running; this one needs {self.version}.",
                    "Stop it: loci neo4j stop",
                )
            while not self.place.ready(record.facts):
                if not record.guard.alive() or time.monotonic() > deadline:
                    raise self.place.failure("The running Neo4j does not answer.")
                time.sleep(_POLL)
        except BaseException:
            self._holders.release()
            raise
        return self.place.server(record, attached=True)

    def _wait_for_end(self, record: Record | None) -> None:
        deadline = time.monotonic() + STOP_TIMEOUT + 5
        while not _free(self._server_lock):
            if time.monotonic() > deadline:
                who = f" (process {record.java.pid})" if record else ""
                raise ServerError(f"Neo4j{who} does not end.", f"See {self.place.logs}, then end it by hand.")
            time.sleep(_POLL)


def _let_go(guard: subprocess.Popen[bytes] | None) -> None:
    """Mark a child as one that nobody here waits for: it is meant to outlive this process."""
    if guard is not None:
        guard.returncode = 0


def _free(lock: FileLock) -> bool:
    """Whether nobody holds a lock; one that this very object holds counts as held by somebody."""
    if lock.held:
        return False
    probe = FileLock(lock.path)
    try:
        return probe.try_acquire()
    finally:
        probe.release()

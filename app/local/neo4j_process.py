"""What surrounds a server process: the record of who runs it, ports, the guard's arguments, the end of its logs."""

import contextlib
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import psutil

from app.local.errors import PortTakenError
from app.local.locking import FileLock

GUARD = Path(__file__).with_name("guard.py")
BOLT_SETTING = "LOCI_NEO4J_BOLT_PORT"
HTTP_SETTING = "LOCI_NEO4J_HTTP_PORT"
_CLOCK_SLACK = 1.0  # seconds that two readings of one process's start may differ by
_TAIL_BYTES = 64_000


@dataclass(frozen=True)
class Process:
    """A process that is not confused with a later one of the same number; `started` is unix seconds."""

    pid: int
    started: float

    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        try:
            process = psutil.Process(self.pid)
            started: float = process.create_time()
            zombie: bool = process.status() == psutil.STATUS_ZOMBIE
            return abs(started - self.started) < _CLOCK_SLACK and not zombie
        except psutil.Error:
            return False

    def end(self, timeout: float) -> None:
        """Ask it to stop, wait up to `timeout` seconds, then kill it."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self.alive():
                return
            with contextlib.suppress(psutil.Error):
                psutil.Process(self.pid).send_signal(number)
            deadline = time.monotonic() + timeout
            while self.alive() and time.monotonic() < deadline:
                time.sleep(0.05)


@dataclass(frozen=True)
class Facts:
    """What the starter knows of a server and later callers need."""

    version: str
    bolt_port: int
    http_port: int
    detached: bool
    owner: int


@dataclass(frozen=True)
class Record:
    """Who runs the server of a home. The guard writes it; the locks, not the record, say whether it is true."""

    facts: Facts
    guard: Process
    java: Process

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Return what the file says; None when there is none, or none that can be read."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            facts = Facts(**{entry.name: found[entry.name] for entry in fields(Facts)})
            return cls(facts, _process(found["guard"]), _process(found["java"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True)
class GuardSpec:
    """The guard's whole knowledge. `holders` is None for a server that runs until it is told to stop."""

    command: list[str]
    folder: str
    log: str
    record: str
    lock_fd: int
    holders: str | None
    stop_timeout: int
    facts: dict[str, Any]

    def spawn(self, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start the guard in a session of its own, so that Ctrl-C reaches Loci first and Neo4j is stopped last."""
        with open(self.log, "ab") as log:
            return subprocess.Popen(  # noqa: S603 - this interpreter and our own script
                [sys.executable, "-I", str(GUARD), json.dumps(asdict(self))],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(self.lock_fd,),
                env=environment,
                start_new_session=True,
            )


def _process(found: Sequence[float]) -> Process:
    return Process(int(found[0]), float(found[1]))


def choose_ports(bolt: int, http: int) -> tuple[int, int]:
    """Return the ports to use; 0 stands for any free one, which another process may still take before the server does.

    Raises:
        PortTakenError: a port given by number is in use; names its setting.
    """
    with contextlib.ExitStack() as stack:  # both stay bound until both are known, so they differ
        return _bind(stack, bolt, BOLT_SETTING), _bind(stack, http, HTTP_SETTING)


def _bind(stack: contextlib.ExitStack, port: int, setting: str) -> int:
    probe = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: a closing connection is no owner
    try:
        probe.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        raise PortTakenError(port, setting) from error
    chosen: int = probe.getsockname()[1]
    return chosen


def lost_port(log: str) -> int | None:
    """Return the port that the server reports as taken in the part of its log given; None when it does not."""
    found = re.search(r"(?:bind to the socket|Address) [^\s:]*:(\d+)", log)
    return int(found[1]) if found else None


def listens(port: int) -> bool:
    """Whether something accepts connections on this port of the loopback address."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return True
    except OSError:
        return False


def serves(port: int) -> bool:
    """Whether an HTTP server answers there. Its port opens before it is ready, and Neo4j ends badly until then."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def tail(path: Path, lines: int, start: int = 0) -> list[str]:
    """Return the last lines of a text file, none from before byte `start`; empty when it is missing."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(start if start <= size else 0, size - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace").splitlines()[-lines:]
    except OSError:
        return []


def last_holder(lock: FileLock) -> bool:
    """Release a shared lock and say whether no other process holds it: the guard has it then, or takes it now."""
    alone = lock.try_acquire() or not lock.try_acquire(shared=True)
    lock.release()
    return alone

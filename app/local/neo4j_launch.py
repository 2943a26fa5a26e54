"""Start one new server: configuration, first password, guard, and the wait until it answers."""

import os
import subprocess
import time
from dataclasses import asdict, dataclass

from app.local.errors import PortTakenError, ServerError
from app.local.home import write_private
from app.local.java import Java
from app.local.locking import FileLock
from app.local.neo4j_config import Memory, ServerConfig, command, password_command, render
from app.local.neo4j_place import Place
from app.local.neo4j_process import BOLT_SETTING, HTTP_SETTING, Facts, GuardSpec, Record, choose_ports, lost_port, tail

STOP_TIMEOUT = 60  # seconds for a last checkpoint before the server is killed
_PORT_TRIES = 5
_POLL = 0.1
_LOG_LIMIT = 10_000_000  # bytes of what the Java machine itself prints


@dataclass(frozen=True)
class Launch:
    """All that one start needs; `ports` are bolt and http, 0 for a free one, `deadline` is on the monotonic clock."""

    place: Place
    version: str
    java: Java
    class_path: str
    ports: tuple[int, int]
    memory: Memory
    detached: bool
    deadline: float
    more_flags: tuple[str, ...]

    def run(self, server_lock: FileLock, holders: FileLock) -> tuple[subprocess.Popen[bytes], Record]:
        """Return the guard and its record once the server answers.

        `server_lock` is held on entry; guard and server have it on return. A port that was picked, and lost to another
        process before the server had it, is picked again.

        Raises:
            PortTakenError: a port given by number is in use.
            ServerError: the server does not start; nothing of it is left running.
        """
        for _ in range(_PORT_TRIES):
            bolt, http = choose_ports(*self.ports)
            config = ServerConfig(
                self.version, self.place.folder, self.place.logs, bolt, http, self.memory, self.java, self.more_flags
            )
            self._prepare(config)
            if not holders.acquire(shared=True, timeout=STOP_TIMEOUT):
                raise self.place.failure("An earlier Neo4j of this home does not end.")
            begin = self.place.console.stat().st_size if self.place.console.exists() else 0
            guard = self._spawn(config, server_lock, holders)
            try:
                record = self._wait(guard, begin)
            except BaseException:
                holders.release()
                end_guard(guard)
                raise
            if record is not None:
                return guard, record
            holders.release()
            if not server_lock.acquire(timeout=STOP_TIMEOUT):
                break
        raise self.place.failure("Neo4j found no free port.")

    def _prepare(self, config: ServerConfig) -> None:
        place = self.place
        place.conf.mkdir(mode=0o700, exist_ok=True)
        write_private(place.conf / "neo4j.conf", render(config))
        if place.console.exists() and place.console.stat().st_size > _LOG_LIMIT:
            place.console.replace(place.console.with_suffix(".log.1"))
        place.home.neo4j_password()
        if not place.has_store():
            self._set_password(config)

    def _set_password(self, config: ServerConfig) -> None:
        done = subprocess.run(  # noqa: S603 - the command is built by Loci
            password_command(config, self.class_path, self.place.password_path),
            env=self.place.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerError(
                "The first password of Neo4j could not be set:\n" + (done.stdout + done.stderr).strip()[-2000:],
                f"Look at {self.place.conf / 'neo4j.conf'} and at the free space of that disk.",
            )

    def _spawn(self, config: ServerConfig, server_lock: FileLock, holders: FileLock) -> subprocess.Popen[bytes]:
        spec = GuardSpec(
            command=command(config, self.class_path),
            folder=str(self.place.folder),
            log=str(self.place.console),
            record=str(self.place.record_path),
            lock_fd=server_lock.fileno(),
            holders=None if self.detached else str(holders.path),
            stop_timeout=STOP_TIMEOUT,
            facts=asdict(Facts(config.version, config.bolt_port, config.http_port, self.detached, os.getpid())),
        )
        guard = spec.spawn(self.place.environment())
        server_lock.release()
        return guard

    def _wait(self, guard: subprocess.Popen[bytes], begin: int) -> Record | None:
        """Return the record of the server that answers; None when it ended because a port that we picked was lost."""
        while guard.poll() is None:
            record = self.place.record()
            # A record of an earlier guard, which was killed, may still lie there.
            if record is not None and record.guard.pid == guard.pid and self.place.ready(record.facts):
                return record
            if time.monotonic() > self.deadline:
                raise self.place.failure("Neo4j did not answer in time.", begin)
            time.sleep(_POLL)
        port = lost_port("\n".join(tail(self.place.console, 200, begin)))
        if port is None:
            raise self.place.failure("Neo4j ended while it was starting.", begin)
        for asked, setting in zip(self.ports, (BOLT_SETTING, HTTP_SETTING), strict=True):
            if asked == port:
                raise PortTakenError(port, setting)
        return None


def end_guard(guard: subprocess.Popen[bytes]) -> None:
    """Stop a guard of this process, and with it the server, and wait for both."""
    guard.terminate()
    try:
        guard.wait(STOP_TIMEOUT + 5)
    except subprocess.TimeoutExpired:
        guard.kill()
        guard.wait()

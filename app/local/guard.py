"""The small process between Loci and Neo4j: no server outlives those who use it, and each is stopped in order.

It runs as a script of its own, on the standard library and psutil alone, so that it stays small. One JSON argument
tells all: see `GuardSpec` in `neo4j_process.py`.

* Every process that uses the server holds a shared lock on one file. The guard waits for the exclusive lock, which the
  kernel grants when the last of them has ended, however it ended. Then it stops the server. A detached server has no
  such file and runs until the guard is told to stop.
* The lock that marks the store as in use is inherited by the server itself, so it is free exactly when nothing has the
  store open any more.
* On Linux the server gets SIGTERM when the guard is killed; elsewhere the next start finds it and stops it.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import psutil

_PR_SET_PDEATHSIG = 1


class Guard:
    """Runs one server and passes signals on to it."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        self._java: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def run(self) -> int:
        """Start the server, wait for its end and return its exit code."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGALRM, self._kill)
        record = Path(self._spec["record"])
        self._java = self._start()
        try:
            self._write_record(record, self._java.pid)
            if self._stopping:
                self._stop(signal.SIGTERM, None)
            if self._spec["holders"]:
                threading.Thread(target=self._wait_for_holders, daemon=True).start()
            return self._java.wait()
        finally:
            if self._java.poll() is None:
                self._java.kill()
                self._java.wait()
            # Before the locks end with this process: a server started next writes a record of its own.
            record.unlink(missing_ok=True)

    def _start(self) -> subprocess.Popen[bytes]:
        with open(self._spec["log"], "ab") as log:
            return subprocess.Popen(  # noqa: S603 - the command is built by Loci
                self._spec["command"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._spec["folder"],
                pass_fds=(self._spec["lock_fd"],),
                preexec_fn=_parent_binder(),
            )

    def _write_record(self, path: Path, java: int) -> None:
        record = {**self._spec["facts"], "guard": _identity(os.getpid()), "java": _identity(java)}
        staged = path.with_suffix(".new")
        fd = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump(record, file)
        staged.replace(path)

    def _wait_for_holders(self) -> None:
        with open(self._spec["holders"], "rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.kill(os.getpid(), signal.SIGTERM)
            # The file stays open, and with it the lock: who wants to use this server now sees that it is ending.
            threading.Event().wait()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True
        if self._java is not None:
            self._java.send_signal(signal.SIGTERM)
            signal.alarm(self._spec["stop_timeout"])

    def _kill(self, number: int, frame: FrameType | None) -> None:
        if self._java is not None:
            self._java.kill()


def _identity(pid: int) -> list[float]:
    """Return what tells a process from a later one with the same number."""
    with contextlib.suppress(psutil.Error):
        return [pid, psutil.Process(pid).create_time()]
    return [pid, 0.0]


def _parent_binder() -> Any:
    """Return what the child runs before the server: it asks the kernel to end it with this process."""
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    guard = os.getpid()

    def bind() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != guard:  # it died before the kernel was asked
            os._exit(1)

    return bind


def main() -> NoReturn:
    """Run the guard that the first argument describes."""
    sys.exit(abs(Guard(json.loads(sys.argv[1])).run()))


if __name__ == "__main__":
    main()

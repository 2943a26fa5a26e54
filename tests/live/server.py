"""A whole `loci serve` as its users start it: processes, database and all, in a home of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.local.small import HEAP, PAGE_CACHE

START_SECONDS = 180
STOP_SECONDS = 60
# Rotating keys waits for what servers may still do.
COMMAND_SECONDS = 400


@dataclass
class Live:
    """A running server: where it is, the key of its first start, and its processes."""

    home: Path
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def credentials(self) -> dict[str, Any]:
        """What `credentials.json` says."""
        found: dict[str, Any] = json.loads((self.home / "credentials.json").read_text())
        return found

    @property
    def base_url(self) -> str:
        """Where the API is."""
        return str(self.credentials["base_url"])

    def client(self, key: str | None = None) -> httpx2.Client:
        """Return an HTTP client with the first key, or with `key`."""
        headers = {"Authorization": f"Bearer {key or self.credentials['api_key']}"}
        return httpx2.Client(base_url=self.base_url, headers=headers, timeout=30, trust_env=False)


def start(home: Path, **settings: str) -> Live:
    """Start a server in `home`, and return once it says that it is ready."""
    home.mkdir(parents=True, exist_ok=True)
    cache = Path(os.environ["LOCI_HOME"]) / "artifacts"
    if not (home / "artifacts").exists():
        (home / "artifacts").symlink_to(cache, target_is_directory=True)
    log = home / "serve.log"
    environment = {
        **os.environ,
        "LOCI_HOME": str(home),
        "LOCI_PORT": "0",
        "LOCI_NEO4J_BOLT_PORT": "0",
        "LOCI_NEO4J_HTTP_PORT": "0",
        "LOCI_NEO4J_HEAP": HEAP,
        "LOCI_NEO4J_PAGE_CACHE": PAGE_CACHE,
        "LOCI_RATE_LIMIT": "unlimited",
        **settings,
    }
    with log.open("ab") as out:
        start_at = out.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve"],
            env=environment, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + START_SECONDS
    while b"Loci is ready" not in log.read_bytes()[start_at:]:
        if process.poll() is not None or time.monotonic() > deadline:
            stop(process)
            raise AssertionError(f"loci serve did not get ready:\n{log.read_text()[-4000:]}")
        time.sleep(0.1)
    return Live(home, process, log)


def stop(process: "subprocess.Popen[bytes]", number: int = signal.SIGTERM) -> int:
    """Send a signal to the supervisor and wait; whatever is left of its group after a while is killed."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise


@contextmanager
def running(home: Path, **settings: str) -> Iterator[Live]:
    """A server for the length of a block."""
    live = start(home, **settings)
    try:
        yield live
    finally:
        stop(live.process)


def loci(live: Live, *words: str, **settings: str) -> str:
    """Run a command beside a server and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *words], env={**os.environ, **settings, "LOCI_HOME": str(live.home)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def holding(folder: Path, mark: str) -> list[str]:
    """Return the files below a folder that hold a word, by their paths in it."""
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.exists() else []
    return sorted(str(path.relative_to(folder)) for path in files if mark.encode() in path.read_bytes().lower())

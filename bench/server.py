"""A server of the benchmark's own: a fresh home, its own ports, no rate limit, gone when the block ends."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

ROOT = Path(__file__).resolve().parents[1]
READY = b"Loci is ready"
START_SECONDS = 240
STOP_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A running server: where it is, and a key with all scopes."""

    base_url: str
    api_key: str

    def client(self, key: str | None = None) -> httpx2.Client:
        """Return an HTTP client with the first key, or with `key`."""
        headers = {"Authorization": f"Bearer {key or self.api_key}"}
        return httpx2.Client(base_url=self.base_url, headers=headers, timeout=120)

    def namespace(self, name: str) -> httpx2.Client:
        """Return a client with a key for a namespace of its own."""
        with self.client() as admin:
            answer = admin.post("/v1/keys", json={"name": name, "namespace": name, "scopes": ["read", "write"]})
        answer.raise_for_status()
        return self.client(answer.json()["key"])


@contextmanager
def running(**settings: str) -> Iterator[Server]:
    """Start `loci serve` in a temporary home that shares the artifact cache of LOCI_HOME, and stop it at the end.

    `settings` are environment variables. Waits until the server says that it is ready.
    """
    cache = Path(os.environ.get("LOCI_HOME", "~/.loci")).expanduser() / "artifacts"
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="loci-bench-") as folder:
        home = Path(folder)
        (home / "artifacts").symlink_to(cache, target_is_directory=True)
        log = home / "serve.log"
        # A benchmark that is told to end takes its server and its home with it.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        process = _start(home, log, settings)
        try:
            _wait(process, log)
            found = json.loads((home / "credentials.json").read_text("utf-8"))
            yield Server(found["base_url"], found["api_key"])
        finally:
            _stop(process)


def _start(home: Path, log: Path, settings: dict[str, str]) -> "subprocess.Popen[bytes]":
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("LOCI_", "NEO4J_", "OPENAI_"))},
        "LOCI_HOME": str(home),
        "LOCI_PORT": "0",
        "LOCI_NEO4J_BOLT_PORT": "0",
        "LOCI_NEO4J_HTTP_PORT": "0",
        "LOCI_RATE_LIMIT": "unlimited",
        **settings,
    }
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve"],
            cwd=ROOT,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )


def _wait(process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while READY not in log.read_bytes():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"The server did not get ready:\n{log.read_text('utf-8')[-4000:]}")
        time.sleep(0.2)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

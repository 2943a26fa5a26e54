"""An endpoint on loopback that keeps what it was sent and answers as it is told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Got:
    """One request: its headers by small letters, and its body as it came."""

    path: str
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> dict[str, Any]:
        """The body as JSON."""
        found: dict[str, Any] = json.loads(self.raw)
        return found

    @property
    def event_id(self) -> str:
        """What consumers know repeats by."""
        return self.headers["webhook-id"]


@dataclass(frozen=True)
class Reply:
    """An answer. `gate` holds it back until it is set."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    gate: threading.Event | None = None


@dataclass
class Receiver:
    """What came, and what the next answers are; when they are used up, `usual`."""

    url: str = ""
    got: list[Got] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    usual: Reply = field(default_factory=Reply)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def take(self, got: Got) -> Reply:
        """Keep a request and return its answer."""
        with self.arrived:
            self.got.append(got)
            self.arrived.notify_all()
            return self.replies.pop(0) if self.replies else self.usual

    def wait(self, count: int, seconds: float = 20) -> list[Got]:
        """Wait until so many requests have come, and return them."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.got) >= count, seconds), f"only {len(self.got)} came"
            return list(self.got)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver for the length of a block."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = receiver.take(Got(self.path, headers, raw))
            if reply.gate:
                reply.gate.wait(30)
            try:
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)
            except OSError:
                return  # whoever asked has gone: an answer too large, or too late

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

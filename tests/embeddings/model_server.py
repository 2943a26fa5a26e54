"""A small server on loopback that speaks OpenAI's embeddings route and can be told to misbehave."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from app.embeddings.hashing import HashingEmbedder

Answer = tuple[int, dict[str, str], bytes]
DIMENSIONS = 64


class ModelServer:
    """Answers hashing vectors of length 3 in norm (so that normalising shows), in reverse order.

    `script` holds answers to give first, one a request; `edit` changes the body of each healthy answer.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.script: list[Answer] = []
        self.edit: Callable[[dict[str, Any]], None] = lambda body: None
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def fail(self, status: int, *, code: str | None = None, message: str = "", **headers: str) -> None:
        """Queues one refusal in the form of OpenAI's; header names with _ for -."""
        body = json.dumps({"error": {"message": message, "code": code}}).encode()
        self.script.append((status, {name.replace("_", "-"): value for name, value in headers.items()}, body))

    def answer(self, request: dict[str, Any]) -> Answer:
        if self.script:
            return self.script.pop(0)
        vectors = HashingEmbedder(request.get("dimensions", DIMENSIONS)).embed_documents(request["input"])
        data = [
            {"object": "embedding", "index": index, "embedding": [3 * float(value) for value in vector]}
            for index, vector in enumerate(vectors)
        ]
        body: dict[str, Any] = {"object": "list", "model": request["model"], "data": data[::-1]}
        self.edit(body)
        return 200, {}, json.dumps(body).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.requests.append(request)
                server.headers.append({name.lower(): value for name, value in self.headers.items()})
                known = self.path == "/v1/embeddings"
                status, headers, body = server.answer(request) if known else (404, {}, b"{}")
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Silent."""

        return Handler

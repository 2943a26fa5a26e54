"""What a chat model on loopback may do when it is asked to stream."""

import json
import time
from http.server import BaseHTTPRequestHandler

from tests.services.test_extract_llm import Answer

FAR = "1000000"


def piece(text: str) -> bytes:
    """Return the event that carries a piece of an answer."""
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n"


def begin(handler: BaseHTTPRequestHandler) -> None:
    """Send the headers of a stream."""
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.end_headers()


def streamed(*texts: str) -> Answer:
    """Tell these pieces, then the end."""

    def tell(handler: BaseHTTPRequestHandler) -> None:
        begin(handler)
        for text in texts:
            handler.wfile.write(piece(text))
            handler.wfile.flush()
        handler.wfile.write(b"data: [DONE]\n\n")

    return tell


def silent(start: bytes, seconds: float = 1.0) -> Answer:
    """Send this much, then nothing more."""

    def wait(handler: BaseHTTPRequestHandler) -> None:
        begin(handler)
        handler.wfile.write(start)
        handler.wfile.flush()
        time.sleep(seconds)

    return wait


def broken(start: bytes) -> Answer:
    """Promise much, send this much, and hang up."""

    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", FAR)
        handler.end_headers()
        handler.wfile.write(start)

    return hang_up

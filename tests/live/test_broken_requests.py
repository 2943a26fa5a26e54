"""Requests that never reach the app: gunicorn refuses them, and the answer has the body of every other error."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from app.broken_requests import LONGEST_LINE
from graph.driver import Connection
from tests.callers import Caller
from tests.conftest import MASTER_KEY, PEPPER

HOST = b"Host: localhost\r\n"


@pytest.fixture(scope="module")
def port(connection: Connection) -> Iterator[int]:
    """A gunicorn over the tests' database."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        environment = {
            **os.environ, "NEO4J_URI": connection.uri, "NEO4J_USER": connection.user, "LOCI_WORKERS": "1",
            "NEO4J_PASSWORD": connection.password, "LOCI_EMBEDDER": "hashing", "LOCI_KEY_PEPPER": PEPPER,
            "LOCI_ENVIRONMENT": "test", "LOCI_MASTER_KEY": MASTER_KEY, "LOCI_THREADS": "2",
        }  # fmt: skip
        number = listening.fileno()
        server = subprocess.Popen(
            [sys.executable, "-m", "app.serving", str(number)], env=environment, pass_fds=[number]
        )
        yield int(listening.getsockname()[1])
        server.terminate()
        server.wait(30)


def said(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send bytes and return status, headers and body of what comes back until the connection ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(request)
        found = b"".join(iter(lambda: client.recv(65_536), b""))
    head, _, body = found.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    return int(first.split()[1]), {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}, body


@pytest.mark.parametrize(
    ("status", "request_bytes"),
    [
        (414, b"GET /v1/health?a=" + b"x" * LONGEST_LINE + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
        (431, b"GET /v1/health HTTP/1.1\r\n" + HOST + b"X-Long: " + b"secret" * 2000 + b"\r\n\r\n"),
        (431, b"GET /v1/health HTTP/1.1\r\n" + HOST + b"X-One: secret\r\n" * 101 + b"\r\n"),
        (400, b"secret\r\n\r\n"),
        (400, b"GET /v1/health HTTP/9.9\r\n" + HOST + b"\r\n"),
        (400, b"GET /v1/health HTTP/1.1\r\n" + HOST + b"se cret: 1\r\n\r\n"),
        (400, b"POST /v1/memories HTTP/1.1\r\n" + HOST + b"Content-Length: secret\r\n\r\n"),
        (501, b"POST /v1/memories HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: secret\r\n\r\n"),
    ],
)
def test_has_the_body_of_every_error_and_shows_nothing_of_the_request(
    port: int, status: int, request_bytes: bytes
) -> None:
    found, headers, text = said(port, request_bytes)
    assert (found, headers["content-type"], headers["connection"]) == (status, "application/json", "close")
    assert int(headers["content-length"]) == len(text)
    body = json.loads(text)
    assert set(body) == {"type", "message", "code", "request_id", "details", "detail", "error"}
    assert (body["code"], body["request_id"]) == (status, headers["x-request-id"])
    assert b"secret" not in text
    assert not re.search(rb"html|gunicorn", text)


def test_a_line_of_eight_thousand_bytes_is_read(port: int) -> None:
    request = b"GET /v1/health?a=" + b"x" * 8_000 + b" HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
    assert said(port, request)[0] == 200


@pytest.mark.parametrize("chunks", [b"zz\r\nsecret\r\n", b"6\r\nsecret0\r\n\r\n", b"6;secret\x00\r\nsecret\r\n"])
def test_a_body_in_broken_chunks_is_a_mistake_of_the_client(port: int, caller: Caller, chunks: bytes) -> None:
    key = f"Authorization: Bearer {caller.key}\r\nContent-Type: application/json\r\n".encode()
    head = b"POST /v1/embed HTTP/1.1\r\n" + HOST + key + b"Transfer-Encoding: chunked\r\n"
    status, headers, text = said(port, head + b"Connection: close\r\n\r\n" + chunks)
    assert (status, headers["content-type"], json.loads(text)["code"]) == (400, "application/json", 400)
    assert b"secret" not in text

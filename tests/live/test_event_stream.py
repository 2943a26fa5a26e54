"""The event stream through gunicorn: told at once, let go of when nobody listens, ended when the server stops."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from flask import Flask

from app.state import State
from graph.announce import announce
from graph.driver import Connection
from graph.outbox import Happened
from graph.repository import Repository
from tests.callers import Caller, new_caller
from tests.conftest import MASTER_KEY, PEPPER

DOCS = Path(__file__).parents[2] / "docs" / "webhooks.md"


@dataclass
class Served:
    """A gunicorn with room for two streams, one of them for one key."""

    address: str
    process: subprocess.Popen[bytes]


@pytest.fixture
def served(connection: Connection) -> Iterator[Served]:
    """Serve the tests' database."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        environment = {
            **os.environ, "NEO4J_URI": connection.uri, "NEO4J_USER": connection.user, "LOCI_WORKERS": "1",
            "NEO4J_PASSWORD": connection.password, "LOCI_EMBEDDER": "hashing", "LOCI_KEY_PEPPER": PEPPER,
            "LOCI_ENVIRONMENT": "test", "LOCI_MASTER_KEY": MASTER_KEY, "LOCI_RATE_LIMIT": "unlimited",
            "LOCI_THREADS": "4", "LOCI_STREAMS": "2",
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "app.serving", str(listening.fileno())],
            env=environment, pass_fds=[listening.fileno()], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", process)
        process.terminate()
        process.wait(60)


@pytest.fixture
def listener(app: Flask, parts: State) -> Caller:
    return new_caller(app, parts, (), None)


@pytest.fixture
def client(served: Served, listener: Caller) -> Iterator[httpx2.Client]:
    headers = {"Authorization": f"Bearer {listener.key}", "Accept": "text/event-stream"}
    with httpx2.Client(base_url=served.address, headers=headers, timeout=60, trust_env=False) as made:
        yield made


@pytest.fixture
def tell(parts: State, listener: Caller) -> Callable[[str], str]:
    """Announce an event; return the id of what it is about."""

    def told(type: str) -> str:
        id = str(uuid4())
        parts.graph.transaction(lambda tx: Repository(parts.graph, listener, tx).tell(Happened(type, id)))
        while announce(parts.graph, 1_000):
            pass
        return id

    return told


def test_what_happens_is_told_while_the_client_listens(client: httpx2.Client, tell: Callable[[str], str]) -> None:
    with client.stream("GET", "/v1/events", params={"types": "memory.created,memory.deleted"}) as response:
        lines = response.iter_lines()
        assert next(lines) == "retry: 2000"
        for type in ("memory.created", "memory.deleted"):
            id = tell(type)
            assert next(line for line in lines if line.startswith("event: ")) == f"event: {type}"
            assert id in next(lines)


def test_a_client_that_goes_away_makes_room_for_the_next(client: httpx2.Client) -> None:
    for _ in range(5):
        for _ in range(100):
            with client.stream("GET", "/v1/events") as response:
                if response.status_code == 200:
                    assert next(response.iter_lines()) == "retry: 2000"
                    break
            # Its predecessor's leaving is noticed at the next look.
            time.sleep(0.1)
        else:
            pytest.fail("the place was not given back")


def test_beside_open_streams_there_is_always_a_thread_for_requests(client: httpx2.Client) -> None:
    with client.stream("GET", "/v1/events"):
        assert client.get("/v1/events").status_code == 429
        assert client.get("/v1/agents").status_code == 200


def test_a_stream_ends_with_the_server(client: httpx2.Client, served: Served) -> None:
    with client.stream("GET", "/v1/events") as response:
        lines = response.iter_lines()
        next(lines)
        served.process.send_signal(signal.SIGTERM)
        # A whole end: a server that gave up waiting would have broken it off.
        assert [line for line in lines if line.startswith("event: ")] == []
    assert served.process.wait(60) == 0


@pytest.mark.parametrize("command", re.findall(r"```sh\n(curl .+?)```", DOCS.read_text("utf-8"), re.DOTALL))
def test_the_documented_commands_run(
    command: str, served: Served, listener: Caller, tell: Callable[[str], str], client: httpx2.Client
) -> None:
    assert client.get("/v1/health").status_code == 200  # it is up
    environment = {**os.environ, "LOCI_URL": served.address, "LOCI_API_KEY": listener.key, "NO_PROXY": "127.0.0.1"}
    with subprocess.Popen(["sh", "-c", f"exec {command}"], env=environment, stdout=subprocess.PIPE) as running:
        assert running.stdout
        first = running.stdout.readline()
        if "text/event-stream" in command:
            id = tell("memory.created")
            assert any(id.encode() in line for line in running.stdout)
            running.terminate()  # it has no end of its own
        else:
            assert b'"next_cursor"' in first

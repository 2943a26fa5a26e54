"""Answers as a stream through gunicorn: told as they are made, ended properly, and stopped when nobody listens."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import httpx2
import pytest
from flask import Flask

from app.state import State
from graph.driver import Connection
from tests.callers import Caller, new_caller
from tests.conftest import MASTER_KEY, PEPPER
from tests.services.streams import begin, piece
from tests.services.test_extract_llm import FakeModel

QUESTION = "Where does the zorblat live?"
GOOD = "Answer: The zorblat lives in Porto [1]."


@dataclasses.dataclass
class Talker:
    """A model that tells one sentence, then another when it is let, or words without end."""

    fake: FakeModel
    let: threading.Event
    gone: threading.Event
    endless: bool = False

    def talk(self, handler: BaseHTTPRequestHandler) -> None:
        """Tell it."""
        begin(handler)
        handler.wfile.write(piece(GOOD) + piece(" And"))
        handler.wfile.flush()
        try:
            while self.endless:
                handler.wfile.write(piece(" so on."))
                handler.wfile.flush()
                time.sleep(0.005)
        except OSError:
            self.gone.set()
            raise
        self.let.wait(20)
        handler.wfile.write(piece(" it is green.") + b"data: [DONE]\n\n")


@pytest.fixture(scope="module")
def talker() -> Iterator[Talker]:
    """The model on loopback."""
    made = Talker(FakeModel(), threading.Event(), threading.Event())
    made.fake.answer = made.talk
    yield made
    made.let.set()
    made.fake.close()


@pytest.fixture(scope="module")
def address(connection: Connection, talker: Talker) -> Iterator[str]:
    """A gunicorn with one worker and two threads over the tests' database, with the model."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        environment = {
            **os.environ, "NEO4J_URI": connection.uri, "NEO4J_USER": connection.user, "LOCI_WORKERS": "1",
            "NEO4J_PASSWORD": connection.password, "LOCI_EMBEDDER": "hashing", "LOCI_KEY_PEPPER": PEPPER,
            "LOCI_ENVIRONMENT": "test",
            "LOCI_MASTER_KEY": MASTER_KEY, "LOCI_LLM_MODEL": "tiny", "OPENAI_BASE_URL": talker.fake.url,
            "LOCI_LLM_TIMEOUT": "30", "LOCI_THREADS": "2", "NO_PROXY": "127.0.0.1", "LOCI_RATE_LIMIT": "unlimited",
        }  # fmt: skip
        served = subprocess.Popen(
            [sys.executable, "-m", "app.serving", str(listening.fileno())],
            env=environment, pass_fds=[listening.fileno()], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        served.terminate()
        served.wait(30)


@pytest.fixture
def client(address: str, app: Flask, parts: State) -> Iterator[httpx2.Client]:
    """A client of the server whose tenant knows about zorblats."""
    caller: Caller = new_caller(app, parts, (), None)
    caller.remember("The zorblat lives in Porto.")
    headers = {"Authorization": f"Bearer {caller.key}", "Accept": "text/event-stream"}
    with httpx2.Client(base_url=address, headers=headers, timeout=60, trust_env=False) as made:
        yield made


def test_what_the_model_tells_is_told_on_at_once(client: httpx2.Client, talker: Talker) -> None:
    with client.stream("POST", "/v1/ask", json={"question": QUESTION}) as response:
        assert response.status_code == 200
        lines = response.iter_lines()
        shown = next(
            line for line in lines if "lives in Porto [1]" in line and "delta" not in line and "hits" not in line
        )
        # The model still waits for leave to go on: this has come before the end.
        assert json.loads(shown.removeprefix("data: "))["text"].startswith("The zorblat lives in Porto [1].")
        talker.let.set()
        rest = list(lines)
    names = [line.removeprefix("event: ") for line in rest if line.startswith("event: ")]
    assert names[-2:] == ["citation", "done"]
    done = json.loads(rest[-2].removeprefix("data: "))
    assert (done["answer"], done["method"]) == ("The zorblat lives in Porto [1]. And it is green.", "model")


def test_a_stream_ends_and_its_connection_serves_the_next_question(client: httpx2.Client, talker: Talker) -> None:
    talker.let.set()
    for _ in range(3):
        response = client.post("/v1/ask", json={"question": QUESTION})
        assert response.text.endswith("\n\n")
        assert "event: done" in response.text


def test_who_goes_away_leaves_a_server_that_works(client: httpx2.Client, talker: Talker) -> None:
    talker.let.set()
    talker.endless = True
    # More of them than there are threads: none may be kept by one that nobody reads.
    for _ in range(4):
        talker.gone.clear()
        with client.stream("POST", "/v1/ask", json={"question": QUESTION}) as response:
            assert next(response.iter_lines()) == "event: hits"
        assert talker.gone.wait(20)
    talker.endless = False
    assert "event: done" in client.post("/v1/ask", json={"question": QUESTION}).text

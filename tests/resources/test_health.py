"""Health over HTTP: what monitors and clients read without a key."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace

import app as loci
from app import create_app
from app.clock import now_ms
from app.state import State
from graph.driver import Connection, Graph
from tests.callers import Caller


def test_says_that_all_is_well_without_a_key(anonymous: Caller, parts: State) -> None:
    response = anonymous.get("/v1/health")
    body = response.get_json()
    assert response.status_code == 200
    assert (body["status"], body["version"], body["api_version"]) == ("healthy", loci.__version__, "v1")
    assert body["environment"] == "test"
    assert abs(body["timestamp"] - time.time()) < 5
    assert body["services"]["database"] == "up"
    assert all(isinstance(value, str) for value in body["services"].values())
    assert body["embedding_info"] == {"provider": parts.embedder.name, "dimension": parts.space.dimensions}


def test_counts_the_seconds_since_the_start(parts: State) -> None:
    long_ago = replace(parts, started_ms=now_ms() - 90_500)
    body = Caller(create_app(long_ago), "", "").get("/v1/health").get_json()
    assert 90 <= body["uptime_seconds"] < 1_000


def test_of_a_clock_set_back_is_never_negative(parts: State) -> None:
    ahead = replace(parts, started_ms=now_ms() + 60_000)
    assert Caller(create_app(ahead), "", "").get("/v1/health").get_json()["uptime_seconds"] == 0


def test_without_its_database_is_503_and_still_says_what_works(parts: State) -> None:
    away = Graph(Connection("bolt://127.0.0.1:1", "neo4j", "x", patience=0.0))
    response = Caller(create_app(replace(parts, graph=away)), "", "").get("/v1/health")
    away.close()
    body = response.get_json()
    assert response.status_code == 503
    assert (body["status"], body["services"]["database"]) == ("degraded", "down")
    assert body["version"] == loci.__version__


def test_names_no_store_that_is_not_there(parts: State) -> None:
    for rate_limit in ("unlimited", "3/minute"):
        counting = replace(parts, settings=replace(parts.settings, rate_limit=rate_limit))
        assert Caller(create_app(counting), "", "").get("/v1/health").get_json()["services"]["cache"] == "memory"


def test_tells_whether_the_shared_store_of_counts_answers(parts: State) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"redis://127.0.0.1:{listening.getsockname()[1]}?protocol=2"
        app = create_app(replace(parts, settings=replace(parts.settings, rate_limit="3/minute", redis_url=url)))
        threading.Thread(target=answer_pings, args=(listening,), daemon=True).start()
        assert Caller(app, "", "").get("/v1/health").get_json()["services"]["cache"] == "up"
    response = Caller(create_app(replace(parts, settings=app.extensions["loci"].settings)), "", "").get("/v1/health")
    assert (response.status_code, response.get_json()["services"]["cache"]) == (200, "down")


def answer_pings(listening: socket.socket) -> None:
    """Answer as Redis does while one connection lasts: `PONG` to a ping, `OK` to anything else."""
    connection, _ = listening.accept()
    with connection:
        while sent := connection.recv(4096):
            for command in sent.split(b"*")[1:]:
                connection.sendall(b"+PONG\r\n" if b"PING" in command else b"+OK\r\n")


def test_is_not_hindered_by_a_bad_key(anonymous: Caller) -> None:
    assert anonymous.get("/v1/health", headers={"Authorization": "Bearer nonsense"}).status_code == 200

"""Health over HTTP: what monitors and clients read without a key."""

from __future__ import annotations

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


def test_is_not_hindered_by_a_bad_key(anonymous: Caller) -> None:
    assert anonymous.get("/v1/health", headers={"Authorization": "Bearer nonsense"}).status_code == 200

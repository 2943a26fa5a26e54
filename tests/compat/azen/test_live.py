"""Azen on a whole server with the real model: what is stored is soon found by a question in other words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from app.compat.azen import API
from tests.live.server import Live

TEXT = "Marta keeps the spare key of the boathouse under the third flowerpot"
QUESTION = "where can I find a second key to open the shed for the boats?"
OTHERS = ["The bakery on the corner closes at noon on Mondays", "Version 4 of the parser reads tables twice as fast"]
SECONDS = 60


@pytest.fixture(scope="module")
def azen(live: Live) -> Iterator[httpx2.Client]:
    """A client of Azen: a base URL and a key, nothing else."""
    with live.client() as admin:
        made = admin.post("/v1/keys", json={"dialect": "azen", "namespace": "azen-live"}).raise_for_status().json()
    headers = {"azen-api-key": made["key"], "Accept": "application/json"}
    with httpx2.Client(base_url=live.base_url + API, headers=headers, timeout=30, trust_env=False) as client:
        yield client


def post(client: httpx2.Client, path: str, **body: Any) -> dict[str, Any]:
    return dict(client.post(path, json=body).raise_for_status().json())


@pytest.fixture(scope="module")
def native(azen: httpx2.Client, live: Live) -> Iterator[httpx2.Client]:
    """The native API with the same key."""
    with live.client(azen.headers["azen-api-key"]) as client:
        yield client


@pytest.fixture(scope="module")
def stored(azen: httpx2.Client) -> str:
    """The id of a memory, once it is embedded; others stand beside it."""
    for text in OTHERS:
        post(azen, "/memory", text=text)
    id = str(post(azen, "/memory", text=TEXT)["memoryId"])
    wait_for(lambda: azen.get(f"/memory/{id}").raise_for_status().json()["memory"]["embedded"])
    return id


def wait_for(ready: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not ready():
        assert time.monotonic() < until, "the worker did not get to it"
        time.sleep(0.1)


class TestParaphrase:
    def test_finds_it_through_azen(self, azen: httpx2.Client, stored: str) -> None:
        found = post(azen, "/memory/search", query=QUESTION, topK=3)
        assert found["memories"][0]["id"] == stored
        assert found["rawMatches"][0]["id"] == f"{stored}::0"
        scores = [match["score"] for match in found["rawMatches"]]
        assert 1 >= scores[0] > 2 * scores[1]

    def test_finds_it_through_the_native_api(self, native: httpx2.Client, stored: str) -> None:
        found = post(native, "/v1/memories/search", query=QUESTION)["data"]
        assert found[0]["memory"]["id"] == stored
        assert "Marta" in {each["value"] for each in found[0]["memory"]["entities"]}

    def test_finds_what_the_native_api_stored(self, azen: httpx2.Client, native: httpx2.Client, stored: str) -> None:
        made = post(native, "/v1/memories", content="Our cat was born in the spring of 2019", agent_id="iris")
        found = post(azen, "/memory/search", query="how old is the kitten?")
        assert found["memories"][0]["id"] == made["id"]


def test_the_document_is_served(azen: httpx2.Client) -> None:
    response = azen.get(str(azen.base_url).replace("/api/v1/", "/openapi.yaml")).raise_for_status()
    assert response.headers["Content-Type"].startswith("application/yaml")

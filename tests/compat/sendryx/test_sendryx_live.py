"""Sendryx on a whole server with the default model: by paraphrase, across APIs, and in the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from tests.live.server import Live

TEXT = "Priya Raman asked to be called back only after four in the afternoon"
QUESTION = "what time should we phone her?"
OTHERS = (
    "The warehouse in Porto moved to the new inventory system last week",
    "Invoices are paid from the account in Geneva",
    "The office dog is called Biscuit and dislikes umbrellas",
)


def sendryx(live: Live, key: str) -> httpx2.Client:
    """Return a Sendryx client with a key."""
    headers = {"X-API-Key": key}
    return httpx2.Client(base_url=f"{live.base_url}/sendryx", headers=headers, timeout=60, trust_env=False)


@pytest.fixture
def client(live: Live, fresh: Callable[[str], str]) -> Iterator[httpx2.Client]:
    """A Sendryx client with the key of a new namespace, in the header of its documentation."""
    with live.client() as admin:
        body = {"dialect": "sendryx", "namespace": fresh("helpdesk")}
        key = admin.post("/v1/keys", json=body).raise_for_status().json()["key"]
    with sendryx(live, key) as made:
        yield made


@pytest.fixture
def native(live: Live, client: httpx2.Client) -> Iterator[httpx2.Client]:
    """A client of the native API with the same key."""
    with live.client(client.headers["X-API-Key"]) as made:
        yield made


def store(client: httpx2.Client, content: str) -> dict[str, Any]:
    """Store a memory and return it."""
    answer = client.post("/v1/memory/store", json={"content": content, "metadata": {"user": "u_9"}})
    return dict(answer.raise_for_status().json()["memory"])


def search(client: httpx2.Client, query: str) -> list[dict[str, Any]]:
    """Return the results of a search."""
    return list(client.get("/v1/memory/search", params={"query": query}).raise_for_status().json()["results"])


def test_a_memory_is_found_in_other_words_here_and_by_the_native_api(
    client: httpx2.Client, native: httpx2.Client
) -> None:
    for text in (*OTHERS, TEXT):
        store(client, text)
    assert search(client, QUESTION)[0]["content"] == TEXT
    hits = native.post("/v1/memories/search", json={"query": QUESTION}).raise_for_status().json()["data"]
    assert hits[0]["memory"]["content"] == TEXT
    assert hits[0]["score"] == search(client, QUESTION)[0]["similarity"]


def test_a_memory_of_the_native_api_is_found_and_deleted_by_its_number(
    client: httpx2.Client, native: httpx2.Client
) -> None:
    for text in OTHERS:
        store(client, text)
    id = native.post("/v1/memories", json={"content": TEXT, "agent_id": "iris"}).raise_for_status().json()["id"]
    number = search(client, QUESTION)[0]["id"]
    answer = client.request("DELETE", "/v1/memory/forget", json={"id": number})
    assert answer.raise_for_status().json()["deleted"] == 1
    assert native.get(f"/v1/memories/{id}").status_code == 404


def test_a_memory_is_in_the_graph_with_its_links(client: httpx2.Client, native: httpx2.Client) -> None:
    store(client, TEXT)
    found = native.get("/v1/entities").raise_for_status().json()["data"]
    person = next(entity for entity in found if entity["name"] == "Priya Raman")
    linked = native.get(f"/v1/entities/{person['id']}/memories").raise_for_status().json()["data"]
    assert [memory["content"] for memory in linked] == [TEXT]


def test_another_namespace_of_the_account_sees_nothing(client: httpx2.Client, live: Live, fresh: Any) -> None:
    number = store(client, TEXT)["id"]
    with live.client() as admin:
        headers = {"X-API-Key": admin.headers["Authorization"].removeprefix("Bearer ")}
        answer = admin.post("/sendryx/v1/keys", json={"namespace": fresh("other")}, headers=headers)
        key = answer.raise_for_status().json()["key"]["key"]
    with sendryx(live, key) as other:
        assert search(other, QUESTION) == []
        assert other.delete("/v1/memory/forget", params={"id": number}).status_code == 404
        assert other.delete("/v1/memory/forget", params={"wipe": "true"}).json()["deleted"] == 0
    assert search(client, QUESTION)[0]["content"] == TEXT

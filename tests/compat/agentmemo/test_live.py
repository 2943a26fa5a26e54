"""AgentMemo on a whole server with the real model: found in other words, by the native API and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from app.compat.agentmemo import DIALECT
from tests.live.server import Live

TEXT = "Marta keeps the spare key of the boathouse under the third flowerpot"
QUESTION = "where can I find a second key to open the shed for the boats?"
OTHERS = ["The bakery on the corner closes at noon on Mondays", "Version 4 of the parser reads tables twice as fast"]


@pytest.fixture(scope="module")
def memo(live: Live) -> Iterator[httpx2.Client]:
    """A client of AgentMemo: a base URL and a key, nothing else."""
    with live.client() as admin:
        body = {"dialect": DIALECT.name, "namespace": "agentmemo-live"}
        made = admin.post("/v1/keys", json=body).raise_for_status().json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    base_url = live.base_url + DIALECT.prefix
    with httpx2.Client(base_url=base_url, headers=headers, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def stored(memo: httpx2.Client) -> dict[str, Any]:
    """A memory; others stand beside it."""
    made = [
        memo.post("/memory/store", json={"user_id": "u_77", "agent_id": "desk", "content": text}).raise_for_status()
        for text in (*OTHERS, TEXT)
    ]
    return dict(made[-1].json())


class TestParaphrase:
    def test_finds_it_through_agentmemo(self, memo: httpx2.Client, stored: dict[str, Any]) -> None:
        found = memo.get("/memory/retrieve", params={"q": QUESTION, "user_id": "u_77"}).raise_for_status().json()
        assert [found["semantic"], found["results"][0]["id"]] == [True, stored["id"]]

    def test_finds_it_through_the_native_api(self, memo: httpx2.Client, live: Live, stored: dict[str, Any]) -> None:
        with live.client(memo.headers["Authorization"].removeprefix("Bearer ")) as native:
            hits = native.post("/v1/memories/search", json={"query": QUESTION}).raise_for_status().json()["data"]
        first = hits[0]["memory"]
        assert first["id"].replace("-", "").startswith(stored["id"].removeprefix("mem_"))
        assert "Marta" in [one["value"] for one in first["entities"]]

    def test_finds_what_the_native_api_stored(self, memo: httpx2.Client, live: Live) -> None:
        text = "The lease of the office in Porto ends in March"
        with live.client(memo.headers["Authorization"].removeprefix("Bearer ")) as native:
            native.post(
                "/v1/memories", json={"content": text, "agent_id": "iris", "user_id": "u_78"}
            ).raise_for_status()
        query = {"q": "until when do we rent rooms in Portugal?", "user_id": "u_78"}
        found = memo.get("/memory/retrieve", params=query).raise_for_status().json()
        assert [hit["content"] for hit in found["results"]] == [text]

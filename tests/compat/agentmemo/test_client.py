"""The published Python client 1.0.0 against a server that listens: every method, synchronous and asynchronous."""

from __future__ import annotations

import asyncio
import inspect
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from agentmemo import AgentMemoError, MemoryClient
from werkzeug.serving import make_server

from app import create_app
from app.compat.agentmemo import DIALECT
from app.state import State
from tests.compat.agentmemo.shapes import (
    BATCH,
    CONTEXT,
    DELETED,
    DUPLICATE,
    FEEDBACK,
    RETRIEVED,
    SIGNED_UP,
    STATS,
    STORED,
    USAGE,
    faults,
)
from tests.compat.speakers import refused

TEXT = "User prefers dark mode and works in TypeScript."


@pytest.fixture(scope="module")
def base_url(parts: State) -> Iterator[str]:
    """A server that lets anybody sign up."""
    app = create_app(replace(parts, settings=replace(parts.settings, signup=True)))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}{DIALECT.prefix}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(base_url: str) -> MemoryClient:
    """A client with a key that it got by signing up."""
    return MemoryClient(MemoryClient.signup("my-agent", base_url)["api_key"], base_url)


def error_of(call: Any) -> AgentMemoError:
    """Return the error that a call raises."""
    with pytest.raises(AgentMemoError) as caught:
        call()
    return caught.value


class TestEveryMethod:
    def test_is_called_here(self) -> None:
        methods = {name for name, _ in inspect.getmembers(MemoryClient, callable) if not name.startswith("_")}
        called = re.findall(r"client\.(\w+)\(|MemoryClient\.(\w+)\(", Path(__file__).read_text("utf-8"))
        assert methods <= {name for pair in called for name in pair}

    def test_signup(self, base_url: str) -> None:
        assert faults(SIGNED_UP, MemoryClient.signup("my-agent", base_url)) == []

    def test_store(self, client: MemoryClient) -> None:
        made = client.store(user_id="user_123", agent_id="assistant", content=TEXT, tags=["preference"], importance=8)
        assert faults(STORED, made) == []
        assert (made["tags"], made["importance"], made["expires_at"]) == (["preference"], 8, None)
        again = client.store("user_123", "assistant", TEXT)
        assert faults(DUPLICATE, again) == []
        assert again["id"] == made["id"]
        more = client.store("u", "a", "one", {"a": [1]}, 60, ["x"], "work", 2, "failure", detect_conflicts=True)
        assert (more["metadata"], more["namespace"], more["outcome"]) == ({"a": [1]}, "work", "failure")
        assert more["expires_at"] == more["created_at"] + 60_000
        assert client.store("u", "a", "two")["importance"] == 5

    def test_search(self, client: MemoryClient) -> None:
        client.store("user_123", "assistant", TEXT, tags=["preference"], importance=8)
        found = client.search(user_id="user_123", query="what are the user's preferences in mode?")
        assert faults(RETRIEVED, found) == []
        assert [hit["content"] for hit in found["results"]] == [TEXT]
        narrow: dict[str, Any] = {"namespace": "default", "tags": ["preference", "x"], "min_importance": 8}
        assert client.search("user_123", "mode", "assistant", 1, **narrow)["count"] == 1
        assert client.search("user_123", "mode", min_importance=9)["count"] == 0

    def test_delete(self, client: MemoryClient) -> None:
        made = client.store("user_123", "assistant", TEXT)
        client.store("user_123", "assistant", "something else")
        assert client.delete(id=made["id"]) == {"deleted": 1}
        found = client.delete(user_id="user_123", agent_id="assistant")
        assert (faults(DELETED, found), found["deleted"]) == ([], 1)
        assert error_of(client.delete).status == 400

    def test_context(self, client: MemoryClient) -> None:
        client.store("user_123", "assistant", TEXT)
        assert faults(CONTEXT, client.context("user_123")) == []
        assert TEXT in client.context(user_id="user_123", format="anthropic")["context"]

    def test_feedback(self, client: MemoryClient) -> None:
        made = client.store("user_123", "assistant", TEXT)
        found = client.feedback(made["id"], "success", 1.0)
        assert (faults(FEEDBACK, found), found["outcome_score"]) == ([], 0.65)

    def test_batch(self, client: MemoryClient) -> None:
        found = client.batch([{"user_id": "u", "agent_id": "a", "content": "one"}, {"user_id": "u"}])
        assert (faults(BATCH, found), found["stored"], found["skipped"]) == ([], 1, 1)

    def test_stats(self, client: MemoryClient) -> None:
        assert faults(STATS, client.stats()) == []
        client.store("user_123", "assistant", TEXT)
        assert (client.stats("user_123")["total_memories"], client.stats("user_9")["total_memories"]) == (1, 0)

    def test_usage(self, client: MemoryClient) -> None:
        client.stats()
        found = client.usage()
        assert (faults(USAGE, found), found["totals"]["requests"]) == ([], 1)

    def test_async_store_and_async_search(self, client: MemoryClient) -> None:
        async def both() -> tuple[dict[str, Any], dict[str, Any]]:
            made = await client.async_store(user_id="u", agent_id="a", content=TEXT, tags=["x"], ttl_seconds=None)
            return made, await client.async_search("u", "dark mode", limit=5, tags="x")

        made, found = asyncio.run(both())
        assert (faults(STORED, made), faults(RETRIEVED, found)) == ([], [])
        assert [hit["id"] for hit in found["results"]] == [made["id"]]


class TestErrors:
    def test_have_status_and_code(self, client: MemoryClient, base_url: str, parts: State) -> None:
        bad = refused(create_app(parts), parts, DIALECT)
        for kind, status, code in (("unknown", 401, "unauthorized"), ("revoked", 403, "forbidden")):
            error = error_of(MemoryClient(bad[kind].key, base_url).stats)
            assert (error.status, error.code) == (status, code)
        for call, status, code in (
            (lambda: client.delete(id="mem_" + "0" * 20), 404, "not_found"),
            (lambda: client.store("", "a", "x"), 400, "bad_request"),
        ):
            error = error_of(call)
            assert (error.status, error.code, error.body["error"]["status"]) == (status, code, status)
            assert error.body["error"]["message"] in str(error)

    def test_of_the_asynchronous_methods_too(self, client: MemoryClient) -> None:
        error = error_of(lambda: asyncio.run(client.async_search("u", "")))
        assert (error.status, error.code) == (400, "bad_request")

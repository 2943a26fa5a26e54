"""Clients of AgentMemo in process: each knows a base URL and a key, as its user would configure them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app import create_app
from app.compat.agentmemo import DIALECT
from app.embeddings import EmbedderUnavailable
from app.embeddings.hashing import HashingEmbedder
from app.state import State
from tests.callers import Caller
from tests.compat.agentmemo.shapes import ERROR, STORED, faults
from tests.compat.speakers import speaker


class Silent(HashingEmbedder):
    """An embedder whose model does not answer."""

    def embed_documents(self, texts: Any) -> Any:
        raise EmbedderUnavailable("the model at 10.0.0.7 is down")

    def embed_query(self, text: str) -> Any:
        raise EmbedderUnavailable("the model at 10.0.0.7 is down")


@dataclass(frozen=True)
class Memo:
    """A client; `native` calls the native API with the same key."""

    native: Caller

    def call(self, verb: str, path: str, json: Any = None, **options: Any) -> TestResponse:
        """Send a request to a path below the base URL."""
        return self.native.call(verb, DIALECT.prefix + path, json, **options)

    def ok(self, verb: str, path: str, json: Any = None, *, status: int = 200, **options: Any) -> dict[str, Any]:
        """Send a request that must be answered with `status`; return the body."""
        response = self.call(verb, path, json, **options)
        assert response.status_code == status, (response.status_code, response.get_data(as_text=True))
        return dict(response.get_json())

    def refused(self, status: int, verb: str, path: str, json: Any = None, **options: Any) -> str:
        """Send a request that must be refused with `status`; return the message."""
        return error_of(self.call(verb, path, json, **options), status)

    def store(self, content: str, user_id: str = "u_77", agent_id: str = "desk", **fields: Any) -> dict[str, Any]:
        """Store a memory and return it."""
        body = {"user_id": user_id, "agent_id": agent_id, "content": content, **fields}
        made = self.ok("POST", "/memory/store", body, status=201)
        assert faults(STORED, made) == []
        return made

    def retrieve(self, q: str, user_id: str = "u_77", **fields: Any) -> list[dict[str, Any]]:
        """Search and return the hits."""
        found = self.ok("GET", "/memory/retrieve", query_string={"q": q, "user_id": user_id, **fields})
        assert found["count"] == len(found["results"])
        return list(found["results"])

    def texts(self, q: str, user_id: str = "u_77", **fields: Any) -> list[str]:
        """Search and return the texts of the hits."""
        return [hit["content"] for hit in self.retrieve(q, user_id, **fields)]

    def over(self, app: Flask) -> Memo:
        """Return the same client of another app."""
        return Memo(replace(self.native, app=app))


def error_of(response: TestResponse, status: int) -> str:
    """Assert that a response is an error of `status` in AgentMemo's shape, and return the message."""
    body = response.get_json()
    assert response.status_code == status, (response.status_code, body)
    assert faults(ERROR, body) == []
    assert body["error"]["status"] == status
    assert not body.keys() - {"error", "code", "docs", "retry_after_seconds"}
    return str(body["error"]["message"])


@pytest.fixture
def new_memo(app: Flask, parts: State) -> Callable[..., Memo]:
    """Make clients: `new_memo("read")`; each is in a namespace of its own."""
    return lambda *scopes: Memo(speaker(app, parts, DIALECT, *scopes))


@pytest.fixture
def memo(new_memo: Callable[..., Memo]) -> Memo:
    """A client with the usual scopes."""
    return new_memo()


@pytest.fixture
def other(new_memo: Callable[..., Memo]) -> Memo:
    """A client in another tenant."""
    return new_memo()


@pytest.fixture
def silent(parts: State) -> Flask:
    """The app without an embedder that answers."""
    return create_app(replace(parts, embedder=Silent()))

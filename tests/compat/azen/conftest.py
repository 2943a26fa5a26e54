"""Clients of Azen's Memory API in process: each knows a base URL and a key, as its user would configure them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask import Flask
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from werkzeug.test import TestResponse

from app.compat.azen import API, Azen
from app.state import State
from tests.callers import Caller
from tests.compat.azen.document import document
from tests.compat.speakers import speaker
from tests.workers.test_embed_pending import work_off


@dataclass(frozen=True)
class Client:
    """A client with a key (none: empty). `native` calls the native API with the same key."""

    app: Flask
    key: str
    native: Caller
    parts: State

    @property
    def tenant(self) -> str:
        """What a repository needs to know of it."""
        return self.native.tenant

    def call(self, verb: str, path: str, json: Any = None, **options: Any) -> TestResponse:
        """Send a request to a path below the base URL."""
        headers = dict(options.pop("headers", {}))
        if self.key:
            headers.setdefault("azen-api-key", self.key)
        if json is not None:
            options["json"] = json
        return self.app.test_client().open(API + path, method=verb, headers=headers, **options)

    def create(self, text: str) -> str:
        """Store a memory and return its id."""
        return str(answered(self.call("POST", "/memory", {"text": text}), 201, "CreatedOut")["memoryId"])

    def get(self, id: str) -> dict[str, Any]:
        """Return one memory."""
        return dict(answered(self.call("GET", f"/memory/{id}"), 200, "FetchedOut")["memory"])

    def list(self, query: str = "") -> dict[str, Any]:
        """Return a page."""
        return answered(self.call("GET", f"/memory{query}"), 200, "PageOut")

    def search(self, query: str, **fields: Any) -> dict[str, Any]:
        """Search and return the whole answer."""
        return answered(self.call("POST", "/memory/search", {"query": query, **fields}), 200, "FoundOut")

    def usage(self) -> dict[str, Any]:
        """Return what `/usage` says."""
        return answered(self.call("GET", "/usage"), 200, "UsageOut")

    def embed(self) -> None:
        """Let the worker complete what was stored."""
        work_off(self.parts, self.native)


Clients = Callable[..., Client]


def answered(response: TestResponse, status: int, schema: str) -> dict[str, Any]:
    """Assert status and shape of an answer, and that it tells of no limits; return its body."""
    body: dict[str, Any] = response.get_json()
    assert response.status_code == status, (response.status_code, body)
    assert response.mimetype == "application/json"
    whole = {"allOf": [{"$ref": f"#/components/schemas/{schema}"}], "components": document()["components"]}
    OAS30Validator(whole, format_checker=oas30_format_checker).validate(body)
    told = {name for name, _ in response.headers if name.startswith("X-RateLimit") or name == "WWW-Authenticate"}
    assert not told
    assert status == 503 or "Retry-After" not in response.headers
    return body


TOKENS = {400: "invalid_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "rate_limited"}


def refused(response: TestResponse, status: int) -> str:
    """Assert that an answer is Azen's error of a status, and return its message."""
    body = answered(response, status, "ErrorOut")
    assert (body["status"], body["code"]) == (TOKENS.get(status, "internal_server_error"), status)
    assert body["message"]
    return str(body["message"])


@pytest.fixture
def make_client(app: Flask, parts: State) -> Clients:
    """Make clients: `make_client("read", tenant_of=other)`; without scopes they have those of Azen's keys."""

    def make(*scopes: str, tenant_of: Client | None = None) -> Client:
        made = speaker(app, parts, Azen(), *scopes, namespace_of=tenant_of.native if tenant_of else None)
        return Client(app, made.key, made, parts)

    return make


@pytest.fixture
def client(make_client: Clients) -> Client:
    """A client in a fresh tenant."""
    return make_client()


@pytest.fixture
def other(make_client: Clients) -> Client:
    """A client in another fresh tenant."""
    return make_client()


@pytest.fixture
def without_key(client: Client) -> Client:
    """A client that sends no key."""
    return replace(client, key="")

"""Callers of the API in process: each has a key, and speaks JSON."""

import uuid
from dataclasses import dataclass
from typing import Any, cast

from flask import Flask
from werkzeug.test import TestResponse

from app.scopes import ALL_SCOPES
from app.services.keys import make_key
from app.state import State
from graph.keys import KeyRepository


@dataclass(frozen=True)
class Caller:
    """A client with a key (none: empty). `tenant` is what a repository needs to know of it."""

    app: Flask
    key: str
    account: str
    tenant: str = ""

    def call(self, verb: str, path: str, json: Any = None, **options: Any) -> TestResponse:
        """Send a request and return the response."""
        headers = dict(options.pop("headers", {}))
        if self.key:
            headers.setdefault("Authorization", f"Bearer {self.key}")
        if json is not None:
            options["json"] = json
        return self.app.test_client().open(path, method=verb, headers=headers, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        """GET."""
        return self.call("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        """POST."""
        return self.call("POST", path, json, **options)

    def put(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        """PUT."""
        return self.call("PUT", path, json, **options)

    def patch(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        """PATCH."""
        return self.call("PATCH", path, json, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        """DELETE."""
        return self.call("DELETE", path, **options)

    def remember(self, content: str, agent_id: str = "iris", **fields: Any) -> dict[str, Any]:
        """Store a memory and return it."""
        response = self.post("/v1/memories", {"content": content, "agent_id": agent_id, **fields})
        assert response.status_code in (200, 201), response.get_json()
        return cast(dict[str, Any], response.get_json())

    def search(self, query: str, **fields: Any) -> list[dict[str, Any]]:
        """Search and return the hits."""
        response = self.post("/v1/memories/search", {"query": query, **fields})
        assert response.status_code == 200, response.get_json()
        return cast(list[dict[str, Any]], response.get_json()["data"])


def new_caller(app: Flask, parts: State, scopes: tuple[str, ...], tenant_of: Caller | None) -> Caller:
    """Return a caller with a new key: in a fresh account, or in the tenant of another caller."""
    account = tenant_of.account if tenant_of else f"test-{uuid.uuid4()}"
    keys = KeyRepository(parts.graph, account)
    name = next((row["namespace"] for row in keys.tenants() if tenant_of and row["id"] == tenant_of.tenant), "default")
    key, row = make_key(keys, parts.pepper, name, {"scopes": list(scopes or ALL_SCOPES)})
    return Caller(app, key, account, row["tenant"])


def error_of(response: TestResponse, status: int) -> dict[str, Any]:
    """Assert that a response is an error of `status` with the documented body, and return the body."""
    body = response.get_json()
    assert response.status_code == status, (response.status_code, body)
    assert set(body) == {"type", "message", "code", "request_id", "details", "detail", "error"}
    assert body["code"] == status
    assert body["message"] == body["detail"] == body["error"] != ""
    assert body["request_id"] == response.headers["X-Request-ID"]
    return cast(dict[str, Any], body)

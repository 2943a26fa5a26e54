"""Clients of MemoryRelay against a whole running server: each module works in a namespace of its own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx2
import pytest

from app.scopes import ALL_SCOPES
from tests.compat.mcp_tools import Mcp
from tests.live.server import Live


@dataclass(frozen=True)
class Door:
    """Where a client is pointed at: base URL and key, both as its user would configure them."""

    base_url: str
    key: str


@pytest.fixture(scope="module")
def new_key(live: Live) -> Callable[..., str]:
    """Make keys for the module's own namespace: `new_key("read")`; without scopes it has all of them."""
    namespace = f"compat-{uuid.uuid4().hex[:12]}"

    def make(*scopes: str) -> str:
        with live.client() as client:
            body = {"namespace": namespace, "scopes": list(scopes or ALL_SCOPES)}
            response = client.post("/v1/keys", json=body)
            assert response.status_code == 201, response.text
            return str(response.json()["key"])

    return make


@pytest.fixture(scope="module")
def door(live: Live, new_key: Callable[..., str]) -> Door:
    """The server with a key for everything in the module's namespace."""
    return Door(live.base_url, new_key())


@pytest.fixture
def http(door: Door) -> Iterator[httpx2.Client]:
    """A plain HTTP client with the module's key, to look at things from outside of the client under test."""
    headers = {"Authorization": f"Bearer {door.key}"}
    with httpx2.Client(base_url=door.base_url, headers=headers, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def fresh() -> Callable[[str], str]:
    """Make names that nobody has yet: `fresh("iris")`."""
    return lambda stem: f"{stem}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def new_mcp(door: Door, new_key: Callable[..., str], fresh: Callable[[str], str]) -> Iterator[Callable[..., Mcp]]:
    """Start MCP servers of MemoryRelay: each with an agent name that the API has never seen, and with a key."""
    made: list[Mcp] = []

    def make(*scopes: str) -> Mcp:
        made.append(Mcp(door.base_url, new_key(*scopes) if scopes else door.key, fresh("ada-laptop")))
        return made[-1]

    yield make
    for each in made:
        each.http.close()


@pytest.fixture
def mcp(new_mcp: Callable[..., Mcp]) -> Mcp:
    """MemoryRelay's MCP server as a user starts it."""
    return new_mcp()

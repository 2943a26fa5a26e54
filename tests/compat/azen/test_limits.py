"""Azen's limit: sixty requests a minute for each key, and nothing in the answers that tells of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app import create_app
from app.state import State
from tests.callers import Caller
from tests.compat.azen.conftest import Client, Clients, answered, refused
from tests.frozen_clock import START


@pytest.fixture
def limited(parts: State, client: Client) -> Client:
    """A client of an app that has limits, its counts at zero."""
    return replace(client, app=create_app(replace(parts, settings=replace(parts.settings, rate_limit="3/minute"))))


def use_up(client: Client) -> None:
    """Make the sixty calls of a minute."""
    assert {client.call("GET", "/memory?per=1").status_code for _ in range(60)} == {200}


class TestLimit:
    def test_is_sixty_a_minute_whatever_is_called(self, clock: Any, limited: Client) -> None:
        calls = [
            ("POST", "/memory", {"text": "one"}), ("GET", "/memory", None), ("GET", "/memory/search", None),
            ("POST", "/memory/search", {"query": "one"}), ("GET", "/usage", None), ("POST", "/memory", {}),
        ]  # fmt: skip
        seen = [limited.call(*calls[number % 6]).status_code for number in range(61)]
        assert seen == [201, 200, 400, 200, 200, 400] * 10 + [429]
        refused(limited.call("GET", "/memory"), 429)

    def test_begins_anew_with_the_next_minute(self, clock: Any, limited: Client) -> None:
        use_up(limited)
        for later, status in ((0, 429), (59.9, 429), (61, 200)):
            clock.move_to(START + timedelta(seconds=later))
            assert limited.call("GET", "/memory").status_code == status

    def test_is_a_keys_own(self, clock: Any, limited: Client, make_client: Clients) -> None:
        beside = replace(make_client(tenant_of=limited), app=limited.app)
        use_up(limited)
        refused(limited.call("GET", "/memory"), 429)
        answered(beside.call("GET", "/memory"), 200, "PageOut")

    def test_is_none_of_the_native_api(self, clock: Any, limited: Client) -> None:
        native = Caller(limited.app, limited.key, limited.native.account, limited.tenant)
        assert [native.get("/v1/agents").status_code for _ in range(4)] == [200, 200, 200, 429]
        use_up(limited)

    def test_counts_what_the_scopes_forbid_and_no_public_page(
        self, clock: Any, limited: Client, make_client: Clients
    ) -> None:
        reader = replace(make_client("read", tenant_of=limited), app=limited.app)
        assert {reader.call("GET", "").status_code for _ in range(70)} == {200}
        seen = [reader.call("POST", "/memory", {"text": "one"}).status_code for _ in range(61)]
        assert seen == [403] * 60 + [429]

    def test_that_is_reached_stores_nothing(self, clock: Any, limited: Client, client: Client) -> None:
        use_up(limited)
        message = refused(limited.call("POST", "/memory", {"text": "one"}), 429)
        assert "Rate limit exceeded" in message
        assert client.list()["total_count"] == 0

"""Azen's usage: creates and searches of thirty days, of all keys of the tenant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from app import create_app
from app.state import State
from tests.compat.azen.conftest import Client, Clients, refused

DAY = datetime(2030, 3, 9, 23, 59, 50, tzinfo=UTC)
SERIES = {"memory_create", "memory_search", "total", "success", "error"}


def summary(client: Client) -> dict[str, int]:
    """Return the sums."""
    found: dict[str, int] = client.usage()["summary"]
    return found


def sums(total: int, good: int, wrong: int, creates: int, searches: int) -> dict[str, int]:
    """Return sums as they are answered."""
    return {
        "total_requests": total, "success_count": good, "error_count": wrong, "memory_count": creates,
        "search_count": searches,
    }  # fmt: skip


class TestShape:
    def test_has_thirty_days_up_to_today(self, client: Client) -> None:
        with time_machine.travel(DAY, tick=False):
            body = client.usage()
        assert set(body) == {"range", "labels", "series", "summary"}
        assert body["range"] == {"start": "2030-02-08", "end": "2030-03-09"}
        assert body["labels"] == [str((DAY - timedelta(days=back)).date()) for back in range(29, -1, -1)]
        assert set(body["series"]) == SERIES
        assert [body["series"][name] for name in sorted(SERIES)] == [[0] * 30] * 5
        assert body["summary"] == sums(0, 0, 0, 0, 0)


class TestCounts:
    def test_are_of_creates_and_searches_alone(self, client: Client) -> None:
        id = client.create("one")
        client.search("one")
        client.search("two")
        client.list()
        client.get(id)
        client.call("DELETE", f"/memory/{id}")
        client.call("GET", "/memory/search")
        client.native.remember("natively")
        client.native.search("natively")
        client.usage()
        assert summary(client) == sums(3, 3, 0, 1, 2)

    def test_tell_failures_apart(self, client: Client, parts: State, monkeypatch: pytest.MonkeyPatch) -> None:
        client.create("one")
        refused(client.call("POST", "/memory", {}), 400)
        refused(client.call("POST", "/memory/search", {"query": "a", "topK": 51}), 400)

        def fail(*_: Any, **__: Any) -> Any:
            raise RuntimeError

        with monkeypatch.context() as broken:
            broken.setattr("app.compat.azen.search", fail)
            refused(client.call("POST", "/memory/search", {"query": "a"}), 500)
        assert summary(client) == sums(4, 1, 3, 1, 0)
        series = client.usage()["series"]
        assert {name: numbers[-1] for name, numbers in series.items()} == {
            "memory_create": 1, "memory_search": 0, "total": 4, "success": 1, "error": 3,
        }  # fmt: skip

    def test_leave_out_what_keys_and_limits_did_not_allow(
        self, client: Client, without_key: Client, make_client: Clients, parts: State
    ) -> None:
        limited = create_app(replace(parts, settings=replace(parts.settings, rate_limit="100/minute")))
        busy, reader = replace(client, app=limited), make_client("read", tenant_of=client)
        refused(without_key.call("POST", "/memory", {"text": "one"}), 401)
        refused(replace(client, key="az_nobody").call("POST", "/memory", {"text": "one"}), 403)
        refused(reader.call("POST", "/memory", {"text": "one"}), 403)
        with time_machine.travel(datetime.now(UTC), tick=False):
            seen = [busy.call("POST", "/memory/search", {"query": " "}).status_code for _ in range(63)]
        assert seen == [200] * 60 + [429] * 3
        assert summary(client) == sums(60, 60, 0, 0, 60)

    def test_keep_a_full_tenant_in_view(self, client: Client, parts: State) -> None:
        full = create_app(replace(parts, settings=replace(parts.settings, quota=1)))
        client.create("one")
        refused(replace(client, app=full).call("POST", "/memory", {"text": "two"}), 403)
        assert summary(client) == sums(2, 1, 1, 1, 0)

    def test_are_of_all_keys_of_the_tenant_and_of_no_other(
        self, client: Client, other: Client, make_client: Clients
    ) -> None:
        client.create("one")
        make_client(tenant_of=client).create("two")
        other.create("three")
        assert [summary(each)["memory_count"] for each in (client, other)] == [2, 1]

    def test_fall_on_the_day_in_utc_and_out_of_the_window(self, client: Client) -> None:
        with time_machine.travel(DAY, tick=False) as clock:
            client.create("before midnight")
            clock.shift(20)
            client.create("after midnight")
            client.search("midnight")
            series = client.usage()["series"]
            assert (series["memory_create"][-2:], series["memory_search"][-2:]) == ([1, 1], [0, 1])
            clock.shift(timedelta(days=28))
            assert summary(client) == sums(3, 3, 0, 2, 1)
            clock.shift(timedelta(days=1))
            assert summary(client) == sums(2, 2, 0, 1, 1)
            clock.shift(timedelta(days=1))
            assert summary(client) == sums(0, 0, 0, 0, 0)

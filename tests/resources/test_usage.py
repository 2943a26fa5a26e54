"""Usage and quota: what a key did is added up by day, key and route; a full tenant stores nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import time_machine

from app import create_app
from app.ledger import Ledger
from app.services.usage import QuotaWatch
from app.state import State
from graph.errors import Unavailable
from graph.usage import UsageRepository
from tests.callers import Caller, error_of
from tests.together import at_once

LIST = "GET /v1/agents"


def usage(caller: Caller, query: str = "") -> dict[str, Any]:
    """Return what /v1/usage says."""
    response = caller.get(f"/v1/usage{query}")
    assert response.status_code == 200, response.get_json()
    found: dict[str, Any] = response.get_json()
    return found


def by_route(caller: Caller) -> dict[str, int]:
    """Return the number of requests by route."""
    return {row["route"]: row["requests"] for row in usage(caller, "?group_by=route")["data"]}


def key_ids(caller: Caller) -> tuple[str, str]:
    """Return the ids of the newest and of the oldest key of the caller's account."""
    rows = caller.get("/v1/keys").get_json()["data"]
    return rows[0]["id"], rows[-1]["id"]


class TestUsage:
    def test_every_request_is_counted_under_its_route(self, caller: Caller, unknown_id: str) -> None:
        for _ in range(3):
            caller.get("/v1/agents")
        caller.get(f"/v1/agents/{unknown_id}")
        caller.post("/v1/agents", {"name": "iris"})
        counted = by_route(caller)
        assert (counted[LIST], counted["GET /v1/agents/{agent_id}"], counted["POST /v1/agents"]) == (3, 1, 1)

    def test_refused_requests_are_counted_apart(self, caller: Caller, make_caller: Callable[..., Caller]) -> None:
        reader = make_caller("read", tenant_of=caller)
        error_of(reader.post("/v1/agents", {"name": "iris"}), 403)
        error_of(caller.post("/v1/agents", {}), 422)
        rows = usage(caller, "?group_by=route&route=POST%20/v1/agents")["data"]
        assert [(row["requests"], row["client_errors"], row["server_errors"]) for row in rows] == [(2, 2, 0)]
        assert rows[0]["mean_ms"] > 0

    def test_rows_stand_for_what_they_are_grouped_by(self, caller: Caller, make_caller: Callable[..., Caller]) -> None:
        other = make_caller("read", tenant_of=caller)
        caller.get("/v1/agents")
        other.get("/v1/agents")
        today = datetime.now(UTC).strftime("%Y-%m-%d")
        body = usage(caller, "?group_by=key,day&route=GET%20/v1/agents")
        assert body["group_by"] == ["day", "key"]
        assert [(row["day"], row["requests"], row["route"]) for row in body["data"]] == [(today, 1, None)] * 2
        assert {row["key_prefix"] for row in body["data"]} == {caller.key[:12], other.key[:12]}
        assert body["total"]["requests"] == 2

    def test_one_key_can_be_looked_at(self, caller: Caller, make_caller: Callable[..., Caller]) -> None:
        other = make_caller("read", tenant_of=caller)
        other.get("/v1/agents")
        caller.get("/v1/agents")
        newest, _ = key_ids(caller)
        assert usage(caller, f"?key_id={newest}")["total"]["requests"] == 1

    def test_days_are_kept_apart_and_chosen(self, caller: Caller) -> None:
        for day in (3, 4, 5):
            with time_machine.travel(datetime(2026, 3, day, 23, 59, tzinfo=UTC), tick=False):
                caller.get("/v1/agents")
        body = usage(caller, "?from=2026-03-04&to=2026-03-05&route=GET%20/v1/agents")
        assert [(row["day"], row["requests"]) for row in body["data"]] == [("2026-03-05", 1), ("2026-03-04", 1)]
        assert (body["from"], body["to"], body["total"]["requests"]) == ("2026-03-04", "2026-03-05", 2)

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("?from=2026-03-05&to=2026-03-04", "from"),
            ("?from=yesterday", "from"),
            ("?group_by=week", "group_by"),
            ("?group_by=,", "group_by"),
            ("?key_id=mine", "key_id"),
        ],
    )
    def test_wrong_arguments_are_named(self, caller: Caller, query: str, field: str) -> None:
        assert error_of(caller.get(f"/v1/usage{query}"), 422)["details"][0]["field"] == field

    def test_another_tenant_sees_nothing_of_it(self, caller: Caller, stranger: Caller) -> None:
        caller.get("/v1/agents")
        key_id = usage(caller, "?group_by=key")["data"][0]["key_id"]
        assert LIST not in by_route(stranger)
        assert usage(stranger, f"?key_id={key_id}")["data"] == []

    def test_without_admin_a_key_is_told_of_itself(self, caller: Caller, make_caller: Callable[..., Caller]) -> None:
        reader = make_caller("read", tenant_of=caller)
        for who in (caller, caller, reader):
            who.get("/v1/agents")
        assert by_route(reader)[LIST] == 1
        newest, oldest = key_ids(caller)
        assert [row["key_id"] for row in usage(reader, "?group_by=key")["data"]] == [newest]
        error_of(reader.get(f"/v1/usage?key_id={oldest}"), 403)

    def test_it_needs_a_key(self, anonymous: Caller) -> None:
        error_of(anonymous.get("/v1/usage"), 401)
        error_of(anonymous.get("/v1/quota"), 401)

    def test_threads_lose_no_count(self, caller: Caller) -> None:
        at_once([partial(caller.get, "/v1/agents")] * 16)
        assert by_route(caller)[LIST] == 16

    def test_two_processes_add_to_the_same_day(self, caller: Caller, parts: State) -> None:
        rows = [
            {
                "id": f"{number}", "key": "2026-03-03|k|GET /x", "name": "x", "day": "2026-03-03", "key_id": "k",
                "route": "GET /x", "requests": 5, "client_errors": 1, "server_errors": 0, "ms": 2.5,
            }
            for number in range(16)
        ]  # fmt: skip
        at_once([partial(UsageRepository(parts.graph, caller).add, [row]) for row in rows])
        body = usage(caller, "?from=2026-03-03&to=2026-03-03")
        assert body["data"][0]["requests"] == 80
        assert body["total"]["client_errors"] == 16


class TestWithoutTheDatabase:
    @pytest.fixture
    def lone(self, parts: State, caller: Caller) -> Iterator[tuple[Caller, State]]:
        """A caller of an app with a ledger of its own."""
        own = replace(parts, ledger=Ledger())
        yield replace(caller, app=create_app(own)), own
        own.ledger.close()

    def test_what_cannot_be_written_is_kept_for_later(
        self, lone: tuple[Caller, State], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        caller, own = lone
        with monkeypatch.context() as away:
            away.setattr("app.ledger.add_all", unavailable)
            away.setattr("app.ledger.record", unavailable)
            assert caller.post("/v1/agents", {"name": "iris"}).status_code == 201
            assert caller.get("/v1/agents").status_code == 200
            assert own.ledger.flush(own.graph) is False
        assert own.ledger.flush(own.graph) is True
        assert by_route(caller)[LIST] == 1
        actions = [row["action"] for row in caller.get("/v1/audit").get_json()["data"]]
        assert sorted(actions) == ["agents.create", "keys.use"]

    def test_a_mistake_in_counting_fails_no_request(
        self, lone: tuple[Caller, State], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        caller, own = lone
        monkeypatch.setattr(own.ledger.usage, "count", unavailable)
        assert caller.get("/v1/agents").status_code == 200

    def test_memory_is_bounded_and_losses_are_told(self, lone: tuple[Caller, State]) -> None:
        _, own = lone
        own.ledger.usage.most = own.ledger.audit.most = 10
        for number in range(25):
            own.ledger.usage.count("tenant", "key", f"GET /v1/{number}", 200, 1.0)
        assert own.ledger.usage.dropped == 15
        assert len(own.ledger.usage.drain().counts) == 10

    def test_closing_writes_what_is_left(self, lone: tuple[Caller, State], make_caller: Callable[..., Caller]) -> None:
        caller, own = lone
        caller.get("/v1/agents")
        own.ledger.close()
        assert by_route(make_caller(tenant_of=caller))[LIST] == 1


def unavailable(*_: Any, **__: Any) -> None:
    """Stand for a database that is away."""
    raise Unavailable("The database is not reachable right now")


class TestQuota:
    @pytest.fixture
    def limited(self, parts: State, caller: Caller) -> Iterator[Caller]:
        """A caller whose tenant may hold three memories."""
        own = replace(parts, settings=replace(parts.settings, quota=3), ledger=Ledger())
        yield replace(caller, app=create_app(own))
        own.ledger.close()

    def test_without_a_limit_a_large_one_is_shown(self, caller: Caller) -> None:
        caller.remember("Ada likes tea")
        assert caller.get("/v1/quota").get_json() == {"used": 1, "limit": 1_000_000_000, "resetAt": None}

    def test_used_and_limit_are_shown(self, limited: Caller, stranger: Caller) -> None:
        stranger.remember("Grace likes coffee")
        limited.remember("Ada likes tea")
        assert limited.get("/v1/quota").get_json() == {"used": 1, "limit": 3, "resetAt": None}

    def test_a_full_tenant_stores_nothing_more_until_something_is_deleted(self, limited: Caller) -> None:
        ids = [limited.remember(f"Fact number {number} of Ada")["id"] for number in range(3)]
        body = error_of(limited.post("/v1/memories", {"content": "One more", "agent_id": "iris"}), 403)
        assert body["type"] == "quota_exceeded"
        assert "3 of 3" in body["message"]
        assert limited.get("/v1/quota").get_json()["used"] == 3
        assert limited.delete(f"/v1/memories/{ids[0]}").status_code == 204
        limited.remember("Room again")

    def test_a_batch_that_does_not_fit_is_refused_as_a_whole(self, limited: Caller) -> None:
        items = [{"content": f"Fact number {number}", "agent_id": "iris"} for number in range(4)]
        error_of(limited.post("/v1/memories/batch", {"memories": items}), 403)
        assert limited.get("/v1/quota").get_json()["used"] == 0
        assert limited.post("/v1/memories/batch", {"memories": items[:3]}).get_json()["succeeded"] == 3

    def test_an_asynchronous_write_is_refused_too(self, limited: Caller) -> None:
        for number in range(3):
            limited.remember(f"Fact number {number}")
        error_of(limited.post("/v2/memories", {"content": "One more", "agent_id": "iris"}), 403)

    def test_far_from_the_limit_nothing_is_counted_for_a_while(
        self, parts: State, caller: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []

        def count(repository: UsageRepository) -> int:
            asked.append(repository.tenant)
            return 10

        monkeypatch.setattr(UsageRepository, "memories", count)
        watch, roomy = QuotaWatch(), replace(parts, settings=replace(parts.settings, quota=1000))
        for _ in range(50):
            watch.admit(roomy, caller, 1)  # all it needs to know is the tenant
        assert len(asked) == 1

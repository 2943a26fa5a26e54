"""Rate limits: whose requests are counted together, and what the answers say about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app import create_app
from app.state import State
from tests.callers import Caller, error_of
from tests.frozen_clock import START

Callers = Callable[..., Caller]


@pytest.fixture
def limited(parts: State) -> Flask:
    """The app with three requests a minute for each key, its counts at zero."""
    return create_app(replace(parts, settings=replace(parts.settings, rate_limit="3/minute")))


@pytest.fixture
def caller(limited: Flask, make_caller: Callers) -> Caller:
    """A caller of the limited app."""
    return replace(make_caller(), app=limited)


def headers(response: TestResponse) -> tuple[int, int, int]:
    """Return limit, remaining and reset."""
    limit, remaining, reset = (response.headers[f"X-RateLimit-{name}"] for name in ("Limit", "Remaining", "Reset"))
    return int(limit), int(remaining), int(reset)


class TestCount:
    def test_is_shared_by_all_routes(self, clock: Any, caller: Caller) -> None:
        seen = [
            caller.get("/v1/agents").status_code,
            caller.post("/v1/agents", {"name": "iris"}).status_code,
            caller.get("/v1/memories").status_code,
            caller.get("/v1/sessions").status_code,
            caller.post("/v1/memories/search", {"query": "x"}).status_code,
        ]
        assert seen == [200, 201, 200, 429, 429]

    def test_is_a_keys_own(self, clock: Any, caller: Caller, limited: Flask, make_caller: Callers) -> None:
        beside = replace(make_caller(tenant_of=caller), app=limited)
        assert [caller.get("/v1/agents").status_code for _ in range(4)][-1] == 429
        assert beside.get("/v1/agents").status_code == 200

    def test_includes_what_was_refused_for_its_body(self, clock: Any, caller: Caller) -> None:
        assert [caller.post("/v1/agents", {}).status_code for _ in range(4)] == [422, 422, 422, 429]

    def test_leaves_out_public_routes_and_unknown_ones(self, clock: Any, caller: Caller) -> None:
        assert {caller.get("/v1/health").status_code for _ in range(5)} == {200}
        assert {caller.get("/v1/nothing").status_code for _ in range(5)} == {404}
        assert caller.get("/v1/agents").status_code == 200

    def test_begins_anew_when_the_window_ends(self, clock: Any, caller: Caller) -> None:
        assert [caller.get("/v1/agents").status_code for _ in range(4)] == [200, 200, 200, 429]
        clock.move_to(START + timedelta(seconds=59))
        assert caller.get("/v1/agents").status_code == 429
        clock.move_to(START + timedelta(seconds=61))
        assert caller.get("/v1/agents").status_code == 200


class TestHeaders:
    def test_count_down(self, clock: Any, caller: Caller) -> None:
        reset = int(START.timestamp()) + 60
        assert [headers(caller.get("/v1/agents")) for _ in range(4)] == [
            (3, 2, reset),
            (3, 1, reset),
            (3, 0, reset),
            (3, 0, reset),
        ]

    def test_stand_on_errors_as_well(self, clock: Any, caller: Caller, unknown_id: str) -> None:
        assert headers(caller.get(f"/v1/agents/{unknown_id}"))[:2] == (3, 2)
        assert headers(caller.post("/v1/agents", {}))[:2] == (3, 1)

    def test_tell_nothing_to_those_without_a_key(self, limited: Flask) -> None:
        response = Caller(limited, "", "").get("/v1/agents")
        assert not [name for name, _ in response.headers if name.startswith("X-RateLimit")]

    def test_of_no_limit_hold_a_large_number(self, parts: State, make_caller: Callers) -> None:
        assert parts.settings.rate_limit == "unlimited"
        limit, remaining, reset = headers(make_caller().get("/v1/agents"))
        assert limit == remaining == 1_000_000
        assert reset > datetime.now(UTC).timestamp()


class TestRefusal:
    @pytest.mark.parametrize(("later", "wait"), [(0, 60), (0.5, 60), (17.2, 43), (59, 1), (59.9, 1)])
    def test_says_in_whole_seconds_when_to_return(self, clock: Any, caller: Caller, later: float, wait: int) -> None:
        for _ in range(3):
            caller.get("/v1/agents")
        clock.move_to(START + timedelta(seconds=later))
        response = caller.get("/v1/agents")
        body = error_of(response, 429)
        assert (response.headers["Retry-After"], body["type"]) == (str(wait), "rate_limit_exceeded")
        assert f"Try again in {wait} seconds" in body["message"]

    def test_writes_nothing(self, clock: Any, caller: Caller, parts: State) -> None:
        for _ in range(3):
            caller.get("/v1/agents")
        error_of(caller.post("/v1/agents", {"name": "iris"}), 429)
        unlimited = replace(caller, app=create_app(parts))
        assert unlimited.get("/v1/agents").get_json()["total_count"] == 0


class TestStoreOfCounts:
    def test_that_fails_lets_requests_pass(
        self, caller: Caller, limited: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: Any, **kwargs: Any) -> int:
            raise ConnectionError("the store is away")

        storage = limited.extensions["loci_limiter"].limiter.storage
        for name in ("incr", "get", "get_expiry"):
            monkeypatch.setattr(storage, name, fail)
        responses = [caller.get("/v1/agents") for _ in range(5)]
        assert {response.status_code for response in responses} == {200}
        assert headers(responses[-1])[0] > 0

"""The limits of Sendryx: 60 requests in any minute and 600 in any hour, for each key."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.state import State
from tests.callers import Caller
from tests.compat.sendryx import shapes
from tests.compat.sendryx.test_routes import get
from tests.frozen_clock import START

stats = get("stats")


@pytest.fixture
def limited(parts: State) -> Flask:
    """The app with its limits on, its counts at zero."""
    return create_app(replace(parts, settings=replace(parts.settings, rate_limit="100/minute")))


@pytest.fixture
def caller(limited: Flask, speak: Callable[..., Caller]) -> Caller:
    """A caller of the limited app."""
    return replace(speak(), app=limited)


def answers(caller: Caller, number: int) -> list[int]:
    """Return the statuses of so many calls."""
    return [stats(caller).status_code for _ in range(number)]


def test_sixty_in_a_minute_and_no_more(clock: Any, caller: Caller) -> None:
    assert answers(caller, 61) == [200] * 60 + [429]


def test_the_window_slides(clock: Any, caller: Caller) -> None:
    answers(caller, 30)
    clock.move_to(START + timedelta(seconds=40))
    assert answers(caller, 31) == [200] * 30 + [429]
    clock.move_to(START + timedelta(seconds=61))
    assert answers(caller, 31) == [200] * 30 + [429]


@pytest.mark.parametrize(("later", "wait"), [(0, 60), (17.2, 43), (59, 1)])
def test_refusal_names_the_limit_and_says_when_to_return(clock: Any, caller: Caller, later: float, wait: int) -> None:
    answers(caller, 60)
    clock.move_to(START + timedelta(seconds=later))
    response = stats(caller)
    body = response.get_json()
    assert list(shapes.faults(shapes.TOO_MANY, body)) == []
    assert (response.status_code, body["retry_after_seconds"], response.headers["Retry-After"]) == (
        429,
        wait,
        str(wait),
    )
    assert "minute" in body["message"]
    clock.move_to(START + timedelta(seconds=later + wait + 0.001))
    assert stats(caller).status_code == 200


def test_six_hundred_in_an_hour_and_no_more(clock: Any, caller: Caller) -> None:
    for minute in range(10):
        clock.move_to(START + timedelta(seconds=61 * minute))
        assert answers(caller, 60) == [200] * 60
    clock.move_to(START + timedelta(minutes=30))
    response = stats(caller)
    body = response.get_json()
    assert (response.status_code, "hour" in body["message"]) == (429, True)
    assert body["retry_after_seconds"] == int(response.headers["Retry-After"]) == 1800
    clock.move_to(START + timedelta(minutes=60, seconds=1))
    assert answers(caller, 61) == [200] * 60 + [429]


def test_a_key_has_counts_of_its_own(clock: Any, caller: Caller, limited: Flask, speak: Callable[..., Caller]) -> None:
    answers(caller, 61)
    assert stats(replace(speak(namespace_of=caller), app=limited)).status_code == 200


def test_the_native_api_counts_for_itself(clock: Any, caller: Caller) -> None:
    answers(caller, 61)
    assert caller.get("/v1/memories").status_code == 200


def test_what_is_refused_for_its_body_is_counted(clock: Any, caller: Caller) -> None:
    seen = [caller.post("/sendryx/v1/memory/store", {}).status_code for _ in range(61)]
    assert seen == [400] * 60 + [429]


def test_where_keys_are_made_by_anybody_their_address_is_counted(clock: Any, limited: Flask) -> None:
    seen = [Caller(limited, "", "").post("/sendryx/v1/keys", {}).status_code for _ in range(61)]
    assert seen == [401] * 60 + [429]

"""Pauses before a process is started again."""

from __future__ import annotations

import pytest

from app.restarts import Restarts


class Clock:
    """A clock that stands still until it is moved."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock of this test's own."""
    return Clock()


def lives(restarts: Restarts, clock: Clock, name: str, seconds: float) -> float | None:
    """Start a process that ends after `seconds`; return the pause that follows."""
    restarts.started(name)
    clock.now += seconds
    return restarts.ended(name)


def test_who_keeps_ending_waits_ever_longer_and_at_most_half_a_minute(clock: Clock) -> None:
    restarts = Restarts(clock)
    assert [lives(restarts, clock, "api", 5) for _ in range(8)] == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_minute_of_life_is_forgiven(clock: Clock) -> None:
    restarts = Restarts(clock)
    assert [lives(restarts, clock, "api", life) for life in (1, 1, 59, 60, 1)] == [1, 2, 4, 1, 2]


def test_each_has_pauses_of_its_own(clock: Clock) -> None:
    restarts = Restarts(clock)
    assert [lives(restarts, clock, name, 1) for name in ("api", "worker", "api", "worker")] == [1, 1, 2, 2]


def test_is_due_when_the_pause_is_over_and_noted_once(clock: Clock) -> None:
    restarts = Restarts(clock)
    lives(restarts, clock, "api", 1)
    assert (lives(restarts, clock, "api", 1), restarts.ended("api"), restarts.due("api")) == (2, None, False)
    clock.now += 1.9
    assert not restarts.due("api")
    clock.now += 0.1
    assert restarts.due("api")

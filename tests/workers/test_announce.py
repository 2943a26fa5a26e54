"""How many events the loop announces at a time."""

import pytest

from app.state import State
from app.workers import announce
from app.workers.announce import BATCH, Announcer
from graph.errors import Unavailable


class Clock:
    """Time that passes only where a test says so."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(announce, "time", made)
    return made


def test_batches_become_as_small_as_the_database_can_take_and_grow_again(
    parts: State, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def heavy(graph: object, limit: int) -> int:
        asked.append(limit)
        if limit > 40:
            raise Unavailable("The database took too long; try again")
        return limit

    monkeypatch.setattr(announce, "announce", heavy)
    loop = Announcer()
    while loop.size > 40:
        with pytest.raises(Unavailable):
            loop(parts)
    assert loop(parts)
    assert asked[-1] == 31

    def light(graph: object, limit: int) -> int:
        return 1

    monkeypatch.setattr(announce, "announce", light)
    for _ in range(10):
        assert not loop(parts)
    assert loop.size == BATCH


def test_one_that_takes_long_is_halved_and_never_to_nothing(
    parts: State, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(graph: object, limit: int) -> int:
        clock.now += 10
        return limit

    monkeypatch.setattr(announce, "announce", slow)
    loop = Announcer()
    sizes = []
    for _ in range(12):
        loop(parts)
        sizes.append(loop.size)
    assert sizes[:3] == [BATCH // 2, BATCH // 4, BATCH // 8]
    assert sizes[-1] == 1

"""Long memories of a time before there were windows get theirs, once."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from app.services import memory_windows
from app.state import State
from app.workers import LOOPS, window_backfill
from graph import window_backfill as marks
from graph.driver import Graph
from graph.window_backfill import Place
from tests.callers import Caller
from tests.graph.test_memory_windows import count, long_text

FORGET = "CYPHER 25 MATCH (w:MemoryWindow {tenant: $tenant}) DETACH DELETE w"


@pytest.fixture
def mark(caller: Caller, monkeypatch: pytest.MonkeyPatch, graph: Graph) -> Iterator[str]:
    """A mark of this test's own, that stands right before its tenant, so that the walk meets that first."""
    name = f"windows-{caller.tenant}"
    for constant in ("READ_PLACE", "KEEP_PLACE"):
        monkeypatch.setattr(marks, constant, getattr(marks, constant).replace("'windows'", f"'{name}'"))
    marks.keep_place(graph, Place(caller.tenant, "", done=False))
    yield name
    graph.write("CYPHER 25 MATCH (s:SchemaVersion {name: $name}) DELETE s", name=name)


def work_through(parts: State, tenant: str) -> None:
    """Work until the walk has left the tenant."""
    while marks.place(parts.graph).tenant == tenant and window_backfill.work(parts):
        pass


def test_every_long_memory_gets_them_and_no_other(
    caller: Caller, parts: State, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_backfill, "STRETCH", 3)
    for n in range(8):
        caller.remember(long_text(f"end{n}") if n % 2 else f"short {n}")
    parts.graph.write(FORGET, tenant=caller.tenant)
    work_through(parts, caller.tenant)
    assert count(parts.graph, caller.tenant) == 8


def test_those_that_have_them_keep_them(caller: Caller, parts: State, mark: str) -> None:
    caller.remember(long_text("end"))
    ids = partial(
        parts.graph.read,
        "CYPHER 25 MATCH (w:MemoryWindow {tenant: $tenant}) RETURN w.id AS id ORDER BY id", tenant=caller.tenant,
    )  # fmt: skip
    before = ids()
    work_through(parts, caller.tenant)
    assert ids() == before


def test_what_was_edited_meanwhile_is_left_alone(
    caller: Caller, parts: State, mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = caller.remember(long_text("zebra"))["id"]
    parts.graph.write(FORGET, tenant=caller.tenant)
    real = memory_windows.windows

    def edited(*given: Any) -> Any:
        caller.put(f"/v1/memories/{id}", {"content": "short by now"})
        return real(*given)

    monkeypatch.setattr(memory_windows, "windows", edited)
    work_through(parts, caller.tenant)
    assert count(parts.graph, caller.tenant) == 0


def test_once_through_it_does_nothing_more(caller: Caller, parts: State, mark: str) -> None:
    marks.keep_place(parts.graph, Place("~", "", done=False))  # behind every tenant
    assert window_backfill.work(parts) is False
    assert marks.place(parts.graph).done
    caller.remember(long_text("end"))
    parts.graph.write(FORGET, tenant=caller.tenant)
    assert window_backfill.work(parts) is False
    assert count(parts.graph, caller.tenant) == 0


def test_the_worker_runs_it() -> None:
    assert any(loop.work is window_backfill.work for loop in LOOPS)

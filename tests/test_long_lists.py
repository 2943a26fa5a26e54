"""Every list of the API, hundreds of rows long: each row is met once, by cursor and by offset, whoever writes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from app.scopes import ALL_SCOPES
from app.state import State
from tests.callers import new_caller
from tests.contract.examples import World, path_of
from tests.contract.operations import OPERATIONS, Operation
from tests.long_lists import LONG, Long, Row

LIMIT = 20
MOST_PAGES = 1000
LISTS = [operation for operation in OPERATIONS if operation.verb == "GET" and "cursor" in operation.query]
# Topics are found anew as a whole by a worker, so they page by rank (`tests/resources/test_entity_graph.py`); a trash
# there is where it is switched on (`tests/resources/test_trash.py`).
APART = {"GET /v1/entities/topics", "GET /v1/trash"}


@pytest.fixture(scope="module")
def world(app: Flask, parts: State) -> World:
    """One tenant for all lists: what makes one long makes others long too."""
    return World(new_caller(app, parts, ALL_SCOPES, None))


def ask(world: World, operation: Operation, **query: Any) -> Row:
    """Return one page."""
    response = world.caller.get(path_of(operation, world), query_string=query)
    assert response.status_code == 200, response.get_json()
    found: Row = response.get_json()
    return found


def filled(world: World, operation: Operation, long: Long) -> list[Row]:
    """Make the list long, and return its rows. What the ledger still holds becomes a row of one list."""
    parts: State = world.caller.app.extensions["loci"]
    parts.ledger.flush(parts.graph)
    missing = long.rows - int(ask(world, operation, limit=1)["total_count"])
    if missing > 0 and long.fill:
        long.fill(world, missing)
    elif missing > 0:
        for _ in range(missing):
            long.make(world)
    return [row for page in walk(world, operation) for row in page]


def walk(world: World, operation: Operation, beside: Callable[[], None] = lambda: None) -> Iterator[list[Row]]:
    """Yield all pages by cursor; `beside` is called before each of the later ones is asked for."""
    cursor, pages = None, 0
    while True:
        found = ask(world, operation, limit=LIMIT, **({"cursor": cursor} if cursor else {}))
        yield found["data"]
        cursor, pages = found["next_cursor"], pages + 1
        assert found["has_more"] is (cursor is not None)
        assert pages < MOST_PAGES, "the list has no end"
        if cursor is None:
            return
        beside()


def test_every_list_is_made_long() -> None:
    assert {str(operation) for operation in LISTS} - APART == LONG.keys()


@pytest.mark.parametrize("operation", [one for one in LISTS if str(one) not in APART], ids=str)
class TestLongList:
    def test_by_offset_shows_the_same_rows_in_the_same_order(self, operation: Operation, world: World) -> None:
        long = LONG[str(operation)]
        keys = [long.key(row) for row in filled(world, operation, long)]
        assert len(keys) == len(set(keys)) >= long.rows
        pages = [ask(world, operation, limit=100, offset=at) for at in range(0, len(keys), 100)]
        assert [long.key(row) for page in pages for row in page["data"]] == keys
        assert {page["total_count"] for page in pages} == {len(keys)}
        assert [page["has_more"] for page in pages] == [True] * (len(pages) - 1) + [False]

    def test_by_cursor_neither_skips_nor_repeats_while_others_write(self, operation: Operation, world: World) -> None:
        long = LONG[str(operation)]
        before = filled(world, operation, long)
        going = random.Random(3).sample(before, 15) if long.remove else []
        stay = {long.key(row) for row in before} - {long.key(row) for row in going}
        met: list[str] = []
        with ThreadPoolExecutor(2) as pool:
            writes = []

            def write() -> None:
                writes.append(pool.submit(long.make, world))
                if going and long.remove:
                    writes.append(pool.submit(long.remove, world, going.pop()))

            for page in walk(world, operation, write):
                met += [long.key(row) for row in page]
            for one in writes:
                one.result()
        assert len(writes) >= long.rows // LIMIT - 1
        assert len(met) == len(set(met))
        assert [key for key in met if key in stay] == [long.key(row) for row in before if long.key(row) in stay]

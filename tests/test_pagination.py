"""Lists: limit and offset, cursors, and what both hold while others write; over every route that lists."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest

from app.errors import Invalid
from app.pagination import Position, page, position
from graph.labels import NEVER
from tests.callers import Caller, error_of
from tests.contract.examples import World, path_of, query_of
from tests.contract.operations import OPERATIONS, Operation

LISTS = [
    operation
    for operation in OPERATIONS
    if operation.verb == "GET" and {"limit", "offset", "cursor"} <= operation.query.keys()
]
each_list = pytest.mark.parametrize("operation", LISTS, ids=str)


def rows(count: int) -> list[dict[str, Any]]:
    """Return rows as a repository does, newest first."""
    return [{"id": f"id-{n}", "created_at": 1000 - n} for n in range(count)]


class TestPosition:
    def test_without_arguments_is_the_start(self) -> None:
        assert position({"limit": 20, "offset": 0}) == Position(NEVER, "", 0, None)

    def test_takes_its_arguments_out(self) -> None:
        args = {"limit": 20, "offset": 40, "cursor": None, "agent_id": "iris"}
        assert position(args).offset == 40
        assert args == {"limit": 20, "agent_id": "iris"}

    def test_of_a_cursor_is_where_the_page_before_ended(self) -> None:
        cursor = page(rows(3), 2, Position(), lambda: 9)["next_cursor"]
        assert position({"limit": 2, "cursor": cursor, "offset": 5}) == Position(999, "id-1", 0, 9)

    @pytest.mark.parametrize(
        "value",
        [
            7,
            "x",
            None,
            [],
            {},
            [1],
            [1, "a"],
            [1, "a", 2, 3],
            ["a", "b", "c"],
            [1, "a", None],
            [1e400, "a", 1],
            [[], [], []],
        ],
        ids=repr,
    )
    def test_of_a_forged_cursor_is_refused(self, value: Any) -> None:
        cursor = base64.urlsafe_b64encode(orjson.dumps(value)).decode().rstrip("=")
        with pytest.raises(Invalid, match="cursor"):
            position({"limit": 2, "cursor": cursor})

    @pytest.mark.parametrize("cursor", ["a", "!!!!", "é", "AAAA", "=" * 8, "W10", "bnVsbA"])
    def test_of_what_is_no_cursor_is_refused(self, cursor: str) -> None:
        with pytest.raises(Invalid, match="cursor"):
            position({"limit": 2, "cursor": cursor})


class TestPage:
    @pytest.mark.parametrize(
        ("stored", "limit", "shown", "more"), [(0, 2, 0, False), (1, 2, 1, False), (2, 2, 2, False), (3, 2, 2, True)]
    )
    def test_says_whether_another_follows(self, stored: int, limit: int, shown: int, more: bool) -> None:
        found = page(rows(stored), limit, Position(), lambda: stored)
        assert (len(found["data"]), found["has_more"], found["next_cursor"] is not None) == (shown, more, more)
        assert (found["object"], found["total_count"]) == ("list", stored)

    def test_counts_on_the_first_page_only(self) -> None:
        def never() -> int:
            raise AssertionError("counted again")

        assert page(rows(1), 2, Position(total=7), never)["total_count"] == 7


class TestEveryList:
    @each_list
    @pytest.mark.parametrize(
        ("argument", "value"),
        [("limit", "0"), ("limit", "101"), ("limit", "1000"), ("limit", "-1"), ("limit", "x"), ("limit", "1e3"),
         ("offset", "-1"), ("offset", "x"), ("offset", str(10**30)), ("cursor", "nonsense"), ("cursor", "x" * 600)],
    )  # fmt: skip
    def test_refuses_a_page_that_is_none(self, operation: Operation, argument: str, value: str, caller: Caller) -> None:
        world = World(caller)
        query = {**query_of(operation, world), argument: value}
        found = error_of(caller.get(path_of(operation, world), query_string=query), 422)
        assert [detail["field"] for detail in found["details"]] == [argument]

    @each_list
    @pytest.mark.parametrize(
        "forged",
        [
            '[1,"a",1]', '[1,"",1]', '[1,"1e9",1]', f'[{10**30},"1",1]', f'["{10**30}","1",1]', f'[1,"{10**30}",1]',
            '[-1,"-1",-1]', f'[1,"1",{10**30}]', '[1.5,"1",1]', '[1,"\\u0000",1]', "[1,[],1]", "[true,true,true]",
        ],
    )  # fmt: skip
    def test_takes_a_forged_cursor_for_none_or_for_an_empty_page(
        self, operation: Operation, forged: str, caller: Caller
    ) -> None:
        world = World(caller)
        cursor = base64.urlsafe_b64encode(forged.encode()).decode().rstrip("=")
        query = {**query_of(operation, world), "cursor": cursor}
        response = caller.get(path_of(operation, world), query_string=query)
        if response.status_code != 200:
            assert [detail["field"] for detail in error_of(response, 422)["details"]] == ["cursor"]

    @each_list
    def test_beyond_its_end_is_empty(self, operation: Operation, caller: Caller) -> None:
        world = World(caller)
        query = {**query_of(operation, world), "offset": 10_000_000}
        body = caller.get(path_of(operation, world), query_string=query).get_json()
        assert (body["data"], body["has_more"]) == ([], False)

    @each_list
    def test_takes_a_hundred_at_most_and_twenty_by_itself(self, operation: Operation) -> None:
        limit = operation.query["limit"]
        assert (limit["minimum"], limit["maximum"], limit["default"]) == (1, 100, 20)


def walk(caller: Caller, path: str, **query: Any) -> list[str]:
    """Return the ids of all pages, following the cursor."""
    found, cursor = [], None
    while True:
        asked = {**query, **({"cursor": cursor} if cursor else {})}
        body = caller.get(path, query_string=asked).get_json()
        found += [row["id"] for row in body["data"]]
        cursor = body["next_cursor"]
        if not cursor:
            assert body["has_more"] is False
            return found


class TestWalk:
    @pytest.fixture
    def stored(self, caller: Caller) -> list[str]:
        """Store 60 memories in a burst, many in the same millisecond; return their ids, newest first."""
        items = [{"content": f"Note {n}", "agent_id": "iris"} for n in range(60)]
        results = caller.post("/v1/memories/batch", {"memories": items}).get_json()["results"]
        return [result["id"] for result in results][::-1]

    @pytest.mark.parametrize("limit", [1, 7, 20, 60, 100])
    def test_by_cursor_meets_each_once_in_order(self, caller: Caller, stored: list[str], limit: int) -> None:
        assert walk(caller, "/v1/memories", limit=limit) == stored

    def test_by_offset_meets_each_once_in_order(self, caller: Caller, stored: list[str]) -> None:
        pages = [caller.get(f"/v1/memories?limit=25&offset={at}").get_json() for at in (0, 25, 50)]
        assert [row["id"] for found in pages for row in found["data"]] == stored
        assert [found["has_more"] for found in pages] == [True, True, False]
        assert {found["total_count"] for found in pages} == {60}

    def test_by_cursor_neither_skips_nor_repeats_while_others_write_and_delete(
        self, caller: Caller, stored: list[str]
    ) -> None:
        found, cursor = [], None
        for _ in range(6):
            body = caller.get("/v1/memories", query_string={"limit": 10, **({"cursor": cursor} if cursor else {})})
            shown = body.get_json()
            found += [row["id"] for row in shown["data"]]
            cursor = shown["next_cursor"]
            caller.remember("A newer note")
            caller.delete(f"/v1/memories/{found[-1]}")
        assert found == stored

    def test_of_agents_made_at_once_meets_each_once(self, caller: Caller) -> None:
        made = {caller.post("/v1/agents", {"name": f"agent-{n}"}).get_json()["id"] for n in range(23)}
        found = walk(caller, "/v1/agents", limit=5)
        assert len(found) == 23
        assert set(found) == made

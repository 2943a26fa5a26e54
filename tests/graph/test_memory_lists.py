"""Lists in the graph: a page costs the same, however long the list."""

import pytest

from app.state import State
from graph import jobs, memory_care, queue
from graph.driver import Connection
from graph.memory_lists import COUNTS, KEY_LISTS, LISTS, OPEN, MemoryListRepository
from tests.callers import Caller
from tests.graph.plans import operators, reads_a_page

GIVEN = {**OPEN, "tenant": "t", "now": 1, "never": 2, "offset": 0, "limit": 20}


class TestPlans:
    @pytest.mark.parametrize("name", LISTS)
    def test_a_page_takes_its_order_from_an_index(self, connection: Connection, parts: State, name: str) -> None:
        assert reads_a_page(connection, LISTS[name], **GIVEN)
        assert reads_a_page(connection, KEY_LISTS[name], **GIVEN)

    @pytest.mark.parametrize("name", COUNTS)
    def test_a_count_reads_an_index(self, connection: Connection, parts: State, name: str) -> None:
        found = operators(connection, COUNTS[name], whole=False, **GIVEN)
        assert any(each.startswith("NodeIndexSeek") for each in found)
        assert not any(each in ("NodeByLabelScan", "AllNodesScan") for each in found)

    def test_walks_and_queues_stop_at_their_limit(self, connection: Connection, parts: State) -> None:
        stretch = {"tenant": "t", "after": 0, "after_seq": 0, "limit": 5, "low": 0.4, "middling": 0.5, "idle_since": 9}
        assert reads_a_page(connection, memory_care.WALK_WARM, **stretch)
        assert reads_a_page(connection, memory_care.WALK_COLD, **stretch)
        due = {"queue": "q", "now": 1, "limit": 5, "until": 2, "holder": "h"}
        assert reads_a_page(connection, queue.CLAIM, **due)
        page = {"before": 9, "before_id": "", "state": None, "kind": None}
        assert reads_a_page(connection, jobs.LIST, **{**GIVEN, **page})

    def test_a_plan_that_sorts_the_whole_list_is_told_apart(self, connection: Connection, parts: State) -> None:
        sorting = "CYPHER 25 MATCH (m:Memory {tenant: $tenant}) RETURN m.id AS id ORDER BY m.content LIMIT $limit"
        assert not reads_a_page(connection, sorting, tenant="t", limit=5)


class TestKeys:
    def test_stretches_follow_one_another_without_gap_or_repeat(self, caller: Caller, parts: State) -> None:
        stored = [caller.remember(f"memory {n}")["id"] for n in range(7)]
        lists = MemoryListRepository(parts.graph, caller)
        found: list[str] = []
        filters: dict[str, int] = {}
        while rows := lists.keys(filters, 3):
            found += [row["id"] for row in rows]
            filters = {"before": rows[-1]["created_at"], "before_seq": rows[-1]["seq"]}
        assert found == stored[::-1]

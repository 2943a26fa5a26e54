"""Entities in the graph: what deletes and merges leave behind, and what races cannot break."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.services.entities import named
from graph.driver import Graph
from graph.entities import EntityRepository
from graph.entity_links import EntityLinkRepository
from graph.entity_names import EntityNameRepository
from graph.entity_removal import BATCH, EntityRemovalRepository
from graph.errors import NotFound
from graph.labels import NEVER
from graph.neighbourhood import NeighbourhoodRepository
from graph.records import Row
from tests.callers import Caller

NODES = "CYPHER 25 MATCH (n) WHERE n.tenant = $tenant AND $label IN labels(n) RETURN count(n) AS total"
MEMORIES = """
CYPHER 25
UNWIND range(1, $count) AS i
CREATE (m:Memory {tenant: $tenant, id: $prefix + toString(i), content: 'x', current: true, archived: false,
  expires_at: $never, created_at: i, seq: i, visibility: 'private'})
RETURN m.id AS id
"""
PROFILED = "CYPHER 25 PROFILE "


def entity(graph: Graph, caller: Caller, name: str, kind: str = "person") -> Row:
    """Return a new entity."""
    return EntityRepository(graph, caller).create(str(uuid.uuid4()), named(name, kind), "{}", None)


def memories(graph: Graph, caller: Caller, count: int) -> list[str]:
    """Return the ids of new bare memories."""
    prefix = uuid.uuid4().hex
    return [row["id"] for row in graph.write(MEMORIES, tenant=caller.tenant, count=count, prefix=prefix, never=NEVER)]


def mention(
    graph: Graph, caller: Caller, ids: list[str], *names: str, kind: str = "person", source: str = "rule"
) -> None:
    """Mention names in memories, as the write path does."""
    rows: list[dict[str, Any]] = [
        {
            "memory_id": id, "key": name.lower(), "name": name, "padded": f" {name.lower()} ", "entity_type": kind,
            "noise": False, "entity_id": str(uuid.uuid4()), "confidence": 0.9, "source": source, "about": False,
            "relationship": "mentioned_in",
        }
        for id in ids
        for name in names
    ]  # fmt: skip
    EntityRepository(graph, caller).mention(rows, NEVER)


def count(graph: Graph, caller: Caller, label: str) -> int:
    """Return how many nodes of a label the tenant has."""
    return int(graph.read(NODES, tenant=caller.tenant, label=label)[0]["total"])


class TestMentioning:
    def test_a_name_leads_to_the_entity_that_bears_it_before_one_that_has_it_as_an_alias(
        self, graph: Graph, caller: Caller
    ) -> None:
        other = entity(graph, caller, "William Smith")
        EntityNameRepository(graph, caller).add(other["id"], "Bill", "bill")
        own = entity(graph, caller, "Bill", "organization")
        EntityRepository(graph, caller).update(own["id"], lambda row: named("Bill", "location"))
        mention(graph, caller, memories(graph, caller, 1), "Bill", kind="location")
        assert EntityRepository(graph, caller).get(own["id"])["memory_count"] == 1

    def test_survives_that_the_entity_is_deleted_meanwhile(self, graph: Graph, caller: Caller) -> None:
        ids = memories(graph, caller, 16)
        removal = EntityRemovalRepository(graph, caller)

        def work(number: int) -> None:
            if number % 5 == 4:
                try:
                    removal.delete(EntityNameRepository(graph, caller).named("ada"))
                except NotFound:
                    return
            else:
                mention(graph, caller, ids[number : number + 1], "Ada")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(16)))
        mention(graph, caller, ids[:1], "Ada")
        assert count(graph, caller, "Entity") == count(graph, caller, "EntityName") == 1


class TestDeleting:
    def test_takes_the_names_that_lead_nowhere_else(self, graph: Graph, caller: Caller) -> None:
        first, second = entity(graph, caller, "First"), entity(graph, caller, "Second", "project")
        names = EntityNameRepository(graph, caller)
        names.add(first["id"], "Only mine", "only mine")
        names.add(first["id"], "Second", "second")
        EntityRemovalRepository(graph, caller).delete(first["id"])
        assert (count(graph, caller, "Entity"), count(graph, caller, "EntityName")) == (1, 1)
        assert names.named("second") == second["id"]

    def test_takes_more_links_than_one_batch_holds(
        self, graph: Graph, caller: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("graph.entity_removal.BATCH", 3)
        mention(graph, caller, memories(graph, caller, 10), "Hub")
        EntityRemovalRepository(graph, caller).delete(EntityNameRepository(graph, caller).named("hub"))
        assert (count(graph, caller, "Entity"), count(graph, caller, "Memory")) == (0, 10)


class TestMerging:
    def test_moves_more_links_than_one_batch_holds_and_counts_each_memory_once(
        self, graph: Graph, caller: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert BATCH > 3
        monkeypatch.setattr("graph.entity_removal.BATCH", 3)
        ids = memories(graph, caller, 12)
        mention(graph, caller, ids[:10], "Bill")
        mention(graph, caller, ids[6:], "William")
        names = EntityNameRepository(graph, caller)
        gone, kept = names.named("bill"), names.named("william")
        EntityRemovalRepository(graph, caller).merge(gone, kept, "{}")
        assert EntityRepository(graph, caller).get(kept)["memory_count"] == 12
        assert names.named("bill") == kept

    def test_keeps_what_was_linked_by_hand(self, graph: Graph, caller: Caller) -> None:
        ids = memories(graph, caller, 1)
        mention(graph, caller, ids, "Bill", "William")
        names, links = EntityNameRepository(graph, caller), EntityLinkRepository(graph, caller)
        gone, kept = names.named("bill"), names.named("william")
        links.link(str(uuid.uuid4()), gone, ids[0], "created_by")
        EntityRemovalRepository(graph, caller).merge(gone, kept, "{}")
        row = links.link(str(uuid.uuid4()), kept, ids[0], None)
        assert (row["created"], row["relationship"]) == (False, "created_by")

    def test_in_both_directions_at_once_leaves_one(self, graph: Graph, caller: Caller) -> None:
        mention(graph, caller, memories(graph, caller, 4), "Bill", "William")
        names = EntityNameRepository(graph, caller)
        ends = [names.named("bill"), names.named("william")]

        def merge(pair: list[str]) -> bool:
            try:
                EntityRemovalRepository(graph, caller).merge(pair[0], pair[1], "{}")
            except NotFound:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(merge, [ends, ends[::-1]])) == [False, True]
        assert count(graph, caller, "Entity") == 1
        assert EntityRepository(graph, caller).get(names.named("bill"))["memory_count"] == 4


class TestLists:
    def test_page_through_equal_times_without_gaps_or_repeats(self, graph: Graph, caller: Caller) -> None:
        mention(graph, caller, memories(graph, caller, 1), *(f"Name {n}" for n in range(50)))
        repository = EntityRepository(graph, caller)
        for filters in ({"agent_id": None, "entity_type": None}, {"agent_id": None, "entity_type": "person"}):
            seen: list[str] = []
            before, before_id = NEVER, ""
            while page := repository.list(before, before_id, 0, 7, filters):
                seen += [row["id"] for row in page]
                before, before_id = page[-1]["created_at"], page[-1]["id"]
            assert len(seen) == len(set(seen)) == 50 == repository.count(filters, NEVER)


class TestNeighbours:
    def test_of_a_hub_are_found_in_the_memories_looked_at(self, graph: Graph, caller: Caller) -> None:
        ids = memories(graph, caller, 300)
        mention(graph, caller, ids, "Hub")
        mention(graph, caller, ids[:150], "Even")
        hub = EntityNameRepository(graph, caller).named("hub")
        rows = NeighbourhoodRepository(graph, caller).around([hub], memories=20, most=10)
        assert all(row["weight"] <= 20 for row in rows)
        whole = NeighbourhoodRepository(graph, caller).around([hub], memories=1000, most=10)
        assert [(row["name"], row["weight"]) for row in whole] == [("Even", 150.0)]

    def test_leave_out_numbers_and_dates_by_year(self, graph: Graph, caller: Caller) -> None:
        ids = memories(graph, caller, 1)
        mention(graph, caller, ids, "Ada")
        row = {
            "memory_id": ids[0], "key": "2024", "name": "2024", "padded": " 2024 ", "entity_type": "event",
            "noise": True, "entity_id": str(uuid.uuid4()), "confidence": 0.9, "source": "rule", "about": False,
            "relationship": "mentioned_in",
        }  # fmt: skip
        EntityRepository(graph, caller).mention([row], NEVER)
        ada = EntityNameRepository(graph, caller).named("ada")
        assert NeighbourhoodRepository(graph, caller).around([ada], memories=10, most=10) == []

"""History in the graph: what Neo4j Browser shows of it, and what holds when many write at once."""

import threading

import pytest

from app.state import State
from graph.errors import BadReference, Conflict
from graph.labels import NEVER
from graph.memory_history import MemoryHistoryRepository
from tests.callers import Caller


class TestSuccession:
    def test_it_is_a_relationship_with_its_period(self, caller: Caller, parts: State) -> None:
        old = caller.remember("one")["id"]
        new = caller.remember("two", supersedes=old, derived_from=[old])["id"]
        rows = parts.graph.read(
            "CYPHER 25 MATCH (:Memory {tenant: $tenant, id: $new})-[r]->(:Memory {tenant: $tenant, id: $old}) "
            "RETURN type(r) AS type, r.from AS since, r.to AS until ORDER BY type",
            tenant=caller.tenant, new=new, old=old,
        )  # fmt: skip
        assert [row["type"] for row in rows] == ["DERIVED_FROM", "SUPERSEDES"]
        assert all(0 < row["since"] < NEVER == row["until"] for row in rows)

    def test_of_many_that_replace_the_same_one_wins(self, caller: Caller, parts: State) -> None:
        old = caller.remember("one")["id"]
        answers: list[int] = []

        def replace(n: int) -> None:
            body = {"content": f"text {n}", "agent_id": "iris", "supersedes": old}
            answers.append(caller.post("/v1/memories", body).status_code)

        threads = [threading.Thread(target=replace, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [201] + [409] * 7
        assert caller.get("/v1/memories").get_json()["total_count"] == 1

    def test_the_repository_names_what_is_wrong(self, caller: Caller, parts: State, unknown_id: str) -> None:
        history = MemoryHistoryRepository(parts.graph, caller)
        one, two = caller.remember("one")["id"], caller.remember("two")["id"]
        with pytest.raises(BadReference, match=unknown_id):
            history.supersede([(one, unknown_id)])
        with pytest.raises(Conflict, match="one memory only"):
            history.supersede([(one, two), (unknown_id, two)])
        with pytest.raises(BadReference, match=unknown_id):
            history.derive([(one, two), (one, unknown_id)])


class TestVersions:
    def test_a_version_belongs_to_its_memory_and_has_its_period(self, caller: Caller, parts: State) -> None:
        id = caller.remember("Ada lives in Lisbon")["id"]
        caller.put(f"/v1/memories/{id}", {"content": "Ada lives in Porto"})
        (row,) = parts.graph.read(
            "CYPHER 25 MATCH (v:MemoryVersion {tenant: $tenant})-[:VERSION_OF]->(m:Memory {tenant: $tenant, id: $id}) "
            "RETURN v.said_since AS since, v.superseded_at AS until, m.said_since AS now, v.current AS current",
            tenant=caller.tenant, id=id,
        )  # fmt: skip
        assert row["since"] <= row["until"] <= row["now"]
        assert row["current"] is False

    def test_versions_go_with_their_memory(self, caller: Caller, parts: State) -> None:
        id = caller.remember("one")["id"]
        caller.put(f"/v1/memories/{id}", {"content": "two"})
        caller.delete(f"/v1/memories/{id}")
        (row,) = parts.graph.read(
            "CYPHER 25 MATCH (n:Searchable {tenant: $tenant}) RETURN count(n) AS left", tenant=caller.tenant
        )
        assert row["left"] == 0

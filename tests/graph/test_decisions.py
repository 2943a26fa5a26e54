"""Decisions in the graph: how they stand in it, and walks that stay bounded."""

from typing import Any

import pytest

from app.services.decisions import decide
from app.state import State
from graph import impact, labels
from graph.decisions import DecisionRepository
from graph.driver import Graph
from graph.errors import Conflict, NotFound
from graph.impact import ImpactRepository
from tests.callers import Caller

NODE = "CYPHER 25 MATCH (d:Decision {tenant: $tenant, id: $id}) RETURN properties(d) AS props, labels(d) AS labels"
LINKS = """
CYPHER 25
MATCH (d:Decision {tenant: $tenant, id: $id})-[r]->(o)
RETURN type(r) AS type, labels(o) AS labels, coalesce(o.name, '') AS name, r.from AS since, r.to AS until
ORDER BY type, name
"""
BODY = {"rationale": "fewer moving parts", "status": "active", "tags": [], "metadata": {}, "memory_ids": []}


def record(parts: State, caller: Caller, title: str, **fields: Any) -> str:
    """Record a decision and return its id."""
    return decide(parts, caller, {**BODY, "title": title, **fields})  # type: ignore[arg-type]


class TestNode:
    def test_has_every_property_that_the_vector_index_filters_by(self, parts: State, caller: Caller) -> None:
        id = record(parts, caller, "Keep PostgreSQL")
        row = parts.graph.read(NODE, tenant=caller.tenant, id=id)[0]
        assert set(row["labels"]) == {"Decision", "Searchable"}
        assert {name for name in labels.VECTOR_FILTERS if row["props"].get(name) is None} == set()
        assert row["props"]["kind"] == "decision"
        assert row["props"]["name"] == "Keep PostgreSQL"

    def test_carries_no_token_of_the_memories_so_it_never_fills_their_searches(
        self, parts: State, caller: Caller
    ) -> None:
        id = record(parts, caller, "Keep PostgreSQL")
        tokens = parts.graph.read(NODE, tenant=caller.tenant, id=id)[0]["props"]["scope_tokens"]
        assert tokens == labels.scope_token("decision", caller.tenant)
        assert tokens != labels.scope_token("tenant", caller.tenant)

    def test_is_tied_by_relationships_with_their_period(self, parts: State, caller: Caller) -> None:
        memory = caller.remember("the broker fell over")["id"]
        session = caller.post("/v1/sessions", {"title": "review"}).get_json()["id"]
        id = record(
            parts, caller, "Keep PostgreSQL", agent_id="iris", project_slug="billing", session_id=session,
            memory_ids=[memory],
        )  # fmt: skip
        other = record(parts, caller, "Back it up nightly")
        caller.post(f"/v1/decisions/{id}/dependencies", {"decision_id": other})
        rows = parts.graph.read(LINKS, tenant=caller.tenant, id=id)
        assert [(row["type"], row["name"]) for row in rows] == [
            ("ABOUT", "PostgreSQL"), ("BASED_ON", "the broker fell over"), ("DEPENDS_ON", "Back it up nightly"),
            ("IN_PROJECT", "billing"), ("MADE_BY", "iris"), ("MADE_IN", "review"),
        ]  # fmt: skip
        assert all(row["since"] and row["until"] == labels.NEVER for row in rows[:3])

    def test_names_the_same_entity_as_memories_do(self, parts: State, caller: Caller) -> None:
        caller.remember("We moved to PostgreSQL in spring")
        record(parts, caller, "Keep PostgreSQL")
        record(parts, caller, "Tune PostgreSQL")
        query = "CYPHER 25 MATCH (e:Entity {tenant: $tenant, name_key: 'postgresql'}) RETURN e.id AS id"
        assert len(parts.graph.read(query, tenant=caller.tenant)) == 1

    def test_new_words_bring_new_subjects(self, parts: State, caller: Caller) -> None:
        id = record(parts, caller, "Keep PostgreSQL")
        caller.put(f"/v1/decisions/{id}", {"title": "Keep Redis"})
        rows = parts.graph.read(LINKS, tenant=caller.tenant, id=id)
        assert [row["name"] for row in rows if row["type"] == "ABOUT"] == ["Redis"]

    def test_dates_are_no_subjects(self, parts: State, caller: Caller) -> None:
        id = record(parts, caller, "Revisit on 12 May 2027")
        assert [row for row in parts.graph.read(LINKS, tenant=caller.tenant, id=id) if row["type"] == "ABOUT"] == []


class TestRepository:
    def test_another_tenant_finds_nothing(self, parts: State, caller: Caller, stranger: Caller) -> None:
        id = record(parts, caller, "mine")
        theirs = DecisionRepository(parts.graph, stranger)
        for look in (
            theirs.get,
            theirs.lock,
            theirs.chain,
            theirs.delete,
            ImpactRepository(parts.graph, stranger).walks,
        ):
            with pytest.raises(NotFound, match="Decision not found"):
                look(id, 3) if look.__name__ == "walks" else look(id)  # type: ignore[call-arg]
        assert theirs.get_many([id]) == {}
        assert DecisionRepository(parts.graph, caller).get(id)["title"] == "mine"

    def test_replacing_what_is_replaced_leaves_nothing_behind(self, parts: State, caller: Caller) -> None:
        old = record(parts, caller, "old")
        body = {**BODY, "title": "new"}
        decide(parts, caller, body, old)  # type: ignore[arg-type]
        with pytest.raises(Conflict, match="superseded already"):
            decide(parts, caller, {**body, "title": "newer"}, old)  # type: ignore[arg-type]
        assert len(DecisionRepository(parts.graph, caller).chain(old)) == 2

    def test_keeps_the_last_thousand_statuses(self, parts: State, caller: Caller) -> None:
        id = record(parts, caller, "Use one database")
        decisions = DecisionRepository(parts.graph, caller)
        was = {"was_status": ["experimental"] * 1000, "was_until": list(range(1000))}
        decisions.update(id, was)
        decisions.update(id, {"status": "reverted"})
        query = (
            "CYPHER 25 MATCH (d:Decision {tenant: $tenant, id: $id}) RETURN d.was_status AS was, d.was_until AS until"
        )
        (row,) = parts.graph.read(query, tenant=caller.tenant, id=id)
        assert row["was"] == ["experimental"] * 999 + ["active"]
        assert row["until"][:-1] == list(range(1, 1000))

    def test_lists_use_an_index_for_their_order(self, graph: Graph, caller: Caller) -> None:
        names = {row["name"] for row in graph.read("SHOW INDEXES YIELD name, state WHERE state = 'ONLINE' RETURN name")}
        assert {f"decision_of_{what}" for what in ("project", "agent", "session", "status")} <= names


class TestWalk:
    @pytest.fixture
    def star(self, parts: State, caller: Caller) -> list[str]:
        """A decision that six others depend on, each about Redis."""
        centre = record(parts, caller, "Keep Redis")
        around = [record(parts, caller, f"Redis rule {n}") for n in range(6)]
        for one in around:
            caller.post(f"/v1/decisions/{one}/dependencies", {"decision_id": centre})
        return [centre, *around]

    def walk(self, parts: State, caller: Caller, id: str) -> impact.Walk:
        return ImpactRepository(parts.graph, caller).walks(id, 6)[0]

    def test_says_when_the_number_of_nodes_cut_it_short(
        self, parts: State, caller: Caller, star: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert not self.walk(parts, caller, star[0]).truncated
        monkeypatch.setattr(impact, "MOST_NODES", 4)
        walk = self.walk(parts, caller, star[0])
        assert (walk.truncated, len(walk.steps)) == (True, 4)

    def test_says_when_a_node_has_more_neighbours_than_it_follows(
        self, parts: State, caller: Caller, star: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(impact, "FAN", 3)
        walk = self.walk(parts, caller, star[0])
        assert walk.truncated
        assert sum(step.distance == 1 and step.type == "DEPENDS_ON" for step in walk.steps.values()) == 3

    def test_names_entities_that_everything_is_about_and_does_not_enter_them(
        self, parts: State, caller: Caller, star: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert "ABOUT" in {step.type for step in self.walk(parts, caller, star[1]).decisions()}
        monkeypatch.setattr(impact, "CROWDED", 3)
        walk = self.walk(parts, caller, star[1])
        assert [node["name"] for node in walk.too_common.values()] == ["Redis"]
        assert list(walk.decisions()) == []

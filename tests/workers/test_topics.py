"""Topics: stable, bounded groups; found anew where something was written, by one worker at a time."""

import pytest

from app.state import State
from app.workers import topics
from app.workers.topics import communities, described, find_topics, weigh
from graph.topics import TopicRepository
from tests.callers import Caller


class TestWeighing:
    def test_a_long_memory_says_no_more_than_a_short_one(self) -> None:
        pairs = weigh([["a", "b"], ["a", "b", "c"]], [])
        assert pairs == {("a", "b"): 1.5, ("a", "c"): 0.5, ("b", "c"): 0.5}

    def test_stated_relations_add_their_weight(self) -> None:
        assert weigh([["a", "b"]], [{"source": "b", "target": "a", "weight": 2.0}]) == {("a", "b"): 3.0}

    def test_keeps_the_strongest_pairs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(topics, "MOST_PAIRS", 1)
        assert list(weigh([["a", "b"], ["a", "b"], ["b", "c"]], [])) == [("a", "b")]


class TestGrouping:
    PAIRS = {("a", "b"): 2.0, ("b", "c"): 2.0, ("a", "c"): 1.0, ("c", "d"): 0.1, ("d", "e"): 2.0, ("e", "f"): 2.0}

    def test_splits_where_ties_are_weak_and_is_the_same_every_time(self) -> None:
        groups = [communities(self.PAIRS) for _ in range(3)]
        assert groups[0] == groups[1] == groups[2]
        assert [{id for id, _ in group} for group in groups[0]] == [{"a", "b", "c"}, {"d", "e", "f"}]
        assert groups[0][0][0][0] == "b"

    def test_two_alone_are_no_topic(self) -> None:
        assert communities({("a", "b"): 1.0}) == []

    def test_a_topic_that_mostly_stays_keeps_its_id(self) -> None:
        before = [{"id": "old", "created_at": 5, "members": ["a", "b", "c"]}]
        group = [("a", 1.0), ("b", 1.0), ("c", 1.0), ("d", 0.5)]
        made = described([group, [("x", 1.0), ("y", 1.0), ("z", 1.0)]], {"a": "A", "b": "B", "c": "C"}, before)
        assert (made[0]["id"], made[0]["created_at"], made[0]["label"]) == ("old", 5, "A, B, C")
        assert made[1]["id"] != "old"


class TestWorker:
    def test_finds_topics_where_something_was_written(self, caller: Caller, parts: State) -> None:
        caller.remember("Ada Lovelace met Grace Hopper in Lisbon")
        repository = TopicRepository(parts.graph, caller)
        assert repository.claim(0, topics.LONGEST_MS)
        assert not repository.claim(topics.PAUSE_MS, topics.LONGEST_MS)
        assert find_topics(parts.graph, caller.tenant) == 1
        found = repository.list(0, 10, 10)
        assert {member["name"] for member in found[0]["members"]} == {"Ada Lovelace", "Grace Hopper", "Lisbon"}
        assert find_topics(parts.graph, caller.tenant) == 1
        assert repository.list(0, 10, 10)[0]["id"] == found[0]["id"]

    def test_takes_topics_away_with_their_memories(self, caller: Caller, parts: State) -> None:
        memory = caller.remember("Ada Lovelace met Grace Hopper in Lisbon")
        find_topics(parts.graph, caller.tenant)
        caller.delete(f"/v1/memories/{memory['id']}")
        assert find_topics(parts.graph, caller.tenant) == 0
        assert TopicRepository(parts.graph, caller).count() == 0

    def test_leaves_a_tenant_alone_that_has_nothing(self, caller: Caller, parts: State) -> None:
        assert not TopicRepository(parts.graph, caller).claim(0, topics.LONGEST_MS)

    def test_confidential_memories_make_no_topics(self, caller: Caller, parts: State) -> None:
        caller.remember("Ada Lovelace met Grace Hopper in Lisbon", visibility="confidential")
        assert find_topics(parts.graph, caller.tenant) == 0

    def test_a_round_visits_every_tenant(self, caller: Caller, parts: State, monkeypatch: pytest.MonkeyPatch) -> None:
        visited: list[str] = []
        tenants = ["a", "b", "c", "d", "e"]

        def after(graph: object, last: str, limit: int) -> list[str]:
            return [tenant for tenant in tenants if tenant > last][:limit]

        class Nothing:
            def __init__(self, graph: object, owner: topics.Owner) -> None:
                visited.append(owner.tenant)

            def claim(self, pause: int, longest: int) -> bool:
                return False

        monkeypatch.setattr(topics, "tenants_after", after)
        monkeypatch.setattr(topics, "TopicRepository", Nothing)
        monkeypatch.setattr(topics, "TENANTS", 2)
        walk = topics.Walk()
        assert [walk(parts), walk(parts), walk(parts)] == [True, True, False]
        assert visited == tenants

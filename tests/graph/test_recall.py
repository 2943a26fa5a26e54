"""What the graph answers to recall, below all ranking."""

import uuid
from dataclasses import dataclass

import numpy as np
import pytest

from app.auth import Principal
from app.schemas.memories import MemoryCreate
from app.services.recall import lucene
from app.services.remember import content_hash, remember
from app.state import State
from graph import labels
from graph.recall import CANDIDATES, NEAREST, WORDED, RecallRepository


@dataclass(frozen=True)
class Somebody:
    """A tenant."""

    tenant: str


def principal() -> Principal:
    """Return a caller in a fresh tenant."""
    return Principal(str(uuid.uuid4()), "account", "default", "key", frozenset({"read", "write"}))


def stored(parts: State, caller: Principal, *contents: str) -> list[str]:
    """Store texts and return their ids."""
    bodies = [MemoryCreate().load({"agent_id": "iris", "content": text}) for text in contents]
    return [each.id for each in remember(parts, caller, bodies)]


class TestConditions:
    @pytest.mark.parametrize("query", [CANDIDATES, NEAREST, WORDED])
    def test_they_stand_wherever_a_memory_is_matched(self, query: str) -> None:
        plain, narrow = labels.narrowed(query, []), labels.narrowed(query, ["tier"])
        assert "NARROWED" not in plain + narrow
        assert narrow.count("m.tier = $tier") == query.count("NARROWED") > 0

    def test_the_same_conditions_are_the_same_text(self) -> None:
        assert labels.narrowed(NEAREST, ["tier", "user_id"]) == labels.narrowed(NEAREST, ["user_id", "tier"])

    def test_only_known_ones_get_in(self) -> None:
        with pytest.raises(KeyError):
            labels.narrowed(NEAREST, ["tier", "m.x = 1 OR true"])

    @pytest.mark.parametrize("name", labels.SEARCH_CONDITIONS)
    def test_each_is_one_that_the_vector_index_knows(self, parts: State, name: str) -> None:
        value = {"archived": False, "min_importance": 0.5}.get(name, "x")
        graph = RecallRepository(parts.graph, Somebody("nobody"), parts.space.slot)
        row = graph.nearest({name: value}, np.ones(384, np.float32), deep=3, pieces=[], whole=False)
        assert row == {"seen": 0, "found": []}


class TestCounts:
    def test_words_are_counted_inside_the_tenant(self, parts: State) -> None:
        one, other = principal(), principal()
        stored(parts, one, "tea and sugar", "tea", "coffee")
        stored(parts, other, *(f"sugar {i}" for i in range(9)))
        graph = RecallRepository(parts.graph, one, parts.space.slot)
        texts = [lucene.counting(lucene.scope(one.tenant), ("content", word)) for word in ("tea", "sugar", "milk")]
        counts = graph.counts(texts, most=300)
        assert [having for having, _ in counts] == [2, 1, 0]
        assert counts[1][1] > 0 == counts[2][1]

    def test_they_stop_at_the_most(self, parts: State) -> None:
        caller = principal()
        stored(parts, caller, *(f"tea {i}" for i in range(9)))
        graph = RecallRepository(parts.graph, caller, parts.space.slot)
        counts = graph.counts([lucene.counting(lucene.scope(caller.tenant), ("content", "tea"))], most=5)
        assert counts[0][0] == 5

    def test_the_total_is_the_tenants(self, parts: State) -> None:
        caller = principal()
        stored(parts, caller, "tea", "sugar")
        assert RecallRepository(parts.graph, caller).total() == 2
        assert RecallRepository(parts.graph, Somebody("nobody")).total() == 0


class TestSameText:
    def test_it_is_found_by_its_hash_in_its_tenant(self, parts: State) -> None:
        caller = principal()
        [id] = stored(parts, caller, "tea")
        assert RecallRepository(parts.graph, caller).same_text({}, content_hash("tea")) == id
        assert RecallRepository(parts.graph, caller).same_text({"tier": "cold"}, content_hash("tea")) is None
        assert RecallRepository(parts.graph, Somebody("nobody")).same_text({}, content_hash("tea")) is None


def test_a_repository_needs_a_tenant(parts: State) -> None:
    with pytest.raises(ValueError, match="tenant"):
        RecallRepository(parts.graph, Somebody(""))

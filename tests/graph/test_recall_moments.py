"""Searches of the past in the graph: what is found is what stood then, by the words and the vector of then."""

from typing import Any

import pytest
import time_machine

from app.services.recall import lucene, question
from app.state import State
from graph.moments import MomentRepository
from graph.recall_moments import PastRecallRepository
from tests.callers import Caller

BASE = 1_704_099_600  # 2024-01-01T09:00:00Z
COMMON: dict[str, Any] = {"deep": 50, "pieces": [], "whole": False}


def at(number: int) -> time_machine.travel:
    """Let it be a minute of the story."""
    return time_machine.travel(BASE + 60 * number, tick=False)


class Then:
    """Searches of a minute of the story."""

    def __init__(self, parts: State, caller: Caller, number: int) -> None:
        self.parts, self.caller = parts, caller
        self.as_of = 1000 * (BASE + 60 * number)
        self.past = PastRecallRepository(parts.graph, caller, self.as_of, parts.space.slot)

    def text(self, words: str) -> str:
        """Return the Lucene query of a question."""
        asked = question.read(words)
        return lucene.full(lucene.scope(self.caller.tenant), asked, dict.fromkeys(lucene.terms(asked), (1, 1.0)), 10)

    def worded(self, words: str, **filters: Any) -> list[str]:
        """Return the ids that words find."""
        found = self.past.worded(filters, self.text(words), **COMMON)["found"]
        return sorted(id for id, _, _ in found)

    def nearest(self, words: str, **filters: Any) -> list[str]:
        """Return the ids that a vector finds, nearest first."""
        vector = self.parts.embedder.embed_query(words)
        return [id for id, _, _ in self.past.nearest(filters, vector, **COMMON)["found"]]

    def candidates(self, words: str, **filters: Any) -> dict[str, Any]:
        """Return the row of a hybrid search."""
        vector = self.parts.embedder.embed_query(words)
        return self.past.candidates(filters, vector, text=self.text(words), **COMMON)

    def shown(self, **filters: Any) -> set[str]:
        """Return the ids of the list."""
        rows = MomentRepository(self.parts.graph, self.caller, self.as_of).list(filters, 0, 100)
        return {row["id"] for row in rows}


class TestText:
    def test_is_found_by_what_it_said_then(self, caller: Caller, parts: State) -> None:
        with at(0):
            id = caller.remember("Ada keeps a zorblat")["id"]
        with at(1):
            caller.put(f"/v1/memories/{id}", {"content": "Ada keeps a quimble"})
        assert Then(parts, caller, -1).worded("zorblat") == []
        assert Then(parts, caller, 0).worded("zorblat") == [id]
        assert Then(parts, caller, 0).worded("quimble") == []
        assert Then(parts, caller, 1).worded("zorblat") == []
        assert Then(parts, caller, 1).worded("quimble") == [id]
        row = Then(parts, caller, 0).candidates("Ada keeps a zorblat")
        assert (row["ids"], row["near_kept"], row["texts_kept"]) == ([id], 1, 1)
        assert row["near_scores"][0] == pytest.approx(1.0, abs=1e-4)
        assert Then(parts, caller, 1).candidates("Ada keeps a zorblat")["near_scores"][0] < 0.99

    def test_that_was_replaced_by_another_memory_is_found_until_then(self, caller: Caller, parts: State) -> None:
        with at(0):
            old = caller.remember("Ada keeps a zorblat")["id"]
        with at(1):
            new = caller.remember("Ada keeps another zorblat", supersedes=old)["id"]
        with at(2):
            caller.put(f"/v1/memories/{old}", {"content": "Ada kept a zorblat"})
        assert [Then(parts, caller, number).worded("zorblat") for number in range(3)] == [[old], [new], [new]]
        assert Then(parts, caller, 2).nearest("Ada keeps a zorblat") == [new]


class TestFilters:
    def test_are_asked_of_then(self, caller: Caller, parts: State) -> None:
        with at(0):
            id = caller.remember("Ada keeps a zorblat", importance=0.5, memory_type="fact")["id"]
        with at(1):
            caller.put(f"/v1/memories/{id}", {"importance": 0.9, "memory_type": "task"})
            caller.post(f"/v1/memories/{id}/archive")
        one, two = Then(parts, caller, 0), Then(parts, caller, 1)
        for past, found in ((one, [id]), (two, [])):
            assert past.worded("zorblat", tier="warm") == found
            assert past.nearest("zorblat", memory_type="fact") == found
            assert past.candidates("zorblat", archived=False)["ids"] == found
        assert one.worded("zorblat", min_importance=0.8) == []
        assert two.worded("zorblat", min_importance=0.8) == [id]

    def test_of_times_hold(self, caller: Caller, parts: State) -> None:
        with at(0):
            id = caller.remember("Ada keeps a zorblat", occurred_at="2023-05-08T00:00:00Z")["id"]
            other = caller.remember("Otto keeps a zorblat")["id"]
        past, may = Then(parts, caller, 0), 1_683_504_000_000
        assert past.worded("zorblat", occurred_after=may, occurred_before=may + 1) == [id]
        assert past.worded("zorblat", occurred_after=may) == [id]
        assert past.nearest("zorblat", occurred_before=may) == []
        assert past.worded("zorblat", created_after=past.as_of) == sorted([id, other])
        assert past.worded("zorblat", created_before=past.as_of) == []

    def test_keep_out_what_is_confidential_today_and_strangers(
        self, caller: Caller, stranger: Caller, parts: State
    ) -> None:
        with at(0):
            id = caller.remember("Ada keeps a zorblat")["id"]
        with at(1):
            caller.put(f"/v1/memories/{id}", {"content": "Ada keeps a secret", "visibility": "confidential"})
        assert Then(parts, caller, 0).worded("zorblat", visibility="private") == []
        assert Then(parts, caller, 0).worded("zorblat") == [id]
        assert Then(parts, stranger, 0).worded("zorblat") == []
        assert Then(parts, stranger, 0).nearest("zorblat") == []


class TestEverything:
    def test_that_stood_then_is_in_reach_and_nothing_else(self, caller: Caller, parts: State) -> None:
        ids: list[str] = []
        for number in range(8):
            with at(number):
                if number % 3 == 2:
                    caller.put(f"/v1/memories/{ids[0]}", {"content": f"Ada keeps zorblat {number}"})
                    caller.post(f"/v1/memories/{ids[1]}/{'archive' if number % 2 else 'unarchive'}")
                elif number == 6:
                    ids.append(caller.remember(f"Ada keeps zorblat {number}", supersedes=ids[2])["id"])
                else:
                    ids.append(caller.remember(f"Ada keeps zorblat {number}")["id"])
        for number in range(8):
            past = Then(parts, caller, number)
            there = past.shown(archived=False)
            assert set(past.nearest("zorblat", archived=False)) == there
            assert set(past.worded("zorblat", archived=False)) == there
            row = past.candidates("zorblat", archived=False)
            assert len(row["ids"]) == len(set(row["ids"])) == len(there)
            assert set(row["ids"]) == there
        assert Then(parts, caller, 7).past.reach() == len(ids) + 2

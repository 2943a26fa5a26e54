"""Search among decisions and patterns: scores that mean the same for all questions, and a fair share of the indexes."""

import pytest

from app.services.searchable import coverage, score, stem
from app.state import State
from tests.callers import Caller
from tests.graph.test_decisions import record

FLOOR = 0.45


def near(cosine: float) -> float:
    """Return a cosine as the vector index scores it."""
    return (1 + cosine) / 2


class TestScore:
    @pytest.mark.parametrize("cosine", [-1.0, 0.0, 0.45])
    def test_is_nothing_for_what_is_no_nearer_than_the_unrelated(self, cosine: float) -> None:
        assert score(near(cosine), FLOOR, 0.0) == 0.0

    def test_is_one_for_the_same_text(self) -> None:
        assert score(near(1.0), FLOOR, 0.0) == score(near(1.0), FLOOR, 1.0) == 1.0

    def test_rises_with_nearness_and_with_the_words_found(self) -> None:
        by_nearness = [score(near(cosine), FLOOR, 0.5) for cosine in (0.4, 0.6, 0.8, 1.0)]
        by_words = [score(near(0.6), FLOOR, share) for share in (0.0, 0.3, 0.7, 1.0)]
        assert by_nearness == sorted(set(by_nearness))
        assert by_words == sorted(set(by_words))

    def test_of_a_text_with_all_the_words_passes_the_usual_threshold_however_far_its_meaning(self) -> None:
        assert score(near(0.1), FLOOR, 1.0) >= 0.4
        assert score(near(0.1), FLOOR, 0.5) < 0.3

    def test_measured_answers_pass_the_usual_threshold_and_unrelated_texts_do_not(self) -> None:
        place = {"an answer": 0.29, "unrelated": 0.20}
        cosines = {what: FLOOR + (1 - FLOOR) * value for what, value in place.items()}
        assert score(near(cosines["an answer"]), FLOOR, 0.0) >= 0.3
        assert score(near(cosines["unrelated"]), FLOOR, 0.0) < 0.3


class TestCoverage:
    def test_takes_forms_of_a_word_for_the_same(self) -> None:
        assert len({stem(word) for word in ("queue", "queues", "queued", "queuing")}) == 1
        assert coverage(frozenset({stem("queues"), stem("invoice")}), "The Queue, and nothing else") == 0.5

    def test_is_nothing_without_words(self) -> None:
        assert coverage(frozenset(), "anything") == 0.0


class TestFairShare:
    def test_many_decisions_do_not_keep_memories_from_being_found(self, parts: State, caller: Caller) -> None:
        for n in range(60):
            record(parts, caller, f"Deploy window rule {n}", rationale="deploy window deploy window")
        memory = caller.remember("The deploy window is on Tuesdays")
        assert [hit["memory"]["id"] for hit in caller.search("deploy window")] == [memory["id"]]

    def test_the_decisions_of_a_large_tenant_do_not_hide_those_of_a_small_one(
        self, parts: State, caller: Caller, stranger: Caller
    ) -> None:
        for n in range(70):
            record(parts, stranger, f"Deploy window {n}", rationale="deploy window deploy window")
        id = record(parts, caller, "Deploy window", rationale="a long story about many other things as well")
        hits = caller.get("/v1/decisions/check?query=deploy window").get_json()["data"]
        assert [hit["decision"]["id"] for hit in hits] == [id]

    def test_patterns_and_decisions_are_kept_apart(self, caller: Caller) -> None:
        caller.post("/v1/patterns", {"title": "Deploy window", "description": "d"})
        caller.post("/v1/decisions", {"title": "Deploy window", "rationale": "r"})
        assert caller.get("/v1/decisions/check?query=deploy window").get_json()["total"] == 1
        assert caller.get("/v1/patterns/search?query=deploy window").get_json()["total"] == 1

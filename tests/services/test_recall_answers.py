"""How sure an answer is, which hits are left out of it, and what a long memory says far down."""

import re
from typing import Any

import pytest
from marshmallow import ValidationError

from app.schemas.search import SearchIn, SearchWeights
from app.services.recall import find_duplicate, search
from app.services.remember import content_hash
from tests.callers import Caller, error_of
from tests.notebook import Notebook

MODES = ["hybrid", "semantic", "keyword"]
NOBODYS = "3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90"
FAR_DOWN = " ".join(["diary", *(f"day{number}" for number in range(300)), "zebra crossing painted"])


def nothing_relevant(notes: Notebook, query: str, **fields: Any) -> bool:
    """Search and return whether nothing is said to answer."""
    return search(notes.parts, notes.caller, SearchIn().load({"query": query, **fields})).no_relevant_memory


class TestConfidence:
    @pytest.mark.parametrize("mode", MODES)
    def test_nothing_is_relevant_where_nothing_is_stored(self, notes: Notebook, mode: str) -> None:
        assert nothing_relevant(notes, "anything at all", search_mode=mode)

    def test_nor_where_an_unknown_agent_is_asked(self, notes: Notebook) -> None:
        notes.store("the kettle whistles")
        assert nothing_relevant(notes, "the kettle whistles", agent_id="nobody")

    @pytest.mark.parametrize("mode", MODES)
    def test_nor_for_an_unrelated_question(self, notes: Notebook, mode: str) -> None:
        notes.store("the kettle whistles", "soup was served at noon", "rain fell on Tuesday")
        query = "velocity regulations concerning submarines"
        assert nothing_relevant(notes, query, search_mode=mode)
        assert {hit.confidence for hit in notes.hits(query, search_mode=mode)} <= {"low"}

    @pytest.mark.parametrize("mode", ["hybrid", "semantic"])
    def test_the_same_text_is_sure(self, notes: Notebook, mode: str) -> None:
        notes.store("the kettle whistles at noon", "soup was served", "rain fell on Tuesday")
        assert notes.hits("the kettle whistles at noon", search_mode=mode)[0].confidence == "high"
        assert not nothing_relevant(notes, "the kettle whistles at noon", search_mode=mode)

    @pytest.mark.parametrize("mode", MODES)
    def test_it_falls_along_the_hits(self, notes: Notebook, mode: str) -> None:
        notes.store("the kettle whistles at noon", *(f"the kettle number {i} is {'very ' * i} old" for i in range(20)))
        order = [("high", "medium", "low").index(hit.confidence) for hit in notes.hits("the kettle whistles at noon")]
        assert order == sorted(order)

    def test_min_score_does_not_change_what_is_said_of_the_question(self, notes: Notebook) -> None:
        notes.store("the kettle whistles at noon")
        for query in ("the kettle whistles at noon", "velocity regulations concerning submarines"):
            assert nothing_relevant(notes, query, min_score=0.95) == nothing_relevant(notes, query)

    def test_it_is_answered_with_every_hit(self, caller: Caller) -> None:
        caller.remember("the kettle whistles")
        body = caller.post("/v1/memories/search", {"query": "the kettle whistles"}).get_json()
        assert body["no_relevant_memory"] is False
        assert body["data"][0]["confidence"] == "high"
        absent = caller.post("/v1/memories/search", {"query": "velocity regulations"}).get_json()
        assert absent["no_relevant_memory"] is True


class TestCollapse:
    def test_what_says_nothing_new_is_left_out(self, notes: Notebook) -> None:
        notes.store(
            "The kettle whistles at noon.", "the kettle whistles at noon", "The kettle does not whistle at noon."
        )
        notes.store("Soup is served at noon.")
        assert len(notes.ask("the kettle whistles at noon")) == 4
        found = notes.ask("the kettle whistles at noon", collapse=True)
        assert len(found) == 3
        assert "The kettle does not whistle at noon." in found

    def test_other_hits_take_the_places(self, notes: Notebook) -> None:
        notes.store("The kettle whistles at noon.", "the kettle whistles at noon", "the kettle whistles, at noon")
        notes.store("Soup is served at noon.")
        assert "Soup is served at noon." not in notes.ask("the kettle whistles at noon", limit=2)
        assert "Soup is served at noon." in notes.ask("the kettle whistles at noon", limit=2, collapse=True)


class TestDiversity:
    @pytest.fixture
    def filled(self, notes: Notebook) -> Notebook:
        notes.store(*(f"the kettle whistles at noon today {i}" for i in range(5)))
        notes.store("a kettle needs descaling with vinegar now and then")
        return notes

    def test_none_shows_the_best(self, filled: Notebook) -> None:
        assert filled.ask("kettle noon", limit=3, diversity=0) == filled.ask("kettle noon", limit=3)

    def test_much_shows_what_differs(self, filled: Notebook) -> None:
        other = "a kettle needs descaling with vinegar now and then"
        assert other not in filled.ask("kettle noon", limit=3)
        hits = filled.hits("kettle noon", limit=3, diversity=0.8)
        assert other in [hit.memory["content"] for hit in hits]
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)

    def test_everything_stays_where_there_is_room(self, filled: Notebook) -> None:
        assert set(filled.ask("kettle noon", limit=20, diversity=1)) == set(filled.ask("kettle noon", limit=20))


class TestWeights:
    def test_words_against_meaning(self, notes: Notebook) -> None:
        exact, meant = "zx81qq stood among many other things on the list of that day", "my kitten sleeps"
        notes.store(exact, meant)
        assert notes.ask("zx81qq feline sleeps", weights={"lexical": 0.0})[0] == meant
        assert notes.ask("zx81qq zx81qq kitten", weights={"lexical": 1.0}, limit=1) != []

    def test_nothing_of_the_neighbours(self, notes: Notebook) -> None:
        notes.store("Shall we buy the green bicycle?", "Yes, tomorrow morning.", session_id=notes.session())
        notes.store(*(f"soup {i} is served with green peas and much bread" for i in range(60)))
        assert notes.ask("green bicycle purchase", limit=2)[1] == "Yes, tomorrow morning."
        none = {"from_previous": 0, "from_next": 0, "walk": 0}
        assert "Yes, tomorrow morning." not in notes.ask("green bicycle purchase", limit=2, weights=none)

    def test_unknown_ones_are_ignored_as_in_every_body(self, caller: Caller) -> None:
        caller.remember("the kettle whistles")
        assert len(caller.search("kettle", weights={"magic": 7})) == 1

    @pytest.mark.parametrize("name", list(SearchWeights().fields))
    @pytest.mark.parametrize("value", [-0.1, 1.1, "much", True])
    def test_what_lies_outside_is_refused_by_name(self, name: str, value: Any) -> None:
        with pytest.raises(ValidationError) as refused:
            SearchIn().load({"query": "tea", "weights": {name: value}})
        assert list(refused.value.messages_dict["weights"]) == [name]

    def test_the_error_names_the_field(self, caller: Caller) -> None:
        error = error_of(caller.post("/v1/memories/search", {"query": "tea", "weights": {"hop": 2}}), 422)
        assert [detail["field"] for detail in error["details"]] == ["weights.hop"]


class TestLongMemories:
    @pytest.mark.parametrize("mode", ["hybrid", "semantic"])
    def test_are_found_by_what_stands_far_down(self, notes: Notebook, mode: str) -> None:
        notes.store(FAR_DOWN)
        notes.store(*(f"soup {i} with bread" for i in range(60)))
        arms = {"arms": ["vectors"]} if mode == "hybrid" else {}
        assert notes.ask("zebra crossing painted", search_mode=mode, limit=1, **arms) == [FAR_DOWN]

    def test_are_found_once(self, notes: Notebook) -> None:
        notes.store(FAR_DOWN)
        assert notes.ask("diary day1 zebra crossing painted", search_mode="semantic") == [FAR_DOWN]
        assert notes.ask("diary day1 zebra crossing painted") == [FAR_DOWN]

    @pytest.mark.parametrize("mode", ["hybrid", "semantic"])
    def test_respect_every_filter(self, notes: Notebook, mode: str) -> None:
        notes.store(FAR_DOWN, visibility="confidential", user_id="u1", metadata={"kept": False, "n": 1})
        notes.store("soup", visibility="confidential")
        for fields in ({"include_confidential": False}, {"user_id": "u2"}, {"metadata_filter": {"kept": True}}):
            wanted = {"include_confidential": True, **fields}
            assert FAR_DOWN not in notes.ask("zebra crossing painted", search_mode=mode, **wanted)
        by_operator = {"include_confidential": True, "metadata_filter": {"n": {"$gte": 2}}}
        assert notes.ask("zebra crossing painted", search_mode=mode, **by_operator) == []

    def test_what_few_of_them_pass_is_found_far_down_too(self, notes: Notebook) -> None:
        notes.store(*(f"{FAR_DOWN} {i}" for i in range(55)), metadata={"n": 1})
        notes.store(re.sub("painted", "repainted red", FAR_DOWN), metadata={"n": 2})
        wanted = {"search_mode": "semantic", "metadata_filter": {"n": {"$gte": 2}}}
        assert notes.hits("zebra crossing painted", **wanted)[0].score > 0.1

    def test_are_no_duplicates_of_what_they_say_far_down(self, notes: Notebook) -> None:
        [id] = notes.store(FAR_DOWN)
        for text, found in (("zebra crossing painted", None), (FAR_DOWN, id)):
            vector = notes.parts.embedder.embed_query(text)
            hash_of = content_hash(f"not {text}")
            assert find_duplicate(notes.parts, notes.caller, notes.agent(), vector, 0.9, hash_of) == found

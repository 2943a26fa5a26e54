"""What a search must not find: other tenants', and what its filters leave out."""

import dataclasses
import random
import time
from typing import Any

import pytest

from app.clock import now_ms
from app.errors import Invalid
from app.services.archive import set_archived
from app.services.known_names import NameCache
from app.services.recall import look
from app.state import State
from tests.notebook import Notebook, notebook_of

WORDS = (
    "milk lemon rum honey ginger mint clove anise cream salt pepper sage thyme basil cocoa malt oat rye fig plum"
).split()
# Twenty thousand memories without waiting for twenty thousand stores.
COPIES = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant}) WHERE m.created_at >= 0 AND m.copy IS NULL
WITH properties(m) AS p
CREATE (c:Memory:Searchable) SET c = p {.*, id: randomUUID(), copy: $copy}
"""


class TestFilters:
    @pytest.fixture
    def filled(self, notes: Notebook) -> Notebook:
        notes.store("tea one", importance=0.9, user_id="u1", memory_type="fact", project="kettle")
        notes.store("tea two", importance=0.1, user_id="u2", memory_type="event", agent_id="juno")
        notes.store("tea three", visibility="confidential")
        return notes

    @pytest.mark.parametrize(
        ("fields", "found"),
        [
            ({}, {"tea one", "tea two"}),
            ({"include_confidential": True}, {"tea one", "tea two", "tea three"}),
            ({"agent_id": "juno"}, {"tea two"}),
            ({"agent_id": "iris"}, {"tea one"}),
            ({"user_id": "u1"}, {"tea one"}),
            ({"memory_type": "event"}, {"tea two"}),
            ({"tier": "hot"}, {"tea one"}),
            ({"min_importance": 0.5}, {"tea one"}),
            ({"project": "kettle"}, {"tea one"}),
            ({"agent_id": "juno", "user_id": "u1"}, set()),
            ({"agent_id": "nobody"}, set()),
            ({"agent_id": "3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90"}, set()),
            ({"project": "nowhere"}, set()),
            ({"session_id": "3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90"}, set()),
        ],
    )
    @pytest.mark.parametrize("mode", ["hybrid", "semantic", "keyword"])
    def test_only_what_passes_is_found(
        self, filled: Notebook, mode: str, fields: dict[str, Any], found: set[str]
    ) -> None:
        assert set(filled.ask("tea", search_mode=mode, **fields)) == found

    def test_an_agent_may_be_named_by_id(self, filled: Notebook) -> None:
        assert filled.ask("tea", agent_id=filled.agent("juno").upper()) == ["tea two"]

    def test_a_session(self, notes: Notebook) -> None:
        one, other = notes.session(), notes.session()
        notes.store("tea here", "sugar here", session_id=one)
        notes.store("tea there", session_id=other)
        assert set(notes.ask("tea", session_id=one)) == {"tea here", "sugar here"}

    def test_neighbours_and_hops_respect_them(self, notes: Notebook) -> None:
        session = notes.session()
        notes.store("Ada Lovelace drinks tea", session_id=session)
        notes.store("and then she left", session_id=session, visibility="confidential")
        notes.store("Ada Lovelace was born in Trondheim", agent_id="juno")
        assert notes.ask("tea", agent_id="iris") == ["Ada Lovelace drinks tea"]

    def test_expired_memories_are_gone(self, notes: Notebook) -> None:
        notes.store("tea yesterday", expires_at=(now_ms() + 400) / 1000)
        notes.store("tea today")
        time.sleep(0.5)
        for mode in ("hybrid", "semantic", "keyword"):
            assert notes.ask("tea", search_mode=mode) == ["tea today"]

    @pytest.mark.parametrize("mode", ["hybrid", "semantic", "keyword"])
    def test_what_they_leave_over_is_found_however_far_down_it_stands(self, notes: Notebook, mode: str) -> None:
        for at in range(0, 200, 50):
            notes.store(*(f"tea {'tea ' * (i % 7)}" for i in range(at, at + 50)), metadata={"kept": False})
        notes.store("tea among many other words that make it a poor match", metadata={"kept": True}, user_id="u1")
        wanted = ["tea among many other words that make it a poor match"]
        assert notes.ask("tea", search_mode=mode, metadata_filter={"kept": True}) == wanted
        assert notes.ask("tea", search_mode=mode, user_id="u1") == wanted


class TestWhatNamesLeadTo:
    """A metadata filter that the database cannot judge: what fails it takes nobody's place."""

    def test_every_memory_with_the_name_is_found(self, notes: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(look, "TARGETS", 2)
        for shelf in range(5):
            notes.store(f"Ada Lovelace came {shelf} times", metadata={"shelf": shelf})
        # A process looks for names that were found meanwhile every few seconds; a new one knows them at once.
        notes = dataclasses.replace(notes, parts=dataclasses.replace(notes.parts, names=NameCache()))
        for shelf in range(5):
            wanted = {"shelf": {"$gte": shelf, "$lt": shelf + 1}}
            found = notes.ask("Ada Lovelace", arms=["entities"], metadata_filter=wanted)
            assert found == [f"Ada Lovelace came {shelf} times"]

    def test_a_hop_starts_from_the_best_that_pass(self, notes: Notebook) -> None:
        notes.store(*(f"tea tea {number}" for number in range(5)), metadata={"shelf": 0})
        notes.store("Some tea for Ada Lovelace, who came late", metadata={"shelf": 1})
        notes.store("Ada Lovelace was born in Trondheim.", metadata={"shelf": 1})
        notes.store(*(f"soup number {number}" for number in range(60)), metadata={"shelf": 1})
        found = notes.ask("tea", limit=3, metadata_filter={"shelf": {"$gte": 1}})
        assert found[0] == "Some tea for Ada Lovelace, who came late"
        assert "Ada Lovelace was born in Trondheim." in found


class TestAgainstBruteForce:
    """What is found under a filter is what looking at every memory would find."""

    WORDS = "tea sugar milk lemon kettle cup saucer spoon cake rain garden train".split()

    def test_by_vectors(self, notes: Notebook) -> None:
        pick = random.Random(5)
        stored: dict[str, tuple[str, dict[str, Any]]] = {}
        for user in ("u1", "u2"):
            for importance in (0.2, 0.9):
                for shelf in range(4):
                    texts = [" ".join(pick.choices(self.WORDS, k=6)) for _ in range(20)]
                    fields = {"user_id": user, "importance": importance, "metadata": {"shelf": shelf}}
                    for id, text in zip(notes.store(*texts, **fields), texts, strict=True):
                        stored[id] = (text, fields)
        model = notes.parts.embedder
        cosines = {
            id: float(model.embed_query("lemon tea") @ model.embed_query(text)) for id, (text, _) in stored.items()
        }
        for wanted in (
            {},
            {"user_id": "u1"},
            {"user_id": "u2", "min_importance": 0.5},
            {"metadata_filter": {"shelf": 3}},
            {"metadata_filter": {"shelf": {"$gte": 2}}, "user_id": "u1", "min_importance": 0.5},
        ):
            passing = [id for id, (_, fields) in stored.items() if self.passes(fields, wanted)]
            best = sorted((max(cosines[id], 0.0) for id in passing), reverse=True)[:15]
            hits = notes.hits("lemon tea", search_mode="semantic", limit=15, **wanted)
            assert {hit.memory["id"] for hit in hits} <= set(passing)
            assert [hit.score for hit in hits] == pytest.approx(best, abs=1e-5)

    def passes(self, fields: dict[str, Any], wanted: dict[str, Any]) -> bool:
        shelf, test = fields["metadata"]["shelf"], wanted.get("metadata_filter", {}).get("shelf", {"$gte": 0})
        shelved = shelf >= test["$gte"] if isinstance(test, dict) else shelf == test
        mine = fields["user_id"] == wanted.get("user_id", fields["user_id"])
        return bool(shelved and mine and fields["importance"] >= wanted.get("min_importance", 0))


class TestMetadata:
    @pytest.fixture
    def filled(self, notes: Notebook) -> Notebook:
        notes.store("tea a", metadata={"n": 1, "s": "x", "b": True, "deep": {"s": "y"}})
        notes.store("tea b", metadata={"n": 2, "s": "y", "b": False, "list": [1, 2]})
        notes.store("tea c", metadata={"n": 3.5})
        return notes

    @pytest.mark.parametrize(
        ("wanted", "found"),
        [
            ({"s": "x"}, "a"),
            ({"s": "y"}, "b"),
            ({"n": 1}, "a"),
            ({"n": 1.0}, "a"),
            ({"b": True}, "a"),
            ({"b": 1}, ""),
            ({"deep": {"s": "y"}}, "a"),
            ({"list": [1, 2]}, "b"),
            ({"s": {"$ne": "x"}}, "bc"),
            ({"n": {"$gt": 1, "$lte": 3.5}}, "bc"),
            ({"n": {"$lt": "x"}}, ""),
            ({"s": {"$in": ["x", "y"]}}, "ab"),
            ({"s": {"$exists": False}}, "c"),
            ({"$or": [{"n": 1}, {"n": 3.5}]}, "ac"),
            ({"$and": [{"n": {"$gte": 2}}, {"s": "y"}]}, "b"),
            ({"$not": {"s": "x"}}, "bc"),
            ({"s": None}, ""),
            ({"absent": "x"}, ""),
        ],
    )
    @pytest.mark.parametrize("mode", ["hybrid", "keyword"])
    def test_only_what_passes_is_found(self, filled: Notebook, mode: str, wanted: dict[str, Any], found: str) -> None:
        texts = filled.ask("tea", metadata_filter=wanted, search_mode=mode)
        assert sorted(text[-1] for text in texts) == list(found)

    @pytest.mark.parametrize(
        "wanted",
        [{"$where": 1}, {"n": {"$regex": "x"}}, {"$or": {}}, {"$not": []}, {"n": {"$in": 3}}, {"n": {"$exists": 1}}],
    )
    def test_what_cannot_be_understood_is_refused_by_name(self, filled: Notebook, wanted: dict[str, Any]) -> None:
        with pytest.raises(Invalid) as refused:
            filled.ask("tea", metadata_filter=wanted)
        assert refused.value.details[0]["field"] == "metadata_filter"


class TestIsolation:
    def test_tenants_with_the_same_texts_see_their_own(self, shared: State) -> None:
        one, other = notebook_of(shared), notebook_of(shared)
        session = one.session()
        mine = one.store("Ada Lovelace drinks tea", "Ada Lovelace was born in Trondheim", session_id=session)
        other.store("Ada Lovelace drinks tea", "Ada Lovelace was born in Trondheim", "Ada Lovelace knows zx81qq")
        for mode in ("hybrid", "semantic", "keyword"):
            assert {hit.memory["id"] for hit in one.hits("Ada Lovelace tea", search_mode=mode)} == set(mine)
        assert one.ask("zx81qq", search_mode="keyword") == []

    @pytest.mark.slow
    def test_a_small_tenant_beside_a_large_one_finds_its_own(self, shared: State) -> None:
        large, small = notebook_of(shared), notebook_of(shared)
        large.store(*(f"tea and sugar number {i}" for i in range(500)))
        for copy in range(1, 40):
            shared.graph.write(COPIES, tenant=large.caller.tenant, copy=copy)
        own = small.store(*(f"tea and sugar and {word}" for word in WORDS))
        for mode in ("hybrid", "semantic", "keyword"):
            found = [hit.memory["id"] for hit in small.hits("tea and sugar number 7", search_mode=mode, limit=50)]
            assert set(found) == set(own)


class TestTimes:
    TOLD = ("2023-03-01", "2023-03-15", "2023-04-01")

    @pytest.fixture
    def filled(self, notes: Notebook) -> Notebook:
        for day in self.TOLD:
            notes.store(f"tea {day}", occurred_at=day)
        notes.store("tea at no time")
        return notes

    @pytest.mark.parametrize(
        ("fields", "found"),
        [
            ({"occurred_after": "2023-03-15"}, TOLD[1:]),
            ({"occurred_before": "2023-03-15"}, TOLD[:1]),
            ({"occurred_after": "2023-03-01", "occurred_before": "2023-04-01"}, TOLD[:2]),
            ({"occurred_before": "9999-12-31T00:00:00Z"}, TOLD),
            ({"occurred_after": "1970-01-01"}, TOLD),
            ({"occurred_after": "2023-04-01", "occurred_before": "2023-03-01"}, ()),
        ],
    )
    @pytest.mark.parametrize("mode", ["hybrid", "semantic", "keyword"])
    def test_what_tells_of_no_time_lies_in_no_stretch(
        self, filled: Notebook, mode: str, fields: dict[str, Any], found: tuple[str, ...]
    ) -> None:
        assert set(filled.ask("tea", search_mode=mode, **fields)) == {f"tea {day}" for day in found}

    def test_a_stretch_in_the_question_may_restrict(self, filled: Notebook) -> None:
        assert set(filled.ask("tea in March 2023", time="restrict")) == {f"tea {day}" for day in self.TOLD[:2]}

    def test_only_archived_ones(self, notes: Notebook) -> None:
        [kept, put_away] = notes.store("tea here", "tea in the archive")
        set_archived(notes.parts, notes.caller, put_away, True)
        for mode in ("hybrid", "semantic", "keyword"):
            found = {
                name: {hit.memory["id"] for hit in notes.hits("tea", search_mode=mode, **{name: True})}
                for name in ("archived_only", "include_archived", "explain")
            }
            assert found == {"archived_only": {put_away}, "include_archived": {kept, put_away}, "explain": {kept}}

    def test_names_walks_and_neighbours_respect_metadata(self, notes: Notebook) -> None:
        session = notes.session()
        notes.store("Ada Lovelace drinks tea", metadata={"n": 2}, session_id=session)
        notes.store("and then she left", "and nobody followed", metadata={"n": 1}, session_id=session)
        notes.store("Ada Lovelace was born in Trondheim", metadata={"n": 1})
        for wanted in ({"n": 2}, {"n": {"$gt": 1}}, {"$not": {"n": 1}}):
            assert notes.ask("tea with Ada Lovelace", metadata_filter=wanted) == ["Ada Lovelace drinks tea"]

"""Search as its callers see it, on a real graph: what is found, in which order, with which scores."""

import time
from itertools import product

import numpy as np
import pytest

from app.clock import now_ms
from app.services.recall import find_duplicate
from app.services.remember import content_hash
from app.state import State
from tests.notebook import Notebook, notebook_of

HOSTILE = [
    '"', '\\"', "a OR b)", "scope_tokens:*", "+content:x", "*", "?", "~", "^9", "/.*/", "[a TO z]", "NOT", "AND OR",
    "') RETURN 1 //", "$tenant", "`m`", "{}", "ünïcödé ☃", "\u202etxt", "''", "a" * 9000, "who did what when",
    "the of and",
]  # fmt: skip


# Its one rare word is lost among the others as far as meaning goes.
LONG = "the animal of our neighbours across the yard behind the old mill by the river has ticket zx81qq"


class TestWhatIsFound:
    def test_by_meaning(self, notes: Notebook) -> None:
        notes.store("my kitten sleeps all day", "we painted garages blue", "lunch was late again")
        assert notes.ask("feline sleeping habits")[0] == "my kitten sleeps all day"

    def test_by_a_rare_word(self, notes: Notebook) -> None:
        notes.store("order number zx81qq left the house", "my kitten sleeps all day", "lunch was late again")
        assert notes.ask("what became of zx81qq?")[0] == "order number zx81qq left the house"

    def test_what_matches_equally_comes_by_its_id_however_the_index_lists_it(self, notes: Notebook) -> None:
        ids = sorted(notes.store(*(f"kettle number{number}" for number in range(80))))
        found = notes.hits("kettle", search_mode="keyword", limit=5)
        assert [hit.memory["id"] for hit in found] == ids[:5]
        found = notes.hits("kettle", arms=["words"], limit=40)
        assert {hit.memory["id"] for hit in found} <= set(ids[:50])

    def test_by_a_name_shared_with_another_hit(self, notes: Notebook) -> None:
        answer, linked = "The film Blue Harbour was directed by Ada Lovelace.", "Ada Lovelace was born in Trondheim."
        notes.store(answer, linked, *(f"Filler text number {i} speaks of weather and soup." for i in range(60)))
        found = notes.ask("who directed the film Blue Harbour", limit=5)
        assert found[0] == answer
        assert linked in found

    def test_by_its_title(self, notes: Notebook) -> None:
        notes.store("It opened in 1912 and closed again.", title="Kestrel Theatre")
        notes.store("lunch was late again")
        assert notes.ask("kestrel theatre")[0] == "It opened in 1912 and closed again."

    def test_by_the_date_it_tells_of(self, notes: Notebook) -> None:
        for day in ("2023-05-08", "2023-06-09", "2023-07-10"):
            notes.store(f"standup notes {day[5:7]}", occurred_at=day)
        assert notes.ask("standup of 9 June 2023")[0] == "standup notes 06"

    def test_by_what_was_said_next_to_it(self, notes: Notebook) -> None:
        session = notes.session()
        notes.store("Shall we buy the green bicycle?", "Yes, tomorrow morning.", session_id=session)
        notes.store(*(f"Tomorrow {i} rain is likely." for i in range(30)))
        assert notes.ask("green bicycle purchase", limit=2)[1] == "Yes, tomorrow morning."

    def test_at_once_after_storing(self, notes: Notebook) -> None:
        assert notes.ask("paragliding") == []
        notes.store("paragliding is planned")
        assert notes.ask("paragliding") == ["paragliding is planned"]

    def test_nothing_in_an_empty_tenant(self, notes: Notebook) -> None:
        for mode in ("hybrid", "semantic", "keyword"):
            assert notes.ask("anything at all", search_mode=mode) == []

    def test_at_most_the_limit(self, notes: Notebook) -> None:
        notes.store(*(f"note {i} about tea" for i in range(12)))
        assert len(notes.ask("tea", limit=3)) == 3
        assert len(notes.ask("tea", limit=100)) == 12

    def test_the_same_every_time(self, notes: Notebook) -> None:
        notes.store(*(f"note about tea and Ada Lovelace {i % 3}" for i in range(30)))
        first, again = notes.hits("tea with Ada Lovelace", limit=30), notes.hits("tea with Ada Lovelace", limit=30)
        assert [hit.memory["id"] for hit in first] == [hit.memory["id"] for hit in again]
        # Recency moves scores, not places, from one millisecond to the next.
        assert [hit.score for hit in first] == pytest.approx([hit.score for hit in again], abs=1e-6)

    def test_searching_writes_nothing(self, notes: Notebook) -> None:
        notes.store("tea")
        count = (
            "CYPHER 25 MATCH (n) WHERE n.tenant = $tenant RETURN count(n) AS nodes, sum(size(keys(n))) AS properties"
        )
        before = notes.parts.graph.read(count, tenant=notes.caller.tenant)
        notes.ask("tea", agent_id="nobody", project="nothing")
        notes.ask("tea")
        assert notes.parts.graph.read(count, tenant=notes.caller.tenant) == before


class TestArms:
    @pytest.fixture
    def filled(self, notes: Notebook) -> Notebook:
        session = notes.session()
        notes.store("my kitten sleeps on the sofa", "She also bites the postman.", session_id=session)
        notes.store(LONG, "Ada Lovelace owns the sofa and the kitten.")
        notes.store("Ada Lovelace was born in Trondheim.", *(f"soup number {i}" for i in range(60)))
        return notes

    @pytest.mark.parametrize(
        ("arm", "text"),
        [
            ("vectors", "my kitten sleeps on the sofa"),
            ("words", LONG),
            ("session", "She also bites the postman."),
            ("graph", "Ada Lovelace was born in Trondheim."),
        ],
    )
    def test_each_brings_what_the_others_do_not(self, filled: Notebook, arm: str, text: str) -> None:
        query = "feline ticket zx81qq sofa"
        others = [name for name in ("vectors", "words", "session", "graph") if name != arm]
        everything = filled.ask(query, limit=6)
        assert text in everything
        assert everything != filled.ask(query, limit=6, arms=others)

    def test_modes_use_one_arm_only(self, notes: Notebook) -> None:
        notes.store("a cat on the roof", "feline zx81qq behaviour")
        assert notes.ask("zx81qq", search_mode="keyword") == ["feline zx81qq behaviour"]
        assert notes.hits("kitten", search_mode="semantic")[0].memory["content"] == "a cat on the roof"
        assert notes.ask("kitten", search_mode="keyword") == []


class TestScores:
    @pytest.mark.parametrize("mode", ["hybrid", "semantic", "keyword"])
    def test_they_fall_and_lie_between_0_and_1(self, notes: Notebook, mode: str) -> None:
        notes.store(*(f"tea and {'sugar ' * (i % 4)} number {i}" for i in range(20)))
        scores = [hit.score for hit in notes.hits("tea and sugar", search_mode=mode)]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)

    @pytest.mark.parametrize(
        ("mode", "text"),
        [
            *product(
                ["hybrid", "semantic", "keyword"],
                ["Deploys happen on Tuesdays", "x", "Über 3,5 km? 東京", "what when who", "kettle " * 400],
            ),
            *product(["hybrid", "semantic"], ["the of and", "☃ ☃"]),
        ],
        ids=lambda value: value[:20],
    )
    def test_a_text_scores_09_against_itself(self, notes: Notebook, mode: str, text: str) -> None:
        notes.store(text, "something else entirely", "Deploys happened once")
        best = notes.hits(text, search_mode=mode, limit=1)[0]
        assert best.memory["content"] == text
        assert best.score >= 0.9

    def test_another_text_stays_below_09(self, notes: Notebook) -> None:
        notes.store("Deploys happen on Thursdays")
        assert notes.hits("Deploys happen on Tuesdays")[0].score < 0.9

    def test_an_unrelated_text_stays_below_03(self, notes: Notebook) -> None:
        notes.store("my kitten sleeps all day")
        assert all(hit.score < 0.3 for hit in notes.hits("quantum chromodynamics lecture"))

    def test_semantic_is_the_plain_cosine(self, notes: Notebook) -> None:
        notes.store("a cat on the roof")
        model = notes.parts.embedder
        cosine = float(np.dot(model.embed_query("kitten roof"), model.embed_documents(["a cat on the roof"])[0]))
        assert notes.hits("kitten roof", search_mode="semantic")[0].score == pytest.approx(cosine, abs=1e-5)

    def test_min_score_leaves_out_what_is_below(self, notes: Notebook) -> None:
        notes.store("tea", "tea with sugar and a slice of lemon cake", "a long walk in the hills")
        scores = [hit.score for hit in notes.hits("tea")]
        assert scores[1] > scores[2]
        kept = [hit.score for hit in notes.hits("tea", min_score=(scores[1] + scores[2]) / 2)]
        assert kept == pytest.approx(scores[:2])

    def test_threshold_stands_in_for_min_score(self, notes: Notebook) -> None:
        notes.store("tea", "a long walk in the hills")
        assert notes.ask("tea", threshold=0.9) == ["tea"]
        assert len(notes.ask("tea", threshold=1.0, min_score=0.0)) == 2


class TestHostileText:
    @pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:20]))
    @pytest.mark.parametrize("mode", ["hybrid", "keyword", "semantic"])
    def test_it_is_only_text(self, shared: State, mode: str, text: str) -> None:
        one, other = notebook_of(shared), notebook_of(shared)
        mine = one.store("tea", "content scope tokens")
        other.store("tea", "tenant a b x return")
        assert {hit.memory["id"] for hit in one.hits(text, search_mode=mode)} <= set(mine)

    @pytest.mark.parametrize("text", ["???", "the of and", "☃", "-"])
    def test_a_question_without_words_has_no_text_matches(self, notes: Notebook, text: str) -> None:
        notes.store("tea", "sugar")
        assert notes.ask(text, search_mode="keyword") == []


class TestCompression:
    TEXT = (
        "Rain fell in the morning. The kettle was repaired by Ada on Tuesday. Nobody minded the noise. Later we slept."
    )

    def test_the_best_sentence_is_kept_within_the_budget(self, notes: Notebook) -> None:
        notes.store(self.TEXT)
        assert notes.ask("who repaired the kettle", compress=True, max_context_tokens=14) == [
            "The kettle was repaired by Ada on Tuesday."
        ]

    @pytest.mark.parametrize("tokens", [1, 5, 9, 20, 40])
    def test_all_together_keep_the_budget_and_words_stay_whole(self, notes: Notebook, tokens: int) -> None:
        notes.store(*(f"{self.TEXT} {i}" for i in range(4)))
        texts = notes.ask("who repaired the kettle", compress=True, max_context_tokens=tokens)
        assert sum(map(len, texts)) <= 4 * tokens
        words = set(self.TEXT.split()) | set("0123")
        assert all(
            word.rstrip("…").rstrip(".") in {w.rstrip(".") for w in words} for text in texts for word in text.split()
        )

    def test_short_texts_stay_as_they_are(self, notes: Notebook) -> None:
        notes.store(self.TEXT)
        assert notes.ask("kettle", compress=True) == [self.TEXT]
        assert notes.ask("kettle", max_context_tokens=3) == [self.TEXT]


class TestDuplicates:
    def duplicate(self, notes: Notebook, text: str, threshold: float = 0.95, agent: str = "iris") -> str | None:
        vector = notes.parts.embedder.embed_documents([text])[0]
        return find_duplicate(notes.parts, notes.caller, notes.agent(agent), vector, threshold, content_hash(text))

    def test_the_same_text(self, notes: Notebook) -> None:
        [id] = notes.store("Deploys happen on Tuesdays")
        assert self.duplicate(notes, "deploys  happen on tuesdays", 1.0) == id

    def test_a_text_near_enough(self, notes: Notebook) -> None:
        [id] = notes.store("the cat sleeps")
        assert self.duplicate(notes, "the kitten sleeps") == id
        assert self.duplicate(notes, "lunch was late") is None

    def test_not_of_another_agent(self, notes: Notebook) -> None:
        notes.store("tea")
        notes.store("coffee", agent_id="juno")
        assert self.duplicate(notes, "tea", agent="juno") is None

    def test_not_of_another_tenant(self, shared: State) -> None:
        one, other = notebook_of(shared), notebook_of(shared)
        one.store("tea")
        other.store("coffee")
        assert self.duplicate(other, "tea") is None

    def test_not_an_expired_one(self, notes: Notebook) -> None:
        notes.store("tea", expires_at=(now_ms() + 300) / 1000)
        time.sleep(0.4)
        assert self.duplicate(notes, "tea") is None

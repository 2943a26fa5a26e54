"""Ranking and calibration as pure functions: what must hold for every input."""

from collections.abc import Sequence
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services import calibration, rankers
from app.services.calibration import DEFAULT
from app.services.rankers import Beside, Candidate, Link, Named, Ranked, Reached, Weights

T = TypeVar("T")

WEIGHTS = Weights()
FLOOR = 0.45
NOW = 1_800_000_000_000
ALONE = Reached()
DAY = rankers.DAY_MS

ids = st.text("abcdefgh", min_size=1, max_size=3)


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    """Draw memories with distinct ids; some follow another in a session, some are followed by one not found."""
    names = draw(st.lists(ids, min_size=1, max_size=12, unique=True))
    return [
        Candidate(
            id=name,
            cosine=draw(st.floats(-1, 0.98)),
            lexical=draw(st.floats(0, 40)),
            next=draw(st.none() | st.sampled_from([*names, "elsewhere"])),
            importance=draw(st.floats(0, 1)),
            tier=draw(st.sampled_from(["hot", "warm", "cold"])),
            created_at=NOW - draw(st.integers(0, 4000)) * DAY,
            evidence=draw(st.integers(0, 9)),
        )
        for name in names
    ]


@st.composite
def asked(draw: st.DrawFn) -> tuple[list[Candidate], Reached]:
    """Draw what a query brings: candidates, seeds among them, and what leads from those to known and new memories."""
    found = draw(candidates())
    seeds = [c.id for c in found[: draw(st.integers(0, 3))]]
    amount = st.floats(0, 5)
    names = st.lists(st.sampled_from([*(c.id for c in found), "new1", "new2"]), unique=True, max_size=5)

    def target(name: str) -> Candidate:
        return Candidate(name, draw(st.floats(-1, 0.98)), 0.0, names=draw(st.integers(0, 40)))

    seed = st.integers(0, len(seeds) - 1) if seeds else st.nothing()
    ways = st.lists(st.tuples(seed, amount, amount), max_size=3) if seeds else st.just([])
    beside = [Beside(target(name), draw(seed), step) for name, step in zip("wxyz", (1, 2, -1, -2), strict=True)]
    return found, Reached(
        seeds=seeds,
        links=[Link(target(name), draw(ways)) for name in draw(names)],
        named=[Named(target(name), draw(amount)) for name in draw(names)],
        beside=draw(st.sampled_from([[], beside[:1], beside])) if seeds else [],
    )


def order_of(found: list[Candidate], reached: Reached = ALONE) -> list[str]:
    """Return the ids in final order."""
    return [each.id for each in rankers.ranked(found, reached, FLOOR, NOW, WEIGHTS)]


class TestFusion:
    def test_the_best_of_both_arms_comes_first(self) -> None:
        found = [Candidate("near", 0.8, 0.0), Candidate("both", 0.8, 5.0), Candidate("worded", 0.4, 5.0)]
        assert order_of(found) == ["both", "near", "worded"]

    def test_a_cosine_below_the_models_floor_counts_nothing(self) -> None:
        assert rankers.dense_part(FLOOR, 0.9, FLOOR, 2) == 0
        assert rankers.dense_part(-1, 0.9, FLOOR, 2) == 0
        assert rankers.dense_part(0.9, 0.9, FLOOR, 2) == 1

    def test_a_question_that_nothing_is_near_to_is_decided_by_words(self) -> None:
        found = [Candidate("a", 0.2, 0.0), Candidate("b", 0.1, 3.0)]
        assert order_of(found) == ["b", "a"]

    @given(candidates())
    def test_both_parts_stay_between_nothing_and_one(self, found: list[Candidate]) -> None:
        assert all(0 <= value <= 1 + 1e-9 for value in rankers.fused(found, FLOOR, WEIGHTS).values())


class TestSessionSpread:
    def test_a_neighbour_of_the_answer_passes_a_stranger(self) -> None:
        found = [
            Candidate("answer", 0.8, 5.0, next="reply"),
            Candidate("reply", 0.5, 0.0),
            Candidate("other", 0.52, 0.0),
        ]
        assert order_of(found) == ["answer", "reply", "other"]

    def test_what_comes_after_lends_more_than_what_came_before(self) -> None:
        found = [Candidate("a", 0, 0, next="b"), Candidate("b", 0, 0, next="c"), Candidate("c", 0, 0)]
        score = rankers.spread({"a": 0.0, "b": 1.0, "c": 0.0}, found, WEIGHTS)
        assert score == {"a": WEIGHTS.from_next, "b": 1.0, "c": WEIGHTS.from_previous}

    def test_it_reaches_one_step_only(self) -> None:
        found = [Candidate(id, 0, 0, next=after) for id, after in zip("abcd", "bcd-", strict=True)]
        assert rankers.spread({"a": 1.0, "b": 0.0, "c": 0.0, "d": 0.0}, found, WEIGHTS)["c"] == 0


class TestNameHop:
    def test_a_memory_about_what_the_seed_mentions_comes_in(self) -> None:
        found = [Candidate(f"c{i}", 0.8 - i / 20, 5.0 - i) for i in range(6)]
        links = [Link(Candidate("linked", 0.5, 0.0), [(0, 1.0, 0.0)])]
        without, with_hop = order_of(found), order_of(found, Reached(["c0"], links))
        assert "linked" not in without
        assert with_hop.index("linked") == 2

    def test_the_first_two_keep_their_places(self) -> None:
        found = [Candidate("a", 0.8, 5.0), Candidate("b", 0.79, 4.8), Candidate("c", 0.78, 4.7)]
        links = [Link(found[2], [(0, 9.0, 9.0)])]
        assert order_of(found, Reached(["a"], links))[:2] == ["a", "b"]

    def test_the_best_way_counts_and_ways_do_not_add_up(self) -> None:
        target = Candidate("t", 0.5, 0.0)
        one = rankers.hops([1.0, 0.5], [Link(target, [(0, 1.0, 0.0)])], WEIGHTS)
        two = rankers.hops([1.0, 0.5], [Link(target, [(0, 1.0, 0.0), (1, 1.0, 0.0)])], WEIGHTS)
        assert one == two == {"t": WEIGHTS.hop}

    def test_a_title_leads_further_than_a_shared_name(self) -> None:
        titled, shared = Candidate("titled", 0.5, 0.0), Candidate("shared", 0.5, 0.0)
        gain = rankers.hops([1.0], [Link(titled, [(0, 2.0, 0.0)]), Link(shared, [(0, 0.0, 3.0)])], WEIGHTS)
        assert gain["titled"] > gain["shared"] > 0


NEAR = {"a": 1.0, "b": 0.8, "c": 0.4, "d": 0.8}


def place(id: str, names: int = 0) -> Candidate:
    """Return a memory of which only the id and the number of names matter."""
    return Candidate(id, 0.5, 0.0, names=names)


class TestNamed:
    def test_the_rarer_name_is_worth_more_and_the_best_all_of_it(self) -> None:
        found = [Named(place("a"), 4.0), Named(place("b"), 2.0)]
        assert rankers.named(found, WEIGHTS) == {"a": WEIGHTS.named, "b": WEIGHTS.named / 2}

    def test_a_name_alone_does_not_pass_what_answers(self) -> None:
        found = [Candidate("answer", 0.8, 5.0), Candidate("other", 0.5, 0.0)]
        assert order_of(found, Reached(named=[Named(found[1], 3.0)]))[0] == "answer"

    def test_it_brings_what_no_arm_had_found(self) -> None:
        found = [Candidate(f"c{i}", 0.8 - i / 100, 0.0) for i in range(3)]
        assert "named" in order_of(found, Reached(named=[Named(Candidate("named", 0.6, 0.0), 3.0)]))


class TestWalk:
    def test_it_goes_two_steps_along_a_session(self) -> None:
        beside = [Beside(place("b"), 0, 1), Beside(place("c"), 0, 2)]
        gain = rankers.walk([1.0], Reached(["a"], beside=beside), NEAR, {}, WEIGHTS)
        assert gain["b"] == WEIGHTS.walk
        assert 0 < gain["c"] < gain["b"]

    def test_the_way_back_is_one_of_the_ways(self) -> None:
        gain = rankers.walk([1.0], Reached(["a"], beside=[Beside(place("b"), 0, 1)]), NEAR, {}, WEIGHTS)
        assert 0 < gain["a"] < gain["b"]

    def test_the_better_seed_leads_further(self) -> None:
        links = [Link(place("b"), [(0, 1.0, 0.0)]), Link(place("d"), [(1, 1.0, 0.0)])]
        gain = rankers.walk([1.0, 0.5], Reached(["x", "y"], links), NEAR, {}, WEIGHTS)
        assert gain["d"] == pytest.approx(gain["b"] / 4)

    def test_what_is_far_from_the_question_gains_less(self) -> None:
        links = [Link(place("b"), [(0, 1.0, 0.0)]), Link(place("c"), [(0, 1.0, 0.0)])]
        gain = rankers.walk([1.0], Reached(["a"], links), NEAR, {}, WEIGHTS)
        assert gain["c"] == pytest.approx(gain["b"] / 2)

    def test_a_text_full_of_names_is_reached_by_chance(self) -> None:
        links = [Link(place("b"), [(0, 1.0, 0.0)]), Link(place("d"), [(0, 1.0, 0.0)])]
        gain = rankers.walk([1.0], Reached(["a"], links), NEAR, {"d": 4 * WEIGHTS.crowded}, WEIGHTS)
        assert gain["d"] == pytest.approx(gain["b"] / 2)

    @given(asked())
    def test_it_never_gives_more_than_its_weight(self, case: tuple[list[Candidate], Reached]) -> None:
        gains = [each.gains.walk for each in rankers.ranked(*case, FLOOR, NOW, WEIGHTS)]
        assert all(0 <= gain <= WEIGHTS.walk + 1e-9 for gain in gains)


class TestDiversity:
    VECTORS = {"a": [1.0, 0.0], "b": [0.99, 0.1], "c": [0.0, 1.0]}
    SCORES = {"a": 0.8, "b": 0.79, "c": 0.6}

    def test_none_is_the_best(self) -> None:
        assert rankers.diverse(["a", "b", "c"], self.SCORES, self.VECTORS, 0.0, 2) == ["a", "b"]

    def test_some_takes_what_differs(self) -> None:
        assert rankers.diverse(["a", "b", "c"], self.SCORES, self.VECTORS, 0.5, 2) == ["a", "c"]

    def test_what_has_no_vector_counts_as_different(self) -> None:
        assert rankers.diverse(["a", "b"], self.SCORES, {"a": [1.0, 0.0]}, 1.0, 2) == ["a", "b"]

    def test_everything_is_taken_where_there_is_room(self) -> None:
        assert set(rankers.diverse(["a", "b", "c"], self.SCORES, self.VECTORS, 0.9, 9)) == {"a", "b", "c"}


class TestBoosts:
    @given(
        st.floats(-1, 2),
        st.sampled_from(["hot", "warm", "cold", "unknown"]),
        st.integers(-100, 10**6),
        st.integers(0, 10**6),
    )
    def test_they_stay_small(self, importance: float, tier: str, days: int, evidence: int) -> None:
        created = NOW - days * DAY
        memory = Candidate("a", 0, 0, importance=importance, tier=tier, created_at=created, evidence=evidence)
        assert 0.9 <= rankers.boost(memory, NOW) <= 1.1

    def test_an_ordinary_memory_of_a_month_ago_is_left_as_it_is(self) -> None:
        memory = Candidate("a", 0, 0, created_at=NOW - 30 * DAY)
        assert rankers.boosts(memory, NOW) == {"recency": 1, "importance": 1, "tier": 1, "evidence": 1}

    @given(st.integers(0, 40), st.integers(0, 40))
    def test_more_evidence_never_counts_less(self, one: int, other: int) -> None:
        less, more = (
            rankers.boosts(Candidate("a", 0, 0, evidence=each), NOW)["evidence"] for each in sorted((one, other))
        )
        assert 1 <= less <= more <= 1 + rankers.EVIDENCE

    def test_of_two_alike_the_one_that_others_rest_on_comes_first(self) -> None:
        found = [Candidate("a", 0.7, 3.0), Candidate("b", 0.7, 3.0, evidence=1)]
        assert order_of(found) == ["b", "a"]
        without = rankers.ranked(found, ALONE, FLOOR, NOW, Weights(boost=0))
        assert [each.id for each in without] == ["a", "b"]

    def test_they_break_ties(self) -> None:
        old = Candidate("a", 0.7, 3.0, created_at=NOW - 400 * DAY)
        fresh = Candidate("b", 0.7, 3.0, created_at=NOW)
        assert order_of([old, fresh]) == ["b", "a"]

    def test_they_never_bury_a_right_old_answer(self) -> None:
        right = Candidate("z", 0.8, 6.0, importance=0.0, tier="cold", created_at=NOW - 4000 * DAY)
        wrong = Candidate("a", 0.7, 3.0, importance=1.0, tier="hot", created_at=NOW, evidence=9)
        assert order_of([right, wrong]) == ["z", "a"]


class TestOrder:
    @given(asked())
    def test_everything_found_is_ranked_once(self, case: tuple[list[Candidate], Reached]) -> None:
        found, reached = case
        assert sorted(order_of(*case)) == sorted({c.id for c in (*found, *reached.targets())})

    @given(asked(), st.randoms())
    def test_it_does_not_depend_on_the_order_in_which_things_came(
        self, case: tuple[list[Candidate], Reached], random: object
    ) -> None:
        def turned(things: Sequence[T]) -> list[T]:
            shuffled = list(things)
            random.shuffle(shuffled)  # type: ignore[attr-defined]
            return shuffled

        found, reached = case
        other = Reached(reached.seeds, turned(reached.links), turned(reached.named), turned(reached.beside))
        assert order_of(turned(found), other) == order_of(found, reached)

    @given(asked())
    def test_a_score_is_the_sum_of_what_is_said_of_it(self, case: tuple[list[Candidate], Reached]) -> None:
        for each in rankers.ranked(*case, FLOOR, NOW, WEIGHTS):
            gains = each.gains
            assert each.score == pytest.approx(gains.spread * gains.boost + gains.named + gains.hop + gains.walk)

    def test_equals_stand_in_the_order_of_their_ids(self) -> None:
        assert order_of([Candidate(id, 0.7, 1.0) for id in ("c", "a", "b")]) == ["a", "b", "c"]

    def test_the_same_text_stands_before_its_neighbour(self) -> None:
        found = [Candidate("same", 1.0, 1.0, next="a"), Candidate("a", 0.95, 9.0, next="b"), Candidate("b", 0.95, 9.0)]
        assert order_of(found)[0] == "same"

    def test_nothing_found_is_nothing_ranked(self) -> None:
        assert order_of([]) == []


class TestScores:
    @given(asked(), st.floats(0, 60))
    def test_they_lie_between_0_and_1_and_fall(self, case: tuple[list[Candidate], Reached], reach: float) -> None:
        order = rankers.ranked(*case, FLOOR, NOW, WEIGHTS)
        scores = calibration.hybrid_scores(order, FLOOR, reach, DEFAULT)
        assert len(scores) == len(order)
        assert all(0 <= score < calibration.SAME for score in scores)
        assert scores == sorted(scores, reverse=True)

    @given(st.floats(-1, 0.98), st.floats(-1, 0.98))
    def test_a_nearer_text_never_scores_less(self, a: float, b: float) -> None:
        low, high = sorted([a, b])
        assert single(low, 0) <= single(high, 0)

    @given(st.floats(0, 30), st.floats(0, 30))
    def test_more_of_the_words_never_score_less(self, a: float, b: float) -> None:
        low, high = sorted([a, b])
        assert single(0.6, low) <= single(0.6, high)

    def test_an_unrelated_text_scores_below_03(self) -> None:
        assert single(0.55, 0) < 0.3

    def test_an_answer_scores_between_045_and_09(self) -> None:
        assert 0.45 <= single(0.72, 7) < 0.9

    @given(st.lists(st.floats(0, 1000), max_size=8))
    def test_text_scores_are_squashed_in_order(self, raw: list[float]) -> None:
        order = [Ranked(str(i), x, 0.0, x) for i, x in enumerate(sorted(raw, reverse=True))]
        scores = calibration.keyword_scores(order)
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score < calibration.SAME for score in scores)


class TestTheSameText:
    @given(st.text(min_size=1).filter(lambda text: text.strip() != ""))
    def test_any_text_scores_1_against_itself(self, text: str) -> None:
        assert calibration.with_same([0.2], text, [text]) == [1.0]

    def test_case_and_punctuation_do_not_matter(self) -> None:
        assert calibration.with_same([0.5], "deploys happen on tuesdays", ["Deploys happen on Tuesdays."]) == [1.0]

    @pytest.mark.parametrize(
        "other",
        ["Deploys happen on Thursdays", "Deploys never happen on Tuesdays", "Deploys happen on Tuesdays at noon"],
    )
    def test_one_telling_word_more_or_less_is_another_text(self, other: str) -> None:
        assert calibration.with_same([0.95], "Deploys happen on Tuesdays", [other]) == [calibration.BELOW_SAME]

    @given(st.floats(0, 1), st.text(), st.text())
    def test_09_is_for_the_same_text_alone(self, score: float, question: str, text: str) -> None:
        reported = calibration.with_same([score], question, [text])[0]
        assert 0 <= reported <= 1
        assert (reported >= calibration.SAME) == (calibration.spoken(question) == calibration.spoken(text))

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("4711", "4712"), ("was", "was not"), ("C++", "C#"), ("-5", "5"), (".5", "5"), ("billing", "shipping"),
            ("u.s.", "us"),
        ],
    )  # fmt: skip
    def test_a_long_text_is_another_when_one_word_is(self, one: str, other: str) -> None:
        text = "On the third of March this year the office in Lisbon found that {} is what the hosting company sent us"
        assert calibration.with_same([1.0], text.format(one), [text.format(other)]) == [calibration.BELOW_SAME]

    def test_the_order_of_words_counts(self) -> None:
        assert calibration.with_same([1.0], "Ada pays Eve", ["Eve pays Ada"]) == [calibration.BELOW_SAME]


def single(cosine: float, lexical: float) -> float:
    """Return the score of the only thing found, for a question whose words can bring 10."""
    return calibration.hybrid_scores([Ranked("a", 1.0, cosine, lexical)], FLOOR, 10.0, DEFAULT)[0]

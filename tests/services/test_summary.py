"""Extractive summaries, judged by what a reader sees."""

import random

import pytest

from app.services.summary import CHARACTERS, SENTENCES, Told, extract_summary

STORY = [
    Told("The retry queue of billing lost messages under load. Ana looked at the logs.", 0.5),
    Told("The billing queue retried messages without a key, so some were lost and some sent twice.", 0.5),
    Told("Lunch was soup.", 0.5),
    Told("We gave each message of the billing queue an idempotency key, and no message was lost again.", 0.5),
]


class TestSummary:
    def test_of_nothing_is_empty(self) -> None:
        assert extract_summary([]) == ""
        assert extract_summary([Told(" \n ", 0.5), Told("...", 0.5)]) == ""

    def test_of_one_sentence_is_that_sentence(self) -> None:
        assert extract_summary([Told("Deploys happen on Tuesdays", 0.5)]) == "Deploys happen on Tuesdays"

    def test_takes_what_most_is_about_in_writing_order(self) -> None:
        assert extract_summary(STORY, sentences=2).split("\n") == [
            "The retry queue of billing lost messages under load.",
            "We gave each message of the billing queue an idempotency key, and no message was lost again.",
        ]

    def test_importance_counts(self) -> None:
        told = [Told("Cats sleep all day", 0.0), Told("Dogs bark at night", 1.0), Told("Owls hunt in the dark", 0.0)]
        assert extract_summary(told, sentences=1) == "Dogs bark at night"

    def test_says_nothing_twice(self) -> None:
        told = [Told("The queue lost a message.", 0.5)] * 5 + [Told("the queue  lost a message.", 0.5)]
        assert extract_summary(told) == "The queue lost a message."

    def test_steps_that_differ_in_a_number_are_one(self) -> None:
        told = [Told(f"Step {n}: message {n} was sent to the queue.", 0.5) for n in range(9)]
        assert extract_summary(told) == "Step 0: message 0 was sent to the queue."

    def test_is_the_same_each_time(self) -> None:
        choose = random.Random(3)
        words = [f"word{n}" for n in range(60)]
        told = [Told(" ".join(choose.choices(words, k=12)) + ".", choose.random()) for _ in range(80)]
        assert len({extract_summary(list(told)) for _ in range(5)}) == 1

    def test_is_bounded_however_much_was_told(self) -> None:
        choose = random.Random(5)
        words = [f"word{n}" for n in range(500)]
        told = [
            Told(" ".join(". ".join(choose.choices(words, k=9)) for _ in range(60)), choose.random())
            for _ in range(500)
        ]
        summary = extract_summary(told)
        assert len(summary) <= CHARACTERS
        assert 1 <= len(summary.split("\n")) <= SENTENCES

    @pytest.mark.parametrize("text", ["x" * 50_000, "." * 50_000, "a." * 20_000, "\u3002" * 9_000, " \n" * 9_000 + "a"])
    def test_strange_texts_do_no_harm(self, text: str) -> None:
        assert len(extract_summary([Told(text, 0.5)] * 20)) <= CHARACTERS

    def test_sentences_of_other_scripts_are_told_apart(self) -> None:
        told = [Told("\u961f\u5217\u4e22\u5931\u4e86\u6d88\u606f\u3002\u6211\u4eec\u52a0\u4e86\u9501\u3002", 0.5)]
        assert extract_summary(told).count("\n") == 1

    def test_numbers_alone_can_be_shown(self) -> None:
        assert extract_summary([Told("42", 0.5)]) == "42"

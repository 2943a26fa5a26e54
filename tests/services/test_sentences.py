"""Sentences are pieces of their text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.sentences import LONGEST, sentences


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Ada is here. Bob is not!", ["Ada is here.", "Bob is not!"]),
        ('He said "go." Then he went.', ['He said "go."', "Then he went."]),
        ("Dr. Who met J. Smith on No. 5 street. Then left.", ["Dr. Who met J. Smith on No. 5 street.", "Then left."]),
        ("Version 1.2 runs on node3.example.org today", ["Version 1.2 runs on node3.example.org today"]),
        ("- one\n- two\n\n\n- three", ["- one", "- two", "- three"]),
        ("彼はポルトに住む。魚を食べる。", ["彼はポルトに住む。", "魚を食べる。"]),
        ("", []),
        (" \n ... \n", []),
    ],
)
def test_a_text_is_parted_where_its_sentences_end(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


def test_a_sentence_without_end_is_parted_between_words() -> None:
    text = "word " * 400
    found = sentences(text)
    assert set(" ".join(found).split()) == {"word"}
    assert max(map(len, found)) <= LONGEST


def test_a_word_without_end_is_left_out() -> None:
    assert sentences("x" * 1000 + " and more") == ["and more"]


@given(st.text(alphabet='ab .!?\n\tA。"', max_size=900))
def test_every_sentence_stands_in_the_text_in_order(text: str) -> None:
    at = 0
    for part in sentences(text):
        assert len(part) <= LONGEST
        at = text.index(part, at) + len(part)

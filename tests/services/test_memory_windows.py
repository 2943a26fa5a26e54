"""Where the windows of a long text lie, and that search by meaning reaches what stands in them."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.embeddings.hashing import HashingEmbedder
from app.services.memory_windows import AT_ONCE, MOST, OVERLAP, embedded, spread, stretches, windows

MODEL = HashingEmbedder(16, reach=300)
WORDS = st.lists(st.text("abcde", min_size=1, max_size=12), min_size=1, max_size=400).map(" ".join)


def text_of(length: int) -> str:
    """Return words with a number in each, `length` characters in all."""
    return " ".join(f"w{number}" for number in range(length))[:length]


class TestStretches:
    @pytest.mark.parametrize("text", ["", "short", text_of(300), text_of(300) + "   \n"])
    def test_there_are_none_where_the_model_sees_all(self, text: str) -> None:
        assert list(stretches(text, MODEL)) == []

    @settings(deadline=None)
    @given(WORDS)
    def test_every_word_is_seen_whole_in_the_text_or_in_a_window(self, text: str) -> None:
        seen = [(0, MODEL.seen(text)), *stretches(text, MODEL)]
        at = 0
        for word in text.split():
            at = text.index(word, at)
            assert any(start <= at and at + len(word) <= end for start, end in seen), word
            at += len(word)

    @settings(deadline=None)
    @given(st.text(max_size=3000))
    def test_each_goes_further_says_something_and_is_seen_whole_whatever_the_text(self, text: str) -> None:
        found = list(stretches(text, MODEL))
        ends = [MODEL.seen(text), *(end for _, end in found)]
        assert ends == sorted(set(ends))
        for start, end in found:
            assert text[start:end].strip()
            assert MODEL.seen(text[start:end]) == end - start

    def test_they_overlap_and_begin_and_end_between_words(self) -> None:
        text = text_of(3000)
        found = [(0, 300), *stretches(text, MODEL)]
        for (_, before), (start, end) in pairwise(found):
            assert before - OVERLAP <= start < before
            assert text[start - 1] == " "
            assert end == len(text) or text[end] == " " or text[end - 1] == " "

    def test_a_model_that_reads_little_gets_on_all_the_same(self) -> None:
        text = text_of(5000)
        assert len(list(stretches(text, HashingEmbedder(16, reach=60)))) < 150

    def test_fifty_thousand_characters_fit_into_the_most(self) -> None:
        assert len(list(stretches(text_of(50_000), HashingEmbedder(16)))) <= MOST


class TestSpread:
    def test_few_are_kept_and_many_thinned_evenly(self) -> None:
        many = [(n, n + 1) for n in range(1000)]
        kept = spread(many)
        assert spread(many[:MOST]) == many[:MOST]
        assert len(kept) == MOST
        assert kept[0] == many[0]
        assert kept[-1] == many[-1]
        gaps = {b[0] - a[0] for a, b in pairwise(kept)}
        assert max(gaps) - min(gaps) <= 1


class TestEmbedding:
    def test_a_text_keeps_the_vector_it_has_alone(self) -> None:
        texts = [text_of(50), text_of(700), text_of(9000)]
        found = embedded(MODEL, texts)
        assert [each.vector.tolist() for each in found] == [v.tolist() for v in MODEL.embed_documents(texts)]

    def test_few_windows_come_at_once_and_many_later(self) -> None:
        short, medium, long = embedded(MODEL, [text_of(50), text_of(700), text_of(9000)])
        assert (short.windows, short.more) == ([], False)
        assert (len(medium.windows), medium.more) == (AT_ONCE, False)
        assert (long.windows, long.more) == ([], True)
        assert len(windows(MODEL, text_of(9000))) > AT_ONCE

    def test_windows_are_numbered_after_the_text_itself(self) -> None:
        assert [row["number"] for row in windows(MODEL, text_of(1200))] == [2, 3, 4, 5]

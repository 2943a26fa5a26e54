"""What a search makes of texts, without a database: questions, Lucene queries, metadata filters, shortening."""

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.services.recall import compress, lucene, metadata, question
from app.services.words import WordCounts, rarity, weight

# Everything a query may consist of: our fields, opaque tokens, quoted words, numbers.
WORD = r'"[^"\\+!(){}\[\]^~*?:/|&]+"'
CLAUSE = rf"(?:content|title|date_words):{WORD}(?:~2)?\^\d+(?:\.\d+)?"
QUERY = re.compile(rf"\+scope_tokens:t[0-9a-f]{{20}}q\^0 (?:\+\({CLAUSE}(?: {CLAUSE})*\)|\+scope_tokens:\"none\")")

json_values = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.sampled_from(["x", 'a"b', "ü", ""])
documents = st.dictionaries(st.sampled_from(["a", "b", 'c"', "ü"]), json_values | st.lists(json_values, max_size=2))
tests = st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"]).flatmap(
    lambda name: json_values.map(lambda value: {name: value})
) | st.lists(json_values, max_size=3).map(lambda values: {"$in": values})
filters = st.recursive(
    st.dictionaries(st.sampled_from(["a", "b", 'c"', "ü"]), json_values | tests, max_size=2),
    lambda inner: (
        st.builds(lambda name, each: {name: each}, st.sampled_from(["$and", "$or"]), st.lists(inner, min_size=1))
        | inner.map(lambda each: {"$not": each})
    ),
    max_leaves=4,
)


def full(text: str) -> str:
    """Return the Lucene query of a question in a tenant that has none of its words."""
    asked = question.read(text)
    return lucene.full(lucene.scope("tenant"), asked, dict.fromkeys(lucene.terms(asked), (0, 0.0)), 10)


class TestQuestion:
    def test_question_words_are_dropped_unless_nothing_else_is_left(self) -> None:
        assert question.read("When did Ada leave?").words == ("ada", "leave")
        assert question.read("When? Where?").words == ("when", "where")

    def test_a_word_counts_once_and_possessives_are_names(self) -> None:
        assert question.read("Ada's tea, ADA\u2019s tea").words == ("ada", "tea")

    def test_dates_are_told_apart(self) -> None:
        assert question.read("the meeting on 9 June 2023").dated == ("9", "june", "2023")

    def test_another_analyzer_keeps_words_that_only_english_drops(self) -> None:
        assert "not" in question.read("not this", analyzer="german").words

    @given(st.text(max_size=300))
    def test_its_size_is_bounded(self, text: str) -> None:
        asked = question.read(text * 20)
        assert len(asked.words) <= question.MOST_WORDS
        assert len(asked.pairs) < question.MOST_WORDS


class TestLucene:
    @given(st.text(max_size=200))
    def test_nothing_of_the_text_is_syntax(self, text: str) -> None:
        assert QUERY.fullmatch(full(text))

    def test_a_question_without_words_lets_nothing_pass(self) -> None:
        assert full("?!").endswith(lucene.NOTHING)

    def test_an_agent_narrows_the_scope(self) -> None:
        assert lucene.scope("t", "a").startswith(lucene.scope("t") + " +scope_tokens:a")


class TestWordCounts:
    def test_a_rarer_word_weighs_more(self) -> None:
        assert weight(("content", "a"), (2, 5.0), 1000) > weight(("content", "b"), (500, 5.0), 1000)

    @given(st.integers(0, 10_000), st.integers(0, 10_000), st.floats(0, 50))
    def test_weights_are_bounded(self, having: int, total: int, best: float) -> None:
        assert 0.02 <= weight(("content", "a"), (having, best), total) <= 3
        assert rarity(having, total) >= 0

    def test_counts_are_asked_for_once(self) -> None:
        words, asked = WordCounts(), []

        def count(terms: list[tuple[str, str]]) -> list[tuple[int, float]]:
            asked.append(terms)
            return [(1, 1.0)] * len(terms)

        words.total("t", lambda: 5)
        words.look_up("t", [("content", "a")], count)
        words.look_up("t", [("content", "a"), ("content", "b")], count)
        assert asked == [[("content", "a")], [("content", "b")]]

    def test_tenants_do_not_share_them(self) -> None:
        words = WordCounts()
        assert words.total("one", lambda: 5) == 5
        assert words.total("two", lambda: 7) == 7
        words.look_up("one", [("content", "a")], lambda _: [(1, 1.0)])
        assert words.look_up("two", [("content", "a")], lambda _: [(3, 2.0)]) == {("content", "a"): (3, 2.0)}


class TestMetadataFilters:
    @given(filters, documents)
    def test_what_passes_contains_every_piece(self, wanted: dict[str, Any], document: dict[str, Any]) -> None:
        metadata.check(wanted)
        text = metadata.text_of(document)
        if metadata.matches(wanted, document):
            assert all(piece in text for piece in metadata.pieces(wanted))

    @given(documents)
    def test_a_document_passes_the_filter_of_its_own_values(self, document: dict[str, Any]) -> None:
        assert metadata.matches(document, document)

    @given(filters, documents)
    def test_not_turns_the_verdict(self, wanted: dict[str, Any], document: dict[str, Any]) -> None:
        assert metadata.matches({"$not": wanted}, document) is not metadata.matches(wanted, document)


class TestShortening:
    @given(st.lists(st.text(), max_size=5), st.lists(st.text(max_size=9), max_size=4), st.integers(1, 60))
    def test_the_budget_holds_for_any_text(self, texts: list[str], words: list[str], tokens: int) -> None:
        short = compress.shortened(texts, words, tokens)
        assert len(short) == len(texts)
        assert sum(map(len, short)) <= 4 * tokens

    @given(st.text("ab .,-'", max_size=80), st.integers(0, 40))
    def test_no_word_is_cut(self, text: str, room: int) -> None:
        kept = compress.cut(text, room).removesuffix(compress.ELLIPSIS)
        assert text.startswith(kept)
        after = text[len(kept) : len(kept) + 1]
        assert not (kept[-1:].isalnum() and after.isalnum())

    def test_sentences_keep_their_order(self) -> None:
        text = "The kettle is old. Rain fell for hours on end. The kettle sings. It was sold."
        assert compress.best_sentences(text, ["kettle"], 40) == "The kettle is old. The kettle sings."

    def test_numbers_do_not_end_a_sentence(self) -> None:
        text = "Version 3.5 of the kettle boils at 99.5 degrees. " + "Rain fell. " * 20
        assert compress.best_sentences(text, ["kettle"], 60).startswith(
            "Version 3.5 of the kettle boils at 99.5 degrees."
        )

"""What a model wrote, checked against the notes it was given: whole, and piece by piece."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.quotes import Checked, Reader, standing

NOTES = {
    1: "The zorblat lives in  Porto,\nbeside the mill.",
    2: "A zorblat eats \u201crye\u201d bread. It\u2019s slow.",
}
GOOD = 'Quotes:\n[1] "lives in Porto"\n[2] "eats "rye" bread"\nAnswer:\nIt lives in Porto [1] and eats bread [2].'


def read(*pieces: str) -> tuple[str, Checked | None]:
    """Return what was shown, and the answer."""
    reader = Reader(NOTES)
    shown = "".join(reader.feed(piece) for piece in pieces)
    rest, checked = reader.finish()
    return shown + rest, checked


def cited(text: str) -> list[tuple[int, str]]:
    """Return the quotes of an answer written in one piece."""
    _, checked = read(text)
    assert checked is not None, text
    return [(quote.number, quote.text) for quote in checked.quotes]


class TestAnswer:
    def test_comes_with_its_quotes_as_they_stand_in_the_notes(self) -> None:
        shown, checked = read(GOOD)
        assert checked is not None
        assert shown == checked.text == "It lives in Porto [1] and eats bread [2]."
        assert [(quote.number, quote.text) for quote in checked.quotes] == [
            (1, "lives in  Porto"), (2, "eats \u201crye\u201d bread"),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "text",
        [
            "It lives in Porto [1].",
            "**Answer:** It lives in Porto [1].",
            "<think>Notes? Answer: Rome [2]</think>\nAnswer: It lives in Porto [1].",
            'Answer: It lives in Porto [1].\n\nQuotes:\n[1] "lives in Porto"',
            'It lives in Porto [1].\nSources:\n[1] "lives in Porto"',
            'Quotes:\n[1] "lives in Porto"\nAnswer: It lives in Porto.',
            "Answer: It lives in Porto [^1].",
            'quotes:\n- [1]: \u201cLIVES IN PORTO...\u201d\nanswer: Porto [1, 99].',
        ],
    )  # fmt: skip
    def test_is_understood_in_other_forms(self, text: str) -> None:
        shown, checked = read(text)
        assert checked is not None
        assert shown == checked.text
        assert [quote.number for quote in checked.quotes] == [1]
        assert "99" not in shown
        assert "Porto" in checked.quotes[0].text

    @pytest.mark.parametrize("size", [1, 2, 3, 7])
    @pytest.mark.parametrize("text", [GOOD, GOOD.replace("[2]", "[77]"), GOOD + ' Really [9][1].\nQuotes:\n[1] "mill"'])
    def test_is_the_same_however_it_is_cut_into_pieces(self, text: str, size: int) -> None:
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        shown, checked = read(*pieces)
        assert checked == read(text)[1]
        assert checked is not None
        assert shown == checked.text


class TestCitation:
    @pytest.mark.parametrize("mark", ["[99]", "[0]", "[3]", "[3, 99]", "[999999]"])
    def test_of_a_number_that_was_not_given_is_dropped(self, mark: str) -> None:
        shown, checked = read(f"Answer: Porto {mark}. It lives in Porto [1].")
        assert checked is not None
        assert shown == checked.text == "Porto. It lives in Porto [1]."

    def test_with_a_quote_that_stands_nowhere_is_dropped(self) -> None:
        text = 'Quotes:\n[1] "lives in Rome"\n[2] "eats "rye" bread"\nAnswer: Rome [1]. It eats bread [2].'
        shown, checked = read(text)
        assert checked is not None
        assert shown == "Rome. It eats bread [2]."
        assert [quote.number for quote in checked.quotes] == [2]

    def test_of_one_note_does_not_quote_another(self) -> None:
        assert read('Quotes:\n[2] "lives in Porto"\nAnswer: Porto [2].')[1] is None

    def test_without_a_quote_gets_the_sentence_that_says_it(self) -> None:
        assert cited("It eats bread [2].") == [(2, "A zorblat eats \u201crye\u201d bread.")]
        assert cited("It is slow [2] and lives by a mill [1].")[0] == (2, "It\u2019s slow.")

    def test_of_a_note_that_has_nothing_of_it_is_dropped(self) -> None:
        _, checked = read("The moon shines [2]. It lives in Porto [1].")
        assert checked is not None
        assert checked.text == "The moon shines. It lives in Porto [1]."
        assert [quote.number for quote in checked.quotes] == [1]

    @pytest.mark.parametrize(
        "text", ["", "   ", "Porto.", "Porto [99].", "[1]", "<html>504</html>", "Answer:", "Quotes:\nAnswer:\n",
                 'Quotes:\n[1] "Rome"\nAnswer: Rome [1].', "The moon shines [1].", "<think>Porto [1]", '{"answer": 1}']
    )  # fmt: skip
    def test_that_is_not_there_leaves_no_answer_and_nothing_shown(self, text: str) -> None:
        assert read(text) == ("", None)


class TestUnknown:
    @pytest.mark.parametrize(
        "text",
        ["I do not know.", "I don't know", "Quotes:\nAnswer:\nI don\u2019t know.", "**I do not know.**",
         "I do not know, but it may be Porto [1].", "The notes do not answer this.", "There is no information on that.",
         "I cannot answer this from the notes.", 'Quotes:\n[1] "Porto"\nAnswer: I do not know.'],
    )  # fmt: skip
    def test_is_said_in_many_ways(self, text: str) -> None:
        assert read(text) == ("", Checked("", (), True))
        assert read(*text) == ("", Checked("", (), True))


class TestStanding:
    @pytest.mark.parametrize("quote", ["", "...", "a", "ort", "lives in Portosa", "in", "Porto mill"])
    def test_words_that_do_not_stand_there_are_none(self, quote: str) -> None:
        assert standing(quote, "It lives on Porto, beside the mill") is None

    @given(st.text(max_size=80), st.text(max_size=40))
    def test_what_stands_is_a_piece_of_the_note(self, note: str, quote: str) -> None:
        found = standing(quote, note)
        assert found is None or found in note

    def test_signs_of_a_pattern_are_signs(self) -> None:
        assert standing("a.*b (c)", "x a.*b (c) y") == "a.*b (c)"
        assert standing("a.*b", "a-----b") is None


WRITTEN = (
    "Quotes:", "Answer:", "Sources:", "\n", "[1]", "[2", "]", "[99]", '"', " ", "Porto", "lives in Porto", "mill.",
    "I do not know", "<think>", "</think>", "**",
)  # fmt: skip


@given(st.lists(st.sampled_from(WRITTEN), max_size=25))
def test_whatever_is_written_nothing_is_invented(pieces: list[str]) -> None:
    shown, checked = read(*pieces)
    assert "[99]" not in shown
    if checked is not None:
        assert all(quote.text in NOTES[quote.number] for quote in checked.quotes)
        assert bool(checked.quotes) != checked.unknown
        whole = read("".join(pieces))[1]
        assert whole == checked

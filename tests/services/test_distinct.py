"""Which texts say the same as one before them, and which only look like it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.distinct import LONGEST, distinct


class TestSame:
    @pytest.mark.parametrize(
        ("first", "again"),
        [
            ("Billing deploys on Tuesday.", "billing  deploys on tuesday"),
            ("We deploy billing on Tuesdays", "we deployed the billing on Tuesdays!"),
            ("Billing deploys on Tuesday at nine", "Billing deploys on Tuesday at the nine"),
            ("The queue retries failed jobs five times daily", "The queue retries failed jobs five times"),
            ("", "   "),
        ],
    )
    def test_is_told_once(self, first: str, again: str) -> None:
        assert distinct([first, again]) == [0]

    def test_in_a_long_text_is_told_once(self) -> None:
        long = "word and more " * LONGEST
        assert distinct([long, long.upper()]) == [0]

    def test_the_first_stays_where_it_is(self) -> None:
        assert distinct(["a b c d", "x y z", "a b c d", "X Y Z", "new words here"]) == [0, 1, 4]


class TestDifferent:
    @pytest.mark.parametrize(
        ("first", "other"),
        [
            ("The server has 8 cores", "The server has 16 cores"),
            ("Ada likes strong green tea in the morning", "Ada does not like strong green tea in the morning"),
            ("Ada doesn't like tea", "Ada likes tea"),
            ("Ada hired Bob last spring", "Bob hired Ada last spring"),
            ("Deploys of the billing service happen on Tuesday", "Deploys of the billing service happen on Friday"),
            ("The zorblat lives in Porto", "The zorblat lives in Porto, beside the old mill"),
            ("Tea", "A whole page about Ada, her tea, her cats, her boat, her brother and her garden"),
            ("A page about Ada, her tea, her cats, her boat and her garden", "Ada's tea"),
            ("C++ is fast", "C is fast and old"),
            ("日本語です", "日本語でした"),
        ],
    )
    def test_is_told_too(self, first: str, other: str) -> None:
        assert distinct([first, other]) == [0, 1]


@given(st.lists(st.text(max_size=40), max_size=8))
def test_everything_is_kept_or_repeats_something_kept(texts: list[str]) -> None:
    kept = distinct(texts)
    assert kept == sorted(set(kept))
    assert (kept[:1] == [0]) == bool(texts)
    assert distinct([texts[at] for at in kept]) == list(range(len(kept)))

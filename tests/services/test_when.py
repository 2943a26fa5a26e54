"""Time in questions: what is understood, what is not mistaken for time, and that nothing breaks it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.services.recall.when import ANCHORED, Window, resolve, windows

# A Wednesday.
NOW = datetime(2024, 3, 13, 15, 30, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START, END = "1900-01-01", "2100-01-01"
JUST = "2024-03-13T15:30:00.001"


def ms(text: str) -> int:
    """Return epoch ms of an ISO time in UTC."""
    return round((datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) / timedelta(milliseconds=1))


def read(text: str) -> list[Window]:
    """Return the windows of a text at NOW."""
    return windows(text, ms("2024-03-13T15:30"))


UNDERSTOOD = {
    # years, months, days
    "What did Ada do in 2023?": ("2023-01-01", "2024-01-01", "year"),
    "What changed during 2021 and why?": ("2021-01-01", "2022-01-01", "year"),
    "Show me the 2022 roadmap": ("2022-01-01", "2023-01-01", "year"),
    "Who joined in May 2023?": ("2023-05-01", "2023-06-01", "month"),
    "the outage of Sept. 2022": ("2022-09-01", "2022-10-01", "month"),
    "What did we ship in March of 2022?": ("2022-03-01", "2022-04-01", "month"),
    "what did I say in may": ("2023-05-01", "2023-06-01", "month"),
    "What happened in February?": ("2024-02-01", "2024-03-01", "month"),
    "the meeting of 2023-06, please": ("2023-06-01", "2023-07-01", "month"),
    "What happened on May 8?": ("2023-05-08", "2023-05-09", "day"),
    "What happened May 8 at the office?": ("2023-05-08", "2023-05-09", "day"),
    "the call on 8 May 2023": ("2023-05-08", "2023-05-09", "day"),
    "May 8th, 2023 was a holiday": ("2023-05-08", "2023-05-09", "day"),
    "log of 2023-05-08": ("2023-05-08", "2023-05-09", "day"),
    "log of 2023/05/08": ("2023-05-08", "2023-05-09", "day"),
    "the party on 05/13/2023": ("2023-05-13", "2023-05-14", "day"),
    "the party on 13/05/2023": ("2023-05-13", "2023-05-14", "day"),
    "Who called on the 3rd of June?": ("2023-06-03", "2023-06-04", "day"),
    "the second of May": ("2023-05-02", "2023-05-03", "day"),
    "What did I buy on the 3rd?": ("2024-03-03", "2024-03-04", "day"),
    "Who was born on February 29?": ("2024-02-29", "2024-03-01", "day"),
    "the trip of 3-8 May 2023": ("2023-05-03", "2023-05-09", "span"),
    "the trip of May 3 to 8": ("2023-05-03", "2023-05-09", "span"),
    # quarters, halves, seasons, decades, parts
    "revenue in Q3 2024": ("2024-07-01", "2024-10-01", "quarter"),
    "revenue in Q4": ("2023-10-01", "2024-01-01", "quarter"),
    "2023 Q1 targets": ("2023-01-01", "2023-04-01", "quarter"),
    "the second quarter of 2022": ("2022-04-01", "2022-07-01", "quarter"),
    "the first half of 2023": ("2023-01-01", "2023-07-01", "half"),
    "H2 2022 plans": ("2022-07-01", "2023-01-01", "half"),
    "Where were we last summer?": ("2023-06-01", "2023-09-01", "season"),
    "in the winter of 2022": ("2022-12-01", "2023-03-01", "season"),
    "Where did he live in the 1990s?": ("1990-01-01", "2000-01-01", "decade"),
    "music of the '80s": ("1980-01-01", "1990-01-01", "decade"),
    "early 2023": ("2023-01-01", "2023-05-02", "part"),
    "the end of last month": ("2024-02-20", "2024-03-01", "part"),
    "mid-March": ("2024-03-11", "2024-03-21", "part"),
    "the first week of May 2023": ("2023-05-01", "2023-05-08", "week"),
    "last Christmas I gave you": ("2023-12-24", "2023-12-27", "day"),
    # relative to now
    "What did I eat yesterday?": ("2024-03-12", "2024-03-13", "day"),
    "the day before yesterday": ("2024-03-11", "2024-03-12", "day"),
    "What is on today?": ("2024-03-13", "2024-03-14", "day"),
    "What is planned for tomorrow?": ("2024-03-14", "2024-03-15", "day"),
    "Who wrote this morning?": ("2024-03-13T04:00", "2024-03-13T12:00", "part"),
    "yesterday evening": ("2024-03-12T17:00", "2024-03-13", "part"),
    "last night": ("2024-03-12T18:00", "2024-03-13T06:00", "part"),
    "last Tuesday": ("2024-03-12", "2024-03-13", "day"),
    "last Wednesday": ("2024-03-06", "2024-03-07", "day"),
    "What did Ada say on Monday?": ("2024-03-11", "2024-03-12", "day"),
    "next Friday": ("2024-03-15", "2024-03-16", "day"),
    "on Tuesday last week": ("2024-03-05", "2024-03-06", "day"),
    "last March": ("2023-03-01", "2023-04-01", "month"),
    "last February": ("2024-02-01", "2024-03-01", "month"),
    "last week": ("2024-03-04", "2024-03-11", "week"),
    "last weekend": ("2024-03-09", "2024-03-11", "weekend"),
    "this month": ("2024-03-01", "2024-04-01", "month"),
    "last year's budget": ("2023-01-01", "2024-01-01", "year"),
    "last quarter": ("2023-10-01", "2024-01-01", "quarter"),
    "next month": ("2024-04-01", "2024-05-01", "month"),
    "What did we discuss two weeks ago?": ("2024-02-25", "2024-03-03", "week"),
    "3 days ago": ("2024-03-10", "2024-03-11", "day"),
    "a couple of months ago": ("2024-01-01", "2024-02-01", "month"),
    "three years ago": ("2021-01-01", "2022-01-01", "year"),
    "an hour ago": ("2024-03-13T14:00", "2024-03-13T15:00", "hour"),
    "a few days ago": ("2024-03-07T15:30", "2024-03-11T15:30", "span"),
    "in the last 10 days": ("2024-03-03T15:30", JUST, "span"),
    "over the past three months": ("2023-12-13T15:30", JUST, "span"),
    "within the last year": ("2023-03-13T15:30", JUST, "span"),
    # bounds and ranges
    "What changed since March?": ("2024-03-01", JUST, "since"),
    "since yesterday": ("2024-03-12", JUST, "since"),
    "Where did he work before 2022?": (START, "2022-01-01", "before"),
    "until last Friday": (START, "2024-03-09", "until"),
    "decisions by the end of May 2023": (START, "2023-06-01", "until"),
    "after May 2023": ("2023-06-01", END, "after"),
    "from May 2023 onwards": ("2023-05-01", END, "since"),
    "between March and May 2023": ("2023-03-01", "2023-06-01", "span"),
    "between November and February 2023": ("2022-11-01", "2023-03-01", "span"),
    "between 2019 and 2021": ("2019-01-01", "2022-01-01", "span"),
    "from 3 May to 8 May": ("2023-05-03", "2023-05-09", "span"),
    "March to May 2023": ("2023-03-01", "2023-06-01", "span"),
    "March\u2013May 2023": ("2023-03-01", "2023-06-01", "span"),
    # so far from a date
    "three days before 8 May": ("2023-05-05", "2023-05-06", "day"),
    "three days after May 8, 2023": ("2023-05-11", "2023-05-12", "day"),
    "the week before 2023-05-08": ("2023-05-01", "2023-05-08", "span"),
    "two weeks after 8 May 2023": ("2023-05-19", "2023-05-26", "week"),
    "in the two weeks after 8 May 2023": ("2023-05-09", "2023-05-23", "span"),
}
NO_TIME = [
    "May I ask you something?", "You may march on now", "may 8 people join the call?", "Who may edit this?",
    "the march on the capital", "wait a second", "the second time it failed", "a second opinion",
    "Does it run on Python 3.11?", "Which version is 2023.1?", "since v2023 it fails", "release 2.0.24",
    "Do we have 2,000 users?", "in 2000 lines of code", "a total of 2000 was paid", "before 2048 bytes are read",
    "call me at 2024", "room 2019 is free", "port 2022", "error 1999 in module 7", "see CVE-2023-0512",
    "host 192.168.2023-05-08", "/logs/2023-05-08.txt", "What did April say about June?", "Is it in May's report?",
    "every Monday we meet", "Who cleans up each Friday?", "on the 3rd floor", "in Spring Boot", "the fall of Rome",
    "last time", "last minute changes", "the last name of Ada", "the last week of the project", "in a minute",
    "after 5 days of rain", "two weeks after that", "the party on 05/06/2023", "2023-13-45", "February 30",
    "the day after", "How long did it take?", "years ago", "between Ada and June", "",
]  # fmt: skip


class TestUnderstood:
    @pytest.mark.parametrize("text", UNDERSTOOD)
    def test_a_phrase_is_its_window(self, text: str) -> None:
        start, end, kind = UNDERSTOOD[text]
        assert [(window.from_ms, window.to_ms, window.kind) for window in read(text)] == [(ms(start), ms(end), kind)]

    @pytest.mark.parametrize("text", NO_TIME)
    def test_what_only_looks_like_time_is_none(self, text: str) -> None:
        assert read(text) == []

    def test_several_phrases_come_in_the_order_of_the_text(self) -> None:
        found = read("Compare what I wrote on 12 Dec 2022 with last week, and with Jan 5th, 2023")
        assert [window.phrase for window in found] == ["12 Dec 2022", "last week", "Jan 5th, 2023"]

    def test_the_phrase_stands_in_the_text(self) -> None:
        for text in UNDERSTOOD:
            assert all(window.phrase in text for window in read(text))

    def test_january_looks_back_into_the_year_before(self) -> None:
        (found,) = windows("in December", ms("2024-01-02"))
        assert (found.from_ms, found.to_ms) == (ms("2023-12-01"), ms("2024-01-01"))

    def test_there_are_enough_phrases_to_tell(self) -> None:
        assert len(UNDERSTOOD) >= 80
        assert len(NO_TIME) >= 25


ANCHORS = {
    "What did we decide two weeks before the release?": ("release", "2024-01-15", "2024-01-22"),
    "Who called the day after the launch of Loci?": ("launch of Loci", "2024-02-02", "2024-02-03"),
    "What broke three days before Ada moved to Lisbon, and why?": ("Ada moved to Lisbon", "2024-01-29", "2024-01-30"),
    "the week after our wedding": ("wedding", "2024-02-02", "2024-02-09"),
    "in the two months before the audit": ("audit", "2023-12-01", "2024-02-01"),
    "a month after I moved": ("I moved", "2024-02-15", "2024-03-17"),
    "10 minutes before the crash": ("crash", "2024-02-01T09:45", "2024-02-01T09:55"),
}


class TestAnchored:
    @pytest.mark.parametrize("text", ANCHORS)
    def test_an_event_is_named_and_found_by_the_caller(self, text: str) -> None:
        anchor, start, end = ANCHORS[text]
        (found,) = read(text)
        assert (found.kind, found.anchor) == (ANCHORED, anchor)
        assert found.from_ms < found.to_ms
        plain = resolve(found, ms("2024-02-01T10:00"))
        assert (plain.from_ms, plain.to_ms) == (ms(start), ms(end))
        assert plain.kind != ANCHORED
        assert resolve(plain, 0) == plain

    def test_out_of_the_calendar_it_stays_as_it_is(self) -> None:
        (found,) = read("two years before the release")
        assert resolve(found, ms("1901-01-01")) == found
        assert resolve(found, ms("2100-01-01")) == found


words = st.sampled_from(
    """in on since before after between and from to until last next this the of May march 8 3rd 2023 1999 2,000 Q3 H1
    two weeks days ago yesterday Monday early end quarter half half-year 2023-05-08 13/05/2023 release ? , . ' - winter
    '90s 1990s an hour decade 9999 0 first week 31 February years""".split()
)
moments = st.integers(ms("1971-01-01"), ms("2090-01-01"))


class TestAnyText:
    @settings(deadline=None)
    @given(st.text(max_size=80) | st.lists(words, max_size=14).map(" ".join), moments, moments)
    @example("between May 2023 and March 2023", ms("2024-01-01"), 0)
    @example("9999 decades before the release", ms("2024-01-01"), ms("2024-01-01"))
    @example("last February 29", ms("2097-03-01"), 0)
    def test_gives_windows_in_order_within_the_calendar(self, text: str, now: int, anchor: int) -> None:
        for window in windows(text, now):
            assert window.from_ms < window.to_ms
            assert window.phrase in text
            assert (window.kind == ANCHORED) == bool(window.anchor) == (window.shift is not None)
            plain = resolve(window, anchor)
            assert plain.from_ms < plain.to_ms
            if plain.kind != ANCHORED:
                assert ms(START) <= plain.from_ms
                assert plain.to_ms <= ms(END)

    @settings(max_examples=20, deadline=None)
    @given(st.lists(words, min_size=200, max_size=500).map(" ".join), moments)
    def test_of_any_length_gives_few(self, text: str, now: int) -> None:
        assert len(windows(text, now)) <= 8

"""Time in a question: which stretches of time its words speak of.

Pure: it knows the text and one moment of reference, nothing else. English only, days are those of UTC.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from app.services.recall import spans
from app.services.recall.dates import DOUBTFUL, NUMBER, UNIT, Point, number, point
from app.services.recall.spans import Span

# Nobody says when in the third page of a question.
LONGEST = 2_000
MOST = 8
ANCHORED = "anchored"


class Shift(NamedTuple):
    """How far from something: `steps` units, before it where negative; `within` takes all that lies between."""

    steps: int
    unit: str
    within: bool


class Window(NamedTuple):
    """A stretch of time that a question speaks of: from `from_ms` up to, but without, `to_ms` (epoch ms).

    `kind` is what was named: hour, part, day, week, weekend, month, quarter, season, half, year, decade, span, since,
    before, until, after; or `anchored`: it lies `shift` from something named by the words `anchor`, and its two ends
    count from the moment of that, until `resolve` is told the moment.
    """

    from_ms: int
    to_ms: int
    phrase: str
    kind: str
    anchor: str = ""
    shift: Shift | None = None


# What a reading can begin with; inside a word, a number, a version, a path or an address none does.
_STARTS = re.compile(
    r"(?<![\w.,/:'\u2019_-])(?:\d|[QH][1-4]|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun|"
    r"spring|summer|autumn|fall|winter|christmas|new year|halloween|valentine|today|tonight|tomorrow|yesterday|the\s|"
    r"these\s|this\s|current\s|last\s|past\s|previous\s|next\s|coming\s|early|mid|late|beginning|start|end\s|half\s|"
    r"in\s|within\s|over\s|during\s|for\s|throughout\s|since\s|before\s|until\s|till\s|up\s|prior\s|after\s|by\s|as\s|"
    r"from\s|between\s|an?\s|couple\s|few\s|several\s|one\s|two\s|three\s|four|five|fif|six|seven|eigh|nin|ten|eleven|"
    r"twel|twen|thir|first|second)",
    re.I,
)
_ASKS = re.compile(r"\b(?:in|during|throughout|around|circa|of|for|year|the|month of|all of|whole of)\s+$", re.I)
_ASKS_MONTH = re.compile(r"\b(?:in|during|throughout|around|month of|all of|whole of)\s+(?:the\s+)?$", re.I)
_ASKS_DAY = re.compile(r"\b(?:on|this|at|over|around|for|during)\s+$", re.I)
_COUNTED = re.compile(r"\b(?:total|sum|count|number|cost|price|maximum|minimum|value|average|limit)\s+of\s+$", re.I)
_REPEATED = re.compile(r"\b(?:every|each|most|all)\s+$", re.I)
_BOUND = re.compile(r"(?P<word>since|before|until|till|up\s+to|prior\s+to|after|by|as\s+of|from)\s+", re.I)
_ONWARDS = re.compile(r"\s+(?:on|onwards?)\b", re.I)
_RANGE = re.compile(r"(?P<word>between|from)\s+", re.I)
_RANGE_TO = {
    "between": re.compile(r"\s+and\s+", re.I),
    "from": re.compile(r"\s+(?:to|until|till|through)\s+|\s*[-\u2013\u2014]\s*", re.I),
    "": re.compile(r"\s*[-\u2013\u2014]\s*|\s+(?:to|through)\s+", re.I),
}
_SIDE = r"(?P<side>before|after|prior\s+to|following)\s+"
_SHIFTS = (
    re.compile(
        r"(?P<within>(?:with)?in\s+(?:the\s+)?|during\s+the\s+|over\s+the\s+|the\s+(?=\S+\s+\S+s\b))?"
        + NUMBER + r"\s+" + UNIT + r"\s+" + _SIDE, re.I,
    ),
    re.compile(r"(?P<count>)(?P<within>(?:in|during)\s+)?the\s+" + UNIT + r"\s+" + _SIDE, re.I),
    re.compile(r"(?P<count>)(?P<within>)the\s+(?P<unit>night|evening|morning)\s+" + _SIDE, re.I),
)  # fmt: skip
_ANCHOR = re.compile(
    r"(?P<words>\S[^.,;:?!\n]{0,100}?)(?=$|[.,;:?!\n]|\s+(?:and|but|or|did|do|does|was|were|is|are|has|have|had|what|who|"
    r"when|where|which|how|why|can|could|will|would|should|we|I|you|they|he|she|it)\b)",
    re.I,
)
_ARTICLE = re.compile(r"^(?:the|a|an|my|our|your|his|her|their|this|that)\s+", re.I)
# Nothing that somebody could look up.
_NOTHING = re.compile(
    r"(?:(?:that|this|it|then|them|him|her|us|me|you|one|those|these|now|each|every|any|all|being)\b.*|\W*|\d[\d.,]*)",
    re.I,
)
MOST_ANCHOR_WORDS = 10


def windows(text: str, now_ms: int) -> list[Window]:
    """Return the stretches of time that a text speaks of, in its order; none where it speaks of none.

    Relative words count from `now_ms`; a date without a year is the latest one that has begun.
    """
    text = text[:LONGEST]
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=now_ms)
    found: list[Window] = []
    done = 0
    for start in [match.start() for match in _STARTS.finditer(text)]:
        if start < done:
            continue
        for made, end in _readings(text, start, now):
            if len(found) < MOST and made not in found:
                found.append(made)
            done = end
            break
    return found


def resolve(window: Window, anchor_ms: int) -> Window:
    """Return an anchored window as a plain one, once it is known when its anchor was; others as they are.

    A window that would leave the calendar stays as it is.
    """
    if window.shift is None:
        return window
    made = _from_anchor(window.shift, datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=anchor_ms))
    if made is None:
        return window
    return Window(spans.ms(made.start), spans.ms(made.end), window.phrase, made.kind)


def _readings(text: str, start: int, now: datetime) -> Iterator[tuple[Window, int]]:
    """Yield what may begin at a place, the longest reading first."""
    for read in (_range, _shifted, _bounded, _plain):
        made = read(text, start, now)
        if made is not None:
            yield made


def _window(span: Span, text: str, start: int, end: int, kind: str = "") -> tuple[Window, int]:
    return Window(spans.ms(span.start), spans.ms(span.end), text[start:end], kind or span.kind), end


def _range(text: str, start: int, now: datetime) -> tuple[Window, int] | None:
    opened = _RANGE.match(text, start)
    first = point(text, opened.end() if opened else start, now)
    joined = _RANGE_TO[opened["word"].lower() if opened else ""].match(text, first.end) if first else None
    last = point(text, joined.end(), now) if joined else None
    if first is None or last is None or (opened is None and (first.weak or last.weak)):
        return _months(text, start, first, last)
    one, other = first.span, last.span
    if not one.dated:
        # Its year is that of the other end: the latest one before it.
        again = point(text, opened.end() if opened else start, other.start)
        one = again.span if again else one
    made = spans.span(one.start, other.end, "span")
    return _window(made, text, start, last.end) if made else None


def _months(text: str, start: int, first: Point | None, last: Point | None) -> tuple[Window, int] | None:
    """Read "March to May 2023" and "2019-2021" only where what follows makes it a date."""
    if first is None or last is None or not last.span.dated or first.span.kind != "month":
        return None
    again = point(text, start, last.span.start)
    made = spans.span(again.span.start, last.span.end, "span") if again else None
    return _window(made, text, start, last.end) if made else None


def _shifted(text: str, start: int, now: datetime) -> tuple[Window, int] | None:
    found = next((match for pattern in _SHIFTS if (match := pattern.match(text, start))), None)
    if found is None or _REPEATED.search(text, 0, start):
        return None
    shift = _shift(found)
    target = point(text, found.end(), now)
    if target is not None and not (target.weak and _possessive(text, target)):
        made = _beside(target.span, shift)
        return _window(made, text, start, target.end) if made else None
    named = _ANCHOR.match(text, found.end())
    words = named["words"].strip() if named else ""
    anchor = _ARTICLE.sub("", words, count=1).strip()
    made = _from_anchor(shift, datetime(2000, 1, 1, tzinfo=UTC))
    if named is None or made is None or _NOTHING.fullmatch(anchor) or _NOTHING.fullmatch(words):
        return None
    if len(anchor.split()) > MOST_ANCHOR_WORDS:
        return None
    zero = spans.ms(datetime(2000, 1, 1, tzinfo=UTC))
    ends = spans.ms(made.start) - zero, spans.ms(made.end) - zero
    return Window(*ends, text[start : named.end()].strip(), ANCHORED, anchor, shift), named.end()


def _shift(found: re.Match[str]) -> Shift:
    unit = found["unit"].lower()
    unit = "day" if unit in ("night", "evening", "morning") else unit
    # "The week before" is all of it; "two weeks before" is about that day.
    within = bool(found["within"]) or (not found["count"] and unit != "day")
    count = number(found["count"]) if found["count"] else 1
    return Shift(-count if found["side"].lower().startswith(("before", "prior")) else count, unit, within)


def _beside(base: Span, shift: Shift) -> Span | None:
    return spans.beside(base, shift.steps, shift.unit, within=shift.within) if shift.steps else None


def _from_anchor(shift: Shift, moment: datetime) -> Span | None:
    if not spans.EARLIEST <= moment < spans.LATEST:
        return None
    if shift.unit in ("minute", "hour"):
        return _beside(Span(moment, moment + timedelta(milliseconds=1), "moment"), shift)
    day = spans.holding(moment, "day")
    return _beside(day, shift) if day else None


def _bounded(text: str, start: int, now: datetime) -> tuple[Window, int] | None:
    found = _BOUND.match(text, start)
    target = point(text, found.end(), now) if found else None
    if found is None or target is None or _possessive(text, target):
        return None
    word = " ".join(found["word"].lower().split())
    onwards = _ONWARDS.match(text, target.end)
    if word == "from" and not onwards:
        return None
    name = text[found.end() : target.end].lower().rstrip(".")
    if word in ("by", "as of") and target.weak and name in DOUBTFUL:
        return None
    just = now + timedelta(milliseconds=1)
    ends = {
        "since": (target.span.start, just if just > target.span.start else target.span.end, "since"),
        "from": (target.span.start, spans.LATEST, "since"),
        "after": (target.span.end, spans.LATEST, "after"),
        "before": (spans.EARLIEST, target.span.start, "before"),
        "prior to": (spans.EARLIEST, target.span.start, "before"),
    }
    made = spans.span(*ends.get(word, (spans.EARLIEST, target.span.end, "until")))
    return _window(made, text, start, onwards.end() if onwards and word == "from" else target.end) if made else None


def _plain(text: str, start: int, now: datetime) -> tuple[Window, int] | None:
    target = point(text, start, now)
    if target is None or _REPEATED.search(text, 0, start):
        return None
    if target.weak and not _asked(text, start, target):
        return None
    return _window(target.span, text, start, target.end)


def _asked(text: str, start: int, target: Point) -> bool:
    """Tell whether the words before a weak point ask for a time: "in May", not "may I"."""
    if _possessive(text, target):
        return False
    before = text[max(0, start - 40) : start]
    kind = target.span.kind
    if kind == "year":
        return bool(_ASKS.search(before)) and not _COUNTED.search(before) and _is_year(text, before, target)
    if kind == "day":
        return bool(_ASKS_DAY.search(before))
    return bool(_ASKS_MONTH.search(before))


def _is_year(text: str, before: str, target: Point) -> bool:
    # "the 2023 roadmap", but not "the 2048"; "for 2023" at an end only.
    follows = text[target.end :].lstrip(" ")
    if re.search(r"\bthe\s+$", before, re.I):
        return bool(re.match(r"[A-Za-z]", follows))
    if re.search(r"\bfor\s+$", before, re.I):
        return not re.match(r"\w", follows)
    return True


def _possessive(text: str, target: Point) -> bool:
    words = text[: target.end].rsplit(None, 1)[-1].lower()
    return target.weak and words in DOUBTFUL and text[target.end : target.end + 2] in ("'s", "\u2019s")

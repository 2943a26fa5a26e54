"""Points in time as people write them: dates, months, "last Tuesday", "two weeks ago". One at a place in a text."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from app.services.recall import spans
from app.services.recall.spans import DAY, Span

MONTH_NAMES = "january february march april may june july august september october november december".split()
MONTHS = {name: n for n, name in enumerate(MONTH_NAMES, 1)} | {name[:3]: n for n, name in enumerate(MONTH_NAMES, 1)}
MONTHS["sept"] = 9
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
ORDINALS = """first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth
    fifteenth sixteenth seventeenth eighteenth nineteenth twentieth""".split()
NUMBERS = dict(zip("one two three four five six seven eight nine ten eleven twelve".split(), range(1, 13), strict=True))
NUMBERS |= {"a": 1, "an": 1, "a couple of": 2, "couple of": 2, "a few": 3, "few": 3, "several": 4}
NUMBERS |= {"fifteen": 15, "twenty": 20, "thirty": 30, "sixty": 60, "ninety": 90}
HOLIDAYS: dict[str, tuple[int, int, int]] = {
    "christmas eve": (12, 24, 1), "christmas day": (12, 25, 1), "christmas": (12, 24, 3),
    "new year's eve": (12, 31, 1), "new year's day": (1, 1, 1), "halloween": (10, 31, 1),
    "valentine's day": (2, 14, 1),
}  # fmt: skip
# Verbs and names as well: before they count as months, more must stand around them than for the others.
DOUBTFUL = {"may", "march", "mar", "april", "june", "august", "jan", "dec", "sun"}
MODAL = {"may", "march", "mar"}

MONTH = r"(?P<month>" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\b\.?"
# Not the beginning of a longer number, and no amount: "in 2000 lines", "before 2019.3".
PLAIN_YEAR = r"(?:19|20)\d\d(?![\w%]|[.,:/-]\d)"
AMOUNT = (
    r"(?!\s*(?:ms|kg|km|mb|gb|px|usd|eur|people|children|men|women|percent)\b)"
    r"(?!\s+(?!(?:was|does|this|has|his|its|always|perhaps|besides|towards|unless|across|thus|versus|plus|sales)\b)"
    r"[a-z]{3,}(?<!s)s\b)"
)
YEAR = r"(?P<year>" + PLAIN_YEAR + ")"
NUMBER = r"(?P<count>" + "|".join(sorted(NUMBERS, key=len, reverse=True)) + r"|\d{1,4})"
UNIT = r"(?P<unit>minute|hour|day|week|fortnight|month|quarter|year|decade)s?\b"
NTH = r"(?P<nth>[1-4](?:st|nd|rd|th)|first|second|third|fourth)"
WHICH = r"(?P<which>last|past|previous|this|current|next|coming)"
PART = r"(?P<part>morning|afternoon|evening|night)"
WEEKDAY = r"(?P<weekday>" + "|".join(WEEKDAYS) + r")\b"
_ASKS = re.compile(r"\b(?:on|since|before|until|till|by|after|from|between|and|last|to)$", re.I)
_ENDS = re.compile(r"\s*(?:$|[?.!,;)\n])")
# What ends a phrase that means a date only when nothing follows it.
STOP = r"(?=\s*(?:$|[?.!,;)\n]))"


class Point(NamedTuple):
    """A stretch of time and where its words end; a weak one counts only where the words before it ask for a time."""

    span: Span
    end: int
    weak: bool = False


Read = Callable[["re.Match[str]", datetime], Span | None]


def number(text: str) -> int:
    """Return a small number written in digits or words."""
    text = " ".join(text.lower().split())
    return NUMBERS[text] if text in NUMBERS else int(text)


def _nth(text: str) -> int:
    text = text.lower()
    return ORDINALS.index(text) + 1 if text in ORDINALS else int(re.sub(r"\D", "", text))


def _month(found: re.Match[str]) -> int:
    return MONTHS[found["month"].lower()]


def _iso(found: re.Match[str], now: datetime) -> Span | None:
    return spans.day(int(found["year"]), int(found["m"]), int(found["d"]))


def _iso_month(found: re.Match[str], now: datetime) -> Span | None:
    return spans.month(int(found["year"]), int(found["m"]))


def _slashed(found: re.Match[str], now: datetime) -> Span | None:
    a, b = int(found["a"]), int(found["b"])
    if a <= 12 and b <= 12 and a != b:
        return None  # half of the world reads it the other way round
    return spans.day(int(found["year"]), min(a, b) if a > 12 or b > 12 else a, max(a, b))


def _date(found: re.Match[str], now: datetime) -> Span | None:
    which, day = _month(found), _nth(found["d"])
    if found["year"]:
        return spans.day(int(found["year"]), which, day)
    if found["month"].lower() in MODAL and not found["suffix"] and not _asked(found):
        return None
    return spans.latest(lambda year: spans.day(year, which, day), now)


def _days(found: re.Match[str], now: datetime) -> Span | None:
    which, first, last = _month(found), int(found["d"]), int(found["e"])

    def make(year: int) -> Span | None:
        one, other = spans.day(year, which, first), spans.day(year, which, last)
        return spans.span(one.start, other.end, "span") if one and other else None

    return make(int(found["year"])) if found["year"] else spans.latest(make, now)


def _asked(found: re.Match[str]) -> bool:
    """Tell whether "may 8" is a date by what stands around it."""
    text = found.string
    before = text[: found.start()].rstrip()
    if _ASKS.search(before) or _ENDS.match(text, found.end()):
        return True
    # A capital in the middle of a sentence.
    return found["month"][0].isupper() and bool(before) and before[-1] not in ".?!:"


def _month_of(found: re.Match[str], now: datetime) -> Span | None:
    return spans.month(int(found["year"]), _month(found))


def _bare_month(found: re.Match[str], now: datetime) -> Span | None:
    name = found["month"].lower().rstrip(".")
    if name in DOUBTFUL and found.string[found.end() :].startswith(("'s", "\u2019s")):
        return None
    return spans.latest(lambda year: spans.month(year, MONTHS[name]), now)


def _which_month(found: re.Match[str], now: datetime) -> Span | None:
    which, day = _month(found), found["d"]
    make = (lambda year: spans.day(year, which, int(day))) if day else (lambda year: spans.month(year, which))
    # In March, "last March" is a year ago; "this March" is now.
    return spans.chosen(found["which"].lower(), make, spans.midnight(now).replace(day=1) if not day else now)


def _bare_year(found: re.Match[str], now: datetime) -> Span | None:
    # "in 2048" is more often a number than a plan.
    return spans.year(int(found["year"])) if int(found["year"]) <= now.year + 20 else None


def _quarter(found: re.Match[str], now: datetime) -> Span | None:
    which = _nth(found["q"] if found["q"] else found["nth"])
    make = spans.quarter if found["kind"].lower() in ("q", "quarter") else spans.half
    if which > (4 if make is spans.quarter else 2):
        return None
    if found["year"]:
        return make(int(found["year"]), which)
    return spans.latest(lambda year: make(year, which), now)


def _season(found: re.Match[str], now: datetime) -> Span | None:
    name = found["season"].lower()
    if found["year"]:
        return spans.season(int(found["year"]), name)
    which = (found["which"] or "").lower()
    if which:
        return spans.chosen(which, lambda year: spans.season(year, name), now)
    return spans.latest(lambda year: spans.season(year, name), now)


def _decade(found: re.Match[str], now: datetime) -> Span | None:
    if found["year"]:
        return spans.decade(int(found["year"]) // 10 * 10)
    short = int(found["short"])
    return spans.decade((1900 if short > now.year % 100 else 2000) + short)


def _holiday(found: re.Match[str], now: datetime) -> Span | None:
    month, day, days = HOLIDAYS[found["holiday"].lower().replace("\u2019", "'")]

    def make(year: int) -> Span | None:
        return spans.long(spans.at(year, month, day), days, "day")

    if found["year"]:
        return make(int(found["year"]))
    which = (found["which"] or "").lower()
    return spans.chosen(which, make, now) if which else spans.latest(make, now)


def _named_day(found: re.Match[str], now: datetime) -> Span | None:
    words = " ".join(found["day"].lower().split())
    shift = {"the day before yesterday": -2, "yesterday": -1, "tomorrow": 1, "the day after tomorrow": 2}
    base = spans.holding(now + shift.get(words, 0) * DAY, "day")
    return spans.part_of_day(base, found["part"].lower()) if base and found["part"] else base


def _part(found: re.Match[str], now: datetime) -> Span | None:
    words = " ".join(found[0].lower().split())
    part = words.split()[-1] if words != "tonight" else "night"
    base = spans.holding(now - DAY if words.startswith("last") else now, "day")
    return spans.part_of_day(base, part) if base else None


def _unit(found: re.Match[str], now: datetime) -> Span | None:
    unit = found["unit"].lower()
    which = found["which"].lower()
    if which == "past":
        return spans.span(spans.moved(now, -1, "day" if unit == "weekend" else unit), _just(now), "span")
    step = {"last": -1, "previous": -1, "next": 1, "coming": 1}.get(which, 0)
    if unit == "weekend":
        there = spans.moved(now, step, "week")
    else:
        there = spans.moved(spans.midnight(now).replace(day=1) if unit in spans.MONTHS_IN else now, step, unit)
    return spans.holding(there, unit) if there else None


def _rolling(found: re.Match[str], now: datetime) -> Span | None:
    count = number(found["count"]) if found["count"] else 1
    return spans.span(spans.moved(now, -count, found["unit"].lower()), _just(now), "span")


def _just(now: datetime) -> datetime:
    return now + timedelta(milliseconds=1)


def _ago(found: re.Match[str], now: datetime) -> Span | None:
    unit, words = found["unit"].lower(), (found["count"] or "1").lower()
    count = number(words)
    if words.endswith(("few", "several")):
        return spans.span(spans.moved(now, -2 * count, unit), spans.moved(now, 1 - count, unit), "span")
    if found["half"]:
        count, unit = {"year": (6, "month"), "hour": (30, "minute"), "day": (12, "hour")}.get(unit, (count, unit))
    there = spans.moved(now, -count, unit)
    if there and unit in spans.MONTHS_IN:
        return spans.holding(there, unit)
    return spans.near(there, unit)


def _weekday(found: re.Match[str], now: datetime) -> Span | None:
    there = WEEKDAYS.index(found["weekday"].lower())
    today = spans.midnight(now)
    which = (found["which"] or "").lower()
    week = (found["week"] or "").lower()
    if week or which in ("this", "current"):
        step = {"last": -7, "previous": -7, "past": -7, "next": 7}.get(week, 0)
        start = today + (there - today.weekday() + step) * DAY
    elif which in ("next", "coming"):
        start = today + ((there - today.weekday() - 1) % 7 + 1) * DAY
    else:
        start = today - ((today.weekday() - there - (1 if which else 0)) % 7 + (1 if which else 0)) * DAY
    base = spans.long(start, 1, "day")
    return spans.part_of_day(base, found["part"].lower()) if base and found["part"] else base


def _day_number(found: re.Match[str], now: datetime) -> Span | None:
    for back in range(3):
        first = spans.moved(spans.midnight(now).replace(day=1), -back, "month")
        made = spans.day(first.year, first.month, _nth(found["d"])) if first else None
        if made and made.start <= now:
            return made
    return None


_OF_YEAR = r"(?:,?\s+(?:of\s+)?" + YEAR + ")?"
_DAY = r"(?P<d>[0-3]?\d)(?!\d)(?P<suffix>st|nd|rd|th)?\b(?![.,:/]\d|%)"
_DAY_WORD = r"(?P<d>[0-3]?\d(?!\d)|" + "|".join(ORDINALS) + r")(?P<suffix>st|nd|rd|th)?"
_TO = r"\s*(?:-|\u2013|to|through)\s*"

# The first that fits is taken. Each: is it weak, its pattern, and what reads it.
RULES: list[tuple[bool, "re.Pattern[str]", Read]] = [
    (weak, re.compile(pattern, re.I), read)
    for weak, pattern, read in (
        (False, r"(?P<year>(?:19|20)\d\d)(?P<sep>[-/])(?P<m>[01]?\d)(?P=sep)(?P<d>[0-3]?\d)(?![\d/-]|\.\d)", _iso),
        (False, r"(?P<year>(?:19|20)\d\d)-(?P<m>0[1-9]|1[0-2])(?![\w-]|\.\d)", _iso_month),
        (False, r"(?P<a>[0-3]?\d)/(?P<b>[0-3]?\d)/(?P<year>(?:19|20)\d\d)(?![\d/])", _slashed),
        (False, MONTH + r"\s+(?P<d>[0-3]?\d)" + _TO + r"(?P<e>[0-3]?\d)(?!\d|[.,:/]\d)\b" + _OF_YEAR, _days),
        (False, r"(?P<d>[0-3]?\d)" + _TO + r"(?P<e>[0-3]?\d)\s+" + MONTH + _OF_YEAR, _days),
        (False, MONTH + r"\s+(?:the\s+)?" + _DAY + _OF_YEAR, _date),
        (False, r"(?:the\s+)?" + _DAY_WORD + r"\s+(?:of\s+)?" + MONTH + _OF_YEAR, _date),
        (False, MONTH + r",?\s+(?:of\s+)?" + YEAR, _month_of),
        (False, WHICH + r"\s+" + MONTH + r"(?:\s+(?P<d>[0-3]?\d)(?!\d)(?:st|nd|rd|th)?)?", _which_month),
        (False, r"(?P<kind>(?-i:[QH]))(?P<q>[1-4])(?P<nth>)[\s,/-]*(?:of\s+)?" + YEAR, _quarter),
        (False, YEAR + r"[\s-]*(?P<kind>(?-i:[QH]))(?P<q>[1-4])(?P<nth>)\b", _quarter),
        (True, r"(?P<kind>(?-i:Q))(?P<q>[1-4])(?P<nth>)(?P<year>)\b", _quarter),
        (False, r"(?:the\s+)?" + NTH + r"(?P<q>)\s+(?P<kind>quarter|half)\s+of\s+" + YEAR, _quarter),
        (False, WHICH + r"\s+(?P<season>spring|summer|autumn|fall|winter)\b(?P<year>)(?!\s+of\b)", _season),
        (False, r"(?P<which>)(?:the\s+)?(?P<season>spring|summer|autumn|fall|winter),?\s+(?:of\s+)?" + YEAR, _season),
        (True, r"(?P<which>)the\s+(?P<season>spring|summer|autumn|fall|winter)\b(?P<year>)" + STOP, _season),
        (True, r"(?P<which>)(?P<season>(?-i:spring|summer|autumn|winter))\b(?P<year>)" + STOP, _season),
        (False, r"(?:the\s+)?(?P<year>(?:19|20)\d0)'?s\b(?P<short>)", _decade),
        (False, r"the\s+['\u2019](?P<short>\d0)s\b(?P<year>)", _decade),
        (False, WHICH + r"\s+(?P<holiday>" + "|".join(HOLIDAYS) + r")\b(?P<year>)", _holiday),
        (False, r"(?P<which>)(?P<holiday>" + "|".join(HOLIDAYS) + r")\s+(?:of\s+)?" + YEAR, _holiday),
        (True, r"(?P<which>)(?P<holiday>" + "|".join(HOLIDAYS) + r")\b(?P<year>)", _holiday),
        (
            False,
            r"(?P<day>the\s+day\s+before\s+yesterday|the\s+day\s+after\s+tomorrow|yesterday|tomorrow|today)\b"
            r"(?:\s+" + PART + r"\b)?",
            _named_day,
        ),
        (False, r"(?:this\s+(?:morning|afternoon|evening)|last\s+(?:night|evening)|tonight)\b", _part),
        (False, WHICH + r"\s+" + WEEKDAY + r"(?:\s+" + PART + r"\b)?(?P<week>)", _weekday),
        (False, WEEKDAY + r"\s+(?:of\s+)?(?P<week>last|this|next)\s+week\b(?P<which>)(?P<part>)", _weekday),
        (True, r"(?P<which>)(?P<week>)" + WEEKDAY + r"(?:\s+" + PART + r"\b)?", _weekday),
        (
            False,
            r"(?:(?:in|over|during|within|for|throughout)\s+)(?:the\s+|these\s+)?(?:last|past|previous)\s+(?:"
            + NUMBER + r"\s+)?" + UNIT + r"(?!\s+of\b)",
            _rolling,
        ),
        (False, r"(?:the\s+|these\s+)?(?:last|past|previous)\s+" + NUMBER + r"\s+" + UNIT + r"(?!\s+of\b)", _rolling),
        (False, WHICH + r"\s+(?P<unit>hour|week|weekend|fortnight|month|quarter|year|decade)\b(?!\s+of\b)", _unit),
        (False, r"(?:(?P<half>half\s+)(?=an?\s))?" + NUMBER + r"\s+" + UNIT + r"\s+ago\b", _ago),
        (True, MONTH, _bare_month),
        (True, YEAR + AMOUNT, _bare_year),
        (False, r"(?<=on\s)the\s+(?P<d>[0-3]?\d)(?:st|nd|rd|th)" + STOP, _day_number),
    )
]  # fmt: skip
_PARTIAL = re.compile(
    r"(?:the\s+)?(?:(?P<how>early|mid|late)(?:\s+in)?[\s-]+|(?P<part>beginning|start|middle|end)\s+of\s+)", re.I
)
_NTH_PART = re.compile(r"(?:the\s+)?(?P<nth>first|second|third|fourth|last)\s+(?P<unit>week|weekend|day)\s+of\s+", re.I)
_THIRDS = {"beginning": "early", "start": "early", "middle": "mid", "end": "late"}


def point(text: str, start: int, now: datetime, *, whole: bool = True) -> Point | None:
    """Return the point in time whose words begin exactly at `start`; without `whole`, no part of another one."""
    for weak, pattern, read in RULES:
        if (found := pattern.match(text, start)) and (made := read(found, now)):
            return Point(made, found.end(), weak)
    return _partial(text, start, now) or _nth_part(text, start, now) if whole else None


def _partial(text: str, start: int, now: datetime) -> Point | None:
    found = _PARTIAL.match(text, start)
    inner = point(text, found.end(), now, whole=False) if found else None
    if found is None or inner is None or inner.span.end - inner.span.start < 7 * DAY:
        return None
    made = spans.third(inner.span, (found["how"] or _THIRDS[found["part"].lower()]).lower())
    return Point(made, inner.end) if made else None


def _nth_part(text: str, start: int, now: datetime) -> Point | None:
    found = _NTH_PART.match(text, start)
    inner = point(text, found.end(), now, whole=False) if found else None
    if found is None or inner is None or inner.span.end - inner.span.start < 28 * DAY:
        return None
    base, nth, unit = inner.span, found["nth"].lower(), found["unit"].lower()
    days = 1 if unit == "day" else 7
    if nth == "last":
        made = spans.span(base.end - days * DAY, base.end, unit)
    else:
        made = spans.long(base.start + ORDINALS.index(nth) * days * DAY, days, "day", unit)
    return Point(made._replace(dated=base.dated), inner.end) if made else None

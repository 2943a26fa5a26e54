"""Stretches of time on the calendar (UTC), and how far one lies from another."""

import calendar
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

# What is said of other years is a number, a model or a plan for the stars.
FIRST_YEAR, LAST_YEAR = 1900, 2099

HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
LENGTHS = {"minute": timedelta(minutes=1), "hour": HOUR, "day": DAY, "week": WEEK, "fortnight": 2 * WEEK}
MONTHS_IN = {"month": 1, "quarter": 3, "year": 12, "decade": 120}
# Centred on a moment: what "two weeks ago" may mean.
ABOUT = {
    "minute": HOUR / 12,
    "hour": HOUR / 2,
    "week": 3 * DAY,
    "fortnight": 3 * DAY,
    "month": 15 * DAY,
    "quarter": 45 * DAY,
    "year": 182 * DAY,
}
ABOUT["decade"] = 1826 * DAY
SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
# Wide, because the asker's clock may be hours away from UTC.
PARTS = {"morning": (4, 12), "afternoon": (11, 18), "evening": (17, 24), "night": (18, 30)}


class Span(NamedTuple):
    """From `start` up to, but without, `end`. `dated` tells whether its year was said."""

    start: datetime
    end: datetime
    kind: str
    dated: bool = True


def ms(moment: datetime) -> int:
    """Return epoch milliseconds."""
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))


def at(year: int, month: int = 1, day: int = 1) -> datetime | None:
    """Return the beginning of a day; None where the calendar has no such day, or nobody speaks of such a year."""
    try:
        return datetime(year, month, day, tzinfo=UTC) if FIRST_YEAR <= year <= LAST_YEAR + 1 else None
    except ValueError:
        return None


def moved(moment: datetime, count: int, unit: str) -> datetime | None:
    """Return the moment `count` units later (earlier where negative), on the calendar for months and years."""
    try:
        if unit in LENGTHS:
            return moment + count * LENGTHS[unit]
        year, month = divmod(moment.year * 12 + moment.month - 1 + count * MONTHS_IN[unit], 12)
        last = calendar.monthrange(year, month + 1)[1]
        return moment.replace(year=year, month=month + 1, day=min(moment.day, last))
    except (OverflowError, ValueError):
        return None


def span(start: datetime | None, end: datetime | None, kind: str) -> Span | None:
    """Return the stretch between two moments; None where one is missing, or both are not in order or out of reach."""
    if start is None or end is None or start >= end or start.year < FIRST_YEAR or ms(end) > ms(_END):
        return None
    return Span(start, end, kind)


def long(start: datetime | None, count: int, unit: str, kind: str = "") -> Span | None:
    """Return the stretch of `count` units from `start` on."""
    return span(start, moved(start, count, unit), kind or unit) if start else None


def day(year: int, month: int, number: int) -> Span | None:
    """Return one day."""
    return long(at(year, month, number), 1, "day")


def month(year: int, number: int) -> Span | None:
    """Return one month."""
    return long(at(year, number), 1, "month")


def year(number: int) -> Span | None:
    """Return one year."""
    return long(at(number), 1, "year")


def decade(first: int) -> Span | None:
    """Return the ten years from `first` on."""
    return long(at(first), 1, "decade")


def quarter(number: int, which: int) -> Span | None:
    """Return a quarter, 1 to 4, of a year."""
    return long(at(number, 3 * which - 2), 1, "quarter")


def half(number: int, which: int) -> Span | None:
    """Return a half, 1 or 2, of a year."""
    return long(at(number, 6 * which - 5), 6, "month", "half")


def season(number: int, name: str) -> Span | None:
    """Return three months by the weather of the north; the winter of a year begins in its December."""
    return long(at(number, SEASONS[name]), 3, "month", "season")


def midnight(moment: datetime) -> datetime:
    """Return the beginning of the day of a moment."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def holding(moment: datetime, unit: str) -> Span | None:
    """Return the hour, day, week (from Monday), weekend, month, quarter, year or decade that a moment lies in."""
    today = midnight(moment)
    monday = today - today.weekday() * DAY
    if unit in ("minute", "hour"):
        return long(moment.replace(minute=0, second=0, microsecond=0), 1, "hour")
    starts = {
        "day": today,
        "week": monday,
        "fortnight": monday,
        "weekend": monday + 5 * DAY,
        "month": today.replace(day=1),
        "quarter": today.replace(month=3 * ((today.month - 1) // 3) + 1, day=1),
        "year": today.replace(month=1, day=1),
    }
    if unit == "weekend":
        return long(starts[unit], 2, "day", "weekend")
    if unit == "decade":
        return decade(today.year // 10 * 10)
    return long(starts[unit], 1, unit)


def latest(make: Callable[[int], Span | None], now: datetime) -> Span | None:
    """Return the last of what comes once a year that has begun; a leap day may lie eight years back."""
    found = (make(number) for number in range(now.year, now.year - 9, -1))
    return next((one._replace(dated=False) for one in found if one and one.start <= now), None)


def chosen(which: str, make: Callable[[int], Span | None], now: datetime) -> Span | None:
    """Return the one of last time, of this year, or of next time, of what comes once a year."""
    if which in ("last", "past", "previous"):
        found = (make(number) for number in range(now.year, now.year - 9, -1))
        return next((one for one in found if one and one.end <= now), None)
    if which in ("next", "coming"):
        found = (make(number) for number in range(now.year, now.year + 9))
        return next((one for one in found if one and one.start > now), None)
    return make(now.year)


def near(moment: datetime | None, unit: str) -> Span | None:
    """Return the stretch that a distance in these units points at: the day itself, days around it for longer units."""
    if moment is None:
        return None
    if unit in ("minute", "hour"):
        return span(moment - ABOUT[unit], moment + ABOUT[unit], unit)
    today = midnight(moment)
    wide = ABOUT.get(unit, timedelta(0))
    return span(today - wide, today + wide + DAY, unit)


def beside(base: Span, count: int, unit: str, *, within: bool) -> Span | None:
    """Return what lies `count` units after a stretch, before it where negative.

    `within` takes all that lies between; otherwise only what stands about that far away.
    """
    before = count < 0
    if within:
        edge = base.start if before else base.end
        other = moved(edge, count, unit)
        return span(other, edge, "span") if before else span(edge, other, "span")
    # From its first day, or from its last.
    edge = base.start if before or base.end - base.start < DAY else base.end - DAY
    return near(moved(edge, count, unit), unit)


def third(base: Span, which: str) -> Span | None:
    """Return the early, middle or late third of a stretch, in whole days."""
    step = (base.end - base.start) / 3
    first, second = midnight(base.start + step), midnight(base.start + 2 * step)
    ends = {"early": (base.start, first), "mid": (first, second), "late": (second, base.end)}[which]
    found = span(*ends, "part")
    return found._replace(dated=base.dated) if found else None


def part_of_day(base: Span, name: str) -> Span | None:
    """Return the morning, afternoon, evening or night of a day."""
    first, last = PARTS[name]
    return span(base.start + first * HOUR, base.start + last * HOUR, "part")


_END = datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)
EARLIEST = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
LATEST = _END

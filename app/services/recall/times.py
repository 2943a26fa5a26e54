"""The stretches of time that a question speaks of, those told from an event looked up in the memories themselves."""

from collections.abc import Callable
from typing import Any, TypeAlias

from app.services.recall.when import ANCHORED, Window, resolve, windows
from graph.labels import NEVER

Row: TypeAlias = dict[str, Any]
Boundaries: TypeAlias = tuple[int, int]


def spoken(text: str, now: int, moment_of: Callable[[str], int | None]) -> list[Window]:
    """Return the windows of a question; `moment_of` tells when what some words name took place (epoch ms), or None."""
    found = []
    for window in windows(text, now):
        if window.kind != ANCHORED:
            found.append(window)
        elif (moment := moment_of(window.anchor)) is not None:
            found.append(resolve(window, moment))
    return [window for window in found if window.kind != ANCHORED]


def restricted(filters: Row, times: list[Window]) -> Row:
    """Return conditions that also demand a moment between the first beginning and the last end of these windows."""
    if not times:
        return filters
    first, last = min(each.from_ms for each in times), max(each.to_ms for each in times)
    return {
        **filters,
        "occurred_after": max(first, filters.get("occurred_after", first)),
        "occurred_before": min(last, filters.get("occurred_before", last), NEVER),
    }

"""Metadata filters: equality by key, and the operators `$eq $ne $in $gt $gte $lt $lte $exists $and $or $not`."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from app.errors import invalid

FIELD = "metadata_filter"
DEEPEST = 8
_ABSENT = object()


def check(wanted: Mapping[str, Any], depth: int = DEEPEST) -> None:
    """Refuse a filter that cannot be understood.

    Raises:
        Invalid: an unknown operator, a wrong operand, or too deep a nesting.
    """
    if depth == 0:
        raise invalid(FIELD, "must not be nested so deeply")
    for key, value in wanted.items():
        if key in ("$and", "$or"):
            if not isinstance(value, list) or not value or not all(isinstance(each, dict) for each in value):
                raise invalid(FIELD, f"{key} takes a list of filters")
            for each in value:
                check(each, depth - 1)
        elif key == "$not":
            if not isinstance(value, dict):
                raise invalid(FIELD, "$not takes a filter")
            check(value, depth - 1)
        elif key.startswith("$"):
            raise invalid(FIELD, f"{key[:40]} stands before no key; use $and, $or or $not there")
        elif _is_test(value):
            _check_test(value)


def matches(wanted: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    """Tell whether metadata passes a checked filter. A key that is absent passes `$ne`, `$exists: false` and `$not`."""
    return all(_holds(key, value, metadata) for key, value in wanted.items())


def pieces(wanted: Mapping[str, Any]) -> list[str]:
    """Return bits of compact JSON that every metadata text which passes must contain; there may be none.

    They let the database drop most of what `matches` would refuse.
    """
    found = []
    for key, value in wanted.items():
        if key == "$and":
            found += [piece for each in value for piece in pieces(each)]
        elif key.startswith("$"):
            continue
        elif isinstance(value, str | bool) or value is None:
            found.append(_text({key: value}))
        elif not _is_test(value) or value.keys() & {"$eq", "$in", "$gt", "$gte", "$lt", "$lte"}:
            found.append(_text({key: None}).removesuffix("null"))
    return found


def text_of(metadata: Mapping[str, Any]) -> str:
    """Return metadata as it is stored: compact JSON."""
    return orjson.dumps(metadata).decode()


def _text(pair: dict[str, Any]) -> str:
    return text_of(pair)[1:-1]


def _is_test(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(name.startswith("$") for name in value)


def _check_test(test: Mapping[str, Any]) -> None:
    for name, operand in test.items():
        if name not in TESTS:
            raise invalid(FIELD, f"{name[:40]} is no operator; use one of {', '.join(sorted(TESTS))}")
        if name == "$in" and not isinstance(operand, list):
            raise invalid(FIELD, "$in takes a list")
        if name == "$exists" and not isinstance(operand, bool):
            raise invalid(FIELD, "$exists takes true or false")


def _holds(key: str, value: Any, metadata: Mapping[str, Any]) -> bool:
    if key == "$and":
        return all(matches(each, metadata) for each in value)
    if key == "$or":
        return any(matches(each, metadata) for each in value)
    if key == "$not":
        return not matches(value, metadata)
    stored = metadata.get(key, _ABSENT)
    if _is_test(value):
        return all(TESTS[name](stored, operand) for name, operand in value.items())
    return _equal(stored, value)


def _equal(stored: Any, wanted: Any) -> bool:
    # To Python True is 1; to JSON they are strangers.
    if isinstance(stored, bool) or isinstance(wanted, bool):
        return stored is wanted
    return bool(stored == wanted)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def test(stored: Any, wanted: Any) -> bool:
        numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (stored, wanted))
        return (numbers or (isinstance(stored, str) and isinstance(wanted, str))) and compare(stored, wanted)

    return test


TESTS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": _equal,
    "$ne": lambda stored, wanted: not _equal(stored, wanted),
    "$in": lambda stored, wanted: any(_equal(stored, each) for each in wanted),
    "$exists": lambda stored, wanted: (stored is not _ABSENT) is wanted,
    "$gt": _ordered(lambda stored, wanted: stored > wanted),
    "$gte": _ordered(lambda stored, wanted: stored >= wanted),
    "$lt": _ordered(lambda stored, wanted: stored < wanted),
    "$lte": _ordered(lambda stored, wanted: stored <= wanted),
}

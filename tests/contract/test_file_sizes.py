"""Files stay small enough to be read in one go."""

from __future__ import annotations

import statistics

import pytest

from tests.contract import sources

pytestmark = pytest.mark.static

HARD_CAP = 400
MEDIAN_BELOW = 130
ADAPTERS_TOGETHER = 1_500
SOURCE_SUFFIXES = (".py", ".js", ".mjs", ".css", ".html", ".sh", ".cypher")


def lengths(*prefixes: str) -> dict[str, int]:
    """Return the number of lines of every tracked source file below `prefixes` ("" for all)."""
    return {
        path: len(sources.text(path).splitlines())
        for path in sources.tracked()
        if path.endswith(SOURCE_SUFFIXES) and path.startswith(prefixes)
    }


def test_no_source_file_is_longer_than_the_cap() -> None:
    assert {path: lines for path, lines in lengths("").items() if lines > HARD_CAP} == {}


def test_half_of_the_packages_files_are_short() -> None:
    written = [lines for lines in lengths("app/", "graph/").values() if lines]
    assert statistics.median(written) < MEDIAN_BELOW


def test_adapters_only_translate() -> None:
    found = [lines for path, lines in lengths("app/compat/").items() if not path.endswith("_schemas.py")]
    assert sum(found) <= ADAPTERS_TOGETHER

"""The pictures of the graph show what the code makes, all of it and nothing else."""

from __future__ import annotations

import re

import pytest

from tests.contract import sources
from tests.contract.cypher import every_query

pytestmark = pytest.mark.static

CLAUSE = re.compile(
    r"\b(?:MATCH|CREATE|MERGE|WITH|RETURN|UNWIND|WHERE|SET|REMOVE|DELETE|DETACH|CALL|FOREACH|ON|ORDER|FINISH|UNION)\b"
)
MAKING = {"CREATE", "MERGE"}
LABELS = re.compile(r"\(\s*\w*((?:\s*:\s*[A-Z]\w+)+)")
SET_LABELS = re.compile(r"\bSET \w+((?::[A-Z]\w+)+)")
TYPES = re.compile(r"\[\s*\w*\s*:\s*([A-Z_|]+)")
ARROW = re.compile(r"^ +(\w+) -- \"?([A-Z_, ]+?)\"? --> (\w+)$", re.MULTILINE)


def made(query: str) -> tuple[set[str], set[str]]:
    """Return the labels and the relationship types that a query makes."""
    starts = [*CLAUSE.finditer(query)]
    ends = [clause.start() for clause in starts[1:]] + [len(query)]
    parts = [query[one.start() : end] for one, end in zip(starts, ends, strict=True) if one.group() in MAKING]
    text = "\n".join(parts)
    named = LABELS.findall(text) + SET_LABELS.findall(query)
    types = {one for found in TYPES.findall(text) for one in found.split("|")}
    return {label for found in named for label in re.findall(r"\w+", found)}, types


MADE = [made(query) for query in every_query().values()]
LABELS_MADE = {label for labels, _ in MADE for label in labels}
TYPES_MADE = {one for _, types in MADE for one in types}


def drawn(page: str) -> tuple[set[str], set[str]]:
    """Return the labels and the relationship types in the pictures of a page."""
    arrows = ARROW.findall(sources.text(page))
    types = {one for _, named, _ in arrows for one in re.findall(r"\w+", named)}
    return {end for start, _, stop in arrows for end in (start, stop)}, types


def listed() -> set[str]:
    """Return the labels in the table of nodes."""
    rows = sources.text("docs/browser.md").partition("| node |")[2].partition("\n\n")[0].splitlines()[2:]
    return {label for row in rows for label in re.findall(r"\w+", row.split("|")[1])}


class TestWhatQueriesMake:
    def test_is_told_from_what_they_only_read(self) -> None:
        query = (
            "CYPHER 25 MATCH (a:Agent)-[:WORKS_ON]->(p) SET p:Searchable MERGE (d:Decision {tenant: $tenant}) "
            "ON CREATE SET d.name = $name FOREACH (x IN $all | CREATE (d)-[:REPLACES {from: 1}]->(p), (d)-[:TO]->(a)) "
            "WITH d MATCH (e:Entity)-[:NAMES]->(d) RETURN d"
        )
        assert made(query) == ({"Searchable", "Decision"}, {"REPLACES", "TO"})

    def test_is_all_that_they_read(self) -> None:
        read = {one for query in every_query().values() for found in TYPES.findall(query) for one in found.split("|")}
        assert read - TYPES_MADE == set()


class TestPage:
    def test_draws_every_type_of_relationship_and_no_other(self) -> None:
        assert drawn("docs/browser.md")[1] == TYPES_MADE

    def test_lists_every_label_and_no_other(self) -> None:
        assert listed() == LABELS_MADE

    def test_lists_what_it_draws(self) -> None:
        assert drawn("docs/browser.md")[0] <= listed()


class TestReadme:
    def test_draws_nothing_that_is_not_there(self) -> None:
        labels, types = drawn("README.md")
        assert labels
        assert labels <= LABELS_MADE
        assert types <= TYPES_MADE


class TestStyleSheet:
    def test_has_a_style_for_every_label(self) -> None:
        styled = set(re.findall(r"^node\.(\w+)", sources.text("docs/browser.grass"), re.MULTILINE))
        assert styled == LABELS_MADE - {"Searchable"}  # a second label: the first one gives the colour

    def test_styles_no_relationship_that_is_not_there(self) -> None:
        styled = set(re.findall(r"^relationship\.(\w+)", sources.text("docs/browser.grass"), re.MULTILINE))
        assert styled
        assert styled <= TYPES_MADE

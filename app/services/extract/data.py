"""Reads the word lists in `data/`. They are our own, and small on purpose: a list is a hint, the rules decide."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from .mention import EntityType

GAZETTEERS: tuple[EntityType, ...] = (
    "document",
    "metric",
    "concept",
    "event",
    "product",
    "organization",
    "technology",
    "location",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list: the name to show, its other spellings, and whether it is an ordinary word as well."""

    name: str
    aliases: tuple[str, ...]
    ordinary: bool
    entity_type: EntityType


def _lines(name: str) -> list[str]:
    text = files(__package__).joinpath("data", f"{name}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


@cache
def words(name: str) -> frozenset[str]:
    """The words of a list separated by blanks."""
    return frozenset(word for line in _lines(name) for word in line.split())


@cache
def people() -> dict[str, bool]:
    """First name in lower case -> whether it is an ordinary word as well."""
    return {word.rstrip("~"): word.endswith("~") for line in _lines("people") for word in line.split()}


@cache
def entries() -> tuple[Entry, ...]:
    """Every entry of the lists separated by commas, each with the type its file is named after."""
    found = []
    for entity_type in GAZETTEERS:
        for line in _lines(entity_type):
            for item in line.split(","):
                spelled = [part.strip() for part in item.split("|")]
                name = spelled[0].lstrip("~")
                if name:
                    found.append(Entry(name, tuple(spelled[1:]), spelled[0].startswith("~"), entity_type))
    return tuple(found)

"""What extraction returns, and the closed list of entity types."""

import re
from dataclasses import dataclass
from typing import Literal

EntityType = Literal[
    "person",
    "organization",
    "technology",
    "project",
    "product",
    "location",
    "document",
    "metric",
    "event",
    "skill",
    "concept",
    "other",
]
Source = Literal["rule", "known", "llm"]

ENTITY_TYPES: frozenset[str] = frozenset(EntityType.__args__)  # type: ignore[attr-defined]
MAX_NAME = 255
NOT_IN_TEXT = -1

_DATE_KEY = re.compile(r"\d{4}(?:-(?:\d\d(?:-\d\d)?|q[1-4]))?|--\d\d-\d\d")
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Mention:
    """One name found in a text.

    `key` is `name_key(name)`, except for dates, where it is the ISO form ("2024-05-12", "2024-05", "2024-q3", "2024",
    "--05-12" when no year is given). `confidence` lies in (0, 1]. `start` and `end` are character offsets of the first
    occurrence, both -1 when the name comes from the title and does not occur in the text. `entity_id` is set when
    the name is one the tenant already has.
    """

    name: str
    key: str
    entity_type: EntityType
    confidence: float
    start: int
    end: int
    about: bool = False
    source: Source = "rule"
    entity_id: str | None = None

    @property
    def is_date(self) -> bool:
        """True for years, months and days, which are worth showing but make useless hubs in a graph."""
        return is_date_key(self.key)


def is_date_key(key: str) -> bool:
    """Whether `key` is one that extraction gives to a date (see `Mention`)."""
    return _DATE_KEY.fullmatch(key) is not None


def clean_name(raw: str) -> str | None:
    """`raw` with its whitespace folded, or None when it cannot be the name of an entity."""
    name = _SPACE.sub(" ", raw).strip()
    if not name or len(name) > MAX_NAME or not name.isprintable() or not any(c.isalnum() for c in name):
        return None
    return name

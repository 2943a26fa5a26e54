"""Who calls, what it has made, and the tables that say how things are made."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.callers import Caller

_numbers = itertools.count()
STORY = "Priya Raman moved the Billing Service from Oracle to PostgreSQL in Lisbon"
# Filled by the package from the files of its nouns.
MAKERS: Makers = {}


@dataclass
class World:
    """A caller, and the instances it has made. `names` is another world whose ids are used instead of its own."""

    caller: Caller
    marker: str = ""
    names: World | None = None
    made: dict[str, str] = field(default_factory=dict)

    def text(self, words: str = STORY) -> str:
        """Return a text with the marker in it."""
        return f"{words} {self.marker}".strip()

    def fresh(self, stem: str = "thing") -> str:
        """Return a name nobody has, made of small letters, digits and hyphens, with the marker in it."""
        return "-".join(part for part in (stem, self.marker, str(next(_numbers))) if part)

    def id(self, parameter: str) -> str:
        """Return what a path names an instance by; it is made on first use."""
        if self.names is not None:
            return self.names.id(parameter)
        if parameter not in self.made:
            if parameter not in MAKERS:
                pytest.fail(
                    f"add MAKERS[{parameter!r}] to its noun in tests/contract/examples: it makes one and returns its id"
                )
            self.made[parameter] = MAKERS[parameter](self)
        return self.made[parameter]

    def create(self, path: str, **body: Any) -> dict[str, Any]:
        """POST and return the answer."""
        response = self.caller.post(path, body)
        assert response.status_code in (200, 201, 202), (path, response.get_json())
        found: dict[str, Any] = response.get_json()
        return found


Makers = dict[str, Callable[[World], str]]
Makes = dict[str, Callable[[World], Any]]

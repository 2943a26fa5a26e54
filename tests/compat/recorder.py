"""What the routes of a dialect answer, noted by its tests: the table of it in `docs/compatibility.md` is made here.

A test module makes one `Recorder`, gives it each answer with the status that it must have, and then asks for `faults`
and `is_written`. With LOCI_TEST_WRITE_TABLES set the table is written (`make compatibility`), else only compared.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.test import TestResponse

from app.dialects import Dialect
from scripts.compatibility import PAGE
from scripts.docs import with_part

OTHER_VERBS, OTHER_PATHS = "other verbs", "other paths"
WRITE = "LOCI_TEST_WRITE_TABLES"


@dataclass
class Noted:
    """What one route answered, and what was wrong with it."""

    statuses: set[int] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


class Recorder:
    """Notes answers to requests below the prefix of a dialect that `app` serves."""

    def __init__(self, app: Flask, dialect: Dialect) -> None:
        self.dialect = dialect
        self.matcher = app.url_map.bind("localhost")
        self.noted: dict[str, Noted] = {}
        self.served = {
            f"{verb} {shown(rule.rule)}"
            for rule in app.url_map.iter_rules()
            for verb in (rule.methods or set()) - {"HEAD", "OPTIONS"}
            if f"{rule.rule}/".startswith(f"{dialect.prefix}/")
        }

    def __call__(self, response: TestResponse, wanted: int, *faults: str) -> Any:
        """Note an answer that must have the status `wanted`, and what else is wrong; return its JSON, if it has any."""
        self.note(response.request.method, response.request.path, response.status_code, wanted, *faults)
        return response.get_json(silent=True)

    def note(self, verb: str, path: str, status: int, wanted: int, *faults: str) -> None:
        """Note the status of a request, and what else is wrong with its answer."""
        one = self.noted.setdefault(self.route(verb, path), Noted())
        one.statuses.add(status)
        one.faults += faults
        if status != wanted:
            one.faults.append(f"answered {status}, must be {wanted}")

    def route(self, verb: str, path: str) -> str:
        """Return the route that a request was for, as the table names it."""
        try:
            rule, _ = self.matcher.match(path, verb, return_rule=True)
        except MethodNotAllowed:
            return OTHER_VERBS
        except NotFound:
            return OTHER_PATHS
        return f"{verb} {shown(rule.rule)}"

    @property
    def faults(self) -> list[str]:
        """One sentence for each answer that is not as it must be, and for each route that was never called."""
        found = [f"{route}: {fault}" for route, one in self.noted.items() for fault in one.faults]
        return found + [f"{route}: never called" for route in sorted(self.served - self.noted.keys())]

    def table(self) -> str:
        """Return the Markdown table: what was noted first stands first."""
        rows = ["| route | answers seen | result |", "|---|---|---|"]
        for route, one in self.noted.items():
            name = route if route in (OTHER_VERBS, OTHER_PATHS) else f"`{route}`"
            seen = " ".join(str(status) for status in sorted(one.statuses))
            rows.append(f"| {name} | {seen} | {'; '.join(one.faults) or 'pass'} |")
        return "\n".join(rows)

    def is_written(self) -> bool:
        """Tell whether the page has this table, in its part named after the dialect; write it where that is asked."""
        page = PAGE.read_text("utf-8")
        wanted = with_part(page, self.dialect.name, self.table())
        if wanted != page and os.environ.get(WRITE):
            PAGE.write_text(wanted, "utf-8")
            return True
        return wanted == page


def shown(rule: str) -> str:
    """Return a rule of the router as documentation writes it."""
    return rule.replace("<", "{").replace(">", "}")

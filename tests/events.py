"""What was told of a tenant: its events, read straight from the graph, in the order of the changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from app.state import State

TOLD = """
CYPHER 25
MATCH (e:Event {tenant: $tenant}) WHERE e.at > $since
RETURN e.id AS id, e.type AS type, e.noun AS noun, e.noun_id AS noun_id, e.data AS data, e.at AS at ORDER BY e.at
"""


@dataclass
class Told:
    """The events of one tenant since it was last asked."""

    parts: State
    tenant: str
    since: int = 0

    def rows(self) -> list[dict[str, Any]]:
        """Return the events since the last call, `data` opened."""
        found = self.parts.graph.read(TOLD, tenant=self.tenant, since=self.since)
        self.since = max([self.since, *(row["at"] for row in found)])
        return [{**row, "data": orjson.loads(row["data"])} for row in found]

    def names(self) -> list[str]:
        """Return the names of the events since the last call, in the order of the alphabet."""
        return sorted(row["type"] for row in self.rows())

    def one(self) -> dict[str, Any]:
        """Return the only event since the last call."""
        (row,) = self.rows()
        return row

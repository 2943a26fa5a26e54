"""Why a memory was found: the names that tie it to the memory, or to the question, that led there."""

from collections.abc import Sequence

from graph.naming import shown_name
from graph.records import Row
from graph.repository import Repository

# The name that fewest memories share says most. `how` is the relationship on the side of what was found.
BETWEEN = """
CYPHER 25
UNWIND $pairs AS pair
MATCH (a:Memory {tenant: $tenant, id: pair[0]})-[:MENTIONS]->(e:Entity)<-[r:ABOUT|MENTIONS]-
  (m:Memory {tenant: $tenant, id: pair[1]})
WITH pair, e, type(r) AS how ORDER BY how, COUNT { (e)<-[:MENTIONS]-() }, e.id
WITH pair, head(collect({id: e.id, name: e.name, how: how})) AS entity
RETURN pair[0] AS seed, pair[1] AS id, entity.id AS entity_id, entity.name AS entity_name, entity.how AS how
"""
NAMED = """
CYPHER 25
UNWIND $ids AS id
MATCH (m:Memory {tenant: $tenant, id: id})-[:MENTIONS]->(e:Entity) WHERE e.id IN $entities
WITH id, e ORDER BY COUNT { (e)<-[:MENTIONS]-() }, e.id
WITH id, head(collect(e)) AS e
RETURN id, e.id AS entity_id, e.name AS entity_name
"""
NAMES = """
CYPHER 25
UNWIND $ids AS id
MATCH (m:Memory {tenant: $tenant, id: id})
RETURN id, CASE WHEN m.name <> '(encrypted)' THEN m.name WHEN m.visibility = 'confidential' THEN '(confidential)'
  ELSE coalesce(m.title, m.content) END AS name
"""


class RecallPathRepository(Repository):
    """Looks up the nodes on the way to what was found."""

    kind = "Memory"

    def between(self, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Row]:
        """Return `{entity_id, entity_name, how}` of the name that ties each pair (seed, found) of memories."""
        rows = self.read(BETWEEN, pairs=[list(pair) for pair in pairs])
        return {(row["seed"], row["id"]): row for row in rows}

    def named(self, ids: Sequence[str], entities: Sequence[str]) -> dict[str, Row]:
        """Return `{entity_id, entity_name}` of the rarest of `entities` that each memory mentions."""
        return {row["id"]: row for row in self.read(NAMED, ids=list(ids), entities=list(entities))}

    def names(self, ids: Sequence[str]) -> dict[str, str]:
        """Return what the graph page shows for each memory."""
        return {row["id"]: shown_name(row["name"], "") for row in self.read(NAMES, ids=list(ids))}

"""Long memories without windows, walked once over all tenants, with a mark of how far that is.

The walk goes along the index of ids and hands each memory's tenant on.
"""

from dataclasses import dataclass

from graph.driver import Graph
from graph.records import Row

READ_PLACE = """
CYPHER 25
OPTIONAL MATCH (s:SchemaVersion {name: 'windows'})
RETURN coalesce(s.tenant, '') AS tenant, coalesce(s.at, '') AS at, coalesce(s.done, false) AS done
"""
KEEP_PLACE = """
CYPHER 25
MERGE (s:SchemaVersion {name: 'windows'})
SET s.tenant = $tenant, s.at = $at, s.done = $done
"""
# A text of at most `least` characters is seen whole by any model.
LONG = """
WITH n ORDER BY n.tenant, n.id LIMIT $limit
WITH collect(n) AS read
RETURN size(read) AS seen, read[-1].tenant AS tenant, read[-1].id AS at,
  [n IN read WHERE n:Searchable AND CASE WHEN n.content IS :: STRING THEN size(n.content) > $least ELSE true END
    AND NOT EXISTS { MATCH (n)<-[:WINDOW_OF]-(part:MemoryWindow) WHERE part.slot = $slot } |
    {tenant: n.tenant, id: n.id, content: n.content, content_hash: n.content_hash}] AS long
"""
WITHIN = "CYPHER 25 MATCH (n:Memory) WHERE n.tenant = $tenant AND n.id > $at" + LONG
# Named otherwise than what says whose a statement is: what it finds is of the next tenants.
ABOVE = "CYPHER 25 MATCH (n:Memory) WHERE n.tenant > $beyond AND n.id > ''" + LONG


@dataclass(frozen=True)
class Place:
    """How far the walk is: up to this memory of this tenant, or over."""

    tenant: str
    at: str
    done: bool


def place(graph: Graph) -> Place:
    """Return how far the walk is."""
    return Place(**graph.read(READ_PLACE)[0])


def keep_place(graph: Graph, reached: Place) -> None:
    """Note how far the walk is."""
    graph.write(KEEP_PLACE, tenant=reached.tenant, at=reached.at, done=reached.done)


def following(graph: Graph, after: Place, limit: int, least: int, slot: str) -> tuple[Place, list[Row]]:
    """Return the next place of the walk and `{tenant, id, content, content_hash}` of the long memories up to it that
    have no windows in this slot."""
    given = {"limit": limit, "least": least, "slot": slot}
    row = graph.read(WITHIN, tenant=after.tenant, at=after.at, **given)[0]
    if not row["seen"]:
        row = graph.read(ABOVE, beyond=after.tenant, **given)[0]
    if not row["seen"]:
        return Place(after.tenant, after.at, done=True), []
    return Place(row["tenant"], row["at"], done=False), row["long"]

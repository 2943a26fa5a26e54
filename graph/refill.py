"""Everything with a vector, walked over all tenants: to fill one slot and to empty the other.

A walk goes along the index of ids, a stretch at a time: the rest of the tenant where it stands, then those above. It
hands each node's tenant on, and what is written to a node is written as its tenant.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from graph import labels
from graph.clock import now_ms
from graph.driver import Graph
from graph.records import Row, Rows, vector
from graph.slotted import Slotted

# Everything that carries a vector of its own. Windows are filled with their memories. Memories come before versions,
# which are copies of them: what is copied while the memories are emptied is emptied afterwards.
MEMORY = "CYPHER 25 MATCH (n:Memory) "
VERSION = "CYPHER 25 MATCH (n:MemoryVersion) "
WINDOW = "CYPHER 25 MATCH (n:MemoryWindow) "
DECISION = "CYPHER 25 MATCH (n:Decision) "
PATTERN = "CYPHER 25 MATCH (n:Pattern) "
WITHIN = "WHERE n.tenant = $tenant AND n.id > $after WITH n ORDER BY n.tenant, n.id LIMIT $limit "
# Named otherwise than what says whose a statement is: what it finds is of the next tenants.
ABOVE = "WHERE n.tenant > $beyond AND n.id > '' WITH n ORDER BY n.tenant, n.id LIMIT $limit "
LACKING = """
WITH collect(n) AS read
RETURN size(read) AS seen, read[-1].tenant AS tenant, read[-1].id AS at, size([n IN read WHERE n:Searchable]) AS found,
  [n IN read WHERE n:Searchable AND n.EMBEDDING IS NULL |
    {tenant: n.tenant, id: n.id, memory_id: n.memory_id, content: n.content, content_hash: n.content_hash,
     said: coalesce(n.content_hash, toString(n.updated_at))}] AS lacking
"""
EMPTYING = """
WITH collect(n) AS read
CALL (read) {
  UNWIND read AS n
  WITH n WHERE n.EMBEDDING IS NOT NULL
  REMOVE n.EMBEDDING
  SET n.embedding_model = CASE WHEN n.OTHER_VECTOR IS NULL THEN n.embedding_model ELSE $identity END
}
RETURN size(read) AS seen, read[-1].tenant AS tenant, read[-1].id AS at
"""
EMPTYING_WINDOWS = """
WITH collect(n) AS read
WITH size(read) AS seen, read[-1].tenant AS tenant, read[-1].id AS at, [n IN read WHERE n.slot = $slot] AS old
FOREACH (n IN old | DETACH DELETE n)
RETURN seen, tenant, at
"""
LACK_WITHIN = {
    "Memory": MEMORY + WITHIN + LACKING,
    "MemoryVersion": VERSION + WITHIN + LACKING,
    "Decision": DECISION + WITHIN + LACKING,
    "Pattern": PATTERN + WITHIN + LACKING,
}
LACK_ABOVE = {
    "Memory": MEMORY + ABOVE + LACKING,
    "MemoryVersion": VERSION + ABOVE + LACKING,
    "Decision": DECISION + ABOVE + LACKING,
    "Pattern": PATTERN + ABOVE + LACKING,
}
EMPTY_WITHIN = {
    "Memory": MEMORY + WITHIN + EMPTYING,
    "MemoryVersion": VERSION + WITHIN + EMPTYING,
    "Decision": DECISION + WITHIN + EMPTYING,
    "Pattern": PATTERN + WITHIN + EMPTYING,
    "MemoryWindow": WINDOW + WITHIN + EMPTYING_WINDOWS,
}
EMPTY_ABOVE = {
    "Memory": MEMORY + ABOVE + EMPTYING,
    "MemoryVersion": VERSION + ABOVE + EMPTYING,
    "Decision": DECISION + ABOVE + EMPTYING,
    "Pattern": PATTERN + ABOVE + EMPTYING,
    "MemoryWindow": WINDOW + ABOVE + EMPTYING_WINDOWS,
}
# The text must still be the one that was embedded: told by its hash, or by when its node was changed. Locked first;
# what has a vector by now keeps it.
SET_VECTOR = """
WHERE n.id = row.id
SET n.created_at = n.created_at
WITH n, row WHERE n:Searchable AND n.EMBEDDING IS NULL
  AND coalesce(n.content_hash, toString(n.updated_at)) = row.said
CALL db.create.setNodeVectorProperty(n, 'EMBEDDING', row.embedding)
RETURN n.id AS id
"""
ROWS = "CYPHER 25 UNWIND $rows AS row "
FILL = {
    "Memory": ROWS + "MATCH (n:Memory {tenant: $tenant}) " + SET_VECTOR,
    "MemoryVersion": ROWS + "MATCH (n:MemoryVersion {tenant: $tenant}) " + SET_VECTOR,
    "Decision": ROWS + "MATCH (n:Decision {tenant: $tenant}) " + SET_VECTOR,
    "Pattern": ROWS + "MATCH (n:Pattern {tenant: $tenant}) " + SET_VECTOR,
}
# Answered by the counts that the database keeps; none of them reads a node.
TOTAL = """
CYPHER 25
RETURN COUNT { (:Memory) } + COUNT { (:MemoryVersion) } + COUNT { (:Decision) } + COUNT { (:Pattern) } AS total
"""
SIZE = "CYPHER 25 MATCH (m:Memory {tenant: $tenant}) WHERE m.created_at >= 0 RETURN count(m) AS total"
# A memory at random: ids are random.
SAMPLE = """
CYPHER 25
UNWIND $places AS place
CALL (place) {
  MATCH (m:Memory {tenant: $tenant}) WHERE m.id >= place
  WITH m ORDER BY m.tenant, m.id LIMIT 1
  WITH m WHERE m.current AND m.expires_at > $now
  RETURN m.id AS id, m.content AS content
}
RETURN DISTINCT id, content
"""
NEAREST = """
CYPHER 25
MATCH (m:Searchable)
SEARCH m IN (VECTOR_INDEX FOR $probe
  WHERE m.tenant = $tenant AND m.kind = 'memory' AND m.current = true AND m.expires_at > $now
  LIMIT $limit) SCORE AS x
RETURN m.id AS id
"""


def lacking(graph: Graph, label: str, slot: str, limit: int) -> Iterator[Row]:
    """Yield `{found, lacking: [{tenant, id, content, content_hash, said}]}` of each stretch of nodes: how many of them
    have vectors at all, and which lack one of this slot."""
    within, above = (labels.in_slot(table[label], slot) for table in (LACK_WITHIN, LACK_ABOVE))
    return _walked(
        lambda **at: graph.read(within, limit=limit, **at)[0],
        lambda **at: graph.read(above, limit=limit, **at)[0],
        limit,
    )


def empty(graph: Graph, label: str, slot: str, limit: int, identity: str) -> Iterator[Row]:
    """Take the vectors of a slot, or the windows of it, away, a stretch of nodes for each item taken from here.

    What keeps a vector in the other slot is of the model `identity` from now on.
    """
    within, above = (labels.in_slot(table[label], slot) for table in (EMPTY_WITHIN, EMPTY_ABOVE))
    given = {"limit": limit, "slot": slot, "identity": identity}
    return _walked(
        lambda **at: graph.write(within, **given, **at)[0],
        lambda **at: graph.write(above, **given, **at)[0],
        limit,
    )


def _walked(within: Callable[..., Row], above: Callable[..., Row], limit: int) -> Iterator[Row]:
    row: Row = {"tenant": ""}
    while (row := above(beyond=row["tenant"]))["seen"]:
        yield row
        # A full stretch may have ended in the middle of a tenant.
        while row["seen"] == limit and (rest := within(tenant=row["tenant"], after=row["at"]))["seen"]:
            row = rest
            yield row


def total(graph: Graph) -> int:
    """Return how many nodes have vectors of their own, or will have."""
    return int(graph.read(TOTAL)[0]["total"])


class RefillRepository(Slotted):
    """What one tenant has with vectors, as a reembed sees it. `slot` is the slot to fill or to look into."""

    kind = "Node"

    def fill(self, label: str, rows: Sequence[Row]) -> set[str]:
        """Give nodes, as `{id, said, embedding}`, their vectors; return the ids of those that took them."""
        ordered = sorted(rows, key=lambda row: str(row["id"]))
        made = self.write(labels.in_slot(FILL[label], self.slot), rows=ordered)
        return {row["id"] for row in made}

    def size(self) -> int:
        """Return how many memories there are."""
        return int(self.read(SIZE)[0]["total"])

    def sample(self, places: Sequence[str]) -> Rows:
        """Return `{id, content}` of the memories that come next after these ids."""
        return self.read(SAMPLE, places=list(places), now=now_ms())

    def nearest(self, probe: Any, limit: int) -> list[str]:
        """Return the ids of the memories nearest to a vector."""
        query = labels.in_slot(NEAREST, self.slot)
        return [row["id"] for row in self.read(query, probe=vector(probe), limit=limit, now=now_ms())]

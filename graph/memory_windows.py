"""Windows: what stands further down in a long memory than its own vector reaches, each stretch with a vector.

A window has no text and no words, so no text search finds it, and the place of its stretch alone (`start`, `end`, in
characters of the memory's content). It carries every property that the vector index filters by, equal to its memory's.
"""

from collections.abc import Sequence

from graph import labels
from graph.clock import now_ms
from graph.records import Row
from graph.slotted import Slotted

# Whatever changes a property of a memory that searches filter by puts this behind it; `m` is the memory.
KEEP_WINDOWS = """
CALL (m) {
  MATCH (part:MemoryWindow)-[:WINDOW_OF]->(m)
  SET part += m {.agent_id, .user_id, .session_id, .project_id, .memory_type, .tier, .visibility, .current, .archived,
    .importance, .created_at, .occurred_at, .expires_at, .superseded_at}
}
"""
# The memory is locked before it is asked what it says. The old windows of this slot go, so that a second run of the
# same work changes nothing.
PUT = """
CYPHER 25
UNWIND $rows AS row
MATCH (m:Memory:Searchable {tenant: $tenant, id: row.memory_id})
SET m.created_at = m.created_at
WITH m, row WHERE m.content_hash = row.content_hash
CALL (m) {
  MATCH (old:MemoryWindow)-[:WINDOW_OF]->(m) WHERE old.slot = $slot
  DETACH DELETE old
}
CALL (m, row) {
  UNWIND row.windows AS x
  CREATE (part:MemoryWindow:Searchable {tenant: $tenant, id: x.id, kind: 'window', slot: $slot})
  SET part.name = 'part ' + x.number, part.number = x.number, part.start = x.start, part.end = x.end,
    part.embedding_model = row.embedding_model, part.updated_at = $now, part.version = 1
  CREATE (part)-[:WINDOW_OF]->(m)
  WITH part, x
  CALL db.create.setNodeVectorProperty(part, 'EMBEDDING', x.embedding)
}
WITH m
""" + KEEP_WINDOWS + """
RETURN m.id AS id
"""  # fmt: skip
DROP = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id})
MATCH (part:MemoryWindow)-[:WINDOW_OF]->(m)
DETACH DELETE part
"""


class MemoryWindowRepository(Slotted):
    """Windows of one tenant's memories. `slot` names the vectors in force."""

    kind = "Memory"

    def put(self, rows: Sequence[Row]) -> set[str]:
        """Give memories these windows in place of those they have, and return the ids of those that got them.

        Each row is `{memory_id, content_hash, embedding_model, windows: [{id, number, start, end, embedding}]}`. A
        memory that is gone or says something else by now gets none.
        """
        ordered = sorted(rows, key=lambda row: str(row["memory_id"]))
        made = self.write(labels.in_slot(PUT, self.slot), rows=ordered, slot=self.slot, now=now_ms())
        return {row["id"] for row in made}

    def drop(self, id: str) -> None:
        """Take all windows from a memory, whatever slot they are of: its text is another."""
        self.write(DROP, id=id)

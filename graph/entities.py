"""Entities: what memories mention. Every known spelling is an EntityName that points to its entities."""

from collections.abc import Sequence

from graph.clock import now_ms
from graph.labels import scope_token
from graph.records import Row
from graph.repository import Repository

# Rows come sorted by key, so that two writers of the same names lock them in the same order.
MENTION = """
CYPHER 25
UNWIND $rows AS row
MERGE (n:EntityName {tenant: $tenant, key: row.key})
ON CREATE SET n.name = row.name, n.scope_tokens = $scope_tokens, n.created_at = $now
WITH n, row
CALL (n, row) {
  OPTIONAL MATCH (n)-[:NAMES]->(e:Entity)
  RETURN e ORDER BY CASE WHEN e.entity_type = row.entity_type THEN 0 ELSE 1 END, e.created_at, e.id LIMIT 1
}
CALL (n, row, e) {
  WITH n, row, e WHERE e IS NULL
  MERGE (made:Entity {tenant: $tenant, key: row.key + '|' + row.entity_type})
  ON CREATE SET made.id = row.entity_id, made.name = row.name, made.name_key = row.key, made.padded = row.padded,
    made.entity_type = row.entity_type, made.noise = row.noise, made.metadata = '{}', made.source = row.source,
    made.created_at = $now, made.updated_at = $now, made.version = 1
  MERGE (n)-[:NAMES]->(made)
  RETURN made AS entity
 UNION
  WITH n, row, e WHERE e IS NOT NULL
  RETURN e AS entity
}
MATCH (m:Memory {tenant: $tenant, id: row.memory_id})
MERGE (m)-[r:MENTIONS]->(entity)
ON CREATE SET r.relationship = row.relationship, r.confidence = row.confidence, r.source = row.source,
  r.about = row.about, r.from = $now, r.to = $never
FOREACH (x IN CASE WHEN row.about THEN [1] ELSE [] END |
  MERGE (m)-[a:ABOUT]->(entity) ON CREATE SET a.from = $now, a.to = $never)
"""


class EntityRepository(Repository):
    """Entities of one tenant."""

    kind = "Entity"

    def mention(self, rows: Sequence[Row], never: int) -> None:
        """Link memories to the entities they mention, creating those not known yet.

        Each row is `{memory_id, key, name, padded, entity_type, noise, entity_id, confidence, source, about,
        relationship}`; `key` is the normalised name, `padded` the same between spaces, `entity_id` the id of a new one.
        """
        ordered = sorted(rows, key=lambda row: (row["key"], row["memory_id"]))
        self.write(MENTION, rows=ordered, now=now_ms(), never=never, scope_tokens=scope_token("tenant", self.tenant))

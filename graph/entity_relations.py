"""Relations between entities: those that somebody stated, and those that shared memories imply."""

from graph.clock import now_ms
from graph.errors import NotFound
from graph.labels import NEVER
from graph.records import Row, Rows
from graph.repository import Repository

CO_MENTIONED = "co_mentioned"

SHOWN = """
RETURN r.id AS id, r.type AS relationship_type, r.weight AS weight, r.metadata AS metadata, r.source AS source,
  r.from AS created_at, a.id AS source_entity_id, a.name AS source_name, b.id AS target_entity_id,
  b.name AS target_name
"""
# Both ends are locked first, in the order of their ids: writers of the same relation wait instead of deadlocking. A
# property set to itself locks and changes nothing, for the case that one end is unknown.
STATE = (
    """
CYPHER 25
CALL () {
  UNWIND CASE WHEN $source_id < $target_id THEN [$source_id, $target_id] ELSE [$target_id, $source_id] END AS id
  MATCH (n:Entity {tenant: $tenant, id: id})
  SET n.created_at = n.created_at
  RETURN count(n) AS locked
}
MATCH (a:Entity {tenant: $tenant, id: $source_id})
MATCH (b:Entity {tenant: $tenant, id: $target_id})
MERGE (a)-[r:RELATED_TO {type: $type}]->(b)
ON CREATE SET r.id = $id, r.source = 'manual', r.weight = 1.0, r.metadata = '{}', r.from = $now, r.to = $never
SET r.weight = coalesce($weight, r.weight), r.metadata = coalesce($metadata, r.metadata)
"""
    + SHOWN
    + ", r.id = $id AS created"
)
# Locked as for STATE, then looked for again: of several that take it away, the later ones find nothing.
UNSTATE = """
CYPHER 25
MATCH (:Entity {tenant: $tenant, id: $entity_id})-[old:RELATED_TO {id: $id}]-(:Entity)
WITH DISTINCT startNode(old) AS a, endNode(old) AS b
CALL (a, b) {
  UNWIND CASE WHEN a.id < b.id THEN [a, b] ELSE [b, a] END AS n
  SET n.created_at = n.created_at
  RETURN count(n) AS locked
}
MATCH (a)-[r:RELATED_TO {id: $id}]->(b)
FOREACH (x IN CASE WHEN r.from < $now THEN [1] ELSE [] END |
  CREATE (a)-[past:WAS_RELATED_TO]->(b) SET past = properties(r), past.to = $now)
DELETE r
RETURN $id AS id
"""
# What held once and was never stated here: it came from elsewhere.
HELD = """
CYPHER 25
MATCH (a:Entity {tenant: $tenant, id: $source_id})
MATCH (b:Entity {tenant: $tenant, id: $target_id})
MERGE (a)-[r:WAS_RELATED_TO {id: $id}]->(b)
ON CREATE SET r.type = $type, r.source = 'manual', r.weight = 1.0, r.metadata = $metadata, r.from = $since,
  r.to = $until
"""
EVER = """
CYPHER 25
MATCH (:Entity {tenant: $tenant, id: $entity_id})-[r:RELATED_TO|WAS_RELATED_TO {id: $id}]->(:Entity)
RETURN r.id AS id LIMIT 1
"""
DATE = """
CYPHER 25
MATCH (:Entity {tenant: $tenant, id: $entity_id})-[r:RELATED_TO {id: $id}]->(:Entity)
SET r.from = $since
"""
STATED = (
    """
CYPHER 25
MATCH (:Entity {tenant: $tenant, id: $id})-[r:RELATED_TO]-(:Entity)
WITH DISTINCT r, startNode(r) AS a, endNode(r) AS b
ORDER BY r.weight DESC, r.from, r.id SKIP $offset LIMIT $limit
"""
    + SHOWN
    + " ORDER BY weight DESC, created_at, id"
)
COUNT = "CYPHER 25 MATCH (e:Entity {tenant: $tenant, id: $id}) RETURN COUNT { (e)-[:RELATED_TO]-() } AS total"
# A hub costs no more than the memories looked at: LIMIT stands before anything is expanded or sorted.
SHARED = """
CYPHER 25
MATCH (e:Entity {tenant: $tenant, id: $id})
CALL (e) {
  MATCH (e)<-[:MENTIONS]-(m:Memory)
  WITH m WHERE '' + m.tenant = $tenant AND m.current AND m.expires_at > $now
  RETURN m LIMIT $memories
}
MATCH (m)-[:MENTIONS]->(o:Entity)
WITH e, o, m WHERE o <> e AND NOT coalesce(o.noise, false)
WITH e, o, m LIMIT $rows
WITH e, o, count(*) AS weight, max(m.created_at) AS latest
ORDER BY weight DESC, o.name, o.id LIMIT $most
RETURN e.id AS source_entity_id, e.name AS source_name, o.id AS target_entity_id, o.name AS target_name,
  toFloat(weight) AS weight, latest AS created_at
"""


class EntityRelationRepository(Repository):
    """Relations of one tenant's entities."""

    kind = "Relationship"

    def state(self, id: str, ends: tuple[str, str], type: str, weight: float | None, metadata: str | None) -> Row:
        """Relate two entities, `ends[0]` to `ends[1]`; one relation per type and direction. Return it, with `created`.

        One that is there already takes the weight and the metadata that are given.

        Raises:
            NotFound: one of the two is unknown.
        """
        given = {"type": type, "weight": weight, "metadata": metadata}
        found = self.write(STATE, id=id, source_id=ends[0], target_id=ends[1], now=now_ms(), never=NEVER, **given)
        if not found:
            raise NotFound("Entity")
        return found[0]

    def held(self, id: str, ends: tuple[str, str], type: str, metadata: str, since: int, until: int) -> None:
        """Relate two entities for a period of the past (epoch ms)."""
        given = {"type": type, "metadata": metadata, "since": since, "until": until}
        self.write(HELD, id=id, source_id=ends[0], target_id=ends[1], **given)

    def ever(self, entity_id: str, id: str) -> bool:
        """Tell whether an entity has, or had, a relation of this id to another."""
        return bool(self.read(EVER, entity_id=entity_id, id=id))

    def date(self, entity_id: str, id: str, since: int) -> None:
        """Say since when (epoch ms) a relation that begins at an entity has held."""
        self.write(DATE, entity_id=entity_id, id=id, since=since)

    def unstate(self, entity_id: str, id: str) -> None:
        """Take a stated relation of an entity away, whichever end the entity is.

        Raises:
            NotFound: the entity has no such relation.
        """
        self.write_one(UNSTATE, entity_id=entity_id, id=id, now=now_ms())

    def stated(self, id: str, offset: int, limit: int) -> Rows:
        """Return the relations somebody stated, both directions, heaviest first."""
        return self.read(STATED, id=id, offset=offset, limit=limit)

    def count(self, id: str) -> int:
        """Return how many relations were stated."""
        found = self.read(COUNT, id=id)
        return int(found[0]["total"]) if found else 0

    def shared(self, id: str, memories: int, most: int) -> Rows:
        """Return entities that share memories with this one; `weight` counts them among the `memories` looked at."""
        return self.read(SHARED, id=id, memories=memories, rows=memories * 16, most=most, now=now_ms())

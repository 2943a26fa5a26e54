"""What lies around an entity, and what leads from one to another: bounded steps, whatever the degree of a node."""

from collections.abc import Sequence

from graph.clock import now_ms
from graph.records import Row, Rows
from graph.repository import Repository

# One row for each pair of an entity and its neighbour. Every part stops at its limit before it is sorted.
# `'' + x.tenant` is what no index answers: with the tenant alone, the planner may start from all that the tenant has.
AROUND = """
CYPHER 25
UNWIND $ids AS id
MATCH (e:Entity {tenant: $tenant, id: id})
CALL (e) {
  MATCH (e)-[r:RELATED_TO]-(o:Entity)
  WITH e, r, o WHERE '' + o.tenant = $tenant
  WITH e, r, o LIMIT $most
  RETURN o, r.type AS type, r.weight AS weight, startNode(r) = e AS outgoing, r.id AS relation
 UNION ALL
  CALL (e) {
    MATCH (e)<-[:MENTIONS]-(m:Memory)
    WITH m WHERE '' + m.tenant = $tenant AND m.current AND m.expires_at > $now
    RETURN m LIMIT $memories
  }
  MATCH (m)-[:MENTIONS]->(o:Entity)
  WITH e, o WHERE o <> e AND NOT coalesce(o.noise, false)
  WITH o LIMIT $rows
  WITH o, count(*) AS weight ORDER BY weight DESC, o.id LIMIT $most
  RETURN o, null AS type, toFloat(weight) AS weight, true AS outgoing, null AS relation
}
RETURN id AS from, o.id AS id, o.name AS name, o.entity_type AS entity_type, type, weight, outgoing, relation
"""
STATED_AMONG = """
CYPHER 25
UNWIND $ids AS id
MATCH (a:Entity {tenant: $tenant, id: id})
CALL (a) {
  MATCH (a)-[r:RELATED_TO]->(b:Entity)
  WITH r, b WHERE '' + b.tenant = $tenant
  RETURN r, b LIMIT $most
}
WITH a, r, b WHERE b.id IN $ids
RETURN r.id AS relation, a.id AS source, b.id AS target, r.type AS type, r.weight AS weight
"""
STEP = """
CYPHER 25
UNWIND $ids AS id
MATCH (e:Entity {tenant: $tenant, id: id})
CALL (e) {
  CALL (e) {
    MATCH (e)-[:RELATED_TO]-(o:Entity)
    WITH o WHERE '' + o.tenant = $tenant
    RETURN o LIMIT $memories
   UNION ALL
    CALL (e) {
      MATCH (e)<-[:MENTIONS]-(m:Memory)
      WITH m WHERE '' + m.tenant = $tenant AND m.current AND m.expires_at > $now
      RETURN m LIMIT $memories
    }
    MATCH (m)-[:MENTIONS]->(o:Entity)
    WITH e, o WHERE o <> e AND (o.id = $goal OR NOT coalesce(o.noise, false))
    RETURN o LIMIT $rows
  }
  RETURN collect(DISTINCT o.id) AS reached
}
RETURN id, reached
"""
# From the end with fewer mentions, so that a step between a hub and a leaf costs what the leaf costs.
JUSTIFY = """
CYPHER 25
UNWIND range(0, size($pairs) - 1) AS i
MATCH (a:Entity {tenant: $tenant, id: $pairs[i][0]})
MATCH (b:Entity {tenant: $tenant, id: $pairs[i][1]})
WITH i, a, b, COUNT { (a)<-[:MENTIONS]-() } <= COUNT { (b)<-[:MENTIONS]-() } AS smaller
WITH i, a, b, CASE WHEN smaller THEN a ELSE b END AS few, CASE WHEN smaller THEN b ELSE a END AS many
CALL (few, many) {
  MATCH (few)<-[:MENTIONS]-(m:Memory)
  WITH many, m WHERE '' + m.tenant = $tenant AND m.current AND m.expires_at > $now
    AND EXISTS { (m)-[:MENTIONS]->(many) }
  WITH m LIMIT $most
  WITH m ORDER BY m.created_at DESC, m.seq DESC
  WITH collect(m) AS found
  RETURN size(found) AS shared, [m IN found[..3] |
    {id: m.id, title: m.title, created_at: m.created_at, visibility: m.visibility,
     content: CASE WHEN m.visibility = 'confidential' THEN null WHEN m.content IS :: STRING THEN left(m.content, 500)
       ELSE m.content END}] AS memories
}
RETURN i, a.id AS source, b.id AS target, shared, memories,
  COLLECT {
    MATCH (a)-[r:RELATED_TO]-(b) RETURN {id: r.id, relationship_type: r.type, weight: r.weight,
      source_entity_id: startNode(r).id, target_entity_id: endNode(r).id} AS relation
    ORDER BY r.weight DESC, r.id LIMIT 5
  } AS relationships
ORDER BY i
"""


class NeighbourhoodRepository(Repository):
    """Steps through one tenant's entities, over stated relations and over shared memories."""

    kind = "Entity"

    def around(self, ids: Sequence[str], memories: int, most: int) -> Rows:
        """Return the neighbours of each of `ids`, at most `most` of each kind.

        Rows are `{from, id, name, entity_type, type, weight, outgoing, relation}`; `type` and `relation` are None where
        the two only share memories, `weight` then counts them among the `memories` looked at.
        """
        return self.read(AROUND, ids=list(ids), memories=memories, rows=memories * 16, most=most, now=now_ms())

    def stated_among(self, ids: Sequence[str], most: int) -> Rows:
        """Return `{relation, source, target, type, weight}` of stated relations inside a set of entities."""
        return self.read(STATED_AMONG, ids=list(ids), most=most)

    def step(self, ids: Sequence[str], memories: int, goal: str) -> dict[str, list[str]]:
        """Return the ids one step away from each of `ids`; `goal` is reached whatever it is."""
        found = self.read(STEP, ids=list(ids), memories=memories, rows=memories * 16, goal=goal, now=now_ms())
        return {row["id"]: sorted(row["reached"]) for row in found}

    def justify(self, pairs: Sequence[tuple[str, str]], most: int) -> list[Row]:
        """Return why each pair is one step: `{source, target, relationships, shared, memories}`, newest first."""
        if not pairs:
            return []
        found = self.read(JUSTIFY, pairs=[list(pair) for pair in pairs], most=most, now=now_ms())
        for memory in (memory for row in found for memory in row["memories"] if memory["content"]):
            # The database cannot cut what is sealed.
            memory["content"] = memory["content"][:500]
        return found

"""The graph of entities as it was at a past moment (`as_of`, epoch ms): links that held then, ended ones included.

Each class answers as the one of today that it extends. Names and types of entities are those of today, as are weights.
"""

from collections.abc import Sequence

from graph.clock import now_ms
from graph.driver import Graph
from graph.entity_links import EntityLinkRepository
from graph.entity_relations import EntityRelationRepository
from graph.labels import NEVER
from graph.moments import STATE, MomentRepository
from graph.neighbourhood import NeighbourhoodRepository
from graph.records import Row, Rows
from graph.repository import Tenanted

# `'' + m.tenant` is what no index answers, as in `graph.entity_links`.
LINKED = (
    """
CYPHER 25
MATCH (e:Entity {tenant: $tenant, id: $id})<-[link:MENTIONS|MENTIONED]-(m:Memory)
WITH m, link WHERE '' + m.tenant = $tenant AND link.from <= $as_of AND link.to > $as_of
  AND m.created_at <= $as_of AND m.expires_at > $now AND m.superseded_at > $as_of
  AND m.created_at <= $before AND (m.created_at < $before OR m.seq < $before_seq)
WITH m, collect(link)[0] AS link
CALL (m) {
"""
    + STATE
    + """
  RETURN s
}
WITH m, link WHERE $archived OR NOT s.archived
"""
)
KEYS = (
    LINKED
    + """
WITH m, link ORDER BY m.created_at DESC, m.seq DESC SKIP $offset LIMIT $limit
RETURN m.id AS id, link.relationship AS relationship, link.confidence AS relevance_score
ORDER BY m.created_at DESC, m.seq DESC
"""
)
COUNT = LINKED + "RETURN count(m) AS total"
AROUND = """
CYPHER 25
UNWIND $ids AS id
MATCH (e:Entity {tenant: $tenant, id: id})
CALL (e) {
  MATCH (e)-[r:RELATED_TO|WAS_RELATED_TO]-(o:Entity)
  WITH e, r, o WHERE '' + o.tenant = $tenant AND r.from <= $as_of AND r.to > $as_of
  WITH e, r, o LIMIT $most
  RETURN o, r.type AS type, r.weight AS weight, startNode(r) = e AS outgoing, r.id AS relation
 UNION ALL
  CALL (e) {
    MATCH (e)<-[r:MENTIONS|MENTIONED]-(m:Memory)
    WITH m, r WHERE '' + m.tenant = $tenant AND r.from <= $as_of AND r.to > $as_of
      AND m.created_at <= $as_of AND m.expires_at > $now AND m.superseded_at > $as_of
    WITH DISTINCT m
    RETURN m LIMIT $memories
  }
  MATCH (m)-[r:MENTIONS|MENTIONED]->(o:Entity)
  WITH e, o, m, r WHERE o <> e AND NOT coalesce(o.noise, false) AND r.from <= $as_of AND r.to > $as_of
  WITH DISTINCT o, m LIMIT $rows
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
  MATCH (a)-[r:RELATED_TO|WAS_RELATED_TO]->(b:Entity)
  WITH r, b WHERE '' + b.tenant = $tenant AND r.from <= $as_of AND r.to > $as_of
  RETURN r, b LIMIT $most
}
WITH a, r, b WHERE b.id IN $ids
RETURN r.id AS relation, a.id AS source, b.id AS target, r.type AS type, r.weight AS weight
"""
STATED = """
CYPHER 25
MATCH (:Entity {tenant: $tenant, id: $id})-[r:RELATED_TO|WAS_RELATED_TO]-(:Entity)
WITH DISTINCT r, startNode(r) AS a, endNode(r) AS b WHERE r.from <= $as_of AND r.to > $as_of
WITH r, a, b ORDER BY r.weight DESC, r.from, r.id SKIP $offset LIMIT $limit
RETURN r.id AS id, r.type AS relationship_type, r.weight AS weight, r.metadata AS metadata, r.source AS source,
  r.from AS created_at, a.id AS source_entity_id, a.name AS source_name, b.id AS target_entity_id,
  b.name AS target_name
ORDER BY weight DESC, created_at, id
"""
STATED_COUNT = """
CYPHER 25
MATCH (e:Entity {tenant: $tenant, id: $id})
RETURN COUNT { MATCH (e)-[r:RELATED_TO|WAS_RELATED_TO]-() WHERE r.from <= $as_of AND r.to > $as_of } AS total
"""
SHARED = """
CYPHER 25
MATCH (e:Entity {tenant: $tenant, id: $id})
CALL (e) {
  MATCH (e)<-[r:MENTIONS|MENTIONED]-(m:Memory)
  WITH m, r WHERE '' + m.tenant = $tenant AND r.from <= $as_of AND r.to > $as_of
    AND m.created_at <= $as_of AND m.expires_at > $now AND m.superseded_at > $as_of
  WITH DISTINCT m
  RETURN m LIMIT $memories
}
MATCH (m)-[r:MENTIONS|MENTIONED]->(o:Entity)
WITH e, o, m, r WHERE o <> e AND NOT coalesce(o.noise, false) AND r.from <= $as_of AND r.to > $as_of
WITH DISTINCT e, o, m LIMIT $rows
WITH e, o, count(*) AS weight, max(m.created_at) AS latest
ORDER BY weight DESC, o.name, o.id LIMIT $most
RETURN e.id AS source_entity_id, e.name AS source_name, o.id AS target_entity_id, o.name AS target_name,
  toFloat(weight) AS weight, latest AS created_at
"""
STEP = """
CYPHER 25
UNWIND $ids AS id
MATCH (e:Entity {tenant: $tenant, id: id})
CALL (e) {
  CALL (e) {
    MATCH (e)-[r:RELATED_TO|WAS_RELATED_TO]-(o:Entity)
    WITH o, r WHERE '' + o.tenant = $tenant AND r.from <= $as_of AND r.to > $as_of
    RETURN o LIMIT $memories
   UNION ALL
    CALL (e) {
      MATCH (e)<-[r:MENTIONS|MENTIONED]-(m:Memory)
      WITH m, r WHERE '' + m.tenant = $tenant AND r.from <= $as_of AND r.to > $as_of
        AND m.created_at <= $as_of AND m.expires_at > $now AND m.superseded_at > $as_of
      WITH DISTINCT m
      RETURN m LIMIT $memories
    }
    MATCH (m)-[r:MENTIONS|MENTIONED]->(o:Entity)
    WITH e, o, r WHERE o <> e AND (o.id = $goal OR NOT coalesce(o.noise, false)) AND r.from <= $as_of AND r.to > $as_of
    RETURN o LIMIT $rows
  }
  RETURN collect(DISTINCT o.id) AS reached
}
RETURN id, reached
"""
# From the end with fewer mentions, as today.
JUSTIFY = """
CYPHER 25
UNWIND range(0, size($pairs) - 1) AS i
MATCH (a:Entity {tenant: $tenant, id: $pairs[i][0]})
MATCH (b:Entity {tenant: $tenant, id: $pairs[i][1]})
WITH i, a, b, COUNT { (a)<-[:MENTIONS|MENTIONED]-() } <= COUNT { (b)<-[:MENTIONS|MENTIONED]-() } AS smaller
WITH i, a, b, CASE WHEN smaller THEN a ELSE b END AS few, CASE WHEN smaller THEN b ELSE a END AS many
CALL (few, many) {
  MATCH (few)<-[r:MENTIONS|MENTIONED]-(m:Memory)
  WITH many, m, r WHERE '' + m.tenant = $tenant AND r.from <= $as_of AND r.to > $as_of
    AND m.created_at <= $as_of AND m.expires_at > $now AND m.superseded_at > $as_of
    AND EXISTS { (m)-[s:MENTIONS|MENTIONED]->(many) WHERE s.from <= $as_of AND s.to > $as_of }
  WITH DISTINCT m LIMIT $most
  WITH m ORDER BY m.created_at DESC, m.seq DESC
  WITH collect(m.id) AS found
  RETURN size(found) AS shared, found[..3] AS memories
}
RETURN i, a.id AS source, b.id AS target, shared, memories,
  COLLECT {
    MATCH (a)-[r:RELATED_TO|WAS_RELATED_TO]-(b) WHERE r.from <= $as_of AND r.to > $as_of
    RETURN {id: r.id, relationship_type: r.type, weight: r.weight,
      source_entity_id: startNode(r).id, target_entity_id: endNode(r).id} AS relation
    ORDER BY r.weight DESC, r.id LIMIT 5
  } AS relationships
ORDER BY i
"""
LONGEST_SHOWN = 500


class PastLinkRepository(EntityLinkRepository):
    """Links between memories and entities at a moment."""

    def __init__(self, graph: Graph, caller: Tenanted, as_of: int) -> None:
        super().__init__(graph, caller)
        self.as_of = as_of

    def memories(self, id: str, before: int, before_seq: int, offset: int, limit: int, archived: bool) -> Rows:
        """Return the memories that mentioned an entity, as they were, newest first."""
        position = {"before": before, "before_seq": before_seq, "offset": offset, "limit": limit}
        rows = self.read(KEYS, id=id, as_of=self.as_of, archived=archived, now=now_ms(), **position)
        found = {row["id"]: row for row in rows}
        shown = MomentRepository(self.graph, self.caller, self.as_of).shown(list(found))
        return [{**row, **found[row["id"]]} for row in shown]

    def count(self, id: str, archived: bool) -> int:
        """Return how many memories mentioned an entity."""
        position = {"before": NEVER, "before_seq": 0}
        return int(self.read(COUNT, id=id, as_of=self.as_of, archived=archived, now=now_ms(), **position)[0]["total"])


class PastNeighbourhoodRepository(NeighbourhoodRepository):
    """Steps through the entities of a moment."""

    def __init__(self, graph: Graph, caller: Tenanted, as_of: int) -> None:
        super().__init__(graph, caller)
        self.as_of = as_of

    def around(self, ids: Sequence[str], memories: int, most: int) -> Rows:
        """Return the neighbours that each of `ids` had."""
        sizes = {"memories": memories, "rows": memories * 16, "most": most}
        return self.read(AROUND, ids=list(ids), as_of=self.as_of, now=now_ms(), **sizes)

    def stated_among(self, ids: Sequence[str], most: int) -> Rows:
        """Return the stated relations that held inside a set of entities."""
        return self.read(STATED_AMONG, ids=list(ids), as_of=self.as_of, most=most)

    def step(self, ids: Sequence[str], memories: int, goal: str) -> dict[str, list[str]]:
        """Return the ids that were one step away from each of `ids`; `goal` is reached whatever it is."""
        sizes = {"memories": memories, "rows": memories * 16}
        found = self.read(STEP, ids=list(ids), as_of=self.as_of, goal=goal, now=now_ms(), **sizes)
        return {row["id"]: sorted(row["reached"]) for row in found}

    def justify(self, pairs: Sequence[tuple[str, str]], most: int) -> list[Row]:
        """Return why each pair was one step, with the memories as they were."""
        if not pairs:
            return []
        steps = self.read(JUSTIFY, pairs=[list(pair) for pair in pairs], as_of=self.as_of, most=most, now=now_ms())
        ids = list(dict.fromkeys(id for step in steps for id in step["memories"]))
        shown = {row["id"]: _brief(row) for row in MomentRepository(self.graph, self.caller, self.as_of).shown(ids)}
        return [{**step, "memories": [shown[id] for id in step["memories"] if id in shown]} for step in steps]


class PastRelationRepository(EntityRelationRepository):
    """Relations of a moment."""

    def __init__(self, graph: Graph, caller: Tenanted, as_of: int) -> None:
        super().__init__(graph, caller)
        self.as_of = as_of

    def stated(self, id: str, offset: int, limit: int) -> Rows:
        """Return the relations that held, both directions, heaviest first."""
        return self.read(STATED, id=id, as_of=self.as_of, offset=offset, limit=limit)

    def count(self, id: str) -> int:
        """Return how many relations held."""
        found: list[Row] = self.read(STATED_COUNT, id=id, as_of=self.as_of)
        return int(found[0]["total"]) if found else 0

    def shared(self, id: str, memories: int, most: int) -> Rows:
        """Return entities that shared memories with this one."""
        sizes = {"memories": memories, "rows": memories * 16, "most": most}
        return self.read(SHARED, id=id, as_of=self.as_of, now=now_ms(), **sizes)


def _brief(row: Row) -> Row:
    kept = {name: row[name] for name in ("id", "title", "created_at", "visibility")}
    return {**kept, "content": None if row["visibility"] == "confidential" else row["content"][:LONGEST_SHOWN]}

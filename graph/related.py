"""What stands near a memory, and why: shared names, the session, meaning, succession. `EMBEDDING` and `VECTOR_INDEX`
are filled in by `graph.labels`."""

from graph import labels
from graph.clock import now_ms
from graph.records import Rows
from graph.slotted import Slotted

# Every arm is bounded: names of one memory, memories of one name, steps along the session, neighbours in the index.
# Each arm gives [kind, detail, weight]; a name that many memories share says little, as in a search.
RELATED = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id})
CALL (m) {
  CALL (m) {
    MATCH (m)-[:MENTIONS]->(e:Entity) WHERE NOT e.noise
    WITH m, e, COUNT { (e)<-[:MENTIONS]-() } AS df WHERE df > 1 AND df <= $most_shared
    ORDER BY df, e.name LIMIT $most_names
    MATCH (e)<-[:MENTIONS]-(o:Memory) WHERE o <> m
    WITH o, e, df ORDER BY df, o.created_at DESC LIMIT $most_rows
    RETURN o, ['entity', {id: e.id, name: e.name, entity_type: e.entity_type}, 1.0 / (1.0 + log(df))] AS reason
  }
  RETURN o, reason
 UNION ALL
  MATCH (m)-[:NEXT]->(o:Memory)
  RETURN o, ['session', {place: 'next', steps: 1}, 0.6] AS reason
 UNION ALL
  MATCH (m)<-[:NEXT]-(o:Memory)
  RETURN o, ['session', {place: 'previous', steps: 1}, 0.6] AS reason
 UNION ALL
  MATCH (m)-[:NEXT]->(:Memory)-[:NEXT]->(o:Memory)
  RETURN o, ['session', {place: 'next', steps: 2}, 0.3] AS reason
 UNION ALL
  MATCH (m)<-[:NEXT]-(:Memory)<-[:NEXT]-(o:Memory)
  RETURN o, ['session', {place: 'previous', steps: 2}, 0.3] AS reason
 UNION ALL
  MATCH (m)-[r:SUPERSEDES|DERIVED_FROM]->(o:Memory)
  RETURN o, [CASE type(r) WHEN 'SUPERSEDES' THEN 'supersedes' ELSE 'derived_from' END, {}, 1.0] AS reason
 UNION ALL
  MATCH (m)<-[r:SUPERSEDES|DERIVED_FROM]-(o:Memory)
  RETURN o, [CASE type(r) WHEN 'SUPERSEDES' THEN 'superseded_by' ELSE 'source_of' END, {}, 1.0] AS reason
 UNION ALL
  WITH m.EMBEDDING AS probe, m
  MATCH (o:Searchable)
  SEARCH o IN (VECTOR_INDEX FOR probe
    WHERE o.tenant = $tenant AND o.kind = 'memory' AND o.current = true AND o.expires_at > $now
    LIMIT $near) SCORE AS x
  WITH o, m, 2 * x - 1 AS cosine WHERE o <> m AND cosine > $floor
  RETURN o, ['similar', {similarity: cosine}, (cosine - $floor) / (1 - $floor)] AS reason
}
WITH o, reason
WHERE o.tenant = $tenant AND o.expires_at > $now
  AND (o.current OR reason[0] IN ['supersedes', 'superseded_by', 'derived_from', 'source_of'])
  AND ($confidential OR o.visibility = 'private') AND ($archived OR NOT o.archived)
WITH o, collect(reason) AS reasons, sum(reason[2]) AS weight
ORDER BY weight DESC, o.created_at DESC, o.id LIMIT $limit
RETURN o.id AS id, [r IN reasons | {type: r[0], detail: r[1], weight: r[2]}] AS reasons, weight
"""

MOST_SHARED = 200
MOST_NAMES = 32
MOST_ROWS = 1_000


class RelatedRepository(Slotted):
    """Neighbours of one tenant's memories. `slot` names the vectors in force."""

    kind = "Memory"

    def related(self, id: str, limit: int, near: int, floor: float, *, confidential: bool, archived: bool) -> Rows:
        """Return `{id, reasons: [{type, detail, weight}], weight}`, most related first; empty for an unknown memory.

        `near` is how many neighbours to take by meaning, `floor` the cosine at which texts are unrelated.
        """
        return self.read(
            labels.in_slot(RELATED, self.slot),
            id=id,
            limit=limit,
            near=near,
            floor=floor,
            confidential=confidential,
            archived=archived,
            most_shared=MOST_SHARED,
            most_names=MOST_NAMES,
            most_rows=MOST_ROWS,
            now=now_ms(),
        )

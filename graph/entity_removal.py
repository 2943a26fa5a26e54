"""Taking entities away: merging one into another, deleting one, and sweeping those that nothing mentions any more."""

from collections.abc import Sequence

from graph.clock import now_ms
from graph.entities import NAMES_CHANGED
from graph.errors import NotFound
from graph.outbox import each
from graph.records import Row
from graph.repository import Repository

# Names are locked before their entities, as writers of mentions do: nobody then links to an entity that is going.
LOCK_NAMES = """
CYPHER 25
UNWIND $ids AS id
MATCH (n:EntityName)-[:NAMES]->(:Entity {tenant: $tenant, id: id})
WITH DISTINCT n ORDER BY n.key
SET n.updated_at = $now
"""
# Both are locked in the order of their ids before anything moves, and looked for again: one may have gone meanwhile.
LOCK_BOTH = """
CYPHER 25
MATCH (e:Entity {tenant: $tenant}) WHERE e.id IN $ids
WITH e ORDER BY e.id
SET e.updated_at = $now
WITH e WHERE EXISTS { (:Entity {tenant: $tenant, id: e.id}) }
RETURN e.id AS id, e.metadata AS metadata
"""
MOVE_NAMES = """
CYPHER 25
MATCH (s:Entity {tenant: $tenant, id: $into})
MATCH (e:Entity {tenant: $tenant, id: $id})<-[old:NAMES]-(n:EntityName)
MERGE (n)-[:NAMES]->(s)
DELETE old
"""
MOVE_MENTIONS = """
CYPHER 25
MATCH (s:Entity {tenant: $tenant, id: $into})
MATCH (e:Entity {tenant: $tenant, id: $id})<-[old:MENTIONS]-(m:Memory)
WITH s, old, m LIMIT $batch
MERGE (m)-[new:MENTIONS]->(s)
ON CREATE SET new = properties(old)
ON MATCH SET new.about = coalesce(new.about, false) OR coalesce(old.about, false),
  new.confidence = CASE WHEN old.confidence > new.confidence THEN old.confidence ELSE new.confidence END,
  new.from = CASE WHEN old.from < new.from THEN old.from ELSE new.from END,
  new.relationship = CASE WHEN old.source = 'manual' AND new.source <> 'manual' THEN old.relationship
    ELSE new.relationship END,
  new.source = CASE WHEN old.source = 'manual' THEN 'manual' ELSE new.source END
DELETE old
RETURN count(*) AS moved
"""
MOVE_ABOUT = """
CYPHER 25
MATCH (s:Entity {tenant: $tenant, id: $into})
MATCH (e:Entity {tenant: $tenant, id: $id})<-[old:ABOUT]-(x)
WITH s, old, x LIMIT $batch
MERGE (x)-[new:ABOUT]->(s)
ON CREATE SET new = properties(old)
DELETE old
RETURN count(*) AS moved
"""
# What held once moves as it is: it is not merged, for each has its own period.
MOVE_PAST = """
CYPHER 25
MATCH (s:Entity {tenant: $tenant, id: $into})
MATCH (e:Entity {tenant: $tenant, id: $id})<-[old:MENTIONED]-(m:Memory)
WITH s, old, m LIMIT $batch
CREATE (m)-[new:MENTIONED]->(s)
SET new = properties(old)
DELETE old
RETURN count(*) AS moved
"""
# What the two said of each other would become a loop.
DROP_BETWEEN = """
CYPHER 25
MATCH (:Entity {tenant: $tenant, id: $id})-[r:RELATED_TO]-(:Entity {tenant: $tenant, id: $into})
DELETE r
"""
MOVE_OUTGOING = """
CYPHER 25
MATCH (s:Entity {tenant: $tenant, id: $into})
MATCH (e:Entity {tenant: $tenant, id: $id})-[old:RELATED_TO]->(o:Entity)
MERGE (s)-[new:RELATED_TO {type: old.type}]->(o)
ON CREATE SET new = properties(old)
ON MATCH SET new.weight = CASE WHEN old.weight > new.weight THEN old.weight ELSE new.weight END
DELETE old
"""
MOVE_INCOMING = """
CYPHER 25
MATCH (s:Entity {tenant: $tenant, id: $into})
MATCH (e:Entity {tenant: $tenant, id: $id})<-[old:RELATED_TO]-(o:Entity)
MERGE (o)-[new:RELATED_TO {type: old.type}]->(s)
ON CREATE SET new = properties(old)
ON MATCH SET new.weight = CASE WHEN old.weight > new.weight THEN old.weight ELSE new.weight END
DELETE old
"""
MOVE_PAST_OUTGOING = """
CYPHER 25
MATCH (s:Entity {tenant: $tenant, id: $into})
MATCH (e:Entity {tenant: $tenant, id: $id})-[old:WAS_RELATED_TO]->(o:Entity) WHERE o <> s
CREATE (s)-[new:WAS_RELATED_TO]->(o)
SET new = properties(old)
DELETE old
"""
MOVE_PAST_INCOMING = """
CYPHER 25
MATCH (s:Entity {tenant: $tenant, id: $into})
MATCH (e:Entity {tenant: $tenant, id: $id})<-[old:WAS_RELATED_TO]-(o:Entity) WHERE o <> s
CREATE (o)-[new:WAS_RELATED_TO]->(s)
SET new = properties(old)
DELETE old
"""
MOVE_AGENTS = """
CYPHER 25
MATCH (s:Entity {tenant: $tenant, id: $into})
MATCH (e:Entity {tenant: $tenant, id: $id})-[:INTRODUCED_BY]->(a:Agent)
MERGE (s)-[by:INTRODUCED_BY]->(a) ON CREATE SET by.at = $now
"""
FINISH = """
CYPHER 25
MATCH (s:Entity {tenant: $tenant, id: $into})
SET s.metadata = $metadata, s.source = 'manual', s.version = s.version + 1
WITH s
MATCH (e:Entity {tenant: $tenant, id: $id})
WITH e, e.entity_type AS entity_type
DETACH DELETE e
RETURN $id AS id, entity_type, $into AS into
"""
HUB = """
CYPHER 25
OPTIONAL MATCH (e:Entity {tenant: $tenant, id: $id})
RETURN COUNT { (e)<-[:MENTIONS|MENTIONED]-() } > $batch AS hub
"""
UNLINK_SOME = """
CYPHER 25
MATCH (e:Entity {tenant: $tenant, id: $id})
WHERE COUNT { (e)<-[:MENTIONS|MENTIONED]-() } > $batch
SET e.updated_at = $now
WITH e
MATCH (e)<-[r:MENTIONS|MENTIONED|ABOUT]-()
WITH r LIMIT $batch
DELETE r
RETURN count(*) AS gone
"""
# Locked, then looked for again: of several that delete it, the later ones find nothing. Spellings that lead nowhere
# else go with it.
DELETE = """
CYPHER 25
MATCH (e:Entity {tenant: $tenant, id: $id})
SET e.updated_at = $now
WITH e WHERE EXISTS { (:Entity {tenant: $tenant, id: $id}) }
CALL (e) {
  MATCH (n:EntityName)-[:NAMES]->(e)
  WITH n, e WHERE NOT EXISTS { MATCH (n)-[:NAMES]->(other:Entity) WHERE other <> e }
  DETACH DELETE n
}
WITH e, e.entity_type AS entity_type
DETACH DELETE e
RETURN $id AS id, entity_type
"""
# The walk goes over every entity of the tenant in the order of an index, a stretch at a time. `'' + e.id` is what no
# index answers: with the id alone, the planner reads two indexes for the OR and loses the order.
WALK = """
CYPHER 25
MATCH (e:Entity {tenant: $tenant})
WHERE e.created_at >= $after AND (e.created_at > $after OR '' + e.id > $after_id)
WITH e ORDER BY e.tenant, e.created_at, e.id LIMIT $limit
RETURN count(e) AS seen, max(e.created_at) AS last, collect([e.created_at, e.id])[-1] AS at,
  collect(CASE WHEN coalesce(e.source, 'manual') <> 'manual' AND NOT EXISTS { (e)<-[:MENTIONS|ABOUT]-() }
    AND NOT EXISTS { (e)-[:RELATED_TO]-() } THEN e.id END) AS unused
"""
# Locked, then asked again: a memory that was being written when the walk passed keeps its entity.
DELETE_UNUSED = """
CYPHER 25
UNWIND $ids AS id
MATCH (e:Entity {tenant: $tenant, id: id})
SET e.updated_at = $now
WITH e, id WHERE EXISTS { (:Entity {tenant: $tenant, id: id}) } AND coalesce(e.source, 'manual') <> 'manual'
  AND NOT EXISTS { (e)<-[:MENTIONS|ABOUT]-() } AND NOT EXISTS { (e)-[:RELATED_TO]-() }
CALL (e) {
  MATCH (n:EntityName)-[:NAMES]->(e)
  WITH n, e WHERE NOT EXISTS { MATCH (n)-[:NAMES]->(other:Entity) WHERE other <> e }
  DETACH DELETE n
}
WITH e, e.id AS gone, e.entity_type AS entity_type
DETACH DELETE e
RETURN gone AS id, entity_type
"""

BATCH = 5_000


class EntityRemovalRepository(Repository):
    """Removals of one tenant's entities. Links move or go in batches of BATCH, so no transaction grows with a hub."""

    kind = "Entity"

    def merge(self, id: str, into: str, metadata: str) -> None:
        """Move names, mentions and relations of entity `id` to entity `into`, and delete `id`.

        One transaction up to BATCH mentions. More are moved in batches before; whoever is interrupted may ask again.
        `metadata` is the survivor's afterwards, as JSON text.

        Raises:
            NotFound: one of the two is unknown.
        """
        while self.together(lambda tx: self._merge_some(Repository(self.graph, self.caller, tx), id, into, metadata)):
            pass

    def _merge_some(self, tx: Repository, id: str, into: str, metadata: str) -> bool:
        tx.write(LOCK_NAMES, ids=[id], now=now_ms())
        if len(tx.write(LOCK_BOTH, ids=[id, into], now=now_ms())) < 2:
            raise NotFound(self.kind)
        ends = {"id": id, "into": into}
        tx.write(MOVE_NAMES, **ends)
        many = (MOVE_MENTIONS, MOVE_ABOUT, MOVE_PAST)
        if any(tx.write(move, batch=BATCH, **ends)[0]["moved"] == BATCH for move in many):
            return True
        for move in (DROP_BETWEEN, MOVE_OUTGOING, MOVE_INCOMING, MOVE_PAST_OUTGOING, MOVE_PAST_INCOMING):
            tx.write(move, **ends)
        tx.write(MOVE_AGENTS, now=now_ms(), **ends)
        tx.telling(FINISH, each("entity.merged"), metadata=metadata, **ends)
        tx.write(NAMES_CHANGED, now=now_ms())
        return False

    def pair(self, id: str, into: str) -> tuple[Row, Row]:
        """Return `{id, metadata}` of both.

        Raises:
            NotFound: one of the two is unknown.
        """
        found = {row["id"]: row for row in self.write(LOCK_BOTH, ids=[id, into], now=now_ms())}
        if len(found) < 2:
            raise NotFound(self.kind)
        return found[id], found[into]

    def is_hub(self, id: str) -> bool:
        """Tell whether more mention an entity than one transaction is to unlink."""
        return bool(self.read(HUB, id=id, batch=BATCH)[0]["hub"])

    def thin(self, id: str) -> None:
        """Take mentions from an entity that is to be deleted, until one transaction can take the rest."""
        while self.write(UNLINK_SOME, id=id, batch=BATCH, now=now_ms())[0]["gone"]:
            pass

    def delete(self, id: str) -> None:
        """Delete an entity with its links and with the spellings that lead nowhere else.

        Raises:
            NotFound: no such entity.
        """
        self.thin(id)

        def work(tx: Repository) -> None:
            tx.write(LOCK_NAMES, ids=[id], now=now_ms())
            if not tx.telling(DELETE, each("entity.deleted"), id=id, now=now_ms()):
                raise NotFound(self.kind)
            tx.write(NAMES_CHANGED, now=now_ms())

        self.together(lambda tx: work(Repository(self.graph, self.caller, tx)))

    def walk(self, after: int, after_id: str, limit: int) -> Row:
        """Return `{seen, at, unused}` for the next stretch of entities; `at` is the (created_at, id) of its last."""
        return self.read(WALK, after=after, after_id=after_id, limit=limit)[0]

    def delete_unused(self, ids: Sequence[str]) -> int:
        """Delete those of `ids` that extraction made and nothing mentions any more; return how many."""

        def work(tx: Repository) -> int:
            tx.write(LOCK_NAMES, ids=list(ids), now=now_ms())
            gone = len(tx.telling(DELETE_UNUSED, each("entity.deleted"), ids=sorted(ids), now=now_ms()))
            if gone:
                tx.write(NAMES_CHANGED, now=now_ms())
            return gone

        return self.together(lambda tx: work(Repository(self.graph, self.caller, tx)))

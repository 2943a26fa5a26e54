"""Links between memories and entities that a client makes, removes or follows."""

from graph.clock import now_ms
from graph.errors import NotFound
from graph.labels import NEVER
from graph.memories import NEWEST_FIRST, SHOWN
from graph.records import Row, Rows
from graph.repository import Repository

# The entity is locked first, so that writers of the same link wait instead of deadlocking; a property set to itself
# changes nothing where the memory is unknown. `r.id` tells the one that made the link from those that met it.
LINK = """
CYPHER 25
MATCH (e:Entity {tenant: $tenant, id: $entity_id})
SET e.created_at = e.created_at
WITH e WHERE e.id IS NOT NULL
MATCH (m:Memory {tenant: $tenant, id: $memory_id}) WHERE m.current AND m.expires_at > $now
MERGE (m)-[r:MENTIONS]->(e)
ON CREATE SET r.id = $id, r.confidence = 1.0, r.about = false, r.from = $now, r.to = $never
SET r.source = 'manual', r.relationship = coalesce($relationship, r.relationship, 'mentioned_in')
RETURN e.id AS entity_id, m.id AS memory_id, r.relationship AS relationship, r.confidence AS relevance_score,
  r.from AS created_at, coalesce(r.id = $id, false) AS created
"""
# The entity is locked before the look for its link: of several that take it away, the later ones find nothing.
UNLINK = """
CYPHER 25
MATCH (e:Entity {tenant: $tenant, id: $entity_id})
SET e.created_at = e.created_at
WITH e
MATCH (m:Memory {tenant: $tenant, id: $memory_id})-[r:MENTIONS|ABOUT]->(e)
WITH m, e, collect(r) AS links WHERE size(links) > 0
FOREACH (r IN [r IN links WHERE type(r) = 'MENTIONS' AND r.from < $now] |
  CREATE (m)-[past:MENTIONED]->(e) SET past = properties(r), past.to = $now)
FOREACH (r IN links | DELETE r)
RETURN size(links) AS gone
"""
# `'' + m.tenant` is what no index answers: with the tenant alone, the planner reads the tenant's whole list from an
# index and asks of each memory whether it is linked.
MATCH_LINKED = """
CYPHER 25
MATCH (e:Entity {tenant: $tenant, id: $id})<-[link:MENTIONS]-(m:Memory)
WITH m, link WHERE '' + m.tenant = $tenant AND m.current AND m.expires_at > $now AND ($archived OR NOT m.archived)
  AND m.created_at <= $before AND (m.created_at < $before OR m.seq < $before_seq)
"""
# For an entity that a large part of all memories mention: the newest memories are looked through until a page is full.
MATCH_NEWEST = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant})
WHERE m.created_at <= $before AND (m.created_at < $before OR 0 + m.seq < $before_seq)
MATCH (e:Entity {tenant: $tenant, id: $id})
WITH m, e
WHERE m.current AND m.expires_at > $now AND ($archived OR NOT m.archived) AND EXISTS { (m)-[:MENTIONS]->(e) }
WITH m, e ORDER BY m.tenant DESC, m.created_at DESC, m.seq DESC SKIP $offset LIMIT $limit
MATCH (m)-[link:MENTIONS]->(e)
WITH m, link
"""
SIZES = """
CYPHER 25
MATCH (e:Entity {tenant: $tenant, id: $id})
OPTIONAL MATCH (c:Counter {tenant: $tenant, name: 'memory'})
RETURN COUNT { (e)<-[:MENTIONS]-() } AS degree, coalesce(c.next, 0) AS most
"""
PAGE = "WITH m, link ORDER BY m.created_at DESC, m.seq DESC SKIP $offset LIMIT $limit"
LINKED = ", link.relationship AS relationship, link.confidence AS relevance_score"
MEMORIES = MATCH_LINKED + PAGE + SHOWN + LINKED + NEWEST_FIRST
MEMORIES_OF_HUB = MATCH_NEWEST + SHOWN + LINKED + NEWEST_FIRST
COUNT = MATCH_LINKED + "RETURN count(m) AS total"


class EntityLinkRepository(Repository):
    """Links of one tenant's entities."""

    kind = "Link"

    def link(self, id: str, entity_id: str, memory_id: str, relationship: str | None) -> Row:
        """Tie a memory to a known entity; return the link, and in `created` whether it is new.

        `id` marks a new link. A link that is there already takes the relationship, where one is given, and is from
        then on one made by hand, which no later edit of the memory's text removes.

        Raises:
            NotFound: no such memory.
        """
        parameters = {"entity_id": entity_id, "memory_id": memory_id, "relationship": relationship}
        found = self.write(LINK, id=id, now=now_ms(), never=NEVER, **parameters)
        if not found:
            raise NotFound("Memory")
        return found[0]

    def unlink(self, entity_id: str, memory_id: str) -> None:
        """Take the link between a memory and an entity away.

        Raises:
            NotFound: there is none.
        """
        self.write_one(UNLINK, entity_id=entity_id, memory_id=memory_id, now=now_ms())

    def memories(self, id: str, before: int, before_seq: int, offset: int, limit: int, archived: bool) -> Rows:
        """Return the memories that mention an entity, newest first, each with `relationship` and `relevance_score`."""
        position = {"before": before, "before_seq": before_seq, "offset": offset, "limit": limit}
        size = self.one(SIZES, id=id)
        # What a walk over the newest memories would read, against what a sort of all links reads.
        walked = (offset + limit) * size["most"] / max(size["degree"], 1)
        query = MEMORIES_OF_HUB if walked < size["degree"] else MEMORIES
        return self.read(query, id=id, archived=archived, now=now_ms(), **position)

    def count(self, id: str, archived: bool) -> int:
        """Return how many current memories mention an entity."""
        row = self.read(COUNT, id=id, archived=archived, now=now_ms(), before=NEVER, before_seq=0)[0]
        return int(row["total"])

"""Topics: groups of entities that are mentioned together. A worker finds them; here they are kept and read."""

from collections.abc import Sequence

from graph.clock import now_ms
from graph.records import Row, Rows
from graph.repository import Repository

# The newest memories alone: what a tenant works on now, and a bound on the work.
SAID_TOGETHER = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant})
WHERE m.created_at <= $before
WITH m ORDER BY m.tenant DESC, m.created_at DESC LIMIT $limit
WITH m WHERE m.current AND m.expires_at > $now AND m.visibility <> 'confidential'
MATCH (m)-[:MENTIONS]->(e:Entity) WHERE NOT coalesce(e.noise, false)
WITH m, collect(e.id)[..$most] AS ids WHERE size(ids) > 1
RETURN ids
"""
STATED = """
CYPHER 25
MATCH (a:Entity {tenant: $tenant}) WHERE a.created_at >= 0
MATCH (a)-[r:RELATED_TO]->(b:Entity)
RETURN a.id AS source, b.id AS target, r.weight AS weight LIMIT $limit
"""
NAMES = """
CYPHER 25
UNWIND $ids AS id
MATCH (e:Entity {tenant: $tenant, id: id})
RETURN e.id AS id, e.name AS name
"""
MEMBERS = """
CYPHER 25
MATCH (t:Topic {tenant: $tenant})<-[:IN_TOPIC]-(e:Entity) WHERE t.rank >= 0
RETURN t.id AS id, t.created_at AS created_at, collect(e.id) AS members
"""
CLEAR = """
CYPHER 25
MATCH (t:Topic {tenant: $tenant}) WHERE t.rank >= 0
DETACH DELETE t
"""
WRITE = """
CYPHER 25
UNWIND $topics AS row
CREATE (t:Topic {tenant: $tenant, id: row.id, name: row.label, rank: row.rank, created_at: row.created_at,
  updated_at: $now, version: 1})
WITH t, row
UNWIND row.members AS member
MATCH (e:Entity {tenant: $tenant, id: member.id})
CREATE (e)-[:IN_TOPIC {weight: member.weight}]->(t)
"""
SHOWN = """
RETURN t.id AS id, t.name AS label, t.rank AS rank, t.created_at AS created_at, t.updated_at AS updated_at,
  COUNT { (t)<-[:IN_TOPIC]-() } AS member_count,
  COLLECT {
    MATCH (t)<-[i:IN_TOPIC]-(e:Entity)
    RETURN {id: e.id, name: e.name, type: e.entity_type, entity_type: e.entity_type, weight: i.weight} AS member
    ORDER BY i.weight DESC, e.name, e.id LIMIT $members
  } AS members
"""
LIST = (
    "CYPHER 25 MATCH (t:Topic {tenant: $tenant}) WHERE t.rank >= $offset WITH t ORDER BY t.tenant, t.rank LIMIT $limit"
    + SHOWN
)
COUNT = "CYPHER 25 MATCH (t:Topic {tenant: $tenant}) WHERE t.rank >= 0 RETURN count(t) AS total"
GET = "CYPHER 25 MATCH (t:Topic {tenant: $tenant, id: $id})" + SHOWN
DUE = """
CYPHER 25
MATCH (t:Tenant {id: $tenant})
WITH t, coalesce(t.topics_at, 0) AS done WHERE done <= $before
CALL () {
  OPTIONAL MATCH (m:Memory {tenant: $tenant}) WHERE m.created_at >= 0
  RETURN m.created_at AS newest ORDER BY m.tenant DESC, m.created_at DESC LIMIT 1
}
CALL () {
  OPTIONAL MATCH (e:Entity {tenant: $tenant}) WHERE e.created_at >= 0
  RETURN e.created_at AS latest ORDER BY e.tenant DESC, e.created_at DESC LIMIT 1
}
WITH done WHERE newest >= done OR latest >= done OR (done <= $stale AND latest IS NOT NULL)
RETURN done
"""
# Whoever sets the time first, so that two workers never write a tenant's topics at once.
CLAIM = """
CYPHER 25
MATCH (t:Tenant {id: $tenant})
SET t.topics_asked_at = $now
WITH t WHERE coalesce(t.topics_at, 0) = $done
SET t.topics_at = $now
RETURN t.topics_at AS claimed
"""


class TopicRepository(Repository):
    """Topics of one tenant; `rank` counts them from 0, the largest first."""

    kind = "Topic"

    def claim(self, pause: int, longest: int) -> bool:
        """Tell whether topics are to be found anew: something was written, and the last time is `pause` ms ago.

        After `longest` ms they are found anew in any case, for what was edited or deleted. Taken, they are this
        caller's to find.
        """
        now = now_ms()
        due = self.read(DUE, before=now - pause, stale=now - longest)
        return bool(due) and bool(self.write(CLAIM, now=now, done=due[0]["done"]))

    def said_together(self, memories: int, most: int, before: int) -> list[list[str]]:
        """Return, for the newest `memories` memories, the ids of the entities of each (at most `most`)."""
        rows = self.read(SAID_TOGETHER, limit=memories, most=most, before=before, now=now_ms())
        return [row["ids"] for row in rows]

    def stated(self, limit: int) -> Rows:
        """Return `{source, target, weight}` of stated relations."""
        return self.read(STATED, limit=limit)

    def names(self, ids: Sequence[str]) -> dict[str, str]:
        """Return entity names by id."""
        return {row["id"]: row["name"] for row in self.read(NAMES, ids=list(ids))}

    def members(self) -> Rows:
        """Return `{id, created_at, members}` of the topics as they are."""
        return self.read(MEMBERS)

    def replace(self, topics: Sequence[Row]) -> None:
        """Put `topics` in the place of all that are there.

        Each is `{id, label, rank, created_at, members: [{id, weight}]}`.
        """

        def work(tx: Repository) -> None:
            tx.write(CLEAR)
            tx.write(WRITE, topics=list(topics), now=now_ms())

        self.together(lambda tx: work(Repository(self.graph, self.caller, tx)))

    def list(self, offset: int, limit: int, members: int) -> Rows:
        """Return topics from rank `offset` on, each with its weightiest members."""
        return self.read(LIST, offset=offset, limit=limit, members=members)

    def count(self) -> int:
        """Return how many topics there are."""
        return int(self.read(COUNT)[0]["total"])

    def get(self, id: str, members: int) -> Row:
        """Return one topic.

        Raises:
            NotFound: no such topic.
        """
        return self.one(GET, id=id, members=members)

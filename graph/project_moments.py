"""What was to be known of a project at a past moment (`as_of`, epoch ms), in rows like those of `ProjectRepository`.

Texts of memories are those of then; the project, decisions, patterns and sessions are told in their words of today.
"""

from graph.clock import now_ms
from graph.decision_moments import STOOD
from graph.driver import Graph
from graph.errors import NotFound
from graph.labels import NEVER
from graph.moments import STATE, MomentRepository
from graph.projects import ProjectRepository
from graph.records import Row, Rows
from graph.repository import Tenanted

# A memory that has not changed since is where the index of today has it; the others are found by their changes.
HOT_THEN = (
    """
CYPHER 25
CALL () {
  MATCH (m:Memory {tenant: $tenant, project_id: $id, tier: 'hot'})
  WHERE m.importance >= 0 AND m.created_at <= $as_of AND m.superseded_at > $as_of AND m.expires_at > $now
    AND NOT m.archived AND m.visibility = 'private'
    AND NOT EXISTS { MATCH (c:MemoryChange)-[:CHANGE_OF]->(m) WHERE c.created_at > $as_of }
  WITH m ORDER BY m.tenant DESC, m.project_id DESC, m.tier DESC, m.importance DESC, m.created_at DESC, m.id LIMIT $limit
  RETURN m, m.importance AS importance
 UNION
  MATCH (c:MemoryChange {tenant: $tenant, project_id: $id})-[:CHANGE_OF]->(m:Memory)
  WHERE c.created_at > $as_of AND c.tier = 'hot' AND m.created_at <= $as_of AND m.superseded_at > $as_of
    AND m.expires_at > $now AND m.visibility = 'private'
  WITH DISTINCT m
"""
    + STATE
    + """
  WITH m, s WHERE s.tier = 'hot' AND NOT s.archived
  RETURN m, s.importance AS importance ORDER BY importance DESC, m.created_at DESC, m.id LIMIT $limit
}
RETURN m.id AS id ORDER BY importance DESC, m.created_at DESC, id LIMIT $limit
"""
)
DECISIONS_THEN = (
    """
CYPHER 25
MATCH (d:Decision {tenant: $tenant, project_id: $id})
WHERE d.created_at >= 0 AND d.created_at <= $as_of AND 'active' =
"""
    + STOOD
    + """
WITH d ORDER BY d.tenant DESC, d.project_id DESC, d.created_at DESC, d.id DESC LIMIT $limit
RETURN d.id AS id, d.title AS title, d.rationale AS rationale, 'active' AS status, d.created_at AS created_at
ORDER BY created_at DESC, id DESC
"""
)
PATTERNS_THEN = """
CYPHER 25
MATCH (p:Project {tenant: $tenant, id: $id})-[adopted:ADOPTED]->(t:Pattern {tenant: $tenant})
WHERE adopted.at <= $as_of
RETURN t.id AS id, t.title AS title, t.description AS description, t.category AS category, adopted.at AS adopted_at
ORDER BY adopted.at DESC, t.id LIMIT $limit
"""
# What came of a session that had not ended is left out: nobody knew it.
SESSIONS_THEN = """
CYPHER 25
MATCH (s:Session {tenant: $tenant, project: $slug}) WHERE s.created_at <= $as_of
WITH s ORDER BY s.tenant DESC, s.project DESC, s.created_at DESC, s.id DESC LIMIT $limit
WITH s, coalesce(s.ended_at, $never) <= $as_of AS over
RETURN s.id AS id, s.title AS title, CASE WHEN over THEN 'ended' ELSE 'active' END AS status,
  CASE WHEN over THEN coalesce(s.summary, s.digest) END AS summary, s.started_at AS started_at,
  CASE WHEN over THEN s.ended_at END AS ended_at
ORDER BY s.created_at DESC, id DESC
"""


class PastProjectRepository(ProjectRepository):
    """Reads of one tenant's projects as at `as_of`."""

    def __init__(self, graph: Graph, caller: Tenanted, as_of: int) -> None:
        super().__init__(graph, caller)
        self.as_of = as_of

    def get(self, slug: str) -> Row:
        """Return one project as it is now.

        Raises:
            NotFound: no such project, or none then.
        """
        found = super().get(slug)
        if found["created_at"] > self.as_of:
            raise NotFound(self.kind)
        return found

    def hot_memories(self, id: str, limit: int) -> Rows:
        """Return the most important memories that were hot, as they were."""
        rows = self.read(HOT_THEN, id=id, as_of=self.as_of, limit=limit, now=now_ms())
        return MomentRepository(self.graph, self.caller, self.as_of).shown([row["id"] for row in rows])

    def active_decisions(self, id: str, limit: int) -> Rows:
        """Return the newest decisions that were active."""
        return self.read(DECISIONS_THEN, id=id, as_of=self.as_of, limit=limit)

    def adopted_patterns(self, id: str, limit: int) -> Rows:
        """Return those patterns of today that had been adopted, the last adopted first."""
        return self.read(PATTERNS_THEN, id=id, as_of=self.as_of, limit=limit)

    def recent_sessions(self, slug: str, limit: int) -> Rows:
        """Return the newest sessions labelled with the slug."""
        return self.read(SESSIONS_THEN, slug=slug, as_of=self.as_of, limit=limit, never=NEVER)

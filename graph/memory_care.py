"""Maintenance of memories in bounded batches: demotion, archiving, and what extraction has still to do."""

from graph.clock import now_ms
from graph.labels import NONE
from graph.memories import TOLD
from graph.memory_changes import KEEP_CHANGE
from graph.memory_windows import KEEP_WINDOWS
from graph.outbox import each
from graph.records import Ids, Row
from graph.repository import Repository

# Walks one tier in the order of an index, a stretch at a time; `at` is where the next stretch begins. The order names
# every column of that index, or the planner would sort them all.
WALK_WARM = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, tier: 'warm'})
WHERE m.created_at >= $after AND CASE WHEN m.created_at > $after THEN true ELSE m.seq > $after_seq END
WITH m ORDER BY m.tenant, m.tier, m.created_at, m.seq LIMIT $limit
RETURN count(m) AS seen, collect([m.created_at, m.seq])[-1] AS at,
  collect(CASE WHEN m.importance < $low OR (m.importance <= $middling AND m.updated_at < $idle_since)
    THEN m.id END) AS ids
"""
WALK_COLD = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, tier: 'cold'})
WHERE m.created_at < $idle_since AND m.created_at >= $after
  AND CASE WHEN m.created_at > $after THEN true ELSE m.seq > $after_seq END
WITH m ORDER BY m.tenant, m.tier, m.created_at, m.seq LIMIT $limit
RETURN count(m) AS seen, collect([m.created_at, m.seq])[-1] AS at,
  collect(CASE WHEN NOT m.archived AND m.updated_at < $idle_since AND NOT EXISTS { (m)<-[:BASED_ON]-() }
    THEN m.id END) AS ids
"""
# Locked first, judged again after: an edit that came in between keeps its say. `updated_at` stays, for it tells when
# somebody last touched the memory.
DEMOTE = (
    """
CYPHER 25
UNWIND $ids AS wanted
MATCH (m:Memory {tenant: $tenant, id: wanted})
SET m.created_at = m.created_at
WITH m WHERE m.tier = 'warm' AND (m.importance < $low OR (m.importance <= $middling AND m.updated_at < $idle_since))
"""
    + KEEP_CHANGE
    + """
SET m.tier = 'cold', m.version = m.version + 1
WITH m
"""
    + KEEP_WINDOWS
    + TOLD
)
ARCHIVE = (
    """
CYPHER 25
UNWIND $ids AS wanted
MATCH (m:Memory {tenant: $tenant, id: wanted})
SET m.created_at = m.created_at
WITH m WHERE m.tier = 'cold' AND NOT m.archived AND m.updated_at < $idle_since
"""
    + KEEP_CHANGE
    + """
SET m.archived = true, m.archived_at = $now, m.version = m.version + 1
WITH m
"""
    + KEEP_WINDOWS
    + TOLD
)
UNEXTRACTED = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, extraction_method: $method})
WHERE m.created_at > 0 AND m.expires_at > $now AND m.current
  AND ($agent_id IS NULL OR m.agent_id = $agent_id)
  AND NOT EXISTS { MATCH (m)<-[:FOR]-(j:Job) WHERE j.kind = 'extract' AND j.finished_at IS NULL }
WITH m ORDER BY m.tenant DESC, m.extraction_method DESC, m.created_at DESC LIMIT $limit
RETURN m.id AS id
"""


class MemoryCareRepository(Repository):
    """Maintenance of one tenant's memories. Times are epoch ms."""

    kind = "Memory"

    def walk_warm(self, at: tuple[int, int], limit: int, rule: Row) -> Row:
        """Return `{seen, at, ids}`: the next stretch of warm memories, and those of it that `rule` makes cold."""
        return self.read(WALK_WARM, after=at[0], after_seq=at[1], limit=limit, **rule)[0]

    def walk_cold(self, at: tuple[int, int], limit: int, idle_since: int) -> Row:
        """Return `{seen, at, ids}`: the next stretch of old cold memories, and those of it to archive."""
        return self.read(WALK_COLD, after=at[0], after_seq=at[1], limit=limit, idle_since=idle_since)[0]

    def demote(self, ids: Ids, rule: Row) -> int:
        """Make those warm memories cold that `rule` still names; return how many."""
        change = {"change": "edited", "fields": ["tier"], "version_id": NONE, "now": now_ms()}
        return len(self.telling(DEMOTE, each("memory.updated", "tier"), ids=sorted(ids), **change, **rule))

    def archive(self, ids: Ids, idle_since: int) -> int:
        """Archive those cold memories that nobody touched since; return how many."""
        change = {"change": "archived", "fields": ["archived"], "version_id": NONE, "now": now_ms()}
        told = each("memory.updated", "archived_at")
        return len(self.telling(ARCHIVE, told, ids=sorted(ids), idle_since=idle_since, **change))

    def unextracted(self, method: str, agent_id: str | None, limit: int) -> Ids:
        """Return ids of memories whose names were found by `method` ("": by none), newest first."""
        rows = self.read(UNEXTRACTED, method=method, agent_id=agent_id, limit=limit, now=now_ms())
        return [row["id"] for row in rows]

"""What became of memories, and when: each change is a node that holds what the memory was before it, all but its text.

A text that was replaced is a MemoryVersion, named by `version_id`. A look into the past (`graph.moments`) takes the
first change after the moment asked for. A memory that is deleted takes its changes along and leaves one behind, of kind
`deleted` and tied to nothing: which it was, when it went, and whose it was but for the user (`graph.memories.DELETE`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from graph import labels
from graph.driver import Graph
from graph.records import Row, Rows
from graph.repository import Repository

# What a change keeps, besides the text.
KEPT = (
    "title", "metadata", "memory_type", "importance", "tier", "visibility", "salience", "occurred_at", "expires_at",
    "archived", "archived_at",
)  # fmt: skip
# Before it changes memory `m`, whoever does puts this in front. The number of the version orders the changes of one
# memory, whatever the clock does; `place` orders those of all in one millisecond, after what was created in it.
KEEP_CHANGE = """
CALL (m) {
  CREATE (c:MemoryChange {tenant: $tenant, id: randomUUID()})-[:CHANGE_OF]->(m)
  SET c += m {.title, .metadata, .memory_type, .importance, .tier, .visibility, .salience, .occurred_at, .expires_at,
      .archived, .archived_at, .agent_id, .user_id, .session_id, .project_id},
    c.memory_id = m.id, c.was_version = m.version, c.kind = $change, c.name = $change, c.fields = $fields,
    c.version_id = $version_id, c.place = '2' + right('000000000' + toString(m.version), 10) + m.id,
    c.created_at = $now, c.updated_at = $now, c.version = 1
}
"""
KEEP = "CYPHER 25 MATCH (m:Memory {tenant: $tenant, id: $id})" + KEEP_CHANGE
# Old deletions of every tenant.
FORGET = """
CYPHER 25
MATCH (c:MemoryChange) WHERE c.kind = 'deleted' AND c.created_at < $before
WITH c LIMIT $limit
DELETE c
RETURN count(*) AS gone
"""
# CASE, because the planner makes two seeks and a sort of an OR over the indexed time. An order that names every column
# of the index, the constant ones too, is the index's own: the planner stops at the limit.
STORED = """
WHERE m.created_at >= $since AND m.created_at <= $before AND m.expires_at > $now
  AND CASE WHEN m.created_at < $before THEN true
    ELSE '1' + right('000000000000000000' + toString(m.seq), 19) < $place END
  AND ($agent_id IS NULL OR m.agent_id = $agent_id) AND ($user_id IS NULL OR m.user_id = $user_id)
  AND ($session_id IS NULL OR m.session_id = $session_id) AND ($project_id IS NULL OR m.project_id = $project_id)
"""
CHANGED = """
WHERE c.created_at >= $since AND c.created_at <= $before
  AND CASE WHEN c.created_at < $before THEN true ELSE c.place < $place END
  AND ($agent_id IS NULL OR c.agent_id = $agent_id) AND ($user_id IS NULL OR c.user_id = $user_id)
  AND ($session_id IS NULL OR c.session_id = $session_id) AND ($project_id IS NULL OR c.project_id = $project_id)
  AND (c.kind = 'deleted' OR EXISTS { MATCH (c)-[:CHANGE_OF]->(m:Memory) WHERE m.expires_at > $now })
"""
STORED_ROW = """
LIMIT $most
RETURN m.created_at AS at, '1' + right('000000000000000000' + toString(m.seq), 19) AS place, m, null AS c
UNION ALL
"""
CHANGED_ROW = """
LIMIT $most
OPTIONAL MATCH (c)-[:CHANGE_OF]->(m:Memory)
RETURN c.created_at AS at, c.place AS place, m, c
"""
# What a memory was after a change stands in the next one, and its text in the next version.
SHOWN = """
}
WITH at, place, m, c ORDER BY at DESC, place DESC SKIP $offset LIMIT $limit
WITH at, place, m, c, coalesce(c.was_version, 0) AS was
WITH at, place, m, c, was, coalesce(head(COLLECT {
    MATCH (n:MemoryChange)-[:CHANGE_OF]->(m) WHERE n.was_version > was RETURN n ORDER BY n.was_version LIMIT 1
  }), m) AS s, coalesce(head(COLLECT {
    MATCH (v:MemoryVersion)-[:VERSION_OF]->(m) WHERE v.version > was RETURN v.content ORDER BY v.version LIMIT 1
  }), m.content) AS text
RETURN at, place, coalesce(c.id, m.id) AS id, coalesce(m.id, c.memory_id) AS memory_id,
  coalesce(c.kind, 'created') AS kind, coalesce(c.fields, []) AS fields, coalesce(m.agent_id, c.agent_id) AS agent_id,
  m.user_id AS user_id, coalesce(m.session_id, c.session_id) AS session_id,
  coalesce(m.project_id, c.project_id) AS project_id, CASE WHEN m IS NOT NULL THEN c.was_version END AS version_before,
  CASE WHEN m IS NOT NULL THEN was + 1 END AS version_after,
  nullIf(c.version_id, '') AS version_id,
  CASE WHEN c.kind = 'superseded' THEN head(COLLECT { MATCH (by:Memory)-[:SUPERSEDES]->(m) RETURN by.id }) END
    AS superseded_by,
  s {.title, .metadata, .memory_type, .importance, .tier, .visibility, .occurred_at, .expires_at, content: text}
    AS after,
  c {.title, .metadata, .memory_type, .importance, .tier, .visibility, .occurred_at, .expires_at,
    content: coalesce(head(COLLECT {
      MATCH (v:MemoryVersion {tenant: $tenant, id: c.version_id}) RETURN v.content }), text)} AS before
ORDER BY at DESC, place DESC
"""
OPENED = """
CYPHER 25
CALL () {
"""
STORED_ALL = "MATCH (m:Memory {tenant: $tenant})" + STORED
STORED_AGENT = "MATCH (m:Memory {tenant: $tenant, agent_id: $agent_id})" + STORED
STORED_SESSION = "MATCH (m:Memory {tenant: $tenant, session_id: $session_id})" + STORED
STORED_PROJECT = "MATCH (m:Memory {tenant: $tenant, project_id: $project_id})" + STORED
STORED_USER = "MATCH (m:Memory {tenant: $tenant, user_id: $user_id})" + STORED
CHANGED_ALL = "MATCH (c:MemoryChange {tenant: $tenant})" + CHANGED
CHANGED_AGENT = "MATCH (c:MemoryChange {tenant: $tenant, agent_id: $agent_id})" + CHANGED
CHANGED_SESSION = "MATCH (c:MemoryChange {tenant: $tenant, session_id: $session_id})" + CHANGED
CHANGED_PROJECT = "MATCH (c:MemoryChange {tenant: $tenant, project_id: $project_id})" + CHANGED
CHANGED_USER = "MATCH (c:MemoryChange {tenant: $tenant, user_id: $user_id})" + CHANGED
BY_ALL = "WITH m ORDER BY m.tenant DESC, m.created_at DESC, m.seq DESC" + STORED_ROW
BY_AGENT = "WITH m ORDER BY m.tenant DESC, m.agent_id DESC, m.created_at DESC, m.seq DESC" + STORED_ROW
BY_SESSION = "WITH m ORDER BY m.tenant DESC, m.session_id DESC, m.created_at DESC, m.seq DESC" + STORED_ROW
BY_PROJECT = "WITH m ORDER BY m.tenant DESC, m.project_id DESC, m.created_at DESC, m.seq DESC" + STORED_ROW
BY_USER = "WITH m ORDER BY m.tenant DESC, m.user_id DESC, m.created_at DESC, m.seq DESC" + STORED_ROW
LAST_ALL = "WITH c ORDER BY c.tenant DESC, c.created_at DESC, c.place DESC" + CHANGED_ROW
LAST_AGENT = "WITH c ORDER BY c.tenant DESC, c.agent_id DESC, c.created_at DESC, c.place DESC" + CHANGED_ROW
LAST_SESSION = "WITH c ORDER BY c.tenant DESC, c.session_id DESC, c.created_at DESC, c.place DESC" + CHANGED_ROW
LAST_PROJECT = "WITH c ORDER BY c.tenant DESC, c.project_id DESC, c.created_at DESC, c.place DESC" + CHANGED_ROW
LAST_USER = "WITH c ORDER BY c.tenant DESC, c.user_id DESC, c.created_at DESC, c.place DESC" + CHANGED_ROW
COUNT_STORED = " RETURN count(m) AS stored } CALL () { "
COUNT_CHANGED = " RETURN count(c) AS changed } "
COUNTED = "RETURN stored + changed AS total"
# Narrowest first.
FEEDS = {
    "session_id": OPENED + STORED_SESSION + BY_SESSION + CHANGED_SESSION + LAST_SESSION + SHOWN,
    "user_id": OPENED + STORED_USER + BY_USER + CHANGED_USER + LAST_USER + SHOWN,
    "project_id": OPENED + STORED_PROJECT + BY_PROJECT + CHANGED_PROJECT + LAST_PROJECT + SHOWN,
    "agent_id": OPENED + STORED_AGENT + BY_AGENT + CHANGED_AGENT + LAST_AGENT + SHOWN,
    "": OPENED + STORED_ALL + BY_ALL + CHANGED_ALL + LAST_ALL + SHOWN,
}
COUNTS = {
    "session_id": OPENED + STORED_SESSION + COUNT_STORED + CHANGED_SESSION + COUNT_CHANGED + COUNTED,
    "user_id": OPENED + STORED_USER + COUNT_STORED + CHANGED_USER + COUNT_CHANGED + COUNTED,
    "project_id": OPENED + STORED_PROJECT + COUNT_STORED + CHANGED_PROJECT + COUNT_CHANGED + COUNTED,
    "agent_id": OPENED + STORED_AGENT + COUNT_STORED + CHANGED_AGENT + COUNT_CHANGED + COUNTED,
    "": OPENED + STORED_ALL + COUNT_STORED + CHANGED_ALL + COUNT_CHANGED + COUNTED,
}
SCOPES = ("session_id", "user_id", "project_id", "agent_id")


class MemoryChangeRepository(Repository):
    """Changes of one tenant's memories. Times are epoch ms.

    `scope` names any of SCOPES; those left out let everything pass. No deletion passes a user: of whom a deleted memory
    told is not kept.
    """

    kind = "Memory"

    def keep(self, id: str, change: str, fields: Sequence[str], now: int, version_id: str = "") -> None:
        """Keep what a memory is, as what it was before the change that the caller is about to make."""
        self.write(KEEP, id=id, change=change, fields=list(fields), now=now, version_id=version_id)

    def list(
        self, scope: Mapping[str, Any], since: int, before: int, place: str, offset: int, limit: int, now: int
    ) -> Rows:
        """Return changes from `since` up to the sort key (`before`, `place`), newest first.

        Each is `{at, place, id, memory_id, kind, fields, version_before, version_after, version_id, superseded_by,
        before, after}` with the ids of the memory's owners; `before` and `after` are what the memory was and became.
        """
        given = {**dict.fromkeys(SCOPES), **scope}
        page = {"before": before, "place": place, "offset": offset, "limit": limit, "most": offset + limit}
        return self.read(FEEDS[_narrowest(given)], since=since, now=now, **page, **given)

    def count(self, scope: Mapping[str, Any], since: int, before: int, now: int) -> int:
        """Return how many changes lie from `since` up to, but without, `before`."""
        given = {**dict.fromkeys(SCOPES), **scope}
        rows = self.read(COUNTS[_narrowest(given)], since=since, before=before, place=labels.NONE, now=now, **given)
        return int(rows[0]["total"])


def forget_deletions(graph: Graph, before: int, limit: int) -> int:
    """Delete up to `limit` deletions told of before a time (epoch ms), of every tenant; return how many went."""
    return int(graph.write(FORGET, before=before, limit=limit)[0]["gone"])


def _narrowest(scope: Row) -> str:
    return next((name for name in SCOPES if scope[name] is not None), "")

"""What would have been answered at a past moment (`as_of`, epoch ms): memories as they were, in the lists of then.

A memory's properties of then stand in the first change after the moment, else in the memory; its text in the first
version that ended after it, else in the memory. Who may see it is asked of today: `visibility` and `expires_at` are the
present ones, and what was deleted since never comes back.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from graph import labels
from graph.clock import now_ms
from graph.driver import Graph, Transaction
from graph.memory_lists import OPEN
from graph.records import Row, Rows
from graph.repository import Repository, Tenanted

# What never changes, and what is asked of today. CASE, because the planner makes two seeks and a sort of an OR.
THERE = """
WHERE m.created_at >= $after AND m.created_at <= $before
  AND CASE WHEN m.created_at < $before THEN true ELSE m.seq < $before_seq END
  AND m.created_at <= $as_of AND m.expires_at > $now AND ($superseded OR m.superseded_at > $as_of)
  AND ($agent_id IS NULL OR m.agent_id = $agent_id) AND ($user_id IS NULL OR m.user_id = $user_id)
  AND ($session_id IS NULL OR m.session_id = $session_id) AND ($project_id IS NULL OR m.project_id = $project_id)
  AND ($visibility IS NULL OR m.visibility = $visibility)
"""
# `s` is the node that has the properties of then, under the same names as the memory: a change, or the memory itself.
STATE = """
WITH m, coalesce(head(COLLECT {
    MATCH (c:MemoryChange)-[:CHANGE_OF]->(m) WHERE c.created_at > $as_of RETURN c ORDER BY c.was_version LIMIT 1
  }), m) AS s
"""
PASSING = """
WHERE ($archived IS NULL OR s.archived = $archived) AND ($memory_type IS NULL OR s.memory_type = $memory_type)
  AND ($tier IS NULL OR s.tier = $tier) AND ($min_importance IS NULL OR s.importance >= $min_importance)
  AND (($occurred_after IS NULL AND $occurred_before IS NULL) OR (s.occurred_at < $never
    AND s.occurred_at >= coalesce($occurred_after, 0) AND s.occurred_at < coalesce($occurred_before, $never)))
  AND all(p IN $pieces WHERE s.metadata CONTAINS p)
"""
# `t` is the node that has the text of then: a version, or the memory itself.
SHOWN = """
WITH m, s, coalesce(head(COLLECT {
    MATCH (v:MemoryVersion)-[:VERSION_OF]->(m) WHERE coalesce(v.said_until, v.superseded_at) > $as_of
    RETURN v ORDER BY v.version LIMIT 1
  }), m) AS t
RETURN m.id AS id, t.content AS content, s.title AS title, m.agent_id AS agent_id, m.user_id AS user_id,
  m.session_id AS session_id, m.project_id AS project_id, s.metadata AS metadata, s.memory_type AS memory_type,
  t.extraction_model AS extraction_model, nullIf(t.extraction_method, '') AS extraction_method,
  t.extraction_status AS extraction_status, m.visibility AS visibility, s.salience AS salience_score,
  s.importance AS importance, s.tier AS tier, s.archived AS archived, s.archived_at AS archived_at,
  s.occurred_at AS occurred_at, m.expires_at AS expires_at,
  CASE WHEN m.superseded_at > $as_of THEN $never ELSE m.superseded_at END AS superseded_at,
  m.created_at AS created_at, CASE WHEN m.updated_at <= $as_of THEN m.updated_at ELSE coalesce(head(COLLECT {
    MATCH (c:MemoryChange)-[:CHANGE_OF]->(m) WHERE c.created_at <= $as_of
    RETURN c.created_at ORDER BY c.was_version DESC LIMIT 1
  }), m.created_at) END AS updated_at, coalesce(s.was_version, m.version) AS version, m.seq AS seq,
  head(COLLECT { MATCH (m)-[r:SUPERSEDES]->(old:Memory) WHERE r.from <= $as_of RETURN old.id }) AS supersedes,
  head(COLLECT { MATCH (m)<-[r:SUPERSEDES]-(new:Memory) WHERE r.from <= $as_of RETURN new.id }) AS superseded_by,
  COLLECT {
    MATCH (m)-[r:MENTIONS|MENTIONED]->(e:Entity) WHERE r.from <= $as_of AND r.to > $as_of
    RETURN {type: e.entity_type, value: e.name, confidence: r.confidence} AS mention
    ORDER BY r.confidence DESC, e.name LIMIT 64
  } AS entities
"""
NEWEST_FIRST = " ORDER BY created_at DESC, seq DESC"
OLDEST_FIRST = " ORDER BY created_at, seq"
# An order that names every column of the index, the constant ones too, is the index's own.
BY_ALL = "WITH m, s ORDER BY m.tenant DESC, m.created_at DESC, m.seq DESC "
BY_SESSION = "WITH m, s ORDER BY m.tenant DESC, m.session_id DESC, m.created_at DESC, m.seq DESC "
BY_USER = "WITH m, s ORDER BY m.tenant DESC, m.user_id DESC, m.created_at DESC, m.seq DESC "
BY_PROJECT = "WITH m, s ORDER BY m.tenant DESC, m.project_id DESC, m.created_at DESC, m.seq DESC "
BY_AGENT = "WITH m, s ORDER BY m.tenant DESC, m.agent_id DESC, m.created_at DESC, m.seq DESC "
LISTED = "SKIP $offset LIMIT $limit" + SHOWN + NEWEST_FIRST
KEYED = (
    "SKIP $offset LIMIT $limit RETURN m.id AS id, m.created_at AS created_at, m.seq AS seq, s.metadata AS metadata"
    + NEWEST_FIRST
)
COUNTED = "RETURN CASE WHEN $whole THEN s.metadata END AS metadata, count(m) AS total"
OF_ALL = "CYPHER 25 MATCH (m:Memory {tenant: $tenant})" + THERE + STATE + PASSING
OF_SESSION = "CYPHER 25 MATCH (m:Memory {tenant: $tenant, session_id: $session_id})" + THERE + STATE + PASSING
OF_USER = "CYPHER 25 MATCH (m:Memory {tenant: $tenant, user_id: $user_id})" + THERE + STATE + PASSING
OF_PROJECT = "CYPHER 25 MATCH (m:Memory {tenant: $tenant, project_id: $project_id})" + THERE + STATE + PASSING
OF_AGENT = "CYPHER 25 MATCH (m:Memory {tenant: $tenant, agent_id: $agent_id})" + THERE + STATE + PASSING
# Narrowest first.
LISTS = {
    "session_id": OF_SESSION + BY_SESSION + LISTED,
    "user_id": OF_USER + BY_USER + LISTED,
    "project_id": OF_PROJECT + BY_PROJECT + LISTED,
    "agent_id": OF_AGENT + BY_AGENT + LISTED,
    "": OF_ALL + BY_ALL + LISTED,
}
KEY_LISTS = {
    "session_id": OF_SESSION + BY_SESSION + KEYED,
    "user_id": OF_USER + BY_USER + KEYED,
    "project_id": OF_PROJECT + BY_PROJECT + KEYED,
    "agent_id": OF_AGENT + BY_AGENT + KEYED,
    "": OF_ALL + BY_ALL + KEYED,
}
COUNTS = {
    "session_id": OF_SESSION + COUNTED,
    "user_id": OF_USER + COUNTED,
    "project_id": OF_PROJECT + COUNTED,
    "agent_id": OF_AGENT + COUNTED,
    "": OF_ALL + COUNTED,
}
NAMED = (
    "CYPHER 25 UNWIND $ids AS wanted MATCH (m:Memory {tenant: $tenant, id: wanted})" + THERE + STATE + PASSING + SHOWN
)
GET = (
    """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id}) WHERE m.expires_at > $now AND m.created_at <= $as_of
"""
    + STATE
    + SHOWN
)
# A session in writing order, archived ones included, as its list of today.
STORY = (
    """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, session_id: $id})
WHERE m.created_at >= $after AND CASE WHEN m.created_at > $after THEN true ELSE m.seq > $after_seq END
  AND m.created_at <= $as_of AND m.expires_at > $now AND m.superseded_at > $as_of
WITH m ORDER BY m.tenant, m.session_id, m.created_at, m.seq SKIP $offset LIMIT $limit
"""
    + STATE
    + SHOWN
    + OLDEST_FIRST
)
STORY_COUNT = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, session_id: $id})
WHERE m.created_at >= 0 AND m.created_at <= $as_of AND m.expires_at > $now AND m.superseded_at > $as_of
RETURN count(m) AS total
"""
EVERYTHING: Row = {**OPEN}


class MomentRepository(Repository):
    """Memories of one tenant as they were at `as_of`, in rows like those of `MemoryRepository`.

    `filters` are those of `MemoryListRepository`; they are asked of the memories as they were.
    """

    kind = "Memory"

    def __init__(self, graph: Graph, caller: Tenanted, as_of: int, tx: Transaction | None = None) -> None:
        super().__init__(graph, caller, tx)
        self.as_of = as_of

    def get(self, id: str) -> Row:
        """Return one memory as it was, archived and superseded ones too.

        Raises:
            NotFound: it was stored later, has expired, or is gone.
        """
        return self.one(GET, id=id, as_of=self.as_of, now=now_ms(), never=labels.NEVER)

    def list(self, filters: Mapping[str, Any], offset: int, limit: int) -> Rows:
        """Return memories, newest first."""
        return self._run(LISTS, filters, offset=offset, limit=limit)

    def keys(self, filters: Mapping[str, Any], limit: int) -> Rows:
        """Return `{id, created_at, seq, metadata}` of memories, newest first."""
        return self._run(KEY_LISTS, filters, offset=0, limit=limit)

    def counts(self, filters: Mapping[str, Any], *, by_metadata: bool = False) -> Rows:
        """Return `{metadata, total}`: one row, or one for each metadata text."""
        return self._run(COUNTS, filters, whole=by_metadata)

    def shown(self, ids: Sequence[str], filters: Mapping[str, Any] | None = None) -> Rows:
        """Return memories in the order of `ids`, superseded ones too unless `filters` (`superseded`: False) say no.

        Those that were not there, are gone, or do not pass are left out.
        """
        given = {**EVERYTHING, "superseded": True, **(filters or {})}
        rows = self.read(NAMED, ids=list(ids), as_of=self.as_of, now=now_ms(), never=labels.NEVER, **given)
        found = {row["id"]: row for row in rows}
        return [found[id] for id in ids if id in found]

    def of_session(self, id: str, after: int, after_seq: int, offset: int, limit: int) -> Rows:
        """Return a session's memories in writing order after the sort key (`after`, `after_seq`)."""
        page = {"after": after, "after_seq": after_seq, "offset": offset, "limit": limit}
        return self.read(STORY, id=id, as_of=self.as_of, now=now_ms(), never=labels.NEVER, **page)

    def session_count(self, id: str) -> int:
        """Return how many memories a session had."""
        return int(self.read(STORY_COUNT, id=id, as_of=self.as_of, now=now_ms())[0]["total"])

    def _run(self, queries: Mapping[str, str], filters: Mapping[str, Any], **parameters: Any) -> Rows:
        given = {**EVERYTHING, **filters}
        narrowest = next((name for name in queries if name and given[name] is not None), "")
        return self.read(queries[narrowest], as_of=self.as_of, now=now_ms(), never=labels.NEVER, **given, **parameters)

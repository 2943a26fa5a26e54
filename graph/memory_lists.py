"""Lists of memories, newest first: one query for each index that can carry the order, one set of filters for all."""

from collections.abc import Mapping, Sequence
from typing import Any

from graph import labels
from graph.clock import now_ms
from graph.memories import NEWEST_FIRST, SHOWN
from graph.records import Row, Rows
from graph.repository import Repository

# CASE, because the planner makes two seeks and a sort of an OR over the indexed time.
FILTER = """
WHERE m.created_at >= $after AND m.created_at <= $before
  AND CASE WHEN m.created_at < $before THEN true ELSE m.seq < $before_seq END
  AND m.expires_at > $now AND ($superseded OR m.superseded_at > $now)
  AND ($archived IS NULL OR m.archived = $archived)
  AND ($agent_id IS NULL OR m.agent_id = $agent_id) AND ($user_id IS NULL OR m.user_id = $user_id)
  AND ($session_id IS NULL OR m.session_id = $session_id) AND ($project_id IS NULL OR m.project_id = $project_id)
  AND ($memory_type IS NULL OR m.memory_type = $memory_type) AND ($tier IS NULL OR m.tier = $tier)
  AND ($visibility IS NULL OR m.visibility = $visibility)
  AND ($min_importance IS NULL OR m.importance >= $min_importance)
  AND (($occurred_after IS NULL AND $occurred_before IS NULL) OR (m.occurred_at < $never
    AND m.occurred_at >= coalesce($occurred_after, 0) AND m.occurred_at < coalesce($occurred_before, $never)))
  AND all(p IN $pieces WHERE m.metadata CONTAINS p)
"""
# A filter in WHERE alone would read the tenant's whole list; so would an order that does not name every column of the
# index, the constant ones too: only then the planner takes the index's own order and stops at the limit.
MATCH_ALL = "CYPHER 25 MATCH (m:Memory {tenant: $tenant})" + FILTER
MATCH_SESSION = "CYPHER 25 MATCH (m:Memory {tenant: $tenant, session_id: $session_id})" + FILTER
MATCH_USER = "CYPHER 25 MATCH (m:Memory {tenant: $tenant, user_id: $user_id})" + FILTER
MATCH_PROJECT = "CYPHER 25 MATCH (m:Memory {tenant: $tenant, project_id: $project_id})" + FILTER
MATCH_AGENT = "CYPHER 25 MATCH (m:Memory {tenant: $tenant, agent_id: $agent_id})" + FILTER
MATCH_ARCHIVED = "CYPHER 25 MATCH (m:Memory {tenant: $tenant, archived: true})" + FILTER
MATCH_TYPE = "CYPHER 25 MATCH (m:Memory {tenant: $tenant, memory_type: $memory_type})" + FILTER
MATCH_TIER = "CYPHER 25 MATCH (m:Memory {tenant: $tenant, tier: $tier})" + FILTER
ORDER_ALL = "WITH m ORDER BY m.tenant DESC, m.created_at DESC, m.seq DESC "
ORDER_SESSION = "WITH m ORDER BY m.tenant DESC, m.session_id DESC, m.created_at DESC, m.seq DESC "
ORDER_USER = "WITH m ORDER BY m.tenant DESC, m.user_id DESC, m.created_at DESC, m.seq DESC "
ORDER_PROJECT = "WITH m ORDER BY m.tenant DESC, m.project_id DESC, m.created_at DESC, m.seq DESC "
ORDER_AGENT = "WITH m ORDER BY m.tenant DESC, m.agent_id DESC, m.created_at DESC, m.seq DESC "
ORDER_ARCHIVED = "WITH m ORDER BY m.tenant DESC, m.archived DESC, m.created_at DESC, m.seq DESC "
ORDER_TYPE = "WITH m ORDER BY m.tenant DESC, m.memory_type DESC, m.created_at DESC, m.seq DESC "
ORDER_TIER = "WITH m ORDER BY m.tenant DESC, m.tier DESC, m.created_at DESC, m.seq DESC "
LISTED = "SKIP $offset LIMIT $limit" + SHOWN + NEWEST_FIRST
KEYS = (
    "SKIP $offset LIMIT $limit RETURN m.id AS id, m.created_at AS created_at, m.seq AS seq, m.metadata AS metadata"
    " ORDER BY created_at DESC, seq DESC"
)
# Grouped, because many memories share one metadata text and each text is judged outside the database.
COUNTED = "RETURN CASE WHEN $whole THEN m.metadata END AS metadata, count(m) AS total"
# Narrowest first.
LISTS = {
    "session_id": MATCH_SESSION + ORDER_SESSION + LISTED,
    "user_id": MATCH_USER + ORDER_USER + LISTED,
    "project_id": MATCH_PROJECT + ORDER_PROJECT + LISTED,
    "agent_id": MATCH_AGENT + ORDER_AGENT + LISTED,
    "archived": MATCH_ARCHIVED + ORDER_ARCHIVED + LISTED,
    "memory_type": MATCH_TYPE + ORDER_TYPE + LISTED,
    "tier": MATCH_TIER + ORDER_TIER + LISTED,
    "": MATCH_ALL + ORDER_ALL + LISTED,
}
KEY_LISTS = {
    "session_id": MATCH_SESSION + ORDER_SESSION + KEYS,
    "user_id": MATCH_USER + ORDER_USER + KEYS,
    "project_id": MATCH_PROJECT + ORDER_PROJECT + KEYS,
    "agent_id": MATCH_AGENT + ORDER_AGENT + KEYS,
    "archived": MATCH_ARCHIVED + ORDER_ARCHIVED + KEYS,
    "memory_type": MATCH_TYPE + ORDER_TYPE + KEYS,
    "tier": MATCH_TIER + ORDER_TIER + KEYS,
    "": MATCH_ALL + ORDER_ALL + KEYS,
}
COUNTS = {
    "session_id": MATCH_SESSION + COUNTED,
    "user_id": MATCH_USER + COUNTED,
    "project_id": MATCH_PROJECT + COUNTED,
    "agent_id": MATCH_AGENT + COUNTED,
    "archived": MATCH_ARCHIVED + COUNTED,
    "memory_type": MATCH_TYPE + COUNTED,
    "tier": MATCH_TIER + COUNTED,
    "": MATCH_ALL + COUNTED,
}
SHOW = (
    """
CYPHER 25
UNWIND $ids AS wanted
MATCH (m:Memory {tenant: $tenant, id: wanted}) WHERE m.expires_at > $now
WITH m
"""
    + SHOWN
)

# What passes everything; `expired` true also lets through what is gone for readers and not yet deleted.
OPEN: Row = {
    "after": 0,
    "before": labels.NEVER,
    "before_seq": 0,
    "superseded": False,
    "archived": None,
    "agent_id": None,
    "min_importance": None,
    "user_id": None,
    "session_id": None,
    "project_id": None,
    "memory_type": None,
    "tier": None,
    "visibility": None,
    "occurred_after": None,
    "occurred_before": None,
    "pieces": [],
}


class MemoryListRepository(Repository):
    """Memories of one tenant in lists.

    `filters` holds names of OPEN; those left out let everything pass. `after` and `before` bound `created_at` (from,
    and up to the sort key (`before`, `before_seq`), both in epoch ms); `pieces` are bits of text that the metadata must
    contain.
    """

    kind = "Memory"

    def list(self, filters: Mapping[str, Any], offset: int, limit: int) -> Rows:
        """Return memories, newest first."""
        return self._run(LISTS, filters, offset=offset, limit=limit)

    def keys(self, filters: Mapping[str, Any], limit: int) -> Rows:
        """Return `{id, created_at, seq, metadata}` of memories, newest first."""
        return self._run(KEY_LISTS, filters, offset=0, limit=limit)

    def counts(self, filters: Mapping[str, Any], *, by_metadata: bool = False) -> Rows:
        """Return `{metadata, total}`: one row, or one for each metadata text."""
        return self._run(COUNTS, filters, whole=by_metadata)

    def shown(self, ids: Sequence[str], *, expired: bool = False) -> Rows:
        """Return memories in the order of `ids`, superseded and pending ones too; those that are gone are left out."""
        found = {row["id"]: row for row in self.read(SHOW, ids=list(ids), now=0 if expired else now_ms())}
        return [found[id] for id in ids if id in found]

    def _run(self, queries: Mapping[str, str], filters: Mapping[str, Any], **parameters: Any) -> Rows:
        given = {**OPEN, **filters}
        expired = given.pop("expired", False)
        now = 0 if expired else now_ms()
        return self.read(queries[_narrowest(given)], now=now, never=labels.NEVER, **given, **parameters)


def _narrowest(filters: Mapping[str, Any]) -> str:
    for name in LISTS:
        if name == "archived":
            if filters["archived"]:
                return name
        elif name and filters[name] is not None:
            return name
    return ""

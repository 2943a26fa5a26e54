"""Memories looked up by what other APIs know of them: the start of an id, a text of somebody's; and their counts."""

from graph.clock import now_ms
from graph.memories import SHOWN
from graph.records import Row, Rows
from graph.repository import Repository

# Of several, which takes chance beyond belief or an import, always the same one.
STARTING = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant}) WHERE m.id STARTS WITH $start
RETURN m.id AS id ORDER BY id LIMIT 1
"""
# What is pending counts as well.
TWIN = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, content_hash: $content_hash})
WHERE m.user_id = $user_id AND m.agent_id = $agent_id AND m.expires_at > $now AND m.superseded_at > $now
  AND NOT m.archived
RETURN m.id AS id ORDER BY m.created_at, m.id LIMIT 1
"""
STORED = "CYPHER 25 MATCH (m:Memory {tenant: $tenant, id: $id}) WITH m" + SHOWN
COUNTED = """
  AND m.expires_at > $now AND m.superseded_at > $now AND NOT m.archived
RETURN m.memory_type AS memory_type, m.metadata AS metadata, count(m) AS total, sum(m.importance) AS importance,
  min(m.created_at) AS oldest, sum(CASE WHEN m.updated_at < $before THEN 1 ELSE 0 END) AS unchanged
"""
GROUPS = "CYPHER 25 MATCH (m:Memory {tenant: $tenant}) WHERE m.created_at > 0" + COUNTED
GROUPS_OF_USER = "CYPHER 25 MATCH (m:Memory {tenant: $tenant, user_id: $user_id}) WHERE m.created_at > 0" + COUNTED


class MemoryLookupRepository(Repository):
    """Look-ups among one tenant's memories. Times are epoch ms."""

    kind = "Memory"

    def starting(self, start: str) -> str:
        """Return the id that begins like this; that of a memory that has expired and is still there, too.

        Raises:
            NotFound: there is none.
        """
        return str(self.one(STARTING, start=start)["id"])

    def twin(self, content_hash: str, user_id: str, agent_id: str) -> str | None:
        """Return the oldest memory of this user and agent whose text has this hash."""
        found = self.read(TWIN, content_hash=content_hash, user_id=user_id, agent_id=agent_id, now=now_ms())
        return str(found[0]["id"]) if found else None

    def stored(self, id: str) -> Row:
        """Return a memory that was stored just now as `MemoryRepository` shows it, though its time be over already.

        Raises:
            NotFound: it was deleted meanwhile.
        """
        return self.one(STORED, id=id)

    def groups(self, before: int, user_id: str | None = None) -> Rows:
        """Return `{memory_type, metadata, total, importance, oldest, unchanged}` for each kind and metadata text.

        `importance` is their sum, `unchanged` how many were not changed since `before`. Archived and superseded
        memories do not count.
        """
        if user_id is None:
            return self.read(GROUPS, before=before, now=now_ms())
        return self.read(GROUPS_OF_USER, before=before, user_id=user_id, now=now_ms())

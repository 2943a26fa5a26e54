"""What a memory said before, and which memory replaced it or was drawn from it."""

from collections.abc import Sequence
from itertools import pairwise

from graph.clock import now_ms
from graph.errors import BadReference, Conflict
from graph.labels import NEVER, NONE
from graph.memories import TOLD
from graph.memory_changes import KEEP_CHANGE
from graph.memory_windows import KEEP_WINDOWS
from graph.outbox import each
from graph.records import Ids, Row, Rows
from graph.repository import Repository

VERSION_SHOWN = """
RETURN v.id AS id, $id AS memory_id, v.content AS content, v.title AS title, v.metadata AS metadata,
  v.memory_type AS memory_type, v.importance AS importance, v.tier AS tier, v.visibility AS visibility,
  v.version AS version, v.said_since AS said_since,
  coalesce(v.said_until, v.superseded_at) AS said_until, v:Memory AS is_current
"""
# The memory itself is the last of its versions.
VERSIONS = (
    """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id}) WHERE m.expires_at > $now
CALL (m) {
  RETURN m AS v
 UNION
  MATCH (v:MemoryVersion)-[:VERSION_OF]->(m)
  RETURN v
}
WITH v WHERE v.version < $before_version
WITH v ORDER BY v.version DESC SKIP $offset LIMIT $limit
"""
    + VERSION_SHOWN
    + " ORDER BY version DESC"
)
VERSION = (
    """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id}) WHERE m.expires_at > $now
CALL (m) {
  WITH m WHERE m.id = $version_id
  RETURN m AS v
 UNION
  MATCH (v:MemoryVersion {tenant: $tenant, id: $version_id})-[:VERSION_OF]->(m)
  RETURN v
}
WITH v
"""
    + VERSION_SHOWN
)
VERSION_COUNT = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id}) WHERE m.expires_at > $now
RETURN 1 + COUNT { (m)<-[:VERSION_OF]-() } AS total
"""
# The old one is locked before it is asked whether it still stands, so that of two that replace it one is refused.
SUPERSEDE = (
    """
CYPHER 25
UNWIND $pairs AS pair
MATCH (m:Memory {tenant: $tenant, id: pair[1]}) WHERE m.expires_at > $now
SET m.updated_at = $now
WITH m, pair WHERE m.superseded_at > $now
MATCH (new:Memory {tenant: $tenant, id: pair[0]})
"""
    + KEEP_CHANGE
    + """
SET m.superseded_at = $now, m.current = false, m.version = m.version + 1
CREATE (new)-[:SUPERSEDES {from: $now, to: $never}]->(m)
WITH m, new
"""
    + KEEP_WINDOWS
    + TOLD
    + ", new.id AS superseded_by"
)
DERIVE = """
CYPHER 25
UNWIND $pairs AS pair
MATCH (source:Memory {tenant: $tenant, id: pair[1]}) WHERE source.expires_at > $now
MATCH (new:Memory {tenant: $tenant, id: pair[0]})
MERGE (new)-[r:DERIVED_FROM]->(source) ON CREATE SET r.from = $now, r.to = $never
RETURN source.id AS id
"""
STANDING = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (m:Memory {tenant: $tenant, id: wanted}) WHERE m.expires_at > $now
OPTIONAL MATCH (m)<-[:SUPERSEDES]-(by:Memory)
RETURN m.id AS id, by.id AS superseded_by
"""


class MemoryHistoryRepository(Repository):
    """Versions and successors of one tenant's memories. `said_since` and `said_until` are epoch ms."""

    kind = "Memory"

    def versions(self, id: str, before_version: int, offset: int, limit: int) -> Rows:
        """Return what a memory says and said, newest first; nothing for an unknown memory."""
        return self.read(VERSIONS, id=id, before_version=before_version, offset=offset, limit=limit, now=now_ms())

    def version(self, id: str, version_id: str) -> Row:
        """Return one version; the memory's own id names what it says now.

        Raises:
            NotFound: no such memory, or no such version of it.
        """
        return self.one(VERSION, id=id, version_id=version_id, now=now_ms())

    def version_count(self, id: str) -> int:
        """Return how many versions there are, the present one counted.

        Raises:
            NotFound: no such memory.
        """
        return int(self.one(VERSION_COUNT, id=id, now=now_ms())["total"])

    def supersede(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Put memories in the place of others: `pairs` are (new id, old id).

        Raises:
            BadReference: an old one is unknown.
            Conflict: an old one was replaced already, or is named twice.
        """
        olds = sorted(old for _, old in pairs)
        if twice := [old for old, following in pairwise(olds) if old == following]:
            raise Conflict(f"Memory {twice[0]} can be superseded by one memory only")
        change = {"change": "superseded", "fields": [], "version_id": NONE}
        told = each("memory.updated", "superseded_at")
        done = self.telling(SUPERSEDE, told, pairs=_sorted(pairs), now=now_ms(), never=NEVER, **change)
        left = [old for _, old in pairs]
        for row in done:
            left.remove(row["id"])
        if left:
            raise self._refusal(left)

    def derive(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Note which memories were drawn from which: `pairs` are (new id, source id).

        Raises:
            BadReference: a source is unknown.
        """
        found = {row["id"] for row in self.write(DERIVE, pairs=_sorted(pairs), now=now_ms(), never=NEVER)}
        if missing := {source for _, source in pairs} - found:
            raise BadReference("derived_from", f"Memory not found: {min(missing)}")

    def _refusal(self, ids: Ids) -> Exception:
        known = {row["id"]: row["superseded_by"] for row in self.read(STANDING, ids=ids, now=now_ms())}
        for id in sorted(ids):
            if id not in known:
                return BadReference("supersedes", f"Memory not found: {id}")
        id = min(ids)
        by = f" by {known[id]}; supersede that one" if known[id] else ""
        return Conflict(f"Memory {id} was superseded already{by}")


def _sorted(pairs: Sequence[tuple[str, str]]) -> list[list[str]]:
    # In the order of what is locked, so that two writers of the same ids do not block one another.
    return [list(pair) for pair in sorted(pairs, key=lambda pair: (pair[1], pair[0]))]

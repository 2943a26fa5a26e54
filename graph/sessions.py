"""Sessions: what belongs together in time. A session keeps the chain of its memories in writing order."""

from graph.clock import now_ms
from graph.labels import NEVER
from graph.records import Ids, Row, Rows
from graph.repository import Repository

SHOWN = """
OPTIONAL MATCH (s)-[:STARTED_BY]->(a:Agent)
RETURN s.id AS id, a.id AS agent_id, s.external_id AS external_id, s.project AS project, s.status AS status,
  s.title AS title, s.summary AS summary, s.metadata AS metadata, s.started_at AS started_at, s.ended_at AS ended_at,
  s.created_at AS created_at, s.updated_at AS updated_at, s.version AS version,
  COUNT { (s)<-[:IN_SESSION]-() } AS memory_count
"""
BORN = """
SET s += $props, s.status = 'active', s.started_at = $now, s.created_at = $now, s.updated_at = $now, s.version = 1
WITH s
CALL (s) {
  MATCH (a:Agent {tenant: $tenant, id: $agent_id})
  CREATE (s)-[:STARTED_BY]->(a)
}
WITH s
"""
CREATE = "CYPHER 25 CREATE (s:Session {tenant: $tenant, id: $id})" + BORN + SHOWN
GET_OR_CREATE = (
    """
CYPHER 25
MERGE (s:Session {tenant: $tenant, external_id: $external_id})
ON CREATE SET s.id = $id, s += $props, s.status = 'active', s.started_at = $now, s.created_at = $now,
  s.updated_at = $now, s.version = 1
WITH s, s.id = $id AS created
CALL (s, created) {
  MATCH (a:Agent {tenant: $tenant, id: $agent_id}) WHERE created
  CREATE (s)-[:STARTED_BY]->(a)
}
WITH s, created
"""
    + SHOWN
    + ", created"
)
GET = "CYPHER 25 MATCH (s:Session {tenant: $tenant, id: $id})" + SHOWN
FILTER = """
CYPHER 25
MATCH (s:Session {tenant: $tenant})
WHERE s.created_at <= $before AND (s.created_at < $before OR s.id < $before_id)
  AND ($status IS NULL OR s.status = $status) AND ($project IS NULL OR s.project = $project)
  AND ($agent_id IS NULL OR EXISTS { (s)-[:STARTED_BY]->(:Agent {tenant: $tenant, id: $agent_id}) })
"""
LIST = (
    FILTER
    + "WITH s ORDER BY s.created_at DESC, s.id DESC SKIP $offset LIMIT $limit"
    + SHOWN
    + " ORDER BY created_at DESC, id DESC"
)
COUNT = FILTER + "RETURN count(s) AS total"
END = (
    """
CYPHER 25
MATCH (s:Session {tenant: $tenant, id: $id})
SET s.ended_at = CASE WHEN s.status = 'ended' THEN s.ended_at ELSE $now END, s.status = 'ended',
  s.summary = coalesce($summary, s.summary), s.updated_at = $now, s.version = s.version + 1
WITH s
"""
    + SHOWN
)
# Taken before any memory is written into the session: concurrent writers queue here, so the chain cannot fork.
LOCK = """
CYPHER 25
UNWIND $ids AS id
MATCH (s:Session {tenant: $tenant, id: id})
SET s.updated_at = $now
WITH s OPTIONAL MATCH (s)-[:LAST]->(m:Memory)
RETURN s.id AS id, m.id AS last
"""


class SessionRepository(Repository):
    """Sessions of one tenant. `metadata` is JSON text; times are epoch milliseconds."""

    kind = "Session"
    taken = "A session with this external_id exists already; use /v1/sessions/get-or-create"

    def create(self, id: str, agent_id: str | None, props: Row) -> Row:
        """Create an active session.

        Raises:
            Conflict: the external id is taken.
        """
        return self.write_one(CREATE, id=id, agent_id=agent_id, props=props, now=now_ms())

    def get_or_create(self, id: str, agent_id: str | None, props: Row) -> tuple[Row, bool]:
        """Return the session with this external id, and whether it was created now."""
        external_id = props["external_id"]
        row = self.write_one(
            GET_OR_CREATE, id=id, external_id=external_id, agent_id=agent_id, props=props, now=now_ms()
        )
        return row, row.pop("created")

    def get(self, id: str) -> Row:
        """Return one session.

        Raises:
            NotFound: no such session.
        """
        return self.one(GET, id=id)

    def list(self, before: int, before_id: str, offset: int, limit: int, **filters: str | None) -> Rows:
        """Return sessions, newest first; `filters` are agent_id, project and status, each may be None."""
        return self.read(LIST, before=before, before_id=before_id, offset=offset, limit=limit, **filters)

    def count(self, **filters: str | None) -> int:
        """Return how many sessions pass the filters."""
        return int(self.read(COUNT, before=NEVER, before_id="", **filters)[0]["total"])

    def end(self, id: str, summary: str | None) -> Row:
        """End a session; ending it again keeps the first end and may change the summary.

        Raises:
            NotFound: no such session.
        """
        return self.write_one(END, id=id, summary=summary, now=now_ms())

    def lock(self, ids: Ids) -> dict[str, str | None]:
        """Lock sessions in the open transaction; return the last memory's id of each that exists."""
        return {row["id"]: row["last"] for row in self.write(LOCK, ids=sorted(ids), now=now_ms())}

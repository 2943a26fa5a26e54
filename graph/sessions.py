"""Sessions: what belongs together in time. A session keeps the chain of its memories in writing order."""

from collections.abc import Callable

from graph.clock import now_ms
from graph.labels import NEVER
from graph.memories import TOLD as MEMORY_TOLD
from graph.memories import UNCHAIN
from graph.outbox import Happened, each, happened
from graph.records import Ids, Row, Rows
from graph.repository import Repository

# `summary` is the client's own; `digest` the one made here, shown while there is no other.
SHOWN = """
OPTIONAL MATCH (s)-[:STARTED_BY]->(a:Agent)
RETURN s.id AS id, a.id AS agent_id, s.external_id AS external_id, s.project AS project, s.status AS status,
  s.title AS title, coalesce(s.summary, s.digest) AS summary, s.metadata AS metadata, s.started_at AS started_at,
  s.ended_at AS ended_at, s.created_at AS created_at, s.updated_at AS updated_at, s.version AS version,
  COUNT { (s)<-[:IN_SESSION]-() } AS memory_count
"""
# `agent_id` repeats the link so that an index can hold an agent's sessions in their order.
BORN = """
SET s += $props, s.agent_id = coalesce($agent_id, ''), s.name = coalesce($props.title, $props.external_id, 'Session'),
  s.status = 'active', s.started_at = $now, s.created_at = $now, s.updated_at = $now, s.version = 1
WITH s
CALL (s) {
  MATCH (a:Agent {tenant: $tenant, id: $agent_id})
  CREATE (s)-[:STARTED_BY]->(a)
}
WITH s
"""
# Its project is a label; where a project has that slug, the event names it.
TOLD = ", head(COLLECT { MATCH (p:Project {tenant: $tenant, slug: s.project}) RETURN p.id }) AS project_id"
CREATE = "CYPHER 25 CREATE (s:Session {tenant: $tenant, id: $id})" + BORN + SHOWN + TOLD
GET_OR_CREATE = (
    """
CYPHER 25
MERGE (s:Session {tenant: $tenant, external_id: $external_id})
ON CREATE SET s.id = $id, s += $props, s.agent_id = coalesce($agent_id, ''),
  s.name = coalesce($props.title, $external_id), s.status = 'active', s.started_at = $now, s.created_at = $now,
  s.updated_at = $now, s.version = 1
WITH s, s.id = $id AS created
CALL (s, created) {
  MATCH (a:Agent {tenant: $tenant, id: $agent_id}) WHERE created
  CREATE (s)-[:STARTED_BY]->(a)
}
WITH s, created
"""
    + SHOWN
    + TOLD
    + ", created"
)
GET = "CYPHER 25 MATCH (s:Session {tenant: $tenant, id: $id})" + SHOWN
# One match for each index that can carry the order: a filter in WHERE alone would read the tenant's whole list.
MATCH_KEY = "CYPHER 25 MATCH (s:Session {tenant: $tenant, external_id: $external_id})"
MATCH_AGENT = "CYPHER 25 MATCH (s:Session {tenant: $tenant, agent_id: $agent_id})"
MATCH_PROJECT = "CYPHER 25 MATCH (s:Session {tenant: $tenant, project: $project})"
MATCH_STATUS = "CYPHER 25 MATCH (s:Session {tenant: $tenant, status: $status})"
MATCH_ALL = "CYPHER 25 MATCH (s:Session {tenant: $tenant})"
# CASE, because the planner makes two seeks and a sort of an OR.
FILTER = """
WHERE s.created_at <= $before AND CASE WHEN s.created_at < $before THEN true ELSE s.id < $before_id END
  AND ($status IS NULL OR s.status = $status) AND ($project IS NULL OR s.project = $project)
  AND ($external_id IS NULL OR s.external_id = $external_id)
  AND CASE WHEN $agent_id IS NULL THEN true
    ELSE EXISTS { (s)-[:STARTED_BY]->(:Agent {tenant: $tenant, id: $agent_id}) } END
"""
PAGED = " SKIP $offset LIMIT $limit" + SHOWN + " ORDER BY created_at DESC, id DESC"
# Naming the equal columns first lets the index be read backwards, so that a page costs the same in any list.
ORDER_ALL = "WITH s ORDER BY s.tenant DESC, s.created_at DESC, s.id DESC" + PAGED
ORDER_AGENT = "WITH s ORDER BY s.tenant DESC, s.agent_id DESC, s.created_at DESC, s.id DESC" + PAGED
ORDER_PROJECT = "WITH s ORDER BY s.tenant DESC, s.project DESC, s.created_at DESC, s.id DESC" + PAGED
ORDER_STATUS = "WITH s ORDER BY s.tenant DESC, s.status DESC, s.created_at DESC, s.id DESC" + PAGED
COUNTED = FILTER + "RETURN count(s) AS total"
LISTS = {
    "external_id": MATCH_KEY + FILTER + ORDER_ALL,
    "agent_id": MATCH_AGENT + FILTER + ORDER_AGENT,
    "project": MATCH_PROJECT + FILTER + ORDER_PROJECT,
    "status": MATCH_STATUS + FILTER + ORDER_STATUS,
    "": MATCH_ALL + FILTER + ORDER_ALL,
}
COUNTS = {
    "external_id": MATCH_KEY + COUNTED,
    "agent_id": MATCH_AGENT + COUNTED,
    "project": MATCH_PROJECT + COUNTED,
    "status": MATCH_STATUS + COUNTED,
    "": MATCH_ALL + COUNTED,
}
# Writing what is there already changes nothing and yet takes the lock, so what is judged by next holds until the end.
END = (
    """
CYPHER 25
MATCH (s:Session {tenant: $tenant, id: $id})
SET s.created_at = s.created_at
WITH s, s.status <> 'ended' AS ends, $summary IS NOT NULL AND coalesce(s.summary, '') <> $summary AS summed
FOREACH (x IN CASE WHEN ends THEN [1] ELSE [] END | SET s.ended_at = $now, s.status = 'ended')
FOREACH (x IN CASE WHEN ends OR summed THEN [1] ELSE [] END |
  SET s.summary = coalesce($summary, s.summary), s.updated_at = $now, s.version = s.version + 1)
WITH s, ends, summed
"""
    + SHOWN
    + TOLD
    + ", ends, summed"
)
REOPEN = (
    """
CYPHER 25
MATCH (s:Session {tenant: $tenant, id: $id})
SET s.created_at = s.created_at
WITH s, s.status = 'ended' AS reopens
FOREACH (x IN CASE WHEN reopens THEN [1] ELSE [] END |
  SET s.updated_at = $now, s.version = s.version + 1, s.status = 'active', s.ended_at = null)
WITH s, reopens
"""
    + SHOWN
    + TOLD
    + ", reopens"
)
EDIT_LOCK = """
CYPHER 25
MATCH (s:Session {tenant: $tenant, id: $id}) SET s.created_at = s.created_at
RETURN s.metadata AS metadata, s.title AS title, s.project AS project, s.summary AS summary, s.version AS version
"""
UPDATE = (
    """
CYPHER 25
MATCH (s:Session {tenant: $tenant, id: $id})
SET s += $changes, s.updated_at = $now, s.version = s.version + 1
SET s.name = coalesce(s.title, s.external_id, 'Session')
WITH s
"""
    + SHOWN
    + TOLD
)
# Taken before any memory is written into the session: concurrent writers queue here, so the chain cannot fork.
LOCK = """
CYPHER 25
UNWIND $ids AS id
MATCH (s:Session {tenant: $tenant, id: id})
SET s.updated_at = $now
WITH s, id WHERE EXISTS { (:Session {tenant: $tenant, id: id}) }
OPTIONAL MATCH (s)-[:LAST]->(m:Memory)
RETURN id, m.id AS last
"""
MEMORIES = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, session_id: $id}) WHERE m.created_at >= 0
RETURN m.id AS id ORDER BY m.tenant, m.session_id, m.created_at, m.seq LIMIT $limit
"""
# Takes the earliest memories out of the session, so that what stays is a chain still. The session is locked first, as
# writers do. Versions and windows are part of the same index as their memory, and must be found in no session either.
RELEASE = (
    """
CYPHER 25
MATCH (s:Session {tenant: $tenant, id: $id})
SET s.updated_at = $now
WITH s
MATCH (m:Memory {tenant: $tenant, session_id: $id}) WHERE m.created_at >= 0
WITH s, m ORDER BY m.tenant, m.session_id, m.created_at, m.seq LIMIT $limit
"""
    + UNCHAIN
    + """
CALL (m) {
  OPTIONAL MATCH (m)-[link:IN_SESSION]->()
  DELETE link
}
CALL (m) {
  OPTIONAL MATCH (part:Searchable|MemoryChange)-[:VERSION_OF|WINDOW_OF|CHANGE_OF]->(m)
  SET part.session_id = ''
}
SET m.session_id = '', m.updated_at = $now, m.version = m.version + 1
"""
    + MEMORY_TOLD
)
RELEASE_DECISIONS = """
CYPHER 25
MATCH (d:Decision {tenant: $tenant, session_id: $id}) WHERE d.created_at >= 0
WITH d LIMIT $limit
OPTIONAL MATCH (d)-[link:MADE_IN]->()
DELETE link
SET d.session_id = '', d.updated_at = $now, d.version = d.version + 1
RETURN d.id AS id, d.agent_id AS agent_id, d.project_id AS project_id, d.version AS version
"""
# Only when nothing is left in it: a memory may have come while the others went. Locked, then looked for again: of
# several that delete it, the later ones find nothing.
DELETE = """
CYPHER 25
MATCH (s:Session {tenant: $tenant, id: $id})
SET s.updated_at = $now
WITH s WHERE EXISTS { (:Session {tenant: $tenant, id: $id}) } AND NOT EXISTS { (s)<-[:IN_SESSION|MADE_IN]-() }
WITH s, s.agent_id AS agent_id
DETACH DELETE s
RETURN $id AS id, agent_id
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
        given = {"id": id, "agent_id": agent_id, "props": props, "now": now_ms()}
        return self.telling(CREATE, each("session.created"), **given)[0]

    def get_or_create(self, id: str, agent_id: str | None, props: Row) -> tuple[Row, bool]:
        """Return the session with this external id, and whether it was created now."""
        given = {"id": id, "external_id": props["external_id"], "agent_id": agent_id, "props": props, "now": now_ms()}
        row = self.telling(GET_OR_CREATE, each("session.created"), **given)[0]
        return row, row.pop("created")

    def get(self, id: str) -> Row:
        """Return one session.

        Raises:
            NotFound: no such session.
        """
        return self.one(GET, id=id)

    def list(self, before: int, before_id: str, offset: int, limit: int, **filters: str | None) -> Rows:
        """Return sessions, newest first; `filters` has every name of LISTS, None where it does not matter."""
        query = LISTS[_narrowest(filters)]
        return self.read(query, before=before, before_id=before_id, offset=offset, limit=limit, **filters)

    def count(self, **filters: str | None) -> int:
        """Return how many sessions pass the filters."""
        query = COUNTS[_narrowest(filters)]
        return int(self.read(query, before=NEVER, before_id="", **filters)[0]["total"])

    def update(self, id: str, change: Callable[[Row], Row]) -> Row:
        """Give the session the properties that `change` makes of its stored `metadata` and `version`; return it.

        Raises:
            NotFound: no such session.
        """
        return self.edit(
            EDIT_LOCK, UPDATE, GET, change, lambda row, made: [happened("session.updated", row, made)], id=id,
            now=now_ms(),
        )  # fmt: skip

    def end(self, id: str, summary: str | None) -> Row:
        """End a session; ending it again keeps the first end and may change the summary.

        Raises:
            NotFound: no such session.
        """
        if summary is not None and self.seals:
            # What is sealed is never equal to what is sealed anew.
            return self.together(lambda tx: SessionRepository(self.graph, self.caller, tx)._end_sealed(id, summary))
        return self._only(self.telling(END, _ended, id=id, summary=summary, now=now_ms()))

    def _end_sealed(self, id: str, summary: str) -> Row:
        said = self.write_one(EDIT_LOCK, id=id)["summary"]
        given = None if said == summary else summary
        return self._only(self.telling(END, _ended, id=id, summary=given, now=now_ms()))

    def reopen(self, id: str) -> Row:
        """Make an ended session active again; an active one stays as it is.

        Raises:
            NotFound: no such session.
        """
        return self._only(self.telling(REOPEN, _reopened, id=id, now=now_ms()))

    def memories(self, id: str, limit: int) -> Ids:
        """Return up to `limit` memory ids of a session in writing order, expired ones included."""
        return [row["id"] for row in self.read(MEMORIES, id=id, limit=limit)]

    def release(self, id: str, limit: int) -> int:
        """Take up to `limit` memories out of the session, the earliest first; return how many."""
        return len(self.telling(RELEASE, each("memory.updated", "session_id"), id=id, limit=limit, now=now_ms()))

    def release_decisions(self, id: str, limit: int) -> int:
        """Take up to `limit` decisions out of the session; return how many."""
        told = each("decision.updated", "session_id")
        return len(self.telling(RELEASE_DECISIONS, told, id=id, limit=limit, now=now_ms()))

    def delete(self, id: str) -> bool:
        """Delete the session itself; False when something still belongs to it, or when it is gone."""
        return bool(self.telling(DELETE, each("session.deleted"), id=id, now=now_ms()))

    def lock(self, ids: Ids) -> dict[str, str | None]:
        """Lock sessions in the open transaction; return the last memory's id of each that exists."""
        return {row["id"]: row["last"] for row in self.write(LOCK, ids=sorted(ids), now=now_ms())}


def _ended(rows: Rows) -> list[Happened]:
    told = []
    for row in rows:
        if row["ends"] or row["summed"]:
            changed = ["summary"] if row["summed"] else []
            told.append(happened("session.ended" if row["ends"] else "session.updated", row, changed))
    return told


def _reopened(rows: Rows) -> list[Happened]:
    return [happened("session.reopened", row) for row in rows if row["reopens"]]


def _narrowest(filters: Row) -> str:
    return next((name for name in LISTS if name and filters.get(name) is not None), "")

"""Memories: the nodes that recall finds, written with all their links in the caller's transaction."""

from collections.abc import Iterable, Sequence
from typing import Any

from graph import labels
from graph.clock import now_ms
from graph.driver import Graph
from graph.errors import BadReference, Vanished
from graph.memory_windows import KEEP_WINDOWS
from graph.outbox import each, happened
from graph.records import Ids, Row, Rows
from graph.sealing import CONFIDENTIAL
from graph.slotted import Slotted

SHOWN = """
RETURN m.id AS id, m.content AS content, m.title AS title, m.agent_id AS agent_id, m.user_id AS user_id,
  m.session_id AS session_id, m.project_id AS project_id, m.metadata AS metadata, m.memory_type AS memory_type,
  m.extraction_model AS extraction_model, nullIf(m.extraction_method, '') AS extraction_method,
  m.extraction_status AS extraction_status, m.visibility AS visibility, m.salience AS salience_score,
  m.importance AS importance, m.tier AS tier, m.archived_at AS archived_at, m.occurred_at AS occurred_at,
  m.expires_at AS expires_at, m.superseded_at AS superseded_at, m.created_at AS created_at,
  m.updated_at AS updated_at, m.version AS version, m.seq AS seq,
  head(COLLECT { MATCH (m)-[:SUPERSEDES]->(old:Memory) RETURN old.id }) AS supersedes,
  head(COLLECT { MATCH (m)<-[:SUPERSEDES]-(new:Memory) RETURN new.id }) AS superseded_by,
  COLLECT {
    MATCH (m)-[r:MENTIONS]->(e:Entity)
    RETURN {type: e.entity_type, value: e.name, confidence: r.confidence} AS mention
    ORDER BY r.confidence DESC, e.name LIMIT 64
  } AS entities
"""
# What an event tells of a memory.
TOLD = """
RETURN m.id AS id, m.agent_id AS agent_id, m.session_id AS session_id, m.project_id AS project_id,
  m.memory_type AS memory_type, m.version AS version
"""
# Without a vector a memory is pending: stored and readable, but in no index that search looks into. Nothing is written
# when its agent or its project is gone by now.
CREATE = """
CYPHER 25
UNWIND $rows AS row
MATCH (a:Agent {tenant: $tenant, id: row.props.agent_id})
OPTIONAL MATCH (p:Project {tenant: $tenant, id: row.props.project_id})
WITH row, a, p WHERE p IS NOT NULL OR row.props.project_id = ''
CREATE (m:Memory {tenant: $tenant})
SET m += row.props
FOREACH (x IN CASE WHEN row.embedding IS NULL THEN [] ELSE [1] END | SET m:Searchable)
CREATE (m)-[:RECORDED_BY]->(a)
FOREACH (x IN CASE WHEN p IS NULL THEN [] ELSE [1] END | CREATE (m)-[:IN_PROJECT]->(p) MERGE (a)-[:WORKS_ON]->(p))
WITH m, row
CALL (m, row) {
  WITH m, row WHERE row.embedding IS NOT NULL
  CALL db.create.setNodeVectorProperty(m, 'EMBEDDING', row.embedding)
}
CALL (m, row) {
  MATCH (s:Session {tenant: $tenant, id: row.props.session_id})
  CREATE (m)-[:IN_SESSION]->(s)
}
RETURN count(m) AS created
"""
# One memory in one statement: its session is locked before anything is read of it, so its chain cannot fork.
CREATE_ONE = """
CYPHER 25
MATCH (:SchemaVersion {name: 'embedding', slot: 'THIS_SLOT'})
MATCH (a:Agent {tenant: $tenant, id: $row.props.agent_id})
OPTIONAL MATCH (p:Project {tenant: $tenant, id: $row.props.project_id})
WITH a, p WHERE p IS NOT NULL OR $row.props.project_id = ''
OPTIONAL MATCH (s:Session {tenant: $tenant, id: $row.props.session_id})
SET s.updated_at = $now
WITH a, p, s
OPTIONAL MATCH (s)-[old:LAST]->(before:Memory)
CREATE (m:Memory {tenant: $tenant})
SET m += $row.props
FOREACH (x IN CASE WHEN $row.embedding IS NULL THEN [] ELSE [1] END | SET m:Searchable)
CREATE (m)-[:RECORDED_BY]->(a)
DELETE old
FOREACH (x IN CASE WHEN s IS NULL THEN [] ELSE [1] END | CREATE (m)-[:IN_SESSION]->(s) CREATE (s)-[:LAST]->(m))
FOREACH (x IN CASE WHEN before IS NULL THEN [] ELSE [1] END | CREATE (before)-[:NEXT]->(m))
FOREACH (x IN CASE WHEN p IS NULL THEN [] ELSE [1] END | CREATE (m)-[:IN_PROJECT]->(p) MERGE (a)-[:WORKS_ON]->(p))
WITH m, s
CALL (m) {
  WITH m WHERE $row.embedding IS NOT NULL
  CALL db.create.setNodeVectorProperty(m, 'EMBEDDING', $row.embedding)
}
RETURN s IS NOT NULL AS in_session
"""
# Pairs of (earlier, later) inside a session, and the memory that is now the last of each.
CHAIN = """
CYPHER 25
CALL () {
  UNWIND $pairs AS pair
  MATCH (p:Memory {tenant: $tenant, id: pair[0]})
  MATCH (m:Memory {tenant: $tenant, id: pair[1]})
  CREATE (p)-[:NEXT]->(m)
}
UNWIND $lasts AS last
MATCH (s:Session {tenant: $tenant, id: last[0]})
MATCH (m:Memory {tenant: $tenant, id: last[1]})
OPTIONAL MATCH (s)-[old:LAST]->()
DELETE old
CREATE (s)-[:LAST]->(m)
"""
# A memory that is pending or superseded is not current: readable by its id, found by no search.
GET = "CYPHER 25 MATCH (m:Memory {tenant: $tenant, id: $id}) WHERE m.expires_at > $now WITH m" + SHOWN
GET_MANY = (
    """
CYPHER 25
UNWIND $ids AS wanted
MATCH (m:Memory {tenant: $tenant, id: wanted}) WHERE m.current AND m.expires_at > $now
WITH m
"""
    + SHOWN
)
NEWEST_FIRST = " ORDER BY created_at DESC, seq DESC"
EMBEDDINGS = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (m:Memory {tenant: $tenant, id: wanted})
RETURN m.id AS id, m.EMBEDDING AS embedding
"""
# A property set to itself locks and changes nothing: whoever then finds nothing to do leaves no trace. One that never
# changes, because it is read before the lock is held: another's newer value would be undone.
LOCK = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id}) WHERE m.expires_at > $now
SET m.created_at = m.created_at
RETURN m.content AS content, m.content_hash AS content_hash, m.metadata AS metadata, m.version AS version,
  m.importance AS importance, m.agent_id AS agent_id, m.title AS title, m.visibility AS visibility,
  m.archived AS archived, m.extraction_method AS extraction_method, m.extraction_status AS extraction_status,
  m.extraction_model AS extraction_model, m.memory_type AS memory_type, m.tier AS tier,
  m.occurred_at AS occurred_at, m.expires_at AS expires_at,
  COUNT { (m)-[:MENTIONS]->() } AS mentions
"""
UPDATE = (
    """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id})
SET m.updated_at = $now, m += $changes, m.version = m.version + 1
WITH m
"""
    + KEEP_WINDOWS
    + TOLD
)
# What the memory said before: kept with its period and its vector, outside everything that asks for `current`. A text
# that was replaced after its memory had been superseded stood in searches until then only.
KEEP_VERSION = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id})
CREATE (v:MemoryVersion:Searchable)
SET v = properties(m), v.id = $version_id, v.memory_id = m.id, v.current = false, v.kind = 'version',
  v.said_until = $now, v.superseded_at = CASE WHEN m.superseded_at < $now THEN m.superseded_at ELSE $now END
CREATE (v)-[:VERSION_OF]->(m)
"""
# Who may see a memory, and until when, is asked of what it says and of what it said alike.
SHARE_WITH_VERSIONS = """
CYPHER 25
MATCH (v:MemoryVersion)-[:VERSION_OF]->(m:Memory {tenant: $tenant, id: $id})
SET v.visibility = m.visibility, v.expires_at = m.expires_at,
  v.name = CASE m.visibility WHEN 'confidential' THEN m.name ELSE v.name END
"""
PART_TEXTS = """
CYPHER 25
MATCH (part:MemoryVersion|MemoryChange)-[:VERSION_OF|CHANGE_OF]->(m:Memory {tenant: $tenant, id: $id})
RETURN part.id AS part_id, $id AS memory_id, part {.content, .title, .metadata} AS props
"""
SET_PART_TEXTS = """
CYPHER 25
UNWIND $rows AS row
MATCH (part:MemoryVersion|MemoryChange {tenant: $tenant, id: row.part_id})
SET part.content = coalesce(row.props.content, part.content), part.title = coalesce(row.props.title, part.title),
  part.metadata = coalesce(row.props.metadata, part.metadata)
"""
# An ABOUT beside a mention made by hand is by hand as well. What was mentioned stays a link of another type, with its
# period: nothing that asks for the present meets it.
DROP_NAMES = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id})-[r:MENTIONS|ABOUT]->(e:Entity)
WHERE NOT EXISTS { MATCH (m)-[by:MENTIONS]->(e) WHERE by.source = 'manual' }
FOREACH (x IN CASE WHEN type(r) = 'MENTIONS' AND r.from < $now THEN [1] ELSE [] END |
  CREATE (m)-[past:MENTIONED]->(e) SET past = properties(r), past.to = $now)
WITH r, CASE WHEN type(r) = 'MENTIONS' THEN e.id END AS id
DELETE r
RETURN collect(id) AS entities
"""
SET_VECTOR = (
    """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id})
SET m:Searchable, m.current = m.superseded_at > $now
REMOVE m.OTHER_VECTOR
WITH m
"""
    + KEEP_WINDOWS
    + "CALL db.create.setNodeVectorProperty(m, 'EMBEDDING', $embedding)"
)
# Closes a session's chain over a memory that leaves it; the session is locked. The memory's own NEXT go at once:
# neighbours that leave in the same batch would otherwise all be tied to one another.
UNCHAIN = """
CALL (m, s) {
  OPTIONAL MATCH (p:Memory)-[i:NEXT]->(m)
  OPTIONAL MATCH (m)-[o:NEXT]->(n:Memory)
  OPTIONAL MATCH (s)-[l:LAST]->(m)
  FOREACH (x IN CASE WHEN p IS NOT NULL AND n IS NOT NULL THEN [1] ELSE [] END | MERGE (p)-[:NEXT]->(n))
  FOREACH (x IN CASE WHEN p IS NOT NULL AND l IS NOT NULL THEN [1] ELSE [] END | MERGE (s)-[:LAST]->(p))
  DELETE i, o, l
}
"""
# The session is locked first, as writers do, then the memory: of several that delete it, the later ones find nothing.
# Then the chain is closed over the gap, and all that is the memory's goes; what is kept of it is that it went
# (`graph.memory_changes`), the last thing in its millisecond.
DELETE = (
    """
CYPHER 25
UNWIND $ids AS wanted
MATCH (m:Memory {tenant: $tenant, id: wanted})
OPTIONAL MATCH (m)-[:IN_SESSION]->(s:Session)
SET s.updated_at = $now, m.updated_at = $now
WITH m, s, wanted WHERE EXISTS { (:Memory {tenant: $tenant, id: wanted}) }
"""
    + UNCHAIN
    + """
CALL (m) {
  OPTIONAL MATCH (part:Searchable|MemoryChange)-[:VERSION_OF|WINDOW_OF|CHANGE_OF]->(m)
  DETACH DELETE part
}
CALL (m) {
  MATCH (new:Memory)-[:SUPERSEDES]->(m)-[r:SUPERSEDES]->(old:Memory)
  MERGE (new)-[over:SUPERSEDES]->(old) ON CREATE SET over.from = r.from, over.to = r.to
}
CREATE (:MemoryChange {tenant: $tenant, id: randomUUID(), name: 'deleted', kind: 'deleted', memory_id: m.id,
  was_version: m.version, agent_id: m.agent_id, user_id: '', session_id: m.session_id, project_id: m.project_id,
  place: '3' + m.id, created_at: $now, updated_at: $now, version: 1})
WITH m AS gone, m {.id, .agent_id, .session_id, .project_id, .memory_type, .version} AS m
DETACH DELETE gone
"""
    + TOLD
)
OF_SESSION = (
    """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, session_id: $session_id}) WHERE m.current AND m.expires_at > $now
WITH m ORDER BY m.created_at, m.seq LIMIT $limit
"""
    + SHOWN
    + " ORDER BY created_at, seq"
)
OF_AGENT = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, agent_id: $agent_id}) WHERE m.created_at >= 0
RETURN m.id AS id ORDER BY m.session_id, m.id LIMIT $limit
"""
EXPIRED = """
CYPHER 25
MATCH (m:Memory) WHERE m.expires_at <= $now AND m.tenant IS NOT NULL
RETURN m.tenant AS tenant, m.id AS id ORDER BY m.expires_at LIMIT $limit
"""

# What the wire calls properties.
WIRE = {"archived": "archived_at"}
GONE = "The agent or the project was deleted a moment ago; try again"


class MemoryRepository(Slotted):
    """Memories of one tenant. `slot` names the vectors in force (`graph.migrations.Space.slot`)."""

    kind = "Memory"

    def create(self, rows: Sequence[Row], pairs: Sequence[tuple[str, str]], lasts: Sequence[tuple[str, str]]) -> None:
        """Write memories with agent, project and session links, and continue the sessions' chains.

        Each row is `{props, embedding}`; every filter property of the vector index is set in `props`. `pairs` are
        (earlier, later) ids, `lasts` are (session id, memory id).

        Raises:
            Vanished: an agent or a project was deleted a moment ago.
        """
        self.check_slot()
        told = each("memory.created")([row["props"] for row in rows])
        made = self.telling(labels.in_slot(CREATE, self.slot), lambda _: told, rows=list(rows))
        if made[0]["created"] < len(rows):
            raise Vanished(GONE)
        if lasts:
            self.write(CHAIN, pairs=[list(pair) for pair in pairs], lasts=[list(last) for last in lasts])

    def create_one(self, row: Row) -> None:
        """Write one memory as `create` does, and lock and continue its session's chain.

        Raises:
            BadReference: its session is unknown.
        """
        told = [happened("memory.created", row["props"])]
        made = self.telling(labels.in_slot(CREATE_ONE, self.slot), lambda _: told, row=row, now=now_ms())
        if not made:
            self.check_slot()
            raise Vanished(GONE)
        if row["props"]["session_id"] != labels.NONE and not made[0]["in_session"]:
            raise BadReference("session_id", f"Session not found: {row['props']['session_id']}")

    def get(self, id: str) -> Row:
        """Return one memory.

        Raises:
            NotFound: no such memory, or it has expired.
        """
        return self.one(GET, id=id, now=now_ms())

    def get_many(self, ids: Sequence[str], *, expired: bool = False) -> dict[str, Row]:
        """Return memories by id; those that are gone are left out, as are expired ones unless they are asked for."""
        return {row["id"]: row for row in self.read(GET_MANY, ids=list(ids), now=0 if expired else now_ms())}

    def embeddings(self, ids: Sequence[str]) -> dict[str, list[float]]:
        """Return the stored vectors by memory id."""
        rows = self.read(labels.in_slot(EMBEDDINGS, self.slot), ids=list(ids))
        return {row["id"]: row["embedding"] for row in rows if row["embedding"]}

    def lock(self, id: str) -> Row:
        """Lock a memory in the open transaction and return what an edit needs to know.

        Raises:
            NotFound: no such memory.
        """
        return self.write_one(LOCK, id=id, now=now_ms())

    def keep_version(self, id: str, version_id: str, now: int) -> None:
        """Keep what the memory says, up to `now` (epoch ms), as a MemoryVersion."""
        self.write(KEEP_VERSION, id=id, version_id=version_id, now=now)

    def share_with_versions(self, id: str) -> None:
        """Let what the memory said be seen by whom, and as long as, what it says now."""
        self.write(SHARE_WITH_VERSIONS, id=id)

    def seal_parts(self, id: str, visibility: str) -> None:
        """Write what the memory said and was anew, where confidential memories are sealed: as `visibility` asks for."""
        if self.mode != CONFIDENTIAL:
            return
        rows = self.read(PART_TEXTS, id=id)
        for row in rows:
            row["props"] = {name: value for name, value in row["props"].items() if value is not None}
            row["props"] |= {"visibility": visibility, "memory_id": id, "was_version": 0}
        if rows:
            self.write(SET_PART_TEXTS, id=id, rows=rows)

    def drop_names(self, id: str, now: int | None = None) -> set[str]:
        """Drop the links that extraction made; those made by hand stay. They held until `now` (epoch ms).

        Returns the ids of the entities that were mentioned.
        """
        return set(self.write(DROP_NAMES, id=id, now=now or now_ms())[0]["entities"])

    def update(self, id: str, changes: Row, embedding: Any = None, changed: Iterable[str] = ()) -> Row:
        """Set properties, and the vector where one is given: with it, search finds the memory.

        Announced with the names of properties that `changed`, where there are any. Returns what an event tells of it.
        """
        names = [WIRE.get(name, name) for name in changed]
        given = {"id": id, "changes": changes, "now": now_ms()}
        told = each("memory.updated", *names)
        row = self._only(self.telling(UPDATE, told, **given) if names else self.write(UPDATE, **given))
        if embedding is not None:
            self.check_slot()
            self.write(labels.in_slot(SET_VECTOR, self.slot), id=id, embedding=embedding, now=now_ms())
        return row

    def delete(self, ids: Sequence[str]) -> Ids:
        """Delete memories with their versions, windows and links; return the ids that were there."""
        return [row["id"] for row in self.telling(DELETE, each("memory.deleted"), ids=list(ids), now=now_ms())]

    def of_session(self, session_id: str, limit: int = 1000) -> Rows:
        """Return a session's memories in writing order."""
        return self.read(OF_SESSION, session_id=session_id, limit=limit, now=now_ms())

    def of_agent(self, agent_id: str, limit: int) -> Ids:
        """Return up to `limit` memory ids of an agent, expired ones included."""
        return [row["id"] for row in self.read(OF_AGENT, agent_id=agent_id, limit=limit)]


def expired(graph: Graph, limit: int) -> list[Row]:
    """Return `{tenant, id}` of memories of any tenant whose time has passed, for the worker that deletes them."""
    return graph.read(EXPIRED, now=now_ms(), limit=limit)

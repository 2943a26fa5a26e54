"""Taking things back out of the trash: the node first, then its links, those whose other end is there.

A link whose other end lies in the trash itself is handed over to that: whichever of the two is restored last makes it.
"""

import orjson

from graph import labels
from graph.clock import now_ms
from graph.labels import NEVER
from graph.memory_changes import MemoryChangeRepository
from graph.records import Row, Rows
from graph.slotted import Slotted

# Locked before anything is read of it: of several that restore or erase it, one goes on.
TAKE = """
CYPHER 25
MATCH (t:Trashed {tenant: $tenant, id: $id})
SET t.created_at = t.created_at
WITH t WHERE EXISTS { (:Trashed {tenant: $tenant, id: $id}) } AND (t.expires_at > $now OR t.state = 'restoring')
RETURN t.noun AS noun, t.data AS data, t.state AS state, t.expires_at AS expires_at
"""
PEEK = """
CYPHER 25
MATCH (t:Trashed {tenant: $tenant, id: $id}) WHERE t.expires_at > $now OR t.state = 'restoring'
RETURN t.noun AS noun, t.data AS data, t.state AS state, t.expires_at AS expires_at
"""
BEGUN = "CYPHER 25 MATCH (t:Trashed {tenant: $tenant, id: $id}) SET t.state = 'restoring'"
DONE = "CYPHER 25 MATCH (t:Trashed {tenant: $tenant, id: $id}) DETACH DELETE t"
NODE = {
    "memory": "CYPHER 25 CREATE (n:Memory {tenant: $tenant, id: $id}) SET n += $props",
    "entity": "CYPHER 25 CREATE (n:Entity {tenant: $tenant, id: $id}) SET n += $props",
    "session": "CYPHER 25 CREATE (n:Session {tenant: $tenant, id: $id}) SET n += $props",
    "decision": "CYPHER 25 CREATE (n:Decision:Searchable {tenant: $tenant, id: $id}) SET n += $props",
    "pattern": "CYPHER 25 CREATE (n:Pattern:Searchable {tenant: $tenant, id: $id}) SET n += $props",
    "project": "CYPHER 25 CREATE (n:Project {tenant: $tenant, id: $id}) SET n += $props",
    "agent": "CYPHER 25 CREATE (n:Agent {tenant: $tenant, id: $id}) SET n += $props",
}
# `embedding_model` says whose vector it is: that of the model in force now.
VECTOR = {
    "memory": """
CYPHER 25
MATCH (n:Memory {tenant: $tenant, id: $id})
SET n:Searchable, n.embedding_model = $model
WITH n CALL db.create.setNodeVectorProperty(n, 'EMBEDDING', $embedding)
""",
    "decision": """
CYPHER 25
MATCH (n:Decision {tenant: $tenant, id: $id})
SET n.embedding_model = $model
WITH n CALL db.create.setNodeVectorProperty(n, 'EMBEDDING', $embedding)
""",
    "pattern": """
CYPHER 25
MATCH (n:Pattern {tenant: $tenant, id: $id})
SET n.embedding_model = $model
WITH n CALL db.create.setNodeVectorProperty(n, 'EMBEDDING', $embedding)
""",
}
VERSIONS = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id})
UNWIND $rows AS row
CREATE (v:MemoryVersion:Searchable {tenant: $tenant, id: row.props.id})-[:VERSION_OF]->(m)
SET v += row.props, v.embedding_model = $model
WITH v, row
CALL db.create.setNodeVectorProperty(v, 'EMBEDDING', row.embedding)
"""
CHANGES = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id})
UNWIND $rows AS row
CREATE (c:MemoryChange {tenant: $tenant, id: row.id})-[:CHANGE_OF]->(m)
SET c += row
"""
# The name itself first and always; another spelling that leads elsewhere by now leads to both.
NAMES = """
CYPHER 25
MATCH (e:Entity {tenant: $tenant, id: $id})
UNWIND $rows AS row
MERGE (w:EntityName {tenant: $tenant, key: row.key})
ON CREATE SET w += row
MERGE (w)-[:NAMES]->(e)
"""
# Gone for good while its memories still lay in the trash: they name it, so it is made again under its name.
AGENT = """
CYPHER 25
MERGE (a:Agent {tenant: $tenant, id: $id})
ON CREATE SET a.name = $name, a.metadata = '{}', a.created_at = $now, a.updated_at = $now, a.version = 1
"""
# A version more, as after every change: whoever holds the former one learns of it.
AGAIN = "CYPHER 25 MATCH (m:Memory {tenant: $tenant, id: $id}) SET m.version = m.version + 1"
RECORDED_BY = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id})
MATCH (a:Agent {tenant: $tenant, id: $agent_id})
CREATE (m)-[:RECORDED_BY]->(a)
"""
HAS_AGENT = "CYPHER 25 MATCH (a:Agent {tenant: $tenant, id: $id}) RETURN a.id AS id"
# Left behind by the memory when it was deleted; it would stand in the way of a new one.
ORPHANS = """
CYPHER 25
UNWIND ['embed', 'windows', 'extract'] AS kind
MATCH (j:Job {tenant: $tenant, key: kind + ':' + $id}) WHERE NOT EXISTS { (j)-[:FOR]->(:Memory) }
DETACH DELETE j
"""
CHUNKS = """
CYPHER 25
MATCH (l:TrashedLinks {tenant: $tenant, of: $id})
WITH l ORDER BY l.created_at, l.id LIMIT $limit
RETURN l.id AS id, l.of AS of, l.links AS links
"""
DROP_CHUNKS = "CYPHER 25 UNWIND $ids AS wanted MATCH (l:TrashedLinks {tenant: $tenant, id: wanted}) DETACH DELETE l"
HAND_OVER = """
CYPHER 25
UNWIND $rows AS row
MATCH (t:Trashed {tenant: $tenant, id: row.of})
CREATE (l:TrashedLinks {tenant: $tenant, id: randomUUID()})
SET l += row, l.name = 'links', l.expires_at = t.expires_at, l.created_at = $now, l.updated_at = $now, l.version = 1
"""
ANY = """
CALL (wanted) {
  MATCH (o:Memory {tenant: $tenant, id: wanted}) RETURN o
 UNION MATCH (o:Agent {tenant: $tenant, id: wanted}) RETURN o
 UNION MATCH (o:Session {tenant: $tenant, id: wanted}) RETURN o
 UNION MATCH (o:Project {tenant: $tenant, id: wanted}) RETURN o
 UNION MATCH (o:Entity {tenant: $tenant, id: wanted}) RETURN o
 UNION MATCH (o:Decision {tenant: $tenant, id: wanted}) RETURN o
 UNION MATCH (o:Pattern {tenant: $tenant, id: wanted}) RETURN o
}
"""
ENDS = (
    "CYPHER 25 WITH $id AS wanted"
    + ANY
    + "WITH o AS n UNWIND $links AS link WITH n, link, link.other AS wanted"
    + ANY
    + "WITH n, link, o "
)
# A type of ours, written down by KEEP_LINKS, and never a client's.
LINK_OUT = (
    ENDS
    + """
WITH n, link, o WHERE NOT EXISTS { MATCH (n)-[r]->(o) WHERE type(r) = link.type AND properties(r) = link.props }
CREATE (n)-[r:$(link.type)]->(o)
SET r = link.props
RETURN count(r) AS made
"""
)
LINK_IN = (
    ENDS
    + """
WITH n, link, o WHERE NOT EXISTS { MATCH (n)<-[r]-(o) WHERE type(r) = link.type AND properties(r) = link.props }
CREATE (n)<-[r:$(link.type)]-(o)
SET r = link.props
RETURN count(r) AS made
"""
)
PRESENT = "CYPHER 25 UNWIND $ids AS wanted" + ANY + "RETURN wanted AS id"
# What belongs where is said by a property as well, which indexes look at; parts repeat it.
PLACE_MEMORIES = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (m:Memory {tenant: $tenant, id: wanted})
OPTIONAL MATCH (m)-[:IN_SESSION]->(s:Session)
OPTIONAL MATCH (m)-[:IN_PROJECT]->(p:Project)
SET m.session_id = coalesce(s.id, ''), m.project_id = coalesce(p.id, '')
WITH m
CALL (m) {
  MATCH (part:Searchable|MemoryChange)-[:VERSION_OF|WINDOW_OF|CHANGE_OF]->(m)
  SET part.session_id = m.session_id, part.project_id = m.project_id
}
"""
PLACE_DECISIONS = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (d:Decision {tenant: $tenant, id: wanted})
OPTIONAL MATCH (d)-[:MADE_IN]->(s:Session)
OPTIONAL MATCH (d)-[:IN_PROJECT]->(p:Project)
SET d.session_id = coalesce(s.id, ''), d.project_id = coalesce(p.id, '')
"""
# Puts a memory back where it stood in its session's chain: behind the one written before it.
ENCHAIN = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id})-[:IN_SESSION]->(s:Session)
WHERE NOT EXISTS { (m)-[:NEXT]-() } AND NOT EXISTS { (s)-[:LAST]->(m) }
SET s.created_at = s.created_at
WITH m, s
CALL (m, s) {
  OPTIONAL MATCH (p:Memory {tenant: $tenant, session_id: s.id})
  WHERE p.created_at <= m.created_at AND (p.created_at < m.created_at OR p.seq < m.seq)
    AND (EXISTS { (p)-[:NEXT]-() } OR EXISTS { (s)-[:LAST]->(p) })
  RETURN p ORDER BY p.tenant DESC, p.session_id DESC, p.created_at DESC, p.seq DESC LIMIT 1
}
CALL (m, s, p) {
  OPTIONAL MATCH (a:Memory {tenant: $tenant, session_id: s.id})
  WHERE p IS NULL AND a.created_at >= m.created_at AND a <> m
    AND (EXISTS { (a)-[:NEXT]-() } OR EXISTS { (s)-[:LAST]->(a) })
  RETURN a ORDER BY a.tenant, a.session_id, a.created_at, a.seq LIMIT 1
}
OPTIONAL MATCH (x:Memory)-[:NEXT]->(a)
WITH m, s, a, coalesce(p, x) AS p
OPTIONAL MATCH (p)-[between:NEXT]->(n:Memory)
WITH m, s, p, between, CASE WHEN p IS NULL THEN a ELSE n END AS after
OPTIONAL MATCH (s)-[last:LAST]->()
DELETE between
FOREACH (x IN CASE WHEN p IS NULL THEN [] ELSE [1] END | CREATE (p)-[:NEXT]->(m))
FOREACH (x IN CASE WHEN after IS NULL THEN [] ELSE [1] END | CREATE (m)-[:NEXT]->(after))
FOREACH (x IN CASE WHEN after IS NULL THEN [1] ELSE [] END | CREATE (s)-[:LAST]->(m) DELETE last)
"""
IN_ORDER = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (m:Memory {tenant: $tenant, id: wanted})-[:IN_SESSION]->(:Session)
RETURN m.id AS id ORDER BY m.session_id, m.created_at, m.seq
"""
# Deleting had closed these chains over the gap.
OPEN_GAP = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id})
MATCH (new:Memory)-[:SUPERSEDES]->(m)-[:SUPERSEDES]->(old:Memory)
MATCH (new)-[over:SUPERSEDES]->(old)
DELETE over
"""
# What a decision had replaced, and nobody touched while it was in the trash, is replaced as if it had never been away.
OPEN_DECISION_GAP = """
CYPHER 25
MATCH (d:Decision {tenant: $tenant, id: $id})
CALL (d) {
  MATCH (new:Decision)-[:SUPERSEDES]->(d)-[:SUPERSEDES]->(old:Decision)
  MATCH (new)-[over:SUPERSEDES]->(old)
  DELETE over
}
CALL (d) {
  MATCH (d)-[mine:SUPERSEDES]->(old:Decision)
  WHERE EXISTS { MATCH (other:Decision)-[:SUPERSEDES]->(old) WHERE other <> d }
  DELETE mine
}
CALL (d) {
  MATCH (d)-[r:SUPERSEDES]->(old:Decision) WHERE old.status <> 'superseded'
  WITH r, old, coalesce(old.was_status[-1] = 'superseded' AND old.status = old.status_before, false) AS untouched
  SET old.was_status = CASE WHEN untouched THEN old.was_status[..-1]
      ELSE (coalesce(old.was_status, []) + old.status)[-1000..] END,
    old.was_until = CASE WHEN untouched THEN old.was_until[..-1]
      ELSE (coalesce(old.was_until, []) + $now)[-1000..] END,
    old.status_before = old.status, old.status = 'superseded', old.current = false, old.superseded_at = r.from,
    old.updated_at = $now, old.version = old.version + 1
}
CALL (d) {
  WITH d WHERE d.status = 'superseded' AND NOT EXISTS { (:Decision)-[:SUPERSEDES]->(d) }
  SET d.was_status = (coalesce(d.was_status, []) + d.status)[-1000..],
    d.was_until = (coalesce(d.was_until, []) + $now)[-1000..],
    d.status = coalesce(d.status_before, 'active'), d.current = coalesce(d.status_before, 'active') <> 'reverted',
    d.superseded_at = $never
}
"""


class RestoreRepository(Slotted):
    """Restoring for one tenant. `slot` names the vectors in force."""

    kind = "Deleted item"

    def peek(self, id: str) -> Row:
        """Return `{noun, state, expires_at, props, versions, ...}` of a thing in the trash.

        Raises:
            NotFound: it is not there, or its time has passed.
        """
        return _opened(self.one(PEEK, id=id, now=now_ms()))

    def take(self, id: str) -> Row:
        """Lock a thing in the trash, in the open transaction, and return it as `peek` does.

        Raises:
            NotFound: it is not there any more.
        """
        return _opened(self.write_one(TAKE, id=id, now=now_ms()))

    def has_agent(self, id: str) -> bool:
        """Tell whether there is an agent of this id."""
        return bool(self.read(HAS_AGENT, id=id))

    def make(self, id: str, taken: Row, vectors: Row, model: str) -> None:
        """Make the node and its parts again; `vectors` has one by id of itself and of its versions.

        Raises:
            Conflict: its name is taken by now.
            Moved: the vectors are of a model that is no longer in force.
        """
        noun, props = taken["noun"], dict(taken["props"])
        if noun == "memory":
            self.write(AGENT, id=props["agent_id"], name=taken["agent_name"] or props["agent_id"], now=now_ms())
        if noun in ("memory", "decision"):
            # Links say where it belongs, once they are there.
            props |= {"session_id": labels.NONE, "project_id": labels.NONE}
        self.write(NODE[noun], id=id, props=props)
        if noun == "memory":
            self.write(RECORDED_BY, id=id, agent_id=props["agent_id"])
            self.write(ORPHANS, id=id)
        if vectors:
            self.check_slot()
        if id in vectors:
            self.write(labels.in_slot(VECTOR[noun], self.slot), id=id, embedding=vectors[id], model=model)
        if taken["versions"]:
            rows = [{"props": each, "embedding": vectors[each["id"]]} for each in taken["versions"]]
            self.write(labels.in_slot(VERSIONS, self.slot), id=id, rows=rows, model=model)
        if taken["changes"]:
            self.write(CHANGES, id=id, rows=taken["changes"])
        if noun == "memory":
            MemoryChangeRepository(self.graph, self.caller, self.tx).keep(id, "restored", [], now_ms())
            self.write(AGAIN, id=id)
        if taken["names"]:
            self.write(NAMES, id=id, rows=sorted(taken["names"], key=lambda each: str(each["key"])))
        self.write(BEGUN, id=id)

    def relink(self, id: str, noun: str, limit: int) -> bool:
        """Make the links of up to `limit` of its nodes of links again; return whether none are left."""
        chunks = self.read(CHUNKS, id=id, limit=limit)
        links: Rows = [link for chunk in chunks for link in orjson.loads(chunk["links"])]
        present = {row["id"] for row in self.read(PRESENT, ids=sorted({link["other"] for link in links}))}
        # Some were written down twice: before the links went batch by batch, and at the end.
        known = {orjson.dumps(link, option=orjson.OPT_SORT_KEYS): link for link in links if link["other"] in present}
        here = sorted(known.values(), key=lambda link: str(link["other"]))
        self.write(LINK_OUT, id=id, links=[link for link in here if link["out"]])
        self.write(LINK_IN, id=id, links=[link for link in here if not link["out"]])
        away = [link for link in links if link["other"] not in present]
        if away:
            rows = [{"of": link["other"], "links": _turned(link, id)} for link in away]
            self.write(HAND_OVER, rows=rows, now=now_ms())
        self._settle(id, noun, here)
        self.write(DROP_CHUNKS, ids=[chunk["id"] for chunk in chunks])
        return len(chunks) < limit

    def finish(self, id: str) -> None:
        """Take the thing out of the trash: all of it is back."""
        self.write(DONE, id=id)

    def _settle(self, id: str, noun: str, links: Rows) -> None:
        belongs = [link["other"] for link in links if link["type"] in ("IN_SESSION", "IN_PROJECT", "MADE_IN")]
        ids = [id] if noun in ("memory", "decision") else sorted(set(belongs))
        if ids:
            self.write(PLACE_MEMORIES, ids=ids)
            self.write(PLACE_DECISIONS, ids=ids)
            for row in self.read(IN_ORDER, ids=ids):
                self.write(ENCHAIN, id=row["id"])
        if noun == "memory":
            self.write(OPEN_GAP, id=id)
        if noun == "decision":
            self.write(OPEN_DECISION_GAP, id=id, now=now_ms(), never=NEVER)


def _opened(row: Row) -> Row:
    return {**row, **orjson.loads(row.pop("data"))}


def _turned(link: Row, id: str) -> str:
    turned = {"type": link["type"], "out": not link["out"], "other": id, "props": link["props"]}
    return orjson.dumps([turned]).decode()

"""The trash: what was deleted and can still be restored, each thing as one node that no other query knows.

A thing is written down (its properties, its parts, its links) in the transaction that deletes it, as JSON in a
`Trashed` node; its links lie beside that in `TrashedLinks` nodes, a bounded number in each. So nothing of it is left in
any index or under any label that reads look at: what no read can find it cannot show.
"""

from collections.abc import Iterator, Sequence

import orjson

from graph import labels
from graph.clock import now_ms
from graph.driver import Graph
from graph.errors import NotFound
from graph.naming import shown_name
from graph.records import Ids, Row, Rows
from graph.repository import Repository
from graph.sealing import NAMELESS

# Links that are made anew from what a thing says, or that lead to what does not last.
LEFT_OUT = ("NEXT", "LAST", "VERSION_OF", "WINDOW_OF", "CHANGE_OF", "NAMES", "IN_TOPIC")
# Read behind the locks that deleting takes, in the same order: a property set to itself locks and changes nothing. Then
# looked for again, because it may have been deleted meanwhile.
LOCK_MEMORY = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (n:Memory {tenant: $tenant, id: wanted})
OPTIONAL MATCH (n)-[:IN_SESSION]->(s:Session)
SET s.created_at = s.created_at, n.created_at = n.created_at
WITH n, wanted WHERE EXISTS { (:Memory {tenant: $tenant, id: wanted}) }
WITH n ORDER BY n.id
"""
LOCK_ENTITY = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (n:Entity {tenant: $tenant, id: wanted})
SET n.created_at = n.created_at
WITH n, wanted WHERE EXISTS { (:Entity {tenant: $tenant, id: wanted}) }
WITH n ORDER BY n.id
"""
LOCK_SESSION = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (n:Session {tenant: $tenant, id: wanted})
SET n.created_at = n.created_at
WITH n, wanted WHERE EXISTS { (:Session {tenant: $tenant, id: wanted}) }
WITH n ORDER BY n.id
"""
LOCK_DECISION = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (n:Decision {tenant: $tenant, id: wanted})
SET n.created_at = n.created_at
WITH n, wanted WHERE EXISTS { (:Decision {tenant: $tenant, id: wanted}) }
WITH n ORDER BY n.id
"""
LOCK_PATTERN = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (n:Pattern {tenant: $tenant, id: wanted})
SET n.created_at = n.created_at
WITH n, wanted WHERE EXISTS { (:Pattern {tenant: $tenant, id: wanted}) }
WITH n ORDER BY n.id
"""
LOCK_PROJECT = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (n:Project {tenant: $tenant, id: wanted})
SET n.created_at = n.created_at
WITH n, wanted WHERE EXISTS { (:Project {tenant: $tenant, id: wanted}) }
WITH n ORDER BY n.id
"""
LOCK_AGENT = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (n:Agent {tenant: $tenant, id: wanted})
SET n.created_at = n.created_at
WITH n, wanted WHERE EXISTS { (:Agent {tenant: $tenant, id: wanted}) }
WITH n ORDER BY n.id
"""
# Vectors stay out: they are made anew, with the model that is then in force.
FACTS = """
RETURN n.id AS id, n:Searchable AS searchable, n {.*, EMBEDDING: null, OTHER_VECTOR: null} AS props,
  COLLECT { MATCH (v:MemoryVersion)-[:VERSION_OF]->(n) RETURN v {.*, EMBEDDING: null, OTHER_VECTOR: null} } AS versions,
  COLLECT { MATCH (c:MemoryChange)-[:CHANGE_OF]->(n) RETURN c {.*} } AS changes,
  COLLECT { MATCH (w:EntityName)-[:NAMES]->(n) RETURN w {.*} } AS names,
  head(COLLECT { MATCH (n)-[:RECORDED_BY]->(a:Agent) RETURN a.name }) AS agent_name
"""
LINKS = """
MATCH (n)-[r]-(o)
WHERE o.id IS NOT NULL AND o.tenant = $tenant AND NOT type(r) IN $left_out
  AND (o:Agent OR o:Session OR o:Project OR o:Entity OR o:Memory OR o:Decision OR o:Pattern)
RETURN n.id AS id, type(r) AS type, startNode(r) = n AS out, o.id AS other, properties(r) AS props
"""
READ = {
    "memory": LOCK_MEMORY + FACTS,
    "entity": LOCK_ENTITY + FACTS,
    "session": LOCK_SESSION + FACTS,
    "decision": LOCK_DECISION + FACTS,
    "pattern": LOCK_PATTERN + FACTS,
    "project": LOCK_PROJECT + FACTS,
    "agent": LOCK_AGENT + FACTS,
}
READ_LINKS = {
    "memory": "CYPHER 25 UNWIND $ids AS wanted MATCH (n:Memory {tenant: $tenant, id: wanted}) " + LINKS,
    "entity": "CYPHER 25 UNWIND $ids AS wanted MATCH (n:Entity {tenant: $tenant, id: wanted}) " + LINKS,
    "session": "CYPHER 25 UNWIND $ids AS wanted MATCH (n:Session {tenant: $tenant, id: wanted}) " + LINKS,
    "decision": "CYPHER 25 UNWIND $ids AS wanted MATCH (n:Decision {tenant: $tenant, id: wanted}) " + LINKS,
    "pattern": "CYPHER 25 UNWIND $ids AS wanted MATCH (n:Pattern {tenant: $tenant, id: wanted}) " + LINKS,
    "project": "CYPHER 25 UNWIND $ids AS wanted MATCH (n:Project {tenant: $tenant, id: wanted}) " + LINKS,
    "agent": "CYPHER 25 UNWIND $ids AS wanted MATCH (n:Agent {tenant: $tenant, id: wanted}) " + LINKS,
}
KEEP = """
CYPHER 25
UNWIND $rows AS row
MERGE (t:Trashed {tenant: $tenant, id: row.id})
SET t += row, t.created_at = $now, t.updated_at = $now, t.version = 1
"""
KEEP_LINKS = """
CYPHER 25
UNWIND $rows AS row
CREATE (l:TrashedLinks {tenant: $tenant, id: randomUUID()})
SET l += row, l.name = 'links', l.created_at = $now, l.updated_at = $now, l.version = 1
"""
SHOWN = """
RETURN t.id AS id, t.noun AS noun, t.name AS name, t.deleted_with AS deleted_with, t.created_at AS created_at,
  t.expires_at AS expires_at
"""
CHOSEN = """
  AND t.expires_at > $now AND ($noun IS NULL OR t.noun = $noun)
  AND ($deleted_with IS NULL OR t.deleted_with = $deleted_with)
"""
# CASE, because the planner makes two seeks and a sort of an OR.
LIST = (
    """
CYPHER 25
MATCH (t:Trashed {tenant: $tenant})
WHERE t.created_at <= $before AND CASE WHEN t.created_at < $before THEN true ELSE t.id < $before_id END
"""
    + CHOSEN
    + "WITH t ORDER BY t.tenant DESC, t.created_at DESC, t.id DESC SKIP $offset LIMIT $limit"
    + SHOWN
    + " ORDER BY created_at DESC, id DESC"
)
COUNT = "CYPHER 25 MATCH (t:Trashed {tenant: $tenant}) WHERE t.created_at >= 0" + CHOSEN + " RETURN count(t) AS total"
GET = "CYPHER 25 MATCH (t:Trashed {tenant: $tenant, id: $id}) WHERE t.expires_at > $now" + SHOWN
# Locked, then looked for again: of several that erase it, the later ones find nothing.
ERASE = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (t:Trashed {tenant: $tenant, id: wanted})
SET t.updated_at = $now
WITH t, wanted WHERE EXISTS { (:Trashed {tenant: $tenant, id: wanted}) }
CALL (wanted) {
  MATCH (l:TrashedLinks {tenant: $tenant, of: wanted})
  DETACH DELETE l
}
DETACH DELETE t
RETURN wanted AS id
"""
EXPIRED = """
CYPHER 25
MATCH (t:Trashed) WHERE t.expires_at <= $now
RETURN t.tenant AS tenant, t.id AS id ORDER BY t.expires_at LIMIT $limit
"""
# Of deletions that were begun and never finished.
EXPIRED_LINKS = """
CYPHER 25
MATCH (l:TrashedLinks) WHERE l.expires_at <= $now
WITH l LIMIT $limit
DETACH DELETE l
RETURN count(*) AS gone
"""

IN_A_NODE = 500


class TrashRepository(Repository):
    """The trash of one tenant. Times are epoch milliseconds."""

    kind = "Deleted item"

    def keep(self, noun: str, ids: Sequence[str], until: int, deleted_with: str = "") -> None:
        """Write things down in the open transaction, before they are deleted in it; those that are gone are left out.

        `deleted_with` is the id of what takes them along. A memory is kept no longer than it would have been true.
        """
        found = self.write(labels.in_slot(READ[noun], "a"), ids=sorted(ids), now=now_ms())
        rows = [_trashed(noun, row, until, deleted_with) for row in found]
        self.write(KEEP, rows=rows, now=now_ms())
        self._keep_links(self._links(noun, [row["id"] for row in found]), until)

    def keep_links(self, noun: str, id: str, until: int) -> None:
        """Write down what a thing is linked to, before its links go batch by batch.

        More than is linked in the end does no harm: a link is restored once, and only between what is there.
        """
        chunks = list(_chunks(self._links(noun, [id]), until))
        for at in range(0, len(chunks), 20):
            self.write(KEEP_LINKS, rows=chunks[at : at + 20], now=now_ms())

    def list(self, before: int, before_id: str, offset: int, limit: int, **chosen: str | None) -> Rows:
        """Return what can be restored, deleted last first; `chosen` has noun and deleted_with (None: any)."""
        given = {"before": before, "before_id": before_id, "offset": offset, "limit": limit}
        return self.read(LIST, now=now_ms(), **given, **chosen)

    def count(self, **chosen: str | None) -> int:
        """Return how many things can be restored."""
        return int(self.read(COUNT, now=now_ms(), **chosen)[0]["total"])

    def get(self, id: str) -> Row:
        """Return one.

        Raises:
            NotFound: no such thing is in the trash, or its time has passed.
        """
        return self.one(GET, id=id, now=now_ms())

    def erase(self, ids: Sequence[str]) -> Ids:
        """Erase things for good; return the ids of those that were there."""
        return [row["id"] for row in self.write(ERASE, ids=sorted(ids), now=now_ms())]

    def erase_one(self, id: str) -> None:
        """Erase one for good.

        Raises:
            NotFound: it is not in the trash.
        """
        if not self.erase([id]):
            raise NotFound(self.kind)

    def _links(self, noun: str, ids: Sequence[str]) -> Rows:
        return self.read(READ_LINKS[noun], ids=ids, left_out=LEFT_OUT)

    def _keep_links(self, links: Rows, until: int) -> None:
        if links:
            self.write(KEEP_LINKS, rows=list(_chunks(links, until)), now=now_ms())


def _trashed(noun: str, row: Row, until: int, deleted_with: str) -> Row:
    props = _said(row["props"])
    parts = {name: [_said(each) for each in row[name]] for name in ("versions", "changes", "names")}
    data = {"props": props, "searchable": row["searchable"], "agent_name": row["agent_name"], **parts}
    facets = {name: props.get(name) or "" for name in ("agent_id", "user_id", "session_id", "project_id")}
    return {
        **facets,
        "id": row["id"],
        "noun": noun,
        "name": _name(props) or props.get("title") or noun,
        "data": orjson.dumps(data).decode(),
        "deleted_with": deleted_with,
        "expires_at": min(until, props.get("expires_at", until)) if noun == "memory" else until,
        "state": "kept",
    }


def _name(props: Row) -> str | None:
    if props.get("name") != NAMELESS:
        return props.get("name")
    return shown_name(props.get("title") or props.get("content") or "", props.get("visibility", ""))


def _said(props: Row) -> Row:
    return {name: value for name, value in props.items() if value is not None}


def _chunks(links: Rows, until: int) -> Iterator[Row]:
    by_id: dict[str, Rows] = {}
    for link in links:
        by_id.setdefault(link["id"], []).append({name: link[name] for name in ("type", "out", "other", "props")})
    for id, found in by_id.items():
        for at in range(0, len(found), IN_A_NODE):
            said = orjson.dumps(found[at : at + IN_A_NODE]).decode()
            yield {"of": id, "links": said, "expires_at": until}


def expired_trash(graph: Graph, limit: int) -> Rows:
    """Return `{tenant, id}` of things of any tenant whose time in the trash has passed."""
    return graph.read(EXPIRED, now=now_ms(), limit=limit)


def forget_links(graph: Graph, limit: int) -> int:
    """Delete up to `limit` nodes of links whose time has passed, of every tenant; return how many went."""
    return int(graph.write(EXPIRED_LINKS, now=now_ms(), limit=limit)[0]["gone"])

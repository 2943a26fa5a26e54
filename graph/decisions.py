"""Decisions: what was chosen and why, and what it replaced. Other links are in `graph.decision_links`."""

from collections.abc import Sequence
from typing import Any

from graph import labels
from graph.clock import now_ms
from graph.driver import Transaction
from graph.errors import Conflict
from graph.labels import NEVER
from graph.outbox import Happened, each, happened
from graph.records import Row, Rows
from graph.slotted import Slotted

# What it belongs to is read from the links, so that a deleted agent or a renamed project shows at once.
SHOWN = """
RETURN d.id AS id, d.title AS title, d.rationale AS rationale, d.alternatives AS alternatives, d.status AS status,
  d.tags AS tags, d.metadata AS metadata, d.created_at AS created_at, d.updated_at AS updated_at, d.version AS version,
  head(COLLECT { MATCH (d)-[:MADE_BY]->(a:Agent) RETURN a.id LIMIT 1 }) AS agent_id,
  head(COLLECT { MATCH (d)-[:MADE_IN]->(s:Session) RETURN s.id LIMIT 1 }) AS session_id,
  head(COLLECT { MATCH (d)-[:IN_PROJECT]->(p:Project) RETURN p.slug LIMIT 1 }) AS project_slug,
  head(COLLECT { MATCH (d)<-[:SUPERSEDES]-(newer:Decision) RETURN newer.id LIMIT 1 }) AS superseded_by,
  head(COLLECT { MATCH (d)-[:SUPERSEDES]->(older:Decision) RETURN older.id LIMIT 1 }) AS supersedes,
  COUNT { (d)-[:BASED_ON]->() } AS memory_count, COUNT { (d)-[:DEPENDS_ON]->() } AS dependency_count,
  COUNT { (d)<-[:DEPENDS_ON]-() } AS dependent_count
"""
CREATE = """
CYPHER 25
CREATE (d:Decision:Searchable {tenant: $tenant})
SET d += $props
WITH d
CALL db.create.setNodeVectorProperty(d, 'EMBEDDING', $embedding)
WITH d
CALL (d) {
  MATCH (a:Agent {tenant: $tenant, id: d.agent_id})
  CREATE (d)-[:MADE_BY]->(a)
}
CALL (d) {
  MATCH (p:Project {tenant: $tenant, id: d.project_id})
  CREATE (d)-[:IN_PROJECT]->(p)
}
CALL (d) {
  MATCH (s:Session {tenant: $tenant, id: d.session_id})
  CREATE (d)-[:MADE_IN]->(s)
}
"""
GET = "CYPHER 25 MATCH (d:Decision {tenant: $tenant, id: $id})" + SHOWN
GET_MANY = "CYPHER 25 UNWIND $ids AS wanted MATCH (d:Decision {tenant: $tenant, id: wanted})" + SHOWN
# `'' +` keeps the index of ids out: it cannot give the order.
AFTER = " WHERE d.created_at <= $before AND CASE WHEN d.created_at < $before THEN true ELSE d.id < $before_id END "
FILTER = """
  AND ($session_id IS NULL OR d.session_id = $session_id) AND ($agent_id IS NULL OR d.agent_id = $agent_id)
  AND ($project_id IS NULL OR d.project_id = $project_id) AND ($status IS NULL OR d.status = $status)
  AND (size($tags) = 0 OR CASE WHEN $every_tag THEN all(t IN $tags WHERE t IN d.tag_keys)
    ELSE any(t IN $tags WHERE t IN d.tag_keys) END)
"""
# One match for each index that can carry the order: a filter in WHERE alone would read the tenant's whole list. An
# index gives its order only to a query that names all its properties, those that are fixed too.
MATCH_ALL = "CYPHER 25 MATCH (d:Decision {tenant: $tenant})" + AFTER
MATCH_SESSION = "CYPHER 25 MATCH (d:Decision {tenant: $tenant, session_id: $session_id})" + AFTER
MATCH_PROJECT = "CYPHER 25 MATCH (d:Decision {tenant: $tenant, project_id: $project_id})" + AFTER
MATCH_AGENT = "CYPHER 25 MATCH (d:Decision {tenant: $tenant, agent_id: $agent_id})" + AFTER
MATCH_STATUS = "CYPHER 25 MATCH (d:Decision {tenant: $tenant, status: $status})" + AFTER
NEWEST_FIRST = " ORDER BY created_at DESC, id DESC"
PAGE = " d.created_at DESC, d.id DESC SKIP $offset LIMIT $limit" + SHOWN + NEWEST_FIRST
ORDER_ALL = "WITH d ORDER BY d.tenant DESC," + PAGE
ORDER_SESSION = "WITH d ORDER BY d.tenant DESC, d.session_id DESC," + PAGE
ORDER_PROJECT = "WITH d ORDER BY d.tenant DESC, d.project_id DESC," + PAGE
ORDER_AGENT = "WITH d ORDER BY d.tenant DESC, d.agent_id DESC," + PAGE
ORDER_STATUS = "WITH d ORDER BY d.tenant DESC, d.status DESC," + PAGE
# By what narrows most. Without further filters, a page costs the same wherever it is.
LISTS = {
    "session_id": MATCH_SESSION + ORDER_SESSION,
    "project_id": MATCH_PROJECT + ORDER_PROJECT,
    "agent_id": MATCH_AGENT + ORDER_AGENT,
    "status": MATCH_STATUS + ORDER_STATUS,
    "": MATCH_ALL + ORDER_ALL,
}
FILTERED_LISTS = {
    "session_id": MATCH_SESSION + FILTER + ORDER_SESSION,
    "project_id": MATCH_PROJECT + FILTER + ORDER_PROJECT,
    "agent_id": MATCH_AGENT + FILTER + ORDER_AGENT,
    "status": MATCH_STATUS + FILTER + ORDER_STATUS,
    "": MATCH_ALL + FILTER + ORDER_ALL,
}
COUNTED = FILTER + "RETURN count(d) AS total"
COUNTS = {
    "session_id": MATCH_SESSION + COUNTED,
    "project_id": MATCH_PROJECT + COUNTED,
    "agent_id": MATCH_AGENT + COUNTED,
    "status": MATCH_STATUS + COUNTED,
    "": MATCH_ALL + COUNTED,
}
# Writing what is there already changes nothing and yet takes the lock, so what is read next holds until the end.
LOCK = """
CYPHER 25
MATCH (d:Decision {tenant: $tenant, id: $id})
SET d.created_at = d.created_at
WITH d WHERE EXISTS { (:Decision {tenant: $tenant, id: $id}) }
"""
LOCKED = LOCK + SHOWN
# What an event tells of a decision.
TOLD = """
RETURN d.id AS id, d.agent_id AS agent_id, d.session_id AS session_id, d.project_id AS project_id, d.version AS version
"""
# Set before the status changes: which one it was and until when, oldest first, of the last 1,000 times;
# `graph.decision_moments` reads it.
KEEP_STATUS = """
SET d.was_status = (coalesce(d.was_status, []) + d.status)[-1000..],
  d.was_until = (coalesce(d.was_until, []) + $now)[-1000..]
"""
UPDATE = """
CYPHER 25
MATCH (d:Decision {tenant: $tenant, id: $id})
FOREACH (x IN CASE WHEN $changes.status <> d.status THEN [1] ELSE [] END |
""" + KEEP_STATUS + """)
SET d += $changes, d.updated_at = $now, d.version = d.version + 1
""" + TOLD  # fmt: skip
SET_VECTOR = """
CYPHER 25
MATCH (d:Decision {tenant: $tenant, id: $id})
REMOVE d.OTHER_VECTOR
WITH d
CALL db.create.setNodeVectorProperty(d, 'EMBEDDING', $embedding)
"""
SUPERSEDE = """
CYPHER 25
MATCH (d:Decision {tenant: $tenant, id: $id})
MATCH (new:Decision {tenant: $tenant, id: $new_id})
CREATE (new)-[:SUPERSEDES {from: $now, to: $never}]->(d)
""" + KEEP_STATUS + """
SET d.status_before = d.status, d.status = 'superseded', d.current = false, d.superseded_at = $now,
  d.updated_at = $now, d.version = d.version + 1
""" + TOLD + ", new.id AS superseded_by"  # fmt: skip
# The chain closes over the gap, and what nothing supersedes any longer is in force again as it was before. Who
# depended on the deleted decision depends on the one in its place.
DELETE = """
CYPHER 25
MATCH (d:Decision {tenant: $tenant, id: $id})
OPTIONAL MATCH (newer:Decision)-[:SUPERSEDES]->(d)
OPTIONAL MATCH (d)-[:SUPERSEDES]->(older:Decision)
FOREACH (x IN CASE WHEN newer IS NOT NULL AND older IS NOT NULL THEN [1] ELSE [] END |
  CREATE (newer)-[:SUPERSEDES {from: $now, to: $never}]->(older))
FOREACH (x IN CASE WHEN newer IS NULL AND older IS NOT NULL THEN [1] ELSE [] END |
  SET older.was_status = (coalesce(older.was_status, []) + older.status)[-1000..],
    older.was_until = (coalesce(older.was_until, []) + $now)[-1000..],
    older.status = coalesce(older.status_before, 'active'),
    older.current = coalesce(older.status_before, 'active') <> 'reverted', older.superseded_at = $never,
    older.updated_at = $now, older.version = older.version + 1)
WITH d, older, newer, coalesce(newer, older) AS heir
CALL (d, heir) {
  MATCH (other:Decision)-[:DEPENDS_ON]->(d)
  WHERE heir IS NOT NULL AND other <> heir
  MERGE (other)-[r:DEPENDS_ON]->(heir)
  ON CREATE SET r.from = $now, r.to = $never
}
WITH d AS gone, d {.id, .agent_id, .session_id, .project_id, .version} AS d,
  older {.id, .agent_id, .session_id, .project_id, .version} AS older, newer.id AS newer
DETACH DELETE gone
""" + TOLD + ", older, newer"  # fmt: skip
CHAIN = (
    """
CYPHER 25
MATCH (start:Decision {tenant: $tenant, id: $id})
CALL (start) {
  MATCH way = (start)-[:SUPERSEDES]->{0,1000}(d:Decision)
  RETURN d, -length(way) AS place
 UNION
  MATCH way = (start)<-[:SUPERSEDES]-{1,1000}(d:Decision)
  RETURN d, length(way) AS place
}
WITH d, place
"""
    + SHOWN
    + ", place ORDER BY place"
)


# What of it the wire shows and an edit may change; the rest follows from these.
FIELDS = frozenset(("title", "rationale", "alternatives", "status", "tags", "metadata"))


class DecisionRepository(Slotted):
    """Decisions of one tenant. `metadata` is JSON text; times are epoch milliseconds; `slot` as for memories."""

    kind = "Decision"

    def create(self, props: Row, embedding: Any, supersedes: str | None = None) -> None:
        """Write a decision and its links to agent, project and session, which `props` names by id ("" for none).

        Announced as taking the place of the decision `supersedes`, where it does.
        """
        self.check_slot()
        told = [happened("decision.created", props, supersedes=supersedes)]
        self.telling(labels.in_slot(CREATE, self.slot), lambda _: told, props=props, embedding=embedding)

    def get(self, id: str) -> Row:
        """Return one decision.

        Raises:
            NotFound: no such decision.
        """
        return self.one(GET, id=id)

    def get_many(self, ids: Sequence[str]) -> dict[str, Row]:
        """Return decisions by id; those that are gone are left out."""
        return {row["id"]: row for row in self.read(GET_MANY, ids=list(ids))}

    def list(self, before: int, before_id: str, offset: int, limit: int, filters: Row) -> Rows:
        """Return decisions, newest first; `filters` has every name of FILTER, None (tags: []) where it is no matter."""
        narrowest = _narrowest(filters)
        others = any(value for name, value in filters.items() if name not in (narrowest, "every_tag"))
        query = (FILTERED_LISTS if others else LISTS)[narrowest]
        return self.read(query, before=before, before_id=before_id, offset=offset, limit=limit, **filters)

    def count(self, filters: Row) -> int:
        """Return how many decisions pass the filters."""
        return int(self.read(COUNTS[_narrowest(filters)], before=NEVER, before_id="", **filters)[0]["total"])

    def lock(self, id: str) -> Row:
        """Lock a decision in the open transaction and return it.

        Raises:
            NotFound: no such decision.
        """
        return self.write_one(LOCKED, id=id)

    def update(self, id: str, changes: Row, embedding: Any = None) -> None:
        """Set properties, and the vector where one is given. All that is in `changes` is announced as changed."""
        self._only(self.telling(UPDATE, lambda rows: _updated(rows, changes), id=id, changes=changes, now=now_ms()))
        if embedding is not None:
            self.check_slot()
            self.write(labels.in_slot(SET_VECTOR, self.slot), id=id, embedding=embedding)

    def supersede(self, id: str, new_id: str) -> None:
        """Put `new_id` in the place of a decision that is locked."""
        self.telling(SUPERSEDE, each("decision.superseded"), id=id, new_id=new_id, now=now_ms(), never=NEVER)

    def delete(self, id: str) -> None:
        """Delete a decision and close its chain; its dependants go over to the decision that takes its place.

        Raises:
            NotFound: no such decision.
        """

        def work(tx: Transaction) -> None:
            mine = DecisionRepository(self.graph, self.caller, tx)
            mine.lock(id)
            mine.telling(DELETE, _deleted, id=id, now=now_ms(), never=NEVER)

        self.together(work)

    def chain(self, id: str) -> Rows:
        """Return the decisions that superseded one another, oldest first, this one among them.

        Raises:
            NotFound: no such decision.
        """
        rows = self.read(CHAIN, id=id)
        self._only(rows)
        return rows


def refuse_superseded(row: Row, what: str) -> None:
    """Refuse to do `what` to a decision that another has replaced.

    Raises:
        Conflict: it is superseded.
    """
    if row["status"] == "superseded":
        raise Conflict(f"This decision is superseded already; {what} {row['superseded_by']} instead")


def _updated(rows: Rows, changes: Row) -> list[Happened]:
    reverted = changes.get("status") == "reverted"
    fields = changes.keys() & (FIELDS - {"status"} if reverted else FIELDS)
    told = each("decision.reverted")(rows) if reverted else []
    return told + (each("decision.updated", *fields)(rows) if fields else [])


def _deleted(rows: Rows) -> list[Happened]:
    told = each("decision.deleted")(rows)
    for row in rows:
        if older := row["older"]:
            # It stands again as it did before, or the newer one has taken its place.
            field = "superseded_by" if row["newer"] else "status"
            told.append(happened("decision.updated", older, [field], superseded_by=row["newer"]))
    return told


def _narrowest(filters: Row) -> str:
    return next((name for name in LISTS if name and filters[name] is not None), "")

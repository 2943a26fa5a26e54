"""The audit trail: who wrote what and when, and on which days a key was used. Never any content."""

from collections.abc import Sequence

from graph.driver import Graph, Transaction
from graph.records import Row, Rows
from graph.repository import Repository

# The key is a property here and no relationship: every write of a tenant would hang on that one node.
RECORD = """
CYPHER 25
UNWIND $rows AS row
MERGE (a:AuditEntry {tenant: $tenant, id: row.id})
ON CREATE SET a += row
"""
SHOWN = """
RETURN a.id AS id, a.action AS action, a.method AS method, a.route AS route, a.noun_id AS noun_id,
  a.status AS status, a.key_id AS key_id, a.key_prefix AS key_prefix, a.request_id AS request_id,
  a.created_at AS created_at
"""
# CASE, because the planner makes two seeks and a sort of an OR.
AFTER = """
  AND a.created_at >= $since AND a.created_at <= $before
  AND CASE WHEN a.created_at < $before THEN true ELSE a.id < $before_id END
WITH a ORDER BY """
PAGE = " a.created_at DESC, a.id DESC SKIP $offset LIMIT $limit"
NEWEST = " ORDER BY created_at DESC, id DESC"
BETWEEN = " AND a.created_at >= $since AND a.created_at <= $until RETURN count(a) AS total"
# Four ways to choose, so that each walks an index in its order and stops at its limit.
EVERY = "CYPHER 25 MATCH (a:AuditEntry {tenant: $tenant}) WHERE a.created_at > 0"
OF_KEY = "CYPHER 25 MATCH (a:AuditEntry {tenant: $tenant, key_id: $key_id}) WHERE a.created_at > 0"
OF_ACTION = "CYPHER 25 MATCH (a:AuditEntry {tenant: $tenant, action: $action}) WHERE a.created_at > 0"
OF_BOTH = "CYPHER 25 MATCH (a:AuditEntry {tenant: $tenant, key_id: $key_id, action: $action}) WHERE a.created_at > 0"
# The order names every column of the index, the constant ones too: only then it is the index's own.
LIST_EVERY = EVERY + AFTER + "a.tenant DESC," + PAGE + SHOWN + NEWEST
LIST_OF_KEY = OF_KEY + AFTER + "a.tenant DESC, a.key_id DESC," + PAGE + SHOWN + NEWEST
LIST_OF_ACTION = OF_ACTION + AFTER + "a.tenant DESC, a.action DESC," + PAGE + SHOWN + NEWEST
LIST_OF_BOTH = OF_BOTH + AFTER + "a.tenant DESC, a.key_id DESC, a.action DESC," + PAGE + SHOWN + NEWEST
COUNT_EVERY = EVERY + BETWEEN
COUNT_OF_KEY = OF_KEY + BETWEEN
COUNT_OF_ACTION = OF_ACTION + BETWEEN
COUNT_OF_BOTH = OF_BOTH + BETWEEN
# Old entries of every tenant; the index is on the time alone.
FORGET = """
CYPHER 25
MATCH (a:AuditEntry) WHERE a.created_at < $before
WITH a LIMIT $limit
DETACH DELETE a
RETURN count(*) AS gone
"""

# (by key, by action) -> the list, its count
CHOICES = {
    (False, False): (LIST_EVERY, COUNT_EVERY),
    (True, False): (LIST_OF_KEY, COUNT_OF_KEY),
    (False, True): (LIST_OF_ACTION, COUNT_OF_ACTION),
    (True, True): (LIST_OF_BOTH, COUNT_OF_BOTH),
}


class AuditRepository(Repository):
    """The audit trail of one tenant; times are epoch milliseconds."""

    kind = "Audit entry"

    def list(
        self, before: int, before_id: str, offset: int, limit: int, since: int, key_id: str | None, action: str | None
    ) -> Rows:
        """Return entries since a time, newest first, of one key or action where named, after the sort key."""
        query = CHOICES[key_id is not None, action is not None][0]
        return self.read(
            query,
            before=before,
            before_id=before_id,
            offset=offset,
            limit=limit,
            since=since,
            key_id=key_id,
            action=action,
        )

    def count(self, since: int, until: int, key_id: str | None, action: str | None) -> int:
        """Return how many entries lie between two times, of one key or action where named."""
        query = CHOICES[key_id is not None, action is not None][1]
        return int(self.read(query, since=since, until=until, key_id=key_id, action=action)[0]["total"])


def record(graph: Graph, entries: Sequence[Row]) -> None:
    """Write entries of any tenants in one transaction; an id that is there already is left as it is."""
    by_tenant: dict[str, Rows] = {}
    for entry in sorted(entries, key=lambda row: str(row["id"])):
        by_tenant.setdefault(entry["tenant"], []).append(entry)

    def work(tx: Transaction) -> None:
        for tenant in sorted(by_tenant):
            tx.run(RECORD, tenant=tenant, rows=by_tenant[tenant])

    graph.transaction(work)


def forget_entries(graph: Graph, before: int, limit: int) -> int:
    """Delete up to `limit` entries older than a time, of every tenant; return how many went."""
    return int(graph.write(FORGET, before=before, limit=limit)[0]["gone"])

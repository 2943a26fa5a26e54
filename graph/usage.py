"""Usage: how often a key called a route on a day, and how many memories a tenant holds."""

from collections.abc import Mapping, Sequence

from graph.clock import now_ms
from graph.driver import Graph, Transaction
from graph.labels import NEVER
from graph.records import Row, Rows
from graph.repository import Repository

# The first SET takes the lock before the sums are read: two processes add to the same node. Days that were written by
# an earlier release have no `kept_out`.
ADD = """
CYPHER 25
UNWIND $rows AS row
MERGE (u:UsageDay {tenant: $tenant, key: row.key})
ON CREATE SET u.id = row.id, u.name = row.name, u.day = row.day, u.key_id = row.key_id, u.route = row.route,
  u.requests = 0, u.client_errors = 0, u.server_errors = 0, u.kept_out = 0, u.ms = 0.0, u.created_at = $now,
  u.version = 1
SET u.updated_at = $now
WITH u, row
CALL (u, row) {
  MATCH (k:ApiKey {id: row.key_id}) WHERE u.requests = 0
  MERGE (u)-[r:BY]->(k) ON CREATE SET r.from = $now, r.to = $never
}
SET u.requests = u.requests + row.requests, u.client_errors = u.client_errors + row.client_errors,
  u.server_errors = u.server_errors + row.server_errors, u.kept_out = coalesce(u.kept_out, 0) + row.kept_out,
  u.ms = u.ms + row.ms, u.tokens = coalesce(u.tokens, 0) + coalesce(row.tokens, 0)
"""
KEYS_USED = """
CYPHER 25
UNWIND $uses AS use
MATCH (k:ApiKey {id: use.id})
WHERE coalesce(k.last_used_at, 0) < use.at
SET k.last_used_at = use.at
"""
CHOSEN = """
CYPHER 25
MATCH (u:UsageDay {tenant: $tenant})
WHERE u.day >= $first AND u.day <= $last AND ($key_id IS NULL OR u.key_id = $key_id)
  AND ($route IS NULL OR u.route = $route)
"""
REPORT = (
    CHOSEN
    + """
OPTIONAL MATCH (u)-[:BY]->(k:ApiKey)
WITH CASE WHEN 'day' IN $group_by THEN u.day END AS day, CASE WHEN 'key' IN $group_by THEN u.key_id END AS key_id,
  CASE WHEN 'key' IN $group_by THEN k.key_prefix END AS key_prefix,
  CASE WHEN 'key' IN $group_by THEN k.name END AS key_name,
  CASE WHEN 'route' IN $group_by THEN u.route END AS route,
  sum(u.requests) AS requests, sum(u.client_errors) AS client_errors, sum(u.server_errors) AS server_errors,
  sum(u.kept_out) AS kept_out, sum(u.ms) AS ms, sum(u.tokens) AS tokens
RETURN day, key_id, key_prefix, key_name, route, requests, client_errors, server_errors, kept_out, ms, tokens
ORDER BY day DESC, requests DESC, key_id, route LIMIT $limit
"""
)
TOTAL = (
    CHOSEN
    + """
RETURN sum(u.requests) AS requests, sum(u.client_errors) AS client_errors, sum(u.server_errors) AS server_errors,
  sum(u.ms) AS ms, sum(u.tokens) AS tokens
"""
)
CALLS = """
CYPHER 25
MATCH (u:UsageDay {tenant: $tenant}) WHERE u.day >= '' AND u.route IN $routes
RETURN u.route AS route, sum(u.requests - u.client_errors - u.server_errors) AS done, max(u.updated_at) AS last_at
"""
MEMORIES = "CYPHER 25 MATCH (m:Memory {tenant: $tenant}) WHERE m.created_at > 0 RETURN count(m) AS total"
# Old days of every tenant; the index is on the day alone. What they counted is added up by route, on no day: some APIs
# tell how often they were ever called.
FORGET = """
CYPHER 25
MATCH (u:UsageDay) WHERE u.day > '' AND u.day < $before
WITH u LIMIT $limit
MERGE (sum:UsageDay {tenant: u.tenant, key: 'before|' + u.route})
ON CREATE SET sum.id = randomUUID(), sum.name = u.route + ' before', sum.day = '', sum.key_id = '',
  sum.route = u.route, sum.requests = 0, sum.client_errors = 0, sum.server_errors = 0, sum.ms = 0.0,
  sum.created_at = u.created_at, sum.updated_at = u.updated_at, sum.version = 1
SET sum.requests = sum.requests + u.requests, sum.client_errors = sum.client_errors + u.client_errors,
  sum.server_errors = sum.server_errors + u.server_errors, sum.ms = sum.ms + u.ms,
  sum.updated_at = CASE WHEN u.updated_at > sum.updated_at THEN u.updated_at ELSE sum.updated_at END
DETACH DELETE u
RETURN count(*) AS gone
"""


class UsageRepository(Repository):
    """Usage of one tenant. Days are UTC, as YYYY-MM-DD."""

    kind = "Usage"

    def add(self, rows: Rows) -> None:
        """Add counts to their days. Rows carry what ADD names, `key` unique among them."""
        # In one order everywhere, so that two processes never wait for each other.
        ordered = sorted(rows, key=lambda row: str(row["key"]))
        self.write(ADD, rows=ordered, now=now_ms(), never=NEVER)

    def report(self, group_by: Sequence[str], limit: int, **chosen: str | None) -> Rows:
        """Return sums by any of day, key and route; `chosen` has first, last, key_id and route (None: any)."""
        return self.read(REPORT, group_by=list(group_by), limit=limit, **chosen)

    def total(self, **chosen: str | None) -> Row:
        """Return the sums over everything chosen."""
        return self.read(TOTAL, **chosen)[0]

    def calls(self, routes: Sequence[str]) -> dict[str, Row]:
        """Return `{done, last_at}` by route, for those that were called: calls of all keys that were neither refused
        nor failed, and when (epoch ms) the last call was written down."""
        return {row["route"]: row for row in self.read(CALLS, routes=list(routes))}

    def memories(self) -> int:
        """Return how many memories the tenant holds."""
        return int(self.read(MEMORIES)[0]["total"])


class Owner:
    """The tenant on whose behalf a background write is made."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant


def add_all(graph: Graph, rows: Mapping[str, Rows], uses: Mapping[str, int]) -> None:
    """Add counts by tenant, and when keys were last used (epoch ms by key id), in one transaction."""
    used = [{"id": id, "at": uses[id]} for id in sorted(uses)]

    def work(tx: Transaction) -> None:
        for tenant in sorted(rows):
            UsageRepository(graph, Owner(tenant), tx).add(rows[tenant])
        if used:
            tx.run(KEYS_USED, uses=used)

    graph.transaction(work)


def forget_usage(graph: Graph, before: str, limit: int) -> int:
    """Delete up to `limit` usage days before a day, of every tenant, and keep their sums by route; return how many."""
    return int(graph.write(FORGET, before=before, limit=limit)[0]["gone"])

"""Counts over a tenant's memories: index entries and degrees, and where that must be, every memory once."""

from graph.clock import now_ms
from graph.labels import NEVER
from graph.records import Row, Rows
from graph.repository import Repository

# Each count reads one index with an equality on its prefix; agents and projects are counted by degree.
STATS = """
CYPHER 25
CALL () {
  MATCH (m:Memory {tenant: $tenant}) WHERE m.created_at > 0
  RETURN count(m) AS total, min(m.created_at) AS oldest_at, max(m.created_at) AS newest_at
}
CALL () {
  MATCH (m:Memory {tenant: $tenant, archived: true}) WHERE m.created_at > 0
  RETURN count(m) AS archived
}
CALL () {
  UNWIND $tiers AS tier
  CALL (tier) { MATCH (m:Memory {tenant: $tenant, tier: tier}) WHERE m.created_at > 0 RETURN count(m) AS n }
  RETURN collect([tier, n]) AS by_tier
}
CALL () {
  UNWIND $types AS type
  CALL (type) { MATCH (m:Memory {tenant: $tenant, memory_type: type}) WHERE m.created_at > 0 RETURN count(m) AS n }
  RETURN collect([type, n]) AS by_type
}
CALL () {
  UNWIND $methods AS method
  CALL (method) {
    MATCH (m:Memory {tenant: $tenant, extraction_method: method}) WHERE m.created_at > 0 RETURN count(m) AS n
  }
  RETURN collect([method, n]) AS by_method
}
CALL () {
  MATCH (a:Agent {tenant: $tenant}) WHERE a.created_at > 0
  WITH a, COUNT { (a)<-[:RECORDED_BY]-() } AS n WHERE n > 0
  ORDER BY n DESC, a.name LIMIT $most
  RETURN collect({id: a.id, name: a.name, count: n}) AS by_agent
}
CALL () {
  MATCH (p:Project {tenant: $tenant}) WHERE p.created_at > 0
  WITH p, COUNT { (p)<-[:IN_PROJECT]-(:Memory) } AS n WHERE n > 0
  ORDER BY n DESC, p.slug LIMIT $most
  RETURN collect({id: p.id, slug: p.slug, name: p.name, count: n}) AS by_project
}
RETURN total, oldest_at, newest_at, archived, by_tier, by_type, by_method, by_agent, by_project
"""
# A time series would need the same index; days come from the range of one seek.
SINCE = "CYPHER 25 MATCH (m:Memory {tenant: $tenant}) WHERE m.created_at >= $since RETURN count(m) AS total"
# What is gone for readers and not yet deleted is counted apart. Without an index on the expiry inside a tenant each
# memory is looked at once.
ENDS = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant}) WHERE m.created_at >= 0
RETURN count(m) AS total, count(CASE WHEN m.expires_at >= $never THEN 1 END) AS permanent,
  count(CASE WHEN m.expires_at <= $now THEN 1 END) AS expired, min(m.created_at) AS oldest_at,
  max(m.created_at) AS newest_at
"""
# Lengths are counted by whoever reads the texts: here they may be ciphertext.
CONTENTS = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant}) WHERE m.id > $after
WITH m ORDER BY m.tenant, m.id LIMIT $limit
RETURN m.id AS id, m.content AS content ORDER BY id
"""

DAY_MS = 86_400_000


class MemoryStatsRepository(Repository):
    """Counts of one tenant's memories."""

    kind = "Memory"

    def stats(self, tiers: list[str], types: list[str], methods: list[str], most: int) -> Row:
        """Return the counts, `most` agents and projects at most, those with most memories first."""
        row = self.read(STATS, tiers=tiers, types=types, methods=methods, most=most)[0]
        now = now_ms()
        for days in (1, 7, 30):
            row[f"last_{days}_days"] = int(self.read(SINCE, since=now - days * DAY_MS)[0]["total"])
        return row

    def ends(self) -> Row:
        """Return `{total, permanent, expired, oldest_at, newest_at}`; expired ones are those still to be purged."""
        return self.read(ENDS, never=NEVER, now=now_ms())[0]

    def contents(self, after: str, limit: int) -> Rows:
        """Return `{id, content}` of up to `limit` memories in the order of their ids, from behind `after` on."""
        return self.read(CONTENTS, after=after, limit=limit)

"""Counts over a tenant's memories: index entries and degrees, no memory is read."""

from graph.clock import now_ms
from graph.records import Row
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

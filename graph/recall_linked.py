"""What is tied to memories that were found: decisions in force that rest on them, patterns that their projects use."""

from collections.abc import Sequence

from graph.decision_moments import STOOD
from graph.records import Row
from graph.repository import Repository

DECISIONS = """
CYPHER 25
UNWIND $ids AS id
MATCH (m:Memory {tenant: $tenant, id: id})
CALL (m) { MATCH (m)<-[:BASED_ON]-(d:Decision {tenant: $tenant}) WHERE d.status = 'active' RETURN d LIMIT $limit }
WITH d, collect(id) AS memory_ids
RETURN d.id AS id, d.title AS title, d.rationale AS rationale, memory_ids
ORDER BY size(memory_ids) DESC, d.created_at DESC, d.id LIMIT $limit
"""
DECISIONS_THEN = (
    """
CYPHER 25
UNWIND $ids AS id
MATCH (m:Memory {tenant: $tenant, id: id})
CALL (m) {
  MATCH (m)<-[r:BASED_ON]-(d:Decision {tenant: $tenant})
  WHERE r.from <= $as_of AND d.created_at <= $as_of AND 'active' =
"""
    + STOOD
    + """
  RETURN d LIMIT $limit
}
WITH d, collect(id) AS memory_ids
RETURN d.id AS id, d.title AS title, d.rationale AS rationale, memory_ids
ORDER BY size(memory_ids) DESC, d.created_at DESC, d.id LIMIT $limit
"""
)
PATTERNS = """
CYPHER 25
UNWIND $ids AS id
MATCH (m:Memory {tenant: $tenant, id: id})-[:IN_PROJECT]->(p:Project)
WITH p, collect(id) AS memory_ids
CALL (p) {
  MATCH (p)-[r:ADOPTED]->(x:Pattern {tenant: $tenant}) WHERE $as_of IS NULL OR r.at <= $as_of
  RETURN x LIMIT $limit
}
WITH x, collect(memory_ids) AS found
RETURN x.id AS id, x.title AS title, reduce(all = [], part IN found | all + part) AS memory_ids
ORDER BY size(memory_ids) DESC, x.id LIMIT $limit
"""
MOST = 10


class RecallLinkRepository(Repository):
    """Reads around the hits of one tenant."""

    kind = "Memory"

    def linked(self, ids: Sequence[str], as_of: int | None = None) -> Row:
        """Return `{decisions, patterns}`, those tied to most of the memories first, at most ten of each.

        With `as_of` (epoch ms) those that were in force and in use then. Decisions are
        `{id, title, rationale, memory_ids}`, patterns `{id, title, memory_ids}`.
        """
        given = {"ids": list(ids), "as_of": as_of, "limit": MOST}
        decisions = DECISIONS if as_of is None else DECISIONS_THEN
        return {"decisions": self.read(decisions, **given), "patterns": self.read(PATTERNS, **given)}

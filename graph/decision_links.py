"""What a decision rests on, what it depends on and what it is about. Every link is a relationship with its period."""

from collections.abc import Sequence

from graph.clock import now_ms
from graph.decisions import LOCK, SHOWN
from graph.driver import Transaction
from graph.entities import RESOLVED, TOLD
from graph.errors import NotFound
from graph.labels import NEVER, scope_token
from graph.memories import SHOWN as MEMORY_SHOWN
from graph.outbox import each
from graph.records import Ids, Row, Rows
from graph.repository import Repository

TAKE = LOCK + "RETURN d.id AS id"
BASE = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (d:Decision {tenant: $tenant, id: $id})
MATCH (m:Memory {tenant: $tenant, id: wanted}) WHERE m.current AND m.expires_at > $now
WITH d, m, EXISTS { (d)-[:BASED_ON]->(m) } AS known
MERGE (d)-[r:BASED_ON]->(m)
ON CREATE SET r.from = $now, r.to = $never
RETURN m.id AS id, known
"""
UNBASE = """
CYPHER 25
MATCH (d:Decision {tenant: $tenant, id: $id})-[r:BASED_ON]->(m:Memory {tenant: $tenant, id: $other})
DELETE r
RETURN m.id AS id
"""
GROUNDS = """
CYPHER 25
MATCH (d:Decision {tenant: $tenant, id: $id})-[:BASED_ON]->(m:Memory)
WHERE m.created_at <= $before AND (m.created_at < $before OR m.seq < $before_seq) AND m.current AND m.expires_at > $now
"""
MEMORIES = (
    GROUNDS
    + "WITH m ORDER BY m.created_at DESC, m.seq DESC SKIP $offset LIMIT $limit"
    + MEMORY_SHOWN
    + " ORDER BY created_at DESC, seq DESC"
)
COUNT_MEMORIES = GROUNDS + "RETURN count(m) AS total"
DEPEND = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (d:Decision {tenant: $tenant, id: $id})
MATCH (o:Decision {tenant: $tenant, id: wanted})
WITH d, o, EXISTS { (d)-[:DEPENDS_ON]->(o) } AS known
MERGE (d)-[r:DEPENDS_ON]->(o)
ON CREATE SET r.from = $now, r.to = $never
RETURN o.id AS id, known
"""
INDEPENDENT = """
CYPHER 25
MATCH (d:Decision {tenant: $tenant, id: $id})-[r:DEPENDS_ON]->(o:Decision {tenant: $tenant, id: $other})
DELETE r
RETURN o.id AS id
"""
PAGE = """
WHERE d.created_at <= $before AND (d.created_at < $before OR d.id < $before_id)
WITH d ORDER BY d.created_at DESC, d.id DESC SKIP $offset LIMIT $limit
"""
NEWEST_FIRST = " ORDER BY created_at DESC, id DESC"
MATCH_DEPENDENCIES = (
    "CYPHER 25 MATCH (from:Decision {tenant: $tenant, id: $id})-[:DEPENDS_ON]->(d:Decision {tenant: $tenant})"
)
MATCH_DEPENDENTS = (
    "CYPHER 25 MATCH (from:Decision {tenant: $tenant, id: $id})<-[:DEPENDS_ON]-(d:Decision {tenant: $tenant})"
)
DEPENDENCIES = MATCH_DEPENDENCIES + PAGE + SHOWN + NEWEST_FIRST
DEPENDENTS = MATCH_DEPENDENTS + PAGE + SHOWN + NEWEST_FIRST
COUNT_DEPENDENCIES = MATCH_DEPENDENCIES + " RETURN count(d) AS total"
COUNT_DEPENDENTS = MATCH_DEPENDENTS + " RETURN count(d) AS total"
FORGET_SUBJECTS = "CYPHER 25 MATCH (d:Decision {tenant: $tenant, id: $id})-[r:ABOUT]->() DELETE r"
ABOUT = (
    RESOLVED
    + """
MATCH (d:Decision {tenant: $tenant, id: $id})
MERGE (d)-[r:ABOUT]->(entity)
ON CREATE SET r.confidence = row.confidence, r.source = row.source, r.from = $now, r.to = $never
"""
    + TOLD
)


class DecisionLinkRepository(Repository):
    """Links of decisions in one tenant."""

    kind = "Decision"

    def base(self, id: str, memory_ids: Sequence[str]) -> int:
        """Say that a decision rests on memories; return how many of these links are new.

        Raises:
            NotFound: the decision or one of the memories is unknown; then no link is made.
        """
        return self._link(BASE, id, memory_ids, "Memory")

    def depend(self, id: str, decision_ids: Sequence[str]) -> int:
        """Say that a decision depends on others; return how many of these links are new.

        Raises:
            NotFound: one of the decisions is unknown; then no link is made.
        """
        return self._link(DEPEND, id, decision_ids, "Decision")

    def unbase(self, id: str, memory_id: str) -> None:
        """Take a memory away from what a decision rests on.

        Raises:
            NotFound: there is no such link.
        """
        self._unlink(UNBASE, id, memory_id)

    def independent(self, id: str, decision_id: str) -> None:
        """Take back that a decision depends on another.

        Raises:
            NotFound: there is no such link.
        """
        self._unlink(INDEPENDENT, id, decision_id)

    def memories(self, id: str, before: int, before_seq: int, offset: int, limit: int) -> Rows:
        """Return the memories a decision rests on, newest first."""
        return self.read(
            MEMORIES, id=id, before=before, before_seq=before_seq, offset=offset, limit=limit, now=now_ms()
        )

    def count_memories(self, id: str) -> int:
        """Return how many memories a decision rests on."""
        return int(self.read(COUNT_MEMORIES, id=id, before=NEVER, before_seq=0, now=now_ms())[0]["total"])

    def dependencies(self, id: str, before: int, before_id: str, offset: int, limit: int) -> Rows:
        """Return what a decision depends on, newest first."""
        return self.read(DEPENDENCIES, id=id, before=before, before_id=before_id, offset=offset, limit=limit)

    def dependents(self, id: str, before: int, before_id: str, offset: int, limit: int) -> Rows:
        """Return what depends on a decision, newest first."""
        return self.read(DEPENDENTS, id=id, before=before, before_id=before_id, offset=offset, limit=limit)

    def count_dependencies(self, id: str) -> int:
        """Return how many decisions a decision depends on."""
        return int(self.read(COUNT_DEPENDENCIES, id=id)[0]["total"])

    def count_dependents(self, id: str) -> int:
        """Return how many decisions depend on a decision."""
        return int(self.read(COUNT_DEPENDENTS, id=id)[0]["total"])

    def about(self, id: str, rows: Sequence[Row]) -> None:
        """Link a decision to the entities it names, in place of those it named before; new ones are created.

        Each row is `{key, name, padded, entity_type, noise, entity_id, confidence, source}`, see `EntityRepository`.
        """
        self.write(FORGET_SUBJECTS, id=id)
        ordered = sorted(rows, key=lambda row: row["key"])
        tokens = scope_token("tenant", self.tenant)
        given = {"rows": ordered, "scope_tokens": tokens, "now": now_ms(), "never": NEVER}
        self.telling(ABOUT, each("entity.created"), id=id, **given)

    def _link(self, query: str, id: str, others: Sequence[str], kind: str) -> int:
        wanted: Ids = sorted(set(others))

        def work(tx: Transaction) -> int:
            mine = DecisionLinkRepository(self.graph, self.caller, tx)
            mine.write_one(TAKE, id=id)
            rows = mine.write(query, id=id, ids=wanted, now=now_ms(), never=NEVER)
            if len(rows) < len(wanted):
                raise NotFound(kind)
            return sum(not row["known"] for row in rows)

        return self.together(work)

    def _unlink(self, query: str, id: str, other: str) -> None:
        def work(tx: Transaction) -> None:
            mine = DecisionLinkRepository(self.graph, self.caller, tx)
            mine.write_one(TAKE, id=id)
            if not mine.write(query, id=id, other=other):
                raise NotFound("Link")

        self.together(work)

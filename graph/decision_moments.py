"""Decisions as they stood at a past moment (`as_of`, epoch ms): the status and the links of then, the texts of today.

No earlier texts of a decision are kept. Its earlier statuses are, in `was_status`, each with the end of its time in
`was_until`; one whose status never changed since those are kept has neither.
"""

from graph.decisions import NEWEST_FIRST, DecisionRepository
from graph.driver import Graph, Transaction
from graph.labels import NEVER
from graph.records import Row, Rows
from graph.repository import Repository, Tenanted

# The first status that ended after the moment, else that of today.
STOOD = """
coalesce(head([at IN range(0, coalesce(size(d.was_until), 0) - 1) WHERE d.was_until[at] > $as_of | d.was_status[at]]),
  CASE WHEN d.status = 'superseded' AND d.superseded_at > $as_of THEN d.status_before END, d.status)
"""
SHOWN_THEN = (
    """
RETURN d.id AS id, d.title AS title, d.rationale AS rationale, d.alternatives AS alternatives,
"""
    + STOOD
    + """
  AS status, d.tags AS tags, d.metadata AS metadata, d.created_at AS created_at, d.updated_at AS updated_at,
  d.version AS version,
  head(COLLECT { MATCH (d)-[:MADE_BY]->(a:Agent) RETURN a.id LIMIT 1 }) AS agent_id,
  head(COLLECT { MATCH (d)-[:MADE_IN]->(s:Session) RETURN s.id LIMIT 1 }) AS session_id,
  head(COLLECT { MATCH (d)-[:IN_PROJECT]->(p:Project) RETURN p.slug LIMIT 1 }) AS project_slug,
  CASE WHEN 'superseded' =
"""
    + STOOD
    + """
    THEN head(COLLECT { MATCH (d)<-[r:SUPERSEDES]-(newer:Decision) WHERE r.from <= $as_of AND r.to > $as_of
      RETURN newer.id LIMIT 1 }) END AS superseded_by,
  head(COLLECT { MATCH (d)-[r:SUPERSEDES]->(older:Decision) WHERE r.from <= $as_of AND r.to > $as_of
    RETURN older.id LIMIT 1 }) AS supersedes,
  COUNT { (d)-[r:BASED_ON]->() WHERE r.from <= $as_of } AS memory_count,
  COUNT { (d)-[r:DEPENDS_ON]->() WHERE r.from <= $as_of } AS dependency_count,
  COUNT { (d)<-[r:DEPENDS_ON]-() WHERE r.from <= $as_of } AS dependent_count
"""
)
GET = "CYPHER 25 MATCH (d:Decision {tenant: $tenant, id: $id}) WHERE d.created_at <= $as_of" + SHOWN_THEN
PASSING = (
    """
WHERE d.created_at <= $before AND CASE WHEN d.created_at < $before THEN true ELSE d.id < $before_id END
  AND d.created_at <= $as_of
  AND ($session_id IS NULL OR d.session_id = $session_id) AND ($agent_id IS NULL OR d.agent_id = $agent_id)
  AND ($project_id IS NULL OR d.project_id = $project_id)
  AND (size($tags) = 0 OR CASE WHEN $every_tag THEN all(t IN $tags WHERE t IN d.tag_keys)
    ELSE any(t IN $tags WHERE t IN d.tag_keys) END)
  AND ($status IS NULL OR $status =
"""
    + STOOD
    + ")"
)
OF_ALL = "CYPHER 25 MATCH (d:Decision {tenant: $tenant})" + PASSING
OF_SESSION = "CYPHER 25 MATCH (d:Decision {tenant: $tenant, session_id: $session_id})" + PASSING
OF_PROJECT = "CYPHER 25 MATCH (d:Decision {tenant: $tenant, project_id: $project_id})" + PASSING
OF_AGENT = "CYPHER 25 MATCH (d:Decision {tenant: $tenant, agent_id: $agent_id})" + PASSING
PAGE = " d.created_at DESC, d.id DESC SKIP $offset LIMIT $limit" + SHOWN_THEN + NEWEST_FIRST
# Narrowest first. No index has the status of then.
LISTS = {
    "session_id": OF_SESSION + " WITH d ORDER BY d.tenant DESC, d.session_id DESC," + PAGE,
    "project_id": OF_PROJECT + " WITH d ORDER BY d.tenant DESC, d.project_id DESC," + PAGE,
    "agent_id": OF_AGENT + " WITH d ORDER BY d.tenant DESC, d.agent_id DESC," + PAGE,
    "": OF_ALL + " WITH d ORDER BY d.tenant DESC," + PAGE,
}
COUNTED = " RETURN count(d) AS total"
COUNTS = {
    "session_id": OF_SESSION + COUNTED,
    "project_id": OF_PROJECT + COUNTED,
    "agent_id": OF_AGENT + COUNTED,
    "": OF_ALL + COUNTED,
}


class DecisionMomentRepository(Repository):
    """Decisions of one tenant at `as_of`, in rows like those of `DecisionRepository`; `filters` are as there."""

    kind = DecisionRepository.kind

    def __init__(self, graph: Graph, caller: Tenanted, as_of: int, tx: Transaction | None = None) -> None:
        super().__init__(graph, caller, tx)
        self.as_of = as_of

    def get(self, id: str) -> Row:
        """Return one decision.

        Raises:
            NotFound: it was recorded later, or is gone.
        """
        return self.one(GET, id=id, as_of=self.as_of)

    def list(self, before: int, before_id: str, offset: int, limit: int, filters: Row) -> Rows:
        """Return decisions, newest first; the status asked for is that of then."""
        page = {"before": before, "before_id": before_id, "offset": offset, "limit": limit}
        return self.read(LISTS[_narrowest(filters)], as_of=self.as_of, **page, **filters)

    def count(self, filters: Row) -> int:
        """Return how many decisions pass the filters."""
        given = {"before": NEVER, "before_id": "", "as_of": self.as_of, **filters}
        return int(self.read(COUNTS[_narrowest(filters)], **given)[0]["total"])


def _narrowest(filters: Row) -> str:
    return next((name for name in LISTS if name and filters[name] is not None), "")

"""What stands around the memories of a context: decisions in force that rest on them, and their sessions' titles."""

from collections.abc import Sequence

from graph.clock import now_ms
from graph.decision_moments import STOOD
from graph.moments import STATE
from graph.records import Row
from graph.repository import Repository

# Every arm is bounded: decisions of one memory, memories that a decision cites. What a search would not show is not
# cited either.
AROUND = """
CYPHER 25
CALL () {
  CALL () {
    UNWIND $decision_ids AS wanted
    MATCH (d:Decision {tenant: $tenant, id: wanted})
    RETURN d
   UNION
    UNWIND $memory_ids AS wanted
    MATCH (m:Memory {tenant: $tenant, id: wanted})
    CALL (m) { MATCH (m)<-[:BASED_ON]-(d:Decision {tenant: $tenant}) RETURN d LIMIT $limit }
    RETURN d
  }
  WITH d WHERE d.status = 'active' AND ($project_id IS NULL OR d.project_id = $project_id)
    AND ($agent_id IS NULL OR d.agent_id = $agent_id)
  RETURN collect({id: d.id, title: d.title, rationale: d.rationale, created_at: d.created_at, memory_ids: COLLECT {
    MATCH (d)-[:BASED_ON]->(m:Memory)
    WHERE m.current AND m.expires_at > $now AND m.visibility = 'private' AND NOT m.archived
      AND ($agent_id IS NULL OR m.agent_id = $agent_id) AND ($project_id IS NULL OR m.project_id = $project_id)
    RETURN m.id ORDER BY m.created_at DESC, m.id LIMIT $limit
  }}) AS decisions
}
CALL () {
  UNWIND $session_ids AS wanted
  MATCH (s:Session {tenant: $tenant, id: wanted})
  RETURN collect({id: s.id, title: s.title}) AS sessions
}
RETURN decisions, sessions
"""
# The same as at `as_of`: by what decisions and memories were, and by the links of then.
AROUND_THEN = (
    """
CYPHER 25
CALL () {
  CALL () {
    UNWIND $decision_ids AS wanted
    MATCH (d:Decision {tenant: $tenant, id: wanted})
    RETURN d
   UNION
    UNWIND $memory_ids AS wanted
    MATCH (m:Memory {tenant: $tenant, id: wanted})
    CALL (m) {
      MATCH (m)<-[r:BASED_ON]-(d:Decision {tenant: $tenant}) WHERE r.from <= $as_of
      RETURN d LIMIT $limit
    }
    RETURN d
  }
  WITH d WHERE d.created_at <= $as_of AND ($project_id IS NULL OR d.project_id = $project_id)
    AND ($agent_id IS NULL OR d.agent_id = $agent_id) AND 'active' =
"""
    + STOOD
    + """
  RETURN collect({id: d.id, title: d.title, rationale: d.rationale, created_at: d.created_at, memory_ids: COLLECT {
    MATCH (d)-[r:BASED_ON]->(m:Memory)
    WHERE r.from <= $as_of AND m.created_at <= $as_of AND m.superseded_at > $as_of AND m.expires_at > $now
      AND m.visibility = 'private'
      AND ($agent_id IS NULL OR m.agent_id = $agent_id) AND ($project_id IS NULL OR m.project_id = $project_id)
"""
    + STATE
    + """
    WITH m, s WHERE NOT s.archived
    RETURN m.id ORDER BY m.created_at DESC, m.id LIMIT $limit
  }}) AS decisions
}
CALL () {
  UNWIND $session_ids AS wanted
  MATCH (s:Session {tenant: $tenant, id: wanted})
  RETURN collect({id: s.id, title: s.title}) AS sessions
}
RETURN decisions, sessions
"""
)

MOST = 20


class ContextRepository(Repository):
    """Reads around the memories of one tenant."""

    def around(
        self,
        memory_ids: Sequence[str],
        decision_ids: Sequence[str],
        session_ids: Sequence[str],
        project_id: str | None = None,
        agent_id: str | None = None,
        as_of: int | None = None,
    ) -> Row:
        """Return `{decisions, sessions}`, unordered; with `as_of` (epoch ms) the decisions are those of that moment.

        `decisions` are those among `decision_ids`, and those that rest on one of `memory_ids`, that are active and of
        the project and agent asked for: `{id, title, rationale, created_at, memory_ids}`, times in milliseconds.
        `sessions` are `{id, title}`.
        """
        return self.read(
            AROUND if as_of is None else AROUND_THEN,
            memory_ids=list(memory_ids),
            decision_ids=list(decision_ids),
            session_ids=list(session_ids),
            project_id=project_id,
            agent_id=agent_id,
            as_of=as_of,
            now=now_ms(),
            limit=MOST,
        )[0]

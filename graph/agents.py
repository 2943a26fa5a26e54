"""Agents: named namespaces for memories inside a tenant. The plainest repository: copy its shape."""

from collections.abc import Callable, Sequence

from graph.clock import now_ms
from graph.errors import NotFound
from graph.outbox import each, happened
from graph.records import Row, Rows
from graph.repository import Repository

# Every answer shows the same fields; the counts are degrees and one look at an index, so they cost the same always.
SHOWN = """
CALL (a) {
  OPTIONAL MATCH (m:Memory {tenant: $tenant, agent_id: a.id}) WHERE m.created_at > 0
  RETURN m.created_at AS last_active_at ORDER BY m.tenant DESC, m.agent_id DESC, m.created_at DESC LIMIT 1
}
RETURN a.id AS id, a.name AS name, a.description AS description, a.metadata AS metadata,
  a.created_at AS created_at, a.updated_at AS updated_at, a.version AS version, last_active_at,
  COUNT { (a)<-[:RECORDED_BY]-() } AS memory_count, COUNT { (a)<-[:STARTED_BY]-() } AS session_count,
  COUNT { (a)-[:WORKS_ON]->() } AS project_count
"""
CREATE = (
    """
CYPHER 25
CREATE (a:Agent {tenant: $tenant, id: $id, name: $name, description: $description, metadata: $metadata,
  created_at: $now, updated_at: $now, version: 1})
WITH a
"""
    + SHOWN
)
GET = "CYPHER 25 MATCH (a:Agent {tenant: $tenant, id: $id})" + SHOWN
BY_NAME = "CYPHER 25 MATCH (a:Agent {tenant: $tenant, name: $name})" + SHOWN
# `'' +` keeps the planner from the index on ids, and the tenant first in the order lets it read the one on times
# backwards: so a page costs the same however many agents there are.
LIST = (
    """
CYPHER 25
MATCH (a:Agent {tenant: $tenant})
WHERE a.created_at <= $before AND (a.created_at < $before OR '' + a.id < $before_id)
WITH a ORDER BY a.tenant DESC, a.created_at DESC, a.id DESC SKIP $offset LIMIT $limit
"""
    + SHOWN
    + " ORDER BY created_at DESC, id DESC"
)
COUNT = "CYPHER 25 MATCH (a:Agent {tenant: $tenant}) WHERE a.created_at >= 0 RETURN count(a) AS total"
# Writing what is there already changes nothing and yet takes the lock.
LOCK = """
CYPHER 25
MATCH (a:Agent {tenant: $tenant, id: $id}) SET a.created_at = a.created_at
RETURN a.name AS name, a.description AS description, a.metadata AS metadata, a.version AS version
"""
UPDATE = (
    """
CYPHER 25
MATCH (a:Agent {tenant: $tenant, id: $id})
SET a += $changes, a.updated_at = $now, a.version = a.version + 1
WITH a
"""
    + SHOWN
)
# Locked before it goes: of several that delete it at once, the later ones find nothing.
DELETE = """
CYPHER 25
MATCH (a:Agent {tenant: $tenant, id: $id})
SET a.updated_at = $now
WITH a WHERE EXISTS { (:Agent {tenant: $tenant, id: $id}) }
DETACH DELETE a
RETURN $id AS id
"""
STATS = """
CYPHER 25
MATCH (a:Agent {tenant: $tenant, id: $id})
CALL (a) {
  MATCH (a)<-[:RECORDED_BY]-(m:Memory)-[:MENTIONS]->(e:Entity)
  WHERE m.tenant = $tenant
  RETURN count(DISTINCT e) AS entity_count
}
CALL (a) {
  MATCH (a)<-[:RECORDED_BY]-(m:Memory)
  WHERE m.tenant = $tenant
  RETURN count(m) AS memory_count, max(m.updated_at) AS last_updated
}
RETURN a.id AS id, a.name AS name, memory_count, entity_count, last_updated,
  COUNT { (a)<-[:STARTED_BY]-() } AS session_count, COUNT { (a)-[:WORKS_ON]->() } AS project_count
"""
NAMED = """
CYPHER 25
MERGE (a:Agent {tenant: $tenant, name: $name})
ON CREATE SET a.id = $id, a.metadata = '{}', a.created_at = $now, a.updated_at = $now, a.version = 1
RETURN a.id AS id, a.name AS name, a.version AS version, a.id = $id AS created
"""
KNOWN = "CYPHER 25 MATCH (a:Agent {tenant: $tenant, id: $id}) RETURN a.id AS id, a.name AS name"
NAMES = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (a:Agent {tenant: $tenant, id: wanted})
RETURN a.id AS id, a.name AS name
"""
ID_OF = "CYPHER 25 MATCH (a:Agent {tenant: $tenant, name: $name}) RETURN a.id AS id"


class AgentRepository(Repository):
    """Agents of one tenant. `metadata` is JSON text; times are epoch milliseconds."""

    kind = "Agent"
    taken = "An agent with this name exists already"

    def create(self, id: str, name: str, description: str | None, metadata: str) -> Row:
        """Create an agent.

        Raises:
            Conflict: the name is taken.
        """
        props = {"id": id, "name": name, "description": description, "metadata": metadata}
        return self.telling(CREATE, each("agent.created"), now=now_ms(), **props)[0]

    def get(self, id: str) -> Row:
        """Return one agent by id.

        Raises:
            NotFound: no such agent.
        """
        return self.one(GET, id=id)

    def by_name(self, name: str) -> Row:
        """Return one agent by its exact name.

        Raises:
            NotFound: no such agent.
        """
        return self.one(BY_NAME, name=name)

    def named(self, name: str) -> str:
        """Return the id of the agent with this exact name.

        Raises:
            NotFound: no such agent.
        """
        return str(self.one(ID_OF, name=name)["id"])

    def names(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the names of agents by id; those that are gone are left out."""
        return {row["id"]: row["name"] for row in self.read(NAMES, ids=list(ids))}

    def list(self, before: int, before_id: str, offset: int, limit: int) -> Rows:
        """Return agents, newest first, after the sort key (`before`, `before_id`)."""
        return self.read(LIST, before=before, before_id=before_id, offset=offset, limit=limit)

    def count(self) -> int:
        """Return how many agents there are."""
        return int(self.read(COUNT)[0]["total"])

    def update(self, id: str, change: Callable[[Row], Row]) -> Row:
        """Give the agent the properties that `change` makes of its stored `metadata` and `version`; return it.

        Raises:
            NotFound: no such agent.
            Conflict: the new name is taken.
        """
        return self.edit(
            LOCK, UPDATE, GET, change, lambda row, made: [happened("agent.updated", row, made)], id=id, now=now_ms()
        )

    def delete(self, id: str) -> None:
        """Delete the agent itself; its memories are the caller's business. From then on none can be stored for
        it, even before the transaction ends.

        Raises:
            NotFound: no such agent.
        """
        self._only(self.telling(DELETE, each("agent.deleted"), id=id, now=now_ms()))

    def stats(self, id: str) -> Row:
        """Return counts of what the agent holds.

        Raises:
            NotFound: no such agent.
        """
        return self.one(STATS, id=id)

    def resolve(self, reference: str, is_id: bool, new_id: str) -> Row:
        """Return `{id, name}` of the agent with this id, or with this name, created on its first use.

        Raises:
            NotFound: `reference` is an id and unknown.
        """
        if not is_id:
            given = {"name": reference, "id": new_id, "now": now_ms()}
            row = self.telling(NAMED, each("agent.created"), **given)[0]
            return {name: row[name] for name in ("id", "name")}
        found = self.read(KNOWN, id=reference)
        if not found:
            raise NotFound(self.kind)
        return found[0]

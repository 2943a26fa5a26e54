"""Projects: what memories, decisions and patterns are about as a whole. The slug is their public key."""

from collections.abc import Callable

from graph.clock import now_ms
from graph.errors import Conflict
from graph.labels import NEVER
from graph.memories import TOLD as MEMORY_TOLD
from graph.outbox import Happened, each, happened
from graph.records import Ids, Row, Rows
from graph.repository import Repository

# Memories and decisions are linked alike: the degree less the decisions, of which there are few.
SHOWN = """
RETURN p.id AS id, p.slug AS slug, p.name AS name, p.description AS description, p.stack AS stack,
  p.repo_url AS repo_url, p.metadata AS metadata, p.created_at AS created_at, p.updated_at AS updated_at,
  p.version AS version,
  COUNT { (p)<-[:IN_PROJECT]-() } -
    COUNT { MATCH (d:Decision {tenant: $tenant, project_id: p.id}) WHERE d.created_at >= 0 } AS memory_count
"""
# A project that a memory named first is nobody's registration yet: the first POST for its slug completes it. The lock
# comes before the look, so that of many such POSTs one wins.
CREATE = (
    """
CYPHER 25
MERGE (p:Project {tenant: $tenant, slug: $slug})
ON CREATE SET p.id = $id, p.registered = false, p.created_at = $now, p.version = 0
SET p.created_at = p.created_at
WITH p WHERE p.registered = false
SET p += $props, p.registered = true, p.updated_at = $now, p.version = p.version + 1
WITH p
"""
    + SHOWN
    + ", p.id = $id AS created"
)
GET = "CYPHER 25 MATCH (p:Project {tenant: $tenant, slug: $slug})" + SHOWN
LIST = (
    """
CYPHER 25
MATCH (p:Project {tenant: $tenant})
WHERE p.created_at <= $before AND (p.created_at < $before OR '' + p.id < $before_id)
WITH p ORDER BY p.tenant DESC, p.created_at DESC, p.id DESC SKIP $offset LIMIT $limit
"""
    + SHOWN
    + " ORDER BY created_at DESC, id DESC"
)
COUNT = "CYPHER 25 MATCH (p:Project {tenant: $tenant}) WHERE p.created_at >= 0 RETURN count(p) AS total"
LOCK = """
CYPHER 25
MATCH (p:Project {tenant: $tenant, slug: $slug}) SET p.registered = true
RETURN p.slug AS slug, p.name AS name, p.description AS description, p.stack AS stack, p.repo_url AS repo_url,
  p.metadata AS metadata, p.version AS version
"""
UPDATE = (
    """
CYPHER 25
MATCH (p:Project {tenant: $tenant, slug: $slug})
SET p += $changes, p.updated_at = $now, p.version = p.version + 1
WITH p
"""
    + SHOWN
)
NAMED = """
CYPHER 25
MERGE (p:Project {tenant: $tenant, slug: $slug})
ON CREATE SET p.id = $id, p.name = $slug, p.metadata = '{}', p.stack = '{}', p.created_at = $now, p.updated_at = $now,
  p.version = 1, p.registered = false
RETURN p.id AS id, p.slug AS slug, p.version AS version, p.id = $id AS created
"""
KNOWN = "CYPHER 25 MATCH (p:Project {tenant: $tenant, id: $id}) RETURN p.id AS id, p.slug AS slug"
BY_SLUG = "CYPHER 25 MATCH (p:Project {tenant: $tenant, slug: $slug}) RETURN p.id AS id, p.slug AS slug"
MEMORIES = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, project_id: $id}) WHERE m.created_at >= 0
RETURN m.id AS id ORDER BY m.session_id, m.id LIMIT $limit
"""
# By the property, not by the link: a memory committed while its project went has only that. Versions and windows are
# part of the same index as their memory, and must be found under no project either.
RELEASE = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, project_id: $id}) WHERE m.created_at >= 0
WITH m LIMIT $limit
OPTIONAL MATCH (part:Searchable|MemoryChange)-[:VERSION_OF|WINDOW_OF|CHANGE_OF]->(m)
SET part.project_id = ''
WITH DISTINCT m
OPTIONAL MATCH (m)-[link:IN_PROJECT]->()
DELETE link
WITH DISTINCT m
SET m.project_id = '', m.updated_at = $now, m.version = m.version + 1
""" + MEMORY_TOLD  # fmt: skip
RELEASE_DECISIONS = """
CYPHER 25
MATCH (d:Decision {tenant: $tenant, project_id: $id}) WHERE d.created_at >= 0
WITH d LIMIT $limit
OPTIONAL MATCH (d)-[link:IN_PROJECT]->()
DELETE link
SET d.project_id = '', d.updated_at = $now, d.version = d.version + 1
RETURN d.id AS id, d.agent_id AS agent_id, d.session_id AS session_id, d.version AS version
"""
UNLINK = """
CYPHER 25
MATCH (p:Project {tenant: $tenant, id: $id})-[link]-()
WITH link LIMIT $limit
DELETE link
RETURN count(link) AS done
"""
# Locked, then looked for again: of several that delete it, the later ones find nothing.
DELETE = """
CYPHER 25
MATCH (p:Project {tenant: $tenant, id: $id})
SET p.updated_at = $now
WITH p WHERE EXISTS { (:Project {tenant: $tenant, id: $id}) }
DETACH DELETE p
RETURN $id AS id
"""
# What a reader who opens the project should see first. Confidential memories stay out. Naming the equal columns first
# lets an index be read backwards, so that the first ones cost the same in any project; `'' +` keeps the planner from
# another index.
HOT = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, project_id: $id, tier: 'hot'})
WHERE m.importance >= 0 AND m.current AND m.expires_at > $now AND NOT m.archived AND m.visibility = 'private'
WITH m ORDER BY m.tenant DESC, m.project_id DESC, m.tier DESC, m.importance DESC, m.created_at DESC, m.id LIMIT $limit
RETURN m.id AS id, m.content AS content, m.title AS title, m.memory_type AS memory_type, m.importance AS importance
ORDER BY importance DESC, m.created_at DESC, id
"""
DECISIONS = """
CYPHER 25
MATCH (d:Decision {tenant: $tenant, project_id: $id}) WHERE d.created_at >= 0 AND '' + d.status = 'active'
WITH d ORDER BY d.tenant DESC, d.project_id DESC, d.created_at DESC, d.id DESC LIMIT $limit
RETURN d.id AS id, d.title AS title, d.rationale AS rationale, d.status AS status, d.created_at AS created_at
ORDER BY created_at DESC, id DESC
"""
PATTERNS = """
CYPHER 25
MATCH (p:Project {tenant: $tenant, id: $id})-[adopted:ADOPTED]->(t:Pattern {tenant: $tenant})
RETURN t.id AS id, t.title AS title, t.description AS description, t.category AS category, adopted.at AS adopted_at
ORDER BY adopted.at DESC, t.id LIMIT $limit
"""
SESSIONS = """
CYPHER 25
MATCH (s:Session {tenant: $tenant, project: $slug}) WHERE s.created_at <= $never
WITH s ORDER BY s.tenant DESC, s.project DESC, s.created_at DESC, s.id DESC LIMIT $limit
RETURN s.id AS id, s.title AS title, s.status AS status, coalesce(s.summary, s.digest) AS summary,
  s.started_at AS started_at, s.ended_at AS ended_at
ORDER BY s.created_at DESC, id DESC
"""


class ProjectRepository(Repository):
    """Projects of one tenant. `metadata` and `stack` are JSON text; times are epoch milliseconds."""

    kind = "Project"
    taken = "A project with this slug exists already"

    def create(self, id: str, slug: str, props: Row) -> Row:
        """Register a project.

        Raises:
            Conflict: the slug is taken.
        """

        def told(rows: Rows) -> list[Happened]:
            # One that a memory named first was announced then.
            return [
                happened("project.created", row) if row["created"] else happened("project.updated", row, props)
                for row in rows
            ]

        found = self.telling(CREATE, told, id=id, slug=slug, props=props, now=now_ms())
        if not found:
            raise Conflict(self.taken)
        return found[0]

    def get(self, slug: str) -> Row:
        """Return one project.

        Raises:
            NotFound: no such project.
        """
        return self.one(GET, slug=slug)

    def list(self, before: int, before_id: str, offset: int, limit: int) -> Rows:
        """Return projects, newest first, after the sort key (`before`, `before_id`)."""
        return self.read(LIST, before=before, before_id=before_id, offset=offset, limit=limit)

    def count(self) -> int:
        """Return how many projects there are."""
        return int(self.read(COUNT)[0]["total"])

    def update(self, slug: str, change: Callable[[Row], Row]) -> Row:
        """Give the project the properties that `change` makes of its stored `slug`, `metadata` and `version`.

        Raises:
            NotFound: no such project.
        """
        return self.edit(
            LOCK, UPDATE, GET, change, lambda row, made: [happened("project.updated", row, made)], slug=slug,
            now=now_ms(),
        )  # fmt: skip

    def resolve(self, slug: str, new_id: str) -> Row:
        """Return `{id, slug}` of the project, made under its slug on first use."""
        row = self.telling(NAMED, each("project.created"), slug=slug, id=new_id, now=now_ms())[0]
        return {name: row[name] for name in ("id", "slug")}

    def known(self, id: str) -> Row:
        """Return `{id, slug}` of the project with this id.

        Raises:
            NotFound: no such project.
        """
        return self.one(KNOWN, id=id)

    def by_slug(self, slug: str) -> Row:
        """Return `{id, slug}` of the project with this slug.

        Raises:
            NotFound: no such project.
        """
        return self.one(BY_SLUG, slug=slug)

    def memories(self, id: str, limit: int) -> Ids:
        """Return up to `limit` memory ids of a project, expired ones included."""
        return [row["id"] for row in self.read(MEMORIES, id=id, limit=limit)]

    def release(self, id: str, limit: int) -> int:
        """Take up to `limit` memories out of the project; return how many."""
        return len(self.telling(RELEASE, each("memory.updated", "project_id"), id=id, limit=limit, now=now_ms()))

    def release_decisions(self, id: str, limit: int) -> int:
        """Take up to `limit` decisions out of the project; return how many."""
        told = each("decision.updated", "project_id")
        return len(self.telling(RELEASE_DECISIONS, told, id=id, limit=limit, now=now_ms()))

    def unlink(self, id: str, limit: int) -> int:
        """Delete up to `limit` links of the project, whatever their kind; return how many."""
        return int(self.write(UNLINK, id=id, limit=limit)[0]["done"])

    def delete(self, id: str) -> None:
        """Delete the project itself; from then on nothing can be written for it, even before the transaction ends.

        Raises:
            NotFound: no such project.
        """
        self._only(self.telling(DELETE, each("project.deleted"), id=id, now=now_ms()))

    def hot_memories(self, id: str, limit: int) -> Rows:
        """Return the most important hot memories that anybody may see."""
        return self.read(HOT, id=id, limit=limit, now=now_ms())

    def active_decisions(self, id: str, limit: int) -> Rows:
        """Return the newest active decisions."""
        return self.read(DECISIONS, id=id, limit=limit)

    def adopted_patterns(self, id: str, limit: int) -> Rows:
        """Return the patterns adopted last."""
        return self.read(PATTERNS, id=id, limit=limit)

    def recent_sessions(self, slug: str, limit: int) -> Rows:
        """Return the newest sessions labelled with the slug."""
        return self.read(SESSIONS, slug=slug, limit=limit, never=NEVER)

"""Projects: what memories, decisions and patterns are about as a whole. The slug is their public key."""

from graph.clock import now_ms
from graph.records import Row
from graph.repository import Repository

NAMED = """
CYPHER 25
MERGE (p:Project {tenant: $tenant, slug: $slug})
ON CREATE SET p.id = $id, p.name = $slug, p.metadata = '{}', p.stack = '{}', p.created_at = $now, p.updated_at = $now,
  p.version = 1
RETURN p.id AS id, p.slug AS slug
"""
KNOWN = "CYPHER 25 MATCH (p:Project {tenant: $tenant, id: $id}) RETURN p.id AS id, p.slug AS slug"
BY_SLUG = "CYPHER 25 MATCH (p:Project {tenant: $tenant, slug: $slug}) RETURN p.id AS id, p.slug AS slug"


class ProjectRepository(Repository):
    """Projects of one tenant."""

    kind = "Project"
    taken = "A project with this slug exists already"

    def resolve(self, slug: str, new_id: str) -> Row:
        """Return `{id, slug}` of the project, registered under its slug on first use."""
        return self.write_one(NAMED, slug=slug, id=new_id, now=now_ms())

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

"""Patterns: solutions worth repeating, and the projects that adopted them. Adoption is a link, its count a degree."""

from collections.abc import Sequence
from typing import Any

from graph import labels
from graph.clock import now_ms
from graph.errors import NotFound
from graph.labels import NEVER
from graph.outbox import each, happened
from graph.records import Row, Rows, vector
from graph.searchable import MOST_TEXT
from graph.slotted import Slotted

# A source project that nobody registered is known by its slug alone; once registered, its id shows.
SHOWN = """
RETURN x.id AS id, x.title AS title, x.description AS description, x.scope AS scope, x.category AS category,
  x.tags AS tags, x.example_code AS example_code, x.metadata AS metadata, x.created_at AS created_at,
  x.updated_at AS updated_at, x.version AS version,
  coalesce(head(COLLECT { MATCH (x)-[:FROM]->(p:Project) RETURN p.slug LIMIT 1 }), x.source_slug)
    AS source_project_slug,
  coalesce(head(COLLECT { MATCH (x)-[:FROM]->(p:Project) RETURN p.id LIMIT 1 }),
    head(COLLECT { MATCH (p:Project {tenant: $tenant, slug: x.source_slug}) RETURN p.id })) AS source_project_id,
  COUNT { (x)<-[:ADOPTED]-() } AS adoption_count
"""
CREATE = """
CYPHER 25
CREATE (x:Pattern:Searchable {tenant: $tenant})
SET x += $props
WITH x
CALL db.create.setNodeVectorProperty(x, 'EMBEDDING', $embedding)
"""
# Replaces the link to the source: it is there exactly when the named project is.
FROM = """
CYPHER 25
MATCH (x:Pattern {tenant: $tenant, id: $id})
CALL (x) {
  MATCH (x)-[old:FROM]->()
  DELETE old
}
MATCH (p:Project {tenant: $tenant, slug: x.source_slug})
MERGE (x)-[r:FROM]->(p)
ON CREATE SET r.from = $now, r.to = $never
RETURN p.id AS project_id
"""
SOURCED = """
CYPHER 25
MATCH (x:Pattern {tenant: $tenant, source_slug: $slug})
MATCH (p:Project {tenant: $tenant, slug: $slug})
MERGE (x)-[r:FROM]->(p)
ON CREATE SET r.from = $now, r.to = $never
RETURN count(r) AS total
"""
GET = "CYPHER 25 MATCH (x:Pattern {tenant: $tenant, id: $id})" + SHOWN
GET_MANY = "CYPHER 25 UNWIND $ids AS wanted MATCH (x:Pattern {tenant: $tenant, id: wanted})" + SHOWN
# `'' +` keeps the index of ids out: it cannot give the order.
AFTER = " WHERE x.created_at <= $before AND CASE WHEN x.created_at < $before THEN true ELSE x.id < $before_id END "
FILTER = """
  AND ($scope IS NULL OR x.scope = $scope) AND ($category IS NULL OR x.memory_type = $category)
  AND ($project IS NULL OR x.source_slug = $project
    OR EXISTS { (x)<-[:ADOPTED]-(:Project {tenant: $tenant, slug: $project}) })
  AND (size($tags) = 0 OR CASE WHEN $every_tag THEN all(t IN $tags WHERE t IN x.tag_keys)
    ELSE any(t IN $tags WHERE t IN x.tag_keys) END)
"""
# An index gives its order only to a query that names all its properties, those that are fixed too.
PAGE = "WITH x ORDER BY x.tenant DESC, x.created_at DESC, x.id DESC SKIP $offset LIMIT $limit"
MATCH_ALL = "CYPHER 25 MATCH (x:Pattern {tenant: $tenant})" + AFTER
NEWEST_FIRST = " ORDER BY created_at DESC, id DESC"
LIST = MATCH_ALL + PAGE + SHOWN + NEWEST_FIRST
LIST_FILTERED = MATCH_ALL + FILTER + PAGE + SHOWN + NEWEST_FIRST
COUNT = MATCH_ALL + FILTER + "RETURN count(x) AS total"
# Looked for again once it is locked: it may have been deleted meanwhile.
LOCKED = (
    """
CYPHER 25
MATCH (x:Pattern {tenant: $tenant, id: $id})
SET x.created_at = x.created_at
WITH x WHERE EXISTS { (:Pattern {tenant: $tenant, id: $id}) }
"""
    + SHOWN
)
UPDATE = """
CYPHER 25
MATCH (x:Pattern {tenant: $tenant, id: $id})
SET x += $changes, x.updated_at = $now, x.version = x.version + 1
RETURN x.id AS id, x.version AS version, head(COLLECT { MATCH (x)-[:FROM]->(p:Project) RETURN p.id }) AS project_id
"""
SET_VECTOR = """
CYPHER 25
MATCH (x:Pattern {tenant: $tenant, id: $id})
REMOVE x.OTHER_VECTOR
WITH x
CALL db.create.setNodeVectorProperty(x, 'EMBEDDING', $embedding)
"""
# Locked, then looked for again: of several that delete it, the later ones find nothing.
DELETE = """
CYPHER 25
MATCH (x:Pattern {tenant: $tenant, id: $id})
SET x.created_at = x.created_at
WITH x WHERE EXISTS { (:Pattern {tenant: $tenant, id: $id}) }
WITH x, head(COLLECT { MATCH (x)-[:FROM]->(p:Project) RETURN p.id }) AS project_id
DETACH DELETE x
RETURN $id AS id, project_id
"""
# Writing what is there already changes nothing and yet takes the lock: of many adopters at once one makes the link.
ADOPT = (
    """
CYPHER 25
MATCH (x:Pattern {tenant: $tenant, id: $id})
SET x.created_at = x.created_at
WITH x
MATCH (p:Project {tenant: $tenant, slug: $slug})
WITH x, p, NOT EXISTS { (p)-[:ADOPTED]->(x) } AS created
MERGE (p)-[r:ADOPTED]->(x)
ON CREATE SET r.at = $now
WITH x, p.id AS project_id, created
"""
    + SHOWN
    + ", project_id, created"
)
ABANDON = """
CYPHER 25
MATCH (x:Pattern {tenant: $tenant, id: $id})
SET x.created_at = x.created_at
WITH x
MATCH (p:Project {tenant: $tenant, slug: $slug})-[r:ADOPTED]->(x)
DELETE r
RETURN x.id AS id, x.version AS version, p.id AS project_id
"""
ADOPTERS = """
CYPHER 25
MATCH (p:Project)-[r:ADOPTED]->(x:Pattern {tenant: $tenant, id: $id})
WHERE r.at <= $before AND (r.at < $before OR p.id < $before_id)
RETURN p.id AS id, p.slug AS slug, p.name AS name, r.at AS created_at, r.at AS adopted_at
ORDER BY r.at DESC, p.id DESC SKIP $offset LIMIT $limit
"""
COUNT_ADOPTERS = """
CYPHER 25 MATCH (x:Pattern {tenant: $tenant, id: $id}) RETURN COUNT { (x)<-[:ADOPTED]-() } AS total
"""
# A project sees its own patterns whatever their scope; there are few of them, so their distance is computed exactly.
OWN = """
CYPHER 25
CALL () {
  MATCH (:Project {tenant: $tenant, slug: $slug})-[:ADOPTED]->(x:Pattern)
  RETURN x LIMIT $most
 UNION
  MATCH (x:Pattern {tenant: $tenant, source_slug: $slug})
  RETURN x LIMIT $most
}
WITH x WHERE $category IS NULL OR x.memory_type = $category
RETURN x.id AS id, coalesce(vector.similarity.cosine(x.EMBEDDING, $probe), 0.5) AS near,
  CASE WHEN x.content IS :: STRING THEN left(x.content, $cut) ELSE x.content END AS text
"""
# Projects that resemble one: tied to it, with patterns in common, and every other's stack for the caller to compare.
NEIGHBOURS = """
CYPHER 25
MATCH (p:Project {tenant: $tenant, slug: $slug})
CALL (p) {
  MATCH (o:Project {tenant: $tenant})
  WHERE o <> p AND o.created_at > 0
  WITH o ORDER BY o.tenant DESC, o.created_at DESC LIMIT $most
  RETURN collect([o.id, o.stack]) AS stacks
}
RETURN p.stack AS stack, stacks,
  COLLECT { MATCH (p)-[:DEPENDS_ON|RELATES_TO]-(o:Project) WHERE o <> p RETURN DISTINCT o.id LIMIT 500 } AS related,
  COLLECT { MATCH (p)-[:ADOPTED]->(:Pattern)<-[:ADOPTED]-(o:Project) WHERE o <> p RETURN DISTINCT o.id LIMIT 500 }
    AS alike
"""
SUGGEST = (
    """
CYPHER 25
MATCH (p:Project {tenant: $tenant, slug: $slug})
MATCH (x:Pattern {tenant: $tenant, scope: 'global'})
WHERE x.created_at > 0 AND NOT EXISTS { (p)-[:ADOPTED]->(x) } AND coalesce(x.source_slug, '') <> $slug
WITH x, COUNT { (x)<-[:ADOPTED]-(o:Project) WHERE o.id IN $similar } AS near, COUNT { (x)<-[:ADOPTED]-() } AS popular,
  EXISTS { (x)-[:FROM]->(o:Project) WHERE o.id IN $similar } AS neighbourly
ORDER BY near DESC, popular DESC, neighbourly DESC, x.created_at DESC, x.id LIMIT $limit
WITH x, near, popular, neighbourly
"""
    + SHOWN
    + ", near, neighbourly ORDER BY near DESC, adoption_count DESC, neighbourly DESC, created_at DESC, id"
)

# What an edit may change, by the wire's names; the rest follows from these.
FIELDS = {name: name for name in ("title", "description", "category", "example_code", "tags", "scope", "metadata")} | {
    "source_slug": "source_project_slug"
}
MOST_OWN = 1_000
MOST_PROJECTS = 500


class PatternRepository(Slotted):
    """Patterns of one tenant. `metadata` is JSON text; times are epoch milliseconds; `slot` as for memories."""

    kind = "Pattern"

    def create(self, props: Row, embedding: Any) -> None:
        """Write a pattern, and the link to its source project where that is known."""
        self.check_slot()
        self.write(labels.in_slot(CREATE, self.slot), props=props, embedding=embedding)
        self.tell(happened("pattern.created", props, project_id=self.relink(props["id"])))

    def relink(self, id: str) -> str | None:
        """Link a pattern to the project its `source_slug` names, where there is one, and to no other; return its id."""
        found = self.write(FROM, id=id, now=now_ms(), never=NEVER)
        return str(found[0]["project_id"]) if found else None

    def sourced(self, slug: str) -> int:
        """Link the patterns that name a project as their source to it, now that it is there; return how many."""
        return int(self.write(SOURCED, slug=slug, now=now_ms(), never=NEVER)[0]["total"])

    def get(self, id: str) -> Row:
        """Return one pattern.

        Raises:
            NotFound: no such pattern.
        """
        return self.one(GET, id=id)

    def get_many(self, ids: Sequence[str]) -> dict[str, Row]:
        """Return patterns by id; those that are gone are left out."""
        return {row["id"]: row for row in self.read(GET_MANY, ids=list(ids))}

    def list(self, before: int, before_id: str, offset: int, limit: int, filters: Row) -> Rows:
        """Return patterns, newest first; `filters` has every name of FILTER, None (tags: []) where it is no matter."""
        query = LIST_FILTERED if any(value for name, value in filters.items() if name != "every_tag") else LIST
        return self.read(query, before=before, before_id=before_id, offset=offset, limit=limit, **filters)

    def count(self, filters: Row) -> int:
        """Return how many patterns pass the filters."""
        return int(self.read(COUNT, before=NEVER, before_id="", **filters)[0]["total"])

    def lock(self, id: str) -> Row:
        """Lock a pattern in the open transaction and return it.

        Raises:
            NotFound: no such pattern.
        """
        return self.write_one(LOCKED, id=id)

    def update(self, id: str, changes: Row, embedding: Any = None) -> None:
        """Set properties, and the vector where one is given."""
        row = self.write_one(UPDATE, id=id, changes=changes, now=now_ms())
        if embedding is not None:
            self.check_slot()
            self.write(labels.in_slot(SET_VECTOR, self.slot), id=id, embedding=embedding)
        if "source_slug" in changes:
            row["project_id"] = self.relink(id)
        self.tell(happened("pattern.updated", row, [FIELDS[name] for name in changes if name in FIELDS]))

    def delete(self, id: str) -> None:
        """Delete a pattern with its adoptions.

        Raises:
            NotFound: no such pattern.
        """
        self._only(self.telling(DELETE, each("pattern.deleted"), id=id))

    def adopt(self, id: str, slug: str) -> Row:
        """Say that a project adopted a pattern, once however often it is said; return the pattern.

        Raises:
            NotFound: no such pattern, or no such project.
        """
        found = self.telling(ADOPT, each("pattern.adopted"), id=id, slug=slug, now=now_ms())
        if not found:
            self.get(id)
            raise NotFound("Project")
        return found[0]

    def abandon(self, id: str, slug: str) -> None:
        """Take back that a project adopted a pattern.

        Raises:
            NotFound: no such pattern, or the project has not adopted it.
        """
        if not self.telling(ABANDON, each("pattern.dropped"), id=id, slug=slug):
            self.get(id)
            raise NotFound("Adoption")

    def adopters(self, id: str, before: int, before_id: str, offset: int, limit: int) -> Rows:
        """Return the projects that adopted a pattern, latest first."""
        return self.read(ADOPTERS, id=id, before=before, before_id=before_id, offset=offset, limit=limit)

    def count_adopters(self, id: str) -> int:
        """Return how many projects adopted a pattern.

        Raises:
            NotFound: no such pattern.
        """
        return int(self.one(COUNT_ADOPTERS, id=id)["total"])

    def own(self, slug: str, probe: Any, category: str | None) -> Rows:
        """Return `{id, near, text}`, as `searchable.found` does, of what a project adopted or is the source of."""
        query = labels.in_slot(OWN, self.slot)
        return self.read(query, slug=slug, probe=vector(probe), category=category, most=MOST_OWN, cut=MOST_TEXT)

    def neighbours(self, slug: str) -> Row:
        """Return `{stack, stacks: [[id, stack], ...], related: [id], alike: [id]}` of a project; stacks are JSON text.

        Raises:
            NotFound: no such project.
        """
        found = self.read(NEIGHBOURS, slug=slug, most=MOST_PROJECTS)
        if not found:
            raise NotFound("Project")
        return found[0]

    def suggest(self, slug: str, similar: Sequence[str], limit: int) -> Rows:
        """Return global patterns a project has not adopted: first by adopters among `similar` projects, then by all."""
        return self.read(SUGGEST, slug=slug, similar=list(similar), limit=limit)

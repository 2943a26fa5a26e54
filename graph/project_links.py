"""What projects are to one another: (Project)-[:DEPENDS_ON or RELATES_TO {id, type, metadata, from, to}]->(Project)."""

from collections.abc import Iterable
from dataclasses import dataclass

from graph.clock import now_ms
from graph.labels import NEVER
from graph.outbox import Happened, happened
from graph.patterns import SHOWN as PATTERN_SHOWN
from graph.records import Ids, Row, Rows
from graph.repository import Repository

# A change in the target reaches the source through these.
DEPENDING = frozenset({"depends_on", "api_consumer"})
# Bounds of a walk, so that it ends soon on any graph.
DEEPEST = 20
MOST_REACHED = 500
MOST_DIRECT = 1000

# Both ends are locked, in the order of their ids, before the look for the same link: of equal requests one makes it.
LOCK = """
CYPHER 25
UNWIND $slugs AS slug
MATCH (p:Project {tenant: $tenant, slug: slug})
WITH p ORDER BY p.id
SET p.created_at = p.created_at
RETURN p.id AS id, p.slug AS slug
"""
LINK_SHOWN = """
RETURN r.id AS id, p.slug AS source_project, q.slug AS target_project, r.type AS relationship_type,
  r.metadata AS metadata, r.from AS created_at
"""
MADE = """
ON CREATE SET r.id = $id, r.metadata = $metadata, r.from = $now, r.to = $never
WITH p, q, r, r.metadata <> $metadata AND $metadata <> '{}' AS edits
SET r.metadata = CASE WHEN edits THEN $metadata ELSE r.metadata END
"""
TOLD = ", p.id AS source_id, q.id AS target_id, edits"
ENDS = """
CYPHER 25
MATCH (p:Project {tenant: $tenant, slug: $slug})
MATCH (q:Project {tenant: $tenant, slug: $target})
"""
DEPEND = ENDS + "MERGE (p)-[r:DEPENDS_ON {type: $type}]->(q)" + MADE + LINK_SHOWN + TOLD
RELATE = ENDS + "MERGE (p)-[r:RELATES_TO {type: $type}]->(q)" + MADE + LINK_SHOWN + TOLD
OF_PROJECT = """
CYPHER 25
MATCH (here:Project {tenant: $tenant, slug: $slug})-[r:DEPENDS_ON|RELATES_TO]-(:Project {tenant: $tenant})
WITH here, r, startNode(r) AS p, endNode(r) AS q
"""
LIST = (
    OF_PROJECT
    + """
WHERE r.from <= $before AND (r.from < $before OR r.id < $before_id)
WITH here, r, p, q ORDER BY r.from DESC, r.id DESC SKIP $offset LIMIT $limit
"""
    + LINK_SHOWN
    + ", CASE WHEN p = here THEN 'outgoing' ELSE 'incoming' END AS direction ORDER BY created_at DESC, id DESC"
)
COUNT = """
CYPHER 25
MATCH (p:Project {tenant: $tenant, slug: $slug})
RETURN COUNT { (p)-[:DEPENDS_ON|RELATES_TO]-() } AS total
"""
# Both ends are locked as above before the link is looked for again: of several that delete it, one finds it.
DELETE = """
CYPHER 25
MATCH (:Project {tenant: $tenant, slug: $slug})-[old:DEPENDS_ON|RELATES_TO {id: $id}]-(:Project {tenant: $tenant})
WITH DISTINCT startNode(old) AS p, endNode(old) AS q
CALL (p, q) {
  UNWIND CASE WHEN p.id < q.id THEN [p, q] ELSE [q, p] END AS n
  SET n.created_at = n.created_at
  RETURN count(n) AS locked
}
MATCH (p)-[r:DEPENDS_ON|RELATES_TO {id: $id}]->(q)
WITH p, q, collect(r) AS links
FOREACH (r IN links | DELETE r)
RETURN $id AS id, p.id AS source_id, q.id AS target_id
"""
NEIGHBOUR = """
RETURN p.id AS source_id, q.id AS project_id, q.slug AS slug, q.name AS name, r.id AS id, r.type AS relationship_type,
  r.metadata AS metadata, r.from AS created_at
"""
STEP = NEIGHBOUR + "ORDER BY source_id, slug, relationship_type, id LIMIT $limit"
DEPENDENCIES = (
    """
CYPHER 25
UNWIND $ids AS id
MATCH (p:Project {tenant: $tenant, id: id})-[r:DEPENDS_ON]->(q:Project {tenant: $tenant})
"""
    + STEP
)
DEPENDENTS = (
    """
CYPHER 25
UNWIND $ids AS id
MATCH (p:Project {tenant: $tenant, id: id})<-[r:DEPENDS_ON]-(q:Project {tenant: $tenant})
"""
    + STEP
)
RELATED = (
    """
CYPHER 25
MATCH (p:Project {tenant: $tenant, id: $id})-[r:DEPENDS_ON|RELATES_TO]-(q:Project {tenant: $tenant})
"""
    + NEIGHBOUR
    + ", CASE WHEN startNode(r) = p THEN 'outgoing' ELSE 'incoming' END AS direction"
    + " ORDER BY direction DESC, relationship_type, slug, id LIMIT $limit"
)
SHARED = (
    """
CYPHER 25
MATCH (:Project {tenant: $tenant, id: $id})-[:ADOPTED]->(x:Pattern {tenant: $tenant})
WHERE EXISTS { (x)<-[:ADOPTED]-(:Project {tenant: $tenant, id: $other}) }
WITH DISTINCT x ORDER BY x.created_at DESC, x.id LIMIT $limit
"""
    + PATTERN_SHOWN
    + " ORDER BY created_at DESC, id"
)


def link_event(type: str, row: Row, changed: Iterable[str] = ()) -> Happened:
    """Return the event of a link: told of the project it begins at."""
    end = {"id": row["source_id"], "target_id": row["target_id"], "relationship_id": row["id"]}
    return happened(type, end, changed)


@dataclass(frozen=True)
class Start:
    """The project that a walk begins at."""

    id: str
    slug: str


class ProjectLinkRepository(Repository):
    """Links between the projects of one tenant. `metadata` is JSON text."""

    kind = "Relationship"

    def create(self, slug: str, target: str, type: str, metadata: str, id: str) -> tuple[Row, bool] | None:
        """Link `slug` to `target`; return the link and whether it is new, or None when one of them is unknown.

        The same link made again is the same link; metadata that is not empty replaces the old.
        """
        query = DEPEND if type in DEPENDING else RELATE
        values = {"slug": slug, "target": target, "type": type, "metadata": metadata, "id": id}

        def work(repository: "ProjectLinkRepository") -> tuple[Row, bool] | None:
            if len(repository.write(LOCK, slugs=sorted({slug, target}))) < 2:
                return None
            row = repository.telling(query, told, now=now_ms(), never=NEVER, **values)[0]
            return row, row["id"] == id

        def told(rows: Rows) -> list[Happened]:
            return [
                link_event("project.linked", row, () if row["id"] == id else ["metadata"])
                for row in rows
                if row["id"] == id or row["edits"]
            ]

        return self.together(lambda tx: work(ProjectLinkRepository(self.graph, self.caller, tx)))

    def list(self, slug: str, before: int, before_id: str, offset: int, limit: int) -> Rows:
        """Return the links of a project in both directions, newest first."""
        return self.read(LIST, slug=slug, before=before, before_id=before_id, offset=offset, limit=limit)

    def count(self, slug: str) -> int:
        """Return how many links a project has."""
        return int(self.one(COUNT, slug=slug)["total"])

    def delete(self, slug: str, id: str) -> None:
        """Delete a link that begins or ends at the project.

        Raises:
            NotFound: the project has no such link.
        """
        self._only(
            self.telling(DELETE, lambda rows: [link_event("project.unlinked", row) for row in rows], slug=slug, id=id)
        )

    def dependencies(self, start: Start, transitive: bool) -> Rows:
        """Return what a project depends on: see `_walk`."""
        return self._walk(DEPENDENCIES, start, transitive)

    def dependents(self, start: Start, transitive: bool) -> Rows:
        """Return what depends on a project: see `_walk`."""
        return self._walk(DEPENDENTS, start, transitive)

    def related(self, start: Start) -> Rows:
        """Return up to MOST_DIRECT links with the project at their other end and their direction."""
        return self.read(RELATED, id=start.id, limit=MOST_DIRECT)

    def shared_patterns(self, id: str, other: str, limit: int) -> Rows:
        """Return the patterns that both projects adopted."""
        return self.read(SHARED, id=id, other=other, limit=limit)

    def _walk(self, query: str, start: Start, transitive: bool) -> Rows:
        """Return every direct link, then, if `transitive`, each further project once, by the shortest way to it.

        Rows carry `depth` and `path` (slugs from `start` on). Cycles end where they close; a walk goes DEEPEST links
        far and reaches MOST_REACHED projects.
        """
        found: Rows = []
        paths = {start.id: [start.slug]}
        frontier: Ids = [start.id]
        for depth in range(1, DEEPEST + 1 if transitive else 2):
            rows = self.read(query, ids=frontier, limit=MOST_DIRECT)
            frontier = []
            for row in rows:
                source, reached = row.pop("source_id"), row["project_id"]
                if reached in paths and (depth > 1 or reached == start.id):
                    continue
                if reached not in paths:
                    paths[reached] = [*paths[source], row["slug"]]
                    frontier.append(reached)
                found.append({**row, "depth": depth, "path": paths[reached]})
            if not frontier or len(paths) > MOST_REACHED:
                break
        return found

"""Walking over everything of a tenant that may be sealed, to seal it anew: values come and go as they lie there.

`a_label` and `its_key` are filled in by `graph.labels` from its table SEALED.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from graph import labels
from graph.clock import now_ms
from graph.driver import Graph
from graph.records import Row, Rows
from graph.repository import Repository

# Of a part of a memory, who may see the memory is asked of the memory.
PAGE = """
CYPHER 25
MATCH (n:a_label {tenant: $tenant}) WHERE n.its_key > $after
WITH n ORDER BY n.tenant, n.its_key LIMIT $limit
RETURN n.its_key AS key, n {.*, embedding: null, embedding_b: null} AS props,
  head(COLLECT { MATCH (n)-[:VERSION_OF|CHANGE_OF]->(m:Memory) RETURN m.visibility }) AS visibility
ORDER BY key
"""
# Locked before it is asked whether it still is what was read. What changed meanwhile is met by the next round.
PUT = """
CYPHER 25
UNWIND $rows AS row
MATCH (n:a_label {tenant: $tenant, its_key: row.key})
SET n.created_at = n.created_at
WITH n, row WHERE all(pair IN row.was WHERE n[pair[0]] = pair[1])
SET n += row.changes
RETURN row.key AS key
"""
# What is said on relationships: between entities, and between projects.
LINKS = """
CYPHER 25
MATCH (n:a_label {tenant: $tenant}) WHERE n.its_key > $after
WITH n ORDER BY n.tenant, n.its_key LIMIT $limit
WITH collect(n) AS some
CALL (some) {
  UNWIND some AS n
  MATCH (n)-[r:RELATED_TO|WAS_RELATED_TO|DEPENDS_ON|RELATES_TO]->(o)
  WHERE r.metadata IS NOT NULL
  RETURN collect({source: n.id, type: type(r), id: r.id, metadata: r.metadata}) AS links
}
RETURN size(some) AS seen, some[-1].id AS at, links
"""
PUT_LINKS = """
CYPHER 25
UNWIND $rows AS row
MATCH (n:a_label {tenant: $tenant, its_key: row.source})
MATCH (n)-[r:RELATED_TO|WAS_RELATED_TO|DEPENDS_ON|RELATES_TO {id: row.id}]->()
WHERE r.metadata = row.was AND type(r) = row.type
SET r.metadata = row.metadata
RETURN row.id AS id
"""
# A spelling that somebody wrote anew under its digest before the old one was reached.
JOIN_NAMES = """
CYPHER 25
MATCH (old:EntityName {tenant: $tenant, key: $was})
MATCH (new:EntityName {tenant: $tenant, key: $key})
SET old.created_at = old.created_at, new.created_at = new.created_at
WITH old, new
CALL (old, new) {
  MATCH (old)-[:NAMES]->(e:Entity)
  MERGE (new)-[:NAMES]->(e)
}
DETACH DELETE old
"""
NAMED_SO = "CYPHER 25 MATCH (e:Entity {tenant: $tenant, key: $key}) RETURN e.id AS id"
DUE = """
CYPHER 25
MATCH (t:Tenant) WHERE t.seal_from > 0
RETURN t.id AS id, t.seal_from AS since, coalesce(t.encryption, '') AS mode ORDER BY since LIMIT $limit
"""
ASK = "CYPHER 25 MATCH (t:Tenant {id: $tenant}) SET t.seal_from = $now"
OVER = "CYPHER 25 MATCH (t:Tenant {id: $tenant}) WHERE t.seal_from <= $since REMOVE t.seal_from"


class SealedRepository(Repository):
    """What one tenant has, as it is stored: to be made with a graph that seals nothing (`Graph.as_stored`)."""

    kind = "Node"

    def pages(self, label: str, limit: int) -> Iterator[Rows]:
        """Yield `{key, props, visibility}` of all nodes of a label, a page at a time."""
        after, query = "", labels.of_sealed(PAGE, label)
        while rows := self.read(query, after=after, limit=limit):
            yield rows
            after = rows[-1]["key"]

    def put(self, label: str, rows: Sequence[Row]) -> int:
        """Change nodes, as `{key, was: [[name, value], ...], changes}`, that still are what they were; return how many.

        Raises:
            Conflict: a key that changes is taken.
        """
        return len(self.write(labels.of_sealed(PUT, label), rows=list(rows)))

    def links(self, label: str, limit: int) -> Iterator[Rows]:
        """Yield `{source, type, id, metadata}` of the relationships with metadata that begin at nodes of a label,
        a stretch at a time."""
        after, query = "", labels.of_sealed(LINKS, label)
        while (row := self.read(query, after=after, limit=limit)[0])["seen"]:
            yield row["links"]
            after = row["at"]

    def put_links(self, label: str, rows: Sequence[Row]) -> int:
        """Change relationships, as `{source, type, id, was, metadata}`; return how many."""
        return len(self.write(labels.of_sealed(PUT_LINKS, label), rows=list(rows)))

    def join_names(self, was: str, key: str) -> None:
        """Let the spelling `key` lead where `was` does, and delete that."""
        self.write(JOIN_NAMES, was=was, key=key)

    def named_so(self, key: str) -> str | None:
        """Return the id of the entity with this key."""
        found = self.read(NAMED_SO, key=key)
        return str(found[0]["id"]) if found else None

    def ask(self) -> None:
        """Ask that everything be gone through."""
        self.write(ASK, now=now_ms())

    def over(self, since: int) -> None:
        """Say that everything was gone through as it was asked at `since`."""
        self.write(OVER, since=since)


def due(graph: Graph, limit: int) -> list[Any]:
    """Return `{id, since, mode}` of tenants of which something is to be sealed anew, the longest waiting first."""
    return graph.read(DUE, limit=limit)

"""Moving a tenant's data: nodes and relationships as they are, read by their keys and written where they are missing.

The names in lower case that stand for labels, types and keys (`a_label`, `a_type`, `its_key`) are filled in by
`graph.labels` from its own tables.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from graph import labels
from graph.clock import now_ms
from graph.entities import NAMES_CHANGED
from graph.labels import LINKS, NEVER, PARTS, TRANSFERRED, Link
from graph.records import Ids, Row, Rows
from graph.slotted import Slotted

COUNT = "CYPHER 25 MATCH (n:a_label {tenant: $tenant}) WHERE n.its_key >= '' AND it_lives RETURN count(n) AS total"
# The key goes through the index of its own uniqueness, so a page costs the same wherever it is.
PAGE = """
CYPHER 25
MATCH (n:a_label {tenant: $tenant}) WHERE n.its_key > $after AND it_lives
WITH n ORDER BY n.tenant, n.its_key LIMIT $limit
"""
NODES = (
    PAGE
    + """
RETURN n.its_key AS key, n:Searchable AS searchable, CASE WHEN $vectors THEN n.EMBEDDING END AS vector,
  n {.*, tenant: null, scope_tokens: null, embedding: null, embedding_b: null} AS props
ORDER BY key
"""
)
# In the order of writing: indexes take equals in the order they came, so that an import answers as what it came from.
MEMORIES = """
CYPHER 25
MATCH (n:a_label {tenant: $tenant})
WHERE n.seq >= $seq AND CASE WHEN n.seq > $seq THEN true ELSE n.id > $after END AND it_lives
WITH n ORDER BY n.tenant, n.seq, n.id LIMIT $limit
RETURN n.id AS key, n:Searchable AS searchable, CASE WHEN $vectors THEN n.EMBEDDING END AS vector,
  n {.*, tenant: null, scope_tokens: null, embedding: null, embedding_b: null} AS props
ORDER BY n.seq, key
"""
# The windows of the slot in force; while the model is being changed, there are others.
WINDOWS = """
CYPHER 25
MATCH (n:a_label {tenant: $tenant}) WHERE n.its_key > $after AND it_lives AND n.slot = $slot
WITH n ORDER BY n.tenant, n.its_key LIMIT $limit
RETURN n.its_key AS key, n:Searchable AS searchable, n.EMBEDDING AS vector,
  head(COLLECT { MATCH (n)-[:WINDOW_OF]->(m:Memory) RETURN m.id }) AS of,
  n {.*, tenant: null, scope_tokens: null, embedding: null, embedding_b: null} AS props
ORDER BY key
"""
FOLLOWED = (
    PAGE
    + """
RETURN n.its_key AS key, n.name AS name, COLLECT {
    MATCH (n)-[r]->(o)
    WHERE type(r) IN $types AND o.tenant = $tenant AND coalesce(o.expires_at, $never) > $now
    RETURN {type: type(r), target: head([name IN labels(o) WHERE name <> 'Searchable']), id: o.id,
      props: properties(r)}
  } AS links
ORDER BY key
"""
)
KNOWN = "CYPHER 25 UNWIND $keys AS wanted MATCH (n:a_label {tenant: $tenant, its_key: wanted}) RETURN wanted AS key"
TAKEN = """
CYPHER 25
UNWIND $rows AS row
MATCH (n:a_label {tenant: $tenant, second_key: row.value}) WHERE n.id <> row.id
RETURN row.id AS id
"""
CREATE = """
CYPHER 25
UNWIND $rows AS row
CREATE (n:a_label {tenant: $tenant})
SET n += row.props
FOREACH (x IN CASE WHEN row.searchable THEN [1] ELSE [] END | SET n:Searchable)
WITH n, row
CALL (n, row) {
  WITH n, row WHERE row.vector IS NOT NULL
  CALL db.create.setNodeVectorProperty(n, 'EMBEDDING', row.vector)
}
RETURN count(n) AS made
"""
ENDS = """
CYPHER 25
UNWIND $rows AS row
MATCH (a:a_source {tenant: $tenant, its_key: row.source})
MATCH (b:a_target {tenant: $tenant, id: row.target})
"""
FOUND = " RETURN count(*) AS found"
ONCE = ENDS + "MERGE (a)-[r:a_type]->(b) ON CREATE SET r = row.props" + FOUND
TYPED = ENDS + "MERGE (a)-[r:a_type {type: row.props.type}]->(b) ON CREATE SET r = row.props" + FOUND
# Locked first: of two imports at once, the second counts what the first made.
EACH = (
    ENDS
    + """
SET b.created_at = b.created_at
WITH a, b, row
CALL (a, b, row) {
  MATCH (a)-[old:a_type]->(b) WHERE properties(old) = row.props
  RETURN count(old) AS there
}
FOREACH (x IN CASE WHEN there < row.number THEN [1] ELSE [] END | CREATE (a)-[r:a_type]->(b) SET r = row.props)
"""
    + FOUND
)
ONLY = (
    ENDS
    + """
WITH a, b, row, EXISTS { (a)-[:a_type]->() } AS has
FOREACH (x IN CASE WHEN has THEN [] ELSE [1] END | CREATE (a)-[r:a_type]->(b) SET r = row.props)
"""
    + FOUND
)
# A session that went on since keeps its own way: a chain must not fork.
CHAIN = (
    ENDS
    + """
WITH a, b, row, EXISTS { (a)-[:a_type]->() } OR EXISTS { (b)<-[:a_type]-() } AS has
FOREACH (x IN CASE WHEN has THEN [] ELSE [1] END | CREATE (a)-[r:a_type]->(b) SET r = row.props)
"""
    + FOUND
)
MAKING = {"once": ONCE, "typed": TYPED, "each": EACH, "only": ONLY, "chain": CHAIN}
# Parts whose memory was deleted while they were being exported.
SWEEP = """
CYPHER 25
MATCH (a:a_source {tenant: $tenant}) WHERE a.its_key > '' AND NOT EXISTS { (a)-[:a_type]->() }
WITH a LIMIT $limit
DETACH DELETE a
RETURN count(*) AS gone
"""
# Numbers that are given from now on are above all that came.
ABOVE = """
CYPHER 25
MERGE (c:Counter {tenant: $tenant, name: 'memory'})
SET c.next = CASE WHEN coalesce(c.next, 1) > $seq THEN c.next ELSE $seq + 1 END
"""
# How far an import has come; it is written behind what it speaks of, so what lies before it is there.
KEEP_PLACE = """
CYPHER 25
MERGE (c:Counter {tenant: $tenant, name: $name})
SET c.place = $place, c.updated_at = $now
"""
GET_PLACE = "CYPHER 25 MATCH (c:Counter {tenant: $tenant, name: $name}) RETURN c.place AS place"
PLACES = """
CYPHER 25
MATCH (c:Counter {tenant: $tenant}) WHERE c.name STARTS WITH $prefix
RETURN count(c) AS places
"""
DROP_PLACE = "CYPHER 25 MATCH (c:Counter {tenant: $tenant, name: $name}) DELETE c"

PAGES = {"Memory": MEMORIES, "MemoryWindow": WINDOWS}
# Of a number that 64 bits hold.
DIGITS = 19
BATCH = 1_000
IMPORT = "import "


class TransferRepository(Slotted):
    """One tenant's data as it is stored. `slot` names the vectors in force; labels are those of `TRANSFERRED`."""

    kind = "Node"

    def counts(self) -> dict[str, int]:
        """Return how many nodes there are of each label."""
        given = {"now": now_ms(), "never": NEVER}
        return {label: int(self.read(labels.of_label(COUNT, label), **given)[0]["total"]) for label in TRANSFERRED}

    def nodes(self, label: str, after: str, limit: int, *, vectors: bool) -> Rows:
        """Return `{key, searchable, vector, props}` of the nodes next above a key; memories in the order of writing.

        `props` are without tenant, vectors and the words of the text index that follow from the tenant. A window also
        has `of`, the id of its memory.
        """
        query = labels.of_label(labels.in_slot(PAGES.get(label, NODES), self.slot), label)
        number = after[:DIGITS] if label == "Memory" else ""
        given = {"after": after[len(number) :], "seq": int(number) if number.isdecimal() else 0, "limit": limit}
        rows = self.read(query, vectors=vectors, slot=self.slot, now=now_ms(), never=NEVER, **given)
        if label == "Memory":
            rows = [{**row, "key": f"{row['props']['seq']:0{DIGITS}d}{row['key']}"} for row in rows]
        return [{**row, "props": _told(row["props"])} for row in rows]

    def links(self, label: str, after: str, limit: int) -> Rows:
        """Return `{key, name, links: [{type, target, id, props}]}` of the nodes next above a key, without links too.

        `target` is the label of the other end and `id` its id.
        """
        types = sorted({link.type for link in LINKS if link.source == label})
        given = {"after": after, "limit": limit, "types": types, "now": now_ms(), "never": NEVER}
        return self.read(labels.of_label(FOLLOWED, label), **given)

    def known(self, label: str, keys: Ids) -> set[str]:
        """Return those of `keys` that are there."""
        stored = {self._stored(label, key): key for key in keys}
        return {stored[row["key"]] for row in self.read(labels.of_label(KNOWN, label), keys=list(stored))}

    def claimed(self, label: str, rows: Sequence[Row]) -> set[str]:
        """Return the ids of those rows, `{id, value}`, whose other unique property belongs to another node."""
        asked = [{**row, "value": self._stored(label, row["value"])} for row in rows]
        return {row["id"] for row in self.read(labels.of_label(TAKEN, label), rows=asked)}

    def create(self, label: str, rows: Sequence[Row]) -> None:
        """Write nodes, as `{props, searchable, vector}`.

        Raises:
            Conflict: one of them, or another of its name, is there by now.
            Moved: the vectors in force are others by now.
        """
        self.check_slot()
        self.write(labels.of_label(labels.in_slot(CREATE, self.slot), label), rows=list(rows))

    def link(self, link: Link, rows: Sequence[Row]) -> int:
        """Write relationships of one kind that are not there yet; return of how many both ends are there.

        Each is `{source, target, props, number}`: the keys of its ends, and which it is of those that are all equal.
        """
        stored = [{**row, "source": self._stored(link.source, row["source"])} for row in rows]
        ordered = sorted(stored, key=lambda row: (str(row["target"]), str(row["source"])))
        return int(self.write(labels.of_link(MAKING[LINKS[link]], link), rows=ordered)[0]["found"])

    def _stored(self, label: str, key: str) -> str:
        """Return a key as it is stored: names of entities may be digests."""
        if not self.seals or label not in ("EntityName", "Entity"):
            return key
        name, bar, kind = key.rpartition("|") if label == "Entity" else (key, "", "")
        # An entity may be meant by its id, too.
        return self.digested(name) + bar + kind if bar or label == "EntityName" else key

    def sweep(self) -> int:
        """Delete parts of memories that hang on none; return how many."""
        gone = 0
        for part, type in PARTS.items():
            query = labels.of_link(SWEEP, Link(part, type, "Memory"))
            while some := int(self.write(query, limit=BATCH)[0]["gone"]):
                gone += some
        return gone

    def number_above(self, seq: int) -> None:
        """Let memories that are stored from now on have a number above `seq`."""
        self.write(ABOVE, seq=seq)

    def names_changed(self) -> None:
        """Let readers that keep the tenant's names in memory look again."""
        self.write(NAMES_CHANGED, now=now_ms())

    def places(self) -> int:
        """Return how many imports are under way, or were interrupted."""
        return int(self.read(PLACES, prefix=IMPORT)[0]["places"])

    def place(self, id: str) -> str | None:
        """Return how far the import of the export `id` has come, as it was kept; None where none is under way."""
        found = self.read(GET_PLACE, name=IMPORT + id)
        return str(found[0]["place"]) if found else None

    def keep_place(self, id: str, place: str) -> None:
        """Keep how far an import has come."""
        self.write(KEEP_PLACE, name=IMPORT + id, place=place, now=now_ms())

    def drop_place(self, id: str) -> None:
        """Forget it: the import is through."""
        self.write(DROP_PLACE, name=IMPORT + id)


def _told(props: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sorted(props.items()) if value is not None}

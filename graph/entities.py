"""Entities: what memories mention. Every known spelling is an EntityName that points to its entities."""

from collections.abc import Callable, Sequence

from graph.clock import now_ms
from graph.errors import Conflict
from graph.labels import scope_token
from graph.outbox import Happened, each, happened
from graph.records import Row, Rows
from graph.repository import Repository, differing

# Finds or makes the `entity` of each row's name. Rows come sorted by key, so that two writers of the same names lock
# them in the same order. All names are locked (a property set to itself) before any entity is looked at: who deletes or
# merges an entity locks its names first, so nobody links to one that is going. A name that went while we waited for it
# is merged anew below.
RESOLVED = """
CYPHER 25
CALL () {
  UNWIND $rows AS row
  MERGE (n:EntityName {tenant: $tenant, key: row.key})
  ON CREATE SET n.name = row.name, n.scope_tokens = $scope_tokens, n.created_at = $now
  SET n.created_at = n.created_at
  RETURN count(n) AS locked
}
UNWIND $rows AS row
MERGE (n:EntityName {tenant: $tenant, key: row.key})
ON CREATE SET n.name = row.name, n.scope_tokens = $scope_tokens, n.created_at = $now
WITH n, row
CALL (n, row) {
  OPTIONAL MATCH (n)-[:NAMES]->(e:Entity)
  RETURN e ORDER BY CASE WHEN e.entity_type = row.entity_type THEN 0 ELSE 1 END,
    CASE WHEN e.name_key = row.key THEN 0 ELSE 1 END, e.created_at, e.id LIMIT 1
}
CALL (n, row, e) {
  WITH n, row, e WHERE e IS NULL
  MERGE (made:Entity {tenant: $tenant, key: row.key + '|' + row.entity_type})
  ON CREATE SET made.id = row.entity_id, made.name = row.name, made.name_key = row.key, made.padded = row.padded,
    made.entity_type = row.entity_type, made.noise = row.noise, made.metadata = '{}', made.source = row.source,
    made.created_at = $now, made.updated_at = $now, made.version = 1
  MERGE (n)-[:NAMES]->(made)
  RETURN made AS entity
 UNION
  WITH n, row, e WHERE e IS NOT NULL
  RETURN e AS entity
}
"""
# Which entities the rows name, and which of them were made for it.
TOLD = """
RETURN DISTINCT entity.id AS id, entity.entity_type AS entity_type, entity.version AS version,
  entity.id = row.entity_id AS created
"""
MENTION = (
    RESOLVED
    + """
MATCH (m:Memory {tenant: $tenant, id: row.memory_id})
MERGE (m)-[r:MENTIONS]->(entity)
ON CREATE SET r.relationship = row.relationship, r.confidence = row.confidence, r.source = row.source,
  r.about = row.about, r.from = $now, r.to = $never
FOREACH (x IN CASE WHEN row.about THEN [1] ELSE [] END |
  MERGE (m)-[a:ABOUT]->(entity) ON CREATE SET a.from = $now, a.to = $never)
"""
    + TOLD
)
# The counts are degrees, so an entity with ten thousand mentions is shown as fast as one with none.
SHOWN = """
RETURN e.id AS id, e.name AS name, e.entity_type AS entity_type, e.metadata AS metadata,
  e.created_at AS created_at, e.updated_at AS updated_at, e.version AS version,
  COUNT { (e)<-[:MENTIONS]-() } AS memory_count, COUNT { (e)-[:RELATED_TO]-() } AS relationship_count,
  COLLECT {
    MATCH (alias:EntityName)-[:NAMES]->(e) WHERE alias.key <> e.name_key
    RETURN alias.name ORDER BY alias.name, alias.key LIMIT 100
  } AS aliases
"""
# The name is locked first, as every writer of explicit names does: two that make the same entity meet here.
CREATE = (
    """
CYPHER 25
CALL () {
  MERGE (n:EntityName {tenant: $tenant, key: $name_key})
  ON CREATE SET n.name = $name, n.scope_tokens = $scope_tokens, n.created_at = $now
  SET n.updated_at = $now
  RETURN count(n) AS locked
}
MERGE (n:EntityName {tenant: $tenant, key: $name_key})
ON CREATE SET n.name = $name, n.scope_tokens = $scope_tokens, n.created_at = $now
WITH n
CALL (n) {
  OPTIONAL MATCH (n)-[:NAMES]->(known:Entity {entity_type: $entity_type, tenant: $tenant})
  RETURN known ORDER BY CASE WHEN known.name_key = $name_key THEN 0 ELSE 1 END, known.created_at, known.id LIMIT 1
}
CALL (n, known) {
  WITH n, known WHERE known IS NULL
  MERGE (made:Entity {tenant: $tenant, key: $key})
  ON CREATE SET made.id = $id, made.name = $name, made.name_key = $name_key, made.padded = $padded,
    made.entity_type = $entity_type, made.noise = $noise, made.metadata = $metadata,
    made.created_at = $now, made.updated_at = $now, made.version = 1
  MERGE (n)-[:NAMES]->(made)
  RETURN made AS e
 UNION
  WITH n, known WHERE known IS NOT NULL
  RETURN known AS e
}
SET e.source = 'manual'
WITH e
CALL (e) {
  MATCH (a:Agent {tenant: $tenant, id: $agent_id})
  MERGE (e)-[by:INTRODUCED_BY]->(a) ON CREATE SET by.at = $now
}
WITH e
"""
    + SHOWN
)
GET = "CYPHER 25 MATCH (e:Entity {tenant: $tenant, id: $id})" + SHOWN
MANY = "CYPHER 25 UNWIND $ids AS wanted MATCH (e:Entity {tenant: $tenant, id: wanted})" + SHOWN
FILTER = """
WITH DISTINCT e
WHERE e.created_at <= $before AND (e.created_at < $before OR e.id < $before_id)
  AND ($entity_type IS NULL OR e.entity_type = $entity_type)
"""
# No DISTINCT where the index already gives each entity once, in order: the page costs the same wherever it is.
# `'' + e.id` is what no index answers: with the id alone, the planner reads two indexes for the OR and loses the order.
FILTER_ORDERED = """
WHERE e.created_at <= $before AND (e.created_at < $before OR '' + e.id < $before_id)
"""
PAGE = "WITH e ORDER BY e.created_at DESC, e.id DESC SKIP $offset LIMIT $limit"
# An index gives its order only to a query that names all its properties, those that are fixed too.
PAGE_ORDERED = "WITH e ORDER BY e.tenant DESC, e.created_at DESC, e.id DESC SKIP $offset LIMIT $limit"
PAGE_OF_TYPE = (
    "WITH e ORDER BY e.tenant DESC, e.entity_type DESC, e.created_at DESC, e.id DESC SKIP $offset LIMIT $limit"
)
NEWEST_FIRST = " ORDER BY created_at DESC, id DESC"
COUNTED = "RETURN count(e) AS total"
MATCH_ALL = "CYPHER 25 MATCH (e:Entity {tenant: $tenant})"
MATCH_TYPE = "CYPHER 25 MATCH (e:Entity {tenant: $tenant, entity_type: $entity_type})"
MATCH_AGENT = """
CYPHER 25
MATCH (a:Agent {tenant: $tenant, id: $agent_id})
CALL (a) {
  MATCH (a)<-[:RECORDED_BY]-(:Memory)-[:MENTIONS]->(e:Entity) RETURN e
 UNION
  MATCH (a)<-[:INTRODUCED_BY]-(e:Entity) RETURN e
}
"""
LISTS = {
    "agent_id": MATCH_AGENT + FILTER + PAGE + SHOWN + NEWEST_FIRST,
    "entity_type": MATCH_TYPE + FILTER_ORDERED + PAGE_OF_TYPE + SHOWN + NEWEST_FIRST,
    "": MATCH_ALL + FILTER_ORDERED + PAGE_ORDERED + SHOWN + NEWEST_FIRST,
}
COUNTS = {
    "agent_id": MATCH_AGENT + FILTER + COUNTED,
    "entity_type": MATCH_TYPE + FILTER_ORDERED + COUNTED,
    "": MATCH_ALL + FILTER_ORDERED + COUNTED,
}
# Whoever is edited by hand is kept, also when its last mention goes.
LOCK = """
CYPHER 25
MATCH (e:Entity {tenant: $tenant, id: $id}) SET e.source = 'manual'
WITH e WHERE e.id IS NOT NULL
RETURN e.id AS id, e.name AS name, e.name_key AS name_key, e.padded AS padded, e.noise AS noise, e.key AS key,
  e.entity_type AS entity_type, e.metadata AS metadata, e.version AS version
"""
UPDATE = (
    """
CYPHER 25
MATCH (e:Entity {tenant: $tenant, id: $id})
SET e += $changes, e.updated_at = $now, e.version = e.version + 1
WITH e
"""
    + SHOWN
)
TOUCH = """
CYPHER 25
MATCH (e:Entity {tenant: $tenant, id: $id})
SET e.updated_at = $now, e.version = e.version + 1
RETURN e.id AS id, e.entity_type AS entity_type, e.version AS version
"""
# The old spelling stays and leads here, so that texts that use it still do.
CLAIM_NAME = """
CYPHER 25
CALL () {
  MERGE (n:EntityName {tenant: $tenant, key: $name_key})
  ON CREATE SET n.name = $name, n.scope_tokens = $scope_tokens, n.created_at = $now
  SET n.updated_at = $now
  RETURN count(n) AS locked
}
MERGE (n:EntityName {tenant: $tenant, key: $name_key})
ON CREATE SET n.name = $name, n.scope_tokens = $scope_tokens, n.created_at = $now
WITH n
MATCH (e:Entity {tenant: $tenant, id: $id})
WITH n, e, EXISTS { MATCH (n)-[:NAMES]->(other:Entity) WHERE other <> e AND other.entity_type = $entity_type } AS taken,
  EXISTS { MATCH (n)-[:NAMES]->(other:Entity) WHERE other <> e } AS shared
FOREACH (x IN CASE WHEN taken THEN [] ELSE [1] END | MERGE (n)-[:NAMES]->(e))
FOREACH (x IN CASE WHEN shared THEN [] ELSE [1] END | SET n.name = $name)
RETURN taken
"""
# Readers that keep a tenant's names in memory look here: names that went away leave no other trace.
NAMES_CHANGED = """
CYPHER 25
MERGE (c:Counter {tenant: $tenant, name: 'entity_names'}) SET c.changed_at = $now
"""


# What of it the wire shows and an edit may change; the rest follows from these.
FIELDS = frozenset(("name", "entity_type", "metadata"))


class EntityRepository(Repository):
    """Entities of one tenant. `metadata` is JSON text; times are epoch milliseconds."""

    kind = "Entity"
    taken = "Another entity of this type has this name; merge the two instead"

    def mention(self, rows: Sequence[Row], never: int) -> set[str]:
        """Link memories to the entities they mention, creating those not known yet; return the ids of all.

        Each row is `{memory_id, key, name, padded, entity_type, noise, entity_id, confidence, source, about,
        relationship}`; `key` is the normalised name, `padded` the same between spaces, `entity_id` the id of a new one.
        """
        ordered = sorted(rows, key=lambda row: (row["key"], row["memory_id"]))
        given = {"rows": ordered, "now": now_ms(), "never": never, "scope_tokens": self.scope_tokens}
        return {row["id"] for row in self.telling(MENTION, each("entity.created"), **given)}

    @property
    def scope_tokens(self) -> str:
        """The word that stands for the tenant in the index of names."""
        return scope_token("tenant", self.tenant)

    def create(self, id: str, props: Row, metadata: str, agent_id: str | None) -> Row:
        """Return the entity of this name and type, made with `id` where there is none.

        `props` is `{name, name_key, padded, noise, entity_type, key}`; `agent_id` is remembered as who named it.
        """
        given = {"id": id, "metadata": metadata, "agent_id": agent_id, "scope_tokens": self.scope_tokens, **props}

        def told(rows: Rows) -> list[Happened]:
            return each("entity.created")(row for row in rows if row["id"] == id)

        return self.telling(CREATE, told, now=now_ms(), **given)[0]

    def get(self, id: str) -> Row:
        """Return one entity.

        Raises:
            NotFound: no such entity.
        """
        return self.one(GET, id=id)

    def get_many(self, ids: Sequence[str]) -> Rows:
        """Return entities in the order of `ids`; those that are gone are left out."""
        found = {row["id"]: row for row in self.read(MANY, ids=list(ids))}
        return [found[id] for id in ids if id in found]

    def list(self, before: int, before_id: str, offset: int, limit: int, filters: Row) -> Rows:
        """Return entities, newest first; `filters` is `{agent_id, entity_type}`, None where it does not matter."""
        query = LISTS[_narrowest(filters)]
        return self.read(query, before=before, before_id=before_id, offset=offset, limit=limit, **filters)

    def count(self, filters: Row, before: int) -> int:
        """Return how many entities pass the filters; `before` lies in the far future."""
        return int(self.read(COUNTS[_narrowest(filters)], before=before, before_id="", **filters)[0]["total"])

    def update(self, id: str, change: Callable[[Row], Row]) -> Row:
        """Give the entity the properties that `change` makes of what is stored; return it.

        A change that holds `name_key` also makes that spelling lead here; the old one goes on doing so.

        Raises:
            NotFound: no such entity.
            Conflict: another entity of the type has the name.
        """

        def work(tx: Repository) -> Row:
            before = tx.write_one(LOCK, id=id)
            wanted = change(before)
            made = differing(wanted, before)
            if not made:
                return tx.one(GET, id=id)
            if "name_key" in wanted:
                named = {name: wanted[name] for name in ("name", "name_key", "entity_type")}
                claim = tx.write_one(CLAIM_NAME, id=id, now=now_ms(), scope_tokens=self.scope_tokens, **named)
                if claim["taken"]:
                    raise Conflict(self.taken)
                tx.write(NAMES_CHANGED, now=now_ms())
            row = tx.write_one(UPDATE, id=id, changes=made, now=now_ms())
            tx.tell(happened("entity.updated", row, made.keys() & FIELDS))
            return row

        with self.said_clearly():
            return self.together(lambda tx: work(EntityRepository(self.graph, self.caller, tx)))

    def lock(self, id: str) -> Row:
        """Lock an entity in the open transaction and return what an edit needs to know.

        Raises:
            NotFound: no such entity.
        """
        return self.write_one(LOCK, id=id)

    def renamed(self, id: str) -> None:
        """Note that the spellings of a locked entity are others now."""
        self.telling(TOUCH, each("entity.updated", "aliases"), id=id, now=now_ms())


def _narrowest(filters: Row) -> str:
    return next((name for name in LISTS if name and filters[name] is not None), "")

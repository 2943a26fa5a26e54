"""The names of entities: aliases, search by name, and the list of all names that extraction looks for."""

from collections.abc import Mapping

from graph.clock import now_ms
from graph.entities import CLAIM_NAME, NAMES_CHANGED, EntityRepository
from graph.errors import Conflict, NotFound
from graph.records import Ids, Row, Rows
from graph.repository import Repository

ALIASES = """
CYPHER 25
MATCH (e:Entity {tenant: $tenant, id: $id})<-[:NAMES]-(n:EntityName)
WHERE n.key <> e.name_key
RETURN n.name AS alias, n.created_at AS created_at ORDER BY alias, n.key
"""
ALIAS = """
CYPHER 25
MATCH (n:EntityName {tenant: $tenant, key: $name_key})-[:NAMES]->(:Entity {tenant: $tenant, id: $id})
RETURN n.name AS alias, n.created_at AS created_at
"""
ALIAS_COUNT = """
CYPHER 25
MATCH (e:Entity {tenant: $tenant, id: $id})
RETURN COUNT { (e)<-[:NAMES]-() } AS total
"""
# The spelling is locked before it is judged; one that names nothing any more goes.
DROP_ALIAS = """
CYPHER 25
MATCH (n:EntityName {tenant: $tenant, key: $name_key})-[r:NAMES]->(:Entity {tenant: $tenant, id: $id})
SET n.updated_at = $now
DELETE r
WITH DISTINCT n
FOREACH (x IN CASE WHEN EXISTS { (n)-[:NAMES]->() } THEN [] ELSE [1] END | DETACH DELETE n)
RETURN $name_key AS name_key
"""
# Exact, then by prefix, then by words and misspellings; each part reads an index and stops at its limit.
FIND = """
CYPHER 25
CALL () {
  MATCH (n:EntityName {tenant: $tenant, key: $name_key})
  RETURN n, 2000.0 AS score
 UNION ALL
  MATCH (n:EntityName) WHERE n.tenant = $tenant AND n.key STARTS WITH $name_key
  RETURN n, 1000.0 AS score ORDER BY n.key LIMIT $most
 UNION ALL
  MATCH (n:EntityName)
  SEARCH n IN (FULLTEXT INDEX entity_names FOR $text LIMIT $most) SCORE AS x
  WHERE n.tenant = $tenant
  RETURN n, x AS score
}
WITH n, max(score) AS score
MATCH (n)-[:NAMES]->(e:Entity)
WITH e, max(score) AS score
WHERE ($entity_type IS NULL OR e.entity_type = $entity_type)
  AND ($agent_id IS NULL OR EXISTS { (e)<-[:MENTIONS]-(:Memory {tenant: $tenant, agent_id: $agent_id}) }
    OR EXISTS { (e)-[:INTRODUCED_BY]->(:Agent {tenant: $tenant, id: $agent_id}) })
WITH e, score ORDER BY score DESC, COUNT { (e)<-[:MENTIONS]-() } DESC, e.name, e.id
RETURN collect(e.id) AS ids
"""
# What was found outside the database, because names are sealed in it.
CHOSEN = """
CYPHER 25
UNWIND $found AS pair
MATCH (e:Entity {tenant: $tenant, id: pair[0]})
WHERE ($entity_type IS NULL OR e.entity_type = $entity_type)
  AND ($agent_id IS NULL OR EXISTS { (e)<-[:MENTIONS]-(:Memory {tenant: $tenant, agent_id: $agent_id}) }
    OR EXISTS { (e)-[:INTRODUCED_BY]->(:Agent {tenant: $tenant, id: $agent_id}) })
WITH e, pair[1] AS score ORDER BY score DESC, COUNT { (e)<-[:MENTIONS]-() } DESC, e.id
RETURN collect(e.id) AS ids
"""
NAMED = """
CYPHER 25
MATCH (n:EntityName {tenant: $tenant, key: $name_key})-[:NAMES]->(e:Entity)
RETURN e.id AS id
ORDER BY CASE WHEN e.name_key = $name_key THEN 0 ELSE 1 END, COUNT { (e)<-[:MENTIONS]-() } DESC, e.created_at, e.id
LIMIT 1
"""
# Ordered by all properties of the index, so that it is read in its order. Own names first: the first row of an entity
# gives the name that mentions carry.
KNOWN = """
CYPHER 25
MATCH (n:EntityName) WHERE n.tenant = $tenant AND n.created_at >= 0
WITH n ORDER BY n.tenant DESC, n.created_at DESC LIMIT $most
MATCH (n)-[:NAMES]->(e:Entity) WHERE NOT coalesce(e.noise, false)
WITH n, e ORDER BY CASE WHEN e.name_key = n.key THEN 0 ELSE 1 END, e.created_at, e.id, n.key
RETURN collect([n.key, n.name, e.name_key, e.name, e.entity_type, e.id]) AS names
"""
STAMP = """
CYPHER 25
OPTIONAL MATCH (c:Counter {tenant: $tenant, name: 'entity_names'})
CALL () {
  OPTIONAL MATCH (n:EntityName) WHERE n.tenant = $tenant AND n.created_at >= 0
  RETURN n.created_at AS newest ORDER BY n.tenant DESC, n.created_at DESC LIMIT 1
}
RETURN coalesce(newest, 0) AS newest, coalesce(c.changed_at, 0) AS changed
"""
MOST_ALIASES = 100


class EntityNameRepository(Repository):
    """Spellings of one tenant. `name_key` is the normalised spelling under which each is unique."""

    kind = "Alias"

    def aliases(self, id: str) -> Rows:
        """Return an entity's other spellings as `{alias, created_at}`.

        Raises:
            NotFound: no such entity.
        """
        EntityRepository(self.graph, self.caller, self.tx).get(id)
        # A name that is sealed has no order in the database.
        return sorted(self.read(ALIASES, id=id), key=lambda row: str(row["alias"]))

    def add(self, id: str, name: str, name_key: str) -> tuple[Row, bool]:
        """Make a spelling lead to an entity; return its row, and whether it is new there.

        Raises:
            NotFound: no such entity.
            Conflict: the spelling leads to another entity of the type, or there are too many.
        """

        def work(tx: Repository) -> tuple[Row, bool]:
            entities = EntityRepository(self.graph, self.caller, tx.tx)
            entity = entities.lock(id)
            if found := tx.read(ALIAS, id=id, name_key=name_key):
                return found[0], False
            if tx.read(ALIAS_COUNT, id=id)[0]["total"] > MOST_ALIASES:
                raise Conflict(f"An entity has at most {MOST_ALIASES} aliases; remove one first")
            claim = {"name": name, "name_key": name_key, "entity_type": entity["entity_type"]}
            made = tx.write_one(CLAIM_NAME, id=id, now=now_ms(), scope_tokens=entities.scope_tokens, **claim)
            if made["taken"]:
                raise Conflict(entities.taken)
            entities.renamed(id)
            return tx.read(ALIAS, id=id, name_key=name_key)[0], True

        return self.together(lambda tx: work(Repository(self.graph, self.caller, tx)))

    def drop(self, id: str, name_key: str) -> None:
        """Remove one of an entity's other spellings.

        Raises:
            NotFound: no such entity, or it has no such alias.
            Conflict: it is the entity's own name.
        """

        def work(tx: Repository) -> None:
            entities = EntityRepository(self.graph, self.caller, tx.tx)
            if entities.lock(id)["name_key"] == self.digested(name_key):
                raise Conflict("This is the entity's own name; rename the entity, or delete it")
            if not tx.write(DROP_ALIAS, id=id, name_key=name_key, now=now_ms()):
                raise NotFound(self.kind)
            entities.renamed(id)
            tx.write(NAMES_CHANGED, now=now_ms())

        self.together(lambda tx: work(Repository(self.graph, self.caller, tx)))

    def find(self, name_key: str, text: str, most: int, filters: Row) -> Ids:
        """Return ids of entities by name, best first; `text` is a Lucene query that holds the tenant's word."""
        row = self.read(FIND, name_key=name_key, text=text, most=most, **filters)[0]
        return list(row["ids"])

    def chosen(self, scores: Mapping[str, float], filters: Row) -> Ids:
        """Return those of some entities, given with their scores, that pass the filters, best first."""
        found = [[id, score] for id, score in scores.items()]
        return list(self.read(CHOSEN, found=found, **filters)[0]["ids"])

    def named(self, name_key: str) -> str:
        """Return the id of the entity with this name or alias, the one that is mentioned most.

        Raises:
            NotFound: there is none.
        """
        found = self.read(NAMED, name_key=name_key)
        if not found:
            raise NotFound("Entity")
        return str(found[0]["id"])

    def known(self, most: int) -> list[list[str]]:
        """Return the newest `most` names as [key, spelling, own key, own name, entity type, id], own names first."""
        names: list[list[str]] = self.read(KNOWN, most=most)[0]["names"]
        return names

    def stamp(self) -> tuple[int, int]:
        """Return what differs once a name was added or taken away; costs two looks at an index."""
        row = self.read(STAMP)[0]
        return int(row["newest"]), int(row["changed"])

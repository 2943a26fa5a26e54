"""Data keys: what a tenant's texts are sealed with, each wrapped by the master key, and which tenants are encrypted.

`place` is `active` for the key that seals, `lookup` for the one that digests are made with, and a key's own id once it
is retired. A retired key stays until nothing is sealed with it any more.
"""

from typing import Any

from graph.clock import now_ms
from graph.driver import Graph
from graph.records import Row, Rows
from graph.repository import Repository

ACTIVE, LOOKUP = "active", "lookup"

# Of several processes that make the first key at once, all get the one that was made first.
MADE = """
CYPHER 25
MERGE (k:DataKey {tenant: $tenant, place: $place})
ON CREATE SET k.id = $id, k.name = 'data key', k.wrapped = $wrapped, k.created_at = $now, k.updated_at = $now,
  k.version = 1
RETURN k.id AS id, k.wrapped AS wrapped
"""
GET = """
CYPHER 25
MATCH (k:DataKey {tenant: $tenant, place: $place})
RETURN k.id AS id, k.wrapped AS wrapped
"""
LIST = """
CYPHER 25
MATCH (k:DataKey {tenant: $tenant}) WHERE k.id >= ''
RETURN k.id AS id, k.place AS place, k.created_at AS created_at, k.updated_at AS updated_at ORDER BY created_at, id
"""
ROTATE = """
CYPHER 25
MATCH (old:DataKey {tenant: $tenant, place: 'active'})
SET old.place = old.id, old.updated_at = $now, old.version = old.version + 1
CREATE (k:DataKey {tenant: $tenant, place: 'active', id: $id, name: 'data key', wrapped: $wrapped, created_at: $now,
  updated_at: $now, version: 1})
RETURN old.id AS id
"""
DROP = """
CYPHER 25
MATCH (k:DataKey {tenant: $tenant, id: $id}) WHERE NOT k.place IN ['active', 'lookup']
DELETE k
"""
# An id is unique over all tenants, and what is sealed names its key by it alone.
BY_ID = """
CYPHER 25
MATCH (k:DataKey {id: $id})
RETURN k.id AS id, k.tenant AS tenant, k.wrapped AS wrapped
"""
WRAPPED = """
CYPHER 25
MATCH (k:DataKey) WHERE k.id > $after
RETURN k.id AS id, k.tenant AS tenant, k.wrapped AS wrapped ORDER BY k.id LIMIT $limit
"""
REWRAP = """
CYPHER 25
MATCH (k:DataKey {tenant: $tenant, id: $id}) WHERE k.wrapped = $was
SET k.wrapped = $wrapped, k.updated_at = $now
"""
SECRETS = """
CYPHER 25
MATCH (n:Webhook|ExtractionKey) WHERE n.id > $after
WITH n ORDER BY n.id LIMIT $limit
RETURN n.id AS id, n.tenant AS tenant, properties(n) AS props
"""
RESEAL_WEBHOOK = "CYPHER 25 MATCH (n:Webhook {tenant: $tenant, id: $id}) WHERE n[$prop] = $was SET n[$prop] = $sealed"
RESEAL_EXTRACTION = (
    "CYPHER 25 MATCH (n:ExtractionKey {tenant: $tenant, id: $id}) WHERE n[$prop] = $was SET n[$prop] = $sealed"
)
MODE = "CYPHER 25 MATCH (t:Tenant {id: $tenant}) RETURN coalesce(t.encryption, '') AS mode"
# `seal_from` says since when something in a tenant is to be sealed anew (`graph.sealed`); a worker looks for it.
SET_MODE = """
CYPHER 25
MATCH (t:Tenant {account: $account, namespace: $namespace})
SET t.touched_at = $now
WITH t, coalesce(t.encryption, '') <> $mode AS changed
SET t.encryption = $mode, t.seal_from = CASE WHEN changed THEN $now ELSE t.seal_from END
RETURN t.id AS id, changed
"""
# What the database was made with: a text that was sealed under its master key, and the keys that signed receipts.
CHECK = """
CYPHER 25
OPTIONAL MATCH (v:SchemaVersion {name: 'master'})
RETURN v.sealed AS sealed, coalesce(v.signers, []) AS signers, coalesce(v.setting, '') AS setting
"""
# LOCI_ENCRYPTION of the server that was started last.
KEEP_SETTING = "CYPHER 25 MATCH (v:SchemaVersion {name: 'master'}) SET v.setting = $setting"
KEEP_CHECK = """
CYPHER 25
MERGE (v:SchemaVersion {name: 'master'})
ON CREATE SET v.sealed = $sealed, v.signers = []
RETURN v.sealed AS sealed, v.signers AS signers, coalesce(v.setting, '') AS setting
"""
SET_CHECK = """
CYPHER 25
MATCH (v:SchemaVersion {name: 'master'})
SET v.sealed = $sealed, v.signers = [each IN coalesce(v.signers, []) WHERE each <> $signer] + $signer
"""


def signers(graph: Graph) -> list[str]:
    """Return the public keys of former master keys, whose receipts still count."""
    return list(graph.read(CHECK)[0]["signers"])


class DataKeyRepository(Repository):
    """The data keys of one tenant; what is wrapped is text."""

    kind = "Data key"

    def get(self, place: str) -> Row | None:
        """Return `{id, wrapped}` of the key in a place, if there is one."""
        found = self.read(GET, place=place)
        return found[0] if found else None

    def made(self, place: str, id: str, wrapped: str) -> Row:
        """Return `{id, wrapped}` of the key in a place, made of what is given where there is none."""
        return self.write(MADE, place=place, id=id, wrapped=wrapped, now=now_ms())[0]

    def list(self) -> Rows:
        """Return `{id, place, created_at, updated_at}` of all keys, oldest first."""
        return self.read(LIST)

    def rotate(self, id: str, wrapped: str) -> str | None:
        """Put a new key in force; return the id of the one it takes the place of, None where there was none."""
        found = self.write(ROTATE, id=id, wrapped=wrapped, now=now_ms())
        return str(found[0]["id"]) if found else None

    def drop(self, id: str) -> None:
        """Delete a retired key: nothing that was sealed with it can be read from then on."""
        self.write(DROP, id=id)

    def rewrap(self, id: str, was: str, wrapped: str) -> None:
        """Wrap a key anew, unless somebody did meanwhile."""
        self.write(REWRAP, id=id, was=was, wrapped=wrapped, now=now_ms())

    def reseal(self, webhook: bool, id: str, prop: str, was: Any, sealed: Any) -> None:
        """Put another sealing of a secret in the place of one, unless it is another by now."""
        query = RESEAL_WEBHOOK if webhook else RESEAL_EXTRACTION
        self.write(query, id=id, prop=prop, was=was, sealed=sealed)

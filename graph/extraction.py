"""Keys of language models that a tenant brings for extraction: stored sealed, at most one of them active."""

from collections.abc import Callable
from typing import TypeVar

from graph.clock import now_ms
from graph.driver import Transaction
from graph.labels import NEVER
from graph.records import Row, Rows
from graph.repository import Repository

T = TypeVar("T")

SHOWN = """
RETURN k.id AS id, k.provider AS provider, k.label AS label, k.model AS model, k.base_url AS base_url,
  k.is_active AS is_active, k.masked_key AS masked_key, k.last_validated_at AS last_validated_at,
  k.last_used_at AS last_used_at, k.created_at AS created_at, k.updated_at AS updated_at, k.sealed AS sealed
"""
# The tenant is locked by every change, so that of two first keys one becomes active and of two activations one stays.
LOCK = "CYPHER 25 MATCH (t:Tenant {id: $tenant}) SET t.keys_changed_at = $now"
CREATE = (
    """
CYPHER 25
CREATE (k:ExtractionKey {tenant: $tenant, id: $id})
SET k += $props, k.name = $props.provider + ' ' + $props.model, k.created_at = $now, k.updated_at = $now,
  k.version = 1,
  k.is_active = NOT EXISTS { MATCH (o:ExtractionKey {tenant: $tenant}) WHERE o.created_at > 0 AND o.id <> $id }
WITH k
"""
    + SHOWN
)
LIST = (
    "CYPHER 25 MATCH (k:ExtractionKey {tenant: $tenant}) WHERE k.created_at > 0 AND k.created_at < $never"
    + SHOWN
    + " ORDER BY created_at, id"
)
GET = "CYPHER 25 MATCH (k:ExtractionKey {tenant: $tenant, id: $id})" + SHOWN
ACTIVATE = """
CYPHER 25
MATCH (k:ExtractionKey {tenant: $tenant}) WHERE k.created_at > 0 AND k.is_active <> (k.id = $id)
SET k.is_active = (k.id = $id), k.updated_at = $now, k.version = k.version + 1
RETURN count(k) AS changed
"""
DEACTIVATE = """
CYPHER 25
MATCH (k:ExtractionKey {tenant: $tenant}) WHERE k.created_at > 0 AND k.is_active
SET k.is_active = false, k.updated_at = $now, k.version = k.version + 1
RETURN count(k) AS changed
"""
DELETE = """
CYPHER 25
MATCH (k:ExtractionKey {tenant: $tenant, id: $id})
DETACH DELETE k
RETURN $id AS id
"""
USED = """
CYPHER 25
MATCH (k:ExtractionKey {tenant: $tenant, id: $id})
SET k.last_used_at = $now, k.last_validated_at = CASE WHEN $worked THEN $now ELSE k.last_validated_at END
"""


class ExtractionKeyRepository(Repository):
    """Extraction keys of one tenant. `sealed` is the encrypted key; times are epoch ms."""

    kind = "Extraction key"

    def create(self, id: str, props: Row) -> Row:
        """Create a key; the first of a tenant becomes active."""

        return self._locked(lambda inside: inside.write_one(CREATE, id=id, props=props, now=now_ms()))

    def list(self) -> Rows:
        """Return all keys, oldest first."""
        return self.read(LIST, never=NEVER)

    def active(self) -> Row | None:
        """Return the key in use."""
        return next((row for row in self.list() if row["is_active"]), None)

    def activate(self, id: str) -> Row:
        """Make one key active and all others not.

        Raises:
            NotFound: no such key.
        """

        def work(inside: ExtractionKeyRepository) -> Row:
            inside.one(GET, id=id)
            inside.write(ACTIVATE, id=id, now=now_ms())
            return inside.one(GET, id=id)

        return self._locked(work)

    def deactivate_all(self) -> int:
        """Make no key active; return how many were."""

        return self._locked(lambda inside: int(inside.write(DEACTIVATE, now=now_ms())[0]["changed"]))

    def delete(self, id: str) -> None:
        """Delete a key for good.

        Raises:
            NotFound: no such key.
        """
        self._locked(lambda inside: inside.write_one(DELETE, id=id))

    def used(self, id: str, *, worked: bool) -> None:
        """Note that a key was used now, and whether its model answered."""
        self.write(USED, id=id, worked=worked, now=now_ms())

    def _locked(self, work: Callable[["ExtractionKeyRepository"], T]) -> T:
        def run(tx: Transaction) -> T:
            inside = ExtractionKeyRepository(self.graph, self.caller, tx)
            inside.write(LOCK, now=now_ms())
            return work(inside)

        return self.together(run)

"""API keys and the tenants they open. A key belongs to an account; its tenant is a namespace of that account."""

from typing import Any

from graph import outbox
from graph.clock import now_ms
from graph.driver import Graph, Transaction
from graph.errors import Conflict, NotFound
from graph.labels import NEVER
from graph.outbox import Happened, happened
from graph.records import Row, Rows
from graph.repository import differing

# A digest is unique over all tenants, and it is what leads to the tenant: nothing to filter by before it is known.
FIND = """
CYPHER 25
MATCH (k:ApiKey {digest: $digest})-[:OPENS]->(t:Tenant)
RETURN k.id AS id, k.digest AS digest, k.key_prefix AS key_prefix, k.scopes AS scopes, k.dialect AS dialect,
  k.account AS account, t.id AS tenant, t.namespace AS namespace, k.revoked_at AS revoked_at,
  k.auto_revoke_at AS auto_revoke_at, k.expires_at AS expires_at, coalesce(t.encryption, '') AS encryption
"""
SHOWN = """
RETURN k.id AS id, k.name AS name, k.key_prefix AS key_prefix, k.scopes AS scopes, t.namespace AS namespace,
  k.dialect AS dialect, k.created_at AS created_at, k.last_used_at AS last_used_at, k.expires_at AS expires_at,
  k.revoked_at AS revoked_at, k.deprecated_at AS deprecated_at, k.auto_revoke_at AS auto_revoke_at,
  k.daily_spend_limit_usd AS daily_spend_limit_usd, k.monthly_spend_limit_usd AS monthly_spend_limit_usd,
  head([(k)<-[:REPLACES]-(newer) | newer.id]) AS replaced_by, t.id AS tenant
"""
CREATE = (
    """
CYPHER 25
MERGE (t:Tenant {account: $account, namespace: $namespace})
ON CREATE SET t.id = $tenant_id, t.created_at = $now, t.name = $namespace, t.encryption = $encryption
CREATE (k:ApiKey {id: $id, account: $account, digest: $digest, name: $name, key_prefix: $key_prefix, scopes: $scopes,
  dialect: $dialect, created_at: $now, updated_at: $now, version: 1, expires_at: $expires_at,
  daily_spend_limit_usd: $daily_spend_limit_usd, monthly_spend_limit_usd: $monthly_spend_limit_usd})
CREATE (k)-[:OPENS]->(t)
WITH k, t
"""
    + SHOWN
)
LIST = (
    """
CYPHER 25
MATCH (k:ApiKey {account: $account})
WHERE k.created_at <= $before AND CASE WHEN k.created_at < $before THEN true ELSE k.id < $before_id END
WITH k ORDER BY k.account DESC, k.created_at DESC, k.id DESC SKIP $offset LIMIT $limit
MATCH (k)-[:OPENS]->(t:Tenant)
"""
    + SHOWN
    + " ORDER BY created_at DESC, id DESC"
)
COUNT = "CYPHER 25 MATCH (k:ApiKey {account: $account}) WHERE k.created_at >= 0 RETURN count(k) AS total"
GET = "CYPHER 25 MATCH (k:ApiKey {account: $account, id: $id})-[:OPENS]->(t:Tenant)" + SHOWN
# What is decided by looking at all keys of an account is decided by one caller at a time.
LOCK = "CYPHER 25 MERGE (a:Account {name: $account}) SET a.touched_at = $now"
ADMINS = """
CYPHER 25
MATCH (k:ApiKey {account: $account})
WHERE k.created_at >= 0 AND 'admin' IN k.scopes AND k.revoked_at IS NULL AND k.auto_revoke_at IS NULL
  AND (k.expires_at IS NULL OR k.expires_at > $now)
RETURN count(k) AS admins
"""
UPDATE = (
    """
CYPHER 25
MATCH (k:ApiKey {account: $account, id: $id})-[:OPENS]->(t:Tenant)
SET k += $changes, k.updated_at = $now, k.version = coalesce(k.version, 1) + 1
WITH k, t
"""
    + SHOWN
)
# One statement, and no lock but the key's: of many that rotate it at once each waits for one short transaction.
ROTATE = (
    """
CYPHER 25
MATCH (old:ApiKey {account: $account, id: $id})-[:OPENS]->(t:Tenant)
SET old.created_at = old.created_at
WITH old, t
WHERE old.deprecated_at IS NULL AND old.revoked_at IS NULL AND coalesce(old.expires_at > $now, true)
SET old.deprecated_at = $now, old.auto_revoke_at = $until, old.updated_at = $now,
  old.revoked_at = CASE WHEN $until <= $now THEN $now END, old.version = coalesce(old.version, 1) + 1
CREATE (k:ApiKey {id: $new_id, account: $account, digest: $digest, name: old.name, key_prefix: $key_prefix,
  scopes: old.scopes, dialect: old.dialect, created_at: $now, updated_at: $now, version: 1,
  expires_at: $now + old.expires_at - old.created_at,
  daily_spend_limit_usd: old.daily_spend_limit_usd, monthly_spend_limit_usd: old.monthly_spend_limit_usd})
CREATE (k)-[:OPENS]->(t)
CREATE (k)-[:REPLACES {from: $now, to: $never}]->(old)
WITH k, t
"""
    + SHOWN
)
TENANTS = """
CYPHER 25
MATCH (t:Tenant) WHERE t.account = $account AND t.namespace >= ''
RETURN t.id AS id, t.namespace AS namespace, t.created_at AS created_at ORDER BY t.namespace
"""
NAMESPACES = """
CYPHER 25
MATCH (t:Tenant {account: $account})
WHERE t.created_at <= $before AND CASE WHEN t.created_at < $before THEN true ELSE t.id < $before_id END
WITH t ORDER BY t.account DESC, t.created_at DESC, t.id DESC SKIP $offset LIMIT $limit
RETURN t.id AS id, t.namespace AS namespace, t.created_at AS created_at, COUNT { (t)<-[:OPENS]-() } AS key_count
ORDER BY created_at DESC, id DESC
"""
COUNT_NAMESPACES = (
    "CYPHER 25 MATCH (t:Tenant) WHERE t.account = $account AND t.namespace >= '' RETURN count(t) AS total"
)
ACCOUNTS = "CYPHER 25 MATCH (k:ApiKey) RETURN count(k) AS keys"
FIRST_LOCK = "CYPHER 25 MERGE (v:SchemaVersion {name: 'first-key'}) SET v.touched_at = $now"

LAST_ADMIN = "This is the last key of the account that may manage keys; make another with the scope `admin` first"
FIRST_ACCOUNT = "default"
FIRST_NAMESPACE = "default"


class KeyDirectory:
    """Finds keys before any tenant is known; used by authentication and by the command line only."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def find(self, digest: str) -> Row | None:
        """Return the key with this digest, whatever its state, or None."""
        found = self.graph.read(FIND, digest=digest)
        return found[0] if found else None

    def any(self) -> bool:
        """Tell whether there is a key at all."""
        return bool(self.graph.read(ACCOUNTS)[0]["keys"])

    def create_first(self, **key: Any) -> Row | None:
        """Create a key unless there is one already; of several processes exactly one gets a row back."""

        def work(tx: Any) -> Row | None:
            tx.run(FIRST_LOCK, now=now_ms())
            if tx.run(ACCOUNTS)[0]["keys"]:
                return None
            return _created(tx, account=FIRST_ACCOUNT, namespace=FIRST_NAMESPACE, **key)

        return self.graph.transaction(work)


class KeyRepository:
    """Keys of one account.

    Raises:
        ValueError: no account.
    """

    def __init__(self, graph: Graph, account: str) -> None:
        if not account:
            raise ValueError("a key repository needs an account")
        self.graph = graph
        self.account = account

    def create(self, namespace: str, *, only_new: bool = False, **key: Any) -> Row:
        """Create a key, and its namespace on first use. `key` has the parameters of CREATE, `digest` among them.

        Raises:
            Conflict: the namespace is there already, and was to be `only_new`.
        """

        def work(tx: Transaction) -> Row:
            row = _created(tx, account=self.account, namespace=namespace, **key)
            if only_new and row["tenant"] != key["tenant_id"]:
                raise Conflict("There is a namespace of that name already")
            return row

        return self.graph.transaction(work)

    def get(self, id: str) -> Row:
        """Return one key, revoked ones included.

        Raises:
            NotFound: no such key in this account.
        """
        return self._only(self.graph.read(GET, account=self.account, id=id))

    def list(self, before: int, before_id: str, offset: int, limit: int) -> Rows:
        """Return keys, newest first, revoked ones included."""
        return self.graph.read(
            LIST, account=self.account, before=before, before_id=before_id, offset=offset, limit=limit
        )

    def tenants(self) -> Rows:
        """Return the namespaces of the account."""
        return self.graph.read(TENANTS, account=self.account)

    def count(self) -> int:
        """Return how many keys the account has."""
        return int(self.graph.read(COUNT, account=self.account)[0]["total"])

    def namespaces(self, before: int, before_id: str, offset: int, limit: int) -> Rows:
        """Return the namespaces of the account with how many keys were made for each, newest first."""
        return self.graph.read(
            NAMESPACES, account=self.account, before=before, before_id=before_id, offset=offset, limit=limit
        )

    def count_namespaces(self) -> int:
        """Return how many namespaces the account has."""
        return int(self.graph.read(COUNT_NAMESPACES, account=self.account)[0]["total"])

    def update(self, id: str, changes: Row) -> Row:
        """Give a key these properties; where it has them already, nothing is written.

        Raises:
            NotFound: no such key in this account.
            Conflict: no admin key would be left.
        """

        def work(tx: Transaction) -> Row:
            tx.run(LOCK, account=self.account, now=now_ms())
            found = self._only(tx.run(GET, account=self.account, id=id))
            made = differing(changes, found)
            if not made:
                return found
            row = self._change(tx, id, made, LAST_ADMIN)
            _tell(tx, happened("key.updated", row, made), row)
            return row

        return self.graph.transaction(work)

    def revoke(self, id: str, *, even_last: bool = False) -> Row:
        """Revoke a key at once; revoking twice keeps the first time.

        Raises:
            NotFound: no such key in this account.
            Conflict: no admin key would be left, unless `even_last`.
        """

        def work(tx: Transaction) -> Row:
            tx.run(LOCK, account=self.account, now=now_ms())
            found = self._only(tx.run(GET, account=self.account, id=id))
            if found["revoked_at"] is not None:
                return found
            row = self._change(tx, id, {"revoked_at": now_ms()}, None if even_last else LAST_ADMIN)
            _tell(tx, happened("key.revoked", row), row)
            return row

        return self.graph.transaction(work)

    def rotate(self, id: str, grace_ms: int, **key: Any) -> Row:
        """Make a key that replaces this one and may do the same; the old one ends after `grace_ms`. Return the new one.

        `key` has `new_id`, `digest` and `key_prefix`. A key that expires gets its whole lifetime anew.

        Raises:
            NotFound: no such key in this account.
            Conflict: the key has ended, or was rotated before.
        """
        now = now_ms()
        until = now + grace_ms

        def work(tx: Transaction) -> Rows:
            made = tx.run(ROTATE, account=self.account, id=id, now=now, until=until, never=NEVER, **key)
            for row in made:
                _tell(tx, happened("key.created", row, replaces=id), row)
                _tell(tx, happened("key.rotated", {"id": id, "replaced_by": row["id"]}), row)
            return made

        if made := self.graph.transaction(work):
            return made[0]
        if self.get(id)["deprecated_at"] is not None:
            raise Conflict("This key was rotated before; rotate the key that replaced it")
        raise Conflict("This key has ended; create a new one")

    def _change(self, tx: Transaction, id: str, changes: Row, when_last: str | None) -> Row:
        now = now_ms()
        before = self._admins(tx, now)
        changed = self._only(tx.run(UPDATE, account=self.account, id=id, changes=changes, now=now))
        if when_last and before and not self._admins(tx, now):
            raise Conflict(when_last)
        return changed

    def _admins(self, tx: Transaction, now: int) -> int:
        return int(tx.run(ADMINS, account=self.account, now=now)[0]["admins"])

    @staticmethod
    def _only(found: Rows) -> Row:
        if not found:
            raise NotFound("API key")
        return found[0]


def _created(tx: Transaction, **key: Any) -> Row:
    # A namespace is encrypted from its first moment on: whoever meets it never takes it for a plain one.
    row = tx.run(CREATE, now=now_ms(), **{"encryption": "", **key})[0]
    _tell(tx, happened("key.created", row), row)
    return row


def _tell(tx: Transaction, event: Happened, row: Row) -> None:
    # A key is the account's; its events are told in the namespace that it opens.
    outbox.write(tx, row["tenant"], [event])

"""API keys and the tenants they open. A key belongs to an account; its tenant is a namespace of that account."""

from typing import Any

from graph.clock import now_ms
from graph.driver import Graph
from graph.errors import NotFound
from graph.records import Row, Rows

# A digest is unique over all tenants, and it is what leads to the tenant: nothing to filter by before it is known.
FIND = """
CYPHER 25
MATCH (k:ApiKey {digest: $digest})-[:OPENS]->(t:Tenant)
RETURN k.id AS id, k.digest AS digest, k.key_prefix AS key_prefix, k.scopes AS scopes, k.dialect AS dialect, k.account AS account,
  t.id AS tenant, t.namespace AS namespace, k.revoked_at AS revoked_at, k.auto_revoke_at AS auto_revoke_at,
  k.expires_at AS expires_at
"""
SHOWN = """
RETURN k.id AS id, k.name AS name, k.key_prefix AS key_prefix, k.scopes AS scopes, t.namespace AS namespace,
  k.dialect AS dialect, k.created_at AS created_at, k.last_used_at AS last_used_at, k.expires_at AS expires_at,
  k.revoked_at AS revoked_at, k.deprecated_at AS deprecated_at, k.auto_revoke_at AS auto_revoke_at,
  k.daily_spend_limit_usd AS daily_spend_limit_usd, k.monthly_spend_limit_usd AS monthly_spend_limit_usd
"""
CREATE = (
    """
CYPHER 25
MERGE (t:Tenant {account: $account, namespace: $namespace})
ON CREATE SET t.id = $tenant_id, t.created_at = $now, t.name = $namespace
CREATE (k:ApiKey {id: $id, account: $account, digest: $digest, name: $name, key_prefix: $key_prefix, scopes: $scopes,
  dialect: $dialect, created_at: $now, updated_at: $now, expires_at: $expires_at,
  daily_spend_limit_usd: $daily_spend_limit_usd, monthly_spend_limit_usd: $monthly_spend_limit_usd})
CREATE (k)-[:OPENS]->(t)
WITH k, t
"""
    + SHOWN
)
LIST = (
    """
CYPHER 25
MATCH (k:ApiKey {account: $account})-[:OPENS]->(t:Tenant)
WHERE k.created_at <= $before AND (k.created_at < $before OR k.id < $before_id)
WITH k, t ORDER BY k.created_at DESC, k.id DESC SKIP $offset LIMIT $limit
"""
    + SHOWN
    + " ORDER BY created_at DESC, id DESC"
)
COUNT = "CYPHER 25 MATCH (k:ApiKey {account: $account}) RETURN count(k) AS total"
GET = "CYPHER 25 MATCH (k:ApiKey {account: $account, id: $id})-[:OPENS]->(t:Tenant)" + SHOWN
REVOKE = (
    """
CYPHER 25
MATCH (k:ApiKey {account: $account, id: $id})-[:OPENS]->(t:Tenant)
SET k.revoked_at = coalesce(k.revoked_at, $now), k.updated_at = $now
WITH k, t
"""
    + SHOWN
)
TENANTS = """
CYPHER 25
MATCH (t:Tenant) WHERE t.account = $account AND t.namespace >= ''
RETURN t.id AS id, t.namespace AS namespace, t.created_at AS created_at ORDER BY t.namespace
"""
ACCOUNTS = "CYPHER 25 MATCH (k:ApiKey) RETURN count(k) AS keys"
FIRST_LOCK = "CYPHER 25 MERGE (v:SchemaVersion {name: 'first-key'}) SET v.touched_at = $now"

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
            row: Row = tx.run(CREATE, account=FIRST_ACCOUNT, namespace=FIRST_NAMESPACE, now=now_ms(), **key)[0]
            return row

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

    def create(self, namespace: str, **key: Any) -> Row:
        """Create a key, and its namespace on first use. `key` has the parameters of CREATE, `digest` among them."""
        return self.graph.write(CREATE, account=self.account, namespace=namespace, now=now_ms(), **key)[0]

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

    def revoke(self, id: str) -> Row:
        """Revoke a key at once; revoking twice keeps the first time.

        Raises:
            NotFound: no such key in this account.
        """
        return self._only(self.graph.write(REVOKE, account=self.account, id=id, now=now_ms()))

    @staticmethod
    def _only(found: Rows) -> Row:
        if not found:
            raise NotFound("API key")
        return found[0]

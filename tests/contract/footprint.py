"""What one tenant's part of the graph amounts to: equal before and after a call that must not write."""

from __future__ import annotations

from typing import Any

from app.state import State
from graph.labels import NOUNS
from tests.callers import Caller

# Usage and audit note every request, refused ones too.
APART = {"UsageDay", "AuditEntry", "IdempotencyRecord"}
# One look at an index for each label, so that a footprint costs the same beside many other tenants.
OF_TENANT = " UNION ALL ".join(
    f"MATCH (n:{label} {{tenant: $tenant}}) WHERE n.{'key' if label == 'EntityName' else 'id'} >= '' "
    f"RETURN '{label}' AS label, count(n) AS nodes, sum(coalesce(n.version, 0)) AS versions, "
    "sum(COUNT { (n)--() }) AS links, sum(coalesce(n.updated_at, 0)) AS touched"
    for label in NOUNS
    if label not in APART
)
OF_ACCOUNT = """
MATCH (k:ApiKey {account: $account})
RETURN count(k) AS keys, count(k.revoked_at) AS revoked, count(k.auto_revoke_at) AS rotated,
  collect(DISTINCT k.name) AS names
"""


def footprint(parts: State, caller: Caller) -> list[dict[str, Any]]:
    """Return counts of the caller's nodes, their versions, links and times, and of the keys of its account."""
    found = [row for row in parts.graph.read(OF_TENANT, tenant=caller.tenant) if row["nodes"]]
    return found + parts.graph.read(OF_ACCOUNT, account=caller.account)

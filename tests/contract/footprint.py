"""What one tenant's part of the graph amounts to: equal before and after a call that must not write."""

from __future__ import annotations

from typing import Any

from app.state import State
from tests.callers import Caller

# Counters, usage and audit note every request, refused ones too.
APART = ["Counter", "UsageDay", "AuditEntry", "IdempotencyRecord"]
OF_TENANT = """
MATCH (n) WHERE n.tenant = $tenant AND none(label IN labels(n) WHERE label IN $apart)
RETURN labels(n)[0] AS label, count(n) AS nodes, sum(coalesce(n.version, 0)) AS versions,
  sum(COUNT { (n)--() }) AS links, sum(coalesce(n.updated_at, 0)) AS touched
ORDER BY label
"""
OF_ACCOUNT = """
MATCH (k:ApiKey {account: $account})
RETURN count(k) AS keys, count(k.revoked_at) AS revoked, count(k.auto_revoke_at) AS rotated,
  collect(DISTINCT k.name) AS names
"""


def footprint(parts: State, caller: Caller) -> list[dict[str, Any]]:
    """Return counts of the caller's nodes, their versions, links and times, and of the keys of its account."""
    found = parts.graph.read(OF_TENANT, tenant=caller.tenant, apart=APART)
    return found + parts.graph.read(OF_ACCOUNT, account=caller.account)

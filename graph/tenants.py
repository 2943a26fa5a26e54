"""Tenants, walked one after another by those who look after each of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from graph.clock import now_ms
from graph.driver import Graph
from graph.errors import NotFound

NAMED = "CYPHER 25 MATCH (t:Tenant {account: $account, namespace: $namespace}) RETURN t.id AS id"
MADE = """
CYPHER 25
MERGE (t:Tenant {account: $account, namespace: $namespace})
ON CREATE SET t.id = $id, t.created_at = $now, t.name = $namespace
RETURN t.id AS id
"""
WHOSE = "CYPHER 25 MATCH (t:Tenant {id: $id}) RETURN t.account AS account, t.namespace AS namespace"
AFTER = "CYPHER 25 MATCH (t:Tenant) WHERE t.id > $after RETURN t.id AS id ORDER BY t.id LIMIT $limit"
SAME_ACCOUNT = """
CYPHER 25
MATCH (a:Tenant {id: $one})
MATCH (b:Tenant {id: $other}) WHERE a.account = b.account
RETURN count(b) > 0 AS same
"""

STRETCH = 500


@dataclass(frozen=True)
class Owner:
    """The tenant on whose behalf somebody works."""

    tenant: str


def owner_of(graph: Graph, account: str, namespace: str) -> Owner:
    """Return the tenant of a namespace.

    Raises:
        NotFound: there is no such namespace.
    """
    found = graph.read(NAMED, account=account, namespace=namespace)
    if not found:
        raise NotFound("Namespace")
    return Owner(str(found[0]["id"]))


def owner_made(graph: Graph, account: str, namespace: str, id: str) -> Owner:
    """Return the tenant of a namespace, made with `id` where there is none."""
    made = graph.write(MADE, account=account, namespace=namespace, id=id, now=now_ms())
    return Owner(str(made[0]["id"]))


def same_account(graph: Graph, one: str, other: str) -> bool:
    """Tell whether two tenants are of one account."""
    return bool(graph.read(SAME_ACCOUNT, one=one, other=other)[0]["same"])


def named(graph: Graph, tenant: str) -> str:
    """Return what people call a tenant: account and namespace."""
    found = graph.read(WHOSE, id=tenant)
    return f"{found[0]['account']}/{found[0]['namespace']}" if found else tenant


def every_owner(graph: Graph) -> Iterator[Owner]:
    """Yield every tenant, in order."""
    after = ""
    while found := tenants_after(graph, after, STRETCH):
        yield from map(Owner, found)
        after = found[-1]


def tenants_after(graph: Graph, after: str, limit: int) -> list[str]:
    """Return up to `limit` tenant ids above `after`, in order; an empty text starts from the first."""
    return [str(row["id"]) for row in graph.read(AFTER, after=after, limit=limit)]

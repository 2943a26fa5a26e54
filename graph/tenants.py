"""Tenants, walked one after another by those who look after each of them."""

from collections.abc import Iterator
from dataclasses import dataclass

from graph.driver import Graph

AFTER = "CYPHER 25 MATCH (t:Tenant) WHERE t.id > $after RETURN t.id AS id ORDER BY t.id LIMIT $limit"


STRETCH = 500


@dataclass(frozen=True)
class Owner:
    """The tenant on whose behalf somebody works."""

    tenant: str


def every_owner(graph: Graph) -> Iterator[Owner]:
    """Yield every tenant, in order."""
    after = ""
    while found := tenants_after(graph, after, STRETCH):
        yield from map(Owner, found)
        after = found[-1]


def tenants_after(graph: Graph, after: str, limit: int) -> list[str]:
    """Return up to `limit` tenant ids above `after`, in order; an empty text starts from the first."""
    return [str(row["id"]) for row in graph.read(AFTER, after=after, limit=limit)]

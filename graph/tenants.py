"""Tenants, walked one after another by the loops that look after each of them."""

from graph.driver import Graph

AFTER = "CYPHER 25 MATCH (t:Tenant) WHERE t.id > $after RETURN t.id AS id ORDER BY t.id LIMIT $limit"


def tenants_after(graph: Graph, after: str, limit: int) -> list[str]:
    """Return up to `limit` tenant ids above `after`, in order; an empty text starts from the first."""
    return [str(row["id"]) for row in graph.read(AFTER, after=after, limit=limit)]

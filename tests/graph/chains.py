"""Reads a session's chain as it stands in the graph."""

from typing import Any

from graph.driver import Graph

MEMORIES = "CYPHER 25 MATCH (m:Memory {tenant: $tenant, session_id: $id}) RETURN m.id AS id"
LINKED = "CYPHER 25 MATCH (m:Memory)-[:IN_SESSION]->(:Session {tenant: $tenant, id: $id}) RETURN m.id AS id"
PAIRS = """
CYPHER 25
MATCH (a:Memory {tenant: $tenant})-[:NEXT]->(b:Memory)
WHERE a.session_id = $id OR b.session_id = $id
RETURN a.id AS a, b.id AS b
"""
LAST = "CYPHER 25 MATCH (:Session {tenant: $tenant, id: $id})-[:LAST]->(m:Memory) RETURN m.id AS id"
STRAY = "CYPHER 25 MATCH (m:Memory {tenant: $tenant}) RETURN COUNT { (m)-[:NEXT|LAST|IN_SESSION]-() } AS links"


def chain(graph: Graph, tenant: str, id: str) -> list[str]:
    """Return the ids of a session's memories along NEXT; a chain that is not exact fails an assertion."""
    values: dict[str, Any] = {"tenant": tenant, "id": id}
    members = {row["id"] for row in graph.read(MEMORIES, **values)}
    assert {row["id"] for row in graph.read(LINKED, **values)} == members
    pairs = [(row["a"], row["b"]) for row in graph.read(PAIRS, **values)]
    lasts = [row["id"] for row in graph.read(LAST, **values)]
    if not members:
        assert (pairs, lasts) == ([], [])
        return []
    after = dict(pairs)
    assert len(after) == len(pairs), "a memory has two successors"
    assert len(set(after.values())) == len(pairs), "a memory has two predecessors"
    starts = members - set(after.values())
    assert len(starts) == 1, "the chain is broken"
    walk = [starts.pop()]
    while walk[-1] in after:
        walk.append(after[walk[-1]])
    assert set(walk) == members
    assert lasts == [walk[-1]], "LAST is not the end of the chain"
    return walk


def links(graph: Graph, tenant: str) -> int:
    """Return how many links of sessions and chains the memories of a tenant have."""
    return sum(row["links"] for row in graph.read(STRAY, tenant=tenant))

"""Forgetting events that are old, of all tenants, and what was sent of them. What still waits to be sent stays."""

from graph.driver import Graph

DELIVERIES = """
CYPHER 25
MATCH (d:Delivery) WHERE d.created_at < $before AND d.state <> 'pending'
WITH d LIMIT $limit
DETACH DELETE d
RETURN count(*) AS gone
"""
# Readers of the stream are told how far it was forgotten: one that comes from further back has missed something.
EVENTS = """
CYPHER 25
MATCH (e:Event) WHERE e.created_at < $before AND e.waiting IS NULL AND NOT EXISTS { (e)<-[:OF]-() }
WITH e LIMIT $limit
WITH e.tenant AS tenant, coalesce(max(e.number), 0) AS newest, collect(e) AS old, count(e) AS size ORDER BY tenant
CALL (tenant, newest) {
  MATCH (c:Counter {tenant: tenant, name: 'event'}) WHERE newest > coalesce(c.forgotten, 0)
  SET c.forgotten = newest
}
FOREACH (e IN old | DETACH DELETE e)
RETURN coalesce(sum(size), 0) AS gone
"""
CALLBACKS = """
CYPHER 25
MATCH (c:Callback) WHERE c.created_at < $before AND NOT EXISTS { (c)<-[:TO]-() }
WITH c LIMIT $limit
DETACH DELETE c
RETURN count(*) AS gone
"""


def forget_events(graph: Graph, before: int, limit: int) -> bool:
    """Delete up to `limit` of each kind that are older than `before` (epoch ms); return whether more may be there."""
    queries = (DELIVERIES, EVENTS, CALLBACKS)
    gone = [int(graph.write(query, before=before, limit=limit)[0]["gone"]) for query in queries]
    return max(gone) >= limit

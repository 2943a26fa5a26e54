"""Gives committed events their numbers and fans them out to the webhooks that want them, for all tenants.

Numbers rise by one within a tenant, in the order of the changes of each noun. One announcer works at a time: the gate
is written before anything is read.
"""

from graph.clock import now_ms
from graph.driver import Graph
from graph.labels import NEVER, NONE

# A cheap look, so that an idle worker writes nothing.
WAITING = "CYPHER 25 MATCH (e:Event) WHERE e.waiting = true AND e.at > 0 RETURN e.id AS id LIMIT 1"
# Looked at twice: a change that an event of the first look was built on had committed before that event did, so the
# second look cannot miss it, even where the first had passed its place already. The webhook is locked before its
# delivery is made, and so does whoever finds that nothing is left to be sent: neither can miss the other. `told_from`
# is by the clock that events have: a host whose own is ahead would keep the first events from its webhooks.
ANNOUNCE = """
CYPHER 25
MERGE (g:JobGate {name: 'events'})
SET g.at = $now
WITH g
CALL (g) {
  MATCH (e:Event) WHERE e.waiting = true AND e.at > 0
  WITH e ORDER BY e.waiting, e.at LIMIT $limit
  RETURN max(e.at) AS horizon
}
CALL (horizon) {
  MATCH (e:Event) WHERE e.waiting = true AND e.at > 0 AND e.at <= horizon
  WITH e ORDER BY e.at, e.id
  RETURN collect(e) AS found
}
UNWIND found AS e
WITH e.tenant AS tenant, collect(e) AS events ORDER BY tenant
MERGE (c:Counter {tenant: tenant, name: 'event'})
ON CREATE SET c.next = 1
SET c.next = c.next + size(events)
WITH events, c.next - size(events) AS first
UNWIND range(0, size(events) - 1) AS place
WITH events[place] AS e, first + place AS number
SET e.number = number
REMOVE e.waiting
WITH e, number
CALL (e, number) {
  MATCH (w:Webhook {tenant: e.tenant})
  WHERE w.created_at >= 0 AND coalesce(w.told_from, w.created_at) <= e.created_at AND w.enabled
    AND (size(w.event_types) = 0 OR e.type IN w.event_types) AND NOT e.noun IN coalesce(w.hidden, [])
  SET w.touched_at = $now
  CREATE (d:Delivery {tenant: e.tenant, id: randomUUID(), name: e.type, webhook_id: w.id, event_id: e.id,
    event_type: e.type, number: number, state: 'pending', attempts: 0, next_attempt_at: $now, error: $none,
    created_at: $now, updated_at: $now, version: 1})
  CREATE (d)-[:OF {from: $now, to: $never}]->(e), (d)-[:TO {from: $now, to: $never}]->(w)
  SET w.due_at = CASE WHEN coalesce(w.due_at, $never) = $never THEN $now ELSE w.due_at END
  RETURN count(d) AS deliveries
}
RETURN count(e) AS events, coalesce(sum(deliveries), 0) AS deliveries
"""


def announce(graph: Graph, limit: int) -> int:
    """Number up to about `limit` events and make their deliveries; return how many events there were."""
    if not graph.read(WAITING):
        return 0
    return int(graph.write(ANNOUNCE, now=now_ms(), never=NEVER, none=NONE, limit=limit)[0]["events"])

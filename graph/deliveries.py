"""Deliveries of one tenant: what was tried, sending again, and calling back the address that one request named."""

from collections.abc import Iterator

from graph.clock import now_ms
from graph.driver import Transaction
from graph.labels import NEVER, NONE
from graph.records import Row, Rows
from graph.repository import Repository
from graph.webhooks import DELIVERY_SHOWN

# Whoever makes a delivery locks its endpoint first: the worker that finds nothing left to be sent locks it too, and
# neither can miss the other. While it is leased, `due_at` is the lease's.
LOCK = """
CYPHER 25
MATCH (w:Webhook {tenant: $tenant, id: $webhook_id})
SET w.touched_at = $now
SET w.due_at = CASE WHEN w.enabled AND coalesce(w.holder, $none) = $none THEN $now ELSE w.due_at END
RETURN w.id AS id
"""
DETAIL = (
    """
CYPHER 25
MATCH (d:Delivery {tenant: $tenant, id: $id}) WHERE d.webhook_id = $webhook_id
"""
    + DELIVERY_SHOWN
    + ", coalesce(d.attempt_log, []) AS attempt_log"
)
# A new delivery of the same event at the event's own place in the order; what was tried before stays as it was.
AGAIN = """
MATCH (old)-[:OF]->(e:Event), (w:Webhook {tenant: $tenant, id: $webhook_id})
CREATE (d:Delivery {tenant: $tenant, id: randomUUID(), name: e.type, webhook_id: w.id, event_id: e.id,
  event_type: e.type, number: coalesce(e.number, 0), state: 'pending', attempts: 0, next_attempt_at: $now,
  error: $none, created_at: $now, updated_at: $now, version: 1})
CREATE (d)-[:OF {from: $now, to: $never}]->(e), (d)-[:TO {from: $now, to: $never}]->(w)
"""
RESEND = (
    """
CYPHER 25
MATCH (old:Delivery {tenant: $tenant, id: $id}) WHERE old.webhook_id = $webhook_id
"""
    + AGAIN
    + DELIVERY_SHOWN
)
RANGE = """
CYPHER 25
MATCH (d:Delivery {tenant: $tenant, webhook_id: $webhook_id, state: $state})
WHERE d.created_at >= $since AND d.created_at < $until
"""
COUNT_RANGE = RANGE + " RETURN count(d) AS total"
# One of each event: batches know nothing of one another.
IN_RANGE = (
    RANGE
    + """
WITH d ORDER BY d.created_at, d.id LIMIT $limit
WITH d.event_id AS event_id, min(d.created_at) AS first, collect(d.id)[0] AS id
RETURN id ORDER BY first, id
"""
)
# Once for an event, however often it was sent, and not where it is on its way already.
RESEND_MANY = (
    """
CYPHER 25
UNWIND $ids AS wanted
MATCH (any:Delivery {tenant: $tenant, id: wanted})
WITH any.event_id AS event_id, collect(any)[0] AS old
WHERE NOT EXISTS {
  MATCH (d:Delivery {tenant: $tenant, event_id: event_id}) WHERE d.webhook_id = $webhook_id AND d.state = 'pending'
}
"""
    + AGAIN
    + " RETURN count(d) AS made"
)
CALLBACK = """
CYPHER 25
CREATE (w:Callback {tenant: $tenant, id: $id, name: $name, url: $url, enabled: true, holder: $none, due_at: $now,
  created_at: $now, updated_at: $now, version: 1})
CREATE (e:Event {tenant: $tenant, id: randomUUID(), name: $type, type: $type, noun: 'memory', noun_id: $noun_id,
  data: $data, addressed: true, created_at: $now, updated_at: $now, version: 1})
CREATE (d:Delivery {tenant: $tenant, id: randomUUID(), name: $type, webhook_id: $id, event_id: e.id, event_type: $type,
  number: 0, state: 'pending', attempts: 0, next_attempt_at: $now, error: $none, created_at: $now, updated_at: $now,
  version: 1})
CREATE (d)-[:OF {from: $now, to: $never}]->(e), (d)-[:TO {from: $now, to: $never}]->(w)
"""

BATCH = 1_000


class DeliveryRepository(Repository):
    """Deliveries of one tenant. Times are epoch milliseconds."""

    kind = "Delivery"

    def get(self, webhook_id: str, id: str) -> Row:
        """Return one delivery to a webhook with `attempt_log`: a JSON text for each attempt, oldest first.

        Raises:
            NotFound: no such delivery.
        """
        return self.one(DETAIL, webhook_id=webhook_id, id=id)

    def resend(self, webhook_id: str, id: str) -> Row:
        """Make a new delivery of the event of this one; return it.

        Raises:
            NotFound: no such delivery.
        """

        def work(tx: Transaction) -> Row:
            self._lock(tx, webhook_id)
            given = {"webhook_id": webhook_id, "id": id, "now": now_ms(), "never": NEVER, "none": NONE}
            return self._only(tx.run(RESEND, tenant=self.tenant, **given))

        return self.together(work)

    def count_range(self, webhook_id: str, since: int, until: int, state: str) -> int:
        """Return how many deliveries in this state were made from `since` on and before `until` (epoch ms)."""
        found = self.read(COUNT_RANGE, webhook_id=webhook_id, since=since, until=until, state=state)
        return int(found[0]["total"])

    def resend_range(self, webhook_id: str, since: int, until: int, state: str, limit: int) -> int:
        """Make a new delivery of each event in the range that is not on its way; return how many there are now.

        Each batch is a transaction of its own: cut off in between, calling again makes the rest.
        """
        rows = self.read(IN_RANGE, webhook_id=webhook_id, since=since, until=until, state=state, limit=limit)
        return sum(self._resend(webhook_id, part) for part in _batches(rows))

    def callback(self, id: str, name: str, url: str, type: str, memory_id: str, data: str) -> None:
        """Put one event on its way to an address that is told of nothing else; `data` is JSON text."""
        given = {"id": id, "name": name, "url": url, "type": type, "noun_id": memory_id, "data": data}
        self.write(CALLBACK, **given, now=now_ms(), never=NEVER, none=NONE)

    def _resend(self, webhook_id: str, ids: list[str]) -> int:
        def work(tx: Transaction) -> int:
            self._lock(tx, webhook_id)
            given = {"webhook_id": webhook_id, "ids": ids, "now": now_ms(), "never": NEVER, "none": NONE}
            return int(tx.run(RESEND_MANY, tenant=self.tenant, **given)[0]["made"])

        return self.together(work)

    def _lock(self, tx: Transaction, webhook_id: str) -> None:
        self._only(tx.run(LOCK, tenant=self.tenant, webhook_id=webhook_id, now=now_ms(), none=NONE))


def _batches(rows: Rows) -> Iterator[list[str]]:
    ids = [str(row["id"]) for row in rows]
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]

"""The queue of endpoints that something is to be sent to, over all tenants: webhooks, and callbacks of one request.

A whole endpoint is leased and not a delivery, so that what it is told stays in order: the first that waits blocks the
others until it is delivered or given up. `due_at` is when the first may be tried; while the endpoint is leased it is
the end of the lease, so a worker that dies simply lets it pass.
"""

from collections.abc import Iterable

import orjson

from graph import outbox
from graph.clock import now_ms
from graph.driver import Graph, Transaction
from graph.labels import NEVER, NONE
from graph.outbox import Happened
from graph.records import Row
from graph.sealing import ALL

# A cheap look, so that an idle worker writes nothing.
DUE = "CYPHER 25 MATCH (w:Webhook|Callback) WHERE w.due_at <= $now RETURN w.id AS id LIMIT 1"
# The gate is written before anything is read, so workers claim one after another and none reads what another takes.
CLAIM = """
CYPHER 25
MERGE (g:JobGate {name: 'deliveries'})
SET g.at = $now
WITH g
CALL (g) {
  CALL (g) {
    MATCH (w:Webhook|Callback) WHERE w.due_at <= $now AND NOT coalesce(w.slow, false)
    RETURN w ORDER BY w.due_at LIMIT $limit
    UNION ALL
    MATCH (w:Webhook|Callback) WHERE w.due_at <= $now AND w.slow
    RETURN w ORDER BY w.due_at LIMIT $slow_limit
  }
  WITH w ORDER BY w.due_at LIMIT $limit
  SET w.due_at = $until, w.holder = $holder
  RETURN w
}
RETURN w.tenant AS tenant, w.id AS id, coalesce(w.slow, false) AS slow
"""
BEAT = """
CYPHER 25
UNWIND $held AS one
MATCH (w:Webhook|Callback {tenant: one.tenant, id: one.id})
SET w.touched_at = $now
WITH w WHERE w.holder = $holder
SET w.due_at = $until
"""
# Locked, although it is only read: a transaction's nodes become visible one after another, and number 7 must not be
# found before number 6 is. Whoever makes deliveries holds this lock until all of them are there.
ENDPOINT = """
CYPHER 25
MATCH (w:Webhook|Callback {tenant: $tenant, id: $id})
SET w.touched_at = $now
WITH w WHERE w.holder = $holder AND w.enabled
RETURN w.tenant AS tenant, w.id AS id, w.url AS url, w.version AS version, w:Callback AS once,
  coalesce(w.include_content, false) AS include_content, coalesce(w.enabled_at, 0) AS enabled_at,
  coalesce(w.secret, $none) AS secret,
  CASE WHEN w.old_secret_until > $now THEN w.old_secret ELSE $none END AS old_secret
"""
# The order names every column of the index: only then it is the index's own, and reading stops at the limit.
WAITING = """
CYPHER 25
MATCH (d:Delivery {tenant: $tenant, webhook_id: $id, state: 'pending'}) WHERE d.number >= 0
WITH d ORDER BY d.tenant, d.webhook_id, d.state, d.number LIMIT $limit
"""
NEXT_ONES = (
    WAITING
    + """
MATCH (d)-[:OF]->(e:Event)
RETURN d.id AS id, d.attempts AS attempts, d.next_attempt_at AS next_attempt_at, d.number AS place,
  coalesce(d.last_attempt_at, 0) AS last_attempt_at,
  e {.id, .type, .noun, .noun_id, .data, .number, .created_at} AS event
ORDER BY place
"""
)
# The endpoint is locked before anything is decided. Whoever lost the lease, or finds it deleted, writes nothing.
RECORD = """
CYPHER 25
MATCH (w:Webhook|Callback {tenant: $tenant, id: $id})
SET w.touched_at = $now
WITH w, coalesce(w.failing_since, 0) AS failing_since WHERE w.holder = $holder
MATCH (d:Delivery {tenant: $tenant, id: $delivery_id, state: 'pending'})-[:TO]->(w)
SET d.state = $state, d.attempts = d.attempts + 1, d.last_attempt_at = $at, d.next_attempt_at = $next_attempt_at,
  d.response_status = $status, d.error = $error, d.attempt_log = coalesce(d.attempt_log, []) + [$log],
  d.delivered_at = CASE WHEN $state = 'delivered' THEN $now END, d.updated_at = $now, d.version = d.version + 1,
  w.slow = $slow,
  w.failing_since = CASE WHEN $state = 'delivered' THEN 0 WHEN failing_since = 0 THEN $at ELSE failing_since END
RETURN w.enabled AS enabled, w.version AS version, failing_since, w:Callback AS once
"""
DISABLE = """
CYPHER 25
MATCH (w:Webhook {tenant: $tenant, id: $id})
SET w.enabled = false, w.disabled_reason = $reason, w.updated_at = $now, w.version = w.version + 1
"""
# What was switched on again need not wait for a time that was set before. What waits is looked for by the endpoint that
# was locked, or the planner would be free to look first.
RELEASE = """
CYPHER 25
MATCH (w:Webhook|Callback {tenant: $tenant, id: $id})
SET w.touched_at = $now
WITH w WHERE w.holder = $holder
CALL (w) {
  OPTIONAL MATCH (d:Delivery {tenant: $tenant, webhook_id: w.id, state: 'pending'}) WHERE d.number >= 0
  WITH d ORDER BY d.tenant, d.webhook_id, d.state, d.number LIMIT 1
  RETURN d
}
SET w.holder = $none, w.due_at = CASE
  WHEN d IS NULL OR NOT w.enabled THEN $never
  WHEN d.next_attempt_at <= $now OR coalesce(d.last_attempt_at, 0) < coalesce(w.enabled_at, 0) THEN $now
  ELSE d.next_attempt_at END
"""

GONE = "gone"


class Endpoints:
    """Endpoints as one worker sees them. `holder` names its claims, `lease_ms` is how long one lasts."""

    def __init__(self, graph: Graph, holder: str, lease_ms: int = 5_000) -> None:
        self.graph = graph
        self.holder = holder
        self.lease_ms = lease_ms

    def claim(self, limit: int, slow_limit: int | None = None) -> list[Row]:
        """Lease up to `limit` endpoints that are due, the longest due first; return `{tenant, id, slow}` of each.

        At most `slow_limit` of them are such as took long to answer the last time.
        """
        if not self.graph.read(DUE, now=now_ms()):
            return []
        now = now_ms()
        given = {"holder": self.holder, "now": now, "until": now + self.lease_ms}
        return self.graph.write(CLAIM, **given, limit=limit, slow_limit=limit if slow_limit is None else slow_limit)

    def beat(self, held: Iterable[Row]) -> None:
        """Lengthen the leases of endpoints that are still held."""
        rows = sorted(({"tenant": one["tenant"], "id": one["id"]} for one in held), key=lambda one: str(one["id"]))
        now = now_ms()
        if rows:
            self.graph.write(BEAT, held=rows, holder=self.holder, now=now, until=now + self.lease_ms)

    def look(self, endpoint: Row, limit: int) -> tuple[Row, list[Row]] | None:
        """Return the endpoint and the first deliveries that wait for it, in order; None when it is not to be sent to.

        The endpoint has `tenant, id, url, version, once, include_content, enabled_at` and sealed secrets; a delivery
        `id, attempts, next_attempt_at, last_attempt_at` and its `event`.
        """
        given = {"tenant": endpoint["tenant"], "id": endpoint["id"]}

        def read(tx: Transaction) -> tuple[Row, list[Row]] | None:
            found = tx.run(ENDPOINT, **given, holder=self.holder, now=now_ms(), none=NONE)
            return (found[0], tx.run(NEXT_ONES, **given, limit=limit)) if found else None

        return self.graph.transaction(read)

    def record(self, endpoint: Row, delivery_id: str, outcome: Row, disable_ms: int) -> bool:
        """Write what became of an attempt; return whether more may be sent to the endpoint as it was looked at.

        `outcome` has `at, state, status, error, next_attempt_at, log, slow, verdict`. One that says it is gone is
        switched off, and so is one that has failed for `disable_ms` (0: never) without a success between; an event
        tells of it.
        Nothing is written when the lease went to another worker or the endpoint was deleted.
        """
        given = {"tenant": endpoint["tenant"], "id": endpoint["id"], "now": now_ms()}
        values = {key: value for key, value in outcome.items() if key != "verdict"}
        if self.graph.cipher is not None and self.graph.cipher.mode(endpoint["tenant"]) == ALL:
            # An endpoint may repeat what it was sent, and a list of logs cannot be sealed.
            values["log"] = orjson.dumps({**orjson.loads(values["log"]), "answer": None}).decode()
        record = {**given, **values, "holder": self.holder, "delivery_id": delivery_id}
        if outcome["state"] == "delivered":
            rows = self.graph.write(RECORD, **record)
            return any(row["enabled"] and row["version"] == endpoint["version"] for row in rows)

        def work(tx: Transaction) -> bool:
            for row in tx.run(RECORD, **record):
                reason = _reason(outcome, row, disable_ms)
                if reason and row["enabled"] and not row["once"]:
                    tx.run(DISABLE, **given, reason=reason)
                    facts = {"reason": reason, "delivery_id": delivery_id}
                    outbox.write(tx, endpoint["tenant"], [Happened("webhook.disabled", endpoint["id"], facts)])
            return False

        return self.graph.transaction(work)

    def release(self, endpoint: Row) -> None:
        """Give a lease back; the endpoint is due when the first that waits for it is."""
        given = {"tenant": endpoint["tenant"], "id": endpoint["id"], "holder": self.holder}
        self.graph.write(RELEASE, **given, now=now_ms(), never=NEVER, none=NONE)


def _reason(outcome: Row, found: Row, disable_ms: int) -> str:
    if outcome["verdict"] == GONE:
        return "it answered 410, which asks for nothing more to be sent"
    since = found["failing_since"]
    if disable_ms and since and outcome["at"] - since >= disable_ms:
        return f"it did nothing but fail for {disable_ms / 86_400_000:g} days"
    return ""

"""Webhooks, and the deliveries made to them. Secrets arrive here sealed and leave sealed."""

from collections.abc import Callable

from graph.clock import now_ms
from graph.driver import Transaction
from graph.labels import NEVER, NONE
from graph.outbox import Happened, each
from graph.records import Row, Rows
from graph.repository import Repository

SHOWN = """
RETURN w.id AS id, w.url AS url, w.event_types AS event_types, w.enabled AS enabled, w.description AS description,
  coalesce(w.include_content, false) AS include_content, w.disabled_reason AS disabled_reason,
  coalesce(w.failing_since, 0) AS failing_since, w.old_secret_until AS old_secret_until, w.created_at AS created_at,
  w.updated_at AS updated_at, w.version AS version
"""
CREATE = (
    """
CYPHER 25
CREATE (w:Webhook {tenant: $tenant, id: $id, name: $name, url: $url, event_types: $event_types, enabled: $enabled,
  description: $description, include_content: $include_content, hidden: $hidden, holder: $none, due_at: $never,
  secret: $secret, old_secret: $none, old_secret_until: 0, told_from: datetime.realtime().epochMillis, created_at: $now,
  updated_at: $now, version: 1})
WITH w
"""
    + SHOWN
)
GET = "CYPHER 25 MATCH (w:Webhook {tenant: $tenant, id: $id})" + SHOWN
LIST = (
    """
CYPHER 25
MATCH (w:Webhook {tenant: $tenant})
WHERE w.created_at <= $before AND CASE WHEN w.created_at < $before THEN true ELSE w.id < $before_id END
WITH w ORDER BY w.tenant DESC, w.created_at DESC, w.id DESC SKIP $offset LIMIT $limit
"""
    + SHOWN
    + " ORDER BY created_at DESC, id DESC"
)
COUNT = "CYPHER 25 MATCH (w:Webhook {tenant: $tenant}) WHERE w.created_at >= 0 RETURN count(w) AS total"
LOCK = """
CYPHER 25
MATCH (w:Webhook {tenant: $tenant, id: $id}) SET w.created_at = w.created_at
RETURN w.id AS id, w.name AS name, w.url AS url, w.event_types AS event_types, w.description AS description,
  coalesce(w.include_content, false) AS include_content, coalesce(w.hidden, []) AS hidden, w.version AS version,
  w.enabled AS enabled, coalesce(w.holder, '') AS holder
"""
UPDATE = (
    """
CYPHER 25
MATCH (w:Webhook {tenant: $tenant, id: $id})
SET w += $changes, w.updated_at = $now, w.version = w.version + 1
WITH w
"""
    + SHOWN
)
# Of three secrets the oldest goes: two are valid at once, never more.
ROTATE = (
    """
CYPHER 25
MATCH (w:Webhook {tenant: $tenant, id: $id})
SET w.old_secret = CASE WHEN $until > $now THEN w.secret ELSE $none END, w.old_secret_until = $until,
  w.secret = $secret, w.updated_at = $now, w.version = w.version + 1
WITH w
"""
    + SHOWN
)
SECRETS = """
CYPHER 25
MATCH (w:Webhook {tenant: $tenant, id: $id})
RETURN w.secret AS secret, CASE WHEN w.old_secret_until > $now THEN w.old_secret ELSE $none END AS old_secret
"""
# Locked, then looked for again: of several that delete it, the later ones find nothing.
DELETE = """
CYPHER 25
MATCH (w:Webhook {tenant: $tenant, id: $id})
SET w.created_at = w.created_at
WITH w WHERE EXISTS { (:Webhook {tenant: $tenant, id: $id}) }
OPTIONAL MATCH (d:Delivery {tenant: $tenant, webhook_id: w.id}) WHERE d.created_at >= 0
WITH w, collect(d) AS deliveries
FOREACH (d IN deliveries | DETACH DELETE d)
DETACH DELETE w
RETURN $id AS id
"""
DELETE_SOME = """
CYPHER 25
MATCH (d:Delivery {tenant: $tenant, webhook_id: $id}) WHERE d.created_at > 0
WITH d LIMIT $limit
DETACH DELETE d
RETURN count(*) AS gone
"""
DELIVERY_SHOWN = """
RETURN d.id AS id, d.webhook_id AS webhook_id, d.event_id AS event_id, d.event_type AS event_type, d.state AS state,
  d.attempts AS attempts, d.next_attempt_at AS next_attempt_at, d.last_attempt_at AS last_attempt_at,
  d.delivered_at AS delivered_at, d.response_status AS response_status, d.error AS error, d.created_at AS created_at
"""
# A test is an event for this one webhook: it has its delivery from the start, so nothing else is to be told of it. It
# stands before all that waits: whoever tests wants to know now.
TEST = (
    """
CYPHER 25
MATCH (w:Webhook {tenant: $tenant, id: $id})
SET w.touched_at = $now
SET w.due_at = CASE WHEN w.enabled AND coalesce(w.holder, $none) = $none THEN $now ELSE w.due_at END
CREATE (e:Event {tenant: $tenant, id: $event_id, name: $event_type, type: $event_type, noun: 'webhook', noun_id: w.id,
  data: $data, addressed: true, created_at: $now, updated_at: $now, version: 1})
CREATE (d:Delivery {tenant: $tenant, id: $delivery_id, name: $event_type, webhook_id: w.id, event_id: e.id,
  event_type: $event_type, number: 0, state: 'pending', attempts: 0, next_attempt_at: $now, error: $none,
  created_at: $now, updated_at: $now, version: 1})
CREATE (d)-[:OF {from: $now, to: $never}]->(e), (d)-[:TO {from: $now, to: $never}]->(w)
WITH d
"""
    + DELIVERY_SHOWN
)
# CASE, because the planner makes two seeks and a sort of an OR; and the order names every column of the index, the
# constant ones too: only then it is the index's own, and reading stops at the limit.
AFTER = " AND d.created_at <= $before AND CASE WHEN d.created_at < $before THEN true ELSE d.id < $before_id END "
ORDER = "WITH d ORDER BY d.tenant DESC, d.webhook_id DESC, d.created_at DESC, d.id DESC "
ORDER_IN_STATE = "WITH d ORDER BY d.tenant DESC, d.webhook_id DESC, d.state DESC, d.created_at DESC, d.id DESC "
PAGE = "SKIP $offset LIMIT $limit"
NEWEST = " ORDER BY created_at DESC, id DESC"
ALL = "CYPHER 25 MATCH (d:Delivery {tenant: $tenant, webhook_id: $id}) WHERE d.created_at > 0"
IN_STATE = "CYPHER 25 MATCH (d:Delivery {tenant: $tenant, webhook_id: $id, state: $state}) WHERE d.created_at > 0"
DELIVERIES = ALL + AFTER + ORDER + PAGE + DELIVERY_SHOWN + NEWEST
DELIVERIES_IN_STATE = IN_STATE + AFTER + ORDER_IN_STATE + PAGE + DELIVERY_SHOWN + NEWEST
COUNT_DELIVERIES = ALL + " RETURN count(d) AS total"
COUNT_DELIVERIES_IN_STATE = IN_STATE + " RETURN count(d) AS total"

BATCH = 1_000


# What of it the wire shows and an edit may change.
FIELDS = frozenset(("url", "event_types", "enabled", "description", "include_content"))


class WebhookRepository(Repository):
    """Webhooks of one tenant; times are epoch milliseconds, secrets are sealed texts."""

    kind = "Webhook"

    def create(self, id: str, **webhook: object) -> Row:
        """Create a webhook; `webhook` has name, url, event_types, enabled, description, include_content, secret,
        and `hidden`: the nouns whose events it is not told of."""
        given = {"id": id, "now": now_ms(), "none": NONE, "never": NEVER, **webhook}
        return self.telling(CREATE, each("webhook.created"), **given)[0]

    def get(self, id: str) -> Row:
        """Return one webhook, without its secrets.

        Raises:
            NotFound: no such webhook.
        """
        return self.one(GET, id=id)

    def list(self, before: int, before_id: str, offset: int, limit: int) -> Rows:
        """Return webhooks, newest first, after the sort key (`before`, `before_id`)."""
        return self.read(LIST, before=before, before_id=before_id, offset=offset, limit=limit)

    def count(self) -> int:
        """Return how many webhooks there are."""
        return int(self.read(COUNT)[0]["total"])

    def update(self, id: str, change: Callable[[Row], Row]) -> Row:
        """Give the webhook the properties that `change` answers; return it.

        Raises:
            NotFound: no such webhook.
        """

        def told(row: Row, made: Row) -> list[Happened]:
            return each("webhook.updated", *made.keys() & FIELDS)([row]) if made.keys() & FIELDS else []

        return self.edit(LOCK, UPDATE, GET, change, told, id=id, now=now_ms())

    def rotate(self, id: str, secret: str, grace_ms: int) -> Row:
        """Put a new sealed secret in place; the one before stays valid for `grace_ms` beside it.

        Raises:
            NotFound: no such webhook.
        """
        now = now_ms()

        def work(tx: Transaction) -> Row:
            # The lock first: of rotations at the same moment each must see the secret that the one before set.
            inside = WebhookRepository(self.graph, self.caller, tx)
            inside.write_one(LOCK, id=id)
            given = {"id": id, "secret": secret, "now": now, "until": now + grace_ms, "none": NONE}
            return inside.telling(ROTATE, each("webhook.updated", "secret"), **given)[0]

        return self.together(work)

    def secrets(self, id: str) -> Row:
        """Return the sealed `secret`, and `old_secret` while it is valid (empty otherwise), to sign with.

        Raises:
            NotFound: no such webhook.
        """
        return self.one(SECRETS, id=id, now=now_ms(), none=NONE)

    def delete(self, id: str) -> None:
        """Delete a webhook and what was delivered to it.

        Raises:
            NotFound: no such webhook.
        """
        # In batches, so that a long history is not one huge transaction; the last statement takes what is left.
        self.get(id)
        while self.write(DELETE_SOME, id=id, limit=BATCH)[0]["gone"] == BATCH:
            pass
        self._only(self.telling(DELETE, each("webhook.deleted"), id=id))

    def test(self, id: str, event_id: str, delivery_id: str, event_type: str, data: str) -> Row:
        """Write an event for this webhook alone and its pending delivery; return the delivery.

        Raises:
            NotFound: no such webhook.
        """
        return self.write_one(
            TEST,
            id=id,
            event_id=event_id,
            delivery_id=delivery_id,
            event_type=event_type,
            data=data,
            now=now_ms(),
            none=NONE,
            never=NEVER,
        )

    def deliveries(self, id: str, state: str | None, before: int, before_id: str, offset: int, limit: int) -> Rows:
        """Return deliveries to a webhook, newest first, of one state where it is named."""
        query = DELIVERIES_IN_STATE if state else DELIVERIES
        return self.read(query, id=id, state=state, before=before, before_id=before_id, offset=offset, limit=limit)

    def count_deliveries(self, id: str, state: str | None) -> int:
        """Return how many deliveries there are."""
        query = COUNT_DELIVERIES_IN_STATE if state else COUNT_DELIVERIES
        return int(self.read(query, id=id, state=state)[0]["total"])

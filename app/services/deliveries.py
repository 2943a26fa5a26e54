"""Deliveries as the wire shows them, and sending them again."""

from typing import Any

import orjson

from app.auth import Principal
from app.clock import now_ms
from app.errors import invalid
from app.services.webhooks import delivery_shown
from app.state import State
from graph.deliveries import DeliveryRepository
from graph.records import Row
from graph.webhooks import WebhookRepository

MOST_RESENT = 10_000


def delivery(parts: State, caller: Principal, webhook_id: str, id: str) -> dict[str, Any]:
    """Return one delivery with all its attempts.

    Raises:
        NotFound: no such webhook, or no such delivery to it.
    """
    WebhookRepository(parts.graph, caller).get(webhook_id)
    row = DeliveryRepository(parts.graph, caller).get(webhook_id, id)
    return {**delivery_shown(row), "attempt_log": [orjson.loads(entry) for entry in row["attempt_log"]]}


def resend(parts: State, caller: Principal, webhook_id: str, id: str) -> dict[str, Any]:
    """Put the event of a delivery on its way once more; return the new delivery.

    Raises:
        NotFound: no such webhook, or no such delivery to it.
    """
    WebhookRepository(parts.graph, caller).get(webhook_id)
    return delivery_shown(DeliveryRepository(parts.graph, caller).resend(webhook_id, id))


def resend_range(parts: State, caller: Principal, webhook_id: str, body: Row) -> dict[str, Any]:
    """Put the events of the deliveries that a loaded `DeliveriesResend` body names on their way once more.

    Raises:
        NotFound: no such webhook.
        Invalid: the period holds too many, or ends before it begins.
    """
    WebhookRepository(parts.graph, caller).get(webhook_id)
    deliveries = DeliveryRepository(parts.graph, caller)
    # What is sent again now is not in the range, however long this takes.
    since, until = body["since"], min(body.get("until") or now_ms(), now_ms())
    if until < since:
        named, wrong = ("until", "must not be before `since`") if "until" in body else ("since", "must not be to come")
        raise invalid(named, wrong)
    total = deliveries.count_range(webhook_id, since, until, body["state"])
    if total > MOST_RESENT:
        raise invalid("since", f"covers {total} deliveries, and at most {MOST_RESENT} are sent again by one call")
    made = deliveries.resend_range(webhook_id, since, until, body["state"], MOST_RESENT)
    return {"webhook_id": webhook_id, "count": made}

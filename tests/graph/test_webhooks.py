"""Webhooks in the graph: every link is a relationship, and a tenant sees its own."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from graph.clock import now_ms
from graph.driver import Graph
from graph.errors import NotFound
from graph.labels import NEVER, NONE
from graph.usage import Owner
from graph.webhooks import BATCH, WebhookRepository

LINKS = """
CYPHER 25
MATCH (e:Event {tenant: $tenant})<-[o:OF]-(d:Delivery {tenant: $tenant, id: $id})-[t:TO]->(w:Webhook {tenant: $tenant})
RETURN e.id AS event, e.type AS type, e.addressed AS addressed, e.data AS data, w.id AS webhook, o.to AS until
"""
MANY = """
CYPHER 25
MATCH (w:Webhook {tenant: $tenant, id: $id})
UNWIND range(1, $number) AS n
CREATE (d:Delivery {tenant: $tenant, id: toString(n), webhook_id: w.id, created_at: n, state: 'delivered'})
CREATE (d)-[:TO]->(w)
"""
LEFT = "CYPHER 25 MATCH (d:Delivery {tenant: $tenant}) RETURN count(d) AS number"


@pytest.fixture
def webhooks(graph: Graph) -> WebhookRepository:
    """The webhooks of a fresh tenant."""
    return WebhookRepository(graph, Owner(str(uuid.uuid4())))


def made(webhooks: WebhookRepository, **changes: Any) -> str:
    """Create a webhook and return its id."""
    facts: dict[str, Any] = {
        "name": "hooks.example.com", "url": "https://hooks.example.com/", "event_types": [], "enabled": True,
        "description": None, "include_content": False, "hidden": [], "secret": "sealed-1",
    }  # fmt: skip
    return str(webhooks.create(str(uuid.uuid4()), **{**facts, **changes})["id"])


def test_a_test_delivery_is_tied_to_its_event_and_its_webhook(webhooks: WebhookRepository) -> None:
    id = made(webhooks)
    row = webhooks.test(id, "event-1", "delivery-1", "webhook.test", "{}")
    found = webhooks.graph.read(LINKS, tenant=webhooks.tenant, id=row["id"])
    assert found == [
        {"event": "event-1", "type": "webhook.test", "addressed": True, "data": "{}", "webhook": id, "until": NEVER}
    ]


def test_the_secret_before_the_last_counts_until_its_time(webhooks: WebhookRepository) -> None:
    id = made(webhooks)
    assert webhooks.secrets(id) == {"secret": "sealed-1", "old_secret": NONE}
    until = webhooks.rotate(id, "sealed-2", 60_000)["old_secret_until"]
    assert until > now_ms()
    assert webhooks.secrets(id) == {"secret": "sealed-2", "old_secret": "sealed-1"}
    webhooks.rotate(id, "sealed-3", 60_000)
    assert webhooks.secrets(id) == {"secret": "sealed-3", "old_secret": "sealed-2"}
    webhooks.rotate(id, "sealed-4", 0)
    assert webhooks.secrets(id) == {"secret": "sealed-4", "old_secret": NONE}


def test_a_long_history_goes_with_its_webhook(webhooks: WebhookRepository) -> None:
    id = made(webhooks)
    webhooks.graph.write(MANY, tenant=webhooks.tenant, id=id, number=2 * BATCH + 5)
    webhooks.delete(id)
    assert webhooks.graph.read(LEFT, tenant=webhooks.tenant) == [{"number": 0}]
    with pytest.raises(NotFound, match="Webhook not found"):
        webhooks.delete(id)


def test_no_method_reaches_into_another_tenant(webhooks: WebhookRepository, graph: Graph) -> None:
    id = made(webhooks)
    webhooks.test(id, "event-1", "delivery-1", "webhook.test", "{}")
    other = WebhookRepository(graph, Owner(str(uuid.uuid4())))
    for call in (
        lambda: other.get(id),
        lambda: other.secrets(id),
        lambda: other.update(id, lambda row: {"enabled": False}),
        lambda: other.rotate(id, "sealed", 0),
        lambda: other.test(id, "e", "d", "webhook.test", "{}"),
        lambda: other.delete(id),
    ):
        with pytest.raises(NotFound):
            call()
    assert other.list(NEVER, "", 0, 10) == other.deliveries(id, None, NEVER, "", 0, 10) == []
    assert (other.count(), other.count_deliveries(id, "pending")) == (0, 0)
    assert webhooks.get(id)["enabled"] is True
    assert len(webhooks.deliveries(id, "pending", NEVER, "", 0, 10)) == 1


def test_an_edit_raises_the_version(webhooks: WebhookRepository) -> None:
    id = made(webhooks)
    assert webhooks.update(id, lambda row: {"enabled": False})["version"] == 2
    assert webhooks.rotate(id, "sealed-2", 0)["version"] == 3

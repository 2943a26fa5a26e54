"""Events are written with their change, numbered after it, and fanned out to the webhooks that want them."""

from __future__ import annotations

import threading
from uuid import uuid4

import pytest

from graph import outbox
from graph.announce import announce
from graph.driver import Graph
from graph.outbox import Happened
from graph.repository import Repository
from graph.tenants import Owner

FOUND = """
CYPHER 25
MATCH (e:Event {tenant: $tenant})
RETURN e.type AS type, e.noun AS noun, e.noun_id AS noun_id, e.number AS number ORDER BY e.at
"""
WEBHOOK = """
CYPHER 25
CREATE (w:Webhook {tenant: $tenant, id: $id, event_types: $types, enabled: $enabled, created_at: 1})
"""
DELIVERIES = """
CYPHER 25
MATCH (d:Delivery {tenant: $tenant})-[:TO]->(w:Webhook), (d)-[:OF]->(e:Event)
RETURN w.id AS webhook, e.type AS type, d.number AS number, w.due_at > 0 AS due ORDER BY webhook, number
"""


@pytest.fixture
def tenant() -> str:
    return f"outbox/{uuid4()}"


def told(graph: Graph, tenant: str, *types: str) -> None:
    graph.transaction(lambda tx: outbox.write(tx, tenant, [Happened(each, str(uuid4())) for each in types]))


def numbered(graph: Graph, tenant: str) -> list[int | None]:
    while announce(graph, 100):
        pass
    return [row["number"] for row in graph.read(FOUND, tenant=tenant)]


def test_an_event_has_no_number_before_it_is_announced(graph: Graph, tenant: str) -> None:
    told(graph, tenant, "agent.created")
    (row,) = graph.read(FOUND, tenant=tenant)
    assert (row["type"], row["noun"], row["number"]) == ("agent.created", "agent", None)


def test_the_noun_of_a_completed_embedding_is_the_memory(graph: Graph, tenant: str) -> None:
    told(graph, tenant, "embedding.completed")
    assert graph.read(FOUND, tenant=tenant)[0]["noun"] == "memory"


def test_numbers_rise_by_one_in_the_order_of_the_changes(graph: Graph, tenant: str) -> None:
    for type in ("agent.created", "agent.updated"):
        told(graph, tenant, type, "memory.created")
    assert numbered(graph, tenant) == [1, 2, 3, 4]
    told(graph, tenant, "agent.deleted")
    assert numbered(graph, tenant) == [1, 2, 3, 4, 5]


def test_numbers_of_one_tenant_say_nothing_of_another(graph: Graph, tenant: str) -> None:
    told(graph, tenant + "x", "agent.created", "agent.updated")
    told(graph, tenant, "agent.created")
    assert numbered(graph, tenant) == [1]


def test_what_is_rolled_back_was_never_told_of(graph: Graph, tenant: str) -> None:
    def work(tx: object) -> None:
        outbox.write(tx, tenant, [Happened("agent.created", str(uuid4()))])  # type: ignore[arg-type]
        raise LookupError

    with pytest.raises(LookupError):
        graph.transaction(work)
    assert numbered(graph, tenant) == []


def test_nothing_is_told_outside_a_transaction(graph: Graph, tenant: str) -> None:
    with pytest.raises(ValueError, match="transaction of its change"):
        Repository(graph, Owner(tenant)).tell(Happened("agent.created", str(uuid4())))


def test_an_event_goes_to_the_webhooks_that_are_on_and_want_it(graph: Graph, tenant: str) -> None:
    ids = sorted(str(uuid4()) for _ in range(4))
    for id, types, enabled in zip(ids, ([], ["agent.created"], ["agent.deleted"], []), (1, 1, 1, 0), strict=True):
        graph.write(WEBHOOK, tenant=tenant, id=id, types=types, enabled=bool(enabled))
    told(graph, tenant, "agent.created", "agent.updated")
    numbered(graph, tenant)
    assert graph.read(DELIVERIES, tenant=tenant) == [
        {"webhook": ids[0], "type": "agent.created", "number": 1, "due": True},
        {"webhook": ids[0], "type": "agent.updated", "number": 2, "due": True},
        {"webhook": ids[1], "type": "agent.created", "number": 1, "due": True},
    ]


def test_a_webhook_is_not_told_of_the_nouns_that_are_hidden_from_it(graph: Graph, tenant: str) -> None:
    graph.write(WEBHOOK, tenant=tenant, id=str(uuid4()), types=[], enabled=True)
    graph.write("MATCH (w:Webhook {tenant: $tenant}) SET w.hidden = ['key']", tenant=tenant)
    told(graph, tenant, "key.created", "agent.created")
    numbered(graph, tenant)
    assert [row["type"] for row in graph.read(DELIVERIES, tenant=tenant)] == ["agent.created"]


def test_announcers_beside_one_another_number_each_event_once(graph: Graph, tenant: str) -> None:
    ids = [str(uuid4())]
    graph.write(WEBHOOK, tenant=tenant, id=ids[0], types=[], enabled=True)
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            announce(graph, 7)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()

    def store() -> None:
        for _ in range(15):
            told(graph, tenant, "agent.created")

    writers = [threading.Thread(target=store) for _ in "ab"]
    for thread in writers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in threads:
        thread.join()
    assert sorted(number or 0 for number in numbered(graph, tenant)) == list(range(1, 31))
    assert [row["number"] for row in graph.read(DELIVERIES, tenant=tenant)] == list(range(1, 31))

"""A place where events are really sent: webhooks on loopback, and a worker that is run by hand."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask

from app import create_app
from app.state import State
from app.workers.deliver import Deliverer
from graph import outbox
from graph.announce import announce
from graph.clock import now_ms
from graph.outbox import Happened
from tests.callers import Caller
from tests.receiver import Receiver, receiving

# As `graph.delivery_queue` does it, for one tenant.
LEASE = """
CYPHER 25
MERGE (g:JobGate {name: 'deliveries'})
SET g.at = $now
WITH g
MATCH (w:Webhook|Callback {tenant: $tenant}) WHERE w.due_at <= $now
SET w.due_at = $now + 10000, w.holder = $holder
RETURN w.tenant AS tenant, w.id AS id
"""
MEMORIES = ["memory.created", "memory.updated", "memory.deleted"]
LOOPBACK = "127.0.0.0/8"
SECRET = "whsec_bm90LWEtcmVhbC1zZWNyZXQ="


def about(receiver: Receiver) -> list[str]:
    """Return what the requests were about, in the order they came."""
    return [got.body["data"]["id"] for got in receiver.got]


def forward(**amount: float) -> time_machine.travel:
    """Return a later time to work in."""
    return time_machine.travel(now_ms() / 1000 + timedelta(**amount).total_seconds(), tick=True)


@dataclass
class Post:
    """A tenant whose events are sent: its caller, and the state that the worker has."""

    parts: State
    caller: Caller
    deliverer: Deliverer

    def webhook(self, url: str, **body: Any) -> dict[str, Any]:
        """Make a webhook and return it; unless told otherwise it hears of memories alone."""
        wanted = {"url": url, "secret": SECRET, "event_types": MEMORIES, **body}
        response = self.caller.post("/v1/webhooks", wanted)
        assert response.status_code == 201, response.get_json()
        return dict(response.get_json())

    def tell(self, *types: str, **facts: Any) -> list[str]:
        """Have events happen and be announced; return the ids of what they are about."""
        told = [Happened(type, str(uuid.uuid4()), facts) for type in types]
        self.happen(*told)
        return [each.noun_id for each in told]

    def happen(self, *told: Happened) -> None:
        """Have these events happen; they, and all before them, are announced."""
        self.parts.graph.transaction(lambda tx: outbox.write(tx, self.caller.tenant, told))
        while announce(self.parts.graph, 500):
            pass

    def lease(self, deliverer: Deliverer | None = None) -> list[dict[str, Any]]:
        """Lease what is due of this tenant, leaving that of other tests alone."""
        holder = (deliverer or self.deliverer).holder
        return self.parts.graph.write(LEASE, tenant=self.caller.tenant, holder=holder, now=now_ms())

    def send(self, deliverer: Deliverer | None = None) -> None:
        """Send until nothing is due."""
        for _ in range(100):
            found = self.lease(deliverer)
            if not found:
                return
            for endpoint in found:
                (deliverer or self.deliverer).turn(self.parts, endpoint)
        raise AssertionError("it never comes to an end")

    def complete(self, embedder: Any = None) -> None:
        """Do the jobs of the tenant."""
        from tests.workers.test_embed_pending import work_off

        work_off(replace(self.parts, embedder=embedder or self.parts.embedder), self.caller)

    def deliveries(self, webhook: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
        """Return the deliveries to a webhook with all their attempts, oldest first."""
        path = f"/v1/webhooks/{webhook['id']}/deliveries"
        rows = self.caller.get(path, query_string={"limit": 100, **query}).get_json()["data"]
        found = [dict(self.caller.get(f"{path}/{row['id']}").get_json()) for row in rows]
        return sorted(found, key=lambda row: str(row["created_at"]))

    def again(self, webhook: dict[str, Any]) -> dict[str, Any]:
        """Return a webhook as it is now."""
        return dict(self.caller.get(f"/v1/webhooks/{webhook['id']}").get_json())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """An endpoint on loopback."""
    with receiving() as made:
        yield made


@pytest.fixture(scope="session")
def opened_app(parts: State) -> Flask:
    """The app of an operator who lets loopback be called."""
    return create_app(replace(parts, settings=replace(parts.settings, outbound_allow=LOOPBACK)))


@pytest.fixture
def make_post(parts: State, opened_app: Flask, make_caller: Callable[..., Caller]) -> Iterator[Callable[..., Post]]:
    """Make a post office of a tenant of its own: `make_post(webhook_schedule="0,0")` changes settings."""
    made: list[Deliverer] = []

    def make(**changes: Any) -> Post:
        settings = replace(parts.settings, **{"outbound_allow": LOOPBACK, **changes})
        state = replace(parts, settings=settings)
        deliverer = Deliverer()
        made.append(deliverer)
        return Post(state, replace(make_caller(), app=opened_app), deliverer)

    yield make
    for deliverer in made:
        deliverer.close()


@pytest.fixture
def post(make_post: Callable[..., Post]) -> Post:
    """A post office with the settings as they come."""
    return make_post()

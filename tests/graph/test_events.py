"""Events are read by their numbers: in order, without gaps, and by an index whatever is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest

from graph import events as queries
from graph.announce import announce
from graph.driver import Connection, Graph
from graph.event_purge import forget_events
from graph.events import EventRepository, Kept, Wanted
from graph.outbox import Happened
from graph.repository import Repository
from graph.tenants import Owner
from tests.graph.plans import reads_a_page

PURGED = "CYPHER 25 MATCH (c:Counter {tenant: $tenant, name: 'event'}) SET c.forgotten = $upto"
AT = "CYPHER 25 MATCH (e:Event {tenant: $tenant, number: $number}) SET e.created_at = $at"
SENDING = """
CYPHER 25
MATCH (e:Event {tenant: $tenant, number: $number})
CREATE (:Delivery {tenant: $tenant, id: randomUUID(), state: 'pending', created_at: 2000})-[:OF]->(e)
"""
ALL = Wanted()
PLANNED: dict[str, Any] = {
    "tenant": "x", "after": 1, "last": 100, "limit": 10, "types": ["agent.created"], "noun_id": "x", "agent_id": "x",
    "agent_fact": "x", "hidden": [],
}  # fmt: skip

Tell = Callable[..., list[str]]


@pytest.fixture
def owner() -> Owner:
    return Owner(f"events/{uuid4()}")


@pytest.fixture
def events(graph: Graph, owner: Owner) -> EventRepository:
    return EventRepository(graph, owner)


@pytest.fixture
def tell(graph: Graph, owner: Owner) -> Tell:
    """Announce an event of each type; return the ids of what they are about."""

    def told(*types: str, noun_id: str = "", **facts: str) -> list[str]:
        ids = [noun_id or str(uuid4()) for _ in types]
        happened = [Happened(type, id, facts) for type, id in zip(types, ids, strict=True)]
        graph.transaction(lambda tx: Repository(graph, owner, tx).tell(*happened))
        while announce(graph, 100):
            pass
        return ids

    return told


def numbers(events: EventRepository, wanted: Wanted = ALL, after: int = 0, limit: int = 100) -> list[int]:
    return [row["number"] for row in events.after(after, events.settled().last, limit, wanted)[0]]


class TestNumbers:
    def test_before_the_first_event_all_is_nought(self, events: EventRepository) -> None:
        assert (events.newest(), events.settled(), events.before(0)) == (0, Kept(0, 0), None)
        assert events.after(0, 0, 10, ALL) == ([], 0)

    def test_the_newest_and_what_was_purged_are_known(
        self, events: EventRepository, tell: Tell, graph: Graph, owner: Owner
    ) -> None:
        tell(*["agent.created"] * 5)
        assert (events.newest(), events.settled()) == (5, Kept(0, 5))
        graph.write(PURGED, tenant=owner.tenant, upto=3)
        assert events.settled() == Kept(3, 5)

    def test_purging_marks_how_far_it_came(
        self, events: EventRepository, tell: Tell, graph: Graph, owner: Owner
    ) -> None:
        tell(*["agent.created"] * 5)
        # One of them still waits to be sent, and stays.
        for number in (1, 2, 3, 4):
            graph.write(AT, tenant=owner.tenant, number=number, at=1)
        graph.write(SENDING, tenant=owner.tenant, number=2)
        while forget_events(graph, 1_000, 100):
            pass
        assert events.settled() == Kept(4, 5)
        assert [row["number"] for row in events.after(0, 5, 9, ALL)[0]] == [2, 5]

    def test_another_tenants_events_are_not_there(self, events: EventRepository, tell: Tell, graph: Graph) -> None:
        tell("agent.created")
        other = EventRepository(graph, Owner(f"events/{uuid4()}"))
        assert (other.newest(), numbers(other)) == (0, [])

    def test_what_waits_for_its_number_is_not_shown(self, events: EventRepository, graph: Graph, owner: Owner) -> None:
        graph.transaction(lambda tx: Repository(graph, owner, tx).tell(Happened("agent.created", "x")))
        # A worker beside the tests may announce it at any moment, but then it is counted too.
        assert len(numbers(events)) <= events.settled().last


class TestPages:
    def test_pages_follow_one_another_to_the_end_and_go_on_from_there(
        self, events: EventRepository, tell: Tell
    ) -> None:
        tell(*["agent.created"] * 5)
        rows, reached = events.after(0, events.settled().last, 2, ALL)
        assert ([row["number"] for row in rows], reached) == ([1, 2], 2)
        rows, reached = events.after(2, events.settled().last, 9, ALL)
        assert ([row["number"] for row in rows], reached) == ([3, 4, 5], 5)
        assert events.after(5, events.settled().last, 9, ALL) == ([], 5)
        tell("agent.deleted")
        rows, reached = events.after(5, events.settled().last, 9, ALL)
        assert ([row["type"] for row in rows], reached) == (["agent.deleted"], 6)

    def test_nothing_is_read_above_the_number_that_is_settled(self, events: EventRepository, tell: Tell) -> None:
        tell(*["agent.created"] * 5)
        assert [row["number"] for row in events.after(0, 3, 9, ALL)[0]] == [1, 2, 3]

    def test_several_types_come_in_one_order(self, events: EventRepository, tell: Tell) -> None:
        tell("agent.created", "memory.created", "agent.updated", "memory.deleted", "agent.created")
        wanted = Wanted(types=["memory.deleted", "agent.created"])
        assert numbers(events, wanted) == [1, 4, 5]
        assert numbers(events, wanted, limit=2) == [1, 4]
        assert numbers(events, wanted, after=1) == [4, 5]
        assert numbers(events, Wanted(types=[])) == []

    def test_an_empty_page_of_a_filter_leads_to_the_end(self, events: EventRepository, tell: Tell) -> None:
        tell("agent.created", "agent.updated")
        assert events.after(0, events.settled().last, 10, Wanted(types=["memory.created"])) == ([], 2)

    def test_one_thing_is_followed(self, events: EventRepository, tell: Tell) -> None:
        id = tell("memory.created", "memory.created")[1]
        tell("memory.updated", "memory.deleted", noun_id=id)
        assert numbers(events, Wanted(noun_id=id)) == [2, 3, 4]
        assert numbers(events, Wanted(noun_id=id, types=["memory.deleted"])) == [4]

    def test_an_agent_is_followed_through_the_facts(self, events: EventRepository, tell: Tell) -> None:
        iris, other = str(uuid4()), str(uuid4())
        tell("agent.created", noun_id=iris)
        tell("memory.created", agent_id=iris)
        tell("memory.created", agent_id=other)
        tell("memory.deleted", agent_id=iris)
        assert numbers(events, Wanted(agent_id=iris)) == [1, 2, 4]
        assert numbers(events, Wanted(agent_id=iris, types=["memory.deleted", "memory.updated"])) == [4]

    def test_what_is_looked_for_one_by_one_is_looked_for_in_steps(
        self, events: EventRepository, tell: Tell, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(queries, "STRIDE", 3)
        iris = str(uuid4())
        tell(*["memory.created"] * 4)
        tell("memory.created", agent_id=iris)
        last = events.settled().last
        assert events.after(0, last, 10, Wanted(agent_id=iris)) == ([], 3)
        rows, reached = events.after(3, last, 10, Wanted(agent_id=iris))
        assert ([row["number"] for row in rows], reached) == ([5], 5)

    def test_hidden_nouns_are_left_out(self, events: EventRepository, tell: Tell) -> None:
        tell("key.created", "agent.created", "key.revoked")
        assert numbers(events, Wanted(hidden=["key"])) == [2]


class TestTimes:
    def test_a_time_leads_to_the_first_event_from_then_on(
        self, events: EventRepository, tell: Tell, graph: Graph, owner: Owner
    ) -> None:
        tell(*["agent.created"] * 4)
        # The third began before the second, and was committed after it.
        for number, at in ((1, 1_000_000), (2, 2_000_000), (3, 1_999_000), (4, 3_000_000)):
            graph.write(AT, tenant=owner.tenant, number=number, at=at)
        assert [events.before(at) for at in (0, 1_000_001, 1_999_500, 3_000_000, 3_000_001)] == [0, 1, 1, 3, None]


@pytest.mark.parametrize("query", [queries.ALL, queries.OF_TYPES, queries.OF_NOUN])
def test_a_page_is_read_in_the_order_of_an_index_and_no_further(query: str, connection: Connection) -> None:
    assert reads_a_page(connection, query.strip(), **PLANNED)


def test_a_reader_beside_writers_and_announcers_sees_each_event_once_and_in_order(
    events: EventRepository, graph: Graph, owner: Owner
) -> None:
    # Whatever other tests left waiting is in front of ours.
    while announce(graph, 1_000):
        pass
    stop, seen, at = threading.Event(), [], 0

    def store() -> None:
        for _ in range(25):
            happened = [Happened("agent.created", str(uuid4())) for _ in range(4)]
            graph.transaction(lambda tx, told=happened: Repository(graph, owner, tx).tell(*told))  # type: ignore[misc]

    def number_them() -> None:
        while not stop.is_set():
            announce(graph, 20)

    announcers = [threading.Thread(target=number_them) for _ in range(2)]
    writers = [threading.Thread(target=store) for _ in range(3)]
    for thread in announcers + writers:
        thread.start()
    while any(thread.is_alive() for thread in writers):
        rows, at = events.after(at, events.settled().last, 50, ALL)
        seen += [row["number"] for row in rows]
    stop.set()
    for thread in announcers:
        thread.join()
    while announce(graph, 1_000):
        pass
    rows, _ = events.after(at, events.settled().last, 1_000, ALL)
    seen += [row["number"] for row in rows]
    assert [(a, b) for a, b in pairwise(seen) if b != a + 1] == []
    assert seen == list(range(1, 301))

"""Events over HTTP: pages that a poller can always go on from, and a stream that ends when it must."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from werkzeug.test import TestResponse

from app.services import event_stream
from app.state import State
from app.stopping import STOPPING
from graph.announce import announce
from graph.outbox import Happened
from graph.repository import Repository
from tests.callers import Caller, error_of

SSE = {"Accept": "text/event-stream"}
PURGED = "CYPHER 25 MATCH (c:Counter {tenant: $tenant, name: 'event'}) SET c.forgotten = $upto"
NOTHING_YET = """
CYPHER 25
MATCH (c:Counter {tenant: $tenant, name: 'event'})
OPTIONAL MATCH (e:Event {tenant: $tenant}) WHERE e.number > 0
DETACH DELETE e, c
"""
REVOKE = "CYPHER 25 MATCH (k:ApiKey {account: $account}) SET k.revoked_at = timestamp()"
NARROW = "CYPHER 25 MATCH (k:ApiKey {account: $account}) SET k.scopes = ['write']"

Tell = Callable[..., list[str]]


@pytest.fixture
def caller(make_caller: Callable[..., Caller], parts: State) -> Caller:
    """A caller with all scopes, in a tenant where nothing has happened yet: not even the making of its key."""
    made = make_caller()
    settled(parts)
    parts.graph.write(NOTHING_YET, tenant=made.tenant)
    return made


def settled(parts: State) -> None:
    """Have everything announced."""
    while announce(parts.graph, 100):
        pass


@pytest.fixture
def tell(parts: State, caller: Caller) -> Tell:
    """Announce an event of each type in the caller's tenant; return the ids of what they are about."""

    def told(*types: str, **facts: Any) -> list[str]:
        ids = [str(uuid4()) for _ in types]
        happened = [Happened(type, id, facts) for type, id in zip(types, ids, strict=True)]
        parts.graph.transaction(lambda tx: Repository(parts.graph, caller, tx).tell(*happened))
        settled(parts)
        return ids

    return told


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a stream look often, and let no test wait for one for long."""
    monkeypatch.setattr(event_stream, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(event_stream, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(event_stream, "LIFE_SECONDS", 20.0)


def read(caller: Caller, **args: Any) -> dict[str, Any]:
    """Return a page."""
    response = caller.get("/v1/events", query_string={**args})
    assert response.status_code == 200, response.get_json()
    return dict(response.get_json())


def numbers(caller: Caller, **args: Any) -> list[int]:
    """Return the numbers of a page."""
    return [event["number"] for event in read(caller, **args)["data"]]


class Listening:
    """An open stream of the app in process."""

    def __init__(self, response: TestResponse) -> None:
        assert (response.status_code, response.mimetype) == (200, "text/event-stream")
        self.response = response
        self.chunks = response.iter_encoded()
        self.opening = next(self.chunks)

    def next(self) -> list[dict[str, str]]:
        """Return the events of the next chunk that has some, each with its fields."""
        for chunk in self.chunks:
            blocks = [block for block in chunk.decode().split("\n\n") if "event: " in block]
            if blocks:
                return [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]
        return []

    def close(self) -> None:
        """Go away."""
        self.response.close()


@pytest.fixture
def listen(caller: Caller) -> Iterator[Callable[..., Listening]]:
    """Open streams, which are closed at the end."""
    opened = []

    def listening(who: Caller = caller, headers: dict[str, str] | None = None, **args: Any) -> Listening:
        made = Listening(who.get("/v1/events", query_string=args, headers=SSE | (headers or {}), buffered=False))
        opened.append(made)
        return made

    yield listening
    for each in opened:
        each.close()


Listen = Callable[..., Listening]


class TestPages:
    def test_without_a_key_it_is_401(self, anonymous: Caller) -> None:
        error_of(anonymous.get("/v1/events"), 401)
        error_of(anonymous.get("/v1/events", headers=SSE), 401)

    def test_without_the_scope_it_is_403(self, make_caller: Callable[..., Caller]) -> None:
        error_of(make_caller("write").get("/v1/events"), 403)

    def test_an_event_is_shown_whole(self, caller: Caller, tell: Tell) -> None:
        (id,) = tell("memory.updated", agent_id="a", changed=["content"])
        page = read(caller)
        (event,) = page.pop("data")
        assert page == {"object": "list", "has_more": False, "next_cursor": "1"}
        assert event.pop("id")
        assert event.pop("created_at").endswith("Z")
        assert event == {
            "object": "event", "type": "memory.updated", "schema_version": 1, "number": 1,
            "data": {"object": "memory", "id": id, "agent_id": "a", "changed": ["content"]},
        }  # fmt: skip

    def test_another_tenant_sees_nothing_of_it(self, stranger: Caller, tell: Tell) -> None:
        tell("memory.created")
        assert [event["type"] for event in read(stranger)["data"]] == ["key.created"]

    def test_a_poller_goes_on_from_every_page_the_empty_ones_too(self, caller: Caller, tell: Tell) -> None:
        at = read(caller)["next_cursor"]
        tell(*["agent.created"] * 5)
        page = read(caller, cursor=at, limit=3)
        assert ([event["number"] for event in page["data"]], page["has_more"]) == ([1, 2, 3], True)
        page = read(caller, cursor=page["next_cursor"], limit=3)
        assert ([event["number"] for event in page["data"]], page["has_more"]) == ([4, 5], False)
        page = read(caller, cursor=page["next_cursor"], types="memory.created")
        tell("agent.created", "memory.created")
        assert numbers(caller, cursor=page["next_cursor"], types="memory.created") == [7]

    def test_it_begins_where_it_is_told(self, caller: Caller, tell: Tell) -> None:
        tell("agent.created", "agent.created")
        assert numbers(caller) == numbers(caller, **{"from": "oldest"}) == [1, 2]
        assert numbers(caller, **{"from": "now"}) == []
        assert numbers(caller, since="2020-01-01T00:00:00Z") == [1, 2]
        assert numbers(caller, since="2199-01-01T00:00:00Z") == []
        assert numbers(caller, since="2199-01-01T00:00:00Z", cursor="1") == [2]

    def test_types_are_repeated_or_listed(self, caller: Caller, tell: Tell) -> None:
        tell("agent.created", "memory.created", "memory.deleted", "session.ended")
        assert numbers(caller, types="memory.created,session.ended") == [2, 4]
        assert numbers(caller, types=["memory.created", "session.ended"]) == [2, 4]
        assert numbers(caller, object="memory") == [2, 3]
        assert numbers(caller, object="memory", types="memory.deleted,session.ended") == [3]
        assert numbers(caller, object="memory", types="session.ended") == []

    def test_a_completed_embedding_is_about_its_memory(self, caller: Caller, tell: Tell) -> None:
        tell("embedding.completed", "agent.created")
        assert numbers(caller, object="memory") == [1]

    def test_one_thing_or_one_agent_is_followed(self, caller: Caller, tell: Tell) -> None:
        agent = tell("agent.created")[0]
        memory = tell("memory.created", agent_id=agent)[0]
        tell("memory.created", agent_id=str(uuid4()))
        assert numbers(caller, object_id=memory) == [2]
        assert numbers(caller, agent_id=agent) == [1, 2]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("types", "memory.exploded"), ("types", "webhook.test"), ("object", "planet"), ("object_id", "x"),
            ("agent_id", "iris"), ("limit", "0"), ("limit", "1001"), ("cursor", "abc"), ("cursor", "-1"),
            ("from", "yesterday"), ("since", "soon"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_asked_is_named(self, caller: Caller, field: str, value: str) -> None:
        body = error_of(caller.get("/v1/events", query_string={field: value}), 422)
        assert body["details"][0]["field"].startswith(field)

    def test_events_of_keys_are_for_admins(
        self, caller: Caller, make_caller: Callable[..., Caller], tell: Tell
    ) -> None:
        tell("key.updated", "agent.created", "webhook.created")
        reader = make_caller("read", tenant_of=caller)
        assert numbers(caller)[:3] == [1, 2, 3]
        assert numbers(reader) == [2, 3]
        assert numbers(caller, types="key.updated") == [1]
        error_of(reader.get("/v1/events?types=key.updated"), 403)
        error_of(reader.get("/v1/events?object=key"), 403)

    def test_a_cursor_older_than_what_is_kept_is_410_with_the_way_on(
        self, caller: Caller, parts: State, tell: Tell
    ) -> None:
        tell(*["agent.created"] * 5)
        parts.graph.write(PURGED, tenant=caller.tenant, upto=3)
        assert "from=oldest" in error_of(caller.get("/v1/events?cursor=2"), 410)["message"]
        error_of(caller.get("/v1/events", headers=SSE | {"Last-Event-ID": "2"}), 410)
        assert numbers(caller, cursor="3") == numbers(caller) == numbers(caller, since="2020-01-01") == [4, 5]

    def test_a_cursor_that_was_never_given_is_410_too(self, caller: Caller, tell: Tell) -> None:
        tell("agent.created")
        error_of(caller.get("/v1/events?cursor=2"), 410)


class TestStream:
    def test_it_begins_now_and_tells_what_a_page_would(self, caller: Caller, tell: Tell, listen: Listen) -> None:
        tell("agent.created")
        stream = listen()
        assert stream.opening == b"retry: 2000\nid: 1\n\n"
        tell("memory.created", "memory.deleted")
        told = stream.next()
        assert [(event["id"], event["event"]) for event in told] == [("2", "memory.created"), ("3", "memory.deleted")]
        assert [json.loads(event["data"]) for event in told] == read(caller, cursor="1")["data"]

    def test_it_goes_on_after_the_last_event_that_was_seen(self, tell: Tell, listen: Listen) -> None:
        tell(*["agent.created"] * 4)
        assert [event["id"] for event in listen(cursor="2").next()] == ["3", "4"]
        again = listen(cursor="0", headers={"Last-Event-ID": "3"})
        assert [event["id"] for event in again.next()] == ["4"]

    def test_filters_are_those_of_pages(self, tell: Tell, listen: Listen) -> None:
        tell("agent.created", "memory.created", "agent.deleted")
        assert [event["id"] for event in listen(cursor="0", object="agent").next()] == ["1", "3"]

    def test_a_last_event_id_that_is_none_is_422(self, caller: Caller) -> None:
        body = error_of(caller.get("/v1/events", headers=SSE | {"Last-Event-ID": "x"}), 422)
        assert body["details"][0]["field"] == "Last-Event-ID"

    def test_heartbeats_come_and_carry_the_cursor_past_what_is_not_wanted(
        self, tell: Tell, listen: Listen, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.0)
        stream = listen(types="memory.created")
        assert next(stream.chunks) == b": still here\n\n"
        tell("agent.created")
        assert b": still here\nid: 1\n\n" in stream.chunks
        assert next(stream.chunks) == b": still here\n\n"

    def test_more_than_a_page_comes_in_one_go(
        self, tell: Tell, listen: Listen, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_stream, "PAGE", 2)
        tell(*["agent.created"] * 5)
        stream = listen(cursor="0")
        assert [event["id"] for _ in range(3) for event in stream.next()] == ["1", "2", "3", "4", "5"]

    def test_it_ends_when_the_key_is_revoked(self, caller: Caller, parts: State, tell: Tell, listen: Listen) -> None:
        stream = listen()
        parts.graph.write(REVOKE, account=caller.account)
        tell("agent.created")
        (last,) = stream.next()
        body = json.loads(last["data"])
        assert (last["event"], body["code"], body["type"]) == ("error", 401, "unauthorized")
        assert list(stream.chunks) == []

    def test_it_ends_when_the_key_loses_its_scope(self, caller: Caller, parts: State, listen: Listen) -> None:
        stream = listen()
        parts.graph.write(NARROW, account=caller.account)
        assert list(stream.chunks) == []
        error_of(caller.get("/v1/events", headers=SSE), 403)

    def test_it_ends_when_the_server_stops(self, listen: Listen) -> None:
        stream = listen()
        STOPPING.set()
        try:
            assert list(stream.chunks) == []
        finally:
            STOPPING.clear()

    def test_it_ends_after_its_time(self, listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(event_stream, "LIFE_SECONDS", 0.1)
        assert list(listen().chunks) == []

    def test_a_key_may_have_half_of_the_streams_and_gets_them_back(
        self, caller: Caller, make_caller: Callable[..., Caller], listen: Listen
    ) -> None:
        # 16 threads, so 4 streams.
        mine = [listen(), listen()]
        refused = caller.get("/v1/events", headers=SSE)
        assert error_of(refused, 429)["type"] == "rate_limit_exceeded"
        assert int(refused.headers["Retry-After"]) > 0
        other = make_caller()
        assert [listen(other), listen(other)]
        full = make_caller().get("/v1/events", headers=SSE)
        assert error_of(full, 503)["type"] == "service_unavailable"
        assert int(full.headers["Retry-After"]) > 0
        assert read(caller)["object"] == "list"
        mine[0].close()
        listen()

    def test_a_head_request_holds_no_place(self, caller: Caller, listen: Listen) -> None:
        for _ in range(5):
            response = caller.call("HEAD", "/v1/events", headers=SSE)
            assert (response.status_code, response.get_data()) == (200, b"")
            response.close()
        listen()

"""Dumps of other servers: what is in them, and that reading them again changes nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from app.auth import Principal
from app.services.transfer.foreign import READERS
from app.services.transfer.form import TransferError
from app.services.transfer.settle import Settled, Settling
from app.state import State
from tests.callers import Caller
from tests.transfer.conftest import contents, same

MEM0 = {
    "count": 2,
    "results": [
        {
            "id": "5b7c", "memory": "Prefers the window seat", "user_id": "mira", "agent_id": "travel", "run_id": "r-7",
            "metadata": {"topic": "seats"}, "categories": ["preferences"], "hash": "77", "immutable": False,
            "created_at": "2025-03-01T10:00:00-08:00", "updated_at": "2025-03-02T10:00:00Z",
        },
        {"id": "5b7d", "memory": "Lives in Tallinn", "user_id": "mira", "created_at": 1740000000},
    ],
}  # fmt: skip
GRAPHITI = {
    "nodes": [
        {"uuid": "n1", "name": "Mira Kask", "labels": ["Entity", "Person"], "group_id": "g", "summary": "A pilot",
         "created_at": "2025-01-01T00:00:00Z", "name_embedding": [0.1]},
        {"uuid": "n2", "name": "Harbour Air", "labels": ["Entity"], "group_id": "g"},
        {"uuid": "n3", "name": "Coast Air", "labels": ["Entity"], "group_id": "g"},
        {"uuid": "e1", "name": "talk", "content": "Mira says she flies for Harbour Air now", "source": "message",
         "source_description": "chat", "valid_at": "2025-02-01T00:00:00Z", "created_at": "2025-02-02T00:00:00Z"},
    ],
    "edges": [
        {"uuid": "m1", "source_node_uuid": "e1", "target_node_uuid": "n1"},
        {"uuid": "f1", "source_node_uuid": "n1", "target_node_uuid": "n2", "name": "FLIES_FOR", "fact":
         "Mira Kask flies for Harbour Air", "valid_at": "2025-02-01T00:00:00Z", "episodes": ["e1"]},
        {"uuid": "f2", "source_node_uuid": "n1", "target_node_uuid": "n3", "name": "FLIES_FOR", "fact":
         "Mira Kask flies for Coast Air", "valid_at": "2020-01-01T00:00:00Z", "invalid_at": "2025-02-01T00:00:00Z"},
        {"uuid": "f3", "source_node_uuid": "n1", "target_node_uuid": "gone", "name": "KNOWS", "fact": "Mira knows Jo"},
    ],
}  # fmt: skip
MCP = [
    {"type": "relation", "from": "Mira Kask", "to": "Harbour Air", "relationType": "flies_for"},
    {
        "type": "entity",
        "name": "Mira Kask",
        "entityType": "person",
        "observations": ["Is a pilot", "Is a pilot", "Skis"],
    },
    {"type": "entity", "name": "Harbour Air", "entityType": "airline", "observations": []},
]
DUMPS = {
    "mem0": json.dumps(MEM0).encode(),
    "graphiti": json.dumps(GRAPHITI).encode(),
    "mcp-memory": b"\n".join(json.dumps(row).encode() for row in MCP) + b"\n\n",
}


def settle(parts: State, caller: Caller, source: str, dump: bytes | None = None) -> Settled:
    """Import a dump."""
    principal = Principal(caller.tenant, caller.account, "default", "", frozenset())
    work = Settling(parts, principal, source, source)
    return work.run(READERS[source](io.BytesIO(DUMPS[source] if dump is None else dump)))


def memories(caller: Caller) -> dict[str, dict[str, Any]]:
    """Return a caller's memories by their text."""
    return {each["content"]: each for each in caller.get("/v1/memories?limit=100").get_json()["data"]}


@pytest.mark.parametrize("source", DUMPS)
def test_again_changes_nothing(source: str, caller: Caller, parts: State) -> None:
    first = settle(parts, caller, source)
    before = contents(parts, caller.tenant)
    again = settle(parts, caller, source)
    after = contents(parts, caller.tenant)
    assert sum(first.made.values()) == sum(again.known.values()) > 0
    assert sum(again.made.values()) == 0
    for held in (before, after):
        for key, props in held.nodes.items():
            if key[0] == "EntityName":
                props.pop("updated_at", None)  # names are locked by writing
    same(before, after)


def test_ids_are_the_same_in_every_namespace(caller: Caller, stranger: Caller, parts: State) -> None:
    for one in (caller, stranger):
        settle(parts, one, "mem0")
    assert {m["id"] for m in memories(caller).values()} == {m["id"] for m in memories(stranger).values()}


class TestMem0:
    def test_keeps_users_agents_runs_times_and_what_it_does_not_know(self, caller: Caller, parts: State) -> None:
        settle(parts, caller, "mem0")
        found = memories(caller)
        seat, home = found["Prefers the window seat"], found["Lives in Tallinn"]
        assert seat["user_id"] == home["user_id"] == "mira"
        assert (seat["created_at"], seat["updated_at"]) == (1740852000, 1740909600)
        assert home["created_at"] == 1740000000
        assert seat["metadata"] == {"topic": "seats", "mem0": {"categories": ["preferences"], "immutable": False}}
        agents = {each["id"]: each["name"] for each in caller.get("/v1/agents").get_json()["data"]}
        assert (agents[seat["agent_id"]], agents[home["agent_id"]]) == ("travel", "mem0")
        assert caller.get(f"/v1/sessions/{seat['session_id']}").get_json()["external_id"] == "r-7"
        assert caller.search("window seat")[0]["memory"]["id"] == seat["id"]

    @pytest.mark.parametrize("shape", [
        lambda rows: rows, lambda rows: {"results": rows}, lambda rows: {"memories": rows},
    ], ids=["list", "results", "memories"])  # fmt: skip
    def test_is_read_in_each_of_its_shapes(self, shape: Callable[[Any], Any], caller: Caller, parts: State) -> None:
        settle(parts, caller, "mem0", json.dumps(shape(MEM0["results"])).encode())
        assert len(memories(caller)) == 2


class TestGraphiti:
    def test_brings_episodes_entities_and_facts(self, caller: Caller, parts: State) -> None:
        report = settle(parts, caller, "graphiti")
        assert report.unlinked == 2  # the fact about somebody who is not there, as memory and as relation
        found = memories(caller)
        talk = found["Mira says she flies for Harbour Air now"]
        assert talk["metadata"]["graphiti"]["source_description"] == "chat"
        assert "Mira Kask" in [each["value"] for each in talk["entities"]]
        people = {each["name"]: each for each in caller.get("/v1/entities?limit=100").get_json()["data"]}
        assert people["Mira Kask"]["entity_type"] == "person"
        assert people["Mira Kask"]["metadata"]["graphiti"]["summary"] == "A pilot"

    def test_knows_what_holds_and_what_held(self, caller: Caller, parts: State) -> None:
        settle(parts, caller, "graphiti")
        links = [orjson.loads(each) for each in contents(parts, caller.tenant).links]
        now, then = (
            [each["props"] for each in links if each["type"] == type] for type in ("RELATED_TO", "WAS_RELATED_TO")
        )
        assert [(each["type"], each["from"]) for each in now] == [("flies_for", 1738368000000)]
        assert [(each["from"], each["to"]) for each in then] == [(1577836800000, 1738368000000)]


class TestMcpMemory:
    def test_brings_entities_observations_and_relations_in_any_order(self, caller: Caller, parts: State) -> None:
        settle(parts, caller, "mcp-memory")
        assert memories(caller).keys() == {"Mira Kask: Is a pilot", "Mira Kask: Skis"}
        people = {each["name"]: each["id"] for each in caller.get("/v1/entities?limit=100").get_json()["data"]}
        assert people.keys() >= {"Mira Kask", "Harbour Air"}
        stated = caller.get(f"/v1/entities/{people['Mira Kask']}/relationships").get_json()["data"]
        assert [each["relationship_type"] for each in stated if each["source"] == "stated"] == ["flies_for"]
        mentioning = caller.get(f"/v1/entities/{people['Mira Kask']}/memories").get_json()["data"]
        assert len(mentioning) == 2


BROKEN = {
    "mem0": {b"{": "JSON", b"7": "list", b"[7]": "object", b'[{"id": "1"}]': "text",
             b'[{"id": "1", "memory": "a\\u0000"}]': "NUL",
             b'[{"id": "1", "memory": "x", "created_at": "soon"}]': "ISO",
             b'[{"id": "1", "memory": "x", "created_at": 1e300}]': "9999",
             b'[{"id": "1", "memory": "x", "created_at": "1950-01-01"}]': "1970",
             b'[{"id": "1", "memory": "x", "user_id": "a\\u0000"}]': "user_id",
             b'[{"id": "1", "memory": "x", "run_id": "a\\u0000"}]': "session",
             b'[{"id": "1", "memory": "x", "agent_id": "a\\u0000"}]': "agent",
             b'[{"id": "1", "memory": "\\ud800"}]': "whole characters",
             b'[{"id": "1", "memory": "x", "user_id": "' + b"u" * 256 + b'"}]': "255"},
    "graphiti": {b'{"nodes": [{"uuid": "n", "name": "\\ud800", "labels": 5}]}': "whole characters",
                 b"[]": "nodes", b'{"nodes": [{"name": "x"}]}': "text", b'{"nodes": [1]}': "object"},
    "mcp-memory": {b"[]\n": "object", b'{"type": "x"}\n': "entity", b'{"type": "entity"}\n': "text",
                   b'{"type": "relation", "from": "a"}\n': "text"},
}  # fmt: skip


@pytest.mark.parametrize(("source", "dump"), [(source, dump) for source, dumps in BROKEN.items() for dump in dumps])
def test_what_is_wrong_is_told(source: str, dump: bytes, caller: Caller, parts: State) -> None:
    with pytest.raises(TransferError) as caught:
        settle(parts, caller, source, dump)
    assert BROKEN[source][dump] in str(caught.value)
    assert contents(parts, caller.tenant).nodes == {}


def test_a_text_that_is_too_long_is_named(caller: Caller, parts: State) -> None:
    dump = json.dumps([{"id": "1", "memory": "a" * 50_001}]).encode()
    with pytest.raises(TransferError, match="line 1, content: must be at most 50000"):
        settle(parts, caller, "mem0", dump)

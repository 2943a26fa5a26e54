"""What Azen stores is what everybody stores: same tenant, same graph, same events, same audit; and nobody else's."""

from __future__ import annotations

from typing import Any

from app.compat.azen import API
from app.state import State
from tests.callers import Caller, new_caller
from tests.compat.azen.conftest import Client
from tests.contract.footprint import footprint
from tests.events import Told

LINKS = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id})
RETURN [(m)-[:RECORDED_BY]->(a) | a.name] AS agents, [(m)-[:MENTIONS]->(e) | e.name] AS names,
  m:Searchable AS searchable
"""


class TestMemory:
    def test_is_one_of_the_agent_azen_with_its_names_in_the_graph(self, client: Client, parts: State) -> None:
        id = client.create("Ada Lovelace met Charles Babbage in London")
        client.embed()
        (row,) = parts.graph.read(LINKS, tenant=client.tenant, id=id)
        assert (row["agents"], row["searchable"]) == (["azen"], True)
        assert set(row["names"]) == {"Ada Lovelace", "Charles Babbage", "London"}
        native = client.native.get(f"/v1/memories/{id}").get_json()
        assert (native["content"], native["extraction_status"], native["visibility"]) == (
            "Ada Lovelace met Charles Babbage in London", "ready", "private",
        )  # fmt: skip

    def test_is_found_by_the_native_api(self, client: Client) -> None:
        id = client.create("The spare key hangs behind the barn door")
        client.embed()
        assert [hit["memory"]["id"] for hit in client.native.search("spare key behind the door")] == [id]
        assert client.native.get("/v1/memories?agent_id=azen").get_json()["total_count"] == 1

    def test_of_the_native_api_is_found_with_its_metadata(self, client: Client) -> None:
        stored = client.native.remember("The lamp in the hall is green", metadata={"room": {"floor": 2}})
        (found,) = client.search("green lamp in the hall")["memories"]
        assert (found["id"], found["metadata"], found["embedded"]) == (stored["id"], {"room": {"floor": 2}}, True)
        assert client.list()["memories"] == [found]
        assert int(found["createdAt"][17:19]) == stored["created_at"] % 60

    def test_follows_what_the_native_api_does_to_it(self, client: Client) -> None:
        id = client.create("The lamp is green")
        client.embed()
        client.native.put(f"/v1/memories/{id}", {"content": "The lamp is red", "metadata": {"seen": True}})
        assert (client.get(id)["content"], client.get(id)["metadata"]) == ("The lamp is red", {"seen": True})
        assert [found["id"] for found in client.search("red lamp")["memories"]] == [id]
        client.native.delete(f"/v1/memories/{id}")
        assert client.list()["total_count"] == 0

    def test_that_is_archived_or_replaced_leaves_the_list_and_is_still_there(self, client: Client) -> None:
        old = client.native.remember("The lamp is green")["id"]
        new = client.native.remember("The lamp is red", supersedes=old)["id"]
        assert [found["id"] for found in client.list()["memories"]] == [new]
        assert client.get(old)["content"] == "The lamp is green"


class TestEvents:
    def test_tell_of_storing_embedding_and_deleting(self, client: Client, parts: State) -> None:
        told = Told(parts, client.tenant)
        assert told.names() == ["key.created"]
        id = client.create("the lamp is green")
        assert told.names() == ["agent.created", "memory.created"]
        client.embed()
        assert "embedding.completed" in told.names()
        client.call("DELETE", f"/memory/{id}")
        assert told.one()["noun_id"] == id


class TestAudit:
    def test_names_the_memory_of_each_write_and_no_search(self, client: Client, parts: State) -> None:
        id = client.create("one")
        client.search("one")
        client.call("DELETE", f"/memory/{id}")
        admin = _admin(client, parts)
        rows = [row for row in admin.get("/v1/audit").get_json()["data"] if row["action"] != "keys.use"]
        assert [(row["route"], row["status"], row["noun_id"]) for row in rows] == [
            (f"{API}/memory/{{memory_id}}", 200, id), (f"{API}/memory", 201, id),
        ]  # fmt: skip

    def test_is_the_native_apis_usage_as_well(self, client: Client, parts: State) -> None:
        client.create("one")
        rows = _admin(client, parts).get("/v1/usage?group_by=route").get_json()["data"]
        assert {row["route"]: row["requests"] for row in rows}[f"POST {API}/memory"] == 1


class TestTenants:
    def test_never_meet(self, client: Client, other: Client, parts: State) -> None:
        """Every route is called by one tenant against the other, which has the same words in it."""
        text = "The spare key hangs behind the barn door"
        mine = [client.create(text) for _ in range(3)]
        other.create("Another key")
        for each in (client, other):
            each.embed()
        before = footprint(parts, client.native)
        asked: list[tuple[str, str, Any]] = [
            ("GET", "/memory", None), ("GET", "/memory?per=100&page=1", None), ("GET", "/usage", None),
            ("POST", "/memory/search", {"query": text, "topK": 50}), ("POST", "/memory", {"text": mine[0]}),
            *((verb, f"/memory/{id}", None) for id in mine for verb in ("GET", "DELETE")),
        ]  # fmt: skip
        for verb, path, body in asked:
            shown = other.call(verb, path, body).get_data(as_text=True)
            assert not [id for id in mine if id in shown], (verb, path)
            assert text not in shown
        assert footprint(parts, client.native) == before
        assert {found["id"] for found in client.list()["memories"]} == set(mine)


def _admin(client: Client, parts: State) -> Caller:
    """Return a caller with the scope `admin` in the client's tenant."""
    return new_caller(client.app, parts, ("admin", "read"), client.native)

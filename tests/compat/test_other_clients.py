"""What sets MemoryRelay's Node SDK and OpenClaw plugin apart, sent as they send it; and habits all clients share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import httpx2
import pytest
from memoryrelay import AgentCreate, MemoryRelay, MemoryRelayError

from app import create_app
from app.state import State
from tests.callers import new_caller
from tests.compat.conftest import Door

Fresh = Callable[[str], str]
PLUGINS = ("openclaw-memory-memoryrelay/0.17.1", "openclaw-plugin-memoryrelay-ai/0.25.2")
TEXT = "The shop is closed on Sundays"


def client_of(door: Door, agent: str) -> httpx2.Client:
    headers = {
        "Authorization": f"Bearer {door.key}", "User-Agent": agent, "Content-Type": "application/json",
    }  # fmt: skip
    return httpx2.Client(base_url=door.base_url, headers=headers, timeout=30)


@pytest.fixture(scope="module", params=PLUGINS)
def plugin(request: pytest.FixtureRequest, door: Door) -> Iterator[httpx2.Client]:
    """The HTTP client of the OpenClaw plugin, before and after it was renamed."""
    with client_of(door, request.param) as client:
        yield client


@pytest.fixture(scope="module")
def node(door: Door) -> Iterator[httpx2.Client]:
    """The HTTP client of the Node SDK."""
    with client_of(door, "memoryrelay-node-sdk/0.1.0") as client:
        yield client


def post(client: httpx2.Client, path: str, **body: Any) -> Any:
    return client.post(path, json=body).raise_for_status().json()


def get(client: httpx2.Client, path: str) -> Any:
    return client.get(path).raise_for_status().json()


class TestPlugin:
    def test_query_parameters_beside_a_body_do_not_count(self, plugin: httpx2.Client, fresh: Fresh) -> None:
        agent = fresh("claw")
        made = post(plugin, "/v1/memories", content=TEXT, agent_id=agent, scope="long-term", importance=0.6)
        path = "/v1/memories/search?q=elephants&limit=0&threshold=1.0&scope=session&session_id=none&namespace=x"
        found = post(plugin, path, query="when is the shop closed?", limit=5, threshold=0.1, agent_id=agent)
        assert [hit["memory"]["id"] for hit in found["data"]] == [made["id"]]

    def test_a_session_id_from_the_metadata_links(self, plugin: httpx2.Client, fresh: Fresh) -> None:
        agent = fresh("claw")
        session = post(plugin, "/v1/sessions/get-or-create", external_id=fresh("auto:chat"), agent_id=agent)
        made = post(plugin, "/v1/memories", content=TEXT, agent_id=agent, session_id=session["id"])
        assert made["session_id"] == session["id"]
        assert get(plugin, f"/v1/sessions/{session['id']}")["memory_count"] == 1

    def test_a_session_is_looked_up_by_making_it_again(self, plugin: httpx2.Client, fresh: Fresh) -> None:
        key = {"external_id": fresh("auto:chat:2026-03-20"), "agent_id": fresh("claw")}
        first = post(plugin, "/v1/sessions/get-or-create", **key, title="Morning", project="billing")
        again = post(plugin, "/v1/sessions/get-or-create", **key)
        assert (first["created"], again["created"]) == (True, False)
        assert (again["id"], again["title"]) == (first["id"], "Morning")
        assert plugin.put(f"/v1/sessions/{again['id']}/end", json={}).json()["status"] == "ended"
        ended = post(plugin, "/v1/sessions/get-or-create", **key)
        assert (ended["id"], ended["status"], ended["created"]) == (first["id"], "ended", False)

    def test_statistics_are_asked_by_name_and_nested(self, plugin: httpx2.Client, fresh: Fresh) -> None:
        agent = fresh("claw & co")
        for text in (TEXT, "The shop opens at nine"):
            post(plugin, "/v1/memories", content=text, agent_id=agent)
        stats = plugin.get(f"/v1/agents/{agent.replace('&', '%26')}/stats").raise_for_status().json()
        assert stats["data"]["total_memories"] == 2
        assert isinstance(stats["data"]["last_updated"], str)

    def test_a_delete_is_answered_with_an_object(self, plugin: httpx2.Client, fresh: Fresh) -> None:
        made = post(plugin, "/v1/memories", content=TEXT, agent_id=fresh("claw"))
        answer = plugin.delete(f"/v1/memories/{made['id']}")
        assert (answer.status_code, answer.json()) == (200, {"id": made["id"], "object": "memory", "deleted": True})

    def test_a_batch_says_once_whose_it_is(self, plugin: httpx2.Client, fresh: Fresh) -> None:
        agent = fresh("claw")
        items = [{"content": TEXT, "metadata": {"n": "1"}}, {"content": "The shop opens at nine"}]
        assert post(plugin, "/v1/memories/batch", memories=items, agent_id=agent)["succeeded"] == 2
        listed = get(plugin, f"/v1/memories?limit=50&offset=0&agent_id={agent}&scope=all&include_embeddings=true")
        assert {one["content"] for one in listed["data"]} == {TEXT, "The shop opens at nine"}
        assert {type(number) for one in listed["data"] for number in one["embedding"]} == {float}

    def test_its_own_scoping_travels_in_metadata(self, plugin: httpx2.Client, fresh: Fresh) -> None:
        agent = fresh("claw")
        mine = post(
            plugin, "/v1/memories", content=TEXT, agent_id=agent, metadata={"scope": "session", "namespace": "a"}
        )
        post(plugin, "/v1/memories", content=TEXT, agent_id=agent, metadata={"scope": "session", "namespace": "b"})
        wanted = {"scope": "session", "namespace": "a"}
        found = post(plugin, "/v1/memories/search", query="shop", min_score=0.1, agent_id=agent, metadata_filter=wanted)
        assert [hit["memory"]["id"] for hit in found["data"]] == [mine["id"]]

    def test_context_of_memories_is_text(self, plugin: httpx2.Client, fresh: Fresh) -> None:
        agent = fresh("claw")
        post(plugin, "/v1/memories", content=TEXT, agent_id=agent)
        built = post(plugin, "/v1/memories/context", query="shop closed", limit=5, threshold=0.1, agent_id=agent)
        assert TEXT in built["context"]
        assert built["memories_used"] == 1

    @pytest.mark.parametrize("path", ["/v2/context/build", "/v2/context"])
    def test_the_second_context_has_two_spellings(self, plugin: httpx2.Client, path: str, fresh: Fresh) -> None:
        agent = fresh("claw")
        made = post(plugin, "/v1/memories", content=TEXT, agent_id=agent)
        built = post(plugin, path, query="when is the shop closed?", agent_id=agent, max_memories=3, ai_enhanced=False)
        assert [one["memory_id"] for one in built["context"]] == [made["id"]]

    def test_vectors_can_be_asked_for(self, plugin: httpx2.Client) -> None:
        lengths = {
            len(post(plugin, "/v1/embed", text=TEXT, **prefix)["embedding"])
            for prefix in ({}, {"prefix": "search_query"}, {"prefix": "search_document"})
        }
        assert lengths == {get(plugin, "/v1/health")["embedding_info"]["dimension"]}

    def test_the_quota_says_how_much_is_used(self, plugin: httpx2.Client, fresh: Fresh) -> None:
        before = get(plugin, "/v1/quota")
        post(plugin, "/v1/memories", content=TEXT, agent_id=fresh("claw"))
        after = get(plugin, "/v1/quota")
        assert after["used"] == before["used"] + 1
        # It stops capturing at nine tenths of the limit: without a quota the limit is out of reach.
        assert after["used"] < 0.8 * after["limit"]

    def test_promoting_without_a_tier(self, plugin: httpx2.Client, fresh: Fresh) -> None:
        made = post(plugin, "/v1/memories", content=TEXT, agent_id=fresh("claw"))
        changed = plugin.put(f"/v1/memories/{made['id']}/importance", json={"importance": 0.9}).json()
        assert changed["tier"] == "hot"

    def test_an_update_is_a_put(self, plugin: httpx2.Client, fresh: Fresh) -> None:
        made = post(plugin, "/v1/memories", content=TEXT, agent_id=fresh("claw"))
        changed = plugin.put(f"/v1/memories/{made['id']}", json={"content": "The shop is open"}).json()
        assert changed["content"] == "The shop is open"

    def test_health_is_one_of_the_words_it_knows(self, plugin: httpx2.Client) -> None:
        assert get(plugin, "/v1/health")["status"].lower() in ("ok", "healthy", "up")

    def test_its_graph_goes_two_steps_by_default(self, plugin: httpx2.Client, fresh: Fresh) -> None:
        made = post(plugin, "/v1/entities", name=fresh("Ada"), type="person", agent_id=fresh("claw"))
        around = get(plugin, f"/v1/entities/{made['id']}/neighborhood?depth=2&max_neighbors=10")
        assert (around["entity"]["id"], around["neighbors"]) == (made["id"], [])


class TestNode:
    def test_a_memory_round_trip(self, node: httpx2.Client, fresh: Fresh) -> None:
        agent = fresh("node")
        made = post(node, "/v1/memories", content=TEXT, agent_id=agent, metadata={"a": 1}, user_id="ada")
        assert get(node, f"/v1/memories/{made['id']}")["user_id"] == "ada"
        changed = node.put(f"/v1/memories/{made['id']}", json={"content": "The shop is open"}).json()
        assert changed["metadata"] == {"a": 1}
        found = post(node, "/v1/memories/search", query="shop", agent_id=agent, limit=10, threshold=0.1)
        assert found["data"][0]["memory"]["id"] == made["id"]
        assert [one["id"] for one in get(node, f"/v1/memories?agent_id={agent}")["data"]] == [made["id"]]
        assert node.delete(f"/v1/memories/{made['id']}").status_code == 204

    def test_a_batch_is_timed(self, node: httpx2.Client, fresh: Fresh) -> None:
        done = post(node, "/v1/memories/batch", memories=[{"content": TEXT, "agent_id": fresh("node")}])
        assert (done["total"], done["succeeded"], done["failed"]) == (1, 1, 0)
        assert done["timing"]["total_ms"] >= done["timing"]["avg_per_item_ms"] >= 0

    def test_an_agent_and_its_flat_statistics(self, node: httpx2.Client, fresh: Fresh) -> None:
        made = post(node, "/v1/agents", id="chosen-by-the-client", name=fresh("node"), description="Keeps notes")
        assert made["id"] != "chosen-by-the-client"
        text = "Priya Raman moved the data to PostgreSQL"
        post(node, "/v1/memories", content=text, agent_id=made["id"])
        stats = get(node, f"/v1/agents/{made['id']}/stats")
        assert stats["memory_count"] == 1
        assert stats["entity_count"] >= 1
        assert made["id"] in {one["id"] for one in get(node, "/v1/agents?limit=100&offset=0")["data"]}

    def test_an_entity_has_the_type_it_was_given(self, node: httpx2.Client, fresh: Fresh) -> None:
        made = post(node, "/v1/entities", name=fresh("Ada"), type="person", metadata={"a": 1})
        assert get(node, f"/v1/entities/{made['id']}")["type"] == "person"
        assert made["id"] in {one["id"] for one in get(node, "/v1/entities?limit=100")["data"]}

    def test_health_names_the_services_it_reads(self, node: httpx2.Client) -> None:
        services = get(node, "/v1/health")["services"]
        assert {"database", "embeddings"} <= set(services)
        assert {type(value) for value in services.values()} == {str}

    @pytest.mark.parametrize(
        ("path", "status", "said"),
        [
            ("/v1/memories/00000000-0000-4000-8000-000000000000", 404, "Memory not found"),
            ("/v1/memories/x", 422, "memory_id: must be a UUID"),
        ],
    )
    def test_the_error_is_a_sentence(self, node: httpx2.Client, path: str, status: int, said: str) -> None:
        answer = node.get(path)
        assert answer.status_code == status
        assert answer.json()["error"].startswith(said)


class TestHabits:
    def test_a_null_means_absent(self, http: httpx2.Client, fresh: Fresh) -> None:
        names = ("metadata", "memory_type", "session_id", "project", "project_id", "tier", "visibility", "user_id")
        body = dict.fromkeys((*names, "importance", "deduplicate", "dedup_threshold", "auto_extract_entities"))
        made = post(http, "/v1/memories", content=TEXT, agent_id=fresh("null"), **body)
        assert (made["importance"], made["visibility"], made["metadata"], made["tier"]) == (0.5, "private", {}, "warm")

    def test_a_post_may_have_neither_body_nor_content_type(self, http: httpx2.Client, fresh: Fresh) -> None:
        made = post(http, "/v1/memories", content=TEXT, agent_id=fresh("bare"))["id"]
        key = {"provider": "openai", "api_key": "sk-0123456789abcdef", "model": "small"}
        byok = post(http, "/v1/extraction/keys", **key)["id"]
        for path in (
            f"/v1/memories/{made}/extract-entities",
            "/v1/memories/backfill-entities?limit=5",
            f"/v1/extraction/keys/{byok}/activate",
            "/v1/extraction/keys/deactivate-all",
        ):
            answer = http.post(path)
            assert "content-type" not in answer.request.headers
            assert (path, answer.status_code) == (path, 200)
        deleted = http.delete(f"/v1/extraction/keys/{byok}")
        assert (deleted.status_code, type(deleted.json())) == (200, dict)

    def test_two_slashes_are_one_also_for_a_post(self, http: httpx2.Client, door: Door, fresh: Fresh) -> None:
        answer = http.post(f"{door.base_url}//v1/memories", json={"content": TEXT, "agent_id": fresh("slash")})
        assert answer.request.url.path.startswith("//v1/")
        assert answer.status_code == 201

    def test_there_is_no_icm(self, http: httpx2.Client) -> None:
        assert http.get("/v2/icm/capabilities").status_code == 404


class TestRateLimit:
    @pytest.fixture
    def limited(self, parts: State) -> Iterator[MemoryRelay]:
        """A Python client whose key may ask twice a minute, on an app in this process."""
        app = create_app(replace(parts, settings=replace(parts.settings, rate_limit="2/minute")))
        key = new_caller(app, parts, ("read", "write"), None).key
        with MemoryRelay(api_key=key, base_url="http://loci.test", transport=httpx.WSGITransport(app=app)) as client:
            yield client

    def test_the_third_call_says_when_to_come_back(self, limited: MemoryRelay) -> None:
        seen: list[httpx.Response] = []
        limited._client.event_hooks = {"response": [seen.append]}
        for name in ("iris", "friday"):
            limited.agents.create(AgentCreate(name=name))
        with pytest.raises(MemoryRelayError, match="Rate limit exceeded") as caught:
            limited.agents.list()
        assert caught.value.status_code == 429
        assert seen[-1].headers["Retry-After"].isdecimal()
        assert 1 <= int(seen[-1].headers["Retry-After"]) <= 60
        limits = [(one.headers["X-RateLimit-Limit"], one.headers["X-RateLimit-Remaining"]) for one in seen]
        assert limits == [("2", "1"), ("2", "0"), ("2", "0")]
        assert all(one.headers["X-RateLimit-Reset"].isdecimal() for one in seen)

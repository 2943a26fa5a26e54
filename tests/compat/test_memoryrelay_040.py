"""The published Python client 0.4.0, synchronous and asynchronous: every method of every resource over HTTP."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from memoryrelay import (
    AgentCreate,
    AgentUpdate,
    BatchMemoryItem,
    BatchMemoryRequest,
    ByokKeyCreate,
    EntityCreate,
    EntityLinkCreate,
    EntityUpdate,
    IcmUnsupportedError,
    MemoryContextRequest,
    MemoryCreate,
    MemoryRelayError,
    MemorySearchRequest,
    MemoryUpdate,
    NotFoundError,
    ValidationError,
)

from tests.compat.conftest import Door
from tests.compat.routes import PYTHON_04
from tests.compat.sdk import Sdk, methods_of

UNKNOWN = "00000000-0000-4000-8000-000000000000"
# What ICM methods want before they ask the server anything.
ICM_ARGUMENTS: dict[str, dict[str, Any]] = {
    "build_context": {"target": {"kind": "entry"}},
    "import_files": {
        "files": {"notes.md": "text"},
        "client": {"name": "compat"},
        "origin": {"kind": "folder", "id": "notes"},
    },
    "propose_draft": {"expected_digest": "0" * 64},
}


@pytest.fixture(scope="module", params=["sync", "async"])
def sdk(request: pytest.FixtureRequest, door: Door) -> Iterator[Sdk]:
    made = Sdk(request.param, api_key=door.key, base_url=door.base_url)
    yield made
    made.close()


@pytest.fixture
def agent(sdk: Sdk, fresh: Callable[[str], str]) -> Any:
    return sdk("agents.create", AgentCreate(name=fresh("iris")))


@pytest.fixture
def memory(sdk: Sdk, agent: Any) -> Any:
    return sdk("memories.create", MemoryCreate(agent_id=agent.id, content="Billing deploys on Tuesdays after lunch"))


@pytest.fixture
def entity(sdk: Sdk, fresh: Callable[[str], str]) -> Any:
    return sdk("entities.create", EntityCreate(name=fresh("Billing Service"), entity_type="product"))


class TestEveryMethod:
    def test_is_listed_with_its_route(self, sdk: Sdk) -> None:
        assert {name for name in methods_of(sdk.client) if not name.startswith("icm.")} == set(PYTHON_04)

    def test_is_called_here(self) -> None:
        source = Path(__file__).read_text("utf-8")
        assert set(PYTHON_04) - set(re.findall(r'sdk\(\s*"([\w.]+)"', source)) == set()


class TestMemories:
    def test_a_memory_comes_back_as_it_was_stored(self, sdk: Sdk, agent: Any) -> None:
        sent = MemoryCreate(
            agent_id=agent.id, content="Priya prefers dark mode", metadata={"source": "chat", "deep": {"n": [1, None]}},
            visibility="private", memory_type="preference", importance=0.9, deduplicate=False,
        )  # fmt: skip
        made = sdk("memories.create", sent)
        found = sdk("memories.get", made.id)
        assert (found.content, found.metadata, found.agent_id) == (sent.content, sent.metadata, agent.id)
        assert (found.memory_type, found.importance, found.tier) == ("preference", 0.9, "hot")
        assert found.extraction_status == "ready"
        assert isinstance(found.created_at, int)
        assert found.is_duplicate is False

    def test_an_agent_may_be_named_before_it_exists(self, sdk: Sdk, fresh: Callable[[str], str]) -> None:
        name = fresh("friday")
        made = sdk("memories.create", MemoryCreate(agent_id=name, content="The lift is out of order"))
        assert sdk("agents.get", made.agent_id).name == name
        assert [one.id for one in sdk("memories.list", agent_id=name).data] == [made.id]

    def test_deduplication_returns_the_first_memory(self, sdk: Sdk, memory: Any) -> None:
        sent = MemoryCreate(agent_id=memory.agent_id, content=memory.content, deduplicate=True)
        again = sdk("memories.create", sent)
        assert (again.id, again.is_duplicate) == (memory.id, True)

    def test_lists_are_the_agents_own_newest_first_page_by_page(self, sdk: Sdk, agent: Any) -> None:
        made = [
            sdk("memories.create", MemoryCreate(agent_id=agent.id, content=f"Note number {n}")).id for n in range(3)
        ]
        first = sdk("memories.list", agent_id=agent.id, limit=2)
        second = sdk("memories.list", agent_id=agent.id, limit=2, offset=2)
        assert [one.id for one in first.data + second.data] == made[::-1]
        assert (first.has_more, second.has_more, first.total_count) == (True, False, 3)

    def test_a_list_without_a_filter_shows_memories_of_all_clients(
        self, sdk: Sdk, memory: Any, http: httpx2.Client
    ) -> None:
        body = {"agent_id": "curl", "content": "Stored with as little as possible", "metadata": None}
        bare = http.post("/v1/memories", json=body).json()["id"]
        assert {bare, memory.id} <= {one.id for one in sdk("memories.list").data}

    def test_an_edit_changes_what_it_names(self, sdk: Sdk, memory: Any) -> None:
        sdk("memories.update", memory.id, MemoryUpdate(metadata={"by": "priya"}))
        changed = sdk("memories.update", memory.id, MemoryUpdate(content="Billing deploys on Fridays"))
        assert (changed.content, changed.metadata) == ("Billing deploys on Fridays", {"by": "priya"})
        assert sdk("memories.get", memory.id).content == changed.content

    def test_a_deleted_memory_is_gone(self, sdk: Sdk, memory: Any) -> None:
        assert sdk("memories.delete", memory.id) is None
        with pytest.raises(NotFoundError, match=r"^Memory not found$"):
            sdk("memories.get", memory.id)

    def test_search_finds_by_meaning(self, sdk: Sdk, memory: Any) -> None:
        question = MemorySearchRequest(query="when does the billing release happen?", agent_id=memory.agent_id)
        found = sdk("memories.search", question)
        assert found.query == question.query
        assert [hit.memory.id for hit in found.data] == [memory.id]
        assert 0.3 < found.data[0].score < 0.9

    def test_search_leaves_out_what_its_filters_exclude(self, sdk: Sdk, agent: Any) -> None:
        def store(content: str, **fields: Any) -> str:
            return str(sdk("memories.create", MemoryCreate(agent_id=agent.id, content=content, **fields)).id)

        secret = store("The vault code is written on the fridge", visibility="confidential")
        plain = store("The vault door squeaks", importance=0.9, metadata={"room": "cellar"})

        def search(**fields: Any) -> set[str]:
            question = MemorySearchRequest(query="vault", agent_id=agent.id, **fields)
            return {hit.memory.id for hit in sdk("memories.search", question).data}

        assert search() == {plain}
        assert search(include_confidential=True) == {plain, secret}
        assert search(include_confidential=True, tier="hot") == {plain}
        assert search(include_confidential=True, min_importance=0.8) == {plain}
        assert search(include_confidential=True, metadata_filter={"room": "cellar"}) == {plain}
        assert search(metadata_filter={"room": "attic"}) == set()
        assert search(min_score=1.0) == set()

    def test_a_batch_reports_on_every_item(self, sdk: Sdk, agent: Any) -> None:
        items = [BatchMemoryItem(content=f"Batch line {n}", agent_id=agent.id, metadata={"n": n}) for n in range(3)]
        done = sdk("memories.batch_create", BatchMemoryRequest(memories=items))
        assert (done.success, done.total, done.succeeded, done.failed, done.skipped) == (True, 3, 3, 0, 0)
        assert [sdk("memories.get", one.id).metadata for one in done.results] == [{"n": 0}, {"n": 1}, {"n": 2}]

    def test_a_bad_item_does_not_fail_its_batch(self, sdk: Sdk, agent: Any) -> None:
        items = [BatchMemoryItem(content=text, agent_id=agent.id) for text in ("  ", "A good line")]
        done = sdk("memories.batch_create", BatchMemoryRequest(memories=items))
        assert (done.success, done.succeeded, done.failed) == (False, 1, 1)
        assert [one.status for one in done.results] == ["failed", "success"]
        assert done.results[0].id is None
        assert done.results[0].error

    def test_context_is_text_ready_for_a_prompt(self, sdk: Sdk, memory: Any) -> None:
        asked = MemoryContextRequest(query="billing deploys", agent_id=memory.agent_id, threshold=0.1, max_tokens=500)
        built = sdk("memories.context", asked)
        assert memory.content in built.context
        assert (built.memories_used, built.total_chars) == (1, len(built.context))
        nothing = sdk("memories.context", MemoryContextRequest(query="billing", agent_id=memory.agent_id, threshold=1))
        assert (nothing.context, nothing.memories_used, nothing.total_chars) == ("", 0, 0)

    def test_promoting_sets_importance_and_tier(self, sdk: Sdk, memory: Any) -> None:
        hot = sdk("memories.promote", memory.id, 0.85)
        assert (hot.importance, hot.tier) == (0.85, "hot")
        cold = sdk("memories.promote", memory.id, 0.5, tier="cold")
        assert (cold.importance, cold.tier) == (0.5, "cold")

    def test_maintenance_says_how_many_it_demoted(self, sdk: Sdk, memory: Any) -> None:
        done = sdk("memories.maintenance")
        assert done.action == "demote_cold"
        assert done.demoted_count >= 0
        assert sdk("memories.get", memory.id).tier == "warm"

    def test_extraction_can_be_asked_for_and_watched(self, sdk: Sdk, agent: Any) -> None:
        text = "Priya Raman of Acme Corp moved the data to PostgreSQL in Lisbon"
        made = sdk("memories.create", MemoryCreate(agent_id=agent.id, content=text))
        asked = sdk("memories.extract_entities", made.id)
        assert set(asked) >= {"status", "memory_id", "extraction_method", "extraction_model"}
        assert asked["memory_id"] == made.id
        state = sdk("memories.get_extraction_status", made.id)
        assert set(state) >= {"status", "extraction_method", "extraction_model", "updated_at", "entity_count"}
        assert state["status"] in ("pending", "processing", "ready")
        ready = sdk("memories.wait_until_ready", made.id)
        assert "PostgreSQL" in {one.value for one in ready.entities}
        assert sdk("memories.get_extraction_status", made.id)["entity_count"] == len(ready.entities)

    def test_backfill_says_how_many_it_queued(self, sdk: Sdk, agent: Any) -> None:
        done = sdk("memories.backfill_entities", limit=5, agent_id=agent.id)
        assert isinstance(done["status"], str)
        assert done["queued"] == 0

    def test_an_asynchronous_memory_gets_ready_and_is_found(self, sdk: Sdk, agent: Any) -> None:
        text = "The spare key lies below the geranium"
        made = sdk("memories.create_async", MemoryCreate(agent_id=agent.id, content=text, importance=0.9))
        assert made.status in ("pending", "processing", "ready")
        state = sdk("memories.get_status", made.id)
        assert (state.id, state.error) == (made.id, None)
        ready = sdk("memories.wait_until_ready", made.id, poll_interval=0.1)
        assert (ready.content, ready.tier, ready.extraction_status) == (text, "hot", "ready")
        found = sdk("memories.search", MemorySearchRequest(query="where is the spare key?", agent_id=agent.id))
        assert [hit.memory.id for hit in found.data] == [made.id]


class TestAgents:
    def test_round_trip(self, sdk: Sdk, fresh: Callable[[str], str]) -> None:
        name = fresh("iris")
        made = sdk("agents.create", AgentCreate(name=name, metadata={"team": "platform"}))
        assert (made.name, made.metadata, made.memory_count) == (name, {"team": "platform"}, 0)
        changed = sdk("agents.update", made.id, AgentUpdate(name=f"{name}-2", description="Keeps notes"))
        assert (changed.name, changed.metadata) == (f"{name}-2", {"team": "platform"})
        assert sdk("agents.get", made.id).name == f"{name}-2"
        assert made.id in {one.id for one in sdk("agents.list").data}
        assert sdk("agents.delete", made.id) is None
        with pytest.raises(NotFoundError, match=r"^Agent not found$"):
            sdk("agents.get", made.id)

    def test_memories_are_counted(self, sdk: Sdk, memory: Any) -> None:
        assert sdk("agents.get", memory.agent_id).memory_count == 1

    def test_a_list_with_agents_of_all_clients_can_be_read(
        self, sdk: Sdk, http: httpx2.Client, fresh: Callable[[str], str]
    ) -> None:
        bare = http.post("/v1/agents", json={"name": fresh("bare"), "metadata": None}).json()
        by_name = http.post("/v1/memories", json={"agent_id": fresh("met"), "content": "Hello"}).json()
        assert {bare["id"], by_name["agent_id"]} <= {one.id for one in sdk("agents.list").data}


class TestEntities:
    def test_round_trip(self, sdk: Sdk, fresh: Callable[[str], str]) -> None:
        name = fresh("Ada Lovelace")
        made = sdk("entities.create", EntityCreate(name=name, entity_type="person", metadata={"role": "lead"}))
        assert (made.name, made.entity_type, made.metadata) == (name, "person", {"role": "lead"})
        assert (made.memory_count, made.relationship_count) == (0, 0)
        changed = sdk("entities.update", made.id, EntityUpdate(name=f"{name} King", metadata={"since": 1843}))
        assert (changed.name, changed.metadata) == (f"{name} King", {"role": "lead", "since": 1843})
        assert sdk("entities.get", made.id).name == f"{name} King"
        listed = sdk("entities.list")
        assert made.id in {one.id for one in listed.data}
        assert listed.total_count >= 1
        assert sdk("entities.delete", made.id) is None
        with pytest.raises(NotFoundError, match=r"^Entity not found$"):
            sdk("entities.get", made.id)

    def test_linked_things_are_counted_and_listed(self, sdk: Sdk, entity: Any, memory: Any) -> None:
        link = sdk("entities.link_to_memory", EntityLinkCreate(entity_id=entity.id, memory_id=memory.id))
        assert (link.entity_id, link.memory_id) == (entity.id, memory.id)
        assert 0 <= link.relevance_score <= 1
        assert sdk("entities.get", entity.id).memory_count == 1
        assert entity.id in {one.id for one in sdk("entities.list", agent_id=memory.agent_id).data}

    def test_entities_of_one_memory_are_neighbours(
        self, sdk: Sdk, entity: Any, memory: Any, fresh: Callable[[str], str]
    ) -> None:
        other = sdk("entities.create", EntityCreate(name=fresh("Ada"), entity_type="person"))
        for one in (entity, other):
            sdk("entities.link_to_memory", EntityLinkCreate(entity_id=one.id, memory_id=memory.id))
        around = sdk("entities.get_neighborhood", entity.id)
        assert around["entity"]["id"] == around["center"]["id"] == entity.id
        assert other.id in {one["id"] for one in around["neighbors"]}
        assert around["total_neighbors"] == len(around["neighbors"])
        edges = sdk("entities.get_relationships", entity.id)
        assert edges["total"] == len(edges["data"])
        ends = {end for edge in edges["data"] for end in (edge["source_entity_id"], edge["target_entity_id"])}
        assert other.id in ends


class TestExtraction:
    def test_settings_can_be_read(self, sdk: Sdk) -> None:
        found = sdk("extraction.get_settings")
        assert found.extractor in ("rules", "llm", "byok")
        assert found.tier in ("free", "starter", "builder", "pro", "scale")

    def test_a_key_is_kept_masked_and_can_be_switched(self, sdk: Sdk) -> None:
        secret = "sk-compat-0123456789abcdef"
        one = sdk("extraction.create_key", ByokKeyCreate(provider="openai", api_key=secret, model="small"))
        sent = ByokKeyCreate(provider="anthropic", api_key=secret, model="large", label="spare")
        two = sdk("extraction.create_key", sent)
        try:
            assert secret not in one.masked_key
            assert (one.model, one.label, one.base_url, two.label) == ("small", None, None, "spare")
            assert sdk("extraction.activate_key", two.id).is_active
            found = sdk("extraction.get_settings")
            assert (found.byok_configured, found.byok_active) == (True, True)
            assert {key.id: key.is_active for key in found.keys} == {one.id: False, two.id: True}
            assert sdk("extraction.deactivate_all_keys")["deactivated_count"] == 1
            assert sdk("extraction.get_settings").byok_active is False
        finally:
            assert isinstance(sdk("extraction.delete_key", one.id), dict)
            assert isinstance(sdk("extraction.delete_key", two.id), dict)
        assert sdk("extraction.get_settings").keys == []


class TestIcm:
    def test_is_reported_as_unsupported(self, sdk: Sdk) -> None:
        assert sdk("icm.capabilities") == {"supported": False}

    def test_every_method_says_so(self, sdk: Sdk) -> None:
        names = sorted(name for name in methods_of(sdk.client) if name.startswith("icm.") and "capab" not in name)
        assert len(names) >= 15
        for name in names:
            _, short = name.split(".")
            method = getattr(sdk.client.icm, short)
            wanted = [p for p in inspect.signature(method).parameters.values() if p.default is p.empty]
            given = {p.name: "main" for p in wanted} | ICM_ARGUMENTS.get(short, {})
            with pytest.raises(IcmUnsupportedError):
                sdk(name, **given)


class TestErrors:
    @pytest.mark.parametrize(
        ("name", "noun"), [("memories.get", "Memory"), ("agents.get", "Agent"), ("entities.get", "Entity")]
    )
    def test_what_is_not_there_is_named(self, sdk: Sdk, name: str, noun: str) -> None:
        with pytest.raises(NotFoundError, match=rf"^{noun} not found$") as caught:
            sdk(name, UNKNOWN)
        assert caught.value.status_code == 404

    def test_what_is_wrong_is_a_sentence(self, sdk: Sdk) -> None:
        with pytest.raises(ValidationError) as caught:
            sdk("memories.create", MemoryCreate(agent_id="iris", content="  "))
        assert isinstance(caught.value.message, str)
        assert caught.value.message.startswith("content: ")

    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_a_wrong_key_is_told(self, door: Door, kind: str) -> None:
        sdk = Sdk(kind, api_key="mem_prod_" + "0" * 64, base_url=door.base_url)
        with pytest.raises(MemoryRelayError, match="not valid") as caught:
            sdk("agents.list")
        sdk.close()
        assert caught.value.status_code == 401

    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_a_key_that_may_not_delete_is_told(self, door: Door, new_key: Callable[..., str], kind: str) -> None:
        sdk = Sdk(kind, api_key=new_key("read", "write"), base_url=door.base_url)
        made = sdk("memories.create", MemoryCreate(agent_id="iris", content="Stays here"))
        with pytest.raises(MemoryRelayError, match="delete") as caught:
            sdk("memories.delete", made.id)
        assert caught.value.status_code == 403
        assert sdk("memories.get", made.id).id == made.id
        sdk.close()

    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_a_base_url_that_ends_in_a_slash_works(self, door: Door, kind: str) -> None:
        sdk = Sdk(kind, api_key=door.key, base_url=f"{door.base_url}/")
        made = sdk("memories.create", MemoryCreate(agent_id="iris", content="Asked for with two slashes"))
        assert sdk("memories.get", made.id).content == "Asked for with two slashes"
        assert sdk("memories.delete", made.id) is None
        sdk.close()

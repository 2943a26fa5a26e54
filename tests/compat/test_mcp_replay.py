"""What users of MemoryRelay's MCP server see: memories, entities and agents. `mcp_tools.py` sends what it sends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.compat.conftest import Door
from tests.compat.mcp_tools import TOOLS, Mcp, ToolError
from tests.compat.routes import MCP

TEXT = "The staging cluster is rebuilt every Monday at six in the morning"
OTHERS = (
    "Priya is allergic to peanuts",
    "The staging cluster runs in Frankfurt",
    "Invoices are sent on the first of the month",
    "The production cluster is never rebuilt",
)


@pytest.fixture(scope="module")
def shelf(door: Door) -> Iterator[Mcp]:
    """Memories that no test may take away."""
    made = Mcp(door.base_url, door.key, "the-shelf")
    made.use("memory_batch_store", memories=[{"content": one} for one in (TEXT, *OTHERS)])
    yield made
    made.http.close()


def contents(found: dict[str, Any]) -> list[str]:
    return [hit["memory"]["content"] for hit in found["memories"]]


def test_there_are_44_tools_and_each_is_used() -> None:
    assert len(TOOLS) == 44
    assert set(TOOLS) == set(MCP)
    source = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_mcp_replay*.py"))
    assert [name for name in TOOLS if f'"{name}"' not in source] == []


class TestStoring:
    def test_an_agent_never_seen_before_is_made_and_found_by_its_name(self, mcp: Mcp) -> None:
        made = mcp.use("memory_store", content=TEXT, metadata={"source": "runbook"})
        agents = {one["id"]: one["name"] for one in mcp.use("agent_list", limit=100)["data"]}
        assert agents[made["agent_id"]] == mcp.agent
        assert mcp.use("agent_get", id=made["agent_id"])["memory_count"] == 1
        assert mcp.use("memory_get", id=made["id"]) == made
        assert (made["content"], made["metadata"]) == (TEXT, {"source": "runbook"})

    def test_everything_a_model_may_say_of_a_memory_is_kept(self, mcp: Mcp, fresh: Callable[[str], str]) -> None:
        session = mcp.use("session_start", title="Clusters")
        slug = fresh("clusters")
        made = mcp.use(
            "memory_store", content=TEXT, project=slug, importance=0.3, tier="hot", session_id=session["id"],
            auto_extract_entities=False, dedup_threshold=0.95,
        )  # fmt: skip
        assert (made["importance"], made["tier"], made["session_id"]) == (0.3, "hot", session["id"])
        assert made["project_id"] == mcp.use("project_info", slug=slug)["id"]
        assert made["entities"] == []

    def test_storing_the_same_again_returns_the_first(self, mcp: Mcp) -> None:
        first = mcp.use("memory_store", content=TEXT)
        again = mcp.use("memory_store", content=TEXT, deduplicate=True)
        assert (again["id"], again["is_duplicate"]) == (first["id"], True)

    def test_a_batch_names_each_memory(self, mcp: Mcp) -> None:
        done = mcp.use("memory_batch_store", memories=[{"content": TEXT, "metadata": {"n": "1"}}, {"content": "Short"}])
        assert (done["success"], done["total"], done["succeeded"], done["failed"], done["skipped"]) == (
            True, 2, 2, 0, 0,
        )  # fmt: skip
        assert [one["status"] for one in done["results"]] == ["success", "success"]
        assert mcp.use("memory_get", id=done["results"][0]["memory_id"])["metadata"] == {"n": "1"}

    def test_an_asynchronous_memory_is_watched_until_it_is_found(self, mcp: Mcp) -> None:
        made = mcp.use("memory_store_async", content=TEXT, metadata={"n": "1"}, importance=0.9)
        assert made["status"] in ("pending", "processing", "ready")
        deadline = time.monotonic() + 30
        while (state := mcp.use("memory_status", memory_id=made["id"]))["status"] != "ready":
            assert state["status"] in ("pending", "processing")
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert state["error"] is None
        assert contents(mcp.use("memory_recall", query="when is staging rebuilt?")) == [TEXT]


class TestFinding:
    def test_recall_is_about_the_own_agent_only(self, shelf: Mcp, new_mcp: Callable[..., Mcp]) -> None:
        assert TEXT in contents(shelf.use("memory_recall", query="when is the staging cluster rebuilt?"))
        assert new_mcp().use("memory_recall", query="when is it rebuilt?") == {"memories": [], "total": 0}

    def test_search_is_across_agents_unless_one_is_named(
        self, mcp: Mcp, new_mcp: Callable[..., Mcp], fresh: Callable[[str], str]
    ) -> None:
        word = fresh("zephyr").replace("-", "")
        mcp.use("memory_store", content=f"The {word} project is late")
        other = new_mcp()
        assert len(contents(other.use("memory_search", query=f"{word} project", threshold=0.1))) >= 1
        named = other.use("memory_search", query=f"{word} project", threshold=0, agent_id=mcp.agent)
        assert contents(named)[0] == f"The {word} project is late"
        assert other.use("memory_search", query=word, threshold=0, agent_id=other.agent)["total"] == 0

    def test_the_threshold_holds(self, shelf: Mcp) -> None:
        found = shelf.use("memory_recall", query="staging cluster", threshold=0.0, limit=50)["memories"]
        floor = found[1]["score"] - 0.01  # scores move a little with a memory's age
        kept = shelf.use("memory_recall", query="staging cluster", threshold=floor, limit=50)["memories"]
        assert [hit["memory"]["id"] for hit in kept] == [h["memory"]["id"] for h in found if h["score"] >= floor]
        assert shelf.use("memory_recall", query="staging cluster", threshold=0.95)["total"] == 0

    def test_filters_of_a_search(self, mcp: Mcp) -> None:
        hot = mcp.use("memory_store", content="The staging password is in the vault", importance=0.9)
        for wanted in ({"tier": "hot"}, {"min_importance": 0.8}):
            found = mcp.use("memory_search", query="staging", threshold=0, agent_id=mcp.agent, **wanted)
            assert contents(found) == [hot["content"]]
        flags = {"include_confidential": True, "include_archived": True, "compress": True, "max_context_tokens": 200}
        assert mcp.use("memory_search", query="staging", threshold=0, agent_id=mcp.agent, **flags)["total"] >= 1

    def test_context_is_made_of_the_best_hits(self, shelf: Mcp) -> None:
        built = shelf.use("memory_context", query="when is the staging cluster rebuilt?", threshold=0.2)
        assert f"%] {TEXT}" in built["context"]
        assert built["memories_used"] == len(built["context"].split("\n\n"))
        short = shelf.use("memory_context", query="when is the staging cluster rebuilt?", threshold=0.2, max_tokens=20)
        assert short["total_chars"] <= 20 * 4 + len("\n\n[...truncated]")
        assert short["memories_used"] >= 1

    def test_a_built_context_names_its_memories(self, shelf: Mcp) -> None:
        built = shelf.use(
            "context_build", query="when is the staging cluster rebuilt?", max_memories=2, max_tokens=1000
        )
        first = built["context"][0]
        assert TEXT in [one["content"] for one in built["context"]]
        assert all(0 <= one["score"] <= 1 for one in built["context"])
        assert len(built["context"]) <= 2
        assert (built["ai_enhanced"], built["summary"]) == (False, None)
        assert built["token_count"] > 0
        assert isinstance(built["ranking_version"], str)
        assert built["latency_ms"] >= 0
        rest = shelf.use("context_build", query="staging cluster", exclude_memory_ids=[first["memory_id"]])
        assert first["memory_id"] not in {one["memory_id"] for one in rest["context"]}
        everywhere = shelf.use("context_build", query=TEXT, agent_id=None, search_mode="hybrid")["context"]
        assert TEXT in {one["content"] for one in everywhere}

    def test_the_list_is_newest_first(self, shelf: Mcp, mcp: Mcp) -> None:
        made = mcp.use("memory_store", content="The newest of all")
        assert shelf.agent != mcp.agent
        page = mcp.use("memory_list", limit=3)
        assert page["data"][0]["id"] == made["id"]
        assert (len(page["data"]), page["has_more"]) == (3, True)
        assert mcp.use("memory_list", limit=1, offset=1)["data"][0]["id"] == page["data"][1]["id"]


class TestChanging:
    def test_an_update_is_a_patch_that_keeps_what_it_does_not_name(self, mcp: Mcp) -> None:
        made = mcp.use("memory_store", content=TEXT, metadata={"source": "runbook"})
        changed = mcp.use("memory_update", id=made["id"], content="The staging cluster is gone")
        assert (changed["content"], changed["metadata"]) == ("The staging cluster is gone", {"source": "runbook"})
        again = mcp.use("memory_update", id=made["id"], content=TEXT, metadata={"by": "ada"})
        assert again["metadata"] == {"source": "runbook", "by": "ada"}

    def test_promoting_moves_between_tiers(self, mcp: Mcp) -> None:
        made = mcp.use("memory_store", content=TEXT)
        assert mcp.use("memory_promote", memory_id=made["id"], importance=0.9)["tier"] == "hot"
        assert mcp.use("memory_promote", memory_id=made["id"], importance=0, tier="warm")["tier"] == "warm"

    def test_deleting_takes_one_request_and_is_told_as_a_success(self, mcp: Mcp) -> None:
        made = mcp.use("memory_store", content=TEXT)
        assert mcp.use("memory_delete", id=made["id"])["success"] is True
        assert mcp.asked == [8]
        with pytest.raises(ToolError, match=r"404 NOT FOUND|404 Not Found") as caught:
            mcp.use("memory_get", id=made["id"])
        assert str(caught.value).endswith("- Memory not found")

    @pytest.mark.parametrize("tool", ["memory_delete", "memory_forget"])
    def test_deleting_twice_is_not_found_at_the_first_attempt(self, mcp: Mcp, tool: str) -> None:
        made = mcp.use("memory_store", content=TEXT)
        argument = {"memory_delete": "id", "memory_forget": "memoryId"}[tool]
        mcp.use(tool, **{argument: made["id"]})
        with pytest.raises(ToolError, match="Memory not found"):
            mcp.use(tool, **{argument: made["id"]})
        assert mcp.asked == [8]


class TestForgetting:
    """`memory_forget` with a query deletes the one hit above 0.9 without asking anybody."""

    def left(self, mcp: Mcp) -> set[str]:
        listed = mcp.http.get(f"{mcp.base_url}/v1/memories", params={"agent_id": mcp.agent}).json()
        return {one["content"] for one in listed["data"]}

    @pytest.mark.parametrize("query", [TEXT, TEXT.lower(), f"  {TEXT}. "])
    def test_the_text_itself_is_forgotten_and_nothing_else(self, mcp: Mcp, query: str) -> None:
        mcp.use("memory_batch_store", memories=[{"content": one} for one in (TEXT, *OTHERS)])
        assert "deleted (matched query)" in mcp.use("memory_forget", query=query)
        assert mcp.asked == [9, 8]
        assert self.left(mcp) == set(OTHERS)

    @pytest.mark.parametrize(
        "query",
        [
            "staging", "cluster", "the staging cluster", "when is the staging cluster rebuilt?", "rebuild staging",
            "The billing cluster is rebuilt every Friday at nine in the evening", "peanuts", "Priya", "Frankfurt",
            "forget everything about clusters", "what is the capital of Mongolia?", "*", "the", "x",
        ],
    )  # fmt: skip
    def test_nothing_is_forgotten_by_a_question_or_a_word(self, shelf: Mcp, query: str) -> None:
        assert shelf.use("memory_forget", query=query) == "Found 0 matches. Provide memoryId to delete."
        assert shelf.asked == [9]
        assert self.left(shelf) == {TEXT, *OTHERS}

    @pytest.mark.parametrize("text", [TEXT, *OTHERS])
    def test_each_text_scores_090_against_itself_and_less_against_the_others(self, shelf: Mcp, text: str) -> None:
        found = shelf.use("memory_recall", query=text, threshold=0, limit=50)["memories"]
        assert found[0]["memory"]["content"] == text
        assert found[0]["score"] >= 0.9
        assert all(hit["score"] < 0.9 for hit in found[1:])

    def test_of_two_texts_that_differ_in_a_number_the_right_one_is_forgotten(self, mcp: Mcp) -> None:
        sentence = "Invoice {} of the hosting company was paid by the office in Lisbon on the third of March this year"
        mcp.use("memory_batch_store", memories=[{"content": sentence.format(n)} for n in (4711, 4712)])
        assert "deleted" in mcp.use("memory_forget", query=sentence.format(4712))
        assert self.left(mcp) == {sentence.format(4711)}

    def test_a_text_that_differs_in_a_number_only_is_not_forgotten(self, mcp: Mcp) -> None:
        sentence = "Invoice {} of the hosting company was paid by the office in Lisbon on the third of March this year"
        mcp.use("memory_store", content=sentence.format(4711))
        assert "Found 0 matches" in mcp.use("memory_forget", query=sentence.format(4712))
        assert self.left(mcp) == {sentence.format(4711)}


class TestEntities:
    @pytest.mark.parametrize("name", ["R&D/Ops", 'O\'Reilly "Books"', "a < b > c", "Tom &amp; Jerry"])
    def test_names_come_back_as_the_user_wrote_them(self, mcp: Mcp, name: str, fresh: Callable[[str], str]) -> None:
        wanted = fresh(name)
        made = mcp.use("entity_create", name=wanted, type="organization", metadata={"floor": "3"})
        assert (made["name"], made["type"], made["entity_type"]) == (wanted, "organization", "organization")
        assert made["metadata"] == {"floor": "3"}
        assert made["created_at"]

    def test_a_place_is_a_location(self, mcp: Mcp, fresh: Callable[[str], str]) -> None:
        assert mcp.use("entity_create", name=fresh("Lisbon"), type="place")["type"] == "location"

    def test_making_one_twice_gives_the_same(self, mcp: Mcp, fresh: Callable[[str], str]) -> None:
        name = fresh("Billing & Dunning")
        assert (
            mcp.use("entity_create", name=name, type="project")["id"]
            == mcp.use("entity_create", name=name, type="project")["id"]
        )

    def test_linked_entities_are_seen_around_each_other(self, mcp: Mcp, fresh: Callable[[str], str]) -> None:
        names = [fresh(stem) for stem in ("Ada", "Billing", "Lisbon")]
        ada, billing, lisbon = (
            mcp.use("entity_create", name=name, type=kind)["id"]
            for name, kind in zip(names, ("person", "project", "place"), strict=True)
        )
        first, second = (mcp.use("memory_store", content=text)["id"] for text in ("It was late", "It was early"))
        for entity, memory in ((ada, first), (billing, first), (billing, second), (lisbon, second)):
            linked = mcp.use("entity_link", entity_id=entity, memory_id=memory, relationship="relates_to")
            assert linked["success"] is True
        near = mcp.use("entity_graph", entity_id=ada)
        assert {one["id"] for one in near["neighbors"]} == {billing}
        assert near["neighbors"][0]["type"] == "project"
        far = mcp.use("entity_graph", entity_id=ada, depth=2)
        assert {one["id"]: one["depth"] for one in far["neighbors"]} == {billing: 1, lisbon: 2}
        assert mcp.use("entity_graph", entity_id=billing, max_neighbors=1)["total_neighbors"] >= 1

    def test_the_list_pages(self, mcp: Mcp, fresh: Callable[[str], str]) -> None:
        for stem in ("Ada", "Eve"):
            mcp.use("entity_create", name=fresh(stem), type="person")
        page = mcp.use("entity_list", limit=1)
        assert (len(page["data"]), page["has_more"]) == (1, True)
        assert page["total_count"] >= 2
        assert mcp.use("entity_list", limit=1, offset=1)["data"][0]["id"] != page["data"][0]["id"]


class TestAgents:
    def test_a_made_agent_has_the_name_its_user_gave(self, mcp: Mcp, fresh: Callable[[str], str]) -> None:
        name = fresh("R&D/helper")
        made = mcp.use("agent_create", name=name, description="Helps")
        assert (made["name"], made["description"]) == (name, "Helps")
        assert mcp.use("agent_get", id=made["id"])["name"] == name

    def test_memories_of_a_made_agent_are_filed_under_it(self, mcp: Mcp) -> None:
        made = mcp.use("agent_create", name=mcp.agent)
        assert mcp.use("memory_store", content=TEXT)["agent_id"] == made["id"]


class TestAttempts:
    def test_health(self, mcp: Mcp) -> None:
        assert mcp.use("memory_health")["status"] == "healthy"

    def test_a_mistake_is_sent_four_times_and_then_explained(self, mcp: Mcp) -> None:
        with pytest.raises(ToolError, match=r"422 .* - content: "):
            mcp.use("memory_store", content=" ")
        assert mcp.asked == [4] * 4

    def test_a_key_that_may_not_delete_is_told_at_once(self, new_mcp: Callable[..., Mcp]) -> None:
        weak = new_mcp("read", "write")
        made = weak.use("memory_store", content=TEXT)
        with pytest.raises(ToolError, match=r"403 .*delete"):
            weak.use("memory_delete", id=made["id"])
        assert weak.asked == [8]

    def test_a_get_with_a_content_type_and_no_body_is_answered(self, http: httpx2.Client) -> None:
        for path in ("/v1/memories", "/v1/agents", "/v1/health"):
            assert http.get(path, headers={"Content-Type": "application/json"}).status_code == 200

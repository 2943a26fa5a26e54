"""What users of MemoryRelay's MCP server see: sessions, decisions, patterns and projects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.compat.mcp_tools import Mcp, ToolError

Fresh = Callable[[str], str]
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def ids(answer: dict[str, Any]) -> list[str]:
    return [one["id"] for one in answer["data"]]


class TestSessions:
    def test_a_session_is_started_filled_recalled_and_ended(self, mcp: Mcp) -> None:
        begun = mcp.use("session_start", title="Untangle retries", project="billing & co", metadata={"env": "dev"})
        assert (begun["status"], begun["title"], begun["summary"]) == ("active", "Untangle retries", None)
        assert (begun["project"], begun["metadata"]) == ("billing & co", {"env": "dev"})
        stored = [
            mcp.use("memory_store", content=text, session_id=begun["id"])["id"] for text in ("One thing", "Another")
        ]
        recalled = mcp.use("session_recall", id=begun["id"])
        assert [one["id"] for one in recalled["memories"]] == stored
        assert recalled["memory_count"] == 2
        ended = mcp.use("session_end", id=begun["id"], summary="Retries are bounded now")
        assert (ended["status"], ended["summary"]) == ("ended", "Retries are bounded now")
        assert ended["ended_at"] >= ended["started_at"]

    def test_nothing_has_to_be_said_of_a_session(self, mcp: Mcp) -> None:
        begun = mcp.use("session_start")
        assert mcp.use("session_recall", id=begun["id"])["memories"] == []
        assert mcp.use("session_end", id=begun["id"])["status"] == "ended"

    def test_the_list_is_of_the_own_agent_and_can_be_narrowed(self, mcp: Mcp, new_mcp: Callable[..., Mcp]) -> None:
        assert mcp.use("session_list")["data"] == []
        one = mcp.use("session_start", project="billing")["id"]
        two = mcp.use("session_start", project="search")["id"]
        mcp.use("session_end", id=one)
        new_mcp().use("session_start", project="billing")
        assert ids(mcp.use("session_list")) == [two, one]
        assert ids(mcp.use("session_list", project="billing")) == [one]
        assert ids(mcp.use("session_list", status="active")) == [two]
        assert ids(mcp.use("session_list", limit=1)) == [two]

    def test_a_session_that_is_not_there(self, mcp: Mcp) -> None:
        with pytest.raises(ToolError, match=r"404 .*- Session not found"):
            mcp.use("session_recall", id=UNKNOWN)
        with pytest.raises(ToolError, match=r"400 .*[Ss]ession not found"):
            mcp.use("memory_store", content="Lost", session_id=UNKNOWN)
        assert mcp.asked == [4]


class TestDecisions:
    @pytest.fixture
    def slug(self, mcp: Mcp, fresh: Fresh) -> str:
        slug = fresh("billing")
        mcp.use("project_register", slug=slug, name="Billing")
        return slug

    @pytest.fixture
    def queue(self, mcp: Mcp, slug: str) -> dict[str, Any]:
        made: dict[str, Any] = mcp.use(
            "decision_record", title="Keep the queue in the database", rationale="One transaction, no broker to run",
            alternatives="A broker", project=slug, tags=["queue", "storage"],
        )  # fmt: skip
        return made

    def test_a_decision_says_where_it_belongs(self, queue: dict[str, Any], slug: str) -> None:
        assert (queue["status"], queue["superseded_by"], queue["project_slug"]) == ("active", None, slug)
        assert (queue["alternatives"], queue["tags"], queue["metadata"]) == ("A broker", ["queue", "storage"], {})
        assert queue["agent_id"]

    def test_lists_are_narrowed_by_project_status_and_tags(self, mcp: Mcp, queue: dict[str, Any], slug: str) -> None:
        trial = mcp.use(
            "decision_record", title="Try columns", rationale="Smaller", project=slug, tags=["format"],
            status="experimental",
        )  # fmt: skip
        mcp.use("decision_record", title="Elsewhere", rationale="Another place")
        assert ids(mcp.use("decision_list", project=slug)) == [trial["id"], queue["id"]]
        assert ids(mcp.use("decision_list", project=slug, status="experimental")) == [trial["id"]]
        assert ids(mcp.use("decision_list", project=slug, tags="storage,queue")) == [queue["id"]]
        assert ids(mcp.use("decision_list", project=slug, tags="nothing")) == []
        assert ids(mcp.use("decision_list", limit=1, project=slug)) == [trial["id"]]

    def test_checking_finds_a_decision_by_meaning(self, mcp: Mcp, queue: dict[str, Any], slug: str) -> None:
        query = "should jobs wait in a message broker?"
        found = mcp.use("decision_check", query=query, project=slug, limit=3, threshold=0.1)
        assert (found["query"], found["total"]) == (query, 1)
        assert found["data"][0]["decision"]["id"] == queue["id"]
        assert 0.1 <= found["data"][0]["score"] <= 1
        assert mcp.use("decision_check", query=query, project=slug, threshold=1.0)["data"] == []

    def test_superseding_keeps_what_it_does_not_name(self, mcp: Mcp, queue: dict[str, Any], slug: str) -> None:
        newer = mcp.use("decision_supersede", id=queue["id"], title="Use a broker", rationale="The volume has grown")
        assert (newer["status"], newer["project_slug"], newer["tags"]) == ("active", slug, ["queue", "storage"])
        assert newer["agent_id"] == queue["agent_id"]
        older = mcp.use("decision_list", project=slug, status="superseded")["data"]
        assert [(one["id"], one["superseded_by"]) for one in older] == [(queue["id"], newer["id"])]
        checked = mcp.use("decision_check", query="broker", project=slug, threshold=0)
        assert [hit["decision"]["id"] for hit in checked["data"]] == [newer["id"]]
        wide = mcp.use("decision_check", query="broker", project=slug, threshold=0, include_superseded=True)
        assert {hit["decision"]["id"] for hit in wide["data"]} == {newer["id"], queue["id"]}

    def test_superseding_twice_is_refused_in_words(self, mcp: Mcp, queue: dict[str, Any]) -> None:
        mcp.use("decision_supersede", id=queue["id"], title="Use a broker", rationale="Grown", tags=["broker"])
        with pytest.raises(ToolError, match=r"409 .*supersed"):
            mcp.use("decision_supersede", id=queue["id"], title="Use a file", rationale="Simple")


class TestPatterns:
    @pytest.fixture
    def slugs(self, mcp: Mcp, fresh: Fresh) -> list[str]:
        slugs = [fresh(stem) for stem in ("billing", "search", "mail")]
        for slug in slugs:
            mcp.use("project_register", slug=slug, name=slug, stack={"languages": ["python"]})
        return slugs

    @pytest.fixture
    def writers(self, mcp: Mcp, slugs: list[str], fresh: Fresh) -> dict[str, Any]:
        made: dict[str, Any] = mcp.use(
            "pattern_create", title=fresh("Idempotent writers"), category="reliability", tags=["api"],
            description="Every write endpoint takes an idempotency key", example_code="def put(key): ...",
            scope="global", source_project=slugs[0],
        )  # fmt: skip
        return made

    def test_a_pattern_says_where_it_is_from(self, writers: dict[str, Any], slugs: list[str]) -> None:
        assert (writers["scope"], writers["category"], writers["tags"]) == ("global", "reliability", ["api"])
        assert (writers["source_project_slug"], writers["adoption_count"]) == (slugs[0], 0)
        assert writers["example_code"] == "def put(key): ..."

    def test_a_source_that_is_not_registered_is_kept(self, mcp: Mcp) -> None:
        made = mcp.use("pattern_create", title="Outbox", description="Write events first", source_project="elsewhere")
        assert made["source_project_slug"] == "elsewhere"

    def test_search_finds_by_meaning(self, mcp: Mcp, writers: dict[str, Any], slugs: list[str]) -> None:
        query = "how do we make writing twice harmless?"
        found = mcp.use(
            "pattern_search", query=query, category="reliability", project=slugs[1], threshold=0.1, limit=50
        )
        assert found["query"] == query
        assert found["total"] == len(found["data"])
        assert writers["id"] in [hit["pattern"]["id"] for hit in found["data"]]
        assert all(0.1 <= hit["score"] <= 1 for hit in found["data"])
        assert mcp.use("pattern_search", query=query, category="nothing")["data"] == []

    def test_adopting_twice_counts_once(self, mcp: Mcp, writers: dict[str, Any], slugs: list[str]) -> None:
        assert mcp.use("pattern_adopt", id=writers["id"], project=slugs[1])["adoption_count"] == 1
        assert mcp.use("pattern_adopt", id=writers["id"], project=slugs[1])["adoption_count"] == 1
        assert mcp.use("pattern_adopt", id=writers["id"], project=slugs[2])["adoption_count"] == 2

    def test_what_similar_projects_adopted_is_suggested(
        self, mcp: Mcp, writers: dict[str, Any], slugs: list[str]
    ) -> None:
        mcp.use("pattern_adopt", id=writers["id"], project=slugs[1])
        suggested = mcp.use("pattern_suggest", project=slugs[2], limit=50)
        assert (suggested["project"], suggested["total"]) == (slugs[2], len(suggested["data"]))
        assert writers["id"] in ids(suggested)
        assert writers["id"] not in ids(mcp.use("pattern_suggest", project=slugs[1], limit=50))

    def test_patterns_of_both_projects_are_shared(self, mcp: Mcp, writers: dict[str, Any], slugs: list[str]) -> None:
        for slug in slugs[1:]:
            mcp.use("pattern_adopt", id=writers["id"], project=slug)
        shared = mcp.use("project_shared_patterns", project_a=slugs[1], project_b=slugs[2])
        assert ids(shared) == [writers["id"]]
        assert mcp.use("project_shared_patterns", project_a=slugs[0], project_b=slugs[1])["data"] == []

    def test_an_unknown_pattern_or_project_is_not_found(
        self, mcp: Mcp, writers: dict[str, Any], slugs: list[str]
    ) -> None:
        with pytest.raises(ToolError, match=r"404 .*Pattern not found"):
            mcp.use("pattern_adopt", id=UNKNOWN, project=slugs[0])
        with pytest.raises(ToolError, match=r"404 .*Project not found"):
            mcp.use("pattern_adopt", id=writers["id"], project="never-registered")


class TestProjects:
    @pytest.fixture
    def slugs(self, mcp: Mcp, fresh: Fresh) -> tuple[str, str, str]:
        """A shop that depends on billing, and a report that uses billing's API."""
        shop, billing, report = (fresh(stem) for stem in ("shop", "billing", "report"))
        for slug in (shop, billing, report):
            mcp.use("project_register", slug=slug, name=slug.title())
        mcp.use("project_add_relationship", **{"from": shop, "to": billing, "type": "depends_on"})
        mcp.use(
            "project_add_relationship",
            **{"from": report, "to": billing, "type": "api_consumer", "details": {"since": "v2"}},
        )
        mcp.use("project_add_relationship", **{"from": shop, "to": report, "type": "shares_infra"})
        return shop, billing, report

    def test_a_project_comes_back_as_it_was_registered(self, mcp: Mcp, fresh: Fresh) -> None:
        slug, stack = fresh("billing"), {"languages": ["python"], "databases": ["neo4j"]}
        url = "https://git.example.test/acme/billing"
        made = mcp.use("project_register", slug=slug, name="Billing", description="Dunning", stack=stack, repo_url=url)
        assert (made["slug"], made["name"], made["description"]) == (slug, "Billing", "Dunning")
        assert (made["stack"], made["repo_url"], made["memory_count"]) == (stack, url, 0)
        assert mcp.use("project_info", slug=slug) == made
        assert made["id"] in ids(mcp.use("project_list", limit=100))

    def test_a_taken_slug_is_refused_in_words(self, mcp: Mcp, slugs: tuple[str, str, str]) -> None:
        with pytest.raises(ToolError, match=r"409 .*"):
            mcp.use("project_register", slug=slugs[0], name="Again")

    def test_memories_are_counted_and_searched_by_project(self, mcp: Mcp, slugs: tuple[str, str, str]) -> None:
        shop, billing, _ = slugs
        mine = mcp.use("memory_store", content="The queue is in the database", project=billing)
        mcp.use("memory_store", content="The queue is at the counter", project=shop)
        assert mcp.use("project_info", slug=billing)["memory_count"] == 1
        found = mcp.use("memory_search", query="queue", threshold=0, project=billing)
        assert [hit["memory"]["id"] for hit in found["memories"]] == [mine["id"]]

    def test_context_has_what_is_hot_decided_and_adopted(self, mcp: Mcp, slugs: tuple[str, str, str]) -> None:
        shop = slugs[0]
        mcp.use("memory_store", content="The shop is closed on Sundays", project=shop, importance=0.9)
        mcp.use("memory_store", content="Somebody left an umbrella", project=shop, importance=0.1)
        mcp.use("decision_record", title="Sell online", rationale="The street is quiet", project=shop)
        pattern = mcp.use("pattern_create", title="Small batches", description="Ship one thing at a time")
        mcp.use("pattern_adopt", id=pattern["id"], project=shop)
        found = mcp.use("project_context", project=shop)
        assert [one["content"] for one in found["hot_memories"]] == ["The shop is closed on Sundays"]
        assert [(one["title"], one["rationale"]) for one in found["recent_decisions"]] == [
            ("Sell online", "The street is quiet")
        ]
        assert [one["title"] for one in found["active_patterns"]] == ["Small batches"]
        for text in ("The shop is closed on Sundays", "Sell online", "Small batches"):
            assert text in found["formatted_context"]

    def test_dependencies_point_outward_and_dependents_inward(self, mcp: Mcp, slugs: tuple[str, str, str]) -> None:
        shop, billing, report = slugs

        def seen(tool: str, slug: str) -> set[tuple[str, str, str]]:
            answer = mcp.use(tool, project=slug)
            assert (answer["project"], answer["total"]) == (slug, len(answer["data"]))
            return {(one["slug"], one["relationship_type"], one["direction"]) for one in answer["data"]}

        assert seen("project_dependencies", shop) == {(billing, "depends_on", "outgoing")}
        assert seen("project_dependents", billing) == {
            (shop, "depends_on", "incoming"),
            (report, "api_consumer", "incoming"),
        }
        assert seen("project_related", shop) == {
            (billing, "depends_on", "outgoing"),
            (report, "shares_infra", "outgoing"),
        }
        assert seen("project_dependencies", billing) == set()

    def test_impact_names_who_is_hit_and_what_they_know_of_it(self, mcp: Mcp, slugs: tuple[str, str, str]) -> None:
        shop, billing, report = slugs
        decision = mcp.use(
            "decision_record", title="Read invoices from billing", rationale="One source", project=report
        )  # fmt: skip
        memory = mcp.use("memory_store", content="The shop prints invoices that billing makes", project=shop)
        hit = mcp.use("project_impact", project=billing, change_description="invoices get a new number format")
        affected = {one["slug"]: one for one in hit["affected_projects"]}
        assert (hit["project"], hit["total_affected"], set(affected)) == (billing, 2, {shop, report})
        decisions = affected[report]["relevant_decisions"]
        assert decision["id"] in {one["decision"]["id"] for one in decisions}
        assert memory["id"] in {one["memory"]["id"] for one in affected[shop]["relevant_memories"]}

    @pytest.mark.parametrize(
        ("tool", "name"),
        [
            ("project_info", "slug"), ("project_context", "project"), ("project_dependencies", "project"),
            ("project_dependents", "project"), ("project_related", "project"),
        ],
    )  # fmt: skip
    def test_a_project_that_is_not_there(self, mcp: Mcp, tool: str, name: str) -> None:
        with pytest.raises(ToolError, match=r"404 .*- Project not found"):
            mcp.use(tool, **{name: "never-registered"})

"""Context for prompts over HTTP: what is in it, how long it is, and who is asked for a summary."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest

from app import create_app
from app.state import State
from tests.callers import Caller, error_of
from tests.services.test_extract_llm import FakeModel, content, send

LONG = " ".join(f"word{n} about the zorblat" for n in range(60))


@pytest.fixture
def model() -> Iterator[FakeModel]:
    """A chat model on loopback."""
    fake = FakeModel()
    fake.answer = content("The zorblat lives in Porto.")
    yield fake
    fake.close()


def with_settings(parts: State, caller: Caller, **settings: Any) -> Caller:
    """Return the caller at an app with other settings."""
    changed = dataclasses.replace(parts, settings=dataclasses.replace(parts.settings, **settings))
    return dataclasses.replace(caller, app=create_app(changed))


def build(caller: Caller, query: str = "Where does the zorblat live?", **fields: Any) -> dict[str, Any]:
    """Build a context and return the answer."""
    response = caller.post("/v2/context/build", {"query": query, **fields})
    assert response.status_code == 200, response.get_json()
    return dict(response.get_json())


def text(caller: Caller, query: str = "Where does the zorblat live?", **fields: Any) -> dict[str, Any]:
    """Build a context as a text and return the answer."""
    response = caller.post("/v1/memories/context", {"query": query, "threshold": 0.0, **fields})
    assert response.status_code == 200, response.get_json()
    return dict(response.get_json())


class TestText:
    def test_each_block_begins_with_its_score(self, caller: Caller) -> None:
        one = caller.remember("The zorblat lives in Porto")["id"]
        two = caller.remember("A zorblat eats bread")["id"]
        answer = text(caller)
        blocks = answer["context"].split("\n\n")
        assert [block.split("] ")[1] for block in blocks] == ["The zorblat lives in Porto", "A zorblat eats bread"]
        assert all(block.startswith("[") and "%" in block for block in blocks)
        assert [source["memory_id"] for source in answer["sources"]] == [one, two]
        assert (answer["memories_used"], answer["total_chars"]) == (2, len(answer["context"]))

    def test_nothing_found_is_an_empty_text(self, caller: Caller) -> None:
        answer = text(caller)
        assert (answer["context"], answer["memories_used"], answer["total_chars"], answer["sources"]) == ("", 0, 0, [])

    def test_hits_below_the_threshold_are_left_out_and_it_is_a_half_by_default(self, caller: Caller) -> None:
        caller.remember("Completely unrelated words stand here")
        assert text(caller, threshold=0.99)["memories_used"] == 0
        response = caller.post("/v1/memories/context", {"query": "Where does the zorblat live?"})
        assert response.get_json()["memories_used"] == 0

    @pytest.mark.parametrize("tokens", [12, 20, 40, 80])
    def test_the_text_fits_the_budget_and_no_word_is_cut(self, caller: Caller, tokens: int) -> None:
        caller.remember(LONG)
        caller.remember("The zorblat lives in Porto")
        answer = text(caller, max_tokens=tokens)
        assert 0 < answer["total_chars"] <= 4 * tokens
        words = {word.strip("…") for word in answer["context"].split()} - {""}
        assert {word for word in words if not word.startswith("[")} <= set(
            (LONG + " The zorblat lives in Porto").split()
        )

    def test_agent_and_project_narrow_it(self, caller: Caller) -> None:
        caller.remember("The zorblat lives in Porto", agent_id="iris", project="billing")
        caller.remember("The zorblat lives in Lisbon", agent_id="hugo")
        assert "Porto" in text(caller, agent_id="iris")["context"]
        assert "Lisbon" not in text(caller, project="billing")["context"]
        assert text(caller, agent_id="never-seen")["context"] == ""

    @pytest.mark.parametrize(
        "body", [{"query": " "}, {}, {"query": "x", "limit": 51}, {"query": "x", "limit": 0},
                 {"query": "x", "threshold": 1.5}, {"query": "x", "max_tokens": 0}]
    )  # fmt: skip
    def test_bad_bodies_are_refused(self, caller: Caller, body: dict[str, Any]) -> None:
        error_of(caller.post("/v1/memories/context", body), 422)

    def test_reading_is_enough(self, make_caller: Any) -> None:
        assert make_caller("read").post("/v1/memories/context", {"query": "x"}).status_code == 200


class TestBuild:
    def test_the_answer_has_every_field(self, caller: Caller) -> None:
        memory = caller.remember("The zorblat lives in Porto")
        answer = build(caller)
        (item,) = answer["context"]
        assert (item["memory_id"], item["content"], item["memory_type"]) == (
            memory["id"], memory["content"], memory["memory_type"]
        )  # fmt: skip
        assert 0 <= item["score"] <= 1
        assert (answer["summary"], answer["ranking_version"], answer["ai_enhanced"]) == (None, "v1", False)
        assert isinstance(answer["latency_ms"], int)
        assert answer["token_count"] == (len(memory["content"]) + 3) // 4

    def test_what_was_used_before_can_be_left_out(self, caller: Caller) -> None:
        used = [caller.remember(f"The zorblat lives in Porto {n}")["id"] for n in range(3)]
        left = caller.remember("A zorblat eats bread")["id"]
        answer = build(caller, max_memories=2, exclude_memory_ids=used)
        assert [item["memory_id"] for item in answer["context"]] == [left]

    def test_the_budget_holds_and_no_word_is_cut(self, caller: Caller) -> None:
        caller.remember(LONG)
        (item,) = build(caller, max_tokens=100)["context"]
        assert item["truncated"] is True
        assert len(item["content"]) <= 400
        assert {word.strip("…") for word in item["content"].split()} - {""} <= set(LONG.split())

    def test_the_older_path_is_the_same(self, caller: Caller) -> None:
        caller.remember("The zorblat lives in Porto")
        answer = caller.post("/v2/context", {"query": "zorblat", "agent_id": None, "llm_model": None})
        assert answer.status_code == 200
        assert answer.get_json()["context"] == build(caller, "zorblat")["context"]

    @pytest.mark.parametrize("mode", ["hybrid", "semantic", "keyword"])
    def test_every_mode_finds_it(self, caller: Caller, mode: str) -> None:
        caller.remember("The zorblat lives in Porto")
        assert len(build(caller, "zorblat Porto", search_mode=mode)["context"]) == 1

    @pytest.mark.parametrize(
        "fields", [{"max_memories": 101}, {"max_memories": 0}, {"max_tokens": 99}, {"max_tokens": 128_001},
                   {"search_mode": "magic"}, {"exclude_memory_ids": ["x"]}]
    )  # fmt: skip
    def test_bad_bodies_are_refused(self, caller: Caller, fields: dict[str, Any]) -> None:
        error_of(caller.post("/v2/context/build", {"query": "x", **fields}), 422)

    def test_confidential_archived_and_foreign_memories_stay_out(self, caller: Caller, stranger: Caller) -> None:
        caller.remember("The zorblat lives in Porto", visibility="confidential")
        filed = caller.remember("The zorblat lived in Lisbon")["id"]
        caller.post(f"/v1/memories/{filed}/archive")
        stranger.remember("The zorblat lives in Rome")
        assert build(caller)["context"] == []


class TestSummary:
    def test_without_a_model_there_is_none(self, caller: Caller) -> None:
        caller.remember("The zorblat lives in Porto")
        answer = build(caller, ai_enhanced=True)
        assert (answer["summary"], answer["ai_enhanced"]) == (None, False)

    def test_the_servers_model_is_given_question_and_memories(
        self, caller: Caller, parts: State, model: FakeModel
    ) -> None:
        caller.remember("The zorblat lives in Porto")
        asking = with_settings(parts, caller, llm_model="small", openai_base_url=model.url, llm_timeout=5.0)
        answer = build(asking, ai_enhanced=True)
        assert (answer["summary"], answer["ai_enhanced"]) == ("The zorblat lives in Porto.", True)
        asked = json.dumps(model.asked[0])
        assert "Where does the zorblat live?" in asked
        assert "The zorblat lives in Porto" in asked
        build(asking)
        assert len(model.asked) == 1

    def test_a_model_at_an_allowed_address_of_the_clients_own(
        self, caller: Caller, parts: State, model: FakeModel
    ) -> None:
        caller.remember("The zorblat lives in Porto")
        asking = with_settings(parts, caller, outbound_allow="127.0.0.0/8", llm_timeout=5.0, openai_api_key="sk-secret")
        answer = build(asking, ai_enhanced=True, llm_api_url=model.url, llm_model="tiny")
        assert answer["summary"] == "The zorblat lives in Porto."
        assert model.asked[0]["model"] == "tiny"

    @pytest.mark.parametrize(
        "url", ["http://127.0.0.1:9/v1", "https://localhost/v1", "https://10.0.0.1/v1", "file:///etc/passwd", "x",
                "https://user:word@example.org/v1"]
    )  # fmt: skip
    def test_an_address_inside_is_refused(self, caller: Caller, url: str) -> None:
        body = {"query": "x", "ai_enhanced": True, "llm_api_url": url, "llm_model": "tiny"}
        error = error_of(caller.post("/v2/context/build", body), 422)
        assert error["details"][0]["field"] == "llm_api_url"

    def test_a_model_is_needed_beside_the_address(self, caller: Caller) -> None:
        body = {"query": "x", "ai_enhanced": True, "llm_api_url": "https://models.example.org/v1"}
        assert error_of(caller.post("/v2/context/build", body), 422)["details"][0]["field"] == "llm_model"

    def test_a_model_that_fails_costs_only_the_summary(self, caller: Caller, parts: State, model: FakeModel) -> None:
        caller.remember("The zorblat lives in Porto")
        model.answer = lambda handler: send(handler, b"nonsense", 500)
        asking = with_settings(parts, caller, llm_model="small", openai_base_url=model.url, llm_timeout=5.0)
        answer = build(asking, ai_enhanced=True)
        assert (len(answer["context"]), answer["summary"], answer["ai_enhanced"]) == (1, None, False)


class TestFilters:
    """A context is built of what a search with the same filters finds."""

    @pytest.mark.parametrize(
        "wanted",
        [
            {"agent_id": "otto"}, {"user_id": "ada"}, {"project": "billing"}, {"memory_type": "event"},
            {"min_importance": 0.8}, {"tier": "hot"}, {"visibility": "confidential"}, {"archived_only": True},
            {"occurred_after": "2026-03-01", "occurred_before": "2026-04-01"},
            {"metadata_filter": {"shelf": {"$gte": 3}}},
        ],
        ids=str,
    )  # fmt: skip
    def test_are_those_of_a_search(self, caller: Caller, wanted: dict[str, Any]) -> None:
        caller.remember("The zorblat lives in Lisbon", metadata={"shelf": 1}, memory_type="fact")
        fields = {
            "agent_id": "otto", "user_id": "ada", "project": "billing", "memory_type": "event", "importance": 0.9,
            "occurred_at": "2026-03-03", "metadata": {"shelf": 3}, "visibility": wanted.get("visibility", "private"),
        }  # fmt: skip
        id = caller.remember("The zorblat lives in Porto", **fields)["id"]
        if "archived_only" in wanted:
            caller.post(f"/v1/memories/{id}/archive")
        assert [each["memory_id"] for each in text(caller, **wanted)["sources"]] == [id]
        assert [each["memory_id"] for each in build(caller, **wanted)["context"]] == [id]

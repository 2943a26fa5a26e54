"""What a session tells over HTTP: its memories in pages, its timeline, its summary."""

import base64
import dataclasses
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from app.auth import Principal
from app.services.sessions import summarise
from app.state import State
from tests.callers import Caller, error_of
from tests.resources.test_sessions import pages, session, start, told
from tests.services.test_extract_llm import FakeModel, content, send

__all__ = ["told"]


class TestMemories:
    @pytest.mark.parametrize("limit", [1, 2, 5, 100])
    def test_pages_are_whole_and_in_writing_order(self, caller: Caller, told: str, limit: int) -> None:
        rows = pages(caller, f"/v1/sessions/{told}/memories", limit)
        assert rows == caller.get(f"/v1/sessions/{told}?include_memories=true").get_json()["memories"]

    def test_offset_skips(self, caller: Caller, told: str) -> None:
        whole = pages(caller, f"/v1/sessions/{told}/memories", 100)
        body = caller.get(f"/v1/sessions/{told}/memories?offset=3&limit=1").get_json()
        assert (body["data"], body["has_more"], body["total_count"]) == (whole[3:4], True, 5)

    def test_what_comes_while_paging_is_neither_repeated_nor_lost(self, caller: Caller, told: str) -> None:
        first = caller.get(f"/v1/sessions/{told}/memories?limit=3").get_json()
        late = caller.remember("Late", session_id=told)
        rest = caller.get(f"/v1/sessions/{told}/memories?limit=9&cursor={first['next_cursor']}").get_json()
        assert len(rest["data"]) == 3
        assert rest["data"][-1]["id"] == late["id"]

    def test_of_an_empty_session_there_are_none(self, caller: Caller) -> None:
        assert pages(caller, f"/v1/sessions/{start(caller)['id']}/memories", 5) == []

    @pytest.mark.parametrize(
        "key", [[1, "x", 1], [1, "9" * 60, 1], [2**70, "1", 1], [-5, "1", 1], ["a", "1", 1], [1, "\u0662", 1], [1], {}]
    )
    @pytest.mark.parametrize("rest", ["memories", "timeline"])
    def test_a_forged_cursor_is_no_error_of_ours(self, caller: Caller, told: str, rest: str, key: Any) -> None:
        cursor = base64.urlsafe_b64encode(json.dumps(key).encode()).decode()
        assert caller.get(f"/v1/sessions/{told}/{rest}?cursor={cursor}").status_code in (200, 422)


class TestTimeline:
    @pytest.mark.parametrize("limit", [1, 3, 100])
    def test_tells_everything_in_order(self, caller: Caller, told: str, limit: int) -> None:
        rows = pages(caller, f"/v1/sessions/{told}/timeline", limit)
        assert [row["kind"] for row in rows] == ["started"] + ["memory"] * 5 + ["decision", "ended"]
        times = [datetime.fromisoformat(row["at"]) for row in rows]
        assert times == sorted(times)
        assert rows[1]["memory"]["content"] == "The retry queue of billing lost a message"
        assert (rows[6]["decision"]["title"], rows[6]["decision"]["status"]) == ("Keys for all", "active")
        assert (rows[0]["at"], rows[7]["at"]) == (
            session(caller, told)["started_at"], session(caller, told)["ended_at"],
        )  # fmt: skip

    def test_offset_skips(self, caller: Caller, told: str) -> None:
        body = caller.get(f"/v1/sessions/{told}/timeline?offset=6&limit=1").get_json()
        assert ([row["kind"] for row in body["data"]], body["has_more"], body["total_count"]) == (["decision"], True, 8)

    def test_of_a_new_session_is_its_start(self, caller: Caller) -> None:
        assert [row["kind"] for row in pages(caller, f"/v1/sessions/{start(caller)['id']}/timeline", 5)] == ["started"]

    def test_a_reopened_session_has_no_end(self, caller: Caller, told: str) -> None:
        caller.post(f"/v1/sessions/{told}/reopen")
        assert "ended" not in [row["kind"] for row in pages(caller, f"/v1/sessions/{told}/timeline", 100)]

    def test_deleted_memories_are_not_on_it(self, caller: Caller, told: str) -> None:
        first = pages(caller, f"/v1/sessions/{told}/memories", 100)[0]
        caller.delete(f"/v1/memories/{first['id']}")
        kinds = [row["kind"] for row in pages(caller, f"/v1/sessions/{told}/timeline", 2)]
        assert kinds == ["started"] + ["memory"] * 4 + ["decision", "ended"]


class TestSummary:
    def test_generating_keeps_it(self, caller: Caller, told: str) -> None:
        made = caller.post(f"/v1/sessions/{told}/summary").get_json()
        assert set(made) == {"session_id", "summary", "memory_count", "generated_at", "method"}
        assert (made["session_id"], made["memory_count"], made["method"]) == (told, 5, "extractive")
        assert "The retry queue of billing" in made["summary"]
        caller.remember("The retry queue of billing broke again", session_id=told)
        assert caller.get(f"/v1/sessions/{told}/summary").get_json() == made
        assert session(caller, told)["summary"] == made["summary"]
        assert caller.post(f"/v1/sessions/{told}/summary").get_json()["memory_count"] == 6

    def test_reading_makes_one_on_the_spot_and_keeps_nothing(self, caller: Caller, told: str) -> None:
        read = caller.get(f"/v1/sessions/{told}/summary").get_json()
        assert read["summary"] == caller.get(f"/v1/sessions/{told}/summary").get_json()["summary"] != ""
        assert session(caller, told)["summary"] is None
        assert caller.post(f"/v1/sessions/{told}/summary").get_json()["summary"] == read["summary"]

    def test_what_the_client_said_stays_the_sessions_summary(self, caller: Caller, told: str) -> None:
        caller.patch(f"/v1/sessions/{told}", {"summary": "Mine"})
        assert caller.post(f"/v1/sessions/{told}/summary").get_json()["summary"] != "Mine"
        assert session(caller, told)["summary"] == "Mine"

    def test_of_nothing_is_empty(self, caller: Caller) -> None:
        made = caller.post(f"/v1/sessions/{start(caller)['id']}/summary").get_json()
        assert (made["summary"], made["memory_count"]) == ("", 0)

    def test_confidential_memories_are_not_told(self, caller: Caller) -> None:
        id = start(caller)["id"]
        caller.remember("The safe opens with 4711", session_id=id, visibility="confidential")
        caller.remember("We met at noon", session_id=id)
        assert caller.post(f"/v1/sessions/{id}/summary").get_json()["summary"] == "We met at noon"

    def test_generating_needs_the_scope_to_write(self, make_caller: Any) -> None:
        owner = make_caller()
        id = start(owner)["id"]
        reader = make_caller("read", tenant_of=owner)
        assert reader.get(f"/v1/sessions/{id}/summary").status_code == 200
        error_of(reader.post(f"/v1/sessions/{id}/summary"), 403)


class TestSummaryByModel:
    @pytest.fixture
    def model(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeModel]:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        made = FakeModel()
        yield made
        made.close()

    def generate(self, parts: State, caller: Caller, model: FakeModel, id: str) -> dict[str, Any]:
        """Generate a summary on a server that has a chat model."""
        settings = dataclasses.replace(parts.settings, llm_model="tiny", openai_api_key="k", openai_base_url=model.url)
        principal = Principal(caller.tenant, caller.account, "default", "key", frozenset({"write"}))
        return dict(summarise(dataclasses.replace(parts, settings=settings), principal, id))

    def test_is_what_the_model_wrote(self, parts: State, caller: Caller, told: str, model: FakeModel) -> None:
        model.answer = content("The queue got keys.")
        assert self.generate(parts, caller, model, told)["method"] == "llm"
        read = caller.get(f"/v1/sessions/{told}/summary").get_json()
        assert (read["summary"], read["method"]) == ("The queue got keys.", "llm")
        assert "The retry queue of billing lost a message" in model.asked[0]["messages"][1]["content"]

    def test_is_extractive_when_the_model_fails(
        self, parts: State, caller: Caller, told: str, model: FakeModel
    ) -> None:
        model.answer = lambda handler: send(handler, b"{}", 500)
        made = self.generate(parts, caller, model, told)
        assert made["method"] == "extractive"
        assert "The retry queue of billing" in made["summary"]

    def test_the_model_is_told_nothing_confidential_and_not_asked_about_nothing(
        self, parts: State, caller: Caller, model: FakeModel
    ) -> None:
        id = start(caller)["id"]
        caller.remember("The safe opens with 4711", session_id=id, visibility="confidential")
        assert self.generate(parts, caller, model, id)["summary"] == ""
        assert model.asked == []

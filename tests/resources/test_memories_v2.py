"""The asynchronous store over HTTP, before any worker has run."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.callers import Caller, error_of


def accept(caller: Caller, **fields: Any) -> dict[str, Any]:
    """Accept a memory and return the answer."""
    response = caller.post("/v2/memories", {"content": "The zorblat lives in Porto", "agent_id": "iris", **fields})
    assert response.status_code == 202, response.get_json()
    return dict(response.get_json())


class TestAccept:
    def test_the_answer_names_memory_and_job(self, caller: Caller) -> None:
        answer = accept(caller)
        assert answer["status"] == "pending"
        assert answer["job_id"].startswith("arq:")
        assert isinstance(answer["estimated_completion_seconds"], int)
        job = caller.get(f"/v2/jobs/{answer['job_id']}").get_json()
        assert (job["id"], job["memory_id"], job["state"]) == (answer["job_id"], answer["id"], "queued")

    def test_the_memory_can_be_read_and_listed_at_once_and_is_not_found_yet(self, caller: Caller) -> None:
        answer = accept(caller, metadata={"a": 1}, project="billing")
        memory = caller.get(f"/v1/memories/{answer['id']}").get_json()
        assert memory["content"] == "The zorblat lives in Porto"
        assert (memory["extraction_status"], memory["entities"], memory["metadata"]) == ("pending", [], {"a": 1})
        assert [row["id"] for row in caller.get("/v1/memories").get_json()["data"]] == [answer["id"]]
        for mode in ("hybrid", "semantic", "keyword"):
            assert caller.search("zorblat", search_mode=mode) == []

    def test_it_joins_its_session_in_writing_order(self, caller: Caller) -> None:
        session = caller.post("/v1/sessions", {"title": "x"}).get_json()["id"]
        first = caller.remember("one", session_id=session)["id"]
        second = accept(caller, session_id=session)["id"]
        third = caller.remember("three", session_id=session)["id"]
        found = caller.get(f"/v1/memories/{second}/related").get_json()["data"]
        places = {hit["memory"]["id"]: hit["reasons"][0]["place"] for hit in found}
        assert places == {first: "previous", third: "next"}

    def test_null_means_absent(self, caller: Caller) -> None:
        accept(caller, user_id=None, metadata=None, webhook_url=None, auto_extract_entities=None)

    def test_the_same_text_is_not_stored_twice_when_asked(self, caller: Caller) -> None:
        first = caller.remember("The zorblat lives in Porto")["id"]
        answer = accept(caller, deduplicate=True)
        assert answer == {
            "id": first, "status": "ready", "job_id": None, "estimated_completion_seconds": 0, "is_duplicate": True
        }  # fmt: skip

    def test_it_may_supersede(self, caller: Caller) -> None:
        old = caller.remember("The zorblat lives in Lisbon")["id"]
        new = accept(caller, supersedes=old)["id"]
        assert caller.get(f"/v1/memories/{old}").get_json()["superseded_by"] == new

    def test_many_at_once_use_one_agent_and_project(self, caller: Caller) -> None:
        def one(n: int) -> str:
            return str(accept(caller, content=f"text {n}", agent_id="new-agent", project="new-project")["id"])

        with ThreadPoolExecutor(8) as pool:
            assert len(set(pool.map(one, range(24)))) == 24
        assert [row["memory_count"] for row in caller.get("/v1/agents").get_json()["data"]] == [24]
        assert caller.get("/v1/memories/stats").get_json()["by_project"][0]["count"] == 24

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({"content": "  "}, "content"),
            ({"agent_id": None}, "agent_id"),
            ({"importance": 2}, "importance"),
            ({"webhook_url": "ftp://example.org/x"}, "webhook_url"),
            ({"webhook_url": "http://example.org/x"}, "webhook_url"),
            ({"webhook_url": "https://127.0.0.1/x"}, "webhook_url"),
            ({"webhook_url": "https://[::1]/x"}, "webhook_url"),
            ({"webhook_url": "https://169.254.169.254/latest"}, "webhook_url"),
            ({"webhook_url": "https://2130706433/x"}, "webhook_url"),
            ({"webhook_url": "not a url"}, "webhook_url"),
        ],
    )
    def test_mistakes_are_told_at_once_and_nothing_is_stored(
        self, caller: Caller, fields: dict[str, Any], named: str
    ) -> None:
        response = caller.post("/v2/memories", {"content": "one", "agent_id": "iris", **fields})
        assert [detail["field"] for detail in error_of(response, 422)["details"]] == [named]
        assert caller.get("/v1/memories").get_json()["data"] == []
        assert caller.get("/v2/jobs").get_json()["data"] == []

    def test_unknown_references_are_refused(self, caller: Caller, unknown_id: str) -> None:
        body = {"content": "one", "agent_id": "iris"}
        error_of(caller.post("/v2/memories", {**body, "session_id": unknown_id}), 400)
        error_of(caller.post("/v2/memories", {**body, "agent_id": unknown_id}), 404)
        error_of(caller.post("/v2/memories", {**body, "project_id": unknown_id}), 404)
        assert caller.get("/v2/jobs").get_json()["data"] == []


class TestStatus:
    def test_a_pending_memory_says_so(self, caller: Caller) -> None:
        id = accept(caller)["id"]
        status = caller.get(f"/v2/memories/{id}/status").get_json()
        assert (status["id"], status["status"], status["error"]) == (id, "pending", None)
        assert status["created_at"].endswith("Z")

    def test_a_memory_of_the_plain_store_is_ready(self, caller: Caller) -> None:
        id = caller.remember("one")["id"]
        assert caller.get(f"/v2/memories/{id}/status").get_json()["status"] == "ready"

    def test_an_edit_completes_a_pending_memory(self, caller: Caller) -> None:
        id = accept(caller)["id"]
        caller.patch(f"/v1/memories/{id}", {"content": "The zorblat lives in Lisbon"})
        assert caller.get(f"/v2/memories/{id}/status").get_json()["status"] == "ready"
        assert [hit["memory"]["id"] for hit in caller.search("zorblat Lisbon")] == [id]

    def test_unknown_and_foreign_memories_are_not_found(
        self, caller: Caller, stranger: Caller, unknown_id: str
    ) -> None:
        assert error_of(caller.get(f"/v2/memories/{unknown_id}/status"), 404)["message"] == "Memory not found"
        error_of(stranger.get(f"/v2/memories/{accept(caller)['id']}/status"), 404)
        error_of(caller.get("/v2/memories/x/status"), 422)


class TestJobs:
    @pytest.mark.parametrize("name", ["arq:x", "arq:" + "0" * 32, "nonsense", "0" * 36])
    def test_what_is_no_job_is_not_found(self, caller: Caller, name: str) -> None:
        assert error_of(caller.get(f"/v2/jobs/{name}"), 404)["message"] == "Job not found"

    def test_jobs_page_by_cursor(self, caller: Caller) -> None:
        made = [accept(caller, content=f"text {n}")["job_id"] for n in range(5)]
        first = caller.get("/v2/jobs?limit=2").get_json()
        rest = caller.get(f"/v2/jobs?limit=10&cursor={first['next_cursor']}").get_json()
        assert [job["id"] for job in first["data"] + rest["data"]] == made[::-1]
        assert first["total_count"] == 5

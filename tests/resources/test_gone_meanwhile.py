"""What is stored at the moment when its agent or its project is deleted: stored whole, or refused."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from graph.agents import AgentRepository
from graph.memories import MemoryRepository
from graph.projects import ProjectRepository
from tests.callers import Caller, error_of
from tests.together import at_once


def once_after(monkeypatch: pytest.MonkeyPatch, repository: type, method: str, act: Any) -> None:
    """Call `act` right after the first call of a method that answers what `act` takes."""
    original = getattr(repository, method)
    done: list[bool] = []

    def call(self: Any, *args: Any) -> Any:
        found = original(self, *args)
        if not done and act(found):
            done.append(True)
        return found

    monkeypatch.setattr(repository, method, call)


class TestAgent:
    def test_takes_a_memory_along_that_came_while_the_others_went(
        self, caller: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        agent = caller.post("/v1/agents", {"name": "iris"}).get_json()["id"]
        caller.remember("First", agent_id=agent)
        late = lambda found: not found and caller.remember("Late", agent_id=agent)  # noqa: E731
        once_after(monkeypatch, MemoryRepository, "of_agent", late)
        assert caller.delete(f"/v1/agents/{agent}").status_code == 204
        assert caller.get("/v1/memories").get_json()["data"] == []

    def test_that_goes_before_its_memory_is_written_is_not_found(
        self, caller: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        agent = caller.post("/v1/agents", {"name": "iris"}).get_json()["id"]
        gone = lambda found: caller.delete(f"/v1/agents/{agent}").status_code == 204  # noqa: E731
        once_after(monkeypatch, AgentRepository, "resolve", gone)
        error_of(caller.post("/v1/memories", {"content": "Late", "agent_id": agent}), 404)
        assert caller.get("/v1/memories").get_json()["data"] == []

    def test_deleted_by_four_while_twelve_store_leaves_no_memory_without_agent(self, caller: Caller) -> None:
        agent = caller.remember("First")["agent_id"]
        delete = partial(caller.delete, f"/v1/agents/{agent}")
        store = partial(caller.post, "/v1/memories", {"content": "Note", "agent_id": "iris"})
        answers = at_once([delete, store, store, store] * 4)
        assert {answer.status_code for answer in answers} <= {201, 204, 404}
        assert sum(answer.status_code == 204 for answer in answers) == 1
        kept = caller.get("/v1/memories").get_json()["data"]
        assert {caller.get(f"/v1/agents/{memory['agent_id']}").status_code for memory in kept} <= {200}


class TestProject:
    @pytest.mark.parametrize("count", [1, 2])
    def test_that_goes_before_its_memory_is_written_is_not_found(
        self, caller: Caller, monkeypatch: pytest.MonkeyPatch, count: int
    ) -> None:
        project = caller.post("/v1/projects", {"slug": "billing", "name": "Billing"}).get_json()["id"]
        gone = lambda found: caller.delete("/v1/projects/billing").status_code == 204  # noqa: E731
        once_after(monkeypatch, ProjectRepository, "known", gone)
        note = {"content": "Late", "agent_id": "iris", "project_id": project}
        if count == 1:
            error_of(caller.post("/v1/memories", note), 404)
        else:
            body = caller.post("/v1/memories/batch", {"memories": [note] * count}).get_json()
            assert [item["status"] for item in body["results"]] == ["failed"] * count
        assert caller.get("/v1/memories").get_json()["data"] == []

    @pytest.mark.parametrize("memories", ["keep", "delete"])
    def test_deleted_by_four_while_twelve_store_is_named_by_no_memory_afterwards(
        self, caller: Caller, memories: str
    ) -> None:
        project = caller.post("/v1/projects", {"slug": "billing", "name": "Billing"}).get_json()["id"]
        delete = partial(caller.delete, f"/v1/projects/billing?memories={memories}")
        store = partial(caller.post, "/v1/memories", {"content": "Note", "agent_id": "iris", "project_id": project})
        answers = at_once([delete, store, store, store] * 4)
        assert {answer.status_code for answer in answers} <= {201, 204, 404}
        assert sum(answer.status_code == 204 for answer in answers) == 1
        stored = sum(answer.status_code == 201 for answer in answers)
        kept = caller.get("/v1/memories").get_json()["data"]
        assert {memory["project_id"] for memory in kept} <= {None}
        assert len(kept) == (stored if memories == "keep" else 0)


class TestSession:
    def test_deleted_by_four_while_twelve_store_is_named_by_no_memory_afterwards(self, caller: Caller) -> None:
        session = caller.post("/v1/sessions", {"agent_id": "iris"}).get_json()["id"]
        delete = partial(caller.delete, f"/v1/sessions/{session}")
        note = {"content": "Note", "agent_id": "iris", "session_id": session}
        one, two = partial(caller.post, "/v1/memories", note), partial(
            caller.post, "/v1/memories/batch", {"memories": [note, note]}
        )  # fmt: skip
        answers = at_once([delete, one, two, one] * 4)
        assert {answer.status_code for answer in answers} <= {200, 201, 204, 400, 404}
        assert sum(answer.status_code == 204 for answer in answers) == 1
        kept = caller.get("/v1/memories", query_string={"limit": 100}).get_json()["data"]
        assert {memory["session_id"] for memory in kept} <= {None}

"""Jobs over HTTP, counted by state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.state import State
from tests.callers import Caller, error_of

GIVE_UP = "CYPHER 25 MATCH (j:Job {tenant: $tenant, name: 'extract'}) SET j.state = 'failed'"
NONE = dict.fromkeys(["queued", "running", "done", "failed", "cancelled", "total"], 0)


def accepted(caller: Caller, content: str) -> dict[str, Any]:
    """Accept a memory and return the answer."""
    response = caller.post("/v2/memories", {"content": content, "agent_id": "iris"})
    assert response.status_code == 202
    return dict(response.get_json())


def counts(caller: Caller, **args: str) -> dict[str, Any]:
    """Return the counts without their object and time."""
    found = caller.get("/v2/jobs/counts", query_string=args).get_json()
    assert found.pop("object") == "job_counts"
    found.pop("waiting_since")
    return dict(found)


class TestCounts:
    def test_there_are_none_at_first(self, caller: Caller) -> None:
        assert counts(caller) == NONE
        assert caller.get("/v2/jobs/counts").get_json()["waiting_since"] is None

    def test_each_state_is_counted(self, caller: Caller, stranger: Caller) -> None:
        first, second = accepted(caller, "one"), accepted(caller, "two")
        caller.post(f"/v2/jobs/{second['job_id']}/cancel")
        assert counts(caller) == NONE | {"queued": 1, "cancelled": 1, "total": 2}
        shown = caller.get(f"/v2/jobs/{first['job_id']}").get_json()
        assert caller.get("/v2/jobs/counts").get_json()["waiting_since"] == shown["created_at"]
        assert counts(stranger) == NONE

    def test_one_kind_is_counted(self, caller: Caller, parts: State) -> None:
        accepted(caller, "one")
        caller.remember("Ada Lovelace", auto_extract_entities=False)
        caller.post("/v1/memories/backfill-entities")
        parts.graph.write(GIVE_UP, tenant=caller.tenant)
        assert counts(caller, kind="embed") == NONE | {"queued": 1, "total": 1}
        assert counts(caller, kind="extract")["failed"] >= 1

    def test_a_kind_that_is_none_is_422(self, caller: Caller) -> None:
        assert error_of(caller.get("/v2/jobs/counts?kind=x"), 422)["details"][0]["field"] == "kind"

    def test_it_needs_the_scope_read(self, make_caller: Callable[..., Caller]) -> None:
        error_of(make_caller("write").get("/v2/jobs/counts"), 403)

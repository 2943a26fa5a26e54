"""`/v1/memories/changes` over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from app.services.maintain import demote_cold
from app.state import State
from app.workers import purge_expired, usage_retention
from tests.callers import Caller, error_of

FIRST = datetime(2024, 1, 1, 9, tzinfo=UTC)


def at(number: int) -> time_machine.travel:
    """Let it be a minute of the story."""
    return time_machine.travel(FIRST + timedelta(minutes=number), tick=False)


def then(number: int) -> str:
    """Return a minute of the story as the wire takes it."""
    return (FIRST + timedelta(minutes=number)).isoformat()


def bare(state: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a state without the name of its kind."""
    return None if state is None else {name: value for name, value in state.items() if name != "object"}


def changes(caller: Caller, **query: Any) -> list[dict[str, Any]]:
    """Return all pages of the list."""
    rows: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    while True:
        response = caller.get("/v1/memories/changes", query_string={"limit": 2, **query, **more})
        assert response.status_code == 200, response.get_json()
        page = response.get_json()
        rows += [{**row, **{end: bare(row[end]) for end in ("before", "after")}} for row in page["data"]]
        if not page["has_more"]:
            assert page["total_count"] == len(rows)
            return rows
        more = {"cursor": page["next_cursor"]}


def kinds(caller: Caller, **query: Any) -> list[str]:
    """Return the kinds of changes."""
    return [row["kind"] for row in changes(caller, **query)]


@pytest.fixture
def ids(caller: Caller) -> list[str]:
    """A story of two memories, one thing a minute."""
    with at(0):
        first = caller.remember("one", project="billing", user_id="ada", importance=0.5)["id"]
    with at(1):
        caller.put(f"/v1/memories/{first}", {"content": "ONE", "title": "First", "metadata": {"a": 1}})
    with at(2):
        caller.put(f"/v1/memories/{first}/importance", {"importance": 0.9})
    with at(3):
        caller.post(f"/v1/memories/{first}/archive")
    with at(4):
        caller.post(f"/v1/memories/{first}/unarchive")
    with at(5):
        second = caller.remember("two", agent_id="otto", supersedes=first)["id"]
    with at(6):
        third = caller.remember("three", agent_id="otto")["id"]
    with at(7):
        caller.delete(f"/v1/memories/{third}")
    return [first, second, third]


class TestList:
    def test_tells_everything_newest_first(self, caller: Caller, ids: list[str]) -> None:
        first, second, third = ids
        assert [(row["kind"], row["memory_id"], row["changed_at"]) for row in changes(caller)] == [
            (kind, id, (FIRST + timedelta(minutes=number)).timestamp())
            for kind, id, number in (
                ("deleted", third, 7), ("superseded", first, 5), ("created", second, 5), ("unarchived", first, 4),
                ("archived", first, 3), ("edited", first, 2), ("edited", first, 1), ("created", first, 0),
            )
        ]  # fmt: skip

    def test_tells_what_an_edit_changed(self, caller: Caller, ids: list[str]) -> None:
        weighed, said = changes(caller, **{"from": then(1), "to": then(2)})
        assert (said["fields"], said["version_before"], said["version_after"]) == (
            ["content", "title", "metadata"],
            1,
            2,
        )
        assert said["before"] == {"content": "one", "title": None, "metadata": {}}
        assert said["after"] == {"content": "ONE", "title": "First", "metadata": {"a": 1}}
        version = caller.get(f"/v1/memories/{ids[0]}/versions/{said['version_id']}").get_json()
        assert version["content"] == "one"
        assert (weighed["version_before"], weighed["version_after"], weighed["version_id"]) == (2, 3, None)
        assert weighed["before"] == {"importance": 0.5, "tier": "warm"}
        assert weighed["after"] == {"importance": 0.9, "tier": "hot"}

    def test_tells_what_was_stored_as_it_was_stored(self, caller: Caller, ids: list[str]) -> None:
        (row,) = changes(caller, to=then(0))
        assert (row["id"], row["before"], row["version_before"], row["version_after"]) == (ids[0], None, None, 1)
        assert row["after"] == {
            "content": "one", "title": None, "metadata": {}, "memory_type": row["after"]["memory_type"],
            "importance": 0.5, "tier": "warm", "visibility": "private", "occurred_at": None, "expires_at": None,
        }  # fmt: skip

    def test_names_what_replaced_a_memory(self, caller: Caller, ids: list[str]) -> None:
        (row,) = [row for row in changes(caller) if row["kind"] == "superseded"]
        assert row["superseded_by"] == ids[1]

    def test_says_of_a_deletion_what_and_when_alone(self, caller: Caller, ids: list[str]) -> None:
        (row,) = changes(caller, **{"from": then(7)})
        known = {"object", "id", "kind", "memory_id", "agent_id", "changed_at"}
        assert {name for name, value in row.items() if value not in (None, [])} == known
        assert "three" not in caller.get("/v1/memories/changes?limit=100").get_data(as_text=True)

    def test_of_an_agent_project_user_or_session_is_theirs_alone(self, caller: Caller, ids: list[str]) -> None:
        of_first = ["superseded", "unarchived", "archived", "edited", "edited", "created"]
        assert kinds(caller, project="billing") == of_first
        assert kinds(caller, user_id="ada") == of_first
        assert kinds(caller, agent_id="iris") == of_first
        assert kinds(caller, agent_id="otto") == ["deleted", "created"]
        assert kinds(caller, agent_id="iris", project="billing", user_id="ada") == of_first
        for nobody in ({"project": "none"}, {"agent_id": "nobody"}, {"agent_id": "otto", "project": "billing"}):
            assert kinds(caller, **nobody) == []

    def test_of_a_session_ends_with_the_session(self, caller: Caller) -> None:
        session = caller.post("/v1/sessions", {}).get_json()["id"]
        id = caller.remember("one", session_id=session)["id"]
        caller.post(f"/v1/memories/{id}/archive")
        assert kinds(caller, session_id=session) == ["archived", "created"]
        caller.delete(f"/v1/sessions/{session}")
        assert kinds(caller, session_id=session) == []
        assert kinds(caller) == ["archived", "created"]

    def test_tells_of_every_deletion_whose_it_was_but_the_user(self, caller: Caller, parts: State) -> None:
        session = caller.post("/v1/sessions", {}).get_json()["id"]
        owners: dict[str, Any] = {"project": "billing", "session_id": session, "user_id": "ada"}
        gone = {
            name: caller.remember(f"note for {name}", agent_id=agent, **owners)["id"]
            for name, agent in (("bulk", "iris"), ("agent", "otto"), ("session", "iris"))
        }
        deleted = caller.post("/v1/memories/bulk-delete", {"ids": [gone["bulk"]], "dry_run": False}).get_json()
        assert deleted["deleted"] == 1
        otto = caller.get(f"/v1/memories/{gone['agent']}").get_json()["agent_id"]
        caller.delete(f"/v1/agents/{otto}")
        caller.delete(f"/v1/sessions/{session}?memories=delete")
        with at(0):
            gone["expiry"] = caller.remember("soon gone", ttl_seconds=30, agent_id="iris")["id"]
        while purge_expired.work(parts):
            pass
        of = {row["memory_id"]: row for row in changes(caller)}
        assert {row["kind"] for row in of.values()} == {"deleted"}
        assert of.keys() == set(gone.values())
        assert of[gone["bulk"]]["session_id"] == session
        assert of[gone["agent"]]["agent_id"] == otto
        iris = [row["memory_id"] for row in changes(caller, agent_id="iris")]
        assert sorted(iris) == sorted(gone[name] for name in ("bulk", "session", "expiry"))
        assert len(kinds(caller, project="billing")) == len(kinds(caller, session_id=session)) == 3
        assert kinds(caller, user_id="ada") == []

    def test_forgets_deletions_with_the_audit_trail(self, caller: Caller, parts: State) -> None:
        old = datetime.now(UTC) - timedelta(days=parts.settings.audit_days + 1)
        with time_machine.travel(old, tick=False):
            caller.delete(f"/v1/memories/{caller.remember('one')['id']}")
        caller.delete(f"/v1/memories/{caller.remember('two')['id']}")
        assert kinds(caller) == ["deleted", "deleted"]
        while usage_retention.work(parts):
            pass
        assert kinds(caller) == ["deleted"]

    def test_takes_both_ends_in(self, caller: Caller, ids: list[str]) -> None:
        assert kinds(caller, **{"from": then(3), "to": then(4)}) == ["unarchived", "archived"]
        with time_machine.travel(FIRST + timedelta(hours=1, milliseconds=700), tick=False):
            caller.remember("late")
        whole = FIRST + timedelta(hours=1)
        assert len(changes(caller, **{"from": whole.timestamp(), "to": whole.timestamp()})) == 1
        assert changes(caller, **{"from": whole.timestamp(), "to": whole.timestamp() + 0.6}) == []

    def test_forgets_the_changes_of_what_is_gone(self, caller: Caller, ids: list[str]) -> None:
        with at(8):
            caller.delete(f"/v1/memories/{ids[0]}")
        assert kinds(caller) == ["deleted", "deleted", "created"]
        with at(9):
            caller.remember("soon gone", ttl_seconds=30)
        assert "soon gone" not in str(changes(caller))

    def test_keeps_the_order_within_one_moment(self, caller: Caller) -> None:
        with at(0):
            id = caller.remember("text 0")["id"]
            for number in range(1, 12):
                caller.put(f"/v1/memories/{id}", {"content": f"text {number}"})
        rows = changes(caller)
        assert [row["after"]["content"] for row in rows] == [f"text {number}" for number in range(11, -1, -1)]
        assert [row["before"]["content"] for row in rows[:-1]] == [f"text {number}" for number in range(10, -1, -1)]

    def test_an_edit_that_changes_nothing_is_none(self, caller: Caller) -> None:
        with at(0):
            memory = caller.remember("one", importance=0.5)
        with at(1):
            body = {"content": "one", "importance": 0.5, "metadata": {}}
            assert caller.put(f"/v1/memories/{memory['id']}", body).get_json() == memory
            assert caller.post(f"/v1/memories/{memory['id']}/unarchive").get_json() == memory
        assert kinds(caller) == ["created"]

    def test_maintenance_is_told_as_well(self, caller: Caller, parts: State) -> None:
        with at(0):
            id = caller.remember("one", importance=0.1, tier="warm")["id"]
        with at(60 * 24 * 400):
            demote_cold(parts, caller)  # type: ignore[arg-type]
            assert [(row["kind"], row["fields"]) for row in changes(caller)] == [
                ("archived", ["archived"]), ("edited", ["tier"]), ("created", []),
            ]  # fmt: skip
            (row,) = caller.get(f"/v1/memories?as_of={then(1)}".replace("+", "%2B")).get_json()["data"]
            assert (row["id"], row["tier"]) == (id, "warm")

    @pytest.mark.parametrize("query", [{"from": "soon"}, {"to": "x"}, {"from": "2024-02-01", "to": "2024-01-01"}])
    def test_refuses_what_is_no_period(self, caller: Caller, query: dict[str, str]) -> None:
        error_of(caller.get("/v1/memories/changes", query_string=query), 422)

    def test_shows_nothing_of_strangers(self, stranger: Caller, ids: list[str]) -> None:
        assert changes(stranger) == []
        assert changes(stranger, project="billing") == []

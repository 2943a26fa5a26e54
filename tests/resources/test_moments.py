"""`as_of` over HTTP: what would have been answered then."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.state import State
from app.workers import purge_expired
from tests.callers import Caller, error_of

FIRST = datetime(2024, 1, 1, 9, tzinfo=UTC)
ENDS = ("supersedes", "superseded_by")


def minute(number: int) -> datetime:
    """Return the beginning of a minute of the story."""
    return FIRST + timedelta(minutes=number)


def at(number: int) -> time_machine.travel:
    """Let it be a minute of the story."""
    return time_machine.travel(minute(number), tick=False)


def then(number: int) -> str:
    """Return `as_of` for a minute of the story."""
    return minute(number).strftime("%Y-%m-%dT%H:%M:%SZ")


def listed(caller: Caller, **query: Any) -> list[dict[str, Any]]:
    """Return all pages of a list of memories."""
    rows, cursor = [], None
    while True:
        response = caller.get(
            "/v1/memories", query_string={"limit": 3, **query, **({"cursor": cursor} if cursor else {})}
        )
        assert response.status_code == 200, response.get_json()
        page = response.get_json()
        rows += page["data"]
        if not page["has_more"]:
            assert page["total_count"] == len(rows)
            return rows
        cursor = page["next_cursor"]


def texts(caller: Caller, **query: Any) -> list[str]:
    """Return the texts of a list of memories."""
    return [row["content"] for row in listed(caller, **query)]


class TestList:
    def test_tells_each_text_as_it_was(self, caller: Caller) -> None:
        with at(0):
            id = caller.remember("Ada lives in Lisbon")["id"]
        for number, place in enumerate(("Porto", "Braga", "Faro"), 1):
            with at(number):
                caller.put(f"/v1/memories/{id}", {"content": f"Ada lives in {place}"})
        assert [texts(caller, as_of=then(number)) for number in range(-1, 4)] == [
            [], ["Ada lives in Lisbon"], ["Ada lives in Porto"], ["Ada lives in Braga"], ["Ada lives in Faro"],
        ]  # fmt: skip

    def test_has_what_was_superseded_later_and_not_what_replaced_it(self, caller: Caller) -> None:
        with at(0):
            old = caller.remember("one")["id"]
        with at(1):
            caller.remember("two", supersedes=old)
        assert texts(caller, as_of=then(0)) == ["one"]
        assert texts(caller, as_of=then(1)) == ["two"]
        assert texts(caller, as_of=then(1), include_superseded=True) == ["two", "one"]
        (row,) = listed(caller, as_of=then(0), include_superseded=True)
        assert (row["superseded_at"], row["superseded_by"]) == (None, None)

    def test_knows_each_time_in_the_archive(self, caller: Caller) -> None:
        with at(0):
            id = caller.remember("one")["id"]
        for number, verb in enumerate(("archive", "unarchive", "archive", "unarchive"), 1):
            with at(number):
                caller.post(f"/v1/memories/{id}/{verb}")
        assert [len(listed(caller, as_of=then(number))) for number in range(5)] == [1, 0, 1, 0, 1]
        (row,) = listed(caller, as_of=then(3), archived_only=True)
        assert row["archived_at"] == minute(3).timestamp()

    def test_filters_by_what_memories_were(self, caller: Caller) -> None:
        with at(0):
            id = caller.remember(
                "one", importance=0.5, metadata={"state": "draft"}, memory_type="fact", occurred_at="2023-05-08"
            )["id"]
        with at(1):
            change = {
                "importance": 0.9,
                "metadata": {"state": "done"},
                "memory_type": "task",
                "occurred_at": "2023-06-08",
            }
            caller.put(f"/v1/memories/{id}", change)
        before: list[dict[str, Any]] = [
            {"tier": "warm"}, {"memory_type": "fact"}, {"metadata_filter": '{"state": "draft"}'},
            {"metadata_filter": '{"state": {"$ne": "done"}}'}, {"occurred_before": "2023-06-01"},
        ]  # fmt: skip
        for condition in before:
            assert len(listed(caller, as_of=then(0), **condition)) == 1, condition
            assert listed(caller, as_of=then(1), **condition) == [], condition
            assert listed(caller, **condition) == [], condition
        assert len(listed(caller, as_of=then(1), min_importance=0.9)) == len(listed(caller, min_importance=0.9)) == 1
        assert listed(caller, as_of=then(0), min_importance=0.6) == listed(caller, min_importance=0.91) == []
        assert len(listed(caller, as_of=then(1), tier="hot", metadata_filter='{"state": "done"}')) == 1

    @pytest.mark.parametrize("owner", ["agent_id", "user_id", "session_id", "project"])
    def test_goes_with_each_owner(self, caller: Caller, owner: str) -> None:
        with at(0):
            session = caller.post("/v1/sessions", {}).get_json()["id"]
            owners = {"agent_id": "iris", "user_id": "ada", "session_id": session, "project": "billing"}
            id = caller.remember("one", **owners)["id"]
            caller.remember("other", agent_id="otto")
        with at(1):
            caller.put(f"/v1/memories/{id}", {"content": "two"})
        assert texts(caller, as_of=then(0), **{owner: owners[owner]}) == ["one"]
        assert texts(caller, as_of=then(0), **{owner: owners[owner]}, tier="warm") == ["one"]

    def test_never_brings_back_what_was_deleted(self, caller: Caller) -> None:
        with at(0):
            id = caller.remember("one")["id"]
        with at(1):
            caller.delete(f"/v1/memories/{id}")
        assert listed(caller, as_of=then(0)) == []

    def test_never_brings_back_what_has_expired(self, caller: Caller, parts: State) -> None:
        with at(0):
            caller.remember("one", ttl_seconds=90)
        with at(1):
            assert texts(caller, as_of=then(0)) == ["one"]
        with at(2):
            assert listed(caller, as_of=then(0)) == []
            purge_expired.work(parts)
            assert listed(caller, as_of=then(0)) == []

    def test_hides_today_what_became_confidential_today(self, caller: Caller) -> None:
        with at(0):
            id = caller.remember("the code is 4711")["id"]
        with at(1):
            caller.put(f"/v1/memories/{id}", {"content": "the code is secret", "visibility": "confidential"})
        assert texts(caller, as_of=then(0), visibility="private") == []
        (row,) = listed(caller, as_of=then(0), visibility="confidential")
        assert (row["content"], row["visibility"]) == ("the code is 4711", "confidential")
        version = caller.get(f"/v1/memories/{id}/versions").get_json()["data"][1]
        assert version["visibility"] == "confidential"

    def test_shows_the_names_of_then(self, caller: Caller) -> None:
        with at(0):
            id = caller.remember("Priya Raman moved to Lisbon")["id"]
        with at(1):
            caller.put(f"/v1/memories/{id}", {"content": "Otto Braun moved to Lisbon"})
        names = [{each["value"] for each in listed(caller, as_of=then(n))[0]["entities"]} for n in (0, 1)]
        assert ("Priya Raman" in names[0], "Otto Braun" in names[0]) == (True, False)
        assert ("Priya Raman" in names[1], "Otto Braun" in names[1]) == (False, True)

    def test_of_now_is_the_list_of_now(self, caller: Caller) -> None:
        for n in range(4):
            caller.remember(f"memory {n}")
        assert listed(caller, as_of=datetime.now(UTC).timestamp()) == listed(caller)

    @pytest.mark.parametrize("moment", ["2999-01-01", "soon", "-5", "1e3", "[]"])
    def test_refuses_what_is_no_moment_of_the_past(self, caller: Caller, moment: str) -> None:
        body = error_of(caller.get("/v1/memories", query_string={"as_of": moment}), 422)
        assert [detail["field"] for detail in body["details"]] == ["as_of"]

    def test_takes_whole_seconds_up_to_their_end(self, caller: Caller) -> None:
        with time_machine.travel(minute(0) + timedelta(milliseconds=400), tick=False):
            memory = caller.remember("one")
        assert texts(caller, as_of=memory["created_at"]) == ["one"]
        assert texts(caller, as_of="2024-01-01T09:00:00.399Z") == []
        assert texts(caller, as_of="2024-01-01T09:00:00.400Z") == ["one"]

    def test_has_no_vectors(self, caller: Caller) -> None:
        query = {"as_of": then(0), "include_embeddings": "true"}
        assert (
            error_of(caller.get("/v1/memories", query_string=query), 422)["details"][0]["field"] == "include_embeddings"
        )

    def test_shows_nothing_of_strangers(self, caller: Caller, stranger: Caller) -> None:
        with at(0):
            id = caller.remember("one")["id"]
        assert listed(stranger, as_of=then(0)) == []
        error_of(stranger.get(f"/v1/memories/{id}?as_of={then(0)}"), 404)


class TestMemory:
    def test_is_shown_as_it_was(self, caller: Caller) -> None:
        with at(0):
            id = caller.remember("one", title="First", metadata={"a": 1})["id"]
            was = caller.get(f"/v1/memories/{id}").get_json()
        with at(1):
            caller.put(f"/v1/memories/{id}", {"content": "two", "title": "Second", "metadata": {"a": None, "b": 2}})
        with at(2):
            caller.post(f"/v1/memories/{id}/archive")
        assert caller.get(f"/v1/memories/{id}?as_of={then(0)}").get_json() == was
        assert (
            caller.get(f"/v1/memories/{id}?as_of={then(2)}").get_json() == caller.get(f"/v1/memories/{id}").get_json()
        )
        error_of(caller.get(f"/v1/memories/{id}?as_of={then(-1)}"), 404)

    def test_that_was_edited_after_it_was_superseded_tells_both_texts(self, caller: Caller) -> None:
        with at(0):
            id = caller.remember("one")["id"]
        with at(1):
            caller.remember("other", supersedes=id)
        with at(2):
            caller.put(f"/v1/memories/{id}", {"content": "two"})
        assert caller.get(f"/v1/memories/{id}?as_of={then(1)}").get_json()["content"] == "one"
        assert caller.get(f"/v1/memories/{id}?as_of={then(2)}").get_json()["content"] == "two"
        assert caller.get(f"/v1/memories/{id}?as_of={then(2)}").get_json()["superseded_at"] == minute(1).timestamp()


class TestSession:
    def test_tells_its_story_as_it_stood(self, caller: Caller) -> None:
        with at(0):
            session = caller.post("/v1/sessions", {}).get_json()["id"]
            first = caller.remember("one", session_id=session)["id"]
            caller.remember("two", session_id=session)
        with at(1):
            caller.put(f"/v1/memories/{first}", {"content": "ONE"})
            caller.remember("three", session_id=session)
        story = f"/v1/sessions/{session}/memories"
        page = caller.get(f"{story}?as_of={then(0)}&limit=1").get_json()
        assert ([row["content"] for row in page["data"]], page["total_count"]) == (["one"], 2)
        page = caller.get(f"{story}?as_of={then(0)}&cursor={page['next_cursor']}").get_json()
        assert ([row["content"] for row in page["data"]], page["has_more"]) == (["two"], False)
        now = caller.get(f"{story}?as_of={then(1)}").get_json()
        assert now["data"] == caller.get(story).get_json()["data"]

    def test_tells_its_memories_with_it_as_they_were(self, caller: Caller) -> None:
        with at(0):
            session = caller.post("/v1/sessions", {}).get_json()["id"]
            first = caller.remember("one", session_id=session)["id"]
        with at(1):
            caller.put(f"/v1/memories/{first}", {"content": "ONE"})
            caller.remember("two", session_id=session)

        def told(**query: Any) -> list[str]:
            found = caller.get(f"/v1/sessions/{session}", query_string={"include_memories": "true", **query})
            return [row["content"] for row in found.get_json()["memories"]]

        assert told(as_of=then(0)) == ["one"]
        assert told(as_of=then(1)) == told() == ["ONE", "two"]
        error_of(caller.get(f"/v1/sessions/{session}?as_of={then(-1)}"), 404)


KINDS = ("store", "say", "title", "metadata", "importance", "type", "archive", "unarchive", "replace", "delete")
steps = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5)), min_size=3, max_size=14)


def do(caller: Caller, ids: list[str], kind: str, which: int, number: int) -> None:
    """Do one thing to one of the memories, or store another."""
    if kind == "store" or not ids:
        ids.append(caller.remember(f"text {number} of Ada Quill", metadata={"n": number})["id"])
        return
    id = ids[which % len(ids)]
    path = f"/v1/memories/{id}"
    bodies: dict[str, dict[str, Any]] = {
        "say": {"content": f"text {number} of Otto Braun"},
        "title": {"title": f"title {number}"},
        "metadata": {"metadata": {"n": number % 3}},
        "importance": {"importance": (number % 10) / 10},
        "type": {"memory_type": ("fact", "event", "task")[number % 3]},
    }
    if kind in bodies:
        caller.put(path, bodies[kind])
    elif kind == "replace":
        body = {"content": f"text {number}", "agent_id": "iris", "supersedes": id}
        response = caller.post("/v1/memories", body)
        if response.status_code == 201:
            ids.append(response.get_json()["id"])
    elif kind == "delete":
        caller.delete(path)
        ids.remove(id)
    else:
        caller.post(f"{path}/{kind}")


QUESTIONS: list[dict[str, Any]] = [
    {}, {"include_archived": True}, {"archived_only": True}, {"include_superseded": True}, {"tier": "warm"},
    {"memory_type": "task"}, {"metadata_filter": '{"n": {"$gte": 1}}'},
]  # fmt: skip


class TestAnyHistory:
    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps)
    def test_asked_afterwards_answers_as_it_did(
        self, make_caller: Callable[..., Caller], story: list[tuple[str, int]]
    ) -> None:
        caller, ids = make_caller(), list[str]()
        answered: list[list[list[dict[str, Any]]]] = []
        for number, (kind, which) in enumerate(story):
            with at(number):
                do(caller, ids, kind, which, number)
                answered.append([listed(caller, **question) for question in QUESTIONS])
        there = {row["id"] for row in listed(caller, include_archived=True, include_superseded=True)}

        def left(rows: list[dict[str, Any]], before: list[dict[str, Any]]) -> list[dict[str, Any]]:
            # What was deleted since is gone, and so is what pointed to it; a second successor then takes its place.
            lost = {
                (row["id"], end) for row in before for end in ENDS if row[end] is not None and row[end] not in there
            }
            return [
                {**row, **{end: None if (row["id"], end) in lost else row[end] for end in ENDS}}
                for row in rows
                if row["id"] in there
            ]

        for number, answers in enumerate(answered):
            for question, rows in zip(QUESTIONS, answers, strict=True):
                now = listed(caller, as_of=then(number), **question)
                assert left(now, rows) == left(rows, rows), (number, question)

"""Decisions as at a past moment, over HTTP: in lists, alone, in contexts and beside the hits of a search."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.callers import Caller, error_of
from tests.resources.test_moments import at, minute, then


def decide(caller: Caller, title: str = "Keep the queue in the database", **fields: Any) -> str:
    """Record a decision and return its id."""
    response = caller.post("/v1/decisions", {"title": title, "rationale": "One thing less to run", **fields})
    assert response.status_code == 201, response.get_json()
    return str(response.get_json()["id"])


def supersede(caller: Caller, id: str, title: str) -> str:
    """Put another decision in the place of one; return its id."""
    response = caller.post(f"/v1/decisions/{id}/supersede", {"title": title, "rationale": "It grew"})
    assert response.status_code == 201, response.get_json()
    return str(response.get_json()["id"])


def one(caller: Caller, id: str, number: int) -> dict[str, Any]:
    """Return a decision as at a minute of the story."""
    response = caller.get(f"/v1/decisions/{id}?as_of={then(number)}")
    assert response.status_code == 200, response.get_json()
    return dict(response.get_json())


def listed(caller: Caller, **query: Any) -> list[dict[str, Any]]:
    """Return all pages of a list of decisions."""
    rows, cursor = [], None
    while True:
        given = {"limit": 2, **query, **({"cursor": cursor} if cursor else {})}
        response = caller.get("/v1/decisions", query_string=given)
        assert response.status_code == 200, response.get_json()
        page = response.get_json()
        rows += page["data"]
        if not page["has_more"]:
            assert page["total_count"] == len(rows)
            return rows
        cursor = page["next_cursor"]


def active(caller: Caller, number: int, **query: Any) -> list[str]:
    """Return the ids of the decisions that were in force at a minute of the story."""
    return [row["id"] for row in listed(caller, as_of=then(number), status="active", **query)]


class TestDecision:
    def test_that_was_superseded_later_was_in_force(self, caller: Caller) -> None:
        with at(0):
            old = decide(caller)
        with at(2):
            new = supersede(caller, old, "Run a broker")
        was = one(caller, old, 1)
        assert (was["status"], was["superseded_by"]) == ("active", None)
        now = one(caller, old, 2)
        assert (now["status"], now["superseded_by"]) == ("superseded", new)
        assert now == caller.get(f"/v1/decisions/{old}").get_json()
        assert one(caller, new, 2)["supersedes"] == old
        error_of(caller.get(f"/v1/decisions/{new}?as_of={then(1)}"), 404)

    def test_has_each_status_that_it_went_through(self, caller: Caller) -> None:
        with at(0):
            id = decide(caller, status="experimental")
        with at(1):
            caller.put(f"/v1/decisions/{id}", {"status": "active"})
        with at(2):
            caller.post(f"/v1/decisions/{id}/revert")
        with at(3):
            caller.post(f"/v1/decisions/{id}/revert")
            caller.put(f"/v1/decisions/{id}", {"title": "Keep the queue where it is"})
        with at(4):
            caller.put(f"/v1/decisions/{id}", {"status": "active"})
        with at(5):
            new = supersede(caller, id, "Run a broker")
        with at(6):
            caller.delete(f"/v1/decisions/{new}")
        statuses = ["experimental", "active", "reverted", "reverted", "active", "superseded", "active", "active"]
        assert [one(caller, id, number)["status"] for number in range(8)] == statuses
        assert [active(caller, number) for number in range(8)] == [[], [id], [], [], [id], [], [id], [id]]

    def test_is_told_in_the_words_of_today_with_the_time_of_the_last_edit(self, caller: Caller) -> None:
        with at(0):
            id = decide(caller)
        with at(1):
            caller.put(f"/v1/decisions/{id}", {"title": "Keep the queue where it is"})
        was = one(caller, id, 0)
        assert was["title"] == "Keep the queue where it is"
        assert was["updated_at"] == minute(1).strftime("%Y-%m-%dT%H:%M:%SZ")

    def test_counts_the_links_of_then(self, caller: Caller) -> None:
        with at(0):
            memory = caller.remember("The queue is short")["id"]
            first, second = decide(caller), decide(caller, "Poll each second")
        with at(1):
            caller.post(f"/v1/decisions/{second}/memories", {"memory_id": memory})
            caller.post(f"/v1/decisions/{second}/dependencies", {"decision_id": first})
        names = ("memory_count", "dependency_count")
        assert [[one(caller, second, number)[name] for name in names] for number in (0, 1)] == [[0, 0], [1, 1]]
        assert [one(caller, first, number)["dependent_count"] for number in (0, 1)] == [0, 1]

    @pytest.mark.parametrize("path", ["/v1/decisions", "/v1/decisions/{id}", "/v1/projects/billing/context"])
    def test_of_the_future_is_refused(self, caller: Caller, path: str) -> None:
        id = decide(caller, project_slug="billing")
        body = error_of(caller.get(path.format(id=id), query_string={"as_of": "2999-01-01"}), 422)
        assert [detail["field"] for detail in body["details"]] == ["as_of"]

    def test_shows_nothing_to_strangers(self, caller: Caller, stranger: Caller) -> None:
        with at(0):
            id = decide(caller, project_slug="billing")
        assert listed(stranger, as_of=then(0)) == []
        error_of(stranger.get(f"/v1/decisions/{id}?as_of={then(0)}"), 404)
        error_of(stranger.get(f"/v1/projects/billing/context?as_of={then(0)}"), 404)


class TestList:
    @pytest.mark.parametrize("owner", ["agent_id", "session_id", "project", "tags"])
    def test_goes_with_each_filter(self, caller: Caller, owner: str) -> None:
        with at(0):
            session = caller.post("/v1/sessions", {}).get_json()["id"]
            places = {"agent_id": "iris", "session_id": session, "project": "billing", "tags": "queue"}
            body = {"agent_id": "iris", "session_id": session, "project_slug": "billing", "tags": ["queue"]}
            ids = [decide(caller, f"Decision {number}", **body) for number in range(3)]
            decide(caller, "Elsewhere", agent_id="otto")
        with at(1):
            for id in ids:
                caller.post(f"/v1/decisions/{id}/revert")
        assert sorted(active(caller, 0, **{owner: places[owner]})) == sorted(ids)
        assert active(caller, 1, **{owner: places[owner]}) == []
        assert len(listed(caller, as_of=then(1), status="reverted", **{owner: places[owner]})) == 3

    def test_of_now_is_the_list_of_now(self, caller: Caller) -> None:
        with at(0):
            ids = [decide(caller, f"Decision {number}") for number in range(3)]
            supersede(caller, ids[0], "Otherwise")
        assert listed(caller, as_of=then(0)) == listed(caller)


class TestContext:
    def blocks(self, caller: Caller, number: int, **body: Any) -> list[tuple[str, list[str]]]:
        """Return the decisions in a context as at a minute of the story, each with the memories it cites."""
        given = {"query": "Where is the queue kept?", "threshold": 0, "as_of": then(number), **body}
        response = caller.post("/v1/memories/context", given)
        assert response.status_code == 200, response.get_json()
        found = [block for block in response.get_json()["blocks"] if block["kind"] == "decision"]
        return [(block["decision_id"], block["memory_ids"]) for block in found]

    def test_has_the_decision_that_answered_then(self, caller: Caller) -> None:
        with at(0):
            old = decide(caller, "The queue is kept in the database")
        with at(1):
            new = supersede(caller, old, "The queue is kept in a broker")
        with at(2):
            caller.post(f"/v1/decisions/{new}/revert")
        assert [self.blocks(caller, number) for number in (0, 1, 2)] == [[(old, [])], [(new, [])], []]

    def test_has_the_decisions_that_rested_then_on_what_was_found(self, caller: Caller) -> None:
        with at(0):
            ground = caller.remember("The queue is kept in the database", user_id="ada")["id"]
            filed = caller.remember("Nobody minds where the queue is kept", user_id="ada")["id"]
            id = decide(caller, "Poll each second", memory_ids=[filed])
        with at(1):
            caller.post(f"/v1/memories/{filed}/archive")
            caller.post(f"/v1/decisions/{id}/memories", {"memory_id": ground})
        with at(2):
            caller.post(f"/v1/decisions/{id}/revert")
        assert [self.blocks(caller, number, user_id="ada") for number in (0, 1, 2)] == [
            [(id, [filed])], [(id, [ground])], [],
        ]  # fmt: skip

    def test_beside_hits_are_those_in_force_and_in_use_then(self, caller: Caller) -> None:
        with at(0):
            ground = caller.remember("The queue is kept in the database", project="billing")["id"]
            id = decide(caller, memory_ids=[ground])
            pattern = caller.post("/v1/patterns", {"title": "Outbox", "description": "Write it down"}).get_json()["id"]
        with at(1):
            caller.post(f"/v1/decisions/{id}/revert")
            assert caller.post(f"/v1/patterns/{pattern}/adopt", {"project": "billing"}).status_code < 300

        def linked(number: int) -> tuple[list[str], list[str]]:
            body = {"query": "queue", "include_linked": True, "as_of": then(number)}
            found = caller.post("/v1/memories/search", body).get_json()["linked"]
            return [row["id"] for row in found["decisions"]], [row["id"] for row in found["patterns"]]

        assert [linked(number) for number in (0, 1)] == [([id], []), ([], [pattern])]


class TestProjectContext:
    def context(self, caller: Caller, number: int) -> dict[str, Any]:
        """Return the context of the project as at a minute of the story."""
        response = caller.get(f"/v1/projects/billing/context?block_texts=true&as_of={then(number)}")
        assert response.status_code == 200, response.get_json()
        return dict(response.get_json())

    def test_tells_memories_as_they_were(self, caller: Caller) -> None:
        with at(0):
            hot: dict[str, Any] = {"project": "billing", "importance": 0.9}
            edited = caller.remember("Invoices go out on Monday", **hot)["id"]
            cooled = caller.remember("The tax office wants paper", **hot)["id"]
            filed = caller.remember("Otto keeps the stamps", **hot)["id"]
            replaced = caller.remember("Euros alone are taken", **hot)["id"]
            warmed = caller.remember("Ada signs everything", project="billing", importance=0.5)["id"]
        with at(1):
            caller.put(f"/v1/memories/{edited}", {"content": "Invoices go out on Friday"})
            caller.put(f"/v1/memories/{cooled}", {"importance": 0.2})
            caller.post(f"/v1/memories/{filed}/archive")
            caller.remember("Dollars are taken too", supersedes=replaced, **hot)
            caller.put(f"/v1/memories/{warmed}", {"importance": 1.0})

        def told(number: int) -> list[str]:
            found = self.context(caller, number)
            texts = [memory["content"] for memory in found["hot_memories"]]
            blocks = "\n".join(block["text"] for block in found["blocks"] if block["kind"] == "memories")
            assert all(text in found["formatted_context"] and text in blocks for text in texts)
            return sorted(texts)

        assert told(0) == [
            "Euros alone are taken", "Invoices go out on Monday", "Otto keeps the stamps", "The tax office wants paper",
        ]  # fmt: skip
        assert told(1) == ["Ada signs everything", "Dollars are taken too", "Invoices go out on Friday"]
        assert self.context(caller, 1)["hot_memories"][0]["id"] == warmed

    def test_hides_what_is_confidential_today(self, caller: Caller) -> None:
        with at(0):
            id = caller.remember("The code is 4711", project="billing", importance=0.9)["id"]
        with at(1):
            caller.put(f"/v1/memories/{id}", {"visibility": "confidential"})
        assert "4711" not in str(self.context(caller, 0))

    def test_has_the_decisions_in_force_then(self, caller: Caller) -> None:
        with at(0):
            old = decide(caller, project_slug="billing")
            tried = decide(caller, "Bill each week", project_slug="billing", status="experimental")
        with at(1):
            new = supersede(caller, old, "Run a broker")
            caller.put(f"/v1/decisions/{tried}", {"status": "active"})
        for number, expected in ((0, {old}), (1, {new, tried})):
            found = self.context(caller, number)
            assert {(row["id"], row["status"]) for row in found["recent_decisions"]} == {
                (id, "active") for id in expected
            }
            assert {b["decision_id"] for b in found["blocks"] if b["kind"] == "decision"} == expected

    def test_has_the_patterns_and_sessions_of_then(self, caller: Caller) -> None:
        with at(0):
            session = caller.post("/v1/sessions", {"project": "billing", "title": "Moving"}).get_json()["id"]
            caller.post("/v1/projects", {"slug": "billing", "name": "Billing"})
            pattern = caller.post("/v1/patterns", {"title": "Outbox", "description": "Write it down"}).get_json()["id"]
        with at(1):
            caller.post(f"/v1/patterns/{pattern}/adopt", {"project": "billing"})
            caller.put(f"/v1/sessions/{session}/end", {"summary": "All is moved"})
            caller.post("/v1/sessions", {"project": "billing", "title": "Later"})
        before, after = self.context(caller, 0), self.context(caller, 1)
        assert [row["id"] for row in before["active_patterns"]] == []
        assert [row["id"] for row in after["active_patterns"]] == [pattern]
        (row,) = before["recent_sessions"]
        assert (row["id"], row["status"], row["summary"], row["ended_at"]) == (session, "active", None, None)
        assert "All is moved" not in before["formatted_context"]
        ended = next(row for row in after["recent_sessions"] if row["id"] == session)
        assert (ended["status"], ended["summary"]) == ("ended", "All is moved")
        assert len(after["recent_sessions"]) == 2

    def test_of_a_project_that_came_later_is_404(self, caller: Caller) -> None:
        with at(0):
            caller.remember("Invoices go out on Monday", project="billing")
        error_of(caller.get(f"/v1/projects/billing/context?as_of={then(-1)}"), 404)

    def test_of_now_is_the_context_of_now(self, caller: Caller) -> None:
        with at(0):
            told = caller.remember("Invoices go out on Monday", project="billing", importance=0.9)["id"]
            decide(caller, project_slug="billing", memory_ids=[told])
        now = caller.get("/v1/projects/billing/context?block_texts=true").get_json()
        assert self.context(caller, 0) == now


KINDS = ("record", "record", "supersede", "revert", "activate", "try", "retitle", "delete")
# Texts and the time of the last edit are those of today; counts lose what was deleted since.
OF_TODAY = {"title", "rationale", "updated_at", "memory_count", "dependency_count", "dependent_count"}
QUESTIONS: list[dict[str, Any]] = [{}, *({"status": name} for name in ("active", "experimental", "superseded"))]


def do(caller: Caller, ids: list[str], kind: str, which: int, number: int) -> None:
    """Do one thing to one of the decisions, or record another."""
    if kind == "record" or not ids:
        ids.append(decide(caller, f"Decision {number}", project_slug="billing"))
        return
    path = f"/v1/decisions/{ids[which % len(ids)]}"
    bodies = {
        "activate": {"status": "active"},
        "try": {"status": "experimental"},
        "retitle": {"title": f"New {number}"},
    }
    if kind in bodies:
        caller.put(path, bodies[kind])
    elif kind == "delete":
        caller.delete(path)
        del ids[which % len(ids)]
    else:
        response = caller.post(f"{path}/{kind}", {"title": f"Instead {number}", "rationale": "It grew"})
        if response.status_code == 201:
            ids.append(response.get_json()["id"])


class TestAnyHistory:
    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5)), min_size=3, max_size=14))
    def test_asked_afterwards_answers_as_it_did(
        self, make_caller: Callable[..., Caller], story: list[tuple[str, int]]
    ) -> None:
        caller, ids = make_caller(), list[str]()
        lists: list[list[list[dict[str, Any]]]] = []
        contexts: list[list[str]] = []
        path = "/v1/projects/billing/context"
        for number, (kind, which) in enumerate(story):
            with at(number):
                do(caller, ids, kind, which, number)
                lists.append([listed(caller, **question) for question in QUESTIONS])
                contexts.append([row["id"] for row in caller.get(path).get_json()["recent_decisions"]])

        def left(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
            # What was deleted since is gone, and so is what pointed to it.
            kept = [row for row in rows if row["id"] in ids]
            return [
                {name: None if value not in ids and name.startswith("supersede") else value
                 for name, value in row.items() if name not in OF_TODAY}
                for row in kept
            ]  # fmt: skip

        for number, answers in enumerate(lists):
            for question, rows in zip(QUESTIONS, answers, strict=True):
                assert left(listed(caller, as_of=then(number), **question)) == left(rows), (number, question)
            found = caller.get(f"{path}?as_of={then(number)}").get_json()["recent_decisions"]
            assert [row["id"] for row in found] == [id for id in contexts[number] if id in ids]

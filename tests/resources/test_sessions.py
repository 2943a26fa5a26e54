"""Sessions over HTTP, as agents and their tools see them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.callers import Caller, error_of

MCP = {"Content-Type": "application/json", "User-Agent": "@memoryrelay/mcp-server/0.4.0"}
SHOWN = {
    "id", "agent_id", "external_id", "project", "status", "title", "summary", "metadata", "memory_count", "started_at",
    "ended_at", "created_at", "updated_at",
}  # fmt: skip
HOSTILE = "'}) DETACH DELETE s // </script> \u202e \U0001f600 {{7*7}}"


def start(caller: Caller, **fields: Any) -> dict[str, Any]:
    """Start a session and return it."""
    response = caller.post("/v1/sessions", fields)
    assert response.status_code == 201, response.get_json()
    return dict(response.get_json())


def session(caller: Caller, id: str) -> dict[str, Any]:
    """Return a session as it is now."""
    response = caller.get(f"/v1/sessions/{id}")
    assert response.status_code == 200, response.get_json()
    return dict(response.get_json())


def pages(caller: Caller, path: str, limit: int) -> list[dict[str, Any]]:
    """Return all rows of a list, page by page, with what each page says checked."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        response = caller.get(path, query_string=query)
        assert response.status_code == 200, response.get_json()
        body = response.get_json()
        found += body["data"]
        cursor = body["next_cursor"]
        if not body["has_more"]:
            assert cursor is None
            assert body["total_count"] == len(found)
            return found
        assert len(body["data"]) == limit


def at_once(work: Any, times: int = 16) -> list[Any]:
    """Do the same from many threads."""
    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(work, range(times)))


@pytest.fixture
def told(caller: Caller) -> str:
    """An ended session with five memories and a decision."""
    id = str(start(caller, agent_id="iris", title="Untangle the retry queue")["id"])
    for n, text in enumerate(("lost a message", "has no key", "got a key", "was drained", "is fine")):
        caller.remember(f"The retry queue of billing {text}", session_id=id, importance=0.5 + n / 10)
    caller.post("/v1/decisions", {"title": "Keys for all", "rationale": "No message twice", "session_id": id})
    caller.put(f"/v1/sessions/{id}/end", {})
    return id


class TestStart:
    def test_an_empty_body_is_enough(self, caller: Caller) -> None:
        made = start(caller)
        assert set(made) == SHOWN
        assert (made["status"], made["memory_count"], made["metadata"]) == ("active", 0, {})
        assert [made[name] for name in ("agent_id", "external_id", "project", "title", "summary", "ended_at")] == [
            None
        ] * 6
        assert made["started_at"] == made["created_at"]

    def test_every_field_comes_back(self, caller: Caller) -> None:
        body = {
            "external_id": "repo:billing:1", "project": "Billing, the old one", "title": HOSTILE,
            "metadata": {"k": HOSTILE},
        }  # fmt: skip
        made = start(caller, agent_id="R&amp;D", **body)
        assert {name: made[name] for name in body} == body
        assert caller.get(f"/v1/agents/{made['agent_id']}").get_json()["name"] == "R&D"
        assert session(caller, made["id"]) == made

    def test_nulls_are_absent(self, caller: Caller) -> None:
        assert start(caller, agent_id=None, external_id=None, title=None, metadata=None)["metadata"] == {}

    def test_sessions_without_a_key_are_many(self, caller: Caller) -> None:
        assert start(caller)["id"] != start(caller)["id"]

    def test_a_key_in_use_is_a_conflict_that_names_the_remedy(self, caller: Caller) -> None:
        start(caller, external_id="a")
        assert "get-or-create" in error_of(caller.post("/v1/sessions", {"external_id": "a"}), 409)["message"]

    def test_an_unknown_agent_id_is_not_found(self, caller: Caller, unknown_id: str) -> None:
        error_of(caller.post("/v1/sessions", {"agent_id": unknown_id}), 404)

    @pytest.mark.parametrize(
        ("field", "good", "bad"),
        [
            ("external_id", "e" * 255, "e" * 256), ("project", "p" * 255, "p" * 256), ("title", "t" * 500, "t" * 501),
            ("metadata", {"a": "x" * 10_232}, {"a": "x" * 10_233}), ("title", "t", "\x00"),
        ],
    )  # fmt: skip
    def test_limits_are_exact(self, caller: Caller, field: str, good: Any, bad: Any) -> None:
        assert error_of(caller.post("/v1/sessions", {field: bad}), 422)["details"][0]["field"] == field
        assert caller.post("/v1/sessions", {field: good}).status_code == 201


class TestGetOrCreate:
    def test_starts_once_and_then_finds(self, caller: Caller) -> None:
        first = caller.post("/v1/sessions/get-or-create", {"external_id": "a", "title": "One", "agent_id": "iris"})
        second = caller.post("/v1/sessions/get-or-create", {"external_id": "a", "title": "Two", "agent_id": "otto"})
        assert (first.status_code, first.get_json()["created"]) == (201, True)
        assert (second.status_code, second.get_json()["created"]) == (200, False)
        assert {**second.get_json(), "created": True} == first.get_json()

    def test_an_ended_session_comes_back_ended(self, caller: Caller) -> None:
        made = start(caller, external_id="a")
        ended = caller.put(f"/v1/sessions/{made['id']}/end", {"summary": "Done"}).get_json()
        found = caller.post("/v1/sessions/get-or-create", {"external_id": "a"})
        assert (found.status_code, found.get_json()) == (200, {**ended, "created": False})

    @pytest.mark.parametrize("value", ["", " \t", "\u200b"])
    def test_a_key_with_nothing_to_see_is_refused_when_a_session_is_started_too(
        self, caller: Caller, value: str
    ) -> None:
        details = error_of(caller.post("/v1/sessions", {"external_id": value}), 422)["details"]
        assert details == [{"field": "external_id", "message": "must not be blank"}]

    def test_tenants_share_no_keys(self, caller: Caller, stranger: Caller) -> None:
        mine = caller.post("/v1/sessions/get-or-create", {"external_id": "a"}).get_json()
        theirs = stranger.post("/v1/sessions/get-or-create", {"external_id": "a"}).get_json()
        assert theirs["created"]
        assert mine["id"] != theirs["id"]

    @pytest.mark.parametrize("value", [None, "", " ", "e" * 256, 7])
    def test_the_key_is_needed(self, caller: Caller, value: Any) -> None:
        error = error_of(caller.post("/v1/sessions/get-or-create", {"external_id": value}), 422)
        assert error["details"][0]["field"] == "external_id"

    def test_of_sixteen_at_once_one_starts_it(self, caller: Caller) -> None:
        answers = at_once(
            lambda n: caller.post("/v1/sessions/get-or-create", {"external_id": "race", "agent_id": "iris"})
        )
        assert sorted(answer.status_code for answer in answers) == [200] * 15 + [201]
        assert len({answer.get_json()["id"] for answer in answers}) == 1
        assert len({answer.get_json()["agent_id"] for answer in answers}) == 1
        assert caller.get("/v1/sessions").get_json()["total_count"] == 1
        assert caller.get("/v1/agents").get_json()["total_count"] == 1

    def test_sixteen_plain_starts_with_one_key_make_one_session(self, caller: Caller) -> None:
        answers = at_once(lambda n: caller.post("/v1/sessions", {"external_id": "race"}).status_code)
        assert sorted(answers) == [201] + [409] * 15


class TestList:
    def test_filters_agree_with_what_sessions_say(self, caller: Caller) -> None:
        start(caller, agent_id="iris", project="billing", external_id="a")
        ended = start(caller, agent_id="iris", project="ledger")
        start(caller, agent_id="otto", project="billing")
        caller.put(f"/v1/sessions/{ended['id']}/end")
        for query, count in (
            ({}, 3), ({"agent_id": "iris"}, 2), ({"agent_id": ended["agent_id"]}, 2), ({"project": "billing"}, 2),
            ({"status": "ended"}, 1), ({"status": "active"}, 2), ({"external_id": "a"}, 1), ({"agent_id": "nobody"}, 0),
            ({"agent_id": "iris", "project": "billing"}, 1), ({"project": "bill"}, 0),
        ):  # fmt: skip
            body = caller.get("/v1/sessions", query_string=query, headers=MCP).get_json()
            assert (body["total_count"], len(body["data"])) == (count, count), query

    def test_newest_first_without_gaps(self, caller: Caller) -> None:
        made = [start(caller)["id"] for _ in range(5)]
        assert [row["id"] for row in pages(caller, "/v1/sessions", 2)] == made[::-1]

    def test_an_agent_that_is_gone_leaves_its_sessions(self, caller: Caller) -> None:
        made = start(caller, agent_id="iris")
        caller.delete(f"/v1/agents/{made['agent_id']}")
        assert session(caller, made["id"])["agent_id"] is None
        assert caller.get(f"/v1/sessions?agent_id={made['agent_id']}").get_json()["data"] == []

    def test_an_unknown_status_is_refused(self, caller: Caller) -> None:
        error_of(caller.get("/v1/sessions?status=paused"), 422)


class TestGet:
    def test_memories_come_in_writing_order_when_asked_for(self, caller: Caller, told: str) -> None:
        assert "memories" not in session(caller, told)
        body = caller.get(f"/v1/sessions/{told}?include_memories=true", headers=MCP).get_json()
        assert [memory["content"].split("billing ")[1] for memory in body["memories"]] == [
            "lost a message", "has no key", "got a key", "was drained", "is fine",
        ]  # fmt: skip
        assert body["memory_count"] == 5
        assert {memory["session_id"] for memory in body["memories"]} == {told}

    def test_a_session_id_inside_metadata_links_nothing(self, caller: Caller) -> None:
        made = start(caller)
        caller.remember("Elsewhere", metadata={"session_id": made["id"]})
        assert session(caller, made["id"])["memory_count"] == 0

    def test_others_do_not_see_it(self, caller: Caller, stranger: Caller, told: str) -> None:
        for rest in ("", "/memories", "/timeline", "/summary"):
            error_of(stranger.get(f"/v1/sessions/{told}{rest}"), 404)
        for verb, rest in (("PUT", ""), ("PUT", "/end"), ("POST", "/reopen"), ("POST", "/summary"), ("DELETE", "")):
            error_of(stranger.call(verb, f"/v1/sessions/{told}{rest}", {}), 404)
        assert session(caller, told)["status"] == "ended"


class TestEnd:
    @pytest.mark.parametrize("body", [None, {}, {"summary": None}])
    def test_needs_no_summary(self, caller: Caller, body: Any) -> None:
        made = start(caller)
        ended = caller.put(f"/v1/sessions/{made['id']}/end", body, headers=MCP).get_json()
        assert (ended["status"], ended["summary"]) == ("ended", None)
        assert ended["ended_at"] >= ended["started_at"]

    def test_ending_again_keeps_the_first_end_and_may_tell_more(self, caller: Caller) -> None:
        made = start(caller)
        first = caller.put(f"/v1/sessions/{made['id']}/end", {"summary": "One"}).get_json()
        second = caller.put(f"/v1/sessions/{made['id']}/end", {}).get_json()
        third = caller.put(f"/v1/sessions/{made['id']}/end", {"summary": "Two"}).get_json()
        assert first["ended_at"] == second["ended_at"] == third["ended_at"]
        assert (second["summary"], third["summary"]) == ("One", "Two")

    def test_a_summary_has_a_limit(self, caller: Caller) -> None:
        made = start(caller)
        error_of(caller.put(f"/v1/sessions/{made['id']}/end", {"summary": "s" * 50_001}), 422)
        assert caller.put(f"/v1/sessions/{made['id']}/end", {"summary": "s" * 50_000}).status_code == 200


class TestReopen:
    def test_makes_it_active_without_an_end(self, caller: Caller, told: str) -> None:
        body = caller.post(f"/v1/sessions/{told}/reopen").get_json()
        assert (body["status"], body["ended_at"], body["memory_count"]) == ("active", None, 5)
        assert session(caller, told) == body
        caller.remember("One more", session_id=told)
        again = caller.put(f"/v1/sessions/{told}/end").get_json()
        assert (again["status"], again["memory_count"]) == ("ended", 6)

    def test_an_active_one_stays_as_it_is(self, caller: Caller) -> None:
        made = start(caller)
        body = caller.post(f"/v1/sessions/{made['id']}/reopen").get_json()
        assert (body["status"], body["started_at"]) == ("active", made["started_at"])


class TestChange:
    @pytest.mark.parametrize("verb", ["PUT", "PATCH"])
    def test_what_is_absent_or_null_stays(self, caller: Caller, verb: str) -> None:
        made = start(caller, title="Old", project="billing", metadata={"keep": 1, "drop": 2})
        body = {
            "title": None,
            "project": "ledger",
            "summary": "Half done",
            "metadata": {"drop": None},
            "status": "ended",
        }
        now = caller.call(verb, f"/v1/sessions/{made['id']}", body).get_json()
        assert (now["title"], now["project"], now["summary"], now["metadata"]) == (
            "Old",
            "ledger",
            "Half done",
            {"keep": 1},
        )
        assert now["status"] == "active"
        assert session(caller, made["id"]) == now
        assert caller.get("/v1/sessions?project=billing").get_json()["data"] == []

    def test_sixteen_merges_at_once_are_all_kept(self, caller: Caller) -> None:
        made = start(caller)
        at_once(lambda n: caller.patch(f"/v1/sessions/{made['id']}", {"metadata": {f"k{n}": n}}))
        assert session(caller, made["id"])["metadata"] == {f"k{n}": n for n in range(16)}

    @pytest.mark.parametrize(("field", "size"), [("title", 500), ("project", 255), ("summary", 50_000)])
    def test_limits_are_exact(self, caller: Caller, field: str, size: int) -> None:
        made = start(caller)
        error_of(caller.patch(f"/v1/sessions/{made['id']}", {field: "x" * (size + 1)}), 422)
        assert caller.patch(f"/v1/sessions/{made['id']}", {field: "x" * size}).get_json()[field] == "x" * size


class TestDelete:
    def test_memories_and_decisions_outlive_it(self, caller: Caller, told: str) -> None:
        ids = [memory["id"] for memory in pages(caller, f"/v1/sessions/{told}/memories", 100)]
        assert caller.delete(f"/v1/sessions/{told}").status_code == 204
        error_of(caller.get(f"/v1/sessions/{told}"), 404)
        kept = [caller.get(f"/v1/memories/{id}").get_json() for id in ids]
        assert [memory["session_id"] for memory in kept] == [None] * 5
        [decision] = caller.get("/v1/decisions").get_json()["data"]
        assert (decision["title"], decision["session_id"]) == ("Keys for all", None)
        assert len(caller.search("retry queue of billing")) == 5

    def test_memories_go_with_it_when_asked_for(self, caller: Caller, told: str) -> None:
        caller.remember("Elsewhere")
        assert caller.delete(f"/v1/sessions/{told}?memories=delete").status_code == 204
        assert [memory["content"] for memory in caller.get("/v1/memories").get_json()["data"]] == ["Elsewhere"]

    def test_more_than_one_batch_is_taken(self, caller: Caller) -> None:
        made = start(caller)
        for part in range(3):
            items = [{"content": f"Fact {part} {n}", "agent_id": "iris", "session_id": made["id"]} for n in range(100)]
            assert caller.post("/v1/memories/batch", {"memories": items}).get_json()["succeeded"] == 100
        assert session(caller, made["id"])["memory_count"] == 300
        assert caller.delete(f"/v1/sessions/{made['id']}").status_code == 204
        listed = caller.get("/v1/memories?limit=1").get_json()
        assert (listed["total_count"], listed["data"][0]["session_id"]) == (300, None)

    def test_its_key_is_free_again(self, caller: Caller) -> None:
        made = start(caller, external_id="a")
        caller.delete(f"/v1/sessions/{made['id']}")
        assert caller.post("/v1/sessions/get-or-create", {"external_id": "a"}).get_json()["created"]

    def test_a_client_that_needs_a_body_gets_one(self, caller: Caller) -> None:
        made = start(caller)
        response = caller.delete(f"/v1/sessions/{made['id']}", headers=MCP)
        assert response.get_json() == {"id": made["id"], "object": "session", "deleted": True}

    def test_an_unknown_choice_is_refused(self, caller: Caller, told: str) -> None:
        error_of(caller.delete(f"/v1/sessions/{told}?memories=perhaps"), 422)
        assert session(caller, told)["memory_count"] == 5

"""Decisions over HTTP, as agents and their tools see them."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.callers import Caller, error_of

MCP = {"Content-Type": "application/json", "User-Agent": "@memoryrelay/mcp-server/0.4.0"}
SHOWN = {
    "id", "object", "agent_id", "session_id", "project_slug", "title", "rationale", "alternatives", "status",
    "superseded_by", "supersedes", "tags", "metadata", "memory_count", "dependency_count", "dependent_count",
    "created_at", "updated_at",
}  # fmt: skip


def decide(caller: Caller, title: str = "Keep the queue in the database", **fields: Any) -> dict[str, Any]:
    """Record a decision and return it."""
    response = caller.post("/v1/decisions", {"title": title, "rationale": "fewer moving parts", **fields})
    assert response.status_code == 201, response.get_json()
    return dict(response.get_json())


def again(caller: Caller, decision: dict[str, Any]) -> dict[str, Any]:
    """Return a decision as it is now."""
    response = caller.get(f"/v1/decisions/{decision['id']}")
    assert response.status_code == 200
    return dict(response.get_json())


def ids(response: Any) -> list[str]:
    """Return the ids of a list."""
    assert response.status_code == 200, response.get_json()
    return [item["id"] for item in response.get_json()["data"]]


def checked(caller: Caller, query: str, **args: Any) -> list[str]:
    """Return the titles that a check finds, best first."""
    response = caller.get("/v1/decisions/check", query_string={"query": query, **args}, headers=MCP)
    assert response.status_code == 200, response.get_json()
    body = response.get_json()
    assert (body["query"], body["total"]) == (query, len(body["data"]))
    assert all(0 <= hit["score"] <= 1 for hit in body["data"])
    return [hit["decision"]["title"] for hit in body["data"]]


def at_once(work: Callable[[int], Any], times: int = 16) -> list[Any]:
    """Do the same from many threads."""
    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(work, range(times)))


class TestRecord:
    def test_answers_with_every_documented_field(self, caller: Caller) -> None:
        session = caller.post("/v1/sessions", {"agent_id": "iris"}).get_json()
        made = decide(
            caller, alternatives="A broker", agent_id="iris", session_id=session["id"], project_slug="billing",
            tags=["queue", "storage"], metadata={"ticket": 7}, status="experimental",
        )  # fmt: skip
        assert set(made) == SHOWN
        assert made["agent_id"] == session["agent_id"]
        assert made["session_id"] == session["id"]
        assert (made["project_slug"], made["status"], made["superseded_by"]) == ("billing", "experimental", None)
        assert (made["tags"], made["metadata"], made["alternatives"]) == (
            ["queue", "storage"],
            {"ticket": 7},
            "A broker",
        )
        assert made["created_at"].endswith("Z")
        assert again(caller, made) == made

    def test_defaults_to_active_without_anything_else(self, caller: Caller) -> None:
        made = decide(caller, alternatives=None, agent_id=None, tags=None, metadata=None, project_slug=None)
        assert (made["status"], made["tags"], made["metadata"]) == ("active", [], {})
        assert made["agent_id"] is made["session_id"] is made["project_slug"] is made["alternatives"] is None

    def test_a_name_never_seen_makes_an_agent_that_is_then_found_by_it(self, caller: Caller) -> None:
        made = decide(caller, agent_id="R&amp;D")
        assert caller.get(f"/v1/agents/{made['agent_id']}").get_json()["name"] == "R&D"
        assert ids(caller.get("/v1/decisions", query_string={"agent_id": "R&D"})) == [made["id"]]

    def test_a_new_slug_registers_the_project(self, caller: Caller) -> None:
        assert decide(caller, project_slug="fresh-one")["project_slug"] == "fresh-one"
        assert caller.remember("of the same project", project="fresh-one")["project_id"]

    def test_unknown_agent_id_is_404_and_unknown_session_400(self, caller: Caller, unknown_id: str) -> None:
        body = {"title": "t", "rationale": "r"}
        assert (
            error_of(caller.post("/v1/decisions", {**body, "agent_id": unknown_id}), 404)["message"]
            == "Agent not found"
        )
        found = error_of(caller.post("/v1/decisions", {**body, "session_id": unknown_id}), 400)
        assert found["details"][0]["field"] == "session_id"
        assert caller.get("/v1/decisions").get_json()["total_count"] == 0

    def test_may_name_the_memories_it_rests_on(self, caller: Caller, unknown_id: str) -> None:
        memory = caller.remember("The broker fell over twice in March")
        made = decide(caller, memory_ids=[memory["id"], memory["id"]])
        assert made["memory_count"] == 1
        assert ids(caller.get(f"/v1/decisions/{made['id']}/memories")) == [memory["id"]]
        body = {"title": "t", "rationale": "r", "memory_ids": [memory["id"], unknown_id]}
        assert error_of(caller.post("/v1/decisions", body), 404)["message"] == "Memory not found"
        assert caller.get("/v1/decisions").get_json()["total_count"] == 1

    @pytest.mark.parametrize(
        ("field", "longest"), [("title", 500), ("rationale", 50_000), ("alternatives", 50_000), ("project_slug", 100)]
    )
    def test_texts_have_their_documented_limits(self, caller: Caller, field: str, longest: int) -> None:
        decide(caller, **{field: "a" * longest})
        body = {"title": "t", "rationale": "r", field: "a" * (longest + 1)}
        assert error_of(caller.post("/v1/decisions", body), 422)["details"][0]["field"] == field

    @pytest.mark.parametrize(
        "wrong",
        [
            {"title": " "}, {"title": None}, {"rationale": ""}, {"alternatives": ["a", "b"]}, {"status": "superseded"},
            {"status": "reverted"}, {"tags": ["x"] * 10 + [str(n) for n in range(11)]}, {"tags": ["a" * 101]},
            {"tags": [""]}, {"tags": "a,b"}, {"metadata": {"a": "x" * 10_240}}, {"project_slug": "Not A Slug"},
            {"session_id": "7"}, {"memory_ids": ["7"]}, {"title": "nul \x00"}, {"agent_id": "a" * 256},
        ],
    )  # fmt: skip
    def test_wrong_fields_are_named(self, caller: Caller, wrong: dict[str, Any]) -> None:
        found = error_of(caller.post("/v1/decisions", {"title": "t", "rationale": "r", **wrong}), 422)
        assert found["details"][0]["field"].split(".")[0] == next(iter(wrong))

    def test_twenty_long_tags_are_taken_and_repeated_ones_count_once(self, caller: Caller) -> None:
        tags = [f"{n:02}" + "t" * 98 for n in range(20)]
        assert decide(caller, tags=tags)["tags"] == tags
        assert decide(caller, tags=["a", "b", "a"])["tags"] == ["a", "b"]

    @pytest.mark.parametrize("text", ["'}) DETACH DELETE n //", '"quoted" AND (x OR y)* ~^', "<script>", "emoji 🧠 نص"])
    def test_hostile_text_comes_back_as_it_was_and_is_found(self, caller: Caller, text: str) -> None:
        made = decide(caller, text, tags=[text], rationale=text)
        assert (again(caller, made)["title"], made["tags"]) == (text, [text])
        assert made["title"] in checked(caller, text, threshold=0)


class TestList:
    def test_is_newest_first_and_pages_by_cursor_and_by_offset(self, caller: Caller) -> None:
        made = [decide(caller, f"Decision number {n}")["id"] for n in range(7)][::-1]
        first = caller.get("/v1/decisions?limit=3").get_json()
        assert (first["object"], first["total_count"], first["has_more"]) == ("list", 7, True)
        decide(caller, "written meanwhile")
        rest = caller.get(f"/v1/decisions?limit=100&cursor={first['next_cursor']}")
        assert [item["id"] for item in first["data"]] + ids(rest) == made
        assert ids(caller.get("/v1/decisions?limit=2&offset=3")) == made[2:4]

    def test_filters_by_what_it_belongs_to_and_status(self, caller: Caller) -> None:
        session = caller.post("/v1/sessions", {}).get_json()["id"]
        one = decide(caller, project_slug="billing", agent_id="iris", session_id=session)
        two = decide(caller, project_slug="search", agent_id="otto", status="experimental")
        for query, expected in [
            ("project=billing", [one]), ("project=search&status=experimental", [two]), ("project=nowhere", []),
            ("agent_id=iris", [one]), (f"agent_id={two['agent_id']}", [two]), ("agent_id=nobody", []),
            (f"session_id={session}", [one]), ("status=active", [one]), ("status=superseded", []),
            ("project=billing&agent_id=otto", []),
        ]:  # fmt: skip
            found = caller.get(f"/v1/decisions?{query}", headers=MCP)
            assert ids(found) == [item["id"] for item in expected], query
            assert found.get_json()["total_count"] == len(expected)

    def test_tags_match_any_of_a_comma_list_or_all_on_request(self, caller: Caller) -> None:
        a = decide(caller, tags=["Queue", "storage"])["id"]
        b = decide(caller, tags=["api"])["id"]
        decide(caller, tags=[])
        assert ids(caller.get("/v1/decisions?tags=queue,api", headers=MCP)) == [b, a]
        assert ids(caller.get("/v1/decisions?tags= queue , STORAGE ,&tags_match=all")) == [a]
        assert ids(caller.get("/v1/decisions?tags=queue,api&tags_match=all")) == []
        assert len(ids(caller.get("/v1/decisions?tags="))) == 3

    @pytest.mark.parametrize(
        "query", ["limit=0", "limit=101", "offset=-1", "status=deprecated", "session_id=x", "cursor=x"]
    )
    def test_wrong_arguments_are_422(self, caller: Caller, query: str) -> None:
        error_of(caller.get(f"/v1/decisions?{query}"), 422)


class TestEdit:
    @pytest.mark.parametrize("verb", ["PUT", "PATCH"])
    def test_changes_what_is_sent_and_nothing_else(self, caller: Caller, verb: str) -> None:
        made = decide(caller, alternatives="A broker", tags=["queue"], metadata={"a": 1, "b": 2})
        body = {"rationale": "It is cheaper", "title": None, "tags": None, "metadata": {"a": None, "c": 3}}
        changed = caller.call(verb, f"/v1/decisions/{made['id']}", body).get_json()
        assert changed["metadata"] == {"b": 2, "c": 3}
        same = ("title", "alternatives", "tags", "status", "created_at")
        assert [changed[name] for name in same] == [made[name] for name in same]
        assert changed["rationale"] == "It is cheaper"
        assert changed["updated_at"] > made["updated_at"]

    def test_new_words_are_found_and_the_old_ones_are_not(self, caller: Caller) -> None:
        made = decide(caller, "Prefer zebras", rationale="striped")
        caller.put(f"/v1/decisions/{made['id']}", {"title": "Prefer giraffes", "rationale": "tall"})
        assert checked(caller, "giraffes") == ["Prefer giraffes"]
        assert checked(caller, "zebras") == []

    def test_status_goes_between_active_experimental_and_reverted(self, caller: Caller) -> None:
        made = decide(caller)
        for status in ("experimental", "reverted", "active"):
            assert caller.patch(f"/v1/decisions/{made['id']}", {"status": status}).get_json()["status"] == status
            assert bool(checked(caller, "queue in the database")) == (status != "reverted")
        error_of(caller.patch(f"/v1/decisions/{made['id']}", {"status": "superseded"}), 422)

    def test_an_empty_text_takes_the_alternatives_away(self, caller: Caller) -> None:
        made = decide(caller, alternatives="A broker")
        assert caller.put(f"/v1/decisions/{made['id']}", {"alternatives": ""}).get_json()["alternatives"] is None

    def test_metadata_that_grows_too_large_is_422(self, caller: Caller) -> None:
        made = decide(caller, metadata={"a": "x" * 6000})
        error_of(caller.put(f"/v1/decisions/{made['id']}", {"metadata": {"b": "x" * 6000}}), 422)
        assert set(again(caller, made)["metadata"]) == {"a"}

    def test_sixteen_edits_at_once_all_hold(self, caller: Caller) -> None:
        path = f"/v1/decisions/{decide(caller)['id']}"
        edits = at_once(lambda n: caller.patch(path, {"metadata": {f"k{n}": n}}))
        assert {response.status_code for response in edits} == {200}
        assert caller.get(path).get_json()["metadata"] == {f"k{n}": n for n in range(16)}

    def test_of_sixteen_new_titles_at_once_the_last_holds_and_is_found(self, caller: Caller) -> None:
        path = f"/v1/decisions/{decide(caller)['id']}"
        edits = at_once(lambda n: caller.patch(path, {"title": f"Zebra{n}"}))
        assert {response.status_code for response in edits} == {200}
        title = caller.get(path).get_json()["title"]
        assert checked(caller, title) == [title]


class TestCheck:
    def test_finds_what_bears_on_the_question_best_first(self, caller: Caller) -> None:
        decide(caller, "Store invoices in PostgreSQL", rationale="transactions", alternatives="MongoDB")
        decide(caller, "Paint the office green", rationale="calm")
        assert checked(caller, "store invoices")[0] == "Store invoices in PostgreSQL"
        assert checked(caller, "MongoDB for invoices") == ["Store invoices in PostgreSQL"]
        assert checked(caller, "holiday calendar") == []

    def test_leaves_out_what_is_no_longer_in_force_unless_asked(self, caller: Caller) -> None:
        old = decide(caller, "Queue in the database")
        caller.post(f"/v1/decisions/{old['id']}/supersede", {"title": "Queue in a broker", "rationale": "volume"})
        gone = decide(caller, "Queue in memory")
        caller.post(f"/v1/decisions/{gone['id']}/revert")
        assert checked(caller, "queue") == ["Queue in a broker"]
        everything = {"Queue in the database", "Queue in a broker", "Queue in memory"}
        assert set(checked(caller, "queue", include_superseded="true")) == everything

    def test_keeps_to_the_project_limit_and_threshold(self, caller: Caller) -> None:
        for n in range(6):
            decide(caller, f"Queue rule {n}", project_slug="billing" if n < 2 else "search")
        assert len(checked(caller, "queue rule")) == 5
        assert len(checked(caller, "queue rule", limit=2)) == 2
        assert sorted(checked(caller, "queue rule", project="billing")) == ["Queue rule 0", "Queue rule 1"]
        assert checked(caller, "queue rule", project="nowhere") == []
        assert checked(caller, "queue", threshold=1, min_score=1) == []

    @pytest.mark.parametrize(
        "wrong",
        [{}, {"query": " "}, {"query": "q", "limit": 21}, {"query": "q", "limit": 0}, {"query": "q", "threshold": 1.1}],
    )
    def test_wrong_arguments_are_422(self, caller: Caller, wrong: dict[str, Any]) -> None:
        error_of(caller.get("/v1/decisions/check", query_string=wrong), 422)

    def test_is_a_get_alone(self, caller: Caller) -> None:
        for verb in ("POST", "PUT", "DELETE"):
            response = caller.call(verb, "/v1/decisions/check", {"query": "q"})
            error_of(response, 405)
            assert response.headers["Allow"] == "GET, HEAD, OPTIONS"

    def test_memories_and_decisions_do_not_appear_in_each_others_searches(self, caller: Caller) -> None:
        decide(caller, "Keep the queue in the database")
        caller.remember("Keep the queue in the database, said the memory")
        assert checked(caller, "keep the queue") == ["Keep the queue in the database"]
        assert [hit["memory"]["object"] for hit in caller.search("keep the queue in the database")] == ["memory"]

    def test_a_question_of_stop_words_and_one_without_words_find_nothing_wrong(self, caller: Caller) -> None:
        decide(caller)
        assert checked(caller, "?!*") == []
        assert checked(caller, "what is it") == []


class TestSupersede:
    def test_inherits_what_is_left_out(self, caller: Caller) -> None:
        session = caller.post("/v1/sessions", {}).get_json()["id"]
        old = decide(caller, agent_id="iris", session_id=session, project_slug="billing", tags=["queue"])
        response = caller.post(f"/v1/decisions/{old['id']}/supersede", {"title": "Use a broker", "rationale": "volume"})
        new = response.get_json()
        assert (response.status_code, new["status"], new["supersedes"]) == (201, "active", old["id"])
        inherited = ("agent_id", "session_id", "project_slug", "tags")
        assert [new[name] for name in inherited] == [old[name] for name in inherited]
        old = again(caller, old)
        assert (old["status"], old["superseded_by"]) == ("superseded", new["id"])
        assert ids(caller.get("/v1/decisions?project=billing&status=active")) == [new["id"]]

    def test_takes_what_is_sent(self, caller: Caller) -> None:
        old = decide(caller, agent_id="iris", project_slug="billing", tags=["queue"])
        body = {
            "title": "t",
            "rationale": "r",
            "agent_id": "otto",
            "project_slug": "search",
            "tags": [],
            "metadata": {"a": 1},
        }
        new = caller.post(f"/v1/decisions/{old['id']}/supersede", body).get_json()
        assert (new["project_slug"], new["tags"], new["metadata"]) == ("search", [], {"a": 1})
        assert new["agent_id"] != old["agent_id"]

    def test_twice_is_409_and_says_which_decision_is_in_its_place(self, caller: Caller) -> None:
        old = decide(caller)
        body = {"title": "t", "rationale": "r"}
        new = caller.post(f"/v1/decisions/{old['id']}/supersede", body).get_json()
        assert new["id"] in error_of(caller.post(f"/v1/decisions/{old['id']}/supersede", body), 409)["message"]
        error_of(caller.post(f"/v1/decisions/{old['id']}/revert"), 409)
        error_of(caller.patch(f"/v1/decisions/{old['id']}", {"status": "active"}), 409)

    def test_of_sixteen_at_once_one_wins(self, caller: Caller) -> None:
        old = decide(caller, "PostgreSQL", agent_id="iris", project_slug="billing")
        path = f"/v1/decisions/{old['id']}/supersede"
        body = {"rationale": "Oracle and MariaDB were measured"}
        statuses = at_once(lambda n: caller.post(path, {"title": f"Oracle {n}", **body}).status_code)
        assert sorted(statuses) == [201] + [409] * 15
        assert caller.get("/v1/decisions").get_json()["total_count"] == 2
        assert caller.get(f"/v1/decisions/{old['id']}/chain").get_json()["total"] == 2

    def test_unknown_and_incomplete_are_refused(self, caller: Caller, unknown_id: str) -> None:
        body = {"title": "t", "rationale": "r"}
        error_of(caller.post(f"/v1/decisions/{unknown_id}/supersede", body), 404)
        found = error_of(caller.post(f"/v1/decisions/{decide(caller)['id']}/supersede", {}), 422)
        assert [detail["field"] for detail in found["details"]] == ["rationale", "title"]


class TestRevert:
    def test_takes_it_back_once(self, caller: Caller) -> None:
        made = decide(caller)
        first = caller.post(f"/v1/decisions/{made['id']}/revert", headers=MCP)
        assert (first.status_code, first.get_json()["status"]) == (200, "reverted")
        assert caller.post(f"/v1/decisions/{made['id']}/revert").get_json() == first.get_json()
        assert ids(caller.get("/v1/decisions?status=reverted")) == [made["id"]]


class TestDelete:
    def test_is_204_then_404_and_200_for_the_mcp_server(self, caller: Caller) -> None:
        one, two = decide(caller), decide(caller)
        assert caller.delete(f"/v1/decisions/{one['id']}").status_code == 204
        error_of(caller.delete(f"/v1/decisions/{one['id']}"), 404)
        answer = caller.delete(f"/v1/decisions/{two['id']}", headers=MCP)
        assert answer.get_json() == {"id": two["id"], "object": "decision", "deleted": True}
        assert checked(caller, "queue", include_superseded="true") == []


class TestIsolation:
    def test_a_stranger_sees_nothing_and_changes_nothing(self, caller: Caller, stranger: Caller) -> None:
        made, own = decide(caller, tags=["queue"]), decide(stranger, "Their own")
        path = f"/v1/decisions/{made['id']}"
        for tail in ("", "/chain", "/memories", "/dependencies", "/dependents", "/impact"):
            error_of(stranger.get(path + tail), 404)
        error_of(stranger.put(path, {"title": "mine"}), 404)
        error_of(stranger.delete(path), 404)
        error_of(stranger.post(path + "/supersede", {"title": "t", "rationale": "r"}), 404)
        error_of(stranger.post(path + "/revert"), 404)
        error_of(stranger.post(f"/v1/decisions/{own['id']}/dependencies", {"decision_id": made["id"]}), 404)
        memory = caller.remember("a memory of mine")
        error_of(stranger.post(f"/v1/decisions/{own['id']}/memories", {"memory_id": memory["id"]}), 404)
        assert checked(stranger, "queue database", threshold=0) == ["Their own"]
        assert ids(stranger.get("/v1/decisions?tags=queue")) == []
        assert again(caller, made) == made

    def test_ids_must_be_uuids(self, caller: Caller) -> None:
        assert error_of(caller.get("/v1/decisions/7"), 422)["details"][0]["field"] == "decision_id"
        error_of(caller.get(f"/v1/decisions/{uuid.uuid4()}"), 404)

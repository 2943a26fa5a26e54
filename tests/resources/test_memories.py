"""Memories over HTTP: store, get, list, change, delete and search."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine

from app.state import State
from tests.callers import Caller, error_of
from tests.contract.footprint import footprint
from tests.together import at_once

HOSTILE = [
    "'}) MATCH (n) DETACH DELETE n //",
    '" OR 1=1 -- `$tenant` ${7*7}',
    '+-&&||!(){}[]^"~*?:\\/',
    "AND OR NOT",
    'content:x AND (a OR "b',
    "[a TO *] {a TO b}",
    "/re(gex/ fuzzy~9 boost^^",
    "*",
    "?*",
    "\\",
    '"',
    "a\r\nSet-Cookie: b=c\ttab",
    "\u202e\ufeff\u200b zero width",
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 e\u0301 ﬁ İ ß",
    "<script>alert(1)</script> &amp;lt; &#0;",
    "a" * 5000,
    "word " * 2000,
]


class TestStore:
    def test_answers_the_whole_memory(self, caller: Caller) -> None:
        content = "  Priya Raman deploys on Tuesdays\n"
        response = caller.post("/v1/memories", {"content": content, "agent_id": "iris"})
        body = response.get_json()
        assert response.status_code == 201
        assert abs(body.pop("created_at") - time.time()) < 5
        assert abs(body.pop("updated_at") - time.time()) < 5
        assert len(body.pop("id")) == len(body.pop("agent_id")) == 36
        assert "Priya Raman" in [mention["value"] for mention in body.pop("entities")]
        assert 0 <= body.pop("salience_score") <= 1
        assert body == {
            "object": "memory",
            "content": content,
            "title": None,
            "user_id": None,
            "session_id": None,
            "project_id": None,
            "metadata": {},
            "memory_type": "fact",
            "extraction_model": None,
            "extraction_method": "rules",
            "extraction_status": "ready",
            "visibility": "private",
            "importance": 0.5,
            "tier": "warm",
            "is_duplicate": False,
            "archived_at": None,
            "occurred_at": None,
            "expires_at": None,
        } | {name: None for name in body if name.startswith("supersede")}

    @pytest.mark.parametrize(
        ("importance", "tier"), [(0, "cold"), (0.39, "cold"), (0.4, "warm"), (0.8, "hot"), (1, "hot")]
    )
    def test_takes_the_tier_from_the_importance(self, caller: Caller, importance: float, tier: str) -> None:
        assert caller.remember("Note", importance=importance)["tier"] == tier

    def test_lets_a_tier_that_is_sent_win(self, caller: Caller) -> None:
        assert caller.remember("Note", importance=0.1, tier="hot")["tier"] == "hot"

    def test_links_agent_session_and_project(self, caller: Caller, parts: State) -> None:
        session = caller.post("/v1/sessions", {}).get_json()
        memory = caller.remember("Note", "R&amp;D", session_id=session["id"], project="billing")
        rows = parts.graph.read(
            "MATCH (:Memory {tenant: $t, id: $id})-[r]->(n) RETURN type(r) AS link, n.name AS name, n.id AS id",
            t=caller.tenant,
            id=memory["id"],
        )
        assert {(row["link"], row["id"]) for row in rows} >= {
            ("RECORDED_BY", memory["agent_id"]),
            ("IN_SESSION", session["id"]),
            ("IN_PROJECT", memory["project_id"]),
        }
        assert next(row["name"] for row in rows if row["link"] == "RECORDED_BY") == "R&D"

    @pytest.mark.parametrize(
        ("reference", "status"), [("agent_id", 404), ("session_id", 400), ("project_id", 404)]
    )  # fmt: skip
    def test_naming_an_unknown_id_is_refused_and_writes_nothing(
        self, caller: Caller, parts: State, unknown_id: str, reference: str, status: int
    ) -> None:
        body = {"content": "Note", "agent_id": "a new name", reference: unknown_id}
        before = footprint(parts, caller)
        assert error_of(caller.post("/v1/memories", body), status)["message"].lower().count("not found") == 1
        assert footprint(parts, caller) == before

    def test_takes_50_000_characters_and_no_more(self, caller: Caller) -> None:
        text = ("é" * 99 + " ") * 500
        assert caller.remember(text)["content"] == text
        found = error_of(caller.post("/v1/memories", {"content": text + "x", "agent_id": "iris"}), 422)
        assert found["details"] == [{"field": "content", "message": "must be at most 50000 characters long"}]

    def test_takes_10_kb_of_metadata_and_no_more(self, caller: Caller) -> None:
        most = {"a": "x" * (10_240 - len('{"a":""}'))}
        assert caller.remember("Note", metadata=most)["metadata"] == most
        body = {"content": "Note", "agent_id": "iris", "metadata": {"a": most["a"] + "x"}}
        assert error_of(caller.post("/v1/memories", body), 422)["details"][0]["field"] == "metadata"

    @pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 2**53 + 1])
    def test_keeps_a_whole_number_of_64_bits_as_it_was_sent(self, caller: Caller, number: int) -> None:
        memory = caller.remember("Note", metadata={"order": number})
        assert caller.get(f"/v1/memories/{memory['id']}").get_json()["metadata"] == {"order": number}

    @pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**40])
    def test_refuses_a_larger_number_and_names_its_key(self, caller: Caller, number: int) -> None:
        wrong = {"details": {"orders": ["7", number]}, "fine": 1}
        note = {"content": "Note", "agent_id": "iris", "metadata": wrong}
        message = "must fit into 64 bits; store a larger number as text"

        def sent(path: str, body: Any) -> Any:
            return caller.post(path, data=json.dumps(body), headers={"Content-Type": "application/json"})

        assert error_of(sent("/v1/memories", note), 422)["details"] == [
            {"field": "metadata.details.orders.1", "message": message}
        ]
        body = sent("/v1/memories/batch", {"memories": [note, {**note, "metadata": {"": number}}]}).get_json()
        assert [result["error"] for result in body["results"]] == [
            f"metadata.details.orders.1: {message}", f"metadata: {message}",
        ]  # fmt: skip

    @pytest.mark.parametrize("content", ["", " \n\t", "\u200b", "\ufeff\u2060 \u200d"])
    def test_refuses_a_text_with_nothing_to_see(self, caller: Caller, content: str) -> None:
        found = error_of(caller.post("/v1/memories", {"content": content, "agent_id": "iris"}), 422)
        assert found["details"] == [{"field": "content", "message": "must not be blank"}]

    def test_keeps_metadata_as_it_was_sent(self, caller: Caller) -> None:
        metadata: dict[str, Any] = {"ä": [1, 2.5, True, None, {"deep": "1"}], "": "", "$tenant": "x", "__proto__": {}}
        memory = caller.remember("Note", metadata=metadata)
        assert caller.get(f"/v1/memories/{memory['id']}").get_json()["metadata"] == metadata

    @pytest.mark.parametrize(
        "when", ["2026-03-03T09:00:00Z", "2026-03-03T10:00:00+01:00", 1772528400, 1772528400.0, "1772528400"]
    )
    def test_reads_a_time_in_every_usual_form(self, caller: Caller, when: Any) -> None:
        assert caller.remember("Note", occurred_at=when)["occurred_at"] == "2026-03-03T09:00:00Z"

    @pytest.mark.parametrize(
        "when", ["yesterday", "2026-13-01", "²", "-5", -1, 1e300, "9" * 400, [], {}, True, "inf", "nan"]
    )
    def test_refuses_a_time_that_is_none(self, caller: Caller, when: Any) -> None:
        body = {"content": "Note", "agent_id": "iris", "occurred_at": when}
        assert error_of(caller.post("/v1/memories", body), 422)["details"][0]["field"] == "occurred_at"

    def test_refuses_two_ends(self, caller: Caller) -> None:
        body = {"content": "Note", "agent_id": "iris", "ttl_seconds": 60, "expires_at": "2099-01-01T00:00:00Z"}
        assert error_of(caller.post("/v1/memories", body), 422)["details"][0]["field"] == "ttl_seconds"

    def test_refuses_an_end_that_has_passed(self, caller: Caller) -> None:
        body = {"content": "Note", "agent_id": "iris", "expires_at": "2020-01-01T00:00:00Z"}
        assert error_of(caller.post("/v1/memories", body), 422)["details"][0]["field"] == "expires_at"
        assert caller.get("/v1/memories").get_json()["total_count"] == 0

    def test_is_gone_when_its_time_is_over(self, caller: Caller) -> None:
        memory = caller.remember("The door code is 4711", ttl_seconds=3600)
        assert caller.search("door code")
        with time_machine.travel(datetime.now(UTC) + timedelta(seconds=3601), tick=True):
            error_of(caller.get(f"/v1/memories/{memory['id']}"), 404)
            assert caller.search("door code") == []
            assert caller.get("/v1/memories").get_json()["total_count"] == 0
            error_of(caller.patch(f"/v1/memories/{memory['id']}", {"content": "x"}), 404)

    @pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:20].encode("unicode_escape").decode())
    def test_keeps_hostile_text_as_it_is_and_finds_it(self, caller: Caller, text: str) -> None:
        memory = caller.remember(text, title=text[:500])
        assert caller.get(f"/v1/memories/{memory['id']}").get_json()["content"] == text
        for mode in ("hybrid", "semantic", "keyword"):
            body = {"query": text, "search_mode": mode}
            response = caller.post("/v1/memories/search", body)
            assert response.status_code == 200, (mode, response.get_json())
        assert caller.search(text)[0]["memory"]["content"] == text

    def test_twice_the_same_text_makes_two_memories_unless_asked_otherwise(self, caller: Caller) -> None:
        first = caller.remember("The build is green")
        assert caller.remember("The build is green")["id"] != first["id"]
        body = {"content": "The  build is GREEN", "agent_id": "iris", "deduplicate": True}
        response = caller.post("/v1/memories", body)
        assert (response.status_code, response.get_json()["is_duplicate"]) == (200, True)
        assert caller.get("/v1/memories").get_json()["total_count"] == 2


class TestSixteenAtOnce:
    def test_make_one_chain_in_a_session(self, caller: Caller, parts: State) -> None:
        session = caller.post("/v1/sessions", {"external_id": "one"}).get_json()["id"]
        at_once([partial(caller.remember, f"Step {n}", session_id=session) for n in range(16)])
        chain = parts.graph.read(
            """MATCH (s:Session {tenant: $t, id: $id})-[:LAST]->(last:Memory)
            MATCH path = (first:Memory)-[:NEXT*]->(last) WHERE NOT (:Memory)-[:NEXT]->(first)
            RETURN length(path) AS steps, COUNT { (s)<-[:IN_SESSION]-() } AS inside""",
            t=caller.tenant,
            id=session,
        )
        assert chain == [{"steps": 15, "inside": 16}]

    def test_make_one_project_of_one_slug(self, caller: Caller) -> None:
        made = at_once([partial(caller.remember, f"Note {n}", project="billing") for n in range(16)])
        assert len({memory["project_id"] for memory in made}) == 1

    def test_make_one_entity_of_one_name(self, caller: Caller, parts: State) -> None:
        at_once([partial(caller.remember, f"Priya Raman wrote note {n}") for n in range(16)])
        found = parts.graph.read(
            "MATCH (e:Entity {tenant: $t, name: 'Priya Raman'}) RETURN COUNT { (e)<-[:MENTIONS]-() } AS mentions",
            t=caller.tenant,
        )
        assert found == [{"mentions": 16}]

    def test_may_edit_one_memory(self, caller: Caller) -> None:
        path = f"/v1/memories/{caller.remember('Note')['id']}"
        answers = at_once(
            [partial(caller.patch, path, {"content": f"Note {n}", "metadata": {f"k{n}": n}}) for n in range(16)]
        )
        assert {answer.status_code for answer in answers} == {200}
        assert caller.get(path).get_json()["metadata"] == {f"k{n}": n for n in range(16)}
        assert caller.get(f"{path}/versions").get_json()["total_count"] == 17

    def test_deleting_one_memory_are_told_so_once(self, caller: Caller) -> None:
        path = f"/v1/memories/{caller.remember('Note')['id']}"
        answers = at_once([partial(caller.delete, path)] * 16)
        assert sorted(answer.status_code for answer in answers) == [204] + [404] * 15


class TestChange:
    @pytest.mark.parametrize("verb", ["PUT", "PATCH"])
    def test_of_the_text_moves_what_search_finds(self, caller: Caller, verb: str) -> None:
        memory = caller.remember("The cat sleeps on the sofa", metadata={"a": 1})
        path = f"/v1/memories/{memory['id']}"
        changed = caller.call(verb, path, {"content": "Oracle was replaced by PostgreSQL", "metadata": None}).get_json()
        assert (changed["content"], changed["metadata"]) == ("Oracle was replaced by PostgreSQL", {"a": 1})
        assert caller.search("PostgreSQL", search_mode="keyword")[0]["memory"]["id"] == memory["id"]
        assert caller.search("sofa", search_mode="keyword") == []

    def test_of_nothing_is_no_fault(self, caller: Caller) -> None:
        memory = caller.remember("Note", importance=0.9)
        changed = caller.put(f"/v1/memories/{memory['id']}", {}).get_json()
        assert (changed["content"], changed["importance"], changed["tier"]) == ("Note", 0.9, "hot")

    def test_to_an_end_that_has_passed_is_refused(self, caller: Caller) -> None:
        memory = caller.remember("Note")
        error_of(caller.patch(f"/v1/memories/{memory['id']}", {"expires_at": "2020-01-01T00:00:00Z"}), 422)
        assert caller.get(f"/v1/memories/{memory['id']}").status_code == 200

    def test_of_a_blank_text_is_refused(self, caller: Caller) -> None:
        memory = caller.remember("Note")
        assert error_of(caller.put(f"/v1/memories/{memory['id']}", {"content": " \n"}), 422)["details"] == [
            {"field": "content", "message": "must not be blank"}
        ]


class TestDelete:
    def test_leaves_nothing_behind(self, caller: Caller, parts: State) -> None:
        before = footprint(parts, caller)
        memory = caller.remember("note to self", auto_extract_entities=False)
        caller.patch(f"/v1/memories/{memory['id']}", {"content": "another note to self"})
        assert caller.delete(f"/v1/memories/{memory['id']}").status_code == 204
        error_of(caller.get(f"/v1/memories/{memory['id']}"), 404)
        left = {row["label"] for row in footprint(parts, caller)[:-1]} - {row["label"] for row in before[:-1]}
        # That there was one is told to those who follow the changes, by ids and times alone.
        assert left == {"Agent", "MemoryChange"}
        assert "note to self" not in str(parts.graph.read("MATCH (n {tenant: $tenant}) RETURN n", tenant=caller.tenant))

    def test_closes_the_chain_of_the_session(self, caller: Caller) -> None:
        session = caller.post("/v1/sessions", {}).get_json()["id"]
        first, second, third = (caller.remember(f"Step {n}", session_id=session)["id"] for n in range(3))
        caller.delete(f"/v1/memories/{second}")
        fourth = caller.remember("Step 3", session_id=session)["id"]
        body = caller.get(f"/v1/sessions/{session}?include_memories=true").get_json()
        assert [memory["id"] for memory in body["memories"]] == [first, third, fourth]


class TestList:
    def test_adds_vectors_only_when_asked_for(self, caller: Caller, parts: State) -> None:
        caller.remember("Note")
        assert "embedding" not in caller.get("/v1/memories").get_json()["data"][0]
        shown = caller.get("/v1/memories?include_embeddings=true").get_json()["data"][0]
        assert len(shown["embedding"]) == parts.space.dimensions


class TestBatch:
    def test_gives_a_verdict_for_each_item(self, caller: Caller, unknown_id: str) -> None:
        items: list[Any] = [
            {"content": "Good", "agent_id": "iris"},
            {"content": " "},
            "no object",
            {"content": "Whose?"},
            {"content": "Lost", "agent_id": "iris", "session_id": unknown_id},
            {"content": "a\x00b", "agent_id": "iris"},
            {"content": "Good again", "agent_id": "iris", "metadata": None},
            None,
        ]
        response = caller.post("/v1/memories/batch", {"memories": items})
        body = response.get_json()
        assert response.status_code == 200
        assert [result["status"] for result in body["results"]] == [
            "success", "failed", "failed", "failed", "failed", "failed", "success", "failed",
        ]  # fmt: skip
        assert (body["success"], body["total"], body["succeeded"], body["failed"]) == (False, 8, 2, 6)
        assert all(result["id"] == result["memory_id"] for result in body["results"])
        assert "content" in body["results"][1]["error"]
        assert caller.get("/v1/memories").get_json()["total_count"] == 2

    @pytest.mark.parametrize("memories", [[], [{"content": "x"}] * 101, "text", {"content": "x"}])
    def test_of_none_or_too_many_is_refused(self, caller: Caller, memories: Any) -> None:
        found = error_of(caller.post("/v1/memories/batch", {"memories": memories}), 422)
        assert found["details"][0]["field"] == "memories"

    def test_takes_a_hundred(self, caller: Caller) -> None:
        items = [{"content": f"Note {n}", "agent_id": "iris"} for n in range(100)]
        assert caller.post("/v1/memories/batch", {"memories": items}).get_json()["succeeded"] == 100


class TestSearch:
    def test_is_an_envelope_of_hits_with_scores(self, caller: Caller) -> None:
        memory = caller.remember("Deploys of the billing service happen on Tuesdays")
        body = caller.post("/v1/memories/search", {"query": "billing deploys"}).get_json()
        assert (body["object"], body["query"], len(body["data"])) == ("search_results", "billing deploys", 1)
        hit = body["data"][0]
        assert hit["memory"]["id"] == memory["id"]
        assert 0 < hit["score"] <= 1
        assert hit["distance"] == pytest.approx(1 - hit["score"], abs=1e-6)

    def test_leaves_confidential_ones_out_unless_asked_for(self, caller: Caller) -> None:
        caller.remember("The door code is 4711", visibility="confidential")
        assert caller.search("door code") == []
        assert len(caller.search("door code", include_confidential=True)) == 1

    def test_may_also_be_asked_in_the_address_which_is_ignored(self, caller: Caller) -> None:
        caller.remember("The build is green")
        response = caller.post("/v1/memories/search?q=other&limit=0&threshold=7", {"query": "build"})
        assert (response.status_code, len(response.get_json()["data"])) == (200, 1)

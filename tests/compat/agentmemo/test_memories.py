"""Store, retrieve and forget: what each field does, and how memories of AgentMemo are Loci's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from flask import Flask

from app.clock import now_ms
from app.compat.agentmemo import DIALECT
from app.state import State
from tests.callers import Caller
from tests.compat.agentmemo.conftest import Memo
from tests.compat.agentmemo.shapes import BATCH, DUPLICATE, RETRIEVED, faults
from tests.compat.speakers import speaker
from tests.events import Told
from tests.workers.test_embed_pending import work_off

TEXT = "Wants invoices in EUR"
UUID = "3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90"


def native_of(memo: Memo, **fields: Any) -> list[dict[str, Any]]:
    """Return what the native API lists, newest first."""
    return list(memo.native.get("/v1/memories", query_string=fields).get_json()["data"])


class TestStore:
    def test_answers_what_was_stored(self, memo: Memo) -> None:
        before = now_ms()
        made = memo.store(TEXT, metadata={"src": "call"})
        assert len(made["id"]) == 24
        assert made["id"].startswith("mem_")
        assert before <= made.pop("created_at") <= now_ms()
        del made["id"], made["category"]
        assert made == {
            "user_id": "u_77", "agent_id": "desk", "content": TEXT, "metadata": {"src": "call"}, "embedded": True,
            "status": "stored", "namespace": "default", "importance": 0, "outcome": "unknown", "trust_score": 1.0,
            "tags": [], "expires_at": None, "contradiction": None, "conflict": None,
        }  # fmt: skip

    def test_is_a_memory_of_loci(self, memo: Memo, parts: State) -> None:
        made = memo.store(f"{TEXT}, says Marta Oyelaran", metadata={"src": "call"}, importance=7, tags=["money"])
        found = native_of(memo)[0]
        assert found["id"].replace("-", "").startswith(made["id"].removeprefix("mem_"))
        assert (found["content"], found["user_id"], found["importance"]) == (made["content"], "u_77", 0.7)
        assert found["metadata"] == {"src": "call", "agentmemo.tag.money": True}
        agent = memo.native.get(f"/v1/agents/{found['agent_id']}").get_json()
        assert (agent["name"], agent["memory_count"]) == ("desk", 1)
        assert "Marta Oyelaran" in [one["value"] for one in found["entities"]]
        told = [(row["type"], row["noun_id"]) for row in Told(parts, memo.native.tenant).rows()]
        assert ("memory.created", found["id"]) in told

    def test_is_in_the_audit_with_what_follows(self, app: Flask, memo: Memo, parts: State) -> None:
        made = memo.store(TEXT)
        id = native_of(memo)[0]["id"]
        memo.ok("POST", "/memory/feedback", {"memory_id": made["id"], "outcome": "success"})
        memo.ok("DELETE", f"/memory/forget?id={made['id']}")
        admin = speaker(app, parts, DIALECT, "admin", namespace_of=memo.native)
        entries = admin.get("/v1/audit").get_json()["data"]
        actions = [entry["action"].removeprefix("agentmemo.") for entry in entries if entry["noun_id"] == id]
        assert actions == ["memory.forget.delete", "memory.feedback", "memory.store"]

    def test_keeps_texts_as_they_are(self, memo: Memo) -> None:
        made = memo.store("  two lines\n of text ", " u 1 ", " desk ")
        assert (made["content"], made["user_id"], made["agent_id"]) == ("  two lines\n of text ", " u 1 ", " desk ")
        assert memo.texts("two lines", " u 1 ", agent_id=" desk ") == ["  two lines\n of text "]

    def test_takes_an_agent_that_is_called_like_an_id(self, memo: Memo) -> None:
        assert memo.store(TEXT, agent_id=UUID)["agent_id"] == UUID
        assert [hit["agent_id"] for hit in memo.retrieve(TEXT, agent_id=UUID)] == [UUID]

    @pytest.mark.parametrize(
        ("sent", "kept"),
        [({"importance": 6.5}, ("importance", 7)), ({"importance": 10}, ("importance", 10)),
         ({"tags": [" a ,b", "", "a"]}, ("tags", ["a", "b"])), ({"namespace": "work"}, ("namespace", "work")),
         ({"namespace": ""}, ("namespace", "default")), ({"outcome": "failure"}, ("outcome", "failure")),
         ({"detect_conflicts": True}, ("conflict", None)),
         *(({name: None}, ("metadata", {})) for name in ("metadata", "ttl_seconds", "tags", "namespace", "outcome",
                                                         "valid_from", "valid_until", "importance"))],
    )  # fmt: skip
    def test_reads_every_field(self, memo: Memo, sent: dict[str, Any], kept: tuple[str, Any]) -> None:
        assert memo.store(TEXT, **sent)[kept[0]] == kept[1]

    def test_reads_a_body_whatever_its_type_is_said_to_be(self, memo: Memo) -> None:
        data = b'{"user_id": "u", "agent_id": "a", "content": "one"}'
        for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"}):
            response = memo.call("POST", "/memory/store", data=data, headers=headers)
            assert response.status_code in (200, 201)

    def test_takes_the_longest_of_everything(self, memo: Memo) -> None:
        assert len(memo.store("a " * 50_000, "u" * 256, "a" * 256, namespace="n" * 128)["content"]) == 100_000
        assert memo.retrieve("a", "u" * 256, agent_id="a" * 256)[0]["namespace"] == "n" * 128

    @pytest.mark.parametrize(
        "wrong",
        [{"user_id": None}, {"user_id": " "}, {"user_id": "u" * 257}, {"user_id": 7}, {"agent_id": ""},
         {"agent_id": "a" * 257}, {"agent_id": "a\0b"}, {"content": ""}, {"content": "\u200b"}, {"content": None},
         {"content": "a" * 100_001}, {"content": ["a"]}, {"metadata": []}, {"metadata": "a"},
         {"metadata": {"a": "b" * 11_000}}, {"metadata": {"agentmemo.tag.x": True}}, {"importance": 11},
         {"importance": -1}, {"importance": "much"}, {"ttl_seconds": 0}, {"ttl_seconds": -5}, {"ttl_seconds": "soon"},
         {"tags": "a"}, {"tags": [7]}, {"tags": ["t" * 3_999, "u" * 3_999, "v" * 3_999]}, {"namespace": "n" * 129},
         {"outcome": "great"}, {"valid_from": "now"}, {"valid_until": -1}, {"detect_conflicts": "perhaps"}],
    )  # fmt: skip
    def test_refuses_what_is_wrong_and_names_it(self, memo: Memo, wrong: dict[str, Any]) -> None:
        body = {"user_id": "u", "agent_id": "a", "content": TEXT, **wrong}
        assert memo.refused(400, "POST", "/memory/store", body).startswith((*wrong, "metadata"))
        assert native_of(memo) == []

    def test_of_the_same_text_answers_the_memory_that_is_there(self, memo: Memo) -> None:
        first = memo.store(TEXT)
        body = {"user_id": "u_77", "agent_id": "desk", "content": TEXT, "importance": 9}
        again = memo.ok("POST", "/memory/store", body)
        assert faults(DUPLICATE, again) == []
        assert (again["id"], again["status"], again["deduplicated"]) == (first["id"], "duplicate", True)
        others = [memo.store(TEXT, user_id="u_78"), memo.store(TEXT, agent_id="shop"), memo.store(TEXT + "!")]
        assert len({first["id"], *(each["id"] for each in others)}) == 4

    def test_of_a_batch_looks_at_each_by_itself(self, memo: Memo) -> None:
        memo.store(TEXT)
        good = {"user_id": "u_77", "agent_id": "desk", "content": "Pays by card", "tags": ["money"], "importance": 3}
        sent = [good, {**good, "content": TEXT}, {**good, "content": "pays  by card"}, {"user_id": "u_77"}, 7, None]
        made = memo.ok("POST", "/memory/batch", {"memories": sent}, status=201)
        assert faults(BATCH, made) == []
        assert (made["stored"], made["skipped"], made["duplicates_skipped"]) == (1, 3, 2)
        assert [hit["tags"] for hit in memo.retrieve("Pays by card") if hit["id"] in made["ids"]] == [["money"]]
        assert memo.ok("POST", "/memory/batch", {"memories": [7]}, status=201)["ids"] == []
        for wrong in ([], [good] * 101, good, None):
            memo.refused(400, "POST", "/memory/batch", {"memories": wrong})


class TestRetrieve:
    def test_answers_as_documented(self, memo: Memo) -> None:
        memo.store(TEXT, metadata={"src": "call"})
        found = memo.ok("GET", "/memory/retrieve", query_string={"q": "which invoices?", "user_id": "u_77"})
        assert faults(RETRIEVED, found) == []
        assert (found["query"], found["user_id"], found["agent_id"]) == ("which invoices?", "u_77", None)
        assert (found["semantic"], found["count"]) == (True, 1)
        assert 0 < found["results"][0]["score"] <= 1
        assert found["results"][0]["score"] == round(found["results"][0]["score"], 6)

    def test_keeps_users_and_agents_apart(self, memo: Memo) -> None:
        memo.store("the kettle whistles", "u_1", "a_1")
        memo.store("the kettle whistles again", "u_1", "a_2")
        memo.store("the kettle whistles too", "u_2", "a_1")
        assert len(memo.texts("kettle", "u_1")) == 2
        assert memo.texts("kettle", "u_1", agent_id="a_2") == ["the kettle whistles again"]
        assert memo.texts("kettle", "u_3") == memo.texts("kettle", "u_1", agent_id="a_9") == []

    def test_filters_by_what_was_stored(self, memo: Memo) -> None:
        memo.store("the kettle whistles", tags=["tea", "noise"], namespace="home", outcome="success", importance=8)
        memo.store("the kettle is blue", tags=["colour"], importance=2)
        whistles, blue = ["the kettle whistles"], ["the kettle is blue"]
        assert memo.texts("kettle", tags="noise,rain") == memo.texts("kettle", tags=" tea ") == whistles
        assert memo.texts("kettle", tags="colour,tea", min_importance=3) == whistles
        assert memo.texts("kettle", namespace="home") == memo.texts("kettle", outcome="success") == whistles
        assert memo.texts("kettle", namespace="default") == memo.texts("kettle", outcome="unknown") == blue
        assert memo.texts("kettle", min_importance=8) == whistles
        for none in ({"tags": "rain"}, {"namespace": "work"}, {"outcome": "fine"}, {"min_importance": 9}):
            assert memo.texts("kettle", **none) == []
        assert sorted(memo.texts("kettle", tags="", namespace="", min_importance="")) == sorted(whistles + blue)

    def test_filters_by_the_calibrated_score(self, memo: Memo) -> None:
        memo.store("the kettle whistles")
        score = memo.retrieve("kettle")[0]["score"]
        assert memo.texts("kettle", min_score=score - 0.01) == ["the kettle whistles"]
        assert memo.texts("kettle", min_score=score + 0.01) == []
        assert memo.retrieve("the kettle whistles")[0]["score"] >= 0.9

    def test_comes_best_first(self, memo: Memo) -> None:
        memo.ok("POST", "/memory/batch", {"memories": [
            {"user_id": "u_77", "agent_id": "desk", "content": f"the kettle {'and more ' * number}whistles"}
            for number in range(12)
        ]}, status=201)  # fmt: skip
        scores = [hit["score"] for hit in memo.retrieve("the kettle whistles", limit=100)]
        assert scores == sorted(scores, reverse=True)
        assert len(scores) == 12

    @pytest.mark.parametrize(
        ("limit", "count"), [("3", 3), ("100", 12), ("1000", 12), ("0", 10), ("-4", 10), ("many", 10), ("2.7", 2)]
    )
    def test_moves_the_limit_into_its_range(self, memo: Memo, limit: str, count: int) -> None:
        items = [{"user_id": "u_77", "agent_id": "desk", "content": f"kettle {number}"} for number in range(12)]
        memo.ok("POST", "/memory/batch", {"memories": items}, status=201)
        assert len(memo.retrieve("kettle", limit=limit)) == count

    def test_leaves_out_what_does_not_hold_now(self, memo: Memo) -> None:
        now = now_ms()
        memo.store("the kettle is new", valid_until=now - 1_000)
        memo.store("the kettle is old", valid_from=now + 100_000)
        memo.store("the kettle is blue", valid_from=now - 100_000, valid_until=now + 100_000)
        for limit in (10, 1):
            assert memo.texts("the kettle is new", limit=limit) == ["the kettle is blue"]

    def test_leaves_out_what_has_expired_unless_asked_for(self, memo: Memo, silent: Flask) -> None:
        made = memo.store("the kettle whistles", ttl_seconds=90.5)
        assert made["expires_at"] - made["created_at"] == 90_500
        assert memo.texts("kettle") == ["the kettle whistles"]
        with time_machine.travel((made["expires_at"] + 1) / 1000, tick=False):
            assert memo.texts("kettle") == []
            assert memo.native.search("kettle") == []
            assert memo.texts("kettle", include_expired="true") == ["the kettle whistles"]
            assert memo.over(silent).texts("kettle") == []
            assert memo.over(silent).texts("kettle", include_expired="true") == ["the kettle whistles"]
            assert memo.ok("GET", "/memory/context?user_id=u_77")["memories_available"] == 0
            assert memo.ok("DELETE", f"/memory/forget?id={made['id']}") == {"deleted": 1}
        assert memo.store("the kettle is gone", ttl_seconds=0.001)["status"] == "stored"
        assert memo.store("the kettle stays", ttl_seconds=1e300)["expires_at"] > now_ms()

    @pytest.mark.parametrize(
        "wrong",
        [{"q": ""}, {"q": " "}, {"q": "a" * 4_001}, {"q": "a\0b"}, {"user_id": ""}, {"user_id": "u" * 257},
         {"agent_id": "a" * 257}, {"min_score": "high"}, {"min_score": "nan"}, {"min_importance": "much"},
         {"namespace": "n" * 129}, {"tags": "\0"}, {"include_expired": "perhaps"}],
    )  # fmt: skip
    def test_refuses_what_is_wrong_and_names_it(self, memo: Memo, wrong: dict[str, Any]) -> None:
        query = {"q": "kettle", "user_id": "u", **wrong}
        assert memo.refused(400, "GET", "/memory/retrieve", query_string=query).startswith(next(iter(wrong)))

    def test_finds_for_every_user_what_belongs_to_none(self, memo: Memo, silent: Flask) -> None:
        memo.store("the kettle is blue")
        memo.store("the kettle of another", "u_2")
        memo.native.remember("the kettle whistles")
        found = memo.retrieve("the kettle whistles")
        assert [(hit["content"], hit["user_id"]) for hit in found] == [
            ("the kettle whistles", ""), ("the kettle is blue", "u_77"),
        ]  # fmt: skip
        assert memo.texts("the kettle whistles", limit=1) == memo.over(silent).texts("x", limit=1)
        assert memo.over(silent).texts("x") == ["the kettle whistles", "the kettle is blue"]
        assert memo.ok("GET", "/memory/context?user_id=u_77")["memories_available"] == 1
        assert memo.ok("DELETE", "/memory/forget?user_id=u_77") == {"deleted": 1}
        assert memo.texts("kettle") == ["the kettle whistles"]

    def test_finds_what_the_native_api_stored_and_the_other_way_round(self, memo: Memo) -> None:
        memo.native.remember("the kettle whistles", "iris", user_id="u_77", importance=0.44)
        (hit,) = memo.retrieve("kettle")
        assert (hit["agent_id"], hit["importance"], hit["namespace"]) == ("iris", 4, "default")
        memo.store("the teapot is blue", tags=["colour"])
        (found,) = memo.native.search("teapot", limit=1, metadata_filter={"agentmemo.tag.colour": True})
        assert found["memory"]["content"] == "the teapot is blue"


class TestForget:
    def test_one_by_its_id(self, memo: Memo) -> None:
        first, second = memo.store("the kettle whistles"), memo.store("the kettle is blue")
        assert memo.ok("DELETE", "/memory/forget", query_string={"id": first["id"], "user_id": "u_1"}) == {"deleted": 1}
        assert [hit["id"] for hit in memo.retrieve("kettle")] == [second["id"]]
        assert memo.refused(404, "DELETE", f"/memory/forget?id={first['id']}") == "Memory not found"

    @pytest.mark.parametrize(
        "id", ["mem_" + "0" * 20, "mem_", "0" * 20, UUID, "mem_" + "G" * 20, "mem_%", "mem_' OR 1", "mem_" + "a" * 21]
    )
    def test_nothing_by_an_id_that_is_none(self, memo: Memo, id: str) -> None:
        memo.store(TEXT)
        memo.refused(404, "DELETE", "/memory/forget", query_string={"id": id})
        memo.refused(404, "POST", "/memory/feedback", {"memory_id": id, "outcome": "success"})

    def test_all_of_a_user_or_of_an_agent_with_it(self, memo: Memo) -> None:
        for agent in ("a_1", "a_1", "a_2", UUID):
            memo.store(f"the kettle {len(native_of(memo))}", "u_1", agent)
        memo.store("the kettle of another", "u_2", "a_1")
        forget = "/memory/forget"
        assert memo.ok("DELETE", forget, query_string={"user_id": "u_1", "agent_id": "a_1"}) == {"deleted": 2}
        assert memo.ok("DELETE", forget, query_string={"user_id": "u_1", "agent_id": UUID}) == {"deleted": 1}
        assert memo.ok("DELETE", forget, query_string={"user_id": "u_1", "agent_id": "a_9"}) == {"deleted": 0}
        assert memo.ok("DELETE", forget, query_string={"user_id": "u_1"}) == {"deleted": 1}
        assert memo.ok("DELETE", forget, query_string={"user_id": "u_1"}) == {"deleted": 0}
        assert memo.texts("kettle", "u_2") == ["the kettle of another"]

    def test_must_name_something(self, memo: Memo) -> None:
        memo.store(TEXT)
        for query in ("", "?agent_id=desk", "?id=", "?user_id=", "?id=&agent_id=desk"):
            memo.refused(400, "DELETE", f"/memory/forget{query}")
        assert len(native_of(memo)) == 1


class TestWithoutAnEmbedder:
    def test_a_store_is_kept_and_embedded_later(self, memo: Memo, silent: Flask, parts: State) -> None:
        made = memo.over(silent).store("the kettle whistles", metadata={"a": 1}, tags=["tea"])
        assert (made["embedded"], made["status"]) == (False, "queued")
        again = memo.over(silent).ok("POST", "/memory/store", {
            "user_id": "u_77", "agent_id": "desk", "content": "the kettle whistles"})  # fmt: skip
        assert again["id"] == made["id"]
        assert memo.texts("kettle") == []
        work_off(parts, memo.native)
        assert [hit["id"] for hit in memo.retrieve("kettle", tags="tea")] == [made["id"]]

    def test_a_batch_is_kept_too(self, memo: Memo, silent: Flask, parts: State) -> None:
        items = [{"user_id": "u_77", "agent_id": "desk", "content": f"kettle {number}"} for number in range(3)]
        assert memo.over(silent).ok("POST", "/memory/batch", {"memories": items}, status=201)["stored"] == 3
        work_off(parts, memo.native)
        assert len(memo.retrieve("kettle")) == 3

    def test_the_newest_are_answered(self, memo: Memo, silent: Flask, other: Memo) -> None:
        other.store("the kettle of another")
        now = now_ms()
        for text, fields in (
            ("the kettle", {"tags": ["tea"]}), ("the teapot", {}), ("the stove", {"importance": 8}),
            ("the past", {"valid_until": now - 1}),
        ):  # fmt: skip
            memo.store(text, **fields)
        memo.store("of another user", "u_2")
        found = memo.over(silent).ok("GET", "/memory/retrieve?q=kettle&user_id=u_77&min_score=0.99")
        assert faults(RETRIEVED, found) == []
        assert found["semantic"] is False
        assert [hit["content"] for hit in found["results"]] == ["the stove", "the teapot", "the kettle"]
        assert {hit["score"] for hit in found["results"]} == {None}
        quiet = memo.over(silent)
        assert quiet.texts("x", tags="tea") == ["the kettle"]
        assert quiet.texts("x", min_importance=5) == ["the stove"]
        assert quiet.texts("x", limit=1) == ["the stove"]


class TestTenants:
    def test_never_meet(self, memo: Memo, other: Memo, new_memo: Callable[..., Memo]) -> None:
        made = memo.store("the kettle whistles", metadata={"a": 1})
        other.store("the kettle whistles")
        assert [hit["metadata"] for hit in other.retrieve("kettle")] == [{}]
        other.refused(404, "DELETE", f"/memory/forget?id={made['id']}")
        other.refused(404, "POST", "/memory/feedback", {"memory_id": made["id"], "outcome": "success"})
        assert other.ok("DELETE", "/memory/forget?user_id=u_77") == {"deleted": 1}
        assert other.ok("GET", "/memory/stats")["total_memories"] == 0
        assert other.ok("GET", "/memory/context?user_id=u_77")["memories_available"] == 0
        assert memo.texts("kettle") == ["the kettle whistles"]

    def test_of_keys_made_for_it_are_their_own(self, app: Flask, make_caller: Callable[..., Caller]) -> None:
        admin = make_caller()
        keys = [admin.post("/v1/keys", {"name": "n", "dialect": "agentmemo"}).get_json() for _ in range(2)]
        clients = [Memo(Caller(app, made["key"], admin.account)) for made in keys]
        clients[0].store(TEXT)
        assert clients[1].texts("invoices") == []
        assert {tuple(made["key_info"]["scopes"]) for made in keys} == {("delete", "read", "write")}

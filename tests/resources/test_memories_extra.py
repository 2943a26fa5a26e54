"""Lists, succession and a silent embedding model, over HTTP."""

import json
from dataclasses import replace
from typing import Any

import pytest

from app import create_app
from app.embeddings import EmbedderUnavailable
from app.embeddings.hashing import HashingEmbedder
from app.state import State
from tests.callers import Caller, error_of
from tests.resources.lists import ids


def every_page(caller: Caller, **query: Any) -> list[str]:
    """Return the ids of all pages, by cursor."""
    found: list[str] = []
    cursor = None
    while True:
        page = caller.get("/v1/memories", query_string={**query, **({"cursor": cursor} if cursor else {})}).get_json()
        found += [row["id"] for row in page["data"]]
        cursor = page["next_cursor"]
        if not page["has_more"]:
            assert cursor is None
            return found


class TestListFilters:
    @pytest.mark.parametrize(
        ("field", "value", "other"),
        [
            ("tier", "hot", "cold"),
            ("memory_type", "task", "fact"),
            ("visibility", "confidential", "private"),
            ("user_id", "ada", "bob"),
            ("agent_id", "iris", "hugo"),
            ("project", "billing", "shop"),
        ],
    )
    def test_only_what_is_asked_for_is_listed(self, caller: Caller, field: str, value: str, other: str) -> None:
        mine = caller.remember("one", **{field: value})["id"]
        caller.remember("two", **{field: other})
        assert ids(caller, **{field: value}) == [mine]

    def test_type_is_another_name_for_memory_type(self, caller: Caller) -> None:
        task = caller.remember("one", memory_type="task")["id"]
        caller.remember("two", memory_type="fact")
        assert ids(caller, type="task") == [task]

    def test_session_and_project_id_narrow_the_list(self, caller: Caller) -> None:
        session = caller.post("/v1/sessions", {"title": "x"}).get_json()["id"]
        inside = caller.remember("one", session_id=session, project="billing")
        caller.remember("two")
        assert ids(caller, session_id=session) == [inside["id"]]
        assert ids(caller, project_id=inside["project_id"]) == [inside["id"]]

    def test_a_project_or_agent_that_nobody_used_lists_nothing(self, caller: Caller) -> None:
        caller.remember("one")
        assert ids(caller, project="never-seen") == []
        assert ids(caller, agent_id="never-seen") == []

    def test_stored_times_bound_the_list_from_and_up_to(self, caller: Caller) -> None:
        first, second = caller.remember("one"), caller.remember("two")
        assert ids(caller, created_after=first["created_at"]) == [second["id"], first["id"]]
        assert ids(caller, created_before=first["created_at"]) == []
        assert ids(caller, created_after="2200-01-01T00:00:00Z") == []
        assert ids(caller, created_before="2200-01-01") == [second["id"], first["id"]]

    def test_told_times_leave_out_memories_that_tell_of_no_time(self, caller: Caller) -> None:
        march = caller.remember("one", occurred_at="2026-03-03")["id"]
        may = caller.remember("two", occurred_at="2026-05-08")["id"]
        caller.remember("three")
        assert ids(caller, occurred_after="2026-03-03") == [may, march]
        assert ids(caller, occurred_before="2026-05-08") == [march]
        assert ids(caller, occurred_after="2026-04-01", occurred_before="2026-06-01") == [may]

    def test_metadata_is_filtered_with_the_operators_of_search(self, caller: Caller) -> None:
        low = caller.remember("one", metadata={"level": 1, "team": "ops"})["id"]
        high = caller.remember("two", metadata={"level": 9, "team": "ops"})["id"]
        caller.remember("three", metadata={"team": "web"})
        assert ids(caller, metadata_filter=json.dumps({"team": "ops"})) == [high, low]
        assert ids(caller, metadata_filter=json.dumps({"level": {"$gte": 5}})) == [high]
        assert ids(caller, metadata_filter=json.dumps({"$or": [{"level": 1}, {"level": 9}]})) == [high, low]
        response = caller.get("/v1/memories", query_string={"metadata_filter": json.dumps({"team": "ops"})})
        assert response.get_json()["total_count"] == 2

    def test_metadata_pages_neither_skip_nor_repeat(self, caller: Caller) -> None:
        wanted = [caller.remember(f"memory {n}", metadata={"odd": n % 2})["id"] for n in range(9)][1::2]
        assert every_page(caller, limit=2, metadata_filter='{"odd": 1}') == wanted[::-1]
        assert ids(caller, limit=2, offset=1, metadata_filter='{"odd": 1}') == wanted[::-1][1:3]

    @pytest.mark.parametrize("wrong", ["[1]", "nonsense", f'{{"a": "{"x" * 10_240}"}}', '{"a": {"$like": 1}}', "7"])
    def test_a_metadata_filter_that_cannot_be_read_is_named(self, caller: Caller, wrong: str) -> None:
        body = error_of(caller.get("/v1/memories", query_string={"metadata_filter": wrong}), 422)
        assert body["details"][0]["field"] == "metadata_filter"

    def test_pages_by_cursor_hold_while_others_write(self, caller: Caller) -> None:
        stored = [caller.remember(f"memory {n}", tier="hot")["id"] for n in range(5)]
        page = caller.get("/v1/memories", query_string={"limit": 2, "tier": "hot"}).get_json()
        caller.remember("a late one", tier="hot")
        rest = every_page(caller, limit=2, tier="hot", cursor=page["next_cursor"])
        assert [row["id"] for row in page["data"]] + rest == stored[::-1]
        assert page["total_count"] == 5

    def test_a_stranger_lists_nothing_of_it(self, caller: Caller, stranger: Caller) -> None:
        caller.remember("one", tier="hot")
        assert ids(stranger, tier="hot", include_archived=True, include_superseded=True) == []


class TestSupersede:
    def test_the_old_memory_leaves_search_and_list_and_stays_readable(self, caller: Caller) -> None:
        old = caller.remember("The zorblat lives in Lisbon")["id"]
        new = caller.remember("The zorblat lives in Porto", supersedes=old)
        assert new["supersedes"] == old
        assert ids(caller) == [new["id"]]
        assert [hit["memory"]["id"] for hit in caller.search("zorblat")] == [new["id"]]
        read = caller.get(f"/v1/memories/{old}").get_json()
        assert read["superseded_by"] == new["id"]
        assert isinstance(read["superseded_at"], int)
        assert ids(caller, include_superseded=True) == [new["id"], old]

    def test_what_was_superseded_cannot_be_superseded_again(self, caller: Caller) -> None:
        old = caller.remember("one")["id"]
        new = caller.remember("two", supersedes=old)["id"]
        body = error_of(caller.post("/v1/memories", {"content": "three", "agent_id": "iris", "supersedes": old}), 409)
        assert new in body["message"]
        assert ids(caller) == [new]

    def test_an_unknown_memory_is_named_and_nothing_is_stored(self, caller: Caller, unknown_id: str) -> None:
        body = {"content": "three", "agent_id": "iris", "supersedes": unknown_id}
        assert error_of(caller.post("/v1/memories", body), 400)["details"][0]["field"] == "supersedes"
        assert ids(caller) == []

    def test_another_tenants_memory_is_unknown(self, caller: Caller, stranger: Caller) -> None:
        theirs = stranger.remember("one")["id"]
        error_of(caller.post("/v1/memories", {"content": "two", "agent_id": "iris", "supersedes": theirs}), 400)
        assert stranger.get(f"/v1/memories/{theirs}").get_json()["superseded_by"] is None

    def test_in_a_batch_only_the_second_of_two_is_refused(self, caller: Caller) -> None:
        old = caller.remember("one")["id"]
        items = [{"content": f"text {n}", "agent_id": "iris", "supersedes": old} for n in range(2)]
        answer = caller.post("/v1/memories/batch", {"memories": items}).get_json()
        assert [result["status"] for result in answer["results"]] == ["success", "failed"]
        assert answer["results"][1]["error_code"] == "conflict"

    def test_a_chain_closes_over_a_deleted_link(self, caller: Caller) -> None:
        first = caller.remember("one")["id"]
        second = caller.remember("two", supersedes=first)["id"]
        third = caller.remember("three", supersedes=second)["id"]
        caller.delete(f"/v1/memories/{second}")
        assert caller.get(f"/v1/memories/{third}").get_json()["supersedes"] == first
        assert caller.get(f"/v1/memories/{first}").get_json()["superseded_by"] == third

    def test_sources_must_be_known(self, caller: Caller, unknown_id: str) -> None:
        body = {"content": "sum", "agent_id": "iris", "derived_from": [caller.remember("one")["id"], unknown_id]}
        assert error_of(caller.post("/v1/memories", body), 400)["details"][0]["field"] == "derived_from"


class Silent(HashingEmbedder):
    """An embedder whose model does not answer."""

    def embed_documents(self, texts: Any) -> Any:
        raise EmbedderUnavailable("the model at 10.0.0.7 is down", retry_after=7.2)

    def embed_query(self, text: str) -> Any:
        raise EmbedderUnavailable("the model at 10.0.0.7 is down")


class TestWithoutVectors:
    def silent(self, parts: State, caller: Caller) -> Caller:
        return replace(caller, app=create_app(replace(parts, embedder=Silent())))

    def test_a_store_says_when_to_come_back_and_stores_nothing(self, parts: State, caller: Caller) -> None:
        response = self.silent(parts, caller).post("/v1/memories", {"content": "one", "agent_id": "iris"})
        body = error_of(response, 503)
        assert response.headers["Retry-After"] == "8"
        assert "10.0.0.7" not in body["message"]
        assert ids(caller) == []
        assert caller.get("/v1/agents").get_json()["data"] == []

    def test_an_edit_of_the_text_changes_nothing(self, parts: State, caller: Caller) -> None:
        id = caller.remember("one")["id"]
        silent = self.silent(parts, caller)
        error_of(silent.put(f"/v1/memories/{id}", {"content": "two", "metadata": {"a": 1}}), 503)
        kept = caller.get(f"/v1/memories/{id}").get_json()
        assert (kept["content"], kept["metadata"]) == ("one", {})
        assert silent.put(f"/v1/memories/{id}", {"metadata": {"a": 1}}).status_code == 200

    def test_search_batch_and_context_say_so_too(self, parts: State, caller: Caller) -> None:
        silent = self.silent(parts, caller)
        error_of(silent.post("/v1/memories/search", {"query": "one"}), 503)
        error_of(silent.post("/v1/memories/context", {"query": "one"}), 503)
        error_of(silent.post("/v1/embed", {"text": "one"}), 503)
        error_of(silent.post("/v1/memories/batch", {"memories": [{"content": "one", "agent_id": "iris"}]}), 503)
        assert ids(caller) == []

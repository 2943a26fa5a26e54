"""What belongs to memories beside storing and searching them, over HTTP."""

import json
import uuid
from dataclasses import replace
from typing import Any

import pytest

from app import create_app
from app.embeddings import EmbedderUnavailable
from app.embeddings.hashing import HashingEmbedder
from app.state import State
from tests.callers import Caller, error_of


def ids(caller: Caller, **query: Any) -> list[str]:
    """Return the ids of one page of the list."""
    response = caller.get("/v1/memories", query_string=query)
    assert response.status_code == 200, response.get_json()
    return [row["id"] for row in response.get_json()["data"]]


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

    @pytest.mark.parametrize("wrong", ["[1]", "nonsense", '{"a": {"$like": 1}}', "7"])
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


class TestImportance:
    def test_the_tier_follows_the_importance(self, caller: Caller) -> None:
        memory = caller.remember("one")
        answer = caller.put(f"/v1/memories/{memory['id']}/importance", {"importance": 0.9, "tier": None}).get_json()
        assert (answer["importance"], answer["tier"]) == (0.9, "hot")
        assert answer["salience_score"] > memory["salience_score"]

    def test_a_tier_that_is_sent_wins(self, caller: Caller) -> None:
        id = caller.remember("one")["id"]
        answer = caller.put(f"/v1/memories/{id}/importance", {"importance": 0.9, "tier": "cold"}).get_json()
        assert (answer["importance"], answer["tier"]) == (0.9, "cold")

    @pytest.mark.parametrize("body", [{}, {"importance": 1.1}, {"importance": None}, {"importance": 0.5, "tier": "x"}])
    def test_a_bad_body_is_refused(self, caller: Caller, body: dict[str, Any]) -> None:
        error_of(caller.put(f"/v1/memories/{caller.remember('one')['id']}/importance", body), 422)

    def test_an_unknown_memory_is_not_found(self, caller: Caller, unknown_id: str) -> None:
        body = error_of(caller.put(f"/v1/memories/{unknown_id}/importance", {"importance": 0.5}), 404)
        assert body["message"] == "Memory not found"


class TestArchive:
    def test_an_archived_memory_can_be_read_and_is_left_out_elsewhere(self, caller: Caller) -> None:
        id = caller.remember("The zorblat lives in Porto")["id"]
        answer = caller.post(f"/v1/memories/{id}/archive")
        assert answer.status_code == 200
        assert isinstance(answer.get_json()["archived_at"], int)
        assert caller.get(f"/v1/memories/{id}").status_code == 200
        assert ids(caller) == []
        assert caller.search("zorblat Porto") == []
        assert ids(caller, include_archived=True) == ids(caller, archived_only=True) == [id]

    def test_taken_back_it_is_found_again(self, caller: Caller) -> None:
        id = caller.remember("The zorblat lives in Porto")["id"]
        caller.post(f"/v1/memories/{id}/archive")
        assert caller.post(f"/v1/memories/{id}/unarchive").get_json()["archived_at"] is None
        assert [hit["memory"]["id"] for hit in caller.search("zorblat Porto")] == [id]
        assert ids(caller, archived_only=True) == []

    def test_archiving_twice_keeps_the_first_time(self, caller: Caller, parts: State) -> None:
        id = caller.remember("one")["id"]
        first = caller.post(f"/v1/memories/{id}/archive").get_json()["archived_at"]
        assert caller.post(f"/v1/memories/{id}/archive").get_json()["archived_at"] == first

    def test_a_stranger_cannot(self, caller: Caller, stranger: Caller) -> None:
        id = caller.remember("one")["id"]
        error_of(stranger.post(f"/v1/memories/{id}/archive"), 404)


class TestVersions:
    def test_an_edit_keeps_what_was_said(self, caller: Caller) -> None:
        id = caller.remember("Ada lives in Lisbon")["id"]
        caller.put(f"/v1/memories/{id}", {"content": "Ada lives in Porto"})
        listed = caller.get(f"/v1/memories/{id}/versions").get_json()
        assert [(row["content"], row["is_current"]) for row in listed["data"]] == [
            ("Ada lives in Porto", True),
            ("Ada lives in Lisbon", False),
        ]
        now, before = listed["data"]
        assert now["id"] == id and now["said_until"] is None
        assert before["said_until"] is not None and before["said_since"] <= now["said_since"]
        assert listed["total_count"] == 2

    def test_one_version_can_be_read_by_its_id(self, caller: Caller) -> None:
        id = caller.remember("Ada lives in Lisbon")["id"]
        caller.put(f"/v1/memories/{id}", {"content": "Ada lives in Porto"})
        old = caller.get(f"/v1/memories/{id}/versions").get_json()["data"][1]["id"]
        assert caller.get(f"/v1/memories/{id}/versions/{old}").get_json()["content"] == "Ada lives in Lisbon"
        assert caller.get(f"/v1/memories/{id}/versions/{id}").get_json()["content"] == "Ada lives in Porto"

    def test_a_change_of_anything_but_the_text_makes_no_version(self, caller: Caller) -> None:
        id = caller.remember("Ada lives in Lisbon")["id"]
        caller.put(f"/v1/memories/{id}", {"metadata": {"a": 1}})
        assert caller.get(f"/v1/memories/{id}/versions").get_json()["total_count"] == 1

    def test_versions_are_paged(self, caller: Caller) -> None:
        id = caller.remember("text 0")["id"]
        for n in range(1, 5):
            caller.put(f"/v1/memories/{id}", {"content": f"text {n}"})
        first = caller.get(f"/v1/memories/{id}/versions?limit=2").get_json()
        second = caller.get(f"/v1/memories/{id}/versions?limit=3&cursor={first['next_cursor']}").get_json()
        assert [row["content"] for row in first["data"] + second["data"]] == [f"text {n}" for n in (4, 3, 2, 1, 0)]

    def test_what_was_said_is_not_found_by_search(self, caller: Caller) -> None:
        id = caller.remember("Ada keeps a zorblat")["id"]
        caller.put(f"/v1/memories/{id}", {"content": "Ada keeps a cat"})
        assert caller.search("zorblat", search_mode="keyword") == []

    def test_a_version_of_another_memory_is_not_found(self, caller: Caller, unknown_id: str) -> None:
        one, other = caller.remember("one")["id"], caller.remember("two")["id"]
        error_of(caller.get(f"/v1/memories/{one}/versions/{other}"), 404)
        error_of(caller.get(f"/v1/memories/{unknown_id}/versions"), 404)


class TestSupersede:
    def test_the_old_memory_leaves_search_and_list_and_stays_readable(self, caller: Caller) -> None:
        old = caller.remember("The zorblat lives in Lisbon")["id"]
        new = caller.remember("The zorblat lives in Porto", supersedes=old)
        assert new["supersedes"] == old
        assert ids(caller) == [new["id"]]
        assert [hit["memory"]["id"] for hit in caller.search("zorblat")] == [new["id"]]
        read = caller.get(f"/v1/memories/{old}").get_json()
        assert read["superseded_by"] == new["id"] and isinstance(read["superseded_at"], int)
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


class TestRelated:
    def related(self, caller: Caller, id: str, **query: Any) -> dict[str, dict[str, Any]]:
        response = caller.get(f"/v1/memories/{id}/related", query_string=query)
        assert response.status_code == 200, response.get_json()
        assert response.get_json()["total"] == len(response.get_json()["data"])
        return {hit["memory"]["id"]: hit for hit in response.get_json()["data"]}

    def test_a_shared_name_is_the_reason(self, caller: Caller) -> None:
        one = caller.remember("Priya Raman moved to Lisbon")["id"]
        other = caller.remember("Yesterday we asked Priya Raman about invoices")["id"]
        hit = self.related(caller, one)[other]
        names = [reason["entity"]["name"] for reason in hit["reasons"] if reason["type"] == "entity"]
        assert names == ["Priya Raman"]
        assert 0 < hit["score"] < 1

    def test_neighbours_in_the_session_say_where_they_stand(self, caller: Caller) -> None:
        session = caller.post("/v1/sessions", {"title": "x"}).get_json()["id"]
        texts = ["alpha beta", "gamma delta", "epsilon zeta", "eta theta"]
        a, b, c, d = (caller.remember(text, session_id=session)["id"] for text in texts)
        found = self.related(caller, b)
        places = {
            id: [(r["place"], r["steps"]) for r in hit["reasons"] if r["type"] == "session"]
            for id, hit in found.items()
        }
        assert places == {a: [("previous", 1)], c: [("next", 1)], d: [("next", 2)]}

    def test_nearly_the_same_text_is_similar(self, caller: Caller) -> None:
        one = caller.remember("we bake bread on sunday morning")["id"]
        other = caller.remember("we bake bread on sunday evening")["id"]
        reasons = self.related(caller, one)[other]["reasons"]
        assert [reason["type"] for reason in reasons] == ["similar"]
        assert 0 < reasons[0]["similarity"] < 1

    def test_succession_and_sources_are_reasons_in_both_directions(self, caller: Caller) -> None:
        source = caller.remember("alpha beta")["id"]
        old = caller.remember("gamma delta")["id"]
        new = caller.remember("epsilon zeta", supersedes=old, derived_from=[source])["id"]
        kinds = {id: [r["type"] for r in hit["reasons"]] for id, hit in self.related(caller, new).items()}
        assert kinds == {source: ["derived_from"], old: ["supersedes"]}
        assert [r["type"] for r in self.related(caller, source)[new]["reasons"]] == ["source_of"]

    def test_confidential_and_archived_ones_are_shown_only_when_asked_for(self, caller: Caller) -> None:
        one = caller.remember("Priya Raman moved to Lisbon")["id"]
        secret = caller.remember("Priya Raman earns a lot", visibility="confidential")["id"]
        filed = caller.remember("Priya Raman once moved to Paris")["id"]
        caller.post(f"/v1/memories/{filed}/archive")
        assert self.related(caller, one) == {}
        assert set(self.related(caller, one, include_confidential=True, include_archived=True)) == {secret, filed}

    def test_limits_are_kept(self, caller: Caller, unknown_id: str) -> None:
        one = caller.remember("Priya Raman moved to Lisbon")["id"]
        for n in range(3):
            caller.remember(f"Priya Raman said {n}")
        assert len(self.related(caller, one, limit=2)) == 2
        error_of(caller.get(f"/v1/memories/{one}/related?limit=51"), 422)
        error_of(caller.get(f"/v1/memories/{unknown_id}/related"), 404)


class TestStats:
    def test_counts_by_tier_type_agent_and_project(self, caller: Caller) -> None:
        caller.remember("one", importance=0.9, memory_type="task", project="billing")
        caller.remember("two", agent_id="hugo", memory_type="fact")
        filed = caller.remember("three", memory_type="fact")["id"]
        caller.post(f"/v1/memories/{filed}/archive")
        stats = caller.get("/v1/memories/stats").get_json()
        assert (stats["total"], stats["archived"], stats["last_7_days"]) == (3, 1, 3)
        assert stats["by_tier"] == {"hot": 1, "warm": 2, "cold": 0}
        assert (stats["by_type"]["task"], stats["by_type"]["fact"]) == (1, 2)
        assert [(row["name"], row["count"]) for row in stats["by_agent"]] == [("iris", 2), ("hugo", 1)]
        assert [(row["slug"], row["count"]) for row in stats["by_project"]] == [("billing", 1)]

    def test_an_empty_tenant_counts_nothing(self, caller: Caller, stranger: Caller) -> None:
        stranger.remember("not yours", project="billing")
        stats = caller.get("/v1/memories/stats").get_json()
        assert (stats["total"], stats["by_agent"], stats["by_project"], stats["newest_at"]) == (0, [], [], None)


class TestBulkDelete:
    def test_a_dry_run_only_counts(self, caller: Caller) -> None:
        caller.remember("one", user_id="ada")
        caller.remember("two", user_id="bob")
        answer = caller.post("/v1/memories/bulk-delete", {"user_id": "ada", "dry_run": True}).get_json()
        assert (answer["matched"], answer["deleted"], answer["dry_run"]) == (1, 0, True)
        assert len(ids(caller)) == 2

    def test_what_meets_every_condition_goes_and_nothing_else(self, caller: Caller) -> None:
        keep = [caller.remember("one", user_id="ada")["id"], caller.remember("two", metadata={"a": 1})["id"]]
        gone = caller.remember("three", user_id="ada", metadata={"a": 1})["id"]
        answer = caller.post("/v1/memories/bulk-delete", {"user_id": "ada", "metadata_filter": {"a": 1}}).get_json()
        assert (answer["matched"], answer["deleted"], answer["has_more"]) == (1, 1, False)
        assert sorted(ids(caller)) == sorted(keep)
        error_of(caller.get(f"/v1/memories/{gone}"), 404)

    def test_archived_superseded_and_confidential_ones_go_too(self, caller: Caller) -> None:
        filed = caller.remember("one", user_id="ada")["id"]
        caller.post(f"/v1/memories/{filed}/archive")
        old = caller.remember("two", user_id="ada", visibility="confidential")["id"]
        caller.remember("three", user_id="ada", supersedes=old)
        assert caller.post("/v1/memories/bulk-delete", {"user_id": "ada"}).get_json()["deleted"] == 3
        assert ids(caller, include_archived=True, include_superseded=True) == []

    def test_archived_may_be_a_condition(self, caller: Caller) -> None:
        filed, kept = caller.remember("one")["id"], caller.remember("two")["id"]
        caller.post(f"/v1/memories/{filed}/archive")
        assert caller.post("/v1/memories/bulk-delete", {"archived": True}).get_json()["deleted"] == 1
        assert ids(caller, include_archived=True) == [kept]

    def test_more_than_one_batch_goes_with_its_chain(self, caller: Caller, parts: State) -> None:
        session = caller.post("/v1/sessions", {"title": "x"}).get_json()["id"]
        for _ in range(3):
            items = [{"content": f"text {uuid.uuid4()}", "agent_id": "iris", "session_id": session} for _ in range(80)]
            assert caller.post("/v1/memories/batch", {"memories": items}).get_json()["succeeded"] == 80
        assert caller.post("/v1/memories/bulk-delete", {"session_id": session}).get_json()["deleted"] == 240
        caller.remember("afterwards", session_id=session)
        assert caller.get(f"/v1/sessions/{session}").get_json()["memory_count"] == 1

    def test_ids_name_memories_directly(self, caller: Caller, stranger: Caller, unknown_id: str) -> None:
        mine, theirs = caller.remember("one")["id"], stranger.remember("two")["id"]
        answer = caller.post("/v1/memories/bulk-delete", {"ids": [mine, mine, theirs, unknown_id]}).get_json()
        assert (answer["matched"], answer["deleted"]) == (1, 1)
        assert ids(stranger) == [theirs]

    def test_everything_must_be_asked_for_by_name(self, caller: Caller, stranger: Caller) -> None:
        caller.remember("one")
        theirs = stranger.remember("two")["id"]
        assert error_of(caller.post("/v1/memories/bulk-delete", {}), 422)["details"][0]["field"] == "all"
        error_of(caller.post("/v1/memories/bulk-delete", {"dry_run": True}), 422)
        error_of(caller.post("/v1/memories/bulk-delete", {"all": True, "user_id": "ada"}), 422)
        error_of(caller.post("/v1/memories/bulk-delete", {"metadata_filter": {}}), 422)
        error_of(caller.post("/v1/memories/bulk-delete", {"ids": [], "dry_run": True}), 422)
        assert caller.post("/v1/memories/bulk-delete", {"all": True}).get_json()["deleted"] == 1
        assert ids(stranger) == [theirs]

    def test_an_agent_nobody_used_matches_nothing(self, caller: Caller) -> None:
        caller.remember("one")
        assert caller.post("/v1/memories/bulk-delete", {"agent_id": "never-seen"}).get_json()["matched"] == 0

    def test_the_scope_delete_is_needed(self, make_caller: Any) -> None:
        error_of(make_caller("read", "write").post("/v1/memories/bulk-delete", {"all": True}), 403)


class TestMaintenance:
    def demote(self, caller: Caller) -> dict[str, Any]:
        response = caller.post("/v1/memories/maintenance", {"action": "demote_cold"})
        assert response.status_code == 200, response.get_json()
        return dict(response.get_json())

    def aged(self, parts: State, caller: Caller, id: str, days: int) -> None:
        """Let a memory have been stored and touched so many days ago."""
        parts.graph.write(
            "CYPHER 25 MATCH (m:Memory {tenant: $tenant, id: $id}) "
            "SET m.created_at = m.created_at - $ms, m.updated_at = m.updated_at - $ms",
            tenant=caller.tenant, id=id, ms=days * 86_400_000,
        )  # fmt: skip

    def tier(self, caller: Caller, id: str) -> str:
        return str(caller.get(f"/v1/memories/{id}").get_json()["tier"])

    def test_a_warm_memory_of_little_importance_becomes_cold_at_once(self, caller: Caller) -> None:
        slight = caller.remember("one", importance=0.2, tier="warm")["id"]
        usual = caller.remember("two")["id"]
        hot = caller.remember("three", importance=0.1, tier="hot")["id"]
        assert self.demote(caller)["demoted_count"] == 1
        assert [self.tier(caller, id) for id in (slight, usual, hot)] == ["cold", "warm", "hot"]

    def test_a_usual_memory_nobody_touched_for_long_becomes_cold(self, caller: Caller, parts: State) -> None:
        old, valued = caller.remember("one")["id"], caller.remember("two", importance=0.7)["id"]
        for id in (old, valued):
            self.aged(parts, caller, id, 91)
        assert self.demote(caller) == {
            "action": "demote_cold", "demoted_count": 1, "archived_count": 0, "has_more": False
        }  # fmt: skip
        assert [self.tier(caller, id) for id in (old, valued)] == ["cold", "warm"]
        assert self.demote(caller)["demoted_count"] == 0

    def test_a_cold_memory_nobody_touched_for_longer_is_archived(self, caller: Caller, parts: State) -> None:
        old, young = (caller.remember(text, importance=0.1)["id"] for text in ("one", "two"))
        self.aged(parts, caller, old, 181)
        self.aged(parts, caller, young, 100)
        assert self.demote(caller)["archived_count"] == 1
        assert ids(caller, archived_only=True) == [old]

    def test_what_a_decision_rests_on_is_not_archived(self, caller: Caller, parts: State) -> None:
        ground = caller.remember("one", importance=0.1)["id"]
        decision = caller.post("/v1/decisions", {"title": "Stay", "rationale": "because"}).get_json()["id"]
        assert caller.post(f"/v1/decisions/{decision}/memories", {"memory_id": ground}).status_code in (200, 201)
        self.aged(parts, caller, ground, 400)
        assert self.demote(caller)["archived_count"] == 0

    def test_other_tenants_are_left_alone(self, caller: Caller, stranger: Caller) -> None:
        theirs = stranger.remember("one", importance=0.2, tier="warm")["id"]
        assert self.demote(caller)["demoted_count"] == 0
        assert self.tier(stranger, theirs) == "warm"

    def test_only_an_admin_may_and_only_what_is_known(self, caller: Caller, make_caller: Any) -> None:
        error_of(
            make_caller("read", "write", "delete").post("/v1/memories/maintenance", {"action": "demote_cold"}), 403
        )
        error_of(caller.post("/v1/memories/maintenance", {"action": "defragment"}), 422)


class TestExtraction:
    def test_names_are_found_anew_and_links_by_hand_stay(self, caller: Caller) -> None:
        memory = caller.remember("Priya Raman moved to Lisbon", auto_extract_entities=False)
        assert memory["entities"] == [] and memory["extraction_method"] is None
        entity = caller.post("/v1/entities", {"name": "Zorblat", "entity_type": "product"}).get_json()["id"]
        caller.post("/v1/entities/links", {"entity_id": entity, "memory_id": memory["id"]})
        answer = caller.post(f"/v1/memories/{memory['id']}/extract-entities")
        assert answer.status_code == 200
        assert answer.get_json()["status"] == "ready" and answer.get_json()["extraction_method"] == "rules"
        names = {each["value"] for each in caller.get(f"/v1/memories/{memory['id']}").get_json()["entities"]}
        assert names == {"Priya Raman", "Lisbon", "Zorblat"}

    def test_status_tells_method_and_count(self, caller: Caller) -> None:
        id = caller.remember("Priya Raman moved to Lisbon")["id"]
        status = caller.get(f"/v1/memories/{id}/extraction-status").get_json()
        assert (status["status"], status["extraction_method"], status["entity_count"]) == ("ready", "rules", 2)
        assert isinstance(status["updated_at"], int) and status["extraction_model"] is None

    def test_backfill_queues_only_what_has_no_names_yet_and_only_once(self, caller: Caller) -> None:
        caller.remember("Priya Raman moved to Lisbon")
        for n in range(3):
            caller.remember(f"Priya Raman said {n}", auto_extract_entities=False, agent_id="hugo")
        first = caller.post("/v1/memories/backfill-entities?limit=2").get_json()
        assert first == {"status": "queued", "queued": 2}
        assert caller.post("/v1/memories/backfill-entities?agent_id=hugo").get_json()["queued"] == 1
        assert caller.post("/v1/memories/backfill-entities").get_json() == {"status": "nothing_to_do", "queued": 0}

    def test_backfill_takes_no_body_and_no_content_type(self, caller: Caller) -> None:
        assert caller.post("/v1/memories/backfill-entities", data=b"").status_code == 200
        error_of(caller.post("/v1/memories/backfill-entities?limit=501"), 422)
        error_of(caller.post("/v1/memories/backfill-entities?limit=0"), 422)

    def test_unknown_memories_are_not_found(self, caller: Caller, unknown_id: str) -> None:
        error_of(caller.post(f"/v1/memories/{unknown_id}/extract-entities"), 404)
        error_of(caller.get(f"/v1/memories/{unknown_id}/extraction-status"), 404)


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

"""What is done to many memories at once, over HTTP."""

import uuid
from typing import Any

import pytest

from app.state import State
from tests.callers import Caller, error_of
from tests.resources.lists import ids


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
    def test_an_empty_user_or_project_is_refused_and_not_taken_for_nobodys(self, caller: Caller) -> None:
        kept = caller.remember("belongs to nobody in particular")
        for name in ("user_id", "project"):
            error_of(caller.post("/v1/memories/bulk-delete", {name: ""}), 422)
        assert caller.get(f"/v1/memories/{kept['id']}").status_code == 200

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

    @pytest.mark.parametrize(
        ("said", "gone"),
        [
            ({"archived_only": True}, ["old"]),
            ({"archived": True}, ["old"]),
            ({"include_archived": False}, ["new"]),
            ({"archived": False}, ["new"]),
            ({"include_archived": True, "archived_only": False, "all": True}, ["old", "new"]),
            ({"type": "task"}, ["old"]),
        ],
    )
    def test_what_is_archived_and_its_type_are_named_as_in_a_list(
        self, caller: Caller, said: dict[str, Any], gone: list[str]
    ) -> None:
        made = {"old": caller.remember("old", memory_type="task"), "new": caller.remember("new", memory_type="fact")}
        caller.post(f"/v1/memories/{made['old']['id']}/archive")
        assert caller.post("/v1/memories/bulk-delete", said).get_json()["deleted"] == len(gone)
        kept = [memory["id"] for name, memory in made.items() if name not in gone]
        assert ids(caller, include_archived=True) == kept

    @pytest.mark.parametrize(
        ("said", "field"),
        [
            ({"include_archived": True}, "all"),
            ({"archived_only": False}, "all"),
            ({"archived_only": True, "include_archived": False}, "archived_only"),
            ({"archived_only": True, "archived": False}, "archived_only"),
            ({"archived_only": True, "all": True}, "all"),
        ],
    )
    def test_what_is_no_condition_or_two_is_refused(self, caller: Caller, said: dict[str, Any], field: str) -> None:
        kept = caller.remember("one")["id"]
        assert error_of(caller.post("/v1/memories/bulk-delete", said), 422)["details"][0]["field"] == field
        assert ids(caller) == [kept]

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


class TestBackfill:
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

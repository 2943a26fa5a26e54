"""The audit trail: every write and the first use of each key on a day, who and when, and never what was said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from app.clock import now_ms
from app.services.audit import action_of
from app.state import State
from app.workers import usage_retention
from tests.callers import Caller, error_of

SECRET_TEXT = "Ada's password is swordfish"


def trail(caller: Caller, query: str = "") -> list[dict[str, Any]]:
    """Return the entries that /v1/audit answers."""
    response = caller.get(f"/v1/audit{query}")
    assert response.status_code == 200, response.get_json()
    found: list[dict[str, Any]] = response.get_json()["data"]
    return found


class TestWhatIsNoted:
    def test_a_write_is_noted_with_who_what_and_when(self, caller: Caller) -> None:
        answer = caller.post("/v1/agents", {"name": "iris"}, headers={"X-Request-ID": "req_of_mine"})
        entry = trail(caller, "?action=agents.create")[0]
        assert entry["noun_id"] == answer.get_json()["id"]
        assert (entry["method"], entry["route"], entry["status"]) == ("POST", "/v1/agents", 201)
        assert (entry["request_id"], entry["key_prefix"]) == ("req_of_mine", caller.key[:12])
        assert entry["created_at"].endswith("Z")
        assert entry["object"] == "audit_entry"

    def test_each_write_to_a_thing_names_it(self, caller: Caller) -> None:
        id = caller.post("/v1/agents", {"name": "iris"}).get_json()["id"]
        caller.patch(f"/v1/agents/{id.upper()}", {"description": "new"})
        caller.delete(f"/v1/agents/{id}")
        entries = [row for row in trail(caller) if row["action"] != "keys.use"]
        assert [row["action"] for row in entries] == ["agents.delete", "agents.update", "agents.create"]
        assert {row["noun_id"] for row in entries} == {id}

    def test_refused_writes_are_noted_too(self, caller: Caller, make_caller: Callable[..., Caller]) -> None:
        reader = make_caller("read", tenant_of=caller)
        reader.post("/v1/agents", {"name": "iris"})
        caller.post("/v1/agents", {})
        assert [row["status"] for row in trail(caller, "?action=agents.create")] == [422, 403]

    def test_reading_leaves_only_the_use_of_the_key(self, caller: Caller) -> None:
        caller.get("/v1/agents")
        caller.post("/v1/memories/search", {"query": "anything"})
        entries = trail(caller)
        assert [row["action"] for row in entries] == ["keys.use"]
        assert (entries[0]["noun_id"], entries[0]["route"]) == (entries[0]["key_id"], None)

    def test_a_key_is_noted_once_a_day(self, caller: Caller) -> None:
        for day in (3, 3, 4):
            with time_machine.travel(datetime(2026, 3, day, 9, tzinfo=UTC), tick=False):
                caller.get("/v1/agents")
        days = [row["created_at"][:10] for row in trail(caller, "?action=keys.use&to=2026-04-01")]
        assert days == ["2026-03-04", "2026-03-03"]

    def test_a_key_made_is_noted_by_its_id_and_never_shown(self, caller: Caller) -> None:
        made = caller.post("/v1/keys", {"name": "ci"}).get_json()
        caller.post(f"/v1/keys/{made['key_info']['id']}/rotate")
        entries = trail(caller, "?limit=100")
        assert [row["noun_id"] for row in entries if row["action"] == "keys.create"] == [made["key_info"]["id"]]
        assert [row["noun_id"] for row in entries if row["action"] == "keys.rotate"] == [made["key_info"]["id"]]
        assert made["key"] not in str(entries)

    def test_no_content_is_ever_in_it(self, caller: Caller, parts: State) -> None:
        memory = caller.remember(SECRET_TEXT, metadata={"note": SECRET_TEXT}, user_id="swordfish")
        caller.patch(f"/v1/memories/{memory['id']}", {"content": f"{SECRET_TEXT} now"})
        caller.post("/v1/memories", {"content": SECRET_TEXT, "agent_id": ""})
        assert len(trail(caller)) == 4
        query = "CYPHER 25 MATCH (a:AuditEntry {tenant: $tenant}) RETURN properties(a) AS properties"
        assert "swordfish" not in str(parts.graph.read(query, tenant=caller.tenant))


class TestList:
    def test_pages_follow_one_another_while_others_write(self, caller: Caller) -> None:
        ids = [caller.post("/v1/agents", {"name": f"a{number}"}).get_json()["id"] for number in range(7)]
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = caller.get(f"/v1/audit?limit=3&action=agents.create&cursor={cursor}").get_json()
            seen += [row["noun_id"] for row in page["data"]]
            cursor = page["next_cursor"]
            assert page["total_count"] == 7
            caller.post("/v1/agents", {"name": f"late {cursor}"})
        assert seen == ids[::-1]

    def test_entries_are_chosen_by_key_action_and_time(
        self, caller: Caller, make_caller: Callable[..., Caller]
    ) -> None:
        other = make_caller("write", tenant_of=caller)
        for day, who in ((3, caller), (4, other), (5, other)):
            with time_machine.travel(datetime(2026, 3, day, 9, tzinfo=UTC), tick=False):
                assert who.post("/v1/agents", {"name": f"a{day}"}).status_code == 201
        both = trail(caller, "?action=agents.create&to=2026-04-01")
        key_id = both[0]["key_id"]
        chosen = {
            f"?key_id={key_id}&action=agents.create": 2,
            f"?key_id={key_id}": 4,
            f"?key_id={key_id}&from=2026-03-05": 2,
            "?from=2026-03-03T09:00:00Z&to=2026-03-04T09:00:00Z&action=agents.create": 2,
            "?to=2026-03-02": 0,
        }
        assert {query: len(trail(caller, query)) for query in chosen} == chosen
        for query, number in chosen.items():
            assert caller.get(f"/v1/audit{query}").get_json()["total_count"] == number

    def test_only_admin_keys_read_it(self, caller: Caller, make_caller: Callable[..., Caller]) -> None:
        error_of(make_caller("read", "write", "delete", tenant_of=caller).get("/v1/audit"), 403)

    def test_another_tenants_trail_is_another(self, caller: Caller, stranger: Caller) -> None:
        id = caller.post("/v1/agents", {"name": "iris"}).get_json()["id"]
        key_id = trail(caller)[0]["key_id"]
        assert id not in str(trail(stranger))
        assert trail(stranger, f"?key_id={key_id}") == []

    @pytest.mark.parametrize(
        ("query", "field"), [("?key_id=mine", "key_id"), ("?from=9&to=8", "from"), ("?limit=0", "limit")]
    )
    def test_wrong_arguments_are_named(self, caller: Caller, query: str, field: str) -> None:
        assert error_of(caller.get(f"/v1/audit{query}"), 422)["details"][0]["field"] == field


class TestRetention:
    def test_old_entries_and_days_go_and_young_ones_stay(self, caller: Caller, parts: State) -> None:
        # The loop works for every tenant: long ago, where no other test has anything.
        for day in ((2019, 1, 1), (2020, 12, 1)):
            with time_machine.travel(datetime(*day, tzinfo=UTC), tick=False):
                caller.post("/v1/agents", {"name": f"a{day}"})
        assert years(caller) == ["2020", "2019"]
        with time_machine.travel(datetime(2021, 1, 1, tzinfo=UTC), tick=False):
            usage_retention.work(replace(parts, settings=replace(parts.settings, audit_days=0)))
            assert years(caller) == ["2020", "2019"], "0 keeps entries for ever"
            while usage_retention.work(parts):
                pass
        assert years(caller) == ["2020"]
        days = caller.get("/v1/usage?from=2018-01-01&to=2021-01-01&route=POST%20/v1/agents").get_json()["data"]
        assert [row["day"] for row in days] == ["2020-12-01"]


def years(caller: Caller) -> list[str]:
    """Return the years in which agents were made."""
    return [row["created_at"][:4] for row in trail(caller, "?action=agents.create")]


class TestNames:
    @pytest.mark.parametrize(
        ("method", "route", "action"),
        [
            ("POST", "/v1/memories", "memories.create"),
            ("POST", "/v2/memories", "memories.create"),
            ("PATCH", "/v1/memories/{memory_id}", "memories.update"),
            ("DELETE", "/v1/memories/{memory_id}", "memories.delete"),
            ("POST", "/v1/memories/batch", "memories.batch"),
            ("PUT", "/v1/sessions/{session_id}/end", "sessions.end"),
            ("POST", "/v1/webhooks/{webhook_id}/rotate-secret", "webhooks.rotate-secret"),
            ("DELETE", "/v1/projects/{slug}/relationships/{id}", "projects.relationships.delete"),
        ],
    )
    def test_an_action_is_named_after_noun_and_verb(self, method: str, route: str, action: str) -> None:
        assert action_of(method, route) == action


def test_an_entry_is_not_older_than_the_request(caller: Caller) -> None:
    before = now_ms()
    caller.post("/v1/agents", {"name": "iris"})
    made = datetime.fromisoformat(trail(caller)[0]["created_at"])
    assert before <= 1000 * made.timestamp() <= now_ms()

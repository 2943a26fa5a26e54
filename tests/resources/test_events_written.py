"""What is told of changes that nobody asked for by name."""

from __future__ import annotations

from typing import Any

import pytest

from app.services.keys import make_key
from app.state import State
from app.workers import purge_expired
from graph import outbox
from graph.driver import Transaction
from graph.entity_removal import EntityRemovalRepository
from graph.keys import KeyRepository
from graph.tenants import Owner
from tests.callers import Caller
from tests.events import Told
from tests.together import at_once
from tests.workers.test_embed_pending import Moody, accepted, work_off

PLAIN: dict[str, Any] = {"auto_extract_entities": False}
EXPIRE = "CYPHER 25 MATCH (m:Memory {tenant: $tenant, id: $id}) SET m.expires_at = timestamp() - 1"


@pytest.fixture
def told(parts: State, caller: Caller) -> Told:
    """The caller's events, from the next change on."""
    found = Told(parts, caller.tenant)
    found.rows()
    return found


def made(caller: Caller, path: str, **body: Any) -> dict[str, Any]:
    """POST and return the answer."""
    response = caller.post(path, body)
    assert response.status_code in (200, 201, 202), response.get_json()
    return dict(response.get_json())


def decide(caller: Caller, **fields: Any) -> dict[str, Any]:
    """Record a decision that names nothing."""
    return made(caller, "/v1/decisions", title="stay in", rationale="it rains", **fields)


class TestFirstUse:
    def test_an_agent_and_a_project_are_told_when_a_memory_names_them_first(self, caller: Caller, told: Told) -> None:
        first = caller.remember("it rained", project="billing", **PLAIN)
        assert [row["type"] for row in told.rows()] == ["agent.created", "project.created", "memory.created"]
        caller.remember("it rained again", project="billing", **PLAIN)
        row = told.one()
        assert row["type"] == "memory.created"
        assert row["data"]["agent_id"] == first["agent_id"]
        assert row["data"]["project_id"] == first["project_id"]

    def test_of_many_that_name_an_agent_at_once_one_is_told(self, caller: Caller, told: Told) -> None:
        at_once([lambda: caller.remember("it rained", "newcomer", **PLAIN)] * 4)
        assert told.names() == ["agent.created"] + ["memory.created"] * 4

    def test_an_entity_is_told_when_a_text_names_it_first(self, caller: Caller, told: Told) -> None:
        stored = caller.remember("we met Orville Wright")
        (entity,) = [row for row in told.rows() if row["type"] == "entity.created"]
        found = caller.get("/v1/entities").get_json()["data"]
        assert entity["noun_id"] == found[0]["id"]
        assert stored["entities"][0]["value"] == found[0]["name"]
        caller.remember("Orville Wright wrote back")
        assert "entity.created" not in told.names()

    def test_an_entity_that_two_memories_of_a_batch_name_is_told_once(self, caller: Caller, told: Told) -> None:
        memories = [{"content": "we met Orville Wright"}, {"content": "Orville Wright wrote"}]
        made(caller, "/v1/memories/batch", agent_id="iris", memories=memories)
        assert told.names() == ["agent.created", "entity.created", "memory.created", "memory.created"]

    def test_an_entity_that_a_decision_names_first_is_told(self, caller: Caller, told: Told) -> None:
        made(caller, "/v1/decisions", title="Keep PostgreSQL", rationale="it works")
        assert told.names() == ["decision.created", "entity.created"]

    def test_a_session_got_or_created_is_told_once(self, caller: Caller, told: Told) -> None:
        for _ in range(2):
            found = made(caller, "/v1/sessions/get-or-create", external_id="repo", agent_id="iris")
        agent, session = told.rows()
        assert (agent["type"], session["type"]) == ("agent.created", "session.created")
        assert session["noun_id"] == found["id"]
        assert session["data"]["agent_id"] == agent["noun_id"]

    def test_a_session_names_the_project_of_its_label(self, caller: Caller, told: Told) -> None:
        project = made(caller, "/v1/projects", name="Billing", slug="billing")
        made(caller, "/v1/sessions", project="billing")
        assert told.rows()[-1]["data"]["project_id"] == project["id"]

    def test_a_project_that_was_named_before_is_updated_by_its_registration(self, caller: Caller, told: Told) -> None:
        caller.remember("it rained", project="billing", **PLAIN)
        told.rows()
        made(caller, "/v1/projects", name="Billing", slug="billing", description="Invoices")
        row = told.one()
        assert row["type"] == "project.updated"
        assert {"name", "description"} <= set(row["data"]["changed"])


class TestMemories:
    def test_one_that_was_accepted_is_told_at_once_and_when_it_is_complete(
        self, caller: Caller, parts: State, told: Told
    ) -> None:
        id = accepted(caller, "we met Orville Wright")["id"]
        assert told.names() == ["agent.created", "memory.created"]
        work_off(parts, caller)
        complete, entity = told.rows()
        assert (complete["type"], complete["noun"], complete["noun_id"]) == ("embedding.completed", "memory", id)
        assert entity["type"] == "entity.created"

    def test_one_that_cannot_be_completed_is_updated(self, caller: Caller, parts: State, told: Told) -> None:
        id = accepted(caller, "hopeless")["id"]
        told.rows()
        parts.graph.write(
            "CYPHER 25 MATCH (j:Job {tenant: $tenant}) SET j.attempts = j.max_attempts - 1", tenant=caller.tenant
        )
        broken = State(**{**vars(parts), "embedder": Moody("hopeless")})
        work_off(broken, caller)
        row = told.one()
        assert (row["type"], row["noun_id"]) == ("memory.updated", id)
        assert row["data"]["changed"] == ["extraction_status"]

    def test_a_superseded_one_is_updated_and_names_its_successor(self, caller: Caller, told: Told) -> None:
        old = caller.remember("it rained", **PLAIN)
        told.rows()
        new = caller.remember("it snowed", supersedes=old["id"], **PLAIN)
        created, updated = told.rows()
        assert (created["type"], created["noun_id"]) == ("memory.created", new["id"])
        assert (updated["type"], updated["noun_id"]) == ("memory.updated", old["id"])
        assert updated["data"]["superseded_by"] == new["id"]
        assert updated["data"]["changed"] == ["superseded_at"]

    def test_an_edit_names_the_fields_that_changed(self, caller: Caller, told: Told) -> None:
        id = caller.remember("it rained", title="weather", **PLAIN)["id"]
        told.rows()
        caller.put(f"/v1/memories/{id}", {"content": "it snowed", "title": "weather", "metadata": {"a": 1}})
        assert told.one()["data"]["changed"] == ["content", "metadata"]

    def test_each_of_a_bulk_deletion_is_told(self, caller: Caller, told: Told) -> None:
        ids = {caller.remember(f"it rained {n}", user_id="u", **PLAIN)["id"] for n in range(3)}
        told.rows()
        made(caller, "/v1/memories/bulk-delete", user_id="u")
        rows = told.rows()
        assert {row["noun_id"] for row in rows} == ids
        assert {row["type"] for row in rows} == {"memory.deleted"}

    def test_one_whose_time_has_passed_is_told_when_it_is_purged(
        self, caller: Caller, parts: State, told: Told
    ) -> None:
        id = caller.remember("it rained", **PLAIN)["id"]
        told.rows()
        parts.graph.write(EXPIRE, tenant=caller.tenant, id=id)
        while purge_expired.work(parts):
            pass
        row = told.one()
        assert (row["type"], row["noun_id"]) == ("memory.deleted", id)

    def test_a_batch_is_told_in_one_statement(
        self, caller: Caller, told: Told, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked, run = [], Transaction.run

        def counted(self: Transaction, query: str, **given: Any) -> list[dict[str, Any]]:
            asked.append(query)
            return run(self, query, **given)

        monkeypatch.setattr(Transaction, "run", counted)
        memories = [{"content": f"day {n}: we met Orville Wright"} for n in range(20)]
        made(caller, "/v1/memories/batch", agent_id="iris", memories=memories)
        assert asked.count(outbox.WRITE) == 1
        assert told.names().count("memory.created") == 20

    def test_names_found_anew_are_an_update(self, caller: Caller, told: Told) -> None:
        id = caller.remember("we met Orville Wright", **PLAIN)["id"]
        told.rows()
        for _ in range(2):
            made(caller, f"/v1/memories/{id}/extract-entities")
        rows = told.rows()
        assert sorted(row["type"] for row in rows) == ["entity.created", "memory.updated"]
        (updated,) = [row for row in rows if row["noun_id"] == id]
        assert updated["data"]["changed"] == ["entities", "extraction_method"]


class TestWhatGoesWithOthers:
    def test_the_memories_of_a_deleted_agent_are_told(self, caller: Caller, told: Told) -> None:
        memory = caller.remember("it rained", **PLAIN)
        told.rows()
        caller.delete(f"/v1/agents/{memory['agent_id']}")
        gone, agent = told.rows()
        assert (gone["type"], gone["noun_id"]) == ("memory.deleted", memory["id"])
        assert (agent["type"], agent["noun_id"]) == ("agent.deleted", memory["agent_id"])

    @pytest.mark.parametrize("noun", ["session", "project"])
    def test_what_stays_of_a_session_or_a_project_is_updated(self, noun: str, caller: Caller, told: Told) -> None:
        session = made(caller, "/v1/sessions")["id"]
        memory = caller.remember("it rained", session_id=session, project="billing", **PLAIN)
        decision = decide(caller, session_id=session, project_slug="billing")
        told.rows()
        caller.delete(f"/v1/sessions/{session}" if noun == "session" else "/v1/projects/billing")
        rows = {row["type"]: row for row in told.rows()}
        assert sorted(rows) == ["decision.updated", "memory.updated", f"{noun}.deleted"]
        assert rows["memory.updated"]["noun_id"] == memory["id"]
        assert rows["decision.updated"]["noun_id"] == decision["id"]
        assert rows["memory.updated"]["data"]["changed"] == rows["decision.updated"]["data"]["changed"]
        assert rows["memory.updated"]["data"]["changed"] == [f"{noun}_id"]

    @pytest.mark.parametrize("noun", ["session", "project"])
    def test_memories_that_go_with_it_are_deleted(self, noun: str, caller: Caller, told: Told) -> None:
        session = made(caller, "/v1/sessions")["id"]
        caller.remember("it rained", session_id=session, project="billing", **PLAIN)
        told.rows()
        path = f"/v1/sessions/{session}" if noun == "session" else "/v1/projects/billing"
        caller.delete(path, query_string={"memories": "delete"})
        assert told.names() == ["memory.deleted", f"{noun}.deleted"]

    def test_a_decision_that_is_in_force_again_is_updated(self, caller: Caller, told: Told) -> None:
        old = decide(caller)["id"]
        new = made(caller, f"/v1/decisions/{old}/supersede", title="go out", rationale="the sun shines")["id"]
        told.rows()
        caller.delete(f"/v1/decisions/{new}")
        rows = told.rows()
        assert [(row["type"], row["noun_id"]) for row in rows] == [("decision.deleted", new), ("decision.updated", old)]
        assert rows[1]["data"]["changed"] == ["status"]

    def test_entities_that_nothing_mentions_any_more_are_told(self, caller: Caller, parts: State, told: Told) -> None:
        id = caller.remember("we met Orville Wright")["id"]
        caller.delete(f"/v1/memories/{id}")
        told.rows()
        removal = EntityRemovalRepository(parts.graph, Owner(caller.tenant))
        removal.delete_unused(removal.walk(0, "", 100)["unused"])
        assert told.names() == ["entity.deleted"]

    def test_a_merged_entity_names_the_one_it_is_now(self, caller: Caller, told: Told) -> None:
        one, other = (made(caller, "/v1/entities", name=name, entity_type="person")["id"] for name in ("Ann", "Anna"))
        told.rows()
        made(caller, f"/v1/entities/{one}/merge", into=other)
        row = told.one()
        assert (row["type"], row["noun_id"], row["data"]["into"]) == ("entity.merged", one, other)


class TestKeys:
    def test_one_is_told_in_the_namespace_that_it_opens(self, caller: Caller, parts: State, told: Told) -> None:
        answer = made(caller, "/v1/keys", name="ci", namespace="elsewhere")
        assert told.rows() == []
        tenants = KeyRepository(parts.graph, caller.account).tenants()
        elsewhere = next(row["id"] for row in tenants if row["namespace"] == "elsewhere")
        row = Told(parts, elsewhere).one()
        assert (row["type"], row["noun_id"]) == ("key.created", answer["key_info"]["id"])

    def test_a_rotation_tells_of_both(self, caller: Caller, told: Told) -> None:
        old = made(caller, "/v1/keys", name="ci")["key_info"]["id"]
        told.rows()
        new = made(caller, f"/v1/keys/{old}/rotate", grace_hours=1)["key_info"]["id"]
        created, rotated = told.rows()
        assert (created["type"], created["noun_id"], created["data"]) == ("key.created", new, {"replaces": old})
        assert (rotated["type"], rotated["noun_id"], rotated["data"]) == ("key.rotated", old, {"replaced_by": new})

    def test_one_made_on_the_command_line_is_told(self, caller: Caller, parts: State, told: Told) -> None:
        make_key(KeyRepository(parts.graph, caller.account), parts.pepper, "default", {"scopes": ["read"]})
        assert told.names() == ["key.created"]

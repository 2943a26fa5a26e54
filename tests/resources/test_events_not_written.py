"""Writes that change nothing and requests that are refused tell of nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.state import State
from tests.callers import Caller
from tests.events import Told
from tests.resources.test_events_written import PLAIN, decide, made


@pytest.fixture
def told(parts: State, caller: Caller) -> Told:
    """The caller's events, from the next change on."""
    found = Told(parts, caller.tenant)
    found.rows()
    return found


Repeat = Callable[[Caller], None]


def edited(path: str, **body: Any) -> tuple[Repeat, Repeat]:
    """Return a creation and the edit that changes nothing of it."""
    ids: list[str] = []

    def create(caller: Caller) -> None:
        answer = made(caller, path, **body)
        ids.append(answer.get("slug") or answer.get("id") or answer["key_info"]["id"])

    def edit(caller: Caller) -> None:
        same = {name: value for name, value in body.items() if name not in ("slug", "agent_id", "content", "scopes")}
        before = caller.get(f"{path}/{ids[-1]}").get_json()
        assert caller.put(f"{path}/{ids[-1]}", same).get_json() == before

    return create, edit


def repeated(path: str, verb: str = "POST", status: tuple[int, ...] = (200, 204), **body: Any) -> tuple[Repeat, Repeat]:
    """Return a call on something new, and the same call again. `{noun}` in the path makes the thing."""
    ids: dict[str, str] = {}

    def call(caller: Caller) -> None:
        noun = path.split("{")[1].split("}")[0] if "{" in path else ""
        if noun and noun not in ids:
            ids[noun] = MAKE[noun](caller)
        filled = path.replace("{" + noun + "}", ids.get(noun, ""))
        assert caller.call(verb, filled, body).status_code in (*status, 201)

    return call, call


MAKE: dict[str, Callable[[Caller], str]] = {
    "memory": lambda c: str(c.remember("it rained", **PLAIN)["id"]),
    "session": lambda c: str(made(c, "/v1/sessions")["id"]),
    "decision": lambda c: str(decide(c)["id"]),
    "entity": lambda c: str(made(c, "/v1/entities", name="Ann", entity_type="person")["id"]),
    "key": lambda c: str(made(c, "/v1/keys", name="ci")["key_info"]["id"]),
    "pattern": lambda c: (
        str(made(c, "/v1/projects", name="B", slug="billing")["id"])
        and str(made(c, "/v1/patterns", title="t", description="d")["id"])
    ),
}
TEXT = {"title": "stay in", "rationale": "it rains", "tags": ["a"], "metadata": {"a": 1}}
TWICE = {
    "an agent": edited("/v1/agents", name="ann", description="d", metadata={"a": 1}),
    "a session": edited("/v1/sessions", title="t", project="p", metadata={"a": 1}),
    "a project": edited("/v1/projects", slug="p", name="P", stack={"a": ["b"]}, metadata={"a": 1}),
    "an entity": edited("/v1/entities", name="Ann", entity_type="person", metadata={"a": 1}),
    "a decision": edited("/v1/decisions", **TEXT),
    "a pattern": edited("/v1/patterns", title="t", description="d", tags=["a"], scope="project"),
    "a memory": edited("/v1/memories", content="it rained", agent_id="iris", title="t", importance=0.7),
    "a webhook": edited("/v1/webhooks", url="https://hooks.example.com/a", event_types=["agent.created"]),
    "a key": edited("/v1/keys", name="ci"),
    "the same text": edited("/v1/memories", content="it rained", agent_id="iris"),
    "archiving": repeated("/v1/memories/{memory}/archive"),
    "importance": repeated("/v1/memories/{memory}/importance", "PUT", importance=0.9),
    "ending": repeated("/v1/sessions/{session}/end", "PUT", summary="done"),
    "reverting": repeated("/v1/decisions/{decision}/revert"),
    "adopting": repeated("/v1/patterns/{pattern}/adopt", project="billing"),
    "revoking": repeated("/v1/keys/{key}", "DELETE"),
    "an alias": repeated("/v1/entities/{entity}/aliases", alias="Anna"),
    "making an entity": repeated("/v1/entities", name="Bob", entity_type="person"),
    "a session of its own key": repeated("/v1/sessions/get-or-create", external_id="repo"),
    "an equal memory": repeated("/v1/memories", content="it rained", agent_id="iris", deduplicate=True),
}


class TestWhatChangesNothing:
    @pytest.mark.parametrize("what", TWICE)
    def test_is_not_told(self, what: str, caller: Caller, told: Told) -> None:
        first, again = TWICE[what]
        first(caller)
        assert told.rows() != []
        again(caller)
        assert told.rows() == []

    @pytest.mark.parametrize(
        "noun", ["memories", "agents", "sessions", "decisions", "patterns", "entities", "webhooks"]
    )
    def test_deleting_what_is_gone_is_not_told(self, noun: str, caller: Caller, unknown_id: str, told: Told) -> None:
        assert caller.delete(f"/v1/{noun}/{unknown_id}").status_code == 404
        assert told.rows() == []

    def test_reopening_a_session_that_is_open_is_not_told(self, caller: Caller, told: Told) -> None:
        session = made(caller, "/v1/sessions")
        told.rows()
        assert made(caller, f"/v1/sessions/{session['id']}/reopen") == session
        assert told.rows() == []

    def test_a_link_between_projects_is_told_again_when_it_changes(self, caller: Caller, told: Told) -> None:
        for slug in ("a", "b"):
            made(caller, "/v1/projects", name=slug, slug=slug)
        told.rows()
        link = {"target_project": "b", "relationship_type": "depends_on"}
        for metadata in ({"since": 1}, {}, {"since": 1}, {"since": 2}):
            made(caller, "/v1/projects/a/relationships", **link, metadata=metadata)
        first, second = told.rows()
        assert (first["type"], second["type"]) == ("project.linked", "project.linked")
        assert (first["data"].get("changed"), second["data"]["changed"]) == (None, ["metadata"])


class TestWhatIsRefused:
    def test_takes_what_it_named_first_with_it(self, caller: Caller, unknown_id: str, told: Told) -> None:
        body = {"content": "we met Orville Wright", "agent_id": "newcomer", "project": "new"}
        assert caller.post("/v1/memories", {**body, "session_id": unknown_id}).status_code == 400
        assert caller.post("/v1/memories", {**body, "supersedes": unknown_id}).status_code == 400
        assert caller.post("/v1/memories", {**body, "project_id": unknown_id}).status_code == 404
        assert told.rows() == []
        assert caller.get("/v1/agents").get_json()["data"] == []

    def test_of_a_decision_leaves_nothing(self, caller: Caller, unknown_id: str, told: Told) -> None:
        body = {"title": "Keep PostgreSQL", "rationale": "it works", "agent_id": "newcomer", "project_slug": "new"}
        assert caller.post("/v1/decisions", {**body, "memory_ids": [unknown_id]}).status_code == 404
        assert told.rows() == []

    def test_of_a_batch_leaves_the_others_told(self, caller: Caller, unknown_id: str, told: Told) -> None:
        memories = [{"content": "good", **PLAIN}, {"content": "bad", "session_id": unknown_id, **PLAIN}]
        answer = made(caller, "/v1/memories/batch", agent_id="iris", memories=memories)
        assert (answer["succeeded"], answer["failed"]) == (1, 1)
        assert told.names() == ["agent.created", "memory.created"]

    def test_the_last_key_that_manages_keys_is_told_of_nothing(self, caller: Caller, told: Told) -> None:
        (key,) = caller.get("/v1/keys").get_json()["data"]
        assert caller.put(f"/v1/keys/{key['id']}", {"scopes": ["read"]}).status_code == 409
        assert caller.delete(f"/v1/keys/{key['id']}").status_code == 409
        assert told.rows() == []

    def test_a_taken_name_is_told_of_nothing(self, caller: Caller, told: Told) -> None:
        ids = [made(caller, "/v1/agents", name=name)["id"] for name in ("ann", "bob")]
        told.rows()
        assert caller.put(f"/v1/agents/{ids[0]}", {"name": "bob"}).status_code == 409
        assert caller.post("/v1/agents", {"name": "bob"}).status_code == 409
        assert told.rows() == []

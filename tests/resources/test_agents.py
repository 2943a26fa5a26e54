"""Agents over HTTP: the canonical noun."""

from __future__ import annotations

import re
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest

from app.state import State
from tests.callers import Caller, error_of
from tests.together import at_once

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z")


def create(caller: Caller, name: str = "iris", **fields: Any) -> dict[str, Any]:
    """Create an agent and return it."""
    response = caller.post("/v1/agents", {"name": name, **fields})
    assert response.status_code == 201, response.get_json()
    found: dict[str, Any] = response.get_json()
    return found


class TestCreate:
    def test_answers_the_agent_with_its_counts_at_zero(self, caller: Caller) -> None:
        made = create(caller, "release-helper", description="Helps", metadata={"team": "platform"})
        assert ISO.fullmatch(made.pop("created_at"))
        assert ISO.fullmatch(made.pop("updated_at"))
        assert len(made.pop("id")) == 36
        assert made == {
            "object": "agent",
            "name": "release-helper",
            "description": "Helps",
            "config": {},
            "metadata": {"team": "platform"},
            "memory_count": 0,
            "session_count": 0,
            "project_count": 0,
            "last_active_at": None,
        }

    def test_ignores_an_id_of_the_client(self, caller: Caller, unknown_id: str) -> None:
        assert create(caller, id=unknown_id)["id"] != unknown_id
        assert caller.get(f"/v1/agents/{unknown_id}").status_code == 404

    def test_shows_absent_metadata_as_an_empty_object(self, caller: Caller) -> None:
        assert create(caller, metadata=None)["metadata"] == {}

    def test_unescapes_a_name_that_a_client_escaped(self, caller: Caller) -> None:
        assert create(caller, "R&amp;D &#x2F; &lt;ops&gt;")["name"] == "R&D / <ops>"

    def test_trims_the_name(self, caller: Caller) -> None:
        assert create(caller, "  iris\t")["name"] == "iris"

    def test_takes_a_name_of_255_characters_and_no_more(self, caller: Caller) -> None:
        assert len(create(caller, "é" * 255)["name"]) == 255
        assert error_of(caller.post("/v1/agents", {"name": "é" * 256}), 422)["details"][0]["field"] == "name"

    def test_refuses_a_name_that_is_an_id(self, caller: Caller, unknown_id: str) -> None:
        agent = create(caller)["id"]
        for response in (
            caller.post("/v1/agents", {"name": unknown_id.upper()}),
            caller.put(f"/v1/agents/{agent}", {"name": unknown_id}),
        ):
            assert error_of(response, 422)["details"] == [
                {"field": "name", "message": "must not be a UUID; choose a name, Loci gives the id"}
            ]
        error_of(caller.post("/v1/memories", {"content": "Note", "agent_id": unknown_id}), 404)
        assert [row["name"] for row in caller.get("/v1/agents").get_json()["data"]] == ["iris"]

    def test_refuses_a_name_in_use(self, caller: Caller) -> None:
        create(caller)
        assert error_of(caller.post("/v1/agents", {"name": "iris"}), 409)["message"] == (
            "An agent with this name exists already"
        )

    def test_lets_another_tenant_have_the_same_name(self, caller: Caller, stranger: Caller) -> None:
        assert create(caller)["id"] != create(stranger)["id"]

    def test_of_sixteen_at_once_with_one_name_lets_one_pass(self, caller: Caller) -> None:
        answers = at_once([partial(caller.post, "/v1/agents", {"name": "iris"})] * 16)
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 15
        assert caller.get("/v1/agents").get_json()["total_count"] == 1


class TestFirstUse:
    def test_of_a_name_by_sixteen_writers_makes_one_agent(self, caller: Caller) -> None:
        stored = at_once([partial(caller.remember, f"Note {n}", "R&amp;D") for n in range(16)])
        assert len({memory["agent_id"] for memory in stored}) == 1
        listed = caller.get("/v1/agents").get_json()
        assert (listed["total_count"], listed["data"][0]["name"]) == (1, "R&D")
        assert listed["data"][0]["memory_count"] == 16


class TestGet:
    def test_counts_what_the_agent_did(self, caller: Caller) -> None:
        agent_id = create(caller)["id"]
        session = caller.post("/v1/sessions", {"agent_id": "iris"}).get_json()
        caller.remember("The build is green", session_id=session["id"], project="billing")
        caller.remember("The build is red", agent_id, project="billing")
        found = caller.get(f"/v1/agents/{agent_id}").get_json()
        assert (found["memory_count"], found["session_count"], found["project_count"]) == (2, 1, 1)
        assert ISO.fullmatch(found["last_active_at"])


class TestList:
    def test_is_newest_first_in_an_envelope(self, caller: Caller) -> None:
        names = [create(caller, f"agent-{n}")["name"] for n in range(3)]
        body = caller.get("/v1/agents").get_json()
        assert [agent["name"] for agent in body.pop("data")] == names[::-1]
        assert body == {"object": "list", "has_more": False, "next_cursor": None, "total_count": 3}


class TestChange:
    @pytest.mark.parametrize("verb", ["PUT", "PATCH"])
    def test_leaves_absent_and_null_fields_as_they_are(self, caller: Caller, verb: str) -> None:
        agent = create(caller, description="Helps", metadata={"a": 1})
        response = caller.call(verb, f"/v1/agents/{agent['id']}", {"name": "iris-2", "description": None})
        changed = response.get_json()
        assert (changed["name"], changed["description"], changed["metadata"]) == ("iris-2", "Helps", {"a": 1})
        assert changed["created_at"] == agent["created_at"]
        assert changed["updated_at"] >= agent["updated_at"]

    def test_merges_metadata_and_drops_keys_set_to_null(self, caller: Caller) -> None:
        agent = create(caller, metadata={"a": 1, "b": {"x": 1}, "c": 3})
        body: dict[str, Any] = {"metadata": {"b": {"y": 2}, "c": None, "d": []}}
        changed = caller.patch(f"/v1/agents/{agent['id']}", body).get_json()
        assert changed["metadata"] == {"a": 1, "b": {"y": 2}, "d": []}

    def test_refuses_metadata_that_grows_too_large_by_the_merge(self, caller: Caller) -> None:
        agent = create(caller, metadata={"a": "x" * 6000})
        found = error_of(caller.patch(f"/v1/agents/{agent['id']}", {"metadata": {"b": "x" * 6000}}), 422)
        assert found["details"] == [{"field": "metadata", "message": "must be at most 10 KB as JSON once merged"}]
        assert caller.get(f"/v1/agents/{agent['id']}").get_json()["metadata"] == {"a": "x" * 6000}

    def test_refuses_a_name_in_use(self, caller: Caller) -> None:
        create(caller, "other")
        error_of(caller.put(f"/v1/agents/{create(caller)['id']}", {"name": "other"}), 409)

    def test_by_sixteen_writers_loses_none_of_their_keys(self, caller: Caller) -> None:
        path = f"/v1/agents/{create(caller)['id']}"
        answers = at_once([partial(caller.patch, path, {"metadata": {f"k{n}": n}}) for n in range(16)])
        assert {answer.status_code for answer in answers} == {200}
        assert caller.get(path).get_json()["metadata"] == {f"k{n}": n for n in range(16)}


class TestDelete:
    def test_takes_the_memories_of_the_agent_with_it(self, caller: Caller) -> None:
        agent = create(caller)
        gone = caller.remember("Soon forgotten")
        kept = caller.remember("Still known", "other")
        response = caller.delete(f"/v1/agents/{agent['id']}")
        assert (response.status_code, response.get_data()) == (204, b"")
        assert caller.get(f"/v1/memories/{gone['id']}").status_code == 404
        assert caller.get(f"/v1/memories/{kept['id']}").status_code == 200
        assert caller.get("/v1/memories").get_json()["total_count"] == 1
        error_of(caller.delete(f"/v1/agents/{agent['id']}"), 404)

    @pytest.mark.parametrize(
        "headers",
        [
            {"Prefer": "return=representation"},
            {"Prefer": "a=b, return = representation"},
            {"User-Agent": "@memoryrelay/mcp-server/0.4.0"},
        ],
        ids=["asked for", "asked for among others", "needed by the client"],
    )
    def test_answers_with_a_body_where_it_is(self, caller: Caller, headers: dict[str, str]) -> None:
        agent = create(caller)
        response = caller.delete(f"/v1/agents/{agent['id']}", headers=headers)
        assert response.status_code == 200
        assert response.get_json() == {"id": agent["id"], "object": "agent", "deleted": True}

    def test_by_sixteen_at_once_succeeds_for_one(self, caller: Caller) -> None:
        path = f"/v1/agents/{create(caller)['id']}"
        answers = at_once([partial(caller.delete, path)] * 16)
        assert sorted(answer.status_code for answer in answers) == [204] + [404] * 15

    def test_leaves_a_name_free_for_a_new_agent(self, caller: Caller) -> None:
        first = create(caller)
        caller.delete(f"/v1/agents/{first['id']}")
        assert create(caller)["id"] != first["id"]


class TestStats:
    def test_counts_in_both_layouts(self, caller: Caller) -> None:
        caller.remember("Priya Raman moved the Billing Service to PostgreSQL")
        body = caller.get("/v1/agents/iris/stats").get_json()
        assert body["memory_count"] == body["data"]["total_memories"] == 1
        assert body["entity_count"] >= 2
        assert ISO.fullmatch(body["data"]["last_updated"])

    @pytest.mark.parametrize("name", ["R&D / <ops>", "größe ✓", "a?b=c#d", "..", "100%"])
    def test_finds_an_agent_by_any_name(self, caller: Caller, name: str) -> None:
        create(caller, name)
        assert caller.get(f"/v1/agents/{quote(name, safe='')}/stats").status_code == 200

    def test_takes_an_id_as_well(self, caller: Caller) -> None:
        assert caller.get(f"/v1/agents/{create(caller)['id'].upper()}/stats").get_json()["memory_count"] == 0

    def test_of_an_unknown_name_is_404(self, caller: Caller) -> None:
        assert error_of(caller.get("/v1/agents/nobody/stats"), 404)["message"] == "Agent not found"


class TestGraph:
    def test_holds_one_node_that_is_linked_to_what_it_did(self, caller: Caller, parts: State) -> None:
        agent = create(caller)
        caller.remember("The build is green", project="billing")
        found = parts.graph.read(
            "MATCH (a:Agent {tenant: $t, id: $id})-[r]-(n) RETURN type(r) AS link, labels(n)[0] AS label ORDER BY link",
            t=caller.tenant,
            id=agent["id"],
        )
        assert found == [{"link": "RECORDED_BY", "label": "Memory"}, {"link": "WORKS_ON", "label": "Project"}]

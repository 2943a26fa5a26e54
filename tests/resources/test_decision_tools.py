"""The calls that the MCP server's tools for decisions and patterns make, and what their user then sees."""

from tests.callers import Caller
from tests.resources.test_decisions import MCP

HOST_AGENT = "ada-notebook.local"


def test_decisions_are_recorded_listed_checked_and_superseded(caller: Caller) -> None:
    recorded = caller.post(
        "/v1/decisions",
        {
            "title": "Keep the queue in the database",
            "rationale": "One transaction boundary",
            "alternatives": "A broker",
            "project_slug": "billing",
            "tags": ["queue", "storage"],
            "status": "active",
            "metadata": {"source": "review"},
            "agent_id": HOST_AGENT,
        },
        headers=MCP,
    ).get_json()
    agents = caller.get("/v1/agents", headers=MCP).get_json()["data"]
    assert {agent["name"]: agent["id"] for agent in agents}[HOST_AGENT] == recorded["agent_id"]

    query = {"limit": "20", "project": "billing", "status": "active", "tags": "queue,unknown"}
    listed = caller.get("/v1/decisions", query_string=query, headers=MCP).get_json()
    assert [item["id"] for item in listed["data"]] == [recorded["id"]]

    query = {"query": "does the queue stay in the database?", "project": "billing", "limit": "5", "threshold": "0.3"}
    query["include_superseded"] = "false"
    found = caller.get("/v1/decisions/check", query_string=query, headers=MCP).get_json()
    assert [hit["decision"]["id"] for hit in found["data"]] == [recorded["id"]]
    assert found["data"][0]["score"] >= 0.3

    body = {"title": "Move the queue to a broker", "rationale": "Volume grew"}
    new = caller.post(f"/v1/decisions/{recorded['id']}/supersede", body, headers=MCP).get_json()
    assert (new["status"], new["project_slug"], new["tags"]) == ("active", "billing", ["queue", "storage"])
    old = caller.get(f"/v1/decisions/{recorded['id']}", headers=MCP).get_json()
    assert (old["status"], old["superseded_by"]) == ("superseded", new["id"])


def test_patterns_are_created_found_suggested_and_adopted(caller: Caller) -> None:
    caller.post("/v1/memories", {"content": "Billing sends invoices", "agent_id": HOST_AGENT, "project": "billing"})
    created = caller.post(
        "/v1/patterns",
        {
            "title": "Idempotent writers",
            "description": "Every write takes a key",
            "category": "reliability",
            "example_code": "def put(key): ...",
            "scope": "global",
            "tags": ["api"],
            "source_project": "search",
        },
        headers=MCP,
    ).get_json()
    assert (created["source_project_slug"], created["source_project_id"]) == ("search", None)

    query = {"query": "writers", "category": "reliability", "project": "billing", "limit": "10", "threshold": "0.3"}
    found = caller.get("/v1/patterns/search", query_string=query, headers=MCP).get_json()
    assert [hit["pattern"]["id"] for hit in found["data"]] == [created["id"]]

    path = "/v1/patterns/suggest?project=billing&limit=10"
    assert [item["id"] for item in caller.get(path, headers=MCP).get_json()["data"]] == [created["id"]]
    for _ in range(2):
        adopted = caller.post(f"/v1/patterns/{created['id']}/adopt", {"project": "billing"}, headers=MCP).get_json()
        assert (adopted["id"], adopted["adoption_count"]) == (created["id"], 1)
    assert caller.get(path, headers=MCP).get_json()["data"] == []

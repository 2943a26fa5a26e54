"""The MCP server and the documents that lead to it, and what is true in them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from app import __version__, create_app
from app.state import State
from tests.callers import Caller
from tests.compat.agentmemo.conftest import Memo
from tests.compat.agentmemo.shapes import ANSWER, FAILED, TOOL, faults

BASE = "http://localhost/agentmemo"
DOCUMENTS = (
    "", "/", "/api", "/openapi.json", "/capabilities.json", "/mcp.json", "/.well-known/agent.json",
    "/agent-card.json", "/.well-known/mcp/server-card.json", "/.well-known/agent-skills/index.json",
    "/.well-known/api-catalog", "/.well-known/oauth-protected-resource",
)  # fmt: skip


@pytest.fixture
def nobody(app: Flask) -> Memo:
    """A client without a key."""
    return Memo(Caller(app, "", ""))


def rpc(memo: Memo, method: str, id: Any = 1, **params: Any) -> dict[str, Any]:
    """Send a request of JSON-RPC and return its result."""
    found = memo.ok("POST", "/mcp", {"jsonrpc": "2.0", "id": id, "method": method, "params": params})
    assert faults(ANSWER, found) == []
    assert found["id"] == id
    return dict(found["result"])


def tool(memo: Memo, name: str, is_error: bool = False, **arguments: Any) -> dict[str, Any]:
    """Call a tool and return the JSON of its answer."""
    found = rpc(memo, "tools/call", name=name, arguments=arguments)
    assert faults(TOOL, found) == []
    assert found["isError"] is is_error, found
    return dict(json.loads(found["content"][0]["text"]))


class TestTools:
    def test_do_what_the_routes_do(self, memo: Memo) -> None:
        made = tool(memo, "store_memory", user_id="u", agent_id="a", content="the kettle whistles", metadata={"x": 1})
        found = tool(memo, "retrieve_memory", user_id="u", query="kettle", limit=3, agent_id=None)
        assert [(hit["id"], hit["metadata"]) for hit in found["results"]] == [(made["id"], {"x": 1})]
        context = tool(memo, "get_context", user_id="u", format="anthropic", max_tokens=200)
        assert "the kettle whistles" in context["context"]
        assert (
            tool(memo, "give_feedback", memory_id=made["id"], outcome="success", confidence=1)["outcome_score"] == 0.65
        )
        assert tool(memo, "get_stats")["total_memories"] == tool(memo, "get_stats", user_id="u")["total_memories"] == 1
        assert tool(memo, "forget_memory", id=made["id"]) == {"deleted": 1}
        assert tool(memo, "forget_memory", user_id="u") == {"deleted": 0}
        counted = tool(memo, "get_usage")
        assert counted["totals"]["requests"] == 8
        assert not [row for row in counted["by_route"] if "mcp" in row["route"]]

    def test_name_the_host_that_was_called_in_their_errors(self, memo: Memo) -> None:
        params = {"name": "retrieve_memory", "arguments": {}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        found = memo.ok("POST", "/mcp", body, base_url="https://memory.example:8443")["result"]
        assert found["isError"] is True
        assert json.loads(found["content"][0]["text"])["docs"].startswith("https://memory.example:8443/agentmemo/")

    def test_need_what_the_routes_need(self, memo: Memo, nobody: Memo, new_memo: Any) -> None:
        assert tool(nobody, "get_usage", True)["code"] == "unauthorized"
        assert (
            tool(new_memo("read"), "store_memory", True, user_id="u", agent_id="a", content="x")["code"] == "forbidden"
        )
        assert tool(memo, "forget_memory", True)["error"]["status"] == 400
        for wrong in ({"user_id": ["u"]}, {"user_id": {"a": 1}}, {"user_id": "u\0"}, {"user_id": 7}):
            assert tool(memo, "store_memory", True, agent_id="a", content="x", **wrong)["error"]["status"] == 400

    def test_count_against_the_limit_of_the_key(self, memo: Memo, parts: State) -> None:
        client = memo.over(create_app(replace(parts, settings=replace(parts.settings, rate_limit="100/minute"))))
        calls = [call(number, "tools/call", {"name": "get_stats", "arguments": {}}) for number in range(100)]
        seen = [each["result"]["isError"] for each in client.call("POST", "/mcp", calls).get_json()]
        assert seen == [False] * 100
        assert tool(client, "get_stats", True)["code"] == "rate_limited"

    def test_are_listed_without_a_key(self, nobody: Memo) -> None:
        tools = rpc(nobody, "tools/list")["tools"]
        assert " ".join(each["name"] for each in tools) == (
            "store_memory retrieve_memory forget_memory get_context give_feedback get_stats get_usage"
        )
        for each in tools:
            assert set(each) == {"name", "description", "inputSchema"}
            assert set(each["inputSchema"]["required"]) <= set(each["inputSchema"]["properties"])


def call(id: Any, method: str, params: Any = None) -> dict[str, Any]:
    """Return a request of JSON-RPC."""
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


class TestProtocol:
    def test_begins_without_a_key(self, nobody: Memo) -> None:
        found = rpc(nobody, "initialize", protocolVersion="2025-03-26", capabilities={})
        assert (found["protocolVersion"], found["serverInfo"]["version"]) == ("2025-03-26", __version__)
        assert rpc(nobody, "initialize")["protocolVersion"] == "2025-06-18"
        assert rpc(nobody, "ping", id="a") == {}

    def test_answers_a_notification_with_nothing(self, nobody: Memo) -> None:
        told = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        for body in (told, [told, told]):
            response = nobody.call("POST", "/mcp", body)
            assert (response.status_code, response.data) == (202, b"")

    def test_answers_a_list_with_a_list(self, nobody: Memo) -> None:
        sent = [call(1, "ping"), {"jsonrpc": "2.0", "method": "ping"}, call("b", "nothing"), 7]
        found = nobody.call("POST", "/mcp", sent).get_json()
        assert [each["id"] for each in found] == [1, "b", None]
        assert [each.get("error", {}).get("code") for each in found] == [None, -32601, -32600]

    @pytest.mark.parametrize(
        ("body", "code", "status"),
        [(b"{", -32700, 400), (b"", -32600, 400), (b"[]", -32600, 400), (b"7", -32600, 400), (b'"a"', -32600, 400),
         (b"null", -32600, 400), (b'{"id": 1}', -32600, 200), (b'{"id": 1, "method": 7}', -32600, 200),
         (b'{"id": 1, "method": "x"}', -32601, 200), (b'{"id": 1, "method": "ping", "params": [1]}', -32600, 200),
         (b'{"id": {}, "method": "ping"}', -32600, 200), (b'{"id": 1, "method": "tools/call"}', -32602, 200),
         (b'{"id": 1, "method": "tools/call", "params": {"name": "rm"}}', -32602, 200),
         (b'{"id": 1, "method": "tools/call", "params": {"name": ["a"]}}', -32602, 200),
         (b'{"id": 1, "method": "tools/call", "params": {"name": "get_usage", "arguments": [1]}}', -32602, 200),
         (b"[" + b",".join([b'{"id": 1, "method": "ping"}'] * 101) + b"]", -32600, 400)],
    )  # fmt: skip
    def test_refuses_what_it_does_not_know(self, nobody: Memo, body: bytes, code: int, status: int) -> None:
        found = nobody.ok("POST", "/mcp", status=status, data=body)
        assert faults(FAILED, found) == []
        assert found["error"]["code"] == code


class TestDocuments:
    @pytest.mark.parametrize("path", DOCUMENTS)
    def test_lead_to_what_is_there(self, nobody: Memo, path: str) -> None:
        response = nobody.call("GET", path)
        assert response.status_code == 200
        assert response.is_json
        for found in set(re.findall(rf'"{BASE}([^"]*)"', response.get_data(as_text=True))):
            assert nobody.call("GET", found).status_code in ((405,) if found == "/mcp" else (200,)), found

    def test_list_every_route(self, nobody: Memo, app: Flask) -> None:
        served = {
            f"{verb} {rule.rule.removeprefix('/agentmemo')}"
            for rule in app.url_map.iter_rules()
            for verb in (rule.methods or set()) - {"HEAD", "OPTIONS"}
            if rule.rule.startswith("/agentmemo/") and rule.rule != "/agentmemo/"
        }
        paths = nobody.ok("GET", "/openapi.json")["paths"]
        assert {f"{verb.upper()} {path}" for path, verbs in paths.items() for verb in verbs} == served
        assert set(nobody.ok("GET", "/api")["endpoints"]) == served
        assert all(each["summary"] for verbs in paths.values() for each in verbs.values())
        text = nobody.call("GET", "/llms.txt").get_data(as_text=True)
        assert all(f"`{route}`" in text for route in served)

    def test_say_which_routes_need_a_key(self, nobody: Memo) -> None:
        for path, verbs in nobody.ok("GET", "/openapi.json")["paths"].items():
            for verb, each in verbs.items():
                refused = nobody.call(verb.upper(), path).status_code == 401
                assert refused is bool(each["security"]), path

    def test_say_how_to_get_a_key(self, nobody: Memo, parts: State) -> None:
        response = nobody.call("GET", "/auth.md")
        assert (response.mimetype, "off here" in response.get_data(as_text=True)) == ("text/markdown", True)
        opened = nobody.over(create_app(replace(parts, settings=replace(parts.settings, signup=True))))
        assert "anybody may" in opened.call("GET", "/auth.md").get_data(as_text=True)
        assert opened.ok("GET", "/capabilities.json")["auth"]["signup"] is True
        assert nobody.call("GET", "/.well-known/api-catalog").mimetype == "application/linkset+json"
        assert nobody.call("GET", "/llms.txt").mimetype == "text/plain"

"""What MemoryRelay's MCP server 0.4 sends for each of its 44 tools, and what it makes of the answers.

`Mcp("key", ...).use("memory_store", content="...")` is a tool call by a model; it returns what the model gets to read,
or raises `ToolError` with the message it would be shown. Waiting between attempts is left out, attempts are not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import httpx2

from tests.compat.routes import MCP, number_of

USER_AGENT = "@memoryrelay/mcp-server"
ATTEMPTS = 4
NEVER_REPEATED = ("400", "401", "403", "404")
ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;", "/": "&#x2F;"}

Arguments = dict[str, Any]


class ToolError(Exception):
    """A tool call that failed; the message is what the model reads."""


class Mcp:
    """One configured MCP server. `agent` is a name its user chose, which the API has never seen."""

    def __init__(self, base_url: str, key: str, agent: str) -> None:
        self.base_url, self.agent = base_url, agent
        self.asked: list[int] = []
        headers = {"Authorization": f"Bearer {key}", "User-Agent": USER_AGENT, "Content-Type": "application/json"}
        self.http = httpx2.Client(headers=headers, timeout=30)

    def use(self, tool: str, **arguments: Any) -> Any:
        """Call a tool; `asked` then holds the numbers of the routes it took, one for each request sent."""
        self.asked.clear()
        try:
            return TOOLS[tool](self, arguments)
        finally:
            assert set(self.asked) <= set(MCP[tool]), f"{tool} asked {self.asked}"

    def ask(self, verb: str, path: str, body: Any = None) -> Any:
        """Send a request, again after anything but four kinds of refusal, and return the JSON of its answer."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._send(verb, path, body)
            except ToolError as error:
                if attempt == ATTEMPTS or any(code in str(error) for code in NEVER_REPEATED):
                    raise
        raise AssertionError("unreachable")

    def _send(self, verb: str, path: str, body: Any) -> Any:
        self.asked.append(number_of(verb, path))
        content = None if body is None else json.dumps(body)
        response = self.http.request(verb, self.base_url + path, content=content)
        if response.status_code >= 400:
            said = response.json().get("message")
            raise ToolError(f"API request failed: {response.status_code} {response.reason_phrase} - {said}")
        try:
            return response.json()  # after every success: a DELETE answered without a body fails here
        except ValueError as error:
            raise ToolError("Unexpected end of JSON input") from error

    def search(self, query: str, limit: int = 10, threshold: float = 0.5, agent: str | None = "", **more: Any) -> Any:
        """Search below the configured agent, below another, or (None) everywhere."""
        body = {"query": query, "limit": limit, "threshold": threshold, **more}
        name = self.agent if agent == "" else agent
        return self.ask("POST", "/v1/memories/search", body | ({"agent_id": name} if name else {}))["data"]


def some(arguments: Arguments, *names: str) -> Arguments:
    """Return those of the named arguments that were given and are not empty."""
    return {name: arguments[name] for name in names if arguments.get(name)}


def given(arguments: Arguments, *names: str) -> Arguments:
    """Return those of the named arguments that were given."""
    return {name: arguments[name] for name in names if arguments.get(name) is not None}


def escaped(name: str) -> str:
    """Return a name as this client sends it."""
    return "".join(ESCAPES.get(char, char) for char in name)


def memory_store(mcp: Mcp, a: Arguments) -> Any:
    more = some(a, "deduplicate", "project", "tier", "session_id") | given(a, "dedup_threshold", "importance")
    more |= given(a, "metadata", "auto_extract_entities")
    return mcp.ask("POST", "/v1/memories", {"content": a["content"], "agent_id": mcp.agent} | more)


def memory_search(mcp: Mcp, a: Arguments) -> Any:
    more = some(a, "include_confidential", "include_archived", "compress", "project", "tier")
    more |= given(a, "max_context_tokens", "min_importance") | given(a, "limit", "threshold")
    found = mcp.search(a["query"], agent=a.get("agent_id"), **more)
    return {"memories": found, "total": len(found)}


def memory_recall(mcp: Mcp, a: Arguments) -> Any:
    more = {"max_context_tokens": a["max_tokens"]} if "max_tokens" in a else {}
    found = mcp.search(a["query"], a.get("limit", 5), a.get("threshold", 0.3), **more, **some(a, "project"))
    return {"memories": found, "total": len(found)}


def memory_forget(mcp: Mcp, a: Arguments) -> Any:
    if "memoryId" in a:
        mcp.ask("DELETE", f"/v1/memories/{a['memoryId']}")
        return f"Memory {a['memoryId'][:8]}... deleted."
    found = mcp.search(a["query"], 1, 0.9)
    if len(found) != 1:
        return f"Found {len(found)} matches. Provide memoryId to delete."
    mcp.ask("DELETE", f"/v1/memories/{found[0]['memory']['id']}")
    return f"Memory {found[0]['memory']['id'][:8]}... deleted (matched query)."


def memory_delete(mcp: Mcp, a: Arguments) -> Any:
    mcp.ask("DELETE", f"/v1/memories/{a['id']}")
    return {"success": True, "message": "Memory deleted successfully"}


def memory_batch_store(mcp: Mcp, a: Arguments) -> Any:
    items = [
        {"content": one["content"], "metadata": one.get("metadata", {}), "agent_id": mcp.agent} for one in a["memories"]
    ]
    return mcp.ask("POST", "/v1/memories/batch", {"memories": items})


def memory_context(mcp: Mcp, a: Arguments) -> Any:
    budget = a.get("max_tokens")
    more = {"compress": True, "max_context_tokens": budget} if budget else {}
    found = mcp.search(a["query"], a.get("limit", 10), a.get("threshold", 0.5), **more)
    text = "\n\n".join(f"[{hit['score'] * 100:.0f}%] {hit['memory']['content']}" for hit in found)
    if budget and len(text) > budget * 4:
        text = text[: budget * 4] + "\n\n[...truncated]"
    return {"context": text, "memories_used": len(found), "total_chars": len(text)}


def memory_health(mcp: Mcp, _: Arguments) -> Any:
    try:
        mcp.ask("GET", "/v1/health")
    except ToolError as error:
        return {"status": "unhealthy", "message": f"API connection failed: {error}"}
    return {"status": "healthy", "message": "API connection successful"}


def memory_store_async(mcp: Mcp, a: Arguments) -> Any:
    more = some(a, "metadata", "project", "tier", "webhook_url") | given(a, "importance")
    return mcp.ask("POST", "/v2/memories", {"content": a["content"], "agent_id": mcp.agent} | more)


def context_build(mcp: Mcp, a: Arguments) -> Any:
    names = ("max_memories", "max_tokens", "ai_enhanced", "search_mode", "llm_api_url", "llm_model")
    body = {"query": a["query"], "agent_id": a.get("agent_id", mcp.agent)} | given(a, *names, "exclude_memory_ids")
    return mcp.ask("POST", "/v2/context/build", body)


def entity_create(mcp: Mcp, a: Arguments) -> Any:
    body = {"name": escaped(a["name"]), "type": a["type"]} | given(a, "metadata")
    return mcp.ask("POST", "/v1/entities", body)


def entity_link(mcp: Mcp, a: Arguments) -> Any:
    body = {"relationship": "mentioned_in"} | given(a, "entity_id", "memory_id", "relationship")
    mcp.ask("POST", "/v1/entities/links", body)
    return {"success": True, "message": "Entity linked to memory successfully", **body}


def entity_graph(mcp: Mcp, a: Arguments) -> Any:
    query = urlencode({"depth": a.get("depth", 1), "max_neighbors": a.get("max_neighbors", 50)})
    return mcp.ask("GET", f"/v1/entities/{a['entity_id']}/neighborhood?{query}")


def agent_create(mcp: Mcp, a: Arguments) -> Any:
    return mcp.ask("POST", "/v1/agents", {"name": escaped(a["name"])} | some(a, "description"))


def session_start(mcp: Mcp, a: Arguments) -> Any:
    return mcp.ask("POST", "/v1/sessions", {"agent_id": mcp.agent} | some(a, "title", "project", "metadata"))


def session_list(mcp: Mcp, a: Arguments) -> Any:
    query = {"limit": a.get("limit", 20), "agent_id": mcp.agent} | some(a, "project", "status")
    return mcp.ask("GET", f"/v1/sessions?{urlencode(query)}")


def decision_record(mcp: Mcp, a: Arguments) -> Any:
    more = some(a, "alternatives", "status", "metadata") | given(a, "tags")
    project = {"project_slug": a["project"]} if a.get("project") else {}
    body = {"title": a["title"], "rationale": a["rationale"], "agent_id": mcp.agent}
    return mcp.ask("POST", "/v1/decisions", body | project | more)


def decision_supersede(mcp: Mcp, a: Arguments) -> Any:
    body = given(a, "title", "rationale") | some(a, "alternatives") | given(a, "tags")
    return mcp.ask("POST", f"/v1/decisions/{a['id']}/supersede", body)


def decision_check(mcp: Mcp, a: Arguments) -> Any:
    wide = {"include_superseded": "true"} if a.get("include_superseded") else {}
    query = {"query": a["query"]} | some(a, "limit") | given(a, "threshold") | some(a, "project") | wide
    return mcp.ask("GET", f"/v1/decisions/check?{urlencode(query)}")


def pattern_create(mcp: Mcp, a: Arguments) -> Any:
    names = ("title", "description", "category", "example_code", "scope", "tags", "source_project")
    return mcp.ask("POST", "/v1/patterns", given(a, *names))


def project_register(mcp: Mcp, a: Arguments) -> Any:
    return mcp.ask("POST", "/v1/projects", some(a, "slug", "name", "description", "stack", "repo_url"))


def project_add_relationship(mcp: Mcp, a: Arguments) -> Any:
    details = {"metadata": a["details"]} if a.get("details") else {}
    body = {"target_project": a["to"], "relationship_type": a["type"]} | details
    return mcp.ask("POST", f"/v1/projects/{a['from']}/relationships", body)


def project_impact(mcp: Mcp, a: Arguments) -> Any:
    return mcp.ask("POST", "/v1/projects/impact-analysis", given(a, "project", "change_description"))


def project_shared_patterns(mcp: Mcp, a: Arguments) -> Any:
    return mcp.ask("GET", f"/v1/projects/shared-patterns?a={quote(a['project_a'])}&b={quote(a['project_b'])}")


def listing(path: str, *names: str, **defaults: int) -> Callable[[Mcp, Arguments], Any]:
    """Return a tool that lists something, with those of the named arguments that were given in its query."""

    def tool(mcp: Mcp, a: Arguments) -> Any:
        return mcp.ask("GET", f"{path}?{urlencode(defaults | some(a, *names))}")

    return tool


def getting(path: str, name: str) -> Callable[[Mcp, Arguments], Any]:
    """Return a tool that gets the thing its argument `name` names."""
    return lambda mcp, a: mcp.ask("GET", path.format(a[name]))


TOOLS: dict[str, Callable[[Mcp, Arguments], Any]] = {
    "memory_store": memory_store,
    "memory_search": memory_search,
    "memory_recall": memory_recall,
    "memory_list": listing("/v1/memories", "limit", "offset", limit=20, offset=0),
    "memory_get": getting("/v1/memories/{}", "id"),
    "memory_update": lambda m, a: m.ask("PATCH", f"/v1/memories/{a['id']}", given(a, "content", "metadata")),
    "memory_delete": memory_delete,
    "memory_forget": memory_forget,
    "memory_batch_store": memory_batch_store,
    "memory_context": memory_context,
    "memory_promote": lambda m, a: m.ask(
        "PUT", f"/v1/memories/{a['memory_id']}/importance", given(a, "importance") | some(a, "tier")
    ),
    "memory_health": memory_health,
    "memory_store_async": memory_store_async,
    "memory_status": getting("/v2/memories/{}/status", "memory_id"),
    "context_build": context_build,
    "entity_create": entity_create,
    "entity_link": entity_link,
    "entity_list": listing("/v1/entities", "limit", "offset", limit=20, offset=0),
    "entity_graph": entity_graph,
    "agent_list": listing("/v1/agents", "limit", limit=20, offset=0),
    "agent_create": agent_create,
    "agent_get": getting("/v1/agents/{}", "id"),
    "session_start": session_start,
    "session_end": lambda m, a: m.ask("PUT", f"/v1/sessions/{a['id']}/end", some(a, "summary")),
    "session_recall": getting("/v1/sessions/{}?include_memories=true", "id"),
    "session_list": session_list,
    "decision_record": decision_record,
    "decision_list": listing("/v1/decisions", "limit", "project", "status", "tags"),
    "decision_supersede": decision_supersede,
    "decision_check": decision_check,
    "pattern_create": pattern_create,
    "pattern_search": listing("/v1/patterns/search", "query", "category", "project", "limit", "threshold"),
    "pattern_adopt": lambda m, a: m.ask("POST", f"/v1/patterns/{a['id']}/adopt", {"project": a["project"]}),
    "pattern_suggest": listing("/v1/patterns/suggest", "project", "limit"),
    "project_register": project_register,
    "project_list": listing("/v1/projects", "limit", limit=20),
    "project_info": getting("/v1/projects/{}", "slug"),
    "project_context": getting("/v1/projects/{}/context", "project"),
    "project_add_relationship": project_add_relationship,
    "project_dependencies": getting("/v1/projects/{}/dependencies", "project"),
    "project_dependents": getting("/v1/projects/{}/dependents", "project"),
    "project_related": getting("/v1/projects/{}/related", "project"),
    "project_impact": project_impact,
    "project_shared_patterns": project_shared_patterns,
}

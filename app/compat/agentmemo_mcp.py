"""AgentMemo's tools for MCP: JSON-RPC over one POST, each tool a call of a route with the caller's own key."""

import contextvars
from typing import Any

import orjson
from flask import Response, current_app, jsonify, request

import app
from app.compat.agentmemo import DIALECT
from app.compat.agentmemo_account import public
from app.compat.agentmemo_schemas import TOOLS
from app.compat.frame import ANY_TYPE_PARSER, only
from app.errors import BadRequest
from app.request_id import HEADER, request_id

Row = dict[str, Any]

VERSION = "2025-06-18"
MOST = 100
NO_JSON, NO_REQUEST, NO_METHOD, WRONG = -32700, -32600, -32601, -32602
RENAMED = {"query": "q"}


@public.post("/mcp")
def mcp() -> tuple[Response, int]:
    """Speak MCP: initialize, ping, tools/list, tools/call"""
    try:
        sent = ANY_TYPE_PARSER.load_json(request, None)
    except BadRequest as error:
        return jsonify(failed(None, NO_JSON, error.message)), 400
    if isinstance(sent, list) and 0 < len(sent) <= MOST:
        answers = [answer for each in sent if (answer := answered(each)) is not None]
        return (jsonify(answers), 200) if answers else (Response(), 202)
    if not isinstance(sent, dict) or not sent:
        return jsonify(failed(None, NO_REQUEST, f"Send one request of JSON-RPC 2.0, or 1 to {MOST} in a list")), 400
    answer = answered(sent)
    return (Response(), 202) if answer is None else (jsonify(answer), 200)


def failed(id: Any, code: int, message: str) -> Row:
    """Return the JSON-RPC answer that tells of an error."""
    return {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}


def answered(sent: Any) -> Row | None:
    """Return the JSON-RPC answer to a request, None to a notification."""
    id = sent.get("id") if isinstance(sent, dict) else None
    method = sent.get("method") if isinstance(sent, dict) else None
    params = (sent.get("params") or {}) if isinstance(sent, dict) else None
    if not isinstance(method, str) or not isinstance(params, dict) or isinstance(id, dict | list | bool):
        return failed(None, NO_REQUEST, "Not a request of JSON-RPC 2.0")
    if "id" not in sent:
        return None
    if method == "initialize":
        found: Row | None = initialized(params)
    elif method == "tools/list":
        found = {"tools": told()}
    elif method == "tools/call":
        found = called(params.get("name"), params.get("arguments") or {})
        if found is None:
            return failed(id, WRONG, "There is no such tool, or `arguments` is no object; see tools/list")
    elif method == "ping":
        found = {}
    else:
        return failed(id, NO_METHOD, "There is no such method")
    return {"jsonrpc": "2.0", "id": id, "result": found}


def initialized(params: Row) -> Row:
    """Return what the server is, with the version of the protocol that the client speaks."""
    version = params.get("protocolVersion")
    return {
        "protocolVersion": version if isinstance(version, str) else VERSION,
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "loci", "version": app.__version__},
    }


def told() -> list[Row]:
    """Return the tools as MCP lists them."""
    return [{"name": name, **only(made, "description", "inputSchema")} for name, made in TOOLS.items()]


def called(name: Any, arguments: Any) -> Row | None:
    """Return what the route of a tool answers, as one text; None where there is no such tool."""
    if not isinstance(name, str) or name not in TOOLS or not isinstance(arguments, dict):
        return None
    verb, path = TOOLS[name]["route"]
    given = {RENAMED.get(key, key): value for key, value in arguments.items() if value is not None}
    sent: Row = {"json": given} if verb == "POST" else {"query_string": {key: word(it) for key, it in given.items()}}
    headers = {HEADER: request_id()}
    if key := request.headers.get("Authorization"):
        headers["Authorization"] = key
    client = current_app.test_client()
    # In a context of its own, as any other request: what Flask and the log know of this one is not for the route.
    response = contextvars.Context().run(
        client.open, DIALECT.prefix + path, method=verb, headers=headers, base_url=request.url_root,
        environ_base={"REMOTE_ADDR": request.remote_addr or ""}, **sent,
    )  # fmt: skip
    body = response.get_data(as_text=True)
    return {"content": [{"type": "text", "text": body}], "isError": not 200 <= response.status_code < 300}


def word(value: Any) -> str:
    """Return an argument as a query has it."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()

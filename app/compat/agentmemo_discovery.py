"""What AgentMemo tells of itself to programs that look around: the routes, the tools, and how to get a key."""

from typing import Any

from flask import Response, current_app, jsonify

import app
from app.auth import PUBLIC, needed_scope
from app.compat import agentmemo, agentmemo_account
from app.compat.agentmemo import DIALECT, STORES, base_url
from app.compat.agentmemo_account import public
from app.compat.agentmemo_mcp import VERSION, told
from app.compat.frame import SIGN_UPS, only
from app.state import state

Row = dict[str, Any]

# Here, because a blueprint is complete once all of its routes are read.
BLUEPRINTS = (agentmemo.blueprint, agentmemo_account.blueprint, public)
NAME = "Loci"
ABOUT = "A self-hosted memory server for AI agents that speaks AgentMemo's API."
AUTH = """# How to get a key

Every route but the public ones needs `Authorization: Bearer am_sk_...`. Get a key

- on the server: `loci keys create --dialect agentmemo`
- with a key that has the scope `admin`: `POST {base}/auth/keys` with `{{"name": "my-agent"}}`
- from `POST {base}/signup` with `{{"name": "my-agent"}}`: {signup}

Scopes: `read` finds, `write` stores and deletes, `*` is both. Each key has a namespace of its own unless one is named.
The limit of a key is {limit}.

Errors are `{{"error": {{"status", "message"}}, "code", "docs"}}`: 401 without a good key, 403 for a key that has ended
or lacks the scope.
"""
SCHEMES = {"bearer": {"type": "http", "scheme": "bearer"}}


def routes() -> list[tuple[str, str, str, bool]]:
    """Return (verb, path, summary, whether it needs a key) of every route, by path."""
    return sorted(
        (verb, path, (current_app.view_functions[rule.endpoint].__doc__ or "").strip(), needs != PUBLIC)
        for rule in current_app.url_map.iter_rules()
        if (path := rule.rule.removeprefix(DIALECT.prefix)) != rule.rule and path not in ("", "/")
        for verb in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if (needs := needed_scope(rule.endpoint, verb))
    )


@public.get("")
@public.get("/")
@public.get("/api")
def api() -> Row:
    """Say what this is, and which routes it has"""
    listed = [f"{verb} {path}" for verb, path, _, _ in routes()]
    return {"name": NAME, "version": app.__version__, "docs": f"{base_url()}/llms.txt", "endpoints": listed}


@public.get("/openapi.json")
def openapi() -> Row:
    """List the routes as OpenAPI"""
    paths: dict[str, Row] = {}
    for verb, path, summary, has_key in routes():
        security = [{"bearer": list[str]()}] if has_key else []
        responses = {"default": {"description": "JSON."}}
        paths.setdefault(path, {})[verb.lower()] = {"summary": summary, "security": security, "responses": responses}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{NAME}: AgentMemo", "version": app.__version__, "description": ABOUT},
        "servers": [{"url": base_url()}],
        "paths": paths,
        "components": {"securitySchemes": SCHEMES},
    }


@public.get("/llms.txt")
def llms() -> Response:
    """Say what this is, for language models"""
    listed = "\n".join(f"- `{verb} {path}`: {summary}" for verb, path, summary, _ in routes())
    links = "\n".join(f"- {base_url()}/{name}" for name in ("openapi.json", "auth.md", "mcp.json"))
    told = f"# {NAME}\n\n> {ABOUT} It is at {base_url()}\n\n## Routes\n\n{listed}\n\n## More\n\n{links}\n"
    return current_app.response_class(told, mimetype="text/plain")


@public.get("/auth.md")
def auth() -> Response:
    """Say how to get a key"""
    signup = "anybody may" if state().settings.signup else "off here"
    made = AUTH.format(base=base_url(), signup=signup, limit=DIALECT.plan.rates)
    return current_app.response_class(made, mimetype="text/markdown")


@public.get("/capabilities.json")
def capabilities() -> Row:
    """Say what this can do, and how often"""
    return {
        "name": NAME,
        "version": app.__version__,
        "description": ABOUT,
        "auth": {"type": "bearer", "scopes": list(DIALECT.scope_names), "signup": state().settings.signup},
        "limits": {"key": DIALECT.plan.rates, "stores_per_user": STORES.rates, "signups_per_ip": SIGN_UPS.rates},
        "tools": [tool["name"] for tool in told()],
        "mcp": f"{base_url()}/mcp",
        "openapi": f"{base_url()}/openapi.json",
    }


@public.get("/mcp.json")
def mcp_json() -> Row:
    """Say how to enter the MCP server into a client's settings"""
    server = {"type": "http", "url": f"{base_url()}/mcp", "headers": {"Authorization": "Bearer am_sk_..."}}
    return {"mcpServers": {"loci": server}}


@public.get("/.well-known/mcp/server-card.json")
def server_card() -> Row:
    """Describe the MCP server"""
    return {
        "serverInfo": {"name": "loci", "version": app.__version__},
        "description": ABOUT,
        "protocolVersion": VERSION,
        "transport": {"type": "streamable-http", "endpoint": f"{base_url()}/mcp"},
        "authentication": {"required": True, "schemes": list(SCHEMES)},
        "tools": told(),
    }


@public.get("/.well-known/agent-skills/index.json")
def agent_skills() -> Row:
    """List what agents can do here"""
    more = {"tags": ["memory"], "url": f"{base_url()}/mcp"}
    return {"skills": [{"id": made["name"], **only(made, "name", "description"), **more} for made in told()]}


@public.get("/.well-known/agent.json")
@public.get("/agent-card.json")
def agent_card() -> Row:
    """Describe the service as agents describe themselves"""
    return {
        "name": NAME,
        "description": ABOUT,
        "url": f"{base_url()}/mcp",
        "version": app.__version__,
        "documentationUrl": f"{base_url()}/llms.txt",
        "capabilities": {"streaming": False, "pushNotifications": False},
        "defaultInputModes": ["application/json"],
        "defaultOutputModes": ["application/json"],
        "securitySchemes": SCHEMES,
        **agent_skills(),
    }


@public.get("/.well-known/api-catalog")
def api_catalog() -> Response:
    """Lead to the other documents"""
    links = {"service-desc": "openapi.json", "service-doc": "llms.txt", "status": "health"}
    found = {name: [{"href": f"{base_url()}/{path}"}] for name, path in links.items()}
    response = jsonify({"linkset": [{"anchor": base_url(), **found}]})
    response.mimetype = "application/linkset+json"
    return response


@public.get("/.well-known/oauth-protected-resource")
def oauth() -> Row:
    """Say that keys are sent as bearer tokens, and that no OAuth server gives them"""
    return {
        "resource": base_url(),
        "authorization_servers": [],
        "bearer_methods_supported": ["header"],
        "scopes_supported": list(DIALECT.scope_names),
        "resource_documentation": f"{base_url()}/auth.md",
    }

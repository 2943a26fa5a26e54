"""What resources do to rows on their way out, and to bodies on their way in."""

from collections.abc import Callable
from typing import Any

import orjson
from flask import Response, current_app, jsonify, request

from app.errors import invalid
from app.schemas.common import METADATA_BYTES
from app.state import state
from graph.labels import NEVER

# Known clients that parse the answer of a DELETE as JSON, and report a failure (some repeat the call) when it is empty.
NEED_DELETE_BODY = ("@memoryrelay/mcp-server", "openclaw-memory-memoryrelay/", "openclaw-plugin-memoryrelay-ai/")


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with its JSON texts opened: `metadata` is always an object."""
    return {**row, "metadata": orjson.loads(row.get("metadata") or "{}")}


def stored(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body with its `metadata` as JSON text, the way the graph keeps it."""
    return {**body, "metadata": orjson.dumps(body.get("metadata") or {}).decode()}


def merged(metadata: str | None, patch: dict[str, Any]) -> str:
    """Return stored metadata with `patch` merged into it: a null value removes its key.

    Raises:
        Invalid: the result is larger than 10 KB.
    """
    result = orjson.loads(metadata or "{}")
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = value
    text = orjson.dumps(result)
    if len(text) > METADATA_BYTES:
        raise invalid("metadata", "must be at most 10 KB as JSON once merged")
    return text.decode()


def changes(body: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what turns a stored row into its new properties: the fields of `body`, metadata merged key by key."""

    def change(row: dict[str, Any]) -> dict[str, Any]:
        made = dict(body)
        if "metadata" in body:
            made["metadata"] = merged(row["metadata"], body["metadata"])
        return made

    return change


def deleted(noun: str, id: str) -> Response:
    """Answer a DELETE: 204, or 200 with a small object for a caller that asks for one or is known to need it."""
    if wants_body():
        return jsonify({"id": id, "object": noun, "deleted": True})
    response = current_app.response_class(status=204)
    del response.headers["Content-Type"]
    return response


def wants_body() -> bool:
    """Tell whether the caller of a DELETE must get a JSON body."""
    if "return=representation" in request.headers.get("Prefer", "").replace(" ", ""):
        return True
    more = tuple(part.strip() for part in state().settings.delete_body_agents.split(",") if part.strip())
    return request.headers.get("User-Agent", "").startswith((*NEED_DELETE_BODY, *more))


def memory_shown(row: dict[str, Any], is_duplicate: bool = False) -> dict[str, Any]:
    """Return a memory row as the wire shows it: "never" and "none" become null."""
    made = shown(row)
    for name in ("user_id", "session_id", "project_id"):
        made[name] = made[name] or None
    for name in ("occurred_at", "expires_at", "superseded_at"):
        made[name] = None if made[name] is None or made[name] >= NEVER else made[name]
    made["is_duplicate"] = is_duplicate
    return made

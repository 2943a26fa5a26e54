"""Azen's API document: OpenAPI 3.0.3 as YAML, made from the schemas."""

from functools import cache
from typing import Any

import marshmallow as ma
from apispec import APISpec

from app.compat import azen_schemas as schemas
from app.spec import Plugin

ERRORS = {
    400: "The body is not JSON, a field is wrong, or the id is no UUID (`invalid_request`).",
    401: "No key was sent (`unauthorized`).",
    403: "The key is unknown, revoked or expired, or may not do this (`forbidden`).",
    404: "There is no such memory (`not_found`).",
    413: "The body is too large (`internal_server_error`).",
    429: "The limit of the key is reached (`rate_limited`).",
    500: "Something went wrong (`internal_server_error`).",
    503: "The database or the embedder does not answer now (`internal_server_error`); `Retry-After` says when to try.",
}
ANY, BY_ID, WITH_BODY = (401, 403, 429, 500, 503), (400, 404), (400, 413)


@cache
def document(server: str, key_header: str) -> str:
    """Return the document as YAML. `server` is the base URL, `key_header` the header that brings the key."""
    spec = APISpec(
        "Azen Memory API",
        "1.0.0",
        "3.0.3",
        info={"description": "The Memory API of Azen, as this Loci server speaks it."},
        plugins=[Plugin()],
        servers=[{"url": server}],
        security=[{key_header: []}],
    )
    spec.components.security_scheme(key_header, {"type": "apiKey", "in": "header", "name": key_header})
    for status, description in ERRORS.items():
        spec.components.response(f"Error{status}", _answer(schemas.ErrorOut, description))
    one = [{"in": "path", "name": "id", "required": True, "schema": {"type": "string", "format": "uuid"}}]
    page = [{"in": "query", "schema": schemas.PageIn}]
    live = _operation("getLiveness", "Say that the server answers", schemas.LivenessOut, ())
    spec.path("/", operations={"get": {**live, "security": []}})
    create = _operation("createMemory", "Store a memory", schemas.CreatedOut, WITH_BODY, schemas.MemoryIn, status=201)
    listed = _operation("listMemories", "List memories, newest first", schemas.PageOut, (), parameters=page)
    spec.path("/memory", operations={"get": listed, "post": create})
    fetch = _operation("getMemory", "Get one memory", schemas.FetchedOut, BY_ID)
    delete = _operation("deleteMemory", "Delete one memory for good", schemas.DeletedOut, BY_ID)
    spec.path("/memory/{id}", operations={"get": fetch, "delete": delete}, parameters=one)
    search = _operation("searchMemories", "Find memories by meaning", schemas.FoundOut, WITH_BODY, schemas.SearchIn)
    spec.path("/memory/search", operations={"post": search})
    use = _operation("getUsage", "Creates and searches of the last 30 days", schemas.UsageOut, ())
    spec.path("/usage", operations={"get": use})
    return str(spec.to_yaml())


def _operation(
    id: str, summary: str, answer: type[ma.Schema], more: tuple[int, ...], body: type[ma.Schema] | None = None,
    status: int = 200, **rest: Any,
) -> dict[str, Any]:  # fmt: skip
    public = answer is schemas.LivenessOut
    wrong = sorted({*(() if public else ANY), *more})
    responses = {str(status): _answer(answer, " ".join((answer.__doc__ or "").split()))}
    made = {"operationId": id, "summary": summary, **rest}
    if body is not None:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return {**made, "responses": {**responses, **{str(one): f"Error{one}" for one in wrong}}}


def _answer(schema: type[ma.Schema], description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}

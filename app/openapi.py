"""What the OpenAPI document says beside the routes: title, security schemes, the shared error answers."""

from typing import Any

from app.api import Api
from app.errors import ApiError
from app.schemas.common import ErrorOut
from app.schemas.memories import BatchItem

OPTIONS: dict[str, Any] = {
    "API_TITLE": "Loci",
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": "/",
    "OPENAPI_JSON_PATH": "openapi.json",
    "API_SPEC_OPTIONS": {
        "info": {
            "description": "A memory server for AI agents over one Neo4j graph.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
    },
}

WAIT = {"Retry-After": ("Whole seconds to wait.", {"type": "integer", "minimum": 1})}
HEADERS: dict[int, dict[str, tuple[str, dict[str, Any]]]] = {
    401: {"WWW-Authenticate": ("Always `Bearer`.", {"type": "string"})},
    405: {"Allow": ("The verbs that are served.", {"type": "string"})},
    429: WAIT,
    503: WAIT,
}


def register_components(api: Api, errors: tuple[type[ApiError], ...]) -> None:
    """Describe both ways to send a key, and one answer for each kind of error."""
    components = api.spec.components
    components.security_scheme("bearer", {"type": "http", "scheme": "bearer", "bearerFormat": "mem_prod_..."})
    components.security_scheme("apiKey", {"type": "apiKey", "in": "header", "name": "X-API-Key"})
    components.schema("BatchItem", schema=BatchItem)  # checked one by one, so no schema refers to it
    for error in errors:
        description = (error.__doc__ or "").strip()
        answer = {"description": description, "content": {"application/json": {"schema": ErrorOut}}}
        if headers := HEADERS.get(error.status):
            answer["headers"] = {name: {"description": text, "schema": kind} for name, (text, kind) in headers.items()}
        components.response(error.__name__, answer)

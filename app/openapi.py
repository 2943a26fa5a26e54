"""What the OpenAPI document says beside the routes: title, security schemes, headers, the shared error answers."""

from typing import Any

from app import errors
from app.api import Api
from app.errors import ApiError
from app.schemas.common import ErrorOut
from app.schemas.memories import BatchItem
from app.spec import ALWAYS, COUNTED, headers

ABOUT = """A memory server for AI agents over one Neo4j graph.

**Keys.** Send a key as `Authorization: Bearer ...` or as `X-API-Key`. GET needs the scope `read`, DELETE the scope
`delete`, everything else `write`, unless an operation says otherwise. A key opens one tenant; things of other tenants
do not exist for it, so that they are answered with 404.

**Versions.** A path begins with its version. `/v2` holds what was added beside `/v1` (the asynchronous store, jobs,
context as a list); neither replaces the other. Within a version, fields and operations are only added. What is marked
deprecated works on, and names what to use instead; it goes with the next version at the earliest.

**Bodies** are JSON. Unknown fields are ignored, and an explicit null counts as an absent field.

**Lists** come in pages: send `next_cursor` as `cursor` for the next one, which neither skips nor repeats rows while
others write, or count with `limit` and `offset`.

**Errors** have one body. `type` says what kind it is, `message` what is wrong and how to put it right, and `details`
names each wrong field.
"""
OPTIONS: dict[str, Any] = {
    "API_TITLE": "Loci",
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": "/",
    "OPENAPI_JSON_PATH": "openapi.json",
    "API_SPEC_OPTIONS": {
        "info": {"description": ABOUT, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "servers": [{"url": "/"}],
    },
}

WHOLE = {"type": "integer", "minimum": 0}
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "Id of the request: the one sent in this header, else a new one. Logs and errors carry it.",
        "required": True,
        "schema": {"type": "string", "example": "req_3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90"},
    },
    "X-RateLimit-Limit": {
        "description": "Requests the key may make in a window; 1,000,000 where there is no limit.",
        "schema": {**WHOLE, "example": 100},
    },
    "X-RateLimit-Remaining": {
        "description": "Requests left in the present window.",
        "schema": {**WHOLE, "example": 97},
    },
    "X-RateLimit-Reset": {
        "description": "When the window ends, in unix seconds.",
        "schema": {**WHOLE, "example": 1773655200},
    },
    "Retry-After": {
        "description": "Whole seconds to wait before trying again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1, "example": 5},
    },
    "WWW-Authenticate": {
        "description": "Always `Bearer`.",
        "required": True,
        "schema": {"type": "string", "const": "Bearer", "example": "Bearer"},
    },
}
OWN_HEADERS: dict[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
# These may be sent before it is known whose count the request belongs to.
UNCOUNTED = (401, 500, 503)
# What an error of each status may say.
SAID = {
    400: "The body is not valid JSON",
    401: "Send an API key as `Authorization: Bearer <key>` or `X-API-Key: <key>`",
    403: "This key lacks the scope `write`",
    404: "Memory not found",
    409: "There is an agent of that name already",
    410: "What follows cursor 12 is not kept; cursors from 1040 to 2210 are good",
    413: "The body is too large; send at most 24 MB",
    415: "Send the body as `Content-Type: application/json`",
    422: "content: must not be blank",
    429: "Rate limit exceeded (100 per 1 minute). Try again in 5 seconds",
    500: "Something went wrong here; the request id leads to its log line",
    503: "The database cannot be reached now; try again",
}
WRONG = {"field": "content", "message": "must not be blank"}


def register_components(api: Api, kinds: tuple[type[ApiError], ...]) -> None:
    """Describe both ways to send a key, the headers of answers, and one answer for each status of an error."""
    components = api.spec.components
    components.security_scheme(
        "bearer", {"type": "http", "scheme": "bearer", "description": "An API key, such as `mem_prod_...`."}
    )
    components.security_scheme(
        "apiKey", {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."}
    )
    components.schema("BatchItem", schema=BatchItem)  # checked one by one, so no schema refers to it
    for name, header in HEADERS.items():
        components.header(name, header)
    for error in kinds:
        # The document lists what operations answer: no operation has a verb that is not served, and so on.
        if error.status in SAID and error is errors.BY_STATUS[error.status]:
            components.response(error.__name__, answer(error))


def answer(error: type[ApiError]) -> dict[str, Any]:
    """Return how the document describes the answer to an error."""
    shown = errors.body(error(SAID[error.status], [WRONG] if error.status == 422 else None), SHOWN_ID)
    counted = () if error.status in UNCOUNTED else COUNTED
    return {
        "description": " ".join((error.__doc__ or "").split()),
        "headers": headers(*ALWAYS, *OWN_HEADERS.get(error.status, ()), *counted),
        "content": {"application/json": {"schema": ErrorOut, "example": shown}},
    }


SHOWN_ID = HEADERS["X-Request-ID"]["schema"]["example"]

"""Azen: its hosted Memory API under `/azen/api/v1`, for its clients and for plain HTTP.

What it calls an organisation is the tenant of the key; its memories are those of the agent `azen`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from flask import Response, current_app
from werkzeug.datastructures import Headers

from app.answers import shown
from app.auth import principal, require
from app.compat.azen_schemas import MemoryIn, PageIn, SearchIn
from app.compat.azen_spec import document
from app.compat.frame import ANY_TYPE_PARSER, Blueprint, body_of, iso_ms, query_of, random_text, wrote
from app.dialects import Cors, Dialect, Plan
from app.errors import ApiError, KeyRefused, RateLimited, Unauthorized, invalid
from app.pagination import Position
from app.schemas.common import is_blank
from app.schemas.memories import MemoryFilter
from app.schemas.memories_v2 import MemoryAccept
from app.schemas.search import SearchIn as NativeSearchIn
from app.services.accept import accept
from app.services.forget import delete_memory
from app.services.listing import Listing, one
from app.services.recall import search
from app.services.usage import Calls, daily, last_days
from app.state import state

PREFIX = "/azen"
API = PREFIX + "/api/v1"
AGENT = "azen"
KEY_HEADER = "azen-api-key"
RANDOM_CHARACTERS = 43  # 256 bits
TOKENS = {400: "invalid_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "rate_limited"}
OTHER = "internal_server_error"
# What the generated client sends with every request; a browser asks leave for each of them.
CLIENT_HEADERS = (
    "User-Agent", "X-Stainless-Lang", "X-Stainless-Package-Version", "X-Stainless-OS", "X-Stainless-Arch",
    "X-Stainless-Runtime", "X-Stainless-Runtime-Version", "X-Stainless-Retry-Count", "X-Stainless-Timeout",
)  # fmt: skip

# Its texts pass when they are blank, which ours refuse: they are added to the loaded body.
NEW = MemoryAccept(partial=("content",))
ASKED = NativeSearchIn(partial=("query",))


class Azen(Dialect):
    """Azen's keys, errors, limits and rules for browsers."""

    name = "azen"
    prefix = PREFIX
    scopes = ("read", "write", "delete")
    scope_names: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "memory.read": ("read",), "memory.write": ("write",), "memory.delete": ("delete",), "usage.read": ("read",),
    }  # fmt: skip
    # What it opens is encrypted, which nobody expects of the namespace that everything else is in.
    namespace = "azen"
    encryption = "all"
    plan = Plan("60/minute")
    cors = Cors(
        ("GET", "POST", "DELETE"),
        ("Content-Type", KEY_HEADER, "Accept", *CLIENT_HEADERS),
        shown_headers=("Retry-After",),
    )

    def new_key(self) -> str:
        """Return `az_` and random letters and digits."""
        return "az_" + random_text(RANDOM_CHARACTERS)

    def presented_key(self, headers: Headers) -> str:
        """Return the key of the one header that Azen knows."""
        if key := headers.get(KEY_HEADER, "").strip():
            return key
        raise Unauthorized(f"Send an API key in the header `{KEY_HEADER}`")

    def shown(self, error: ApiError) -> tuple[Any, int]:
        """Return Azen's envelope; a wrong field is a 400, and a key that is sent but no good a 403."""
        status = 403 if isinstance(error, KeyRefused) else 400 if error.status == 422 else error.status
        return {"status": TOKENS.get(status, OTHER), "message": error.message, "code": status}, status

    def error_headers(self, error: ApiError) -> Mapping[str, str]:
        """Leave out what Azen never sends: how to authenticate, and when a limit ends."""
        return {} if isinstance(error, (Unauthorized, RateLimited)) else error.headers


pages = Blueprint("azen_pages", __name__, prefix=PREFIX, access="public")
blueprint = Blueprint("azen", __name__, prefix=API)


@pages.get("")
@pages.get("/")
def greeting() -> Response:
    """Greet whoever looks in."""
    return current_app.response_class("Azen's memory API, served by Loci\n", mimetype="text/plain")


@pages.get("/openapi.yaml")
def openapi() -> Response:
    """Answer the API document."""
    response = current_app.response_class(document(API, KEY_HEADER), mimetype="application/yaml")
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


@pages.get("/api/v1")
@pages.get("/api/v1/")
def liveness() -> dict[str, Any]:
    """Say that the server answers."""
    return {"status": "ok"}


@blueprint.post("/memory")
def create_memory() -> tuple[dict[str, Any], int]:
    """Store a memory; search finds it when a worker has embedded it."""
    body = body_of(MemoryIn, ANY_TYPE_PARSER)
    kept = accept(state(), principal(), {**NEW.load({"agent_id": AGENT}), "content": body["text"]})
    created = iso_ms(kept.created_at or 0)
    return _done(memoryId=wrote(kept.id), createdAt=created, embedding="processing"), 201


@blueprint.get("/memory")
def list_memories() -> dict[str, Any]:
    """List memories, newest first."""
    page, per = (query_of(PageIn)[name] for name in ("page", "per"))
    listing = Listing(state(), principal(), MemoryFilter().load({}))
    total, offset = listing.count(), (page - 1) * per
    rows = listing.rows(Position(offset=offset), per) if offset < total else []
    shown_rows = [_memory(row) for row in rows]
    return _done(memories=shown_rows, page=page, per=per, total_pages=-(-total // per), total_count=total)


@blueprint.get("/memory/<memory_id>")
def get_memory(memory_id: str) -> dict[str, Any]:
    """Get one memory."""
    return _done(memory=_memory(one(state(), principal(), memory_id)))


@blueprint.delete("/memory/<memory_id>")
def delete_one(memory_id: str) -> dict[str, Any]:
    """Delete one memory for good."""
    delete_memory(state(), principal(), memory_id)
    return _done(deleted=True, memoryId=memory_id, message="Memory deleted")


@blueprint.post("/memory/search")
@require("read")
def search_memories() -> dict[str, Any]:
    """Find memories by meaning, best first; each is one match."""
    body = body_of(SearchIn, ANY_TYPE_PARSER)
    wanted = {**ASKED.load({"limit": body["topK"]}), "query": body["query"]}
    hits = [] if is_blank(body["query"]) else search(state(), principal(), wanted).hits
    matches = [{"id": f"{hit.memory['id']}::0", "score": hit.score, "values": []} for hit in hits]
    return _done(memories=[_memory(hit.memory) for hit in hits], rawMatches=matches)


@blueprint.route("/memory/search", methods=["GET", "DELETE"])
def search_is_no_id() -> Response:
    """Refuse `search` as an id, as any other word."""
    raise invalid("memory_id", "must be a UUID; search with POST")


@blueprint.get("/usage")
def usage() -> dict[str, Any]:
    """Add up the creates and searches of the last 30 days, of all keys of the tenant."""
    days = last_days()
    creates, searches = (
        daily(state(), principal(), f"POST {API}{path}", days) for path in ("/memory", "/memory/search")
    )
    return _added_up(days, creates, searches)


def _added_up(days: Sequence[str], creates: Sequence[Calls], searches: Sequence[Calls]) -> dict[str, Any]:
    both = list(zip(creates, searches, strict=True))
    series = {
        "memory_create": [made.requests - made.errors for made in creates],
        "memory_search": [found.requests - found.errors for found in searches],
        "total": [made.requests + found.requests for made, found in both],
        "success": [made.requests - made.errors + found.requests - found.errors for made, found in both],
        "error": [made.errors + found.errors for made, found in both],
    }
    sums = {
        "total_requests": "total", "success_count": "success", "error_count": "error", "memory_count": "memory_create",
        "search_count": "memory_search",
    }  # fmt: skip
    return {
        "range": {"start": days[0], "end": days[-1]},
        "labels": days,
        "series": series,
        "summary": {name: sum(series[of]) for name, of in sums.items()},
    }


def _done(**fields: Any) -> dict[str, Any]:
    return {"status": "success", **fields}


def _memory(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "content": row["content"],
        "metadata": shown(row)["metadata"] or None,
        "createdAt": iso_ms(row["created_at"]),
        "embedded": row["extraction_status"] == "ready",
    }

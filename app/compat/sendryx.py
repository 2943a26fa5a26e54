"""Sendryx: a namespace of short memories, each key bound to one. Memories are named by their number in the tenant."""

import math
import secrets
from collections.abc import Mapping
from typing import Any

from flask import Response, redirect
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response as Redirect

from app import limits
from app.answers import memory_shown
from app.api import without_vectors
from app.auth import caller_if_any, principal
from app.compat.frame import ANY_TYPE_PARSER, Blueprint, body_of, count_sign_up, iso_ms, only, query_of, wrote
from app.compat.sendryx_schemas import ForgetIn, KeyIn, ListIn, SearchIn, StoreIn
from app.dialects import Dialect, Plan, answer
from app.embeddings import EmbedderError
from app.errors import ApiError, BadRequest, Forbidden, Internal, RateLimited, Unauthorized
from app.pagination import Position
from app.recording import counted_as
from app.schemas.memories import MemoryCreate, MemoryFilter
from app.schemas.search import SearchIn as NativeSearch
from app.scopes import allows
from app.services import holdings
from app.services.bulk_delete import bulk_delete
from app.services.forget import delete_memory
from app.services.keys import key_for
from app.services.listing import Listing, numbered
from app.services.lookup import memory_stored
from app.services.recall import search as recall
from app.services.remember import remember
from app.state import state

AGENT = "sendryx"
# Said in other words by the native API.
REFUSED = {415: 400, 422: 400}


class Sendryx(Dialect):
    """Keys, errors and limits of Sendryx."""

    name = "sendryx"
    prefix = "/sendryx"
    scopes = ("read", "write", "delete")
    plan = Plan("60/minute;600/hour", "sliding")

    def new_key(self) -> str:
        return f"sk-gw-{secrets.token_hex(32)}"

    def presented_key(self, headers: Headers) -> str:
        return headers.get("X-API-Key", "").strip() or super().presented_key(headers)

    def shown(self, error: ApiError) -> tuple[Any, int]:
        wait = {"retry_after_seconds": error.wait} if isinstance(error, RateLimited) else {}
        return {"success": False, "message": error.message, **wait}, REFUSED.get(error.status, error.status)


SENDRYX = Sendryx()
# As usage is counted by route.
STORE, SEARCH = "POST /sendryx/v1/memory/store", "GET /sendryx/v1/memory/search"
FORGET, WIPE = "DELETE /sendryx/v1/memory/forget", "/sendryx/v1/memory/forget?wipe=true"
blueprint = Blueprint("sendryx", __name__, prefix=f"{SENDRYX.prefix}/v1/memory")
public = Blueprint("sendryx-keys", __name__, prefix=SENDRYX.prefix, access="public")


@blueprint.errorhandler(EmbedderError)
def no_vectors(error: EmbedderError) -> Response:
    """Answer 500 where the model does not: clients of this API know no 503."""
    said = without_vectors(error)
    return answer(Internal(said.message, headers=said.headers))


@blueprint.post("/store")
def store() -> tuple[dict[str, Any], int]:
    """Store a memory"""
    body = body_of(StoreIn, ANY_TYPE_PARSER)
    ends = {"ttl_seconds": body.pop("expires_in_seconds")} if "expires_in_seconds" in body else {}
    kept = remember(state(), principal(), [MemoryCreate().load({**body, **ends, "agent_id": AGENT})])[0]
    return {"success": True, "memory": shown(memory_stored(state(), principal(), wrote(kept.id)))}, 201


@blueprint.get("/search")
def search() -> dict[str, Any]:
    """Find memories by meaning"""
    found = recall(state(), principal(), NativeSearch().load(query_of(SearchIn)))
    return {"success": True, "results": [{**shown(hit.memory), "similarity": hit.score} for hit in found.hits]}


@blueprint.delete("/forget")
def forget() -> dict[str, Any]:
    """Delete one memory, or all of the namespace"""
    wanted = asked(query_of(ForgetIn), body_of(ForgetIn, ANY_TYPE_PARSER))
    if ("id" in wanted) == wanted.get("wipe", False):
        raise BadRequest("Send either `id`, a positive integer, or `wipe=true`, which deletes the whole namespace")
    if "id" in wanted:
        delete_memory(state(), principal(), wrote(numbered(state(), principal(), wanted["id"])))
        return {"success": True, "deleted": 1, "message": f"Memory {wanted['id']} was deleted"}
    counted_as(WIPE)
    everything = {"dry_run": False, "include_expired": True}
    gone = bulk_delete(state(), principal(), everything, math.inf)["deleted"]
    said = f"{gone} memories were deleted from the namespace {principal().namespace}"
    return {"success": True, "deleted": gone, "message": said}


@blueprint.get("/list")
def listed() -> dict[str, Any]:
    """List memories, newest first"""
    args = query_of(ListIn)
    wanted = {**MemoryFilter().load({}), "include_expired": args.pop("include_expired")}
    listing = Listing(state(), principal(), wanted)
    rows = listing.rows(Position(offset=args["offset"]), args["limit"])
    return {"success": True, "memories": [shown(row) for row in rows], "total": listing.count(), **args}


@blueprint.get("/stats")
def stats() -> dict[str, Any]:
    """Count the memories by whether and how they end"""
    found = holdings.held(state(), principal())
    counts = {"total_memories": "total", "permanent": "permanent", "active_ttl": "active", "expired": "expired"}
    told = {name: str(found[of]) for name, of in counts.items()}
    times = {name: iso(found[name]) for name in ("oldest_at", "newest_at")}
    return {"success": True, "namespace": principal().namespace, "stats": {**told, **times}}


@blueprint.get("/usage")
def usage() -> dict[str, Any]:
    """Count the calls made, and what the memories take"""
    done, last = holdings.calls(state(), principal(), [STORE, SEARCH, FORGET, f"DELETE {WIPE}"])
    names = ("total_stores", "total_searches", "total_deletes", "total_wipes")
    held = holdings.held(state(), principal())
    texts = holdings.characters(state(), principal())
    vectors = holdings.vector_bytes(state(), held["total"])
    return {
        "success": True,
        "namespace": principal().namespace,
        "calls": {**{name: str(n) for name, n in zip(names, done, strict=True)}, "last_called_at": iso(last)},
        "storage": {
            "total_memories": held["total"],
            "permanent_count": held["permanent"],
            "active_ttl_count": held["active"],
            "expired_count": held["expired"],
            "content_bytes": texts,
            "embedding_bytes": vectors,
            "total_bytes": texts + vectors,
            "total_kb": f"{(texts + vectors) / 1024:.2f}",
            "total_mb": f"{(texts + vectors) / 1024**2:.4f}",
        },
    }


@public.post("/v1/keys")
def keys() -> dict[str, Any]:
    """Make a key: for an admin any, where LOCI_SIGNUP lets anybody one for a new namespace"""
    caller = caller_if_any()
    limits.spend(SENDRYX.plan, limits.caller(), "keys")
    if caller is None and not state().settings.signup:
        raise Unauthorized("Making a key needs one with the scope `admin`, as `X-API-Key`; see docs/compatibility.md")
    if caller is None:
        count_sign_up()
    if caller is not None and not allows(caller.scopes, "admin"):
        raise Forbidden("Making a key needs one with the scope `admin`")
    body = {**body_of(KeyIn, ANY_TYPE_PARSER), "scopes": SENDRYX.scopes}
    account = caller.account if caller else None
    key, row = key_for(state(), account, body.pop("namespace"), body, SENDRYX)
    made = only(row, "namespace", "name", id=key_number, created_at=iso_ms)
    return {"success": True, "key": {**made, "key": key}}


@public.get("/app")
def app() -> Redirect:
    """Lead to the page where keys can be made, with `POST /v1/keys`"""
    return redirect("/docs")


def asked(*places: Mapping[str, Any]) -> dict[str, Any]:
    """Return what query and body ask for together.

    Raises:
        BadRequest: they contradict each other.
    """
    found: dict[str, Any] = {}
    for name, value in ((name, value) for place in places for name, value in place.items()):
        if found.setdefault(name, value) != value:
            raise BadRequest(f"{name}: the query says one thing and the body another")
    return found


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a memory as this API shows it."""
    made = only(memory_shown(dict(row)), "content", "metadata", created_at=iso_ms, expires_at=iso)
    return {"id": row["seq"], "namespace": principal().namespace, **made}


def iso(ms: int | None) -> str | None:
    """Return epoch milliseconds as `iso_ms` does, and None as None."""
    return None if ms is None else iso_ms(ms)


def key_number(id: str) -> int:
    """Return the number that stands for the UUID of a key: its first 48 bits, which every client can count with."""
    return int(id.replace("-", "")[:12], 16)

"""AgentMemo: store, retrieve, forget, and what its Python client calls beside them."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import orjson
import structlog
from flask import g, request
from marshmallow import ValidationError

from app.auth import principal
from app.clock import now_ms
from app.compat import agentmemo_form as form
from app.compat.agentmemo_schemas import OWN, Batch, Context, Feedback, Forget, Retrieve, Stats, Stored
from app.compat.frame import ANY_TYPE_PARSER, Blueprint, body_of, only, query_of, random_text, wrote
from app.dialects import Cors, Dialect, Left, Plan
from app.embeddings import EmbedderError
from app.errors import ApiError, KeyRefused, NotAvailable, RateLimited, Unauthorized
from app.limits import spend
from app.pagination import Position
from app.schemas.search import SearchIn
from app.services.accept import accept
from app.services.bulk_delete import bulk_delete
from app.services.forget import delete_memory
from app.services.listing import Listing
from app.services.lookup import memory_groups, memory_stored, same_text
from app.services.recall import search
from app.services.remember import content_hash, remember
from app.services.revise import revise
from app.state import state

log = structlog.get_logger()
Row = dict[str, Any]

CODES = {
    400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 409: "conflict", 429: "rate_limited",
}  # fmt: skip
STORES = Plan("100/hour")
NEUTRAL, GOOD = 0.5, {"success": 1.0, "failure": 0.0}
KEPT, LEARNT = 0.7, 0.3
MOST_TOLD = 500
NOBODY = ""
STALE_MS = 30 * 86_400_000
SEARCH = SearchIn().load({"query": "-"})
SHAPES: dict[str, Callable[[str], str]] = {
    "raw": lambda told: told,
    "anthropic": lambda told: f"<memory>\n{told}\n</memory>" if told else "",
    "openai": lambda told: f"What is remembered of this user:\n{told}" if told else "",
}


class AgentMemo(Dialect):
    """How AgentMemo speaks. Errors serve its documentation (`error` is an object) and its clients (`code`) alike."""

    name = "agentmemo"
    prefix = "/agentmemo"
    scopes = ("read", "write", "delete")
    scope_names = {"read": ("read",), "write": ("write", "delete"), "*": ("read", "write", "delete")}
    own_namespace = True
    plan: ClassVar[Plan] = Plan("100/minute")
    cors = Cors(("GET", "POST", "DELETE", "OPTIONS"), ("Authorization", "Content-Type"))

    def new_key(self) -> str:
        return "am_sk_" + random_text(40)

    def presented_key(self, headers: Any) -> str:
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("Send the key as `Authorization: Bearer am_sk_...`")
        return str(token.strip())

    def shown(self, error: ApiError) -> tuple[Any, int]:
        ended = isinstance(error, KeyRefused) and error.ended
        status = 403 if ended else 400 if error.status in (415, 422) else error.status
        body: Row = {
            "error": {"status": status, "message": error.message},
            "code": CODES.get(status, error.type),
            "docs": f"{base_url()}/llms.txt",
        }
        if wait := whole_window(error):
            body["retry_after_seconds"] = wait
        return body, status

    def error_headers(self, error: ApiError) -> Mapping[str, str]:
        wait = whole_window(error)
        return {**error.headers, "Retry-After": str(wait)} if wait else error.headers

    def limit_headers(self, left: Left) -> dict[str, str]:
        return {"x-ratelimit-limit": str(left.limit), "x-ratelimit-remaining": str(left.remaining)}


def whole_window(error: ApiError) -> int:
    """Return the wait that is documented for a key's own limit, a window, however much of it is left; else 0."""
    return 60 if isinstance(error, RateLimited) and error.period == "minute" else 0


DIALECT = AgentMemo()
blueprint = Blueprint("agentmemo", __name__, prefix=f"{DIALECT.prefix}/memory")


def base_url() -> str:
    """Return the address that clients are given, as this request reached it."""
    return request.url_root.rstrip("/") + DIALECT.prefix


def count_store(user_id: str) -> None:
    """Count a store against what a user of the key may have of them.

    Raises:
        RateLimited: it is one too many.
    """
    left = g.get("left")
    try:
        spend(STORES, f"key:{principal().key_id}", f"stores:{hashlib.sha256(user_id.encode()).hexdigest()}")
    finally:
        # The headers tell of the key's own limit.
        g.left = left


def keep(bodies: Sequence[Row]) -> tuple[list[str], bool]:
    """Store native bodies; return the ids and whether search finds them already.

    Without an embedder they are accepted, and embedded by a worker when it answers again.
    """
    g.tokens = sum(form.tokens(each["content"]) for each in bodies)
    try:
        return [stored.id for stored in remember(state(), principal(), bodies)], True
    except EmbedderError as error:
        log.warning("stored_without_vectors", reason=type(error).__name__)
        return [accept(state(), principal(), each).id for each in bodies], False


def twin_of(made: Row) -> str | None:
    """Return the id of the memory that says what a native body says, of the same agent and user."""
    return same_text(state(), principal(), made["agent_id"], made["user_id"], made["content"])


@blueprint.post("/store")
def store() -> tuple[Row, int]:
    """Store a memory; 200 where the same text is there already"""
    asked = body_of(Stored, ANY_TYPE_PARSER)
    made = form.body(asked)
    count_store(made["user_id"])
    if twin := twin_of(made):
        digest = content_hash(made["content"])
        return {"status": "duplicate", "id": form.shown_id(twin), "deduplicated": True, "content_hash": digest}, 200
    ids, embedded = keep([made])
    row = form.shown([memory_stored(state(), principal(), wrote(ids[0]))])[0]
    told = {"embedded": embedded, "status": "stored" if embedded else "queued"}
    return {**row, **told, "trust_score": 1.0, "contradiction": None, "conflict": None}, 201


@blueprint.post("/batch")
def batch() -> tuple[Row, int]:
    """Store up to 100 memories; those that are incomplete or there already are skipped"""
    made: dict[tuple[str, ...], Row] = {}
    twins = wrong = 0
    for raw in body_of(Batch, ANY_TYPE_PARSER)["memories"]:
        try:
            each = form.body(Stored().load(raw))
        except (ValidationError, ApiError):
            wrong += 1
            continue
        place = (each["agent_id"], each["user_id"], content_hash(each["content"]))
        if place in made or twin_of(each):
            twins += 1
        else:
            made[place] = each
    ids = keep(list(made.values()))[0] if made else []
    answer = {"stored": len(ids), "skipped": wrong, "duplicates_skipped": twins}
    return {**answer, "ids": [form.shown_id(id) for id in ids]}, 201


def users(asked: Row) -> list[str]:
    """Return the user that is asked about, and nobody where other APIs stored memories of no user: these are all's."""
    shared = Listing(state(), principal(), {"user_id": NOBODY}).rows(Position(), 1)
    return [asked["user_id"], NOBODY] if shared else [asked["user_id"]]


def recalled(asked: Row, now: int) -> list[tuple[Row, float]]:
    """Return the memories that answer a loaded `Retrieve`, best first, each with its score."""

    def look(user: str, filters: list[Row]) -> list[tuple[Row, float]]:
        scope, plain = form.scope(asked, user, filters), only(asked, "limit", "min_score")
        hits = search(state(), principal(), {**SEARCH, **scope, **plain, "query": asked["q"]}).hits
        return [(hit.memory, round(hit.score, 6)) for hit in hits]

    found = []
    for user in users(asked):
        # Few memories have an interval, and to ask for it costs every search a look at the metadata of all others.
        hits = look(user, form.conditions(asked))
        if not all(form.holds(row, now) for row, _ in hits):
            hits = look(user, form.conditions(asked) + form.held(now))
        found += hits
    return sorted(found, key=lambda hit: -hit[1])[: asked["limit"]]


def newest(asked: Row, now: int) -> list[tuple[Row, None]]:
    """Return the memories that a loaded `Retrieve` may be answered with, newest first."""
    filters, found = form.conditions(asked) + form.held(now), list[Row]()
    for user in users(asked):
        listing = Listing(state(), principal(), form.scope(asked, user, filters))
        found += listing.rows(Position(), asked["limit"])
    found.sort(key=lambda row: (-row["created_at"], -row["seq"]))
    return [(row, None) for row in found[: asked["limit"]]]


@blueprint.get("/retrieve")
def retrieve() -> Row:
    """Find memories of a user by meaning; the newest ones where nothing can be embedded"""
    asked, now = query_of(Retrieve), now_ms()
    hits: Sequence[tuple[Row, float | None]]
    try:
        hits, semantic = recalled(asked, now), True
        g.tokens = form.tokens(asked["q"])
    except EmbedderError as error:
        log.warning("recalled_without_vectors", reason=type(error).__name__)
        hits, semantic = newest(asked, now), False
    rows = form.shown([row for row, _ in hits])
    results = [{**row, "score": score} for row, (_, score) in zip(rows, hits, strict=True)]
    said = {name: asked.get(name) for name in ("user_id", "agent_id", "namespace")}
    return {"query": asked["q"], **said, "semantic": semantic, "count": len(results), "results": results}


@blueprint.delete("/forget")
def forget() -> Row:
    """Delete a memory, or all of a user"""
    asked = query_of(Forget)
    if "id" in asked:
        delete_memory(state(), principal(), wrote(form.stored_id(asked["id"])))
        return {"deleted": 1}
    wanted = {
        "user_id": asked["user_id"],
        "agent_id": form.agent(asked.get("agent_id")),
        "dry_run": False,
        "include_expired": True,
    }
    gone = bulk_delete(state(), principal(), wanted)
    if gone["has_more"]:
        raise NotAvailable(f"{gone['deleted']} of {gone['matched']} are deleted so far; send this again")
    return {"deleted": gone["deleted"]}


@blueprint.get("/context")
def context() -> Row:
    """Put a user's memories together for a prompt, the most important ones first"""
    asked, now = query_of(Context), now_ms()
    rows = Listing(state(), principal(), form.scope(asked, asked["user_id"], [])).rows(Position(), MOST_TOLD)
    rows = sorted((row for row in rows if form.holds(row, now)), key=lambda row: -row["importance"])
    lines = ["- " + " ".join(row["content"].split()) for row in rows]
    shape, kept = SHAPES[asked["format"]], list[str]()
    for line in lines:
        if form.tokens(shape("\n".join([*kept, line]))) <= asked["max_tokens"]:
            kept.append(line)
    told = shape("\n".join(kept))
    return {
        "context": told,
        "token_count": form.tokens(told),
        "memories_used": len(kept),
        "memories_available": len(lines),
        "formatted": {name: made("\n".join(kept)) for name, made in SHAPES.items()},
        "tokens_saved": form.tokens(shape("\n".join(lines))) - form.tokens(told),
    }


@blueprint.post("/feedback")
def feedback() -> Row:
    """Say how a memory has served; its outcome score follows slowly"""
    asked = body_of(Feedback, ANY_TYPE_PARSER)
    made: Row = {}

    def judged(before: Row) -> Row:
        old = before.get(OWN + "outcome_score", GOOD.get(before.get(OWN + "outcome", ""), NEUTRAL))
        # What is said without confidence counts as if nothing was known.
        target = NEUTRAL + (GOOD[asked["outcome"]] - NEUTRAL) * asked["confidence"]
        made.update(outcome=asked["outcome"], outcome_score=round(KEPT * old + LEARNT * target, 6))
        return {OWN + name: value for name, value in made.items()}

    revise(state(), principal(), wrote(form.stored_id(asked["memory_id"])), {}, judged)
    return {"memory_id": asked["memory_id"], **made}


@blueprint.get("/stats")
def stats() -> Row:
    """Count memories, of a user or of all"""
    rows = memory_groups(state(), principal(), now_ms() - STALE_MS, query_of(Stats).get("user_id"))
    total = sum(row["total"] for row in rows)
    counts: dict[str, dict[str, int]] = {"namespace": {}, "category": {}, "outcome": {}}
    for row in rows:
        known = form.facts(row["memory_type"], orjson.loads(row["metadata"] or "{}"))
        for name, found in counts.items():
            found[known[name]] = found.get(known[name], 0) + row["total"]
    return {
        "total_memories": total,
        **{f"by_{name}": found for name, found in counts.items()},
        "avg_importance": round(10 * sum(row["importance"] for row in rows) / total, 2) if total else 0,
        "stale_count": sum(row["unchanged"] for row in rows),
        "oldest_memory": min((row["oldest"] for row in rows), default=None),
        **dict.fromkeys(("compressed_count", "conflict_count", "memory_quality_score", "quality_breakdown")),
    }

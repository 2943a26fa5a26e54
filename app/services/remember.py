"""The write path: check references, embed, find names, and commit a memory with all its links at once."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from app.auth import Principal
from app.clock import now_ms
from app.ids import is_uuid, new_id
from app.services.classify import classify
from app.services.extract import KnownNames, Mention, extract
from app.services.memory_windows import Embedded, embedded
from app.services.recall import find_duplicate
from app.services.refer import NOBODY, agent_named
from app.state import State
from graph.agents import AgentRepository
from graph.driver import Transaction
from graph.entities import EntityRepository
from graph.errors import BadReference
from graph.jobs import JobRepository
from graph.labels import NEVER, NONE, scope_token
from graph.memories import MemoryRepository
from graph.memory_history import MemoryHistoryRepository
from graph.memory_windows import MemoryWindowRepository
from graph.naming import shown_name
from graph.projects import ProjectRepository
from graph.queue import MEMORIES
from graph.records import vector as packed
from graph.repository import Tenanted
from graph.sessions import SessionRepository

HOT, WARM = 0.8, 0.4
# Kinds of jobs on a memory.
EMBED, EXTRACT, WINDOWS = "embed", "extract", "windows"


@dataclass
class Draft:
    """A memory ready to be written: its properties, its vector, its names, and references still to be resolved.

    Without a vector it is pending. `windows` are those of `app.services.memory_windows`; `jobs` is work to be done on
    it later.
    """

    props: dict[str, Any]
    embedding: Any
    mentions: list[Mention]
    agent: str
    project: str | None = None
    project_id: str | None = None
    supersedes: str | None = None
    derived_from: list[str] = field(default_factory=list)
    windows: list[dict[str, Any]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Stored:
    """What became of one body: the memory that holds it now, and whether it was there before."""

    id: str
    is_duplicate: bool


@dataclass
class Timing:
    """Milliseconds spent."""

    embedding: float = 0.0
    database: float = 0.0


def tier_of(importance: float) -> str:
    """Return the tier that an importance belongs to."""
    return "hot" if importance >= HOT else "warm" if importance >= WARM else "cold"


def remember(
    parts: State, caller: Principal, bodies: Sequence[dict[str, Any]], timing: Timing | None = None
) -> list[Stored]:
    """Store memories in one transaction and return what became of each, in order.

    `bodies` are loaded `MemoryCreate` bodies. Committed means found: search sees them as soon as this returns.
    A body with `deduplicate` that meets an equal memory of its agent (or of its own batch) is not stored again. Where
    a chat model finds the names, the rules' names are stored at once and the model's replace them soon after.

    Raises:
        BadReference: a session, or a memory to supersede or to derive from, is unknown.
        NotFound: an agent or project id is unknown.
        Conflict: a memory to supersede was superseded already.
        EmbedderUnavailable: no vectors can be had now.
        QuotaExceeded: the tenant would hold more memories than it may.
    """
    timing = timing or Timing()
    started = time.perf_counter()
    vectors = embedded(parts.embedder, [body["content"] for body in bodies])
    timing.embedding += 1000 * (time.perf_counter() - started)
    started = time.perf_counter()
    kept: list[Stored] = []
    drafts: list[Draft] = []
    known = parts.names.of(parts.graph, caller.tenant)
    by_model = parts.extractors.of(parts, caller).method != "rules"
    for body, vectors_of_it in zip(bodies, vectors, strict=True):
        twin = duplicate_of(parts, caller, body, vectors_of_it.vector, drafts)
        if twin is None:
            drafts.append(draft(parts, body, vectors_of_it, known))
            if by_model and body.get("auto_extract_entities") is not False:
                drafts[-1].jobs.append(job(EXTRACT))
        kept.append(Stored(twin, True) if twin else Stored(drafts[-1].props["id"], False))
    if drafts:
        parts.ledger.quota.admit(parts, caller, len(drafts))
        numbers = parts.sequence.take(caller.tenant, len(drafts))
        for number, made in zip(numbers, drafts, strict=True):
            made.props["seq"] = number
        parts.graph.transaction(lambda tx: write(parts, caller, drafts, tx))
    timing.database += 1000 * (time.perf_counter() - started)
    return kept


def duplicate_of(
    parts: State, caller: Principal, body: dict[str, Any], vector: Any, drafts: Sequence[Draft]
) -> str | None:
    """Return the id of the memory of the same agent that says the same, where the body asks for that check."""
    if not body["deduplicate"]:
        return None
    reference, digest = body["agent_id"], content_hash(body["content"])
    for made in drafts:
        if made.agent == reference and made.props["content_hash"] == digest:
            return str(made.props["id"])
    agent_id = agent_named(parts, caller, reference)
    if agent_id is None or agent_id == NOBODY:
        return None
    return find_duplicate(parts, caller, agent_id, vector, body["dedup_threshold"], digest)


def draft(
    parts: State, body: dict[str, Any], vectors: Embedded | None = None, known: KnownNames | None = None
) -> Draft:
    """Return the memory that `body` asks for, pending without vectors.

    All ids and times are settled here, so that a retry repeats them.
    """
    now = now_ms()
    content = body["content"]
    pending = vectors is None
    extracts = body.get("auto_extract_entities") is not False
    mentions = extract(content, title=body.get("title"), known=known) if extracts and not pending else []
    importance = body["importance"]
    props = {
        "id": new_id(),
        "content": content,
        "title": body.get("title"),
        "name": shown_name(body.get("title") or content, body["visibility"]),
        "content_hash": content_hash(content),
        "user_id": body.get("user_id") or NONE,
        "session_id": body.get("session_id") or NONE,
        "project_id": NONE,
        "kind": "memory",
        "memory_type": body.get("memory_type") or classify(content, bool(mentions)),
        "importance": importance,
        "tier": body.get("tier") or tier_of(importance),
        "visibility": body["visibility"],
        "salience": salience(importance, len(mentions)),
        "metadata": orjson.dumps(body["metadata"]).decode(),
        "occurred_at": body.get("occurred_at", NEVER),
        "expires_at": expiry(body, now),
        "superseded_at": NEVER,
        "archived": False,
        "current": not pending,
        "embedding_model": parts.embedder.identity,
        "extraction_method": "rules" if extracts and not pending else NONE,
        "extraction_status": "pending" if pending else "ready",
        "date_words": date_words(body.get("occurred_at")),
        "said_since": now,
        "created_at": now,
        "updated_at": now,
        "version": 1,
    }
    return Draft(
        props,
        None if vectors is None else packed(vectors.vector),
        mentions,
        body["agent_id"],
        body.get("project"),
        body.get("project_id"),
        body.get("supersedes"),
        list(dict.fromkeys(body.get("derived_from", []))),
        [] if vectors is None else vectors.windows,
        [job(WINDOWS)] if vectors is not None and vectors.more else [],
    )


def job(kind: str, **payload: Any) -> dict[str, Any]:
    """Return the row of a job on a memory that is still to be named."""
    return {"id": new_id(), "kind": kind, "queue": MEMORIES, "payload": orjson.dumps(payload).decode()}


def write(parts: State, caller: Principal, drafts: Sequence[Draft], tx: Transaction) -> None:
    """Write drafts inside an open transaction: references first, sessions locked, then memories, chains and names."""
    _resolve(parts, caller, drafts, tx)
    if len(drafts) == 1:
        row = {"props": drafts[0].props, "embedding": drafts[0].embedding}
        MemoryRepository(parts.graph, caller, tx, parts.space.slot).create_one(row)
    else:
        _create(parts, caller, drafts, tx)
    if rows := [window_row(parts, made.props, made.windows) for made in drafts if made.windows]:
        MemoryWindowRepository(parts.graph, caller, tx, parts.space.slot).put(rows)
    history = MemoryHistoryRepository(parts.graph, caller, tx)
    if replaced := [(made.props["id"], made.supersedes) for made in drafts if made.supersedes]:
        history.supersede(replaced)
    if drawn := [(made.props["id"], source) for made in drafts for source in made.derived_from]:
        history.derive(drawn)
    link(parts, caller, tx, [(made.props["id"], made.mentions) for made in drafts])
    if jobs := [{**each, "memory_id": made.props["id"]} for made in drafts for each in made.jobs]:
        JobRepository(parts.graph, caller, tx).create(jobs)


def window_row(parts: State, memory: Mapping[str, Any], windows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the windows of a memory, of which id and content hash are given, as `MemoryWindowRepository.put` takes
    them."""
    return {
        "memory_id": memory["id"],
        "content_hash": memory["content_hash"],
        "embedding_model": parts.embedder.identity,
        "windows": list(windows),
    }


def _create(parts: State, caller: Principal, drafts: Sequence[Draft], tx: Transaction) -> None:
    sessions = {made.props["session_id"] for made in drafts} - {NONE}
    lasts: dict[str, str | None] = {}
    if sessions:
        lasts = SessionRepository(parts.graph, caller, tx).lock(sorted(sessions))
        if missing := sessions - lasts.keys():
            raise BadReference("session_id", f"Session not found: {min(missing)}")
    pairs, ends = _chains(drafts, lasts)
    rows = [{"props": made.props, "embedding": made.embedding} for made in drafts]
    MemoryRepository(parts.graph, caller, tx, parts.space.slot).create(rows, pairs, ends)


def link(parts: State, caller: Tenanted, tx: Transaction, found: Sequence[tuple[str, list[Mention]]]) -> set[str]:
    """Link memories, given as (id, mentions), to their entities; return the ids of these."""
    rows = [
        {
            "memory_id": memory_id,
            "key": mention.key,
            "name": mention.name,
            "padded": f" {mention.key} ",
            "entity_type": mention.entity_type,
            "noise": mention.is_date,
            "entity_id": new_id(),
            "confidence": mention.confidence,
            "source": mention.source,
            "about": mention.about,
            "relationship": "mentioned_in",
        }
        for memory_id, mentions in found
        for mention in mentions
    ]
    return EntityRepository(parts.graph, caller, tx).mention(rows, NEVER) if rows else set()


def _resolve(parts: State, caller: Principal, drafts: Sequence[Draft], tx: Transaction) -> None:
    agents = AgentRepository(parts.graph, caller, tx)
    projects = ProjectRepository(parts.graph, caller, tx)
    agent_ids = {
        name: agents.resolve(name.lower() if is_uuid(name) else name, is_uuid(name), new_id())["id"]
        for name in sorted({made.agent for made in drafts})
    }
    slugs = sorted({made.project for made in drafts if made.project and not made.project_id})
    project_ids = {slug: projects.resolve(slug, new_id())["id"] for slug in slugs}
    for made in drafts:
        made.props["agent_id"] = agent_ids[made.agent]
        made.props["scope_tokens"] = scope_tokens(caller.tenant, made.props["agent_id"])
        if made.project_id:
            made.props["project_id"] = projects.known(made.project_id)["id"]
        elif made.project:
            made.props["project_id"] = project_ids[made.project]


def _chains(
    drafts: Sequence[Draft], lasts: dict[str, str | None]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    pairs, ends = [], dict(lasts)
    for made in drafts:
        session = made.props["session_id"]
        if session != NONE:
            if earlier := ends[session]:
                pairs.append((earlier, made.props["id"]))
            ends[session] = made.props["id"]
    return pairs, [(session, last) for session, last in ends.items() if last]


def scope_tokens(tenant: str, agent_id: str) -> str:
    """Return the words that stand for tenant and agent in the text index."""
    return f"{scope_token('tenant', tenant)} {scope_token('agent', agent_id)}"


def content_hash(content: str) -> str:
    """Return the SHA-256 (hex) of a text, white space folded and case ignored."""
    return hashlib.sha256(" ".join(content.split()).casefold().encode()).hexdigest()


def salience(importance: float, mentions: int) -> float:
    """Return how much there is to a memory, 0 to 1: 0.7 of its importance, the rest for up to five names."""
    return round(0.7 * importance + 0.3 * min(mentions, 5) / 5, 4)


def expiry(body: dict[str, Any], now: int) -> int:
    """Return when a memory is to be gone, in epoch milliseconds."""
    if "ttl_seconds" in body:
        return min(now + int(1000 * body["ttl_seconds"]), NEVER)
    return int(body.get("expires_at", NEVER))


def date_words(ms: int | None) -> str:
    """Return a date as people write it ("8 May 2023"), so that questions about it meet words; empty without one."""
    if ms is None or ms >= NEVER:
        return ""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%d %B %Y").lstrip("0")

"""Editing a memory: a new text gets a new vector and new names, and what it said before is kept as a version."""

from collections.abc import Callable, Sequence
from typing import Any

from app.answers import merged, shown
from app.auth import Principal
from app.ids import new_id
from app.services.extract import extract
from app.services.memory_windows import Embedded, embedded
from app.services.remember import (
    EXTRACT,
    WINDOWS,
    content_hash,
    date_words,
    job,
    link,
    salience,
    tier_of,
    window_row,
)
from app.state import State
from graph.clock import now_ms
from graph.driver import Transaction
from graph.jobs import JobRepository
from graph.labels import NONE
from graph.memories import MemoryRepository
from graph.memory_changes import KEPT, MemoryChangeRepository
from graph.memory_windows import MemoryWindowRepository
from graph.naming import shown_name
from graph.records import Row, vector
from graph.sealing import CONFIDENTIAL

PLAIN = ("memory_type", "importance", "tier", "visibility", "title", "occurred_at", "expires_at")


def revise(
    parts: State,
    caller: Principal,
    id: str,
    body: dict[str, Any],
    metadata: Callable[[Row], Row] | None = None,
) -> None:
    """Apply a loaded `MemoryUpdate` body to a memory in one transaction; what changes nothing is not written.

    What `metadata` makes of the stored object is merged into it. It may run twice, and nobody changes the memory
    meanwhile.

    Raises:
        NotFound: no such memory.
        Invalid: the merged metadata is too large.
        EmbedderUnavailable: the text is new and no vector can be had now.
    """
    content = body.get("content")
    vectors = embedded(parts.embedder, [content])[0] if content is not None else None
    version_id = new_id()
    known = parts.names.of(parts.graph, caller.tenant)
    by_model = content is not None and parts.extractors.of(parts, caller).method != "rules"
    refined, further = job(EXTRACT), job(WINDOWS)
    sealing = MemoryRepository(parts.graph, caller).mode == CONFIDENTIAL

    def work(tx: Transaction) -> None:
        memories = MemoryRepository(parts.graph, caller, tx, parts.space.slot)
        before = memories.lock(id)
        # One moment for all: where the old state ends the new one begins.
        now = now_ms()
        asked = body if metadata is None else {**body, "metadata": metadata(shown(before)["metadata"])}
        changes = _changes(asked, before) | {"updated_at": now}
        if content is None or vectors is None or content == before["content"]:
            if fields := keep(tx, before, changes, now):
                memories.update(id, _seen(before, changes, sealing), changed=fields)
        else:
            fields = keep(tx, before, changes, now, version_id)
            say(tx, content, vectors, before, _seen(before, changes, sealing), fields)
        if changes.keys() & {"visibility", "expires_at"}:
            memories.share_with_versions(id)
            memories.seal_parts(id, str(changes.get("visibility", before["visibility"])))

    def keep(tx: Transaction, before: Row, changes: Row, now: int, replaced: str = NONE) -> list[str]:
        fields = ["content"] if replaced else []
        fields += [name for name in KEPT if name in changes and name in before and changes[name] != before[name]]
        if fields:
            MemoryChangeRepository(parts.graph, caller, tx).keep(id, "edited", fields, now, replaced)
        return fields

    def say(tx: Transaction, content: str, vectors: Embedded, before: Row, changes: Row, fields: Sequence[str]) -> None:
        now = changes["updated_at"]
        memories = MemoryRepository(parts.graph, caller, tx, parts.space.slot)
        title = body.get("title", before["title"])
        # A memory that was stored without looking for names stays without.
        plain = before["extraction_method"] == NONE and before["extraction_status"] == "ready"
        mentions = [] if plain else extract(content, title=title, known=known)
        memories.keep_version(id, version_id, now)
        memories.drop_names(id, now)
        importance = float(body["importance"] if "importance" in body else before["importance"])
        said = {
            "content": content,
            "content_hash": content_hash(content),
            "said_since": now,
            "embedding_model": parts.embedder.identity,
            "extraction_method": NONE if plain else "rules",
            "extraction_model": None,
            "extraction_status": "ready",
            "extraction_error": None,
            "salience": salience(importance, len(mentions)),
        }
        memories.update(id, changes | said, vector(vectors.vector), fields)
        parted = MemoryWindowRepository(parts.graph, caller, tx, parts.space.slot)
        parted.drop(id)
        if vectors.windows:
            parted.put([window_row(parts, {"id": id, **said}, vectors.windows)])
        link(parts, caller, tx, [(id, mentions)])
        jobs = [refined] if by_model and not plain else []
        jobs += [further] if vectors.more else []
        if jobs:
            JobRepository(parts.graph, caller, tx).create([{**each, "memory_id": id} for each in jobs])

    parts.graph.transaction(work)


def _seen(before: Row, changes: Row, sealing: bool) -> Row:
    """Return changes with all that is sealed or not by who may see it, where confidential memories are sealed."""
    if not sealing:
        return changes
    seen = changes.get("visibility", before["visibility"])
    texts = ("content", "title", "metadata") if seen != before["visibility"] else ()
    return {**{name: before[name] for name in texts}, **changes, "visibility": seen}


def _changes(body: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    changes = {name: body[name] for name in PLAIN if name in body}
    if "importance" in body:
        changes["salience"] = salience(body["importance"], before["mentions"])
        if "tier" not in body:
            changes["tier"] = tier_of(body["importance"])
    if "metadata" in body:
        changes["metadata"] = merged(before["metadata"], body["metadata"])
    if "occurred_at" in body:
        changes["date_words"] = date_words(body["occurred_at"])
    if changes.keys() & {"title", "visibility"} or "content" in body:
        text = body.get("title") or before["title"] or body.get("content") or before["content"]
        changes["name"] = shown_name(text, body.get("visibility", before["visibility"]))
    return changes

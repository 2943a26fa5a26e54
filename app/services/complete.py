"""Completing memories that were stored before they were understood: vectors, windows, names, links."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from app.services import memory_windows
from app.services.callbacks import call_back
from app.services.classify import classify
from app.services.extraction import Found, extracted
from app.services.remember import WINDOWS, content_hash, link, salience, window_row
from app.services.remember import job as new_job
from app.state import State
from graph.driver import Transaction
from graph.errors import NotFound
from graph.jobs import JobRepository
from graph.labels import NONE
from graph.memories import MemoryRepository
from graph.memory_windows import MemoryWindowRepository
from graph.outbox import happened
from graph.records import Row, vector
from graph.repository import Tenanted

# What extraction may change of a memory, beside the names in it.
FOUND = ("memory_type", "extraction_method", "extraction_model")


class Outrun(Exception):
    """Somebody else ended the job, or changed the memory, while it was being worked on."""


@dataclass(frozen=True)
class Ready:
    """A job with all that is needed to complete its memory; `subject` is a row of `JobRepository.subjects`.

    `more` asks for a job that makes its windows.
    """

    job_id: str
    subject: Row
    payload: Row
    embedding: Any
    found: Found | None
    windows: Sequence[Row] = ()
    more: bool = False


def embedded(parts: State, caller: Tenanted, jobs: Sequence[Row], subjects: dict[str, Row]) -> list[Ready]:
    """Return embed jobs with vectors and names; all texts are embedded together.

    Raises:
        EmbedderError: no vectors can be had.
    """
    present = [job for job in jobs if job["id"] in subjects]
    vectors = memory_windows.embedded(parts.embedder, [subjects[job["id"]]["content"] for job in present])
    made = []
    for job, its in zip(present, vectors, strict=True):
        subject, payload = subjects[job["id"]], orjson.loads(job["payload"])
        found = extracted(parts, caller, subject["content"], subject["title"]) if payload.get("extracts") else None
        made.append(Ready(job["id"], subject, payload, vector(its.vector), found, its.windows, its.more))
    return made


def windowed(parts: State, caller: Tenanted, job: Row, subject: Row) -> Ready:
    """Return a windows job with the windows of its memory.

    Raises:
        EmbedderError: no vectors can be had.
    """
    windows = memory_windows.windows(parts.embedder, subject["content"])
    return Ready(job["id"], subject, orjson.loads(job["payload"]), None, None, windows)


def named(parts: State, caller: Tenanted, job: Row, subject: Row) -> Ready:
    """Return an extract job with the names in its memory."""
    found = extracted(parts, caller, subject["content"], subject["title"])
    return Ready(job["id"], subject, orjson.loads(job["payload"]), None, found)


def complete(parts: State, caller: Tenanted, ready: Sequence[Ready], holder: str) -> None:
    """Write what was found and end the jobs, in one transaction.

    Raises:
        Outrun: a job is no longer leased by `holder`, or its memory says something else now; nothing was written.
    """

    def work(tx: Transaction) -> None:
        ids = [each.job_id for each in ready]
        if len(JobRepository(parts.graph, caller, tx).finish(ids, holder)) < len(ids):
            raise Outrun
        for each in sorted(ready, key=lambda each: str(each.subject["id"])):
            settle(parts, caller, tx, each)

    parts.graph.transaction(work)


def settle(parts: State, caller: Tenanted, tx: Transaction, ready: Ready) -> None:
    """Give one memory its vector, windows and names inside an open transaction.

    Raises:
        Outrun: its text was changed meanwhile.
    """
    understood = ready.embedding is not None or ready.found is not None
    if understood and not _understood(parts, caller, tx, ready):
        return
    if ready.windows:
        windows = MemoryWindowRepository(parts.graph, caller, tx, parts.space.slot)
        windows.check_slot()
        if not windows.put([window_row(parts, ready.subject, ready.windows)]):
            raise Outrun
    if ready.more:
        JobRepository(parts.graph, caller, tx).create([{**new_job(WINDOWS), "memory_id": ready.subject["id"]}])


def _understood(parts: State, caller: Tenanted, tx: Transaction, ready: Ready) -> bool:
    memories = MemoryRepository(parts.graph, caller, tx, parts.space.slot)
    id = ready.subject["id"]
    try:
        before = memories.lock(id)
    except NotFound:
        return False  # deleted meanwhile, and the job with nothing left to do
    if before["content"] != ready.subject["content"]:
        raise Outrun
    changes = _changes(parts, ready, before)
    named = memories.drop_names(id) if ready.found is not None else set()
    row = memories.update(id, changes, ready.embedding)
    if ready.embedding is not None:
        memories.tell(happened("embedding.completed", row))
        call_back(parts, caller, tx, ready.payload, id, "ready")
    if ready.found is not None:
        names = link(parts, caller, tx, [(id, ready.found.extraction.mentions)])
        if ready.embedding is None and (fields := _changed(changes, before, names != named)):
            memories.tell(happened("memory.updated", row, fields))
    return True


def _changed(changes: Row, before: Row, other_names: bool) -> list[str]:
    fields = [name for name in FOUND if changes.get(name, before[name]) != before[name]]
    return fields + (["entities"] if other_names else [])


def _changes(parts: State, ready: Ready, before: Row) -> Row:
    changes: Row = {}
    if ready.embedding is not None:
        changes |= {"embedding_model": parts.embedder.identity, "extraction_status": "ready", "extraction_error": None}
        changes["extraction_method"] = NONE
    if ready.found is not None:
        mentions = ready.found.extraction.mentions
        changes |= ready.found.props
        changes["salience"] = salience(float(before["importance"]), len(mentions))
        if ready.payload.get("classifies"):
            changes["memory_type"] = classify(ready.subject["content"], bool(mentions))
    return changes


def reextract(parts: State, caller: Tenanted, id: str) -> Row:
    """Find the names of one memory anew, now; one that is pending or has failed gets its vector too. Returns it.

    Raises:
        NotFound: no such memory.
        EmbedderError: it needs a vector and none can be had.
        Outrun: its text was changed meanwhile.
    """
    memories = MemoryRepository(parts.graph, caller, slot=parts.space.slot)
    row = memories.get(id)
    subject = {**row, "content_hash": content_hash(row["content"])}
    found = extracted(parts, caller, row["content"], row["title"])
    if row["extraction_status"] == "ready":
        ready = Ready("", subject, {}, None, found)
    else:
        its = memory_windows.embedded(parts.embedder, [row["content"]])[0]
        ready = Ready("", subject, {}, vector(its.vector), found, its.windows, its.more)
    parts.graph.transaction(lambda tx: settle(parts, caller, tx, ready))
    return memories.get(id)

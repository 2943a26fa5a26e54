"""Deleting memories by what they are: counted first, then in bounded batches, for as long as a request may take."""

import time
from collections.abc import Iterable, Iterator
from itertools import islice

from app.auth import Principal
from app.services.forget import delete_memories
from app.services.listing import Listing
from app.state import State
from graph.memory_lists import MemoryListRepository
from graph.records import Ids, Row

BATCH = 200
SECONDS = 20.0


def bulk_delete(parts: State, caller: Principal, body: Row, seconds: float = SECONDS) -> Row:
    """Delete what a loaded `BulkDeleteIn` body names and return a `BulkDeleteOut` answer.

    Raises:
        Invalid: the metadata filter cannot be understood.
    """
    until = time.monotonic() + seconds
    matched = _count(parts, caller, body)
    answer = {"dry_run": body["dry_run"], "matched": matched, "deleted": 0, "has_more": False}
    if body["dry_run"] or not matched:
        return answer
    for ids in _batches(parts, caller, body):
        if time.monotonic() > until:
            answer["has_more"] = True
            break
        answer["deleted"] += len(delete_memories(parts, caller, ids))
    return answer


def _count(parts: State, caller: Principal, body: Row) -> int:
    if "ids" in body:
        return len(MemoryListRepository(parts.graph, caller).shown(list(dict.fromkeys(body["ids"]))))
    return _listing(parts, caller, body).count()


def _batches(parts: State, caller: Principal, body: Row) -> Iterator[Ids]:
    found: Iterable[Ids] = [body["ids"]] if "ids" in body else _listing(parts, caller, body).ids()
    for ids in found:
        left = iter(sorted(set(ids)))
        while batch := list(islice(left, BATCH)):
            yield batch


def _listing(parts: State, caller: Principal, body: Row) -> Listing:
    archived = body.get("archived")
    wanted = {
        **body,
        "include_superseded": True,
        "include_archived": archived is None,
        "archived_only": archived is True,
    }
    return Listing(parts, caller, wanted)

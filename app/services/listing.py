"""Lists of memories by what they are; bulk deletion chooses its memories the same way."""

from collections.abc import Iterator
from typing import Any

import orjson

from app.auth import Principal
from app.errors import invalid
from app.pagination import Position
from app.services.recall import metadata
from app.services.refer import agent_named, project_named
from app.state import State
from graph.errors import Conflict, NotFound
from graph.memories import MemoryRepository
from graph.memory_lists import MemoryListRepository
from graph.moments import MomentRepository
from graph.records import Row, Rows

# How many are judged by their metadata at a time.
STRETCH = 500
# What the database takes for a whole number.
LARGEST = 2**63 - 1
PLAIN = ("user_id", "session_id", "tier", "visibility", "min_importance", "occurred_after", "occurred_before")


class Listing:
    """The memories that pass a loaded `MemoryFilter`; those of the moment `as_of`, as they were, where it is given.

    With `include_expired` also those of the present that are gone for readers and not yet purged.

    Raises:
        Invalid: the metadata filter cannot be understood, or vectors of the past are asked for.
    """

    def __init__(self, parts: State, caller: Principal, wanted: Row) -> None:
        self.wanted_metadata: Row = wanted.get("metadata_filter") or {}
        metadata.check(self.wanted_metadata)
        self.repository = _repository(parts, caller, wanted)
        self.memories = MemoryRepository(parts.graph, caller, slot=parts.space.slot)
        self.include_embeddings = bool(wanted.get("include_embeddings"))
        self.created_before = wanted.get("created_before")
        self.filters: Row = {
            **{name: wanted.get(name) for name in PLAIN},
            "agent_id": agent_named(parts, caller, wanted.get("agent_id")),
            "project_id": wanted.get("project_id") or project_named(parts, caller, wanted.get("project")),
            "memory_type": wanted.get("memory_type") or wanted.get("type"),
            "archived": _archived(wanted),
            "superseded": bool(wanted.get("include_superseded")),
            "after": wanted.get("created_after", 0),
            "expired": bool(wanted.get("include_expired")),
            "pieces": metadata.pieces(self.wanted_metadata),
        }

    def rows(self, at: Position, limit: int) -> Rows:
        """Return up to `limit` memories from a position on, newest first, as `MemoryRepository` shows them."""
        filters = {**self.filters, **self._bounds(at)}
        if not self.wanted_metadata:
            rows = self.repository.list(filters, at.offset, limit)
        else:
            rows = self._shown(self._matching(filters, at.offset, limit))
        if self.include_embeddings:
            vectors = self.memories.embeddings([row["id"] for row in rows])
            rows = [{**row, "embedding": vectors.get(row["id"])} for row in rows]
        return rows

    def count(self) -> int:
        """Return how many pass."""
        filters = {**self.filters, **self._bounds(Position())}
        rows = self.repository.counts(filters, by_metadata=bool(self.wanted_metadata))
        return sum(row["total"] for row in rows if self._passes(row["metadata"]))

    def ids(self) -> Iterator[list[str]]:
        """Yield the ids of all that pass, newest first, in batches; expired ones that are still there as well."""
        filters = {**self.filters, **self._bounds(Position()), "expired": True}
        for rows in self._stretches(filters):
            yield [row["id"] for row in rows if self._passes(row["metadata"])]

    def _bounds(self, at: Position) -> Row:
        before, seq = at.before, at.before_seq
        if self.created_before is not None and self.created_before <= before:
            before, seq = self.created_before, 0
        return {"before": before, "before_seq": seq}

    def _matching(self, filters: Row, offset: int, limit: int) -> list[str]:
        found: list[str] = []
        for rows in self._stretches(filters):
            found += [row["id"] for row in rows if self._passes(row["metadata"])]
            if len(found) >= offset + limit:
                break
        return found[offset : offset + limit]

    def _shown(self, ids: list[str]) -> Rows:
        if isinstance(self.repository, MomentRepository):
            return self.repository.shown(ids)
        return self.repository.shown(ids, expired=self.filters["expired"])

    def _stretches(self, filters: Row) -> Iterator[Rows]:
        while rows := self.repository.keys(filters, STRETCH):
            yield rows
            if len(rows) < STRETCH:
                return
            filters = {**filters, "before": rows[-1]["created_at"], "before_seq": rows[-1]["seq"]}

    def _passes(self, text: str | None) -> bool:
        return not self.wanted_metadata or metadata.matches(self.wanted_metadata, orjson.loads(text or "{}"))


def one(parts: State, caller: Principal, id: str) -> Row:
    """Return one memory as `MemoryRepository` shows it.

    Raises:
        NotFound: no such memory, or it has expired.
    """
    return MemoryRepository(parts.graph, caller, slot=parts.space.slot).get(id)


def _repository(parts: State, caller: Principal, wanted: Row) -> MemoryListRepository | MomentRepository:
    if (as_of := wanted.get("as_of")) is None:
        return MemoryListRepository(parts.graph, caller)
    if wanted.get("include_embeddings"):
        raise invalid("include_embeddings", "goes with the present only; leave out `as_of`")
    return MomentRepository(parts.graph, caller, as_of)


def _archived(wanted: dict[str, Any]) -> bool | None:
    if wanted.get("archived_only"):
        return True
    return None if wanted.get("include_archived") else False


def numbered(parts: State, caller: Principal, number: int) -> str:
    """Return the id of the memory with this number (`seq`), an expired one as well until it is purged.

    Raises:
        NotFound: no such memory.
        Conflict: an import brought a second one with this number.
    """
    found = MemoryListRepository(parts.graph, caller).numbered(number) if number <= LARGEST else []
    if not found:
        raise NotFound("Memory")
    if len(found) > 1:
        raise Conflict(f"An import has brought a second memory with the id {number}; use its UUID at /v1/memories")
    return found[0]

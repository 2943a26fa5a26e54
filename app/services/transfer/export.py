"""Writing a tenant's data as lines, a stretch of nodes at a time: memory stays flat, whatever the size."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from app.clock import iso, now_ms
from app.ids import new_id
from app.services.entities import entity_key
from app.services.readable import readable
from app.services.transfer.form import FORMAT, LINKS, NODES, Place, chained, line, packed
from app.services.transfer.sealed import sealing_of
from graph.driver import Graph
from graph.labels import LINKS as KINDS
from graph.labels import TRANSFERRED, Link, scope_token
from graph.migrations import Space
from graph.records import Row
from graph.repository import Tenanted
from graph.sealing import is_digest
from graph.transfer import TransferRepository

STRETCH = 200
SOURCES = {link.source for link in KINDS}


@dataclass(frozen=True)
class Exported:
    """A stretch of lines and how many nodes were gone through for it."""

    lines: bytes
    nodes: int


class Export:
    """An export of one tenant. Without `vectors`, whoever imports it makes them anew.

    What others write meanwhile may be in it or not; what hangs on something that is not in it is left out when it is
    imported. Nothing is announced and nothing changes. What an encrypted tenant says is sealed line by line
    (`app.services.transfer.sealed`).
    """

    def __init__(self, graph: Graph, caller: Tenanted, space: Space, *, vectors: bool = False) -> None:
        self.space, self.vectors = space, vectors
        self.source = scope_token("tenant", caller.tenant)
        self.seal = sealing_of(graph, caller)
        self.repository = TransferRepository(graph, caller, slot=space.slot)
        # Windows follow from text and model: without vectors there is nothing in them.
        self.labels = [label for label in TRANSFERRED if vectors or label != "MemoryWindow"]

    def header(self, namespace: str) -> dict[str, Any]:
        """Return the first line: what this is, and how many nodes there are of each label as it begins."""
        counts = self.repository.counts()
        header: dict[str, Any] = {
            "loci": "export",
            "format": FORMAT,
            "id": new_id(),
            "created_at": iso(now_ms()),
            "namespace": namespace,
            "source": self.source,
            "vectors": self.vectors,
            "embedder": {"identity": self.space.identity, "dimensions": self.space.dimensions},
            "counts": {label: counts[label] for label in self.labels},
        }
        return header if self.seal is None else {**header, "sealed_by": self.seal.key_id}

    def stretches(self, header: dict[str, Any] | None, place: Place | None = None) -> Iterator[Exported]:
        """Yield all lines from the header, or those that come after `place`, up to the closing one."""
        at = place or Place(self.source, self.space.identity if self.vectors else "", label=self.labels[0])
        if header is not None:
            at.lines = 1
            at.digest = chained("", line(header))
            yield Exported(line(header) + self._mark(at), 0)
        for phase, read in ((NODES, self._nodes), (LINKS, self._links)):
            if at.phase != phase:
                continue
            for label in self.labels[self.labels.index(at.label) :]:
                if label != at.label:
                    at.label, at.after = label, ""
                if phase == NODES or label in SOURCES:
                    yield from self._of_label(at, read)
            if phase == NODES:
                at.phase, at.label, at.after = LINKS, self.labels[0], ""
        at.lines += 1
        told = {"nodes": dict(at.nodes), "relationships": dict(at.links), "lines": at.lines, "sha256": at.digest}
        yield Exported(line({"end": told}), 0)

    def refusal(self, place: Place) -> str:
        """Return why this export cannot go on from `place`; an empty text where it can."""
        if place.source != self.source:
            return "is of another namespace's export"
        if place.model != (self.space.identity if self.vectors else ""):
            return "is of an export with other vectors; begin anew"
        return ""

    def _of_label(self, at: Place, read: Callable[[Place], tuple[list[Row], str, int]]) -> Iterator[Exported]:
        while True:
            rows, last, seen = read(at)
            if not seen:
                return
            at.after = last
            body = b"".join(map(line, rows if self.seal is None else map(self.seal.closed, rows)))
            at.lines += len(rows)
            at.digest = chained(at.digest, body)
            yield Exported(body + self._mark(at), seen)
            if seen < STRETCH:
                return

    def _mark(self, at: Place) -> bytes:
        at.lines += 1
        return line({"mark": at.stored()})

    def _nodes(self, at: Place) -> tuple[list[Row], str, int]:
        found = self.repository.nodes(at.label, at.after, STRETCH, vectors=self.vectors)
        rows = []
        for row in found:
            # What is told of a name has to be so where it is imported.
            told = {"node": at.label, "props": row["props"] | readable(at.label, row["props"])}
            if row.get("of"):
                told["of"] = row["of"]
            if row["searchable"]:
                told["searchable"] = True
            if row["vector"] is not None:
                told["vector"] = packed(row["vector"])
            rows.append(told)
        at.nodes[at.label] += len(rows)
        return rows, found[-1]["key"] if found else "", len(found)

    def _links(self, at: Place) -> tuple[list[Row], str, int]:
        found = self.repository.links(at.label, at.after, STRETCH)
        rows = []
        for row in found:
            key = entity_key(row["name"]) if is_digest(row["key"]) else row["key"]
            told = [self._link(at.label, key, each) for each in row["links"]]
            rows += sorted((each for each in told if each), key=orjson.dumps)
        at.links.update(row["relationship"] for row in rows)
        return rows, found[-1]["key"] if found else "", len(found)

    def _link(self, label: str, key: str, row: Row) -> Row | None:
        if Link(label, row["type"], row["target"]) not in KINDS:
            return None
        ends = {"from": [label, key], "to": [row["target"], row["id"]]}
        return {"relationship": row["type"], **ends, "props": dict(sorted(row["props"].items()))}


def total(header: dict[str, Any]) -> int:
    """Return how many nodes an export goes through, each once for itself and once for its relationships."""
    counts: dict[str, int] = header["counts"]
    return sum(count * (1 + (label in SOURCES)) for label, count in counts.items())

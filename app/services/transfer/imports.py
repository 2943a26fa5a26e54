"""Reading an export into a tenant: what is missing is written, what is there already stays as it is.

A stretch of lines is written once its digest was seen to be right, in batches that are each one transaction; then the
place is kept, so that whoever is interrupted goes on behind it. Doing a stretch twice changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, BinaryIO

import orjson

from app.services import memory_windows
from app.services.remember import EMBED, job, scope_tokens, window_row
from app.services.transfer.form import LONGEST_LINE, LONGEST_STRETCH, TransferError, chained, place_of
from app.services.transfer.lines import Header, Node, Relationship, begun, node, read, relationship
from app.services.transfer.sealed import Lines as Sealing
from app.services.transfer.sealed import sealing_by
from app.state import State
from graph.driver import Transaction
from graph.errors import Conflict
from graph.jobs import JobRepository
from graph.labels import UNIQUE_TOO, Link, scope_token
from graph.memory_windows import MemoryWindowRepository
from graph.records import Row, vector
from graph.repository import Tenanted
from graph.transfer import TransferRepository

NODES_AT_ONCE = 200
LINKS_AT_ONCE = 500
TEXTS_AT_ONCE = 16

Tell = Callable[[int], None]
Lines = list[tuple[int, dict[str, Any]]]


@dataclass
class Report:
    """What became of a file: nodes that were made and that were there, texts that were embedded here, relationships
    whose ends are there, and those of which one is missing."""

    made: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    embedded: int = 0
    linked: int = 0
    unlinked: int = 0

    def told(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "made": dict(self.made),
            "known": dict(self.known),
            "embedded": self.embedded,
            "relationships": self.linked,
            "without_an_end": self.unlinked,
        }


class Import:
    """One import of a file into a tenant. `tell` is given how many more lines are done; it may raise.

    `file` can be sought in. `restart` begins at the first line even where an import of this file was interrupted.
    """

    header: Header

    def __init__(
        self, parts: State, caller: Tenanted, file: BinaryIO, tell: Tell = lambda count: None, *, restart: bool = False
    ) -> None:
        self.parts, self.caller, self.file, self.tell, self.restart = parts, caller, file, tell, restart
        self.repository = TransferRepository(parts.graph, caller, slot=parts.space.slot)
        self.report = Report()
        self.number, self.digest, self.said = 1, "", 0
        self.seal: Sealing | None = None

    def run(self) -> Report:
        """Import everything and return what became of it.

        Raises:
            TransferError: a line cannot be taken. What stands before its stretch is written, and nothing of it.
            QuotaExceeded: the tenant would hold more memories than it may.
            EmbedderError: vectors are needed and none can be had.
        """
        whole(self.file)
        first = self._line()
        self.header = begun(first)
        self.digest = chained("", first)
        self._resume()
        lines: Lines = []
        body = bytearray()
        while text := self._line():
            told = read(self.number, text)
            if "mark" in told:
                self._stretch(told, lines, bytes(body))
                self._keep()
                self._say()
                lines, body = [], bytearray()
            elif "end" in told:
                self._end(told["end"], lines)
                self.repository.drop_place(self.header.id)
                # Another import may have written parts whose memories it has still to write.
                if not self.repository.places():
                    self.repository.sweep()
                self._say()
                return self.report
            else:
                lines.append((self.number, told))
                body += text
                if len(body) > LONGEST_STRETCH:
                    raise TransferError(self.number, "", "a mark must come at least every 64 MB")
        raise TransferError(self.number, "", CUT)

    def _resume(self) -> None:
        kept = None if self.restart else self.repository.place(self.header.id)
        if kept is None:
            return
        at, self.number, self.digest, told = orjson.loads(kept)
        self.file.seek(at)
        self._say()
        made, known, *counts = told
        self.report = Report(Counter(made), Counter(known), *counts)

    def _say(self) -> None:
        self.tell(self.number - self.said)
        self.said = self.number

    def _keep(self) -> None:
        done = self.report
        told = [done.made, done.known, done.embedded, done.linked, done.unlinked]
        place = orjson.dumps([self.file.tell(), self.number, self.digest, told])
        self.repository.keep_place(self.header.id, place.decode())

    def _line(self) -> bytes:
        text = self.file.readline(LONGEST_LINE + 1)
        # The first line counts from the start; each further one is counted as it is read.
        if self.digest:
            self.number += 1
        if len(text) > LONGEST_LINE:
            raise TransferError(self.number, "", "is longer than 8 MB")
        if text and not text.endswith(b"\n"):
            raise TransferError(self.number, "", CUT)
        return text

    def _stretch(self, told: dict[str, Any], lines: Lines, body: bytes) -> None:
        try:
            place = place_of(str(told["mark"]))
        except ValueError as error:
            raise TransferError(self.number, "mark", str(error)) from error
        self.digest = chained(self.digest, body) if self.number > 2 else self.digest
        if place.digest != self.digest:
            raise TransferError(self.number, "mark", "the lines before it are not as they were written; export again")
        found = [self._read(number, each) for number, each in lines]
        self._nodes([each for each in found if isinstance(each, Node)])
        links = self._rows([each for each in found if isinstance(each, Relationship)])
        for at in range(0, len(links), LINKS_AT_ONCE):
            self._link(links[at : at + LINKS_AT_ONCE])

    def _read(self, number: int, told: dict[str, Any]) -> Node | Relationship:
        if "sealed" in told:
            told = self._opened(number, told["sealed"])
        if "node" in told:
            return node(number, told, self.header)
        if "relationship" in told:
            return relationship(number, told)
        raise TransferError(number, "", "must be a `node`, a `relationship` or a `mark`")

    def _opened(self, number: int, sealed: Any) -> dict[str, Any]:
        if self.seal is None:
            self.seal = sealing_by(self.parts.graph, self.caller, self.header.sealed_by)
        return self.seal.opened(number, sealed)

    def _end(self, told: Any, lines: Lines) -> None:
        if lines or not isinstance(told, dict) or told.get("sha256") != self.digest:
            raise TransferError(self.number, "end", "is not what the lines before it add up to; export again")

    @property
    def _fits(self) -> bool:
        """Whether the file's vectors are of the model in force."""
        space, of = self.parts.space, self.header
        return of.vectors and (of.identity, of.dimensions) == (space.identity, space.dimensions)

    def _nodes(self, nodes: Sequence[Node]) -> None:
        for label, group in groupby(nodes, key=lambda each: each.label):
            if label == "MemoryWindow" and not self._fits:
                continue
            rest = self._wanted(label, list(group))
            for at in range(0, len(rest), NODES_AT_ONCE):
                self._create(label, rest[at : at + NODES_AT_ONCE])

    def _wanted(self, label: str, nodes: list[Node]) -> list[Node]:
        """Leave out windows of memories that are there: what those say now may be something else."""
        if label != "MemoryWindow":
            return nodes
        there = self.repository.known("Memory", [each.of for each in nodes])
        return [each for each in nodes if each.of not in there]

    def _create(self, label: str, some: Sequence[Node], *, again: bool = False) -> None:
        known = self.repository.known(label, [each.key for each in some])
        fresh = list({each.key: each for each in some if each.key not in known}.values())
        if fresh:
            if label == "Memory":
                self.parts.ledger.quota.admit(self.parts, self.caller, len(fresh))
            made = [self._row(each) for each in fresh]
            self._embed(label, made)
            try:
                self.parts.graph.transaction(lambda tx: self._write(tx, label, made))
            except Conflict as error:
                self._explain(label, fresh)
                if again:
                    raise TransferError(fresh[0].number, "", "somebody else writes the same; try again") from error
                self._create(label, some, again=True)
                return
        self.report.made[label] += len(fresh)
        self.report.known[label] += len(some) - len(fresh)

    def _row(self, each: Node) -> Row:
        props = dict(each.props)
        tenant = self.caller.tenant
        if each.label in ("Memory", "MemoryVersion"):
            props["scope_tokens"] = scope_tokens(tenant, props["agent_id"])
        elif each.label in ("Decision", "Pattern"):
            props["scope_tokens"] = scope_token(props["kind"], tenant)
        elif each.label == "EntityName":
            props["scope_tokens"] = scope_token("tenant", tenant)
        elif each.label == "MemoryWindow":
            props["slot"] = self.parts.space.slot
        given = vector(each.vector.tolist()) if each.vector is not None and self._fits else None
        return {"props": props, "searchable": each.searchable, "vector": given, "windows": []}

    def _embed(self, label: str, rows: Sequence[Row]) -> None:
        without = [row for row in rows if row["searchable"] and row["vector"] is None and "content" in row["props"]]
        embedder = self.parts.embedder
        for at in range(0, len(without), TEXTS_AT_ONCE):
            some = without[at : at + TEXTS_AT_ONCE]
            vectors = embedder.embed_documents([row["props"]["content"] for row in some])
            for row, values in zip(some, vectors, strict=True):
                row["vector"] = vector(values)
                row["props"]["embedding_model"] = embedder.identity
                if label == "Memory":
                    row["windows"] = memory_windows.windows(embedder, row["props"]["content"])
        self.report.embedded += len(without)

    def _write(self, tx: Transaction, label: str, rows: Sequence[Row]) -> None:
        slot = self.parts.space.slot
        repository = TransferRepository(self.parts.graph, self.caller, tx, slot)
        plain = [{name: row[name] for name in ("props", "searchable", "vector")} for row in rows]
        repository.create(label, plain)
        if label == "EntityName":
            repository.names_changed()
        if label != "Memory":
            return
        repository.number_above(max(row["props"]["seq"] for row in rows))
        if windowed := [window_row(self.parts, row["props"], row["windows"]) for row in rows if row["windows"]]:
            MemoryWindowRepository(self.parts.graph, self.caller, tx, slot).put(windowed)
        # Jobs do not travel: what waited for its vector there waits for it here.
        waiting = [row["props"]["id"] for row in rows if row["props"].get("extraction_status") == "pending"]
        if waiting:
            jobs = [{**job(EMBED, extracts=True), "memory_id": id} for id in waiting]
            JobRepository(self.parts.graph, self.caller, tx).create(jobs)

    def _explain(self, label: str, nodes: Sequence[Node]) -> None:
        """Raise TransferError where a node's second unique property belongs to another node."""
        if label not in UNIQUE_TOO:
            return
        name = UNIQUE_TOO[label]
        rows = [{"id": each.key, "value": each.props[name]} for each in nodes if each.props.get(name) is not None]
        taken = self.repository.claimed(label, rows)
        for each in nodes:
            if each.key in taken:
                message = f"is that of another {label} here; rename that one, or import into an empty namespace"
                raise TransferError(each.number, f"props.{name}", message)

    def _rows(self, links: Sequence[Relationship]) -> list[tuple[Link, Row]]:
        """Return the relationships to write, those that are all equal numbered."""
        met: Counter[bytes] = Counter()
        found = []
        for each in links:
            if each.link.source == "MemoryWindow" and not self._fits:
                continue
            same = orjson.dumps([*each.link, each.source, each.target, each.props], option=orjson.OPT_SORT_KEYS)
            met[same] += 1
            row = {"source": each.source, "target": each.target, "props": each.props, "number": met[same]}
            found.append((each.link, row))
        return found

    def _link(self, some: Sequence[tuple[Link, Row]]) -> None:
        groups: dict[Link, list[Row]] = {}
        for link, row in some:
            groups.setdefault(link, []).append(row)

        def work(tx: Transaction) -> int:
            repository = TransferRepository(self.parts.graph, self.caller, tx)
            return sum(repository.link(link, groups[link]) for link in sorted(groups))

        found = self.parts.graph.transaction(work)
        self.report.linked += found
        self.report.unlinked += len(some) - found


CUT = "the file ends before its closing line: it was cut off; import it again once it is whole"


def whole(file: BinaryIO) -> int:
    """Refuse a file that was cut off before anything of it is written; return how many lines it says it has.

    Raises:
        TransferError: its last line is not the closing one.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - 65_536))
    last = file.read().rpartition(b"\n{")[2]
    file.seek(0)
    try:
        told = read(0, b"{" + last)
    except TransferError:
        told = {}
    if not last.endswith(b"}\n") or not isinstance(told.get("end"), dict):
        # What is no export of ours is told so by its first line.
        begun(file.readline(LONGEST_LINE))
        raise TransferError(0, "", CUT)
    lines = told["end"].get("lines")
    return lines if type(lines) is int and 0 <= lines <= size else 0

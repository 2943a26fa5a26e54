"""Changing the model under a running server.

1. The free slot is filled with vectors of the new model, round after round, until a round finds next to nothing new.
2. Servers load the new model while the last rounds run (`app.space_watch`).
3. One transaction puts the new slot in force. From then on no vector can be written into the old one (`graph.slotted`).
4. Rounds go on until every transaction that was under way at the switch must have ended, and nothing lacks a vector.
5. The old slot is emptied.

Each step may be cut off at any moment and is gone on with by whoever takes the lease next.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from app.embeddings import Embedder
from app.ids import new_id
from app.local.errors import LocalError
from app.services import refill
from app.services.overlap import Overlap, Side, measure
from graph import migrations
from graph.driver import Graph
from graph.errors import GraphError
from graph.labels import other_slot
from graph.reembed import ABORTING, LEASE_MS, READY, SWITCHED, Lease, Record, begin, current
from graph.refill import total

log = structlog.get_logger()

# A round that found fewer than this, or more than this share of what the round before found, met nothing but what was
# written while it ran: the next would find as much.
FEW, STEADY = 20, 0.5
MOST_DIMENSIONS = 4096


GO_ON = "`loci reembed` goes on with it, `loci reembed --abort` undoes it."


class ReembedError(LocalError):
    """A reembed that cannot begin or go on."""


@dataclass(frozen=True)
class Pace:
    """Seconds: `warm` for servers to load the model before the switch; `grace` for what was under way at the switch,
    longer than the longest transaction and the interval at which servers look together; `pause` between rounds."""

    warm: float = 5.0
    grace: float = 40.0
    pause: float = 0.5


@dataclass
class Held:
    """A reembed under way, held by its lease. `done` of `total` nodes have a vector of the new model."""

    graph: Graph
    record: Record
    lease: Lease
    done: int = 0
    total: int = 0
    lost: threading.Event = field(default_factory=threading.Event)

    def abort(self) -> None:
        """Before the switch: empty the new slot and end the reembed.

        Raises:
            ReembedError: it was switched already, or somebody else took over.
        """
        if self.record.state == SWITCHED:
            raise ReembedError("The new model is in force already.", "`loci reembed` finishes the rest.")
        self.turn(ABORTING)
        migrations.drop_vector_index(self.graph, self.record.slot)
        refill.empty(self.graph, self.record.slot, self.record.replaces, self.check)
        self.lease.end()

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Keep the lease while the block runs, and give it back afterwards."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(LEASE_MS / 4000):
                try:
                    if not self.lease.beat(self.done, self.total):
                        self.lost.set()
                except GraphError as error:
                    log.warning("lease_not_lengthened", reason=type(error).__name__)

        thread = threading.Thread(target=beat, name="reembed-heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.lease.give_back()

    def turn(self, state: str) -> None:
        """Go over to another state. Raises ReembedError where that is not ours to do any more."""
        if not self.lease.turn(state):
            self.lost.set()
        self.check()

    def check(self) -> None:
        """Raise ReembedError where somebody else took over."""
        if self.lost.is_set():
            raise ReembedError("Another process has taken this reembed over.", "See `loci reembed --status`.")


@dataclass
class Reembed(Held):
    """The work from the first vector to the end. `tell` is given how many more nodes are done."""

    embedder: Embedder = field(kw_only=True)
    pace: Pace = field(default_factory=Pace, kw_only=True)
    tell: refill.Tell = field(default=lambda count: None, kw_only=True)
    furthest: int = field(default=0, init=False)

    def fill(self) -> None:
        """Fill the new slot until next to nothing is left.

        Raises:
            EmbedderError: the model does not answer.
            ReembedError: somebody else took over.
        """
        migrations.make_vector_index(self.graph, self.record.slot, self.record.dimensions)
        self.total = total(self.graph)
        found = self._round()
        while found > FEW:
            before, found = found, self._round()
            if found > STEADY * before:
                return

    def overlap(self, old: Embedder) -> Overlap:
        """Return how far the new vectors agree with those of `old`."""
        return measure(
            self.graph, Side(old, other_slot(self.record.slot)), Side(self.embedder, self.record.slot)
        )  # fmt: skip

    def switch(self) -> None:
        """Put the new vectors in force for every server at once.

        Raises:
            EmbedderError: as `fill`.
            ReembedError: somebody else took over, or changed the model meanwhile.
        """
        self.turn(READY)
        self._rounds_for(self.pace.warm)
        self._round()
        if not self.lease.switch():
            raise ReembedError("Nothing was switched: the vectors in force are other ones by now.", GO_ON)

    def finish(self) -> None:
        """After the switch: fill in what came late, then empty the old slot and end the reembed. Raises as `fill`."""
        self._rounds_for(self.pace.grace)
        while self._round():
            time.sleep(self.pace.pause)
        old = other_slot(self.record.slot)
        migrations.drop_vector_index(self.graph, old)
        refill.empty(self.graph, old, self.record.identity, self.check)
        self.lease.end()

    def _rounds_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._round()
            time.sleep(self.pace.pause)

    def _round(self) -> int:
        self.done = 0
        return refill.Filler(self.graph, self.embedder, self.record.slot, self._filled).round()

    def _filled(self, count: int) -> None:
        self.check()
        self.done += count
        # Each round begins at nothing; what is told goes forward only, and not beyond what there was at the start.
        reached = min(self.done, self.total)
        if reached > self.furthest:
            self.tell(reached - self.furthest)
            self.furthest = reached


def opened(graph: Graph, seconds: float = LEASE_MS / 1000 + 1) -> tuple[Record, Lease]:
    """Take the reembed under way, waiting for the lease of one that was killed to run out.

    Raises:
        ReembedError: there is none, or another process works on it.
    """
    lease, seen = Lease(graph, new_id()), current(graph)
    until = time.monotonic() + seconds
    while True:
        taken, record = lease.take(), current(graph)
        if record is None:
            raise ReembedError("No reembed is under way.", "Name the model: `loci reembed --model minilm`.")
        if taken:
            return record, lease
        if (seen and record.lease_until != seen.lease_until) or time.monotonic() > until:
            raise ReembedError("A reembed is running already.", "See `loci reembed --status`.")
        time.sleep(0.5)


def checked(graph: Graph, embedder: Embedder, space: migrations.Space) -> Record | None:
    """Return the reembed to this model that is under way, or None where one may begin.

    Raises:
        ReembedError: the database holds that model's vectors or cannot hold them, or a reembed to another model is
            under way.
        EmbedderError: the model does not answer.
    """
    found = current(graph)
    wanted = (embedder.identity, embedder.dimensions)
    if embedder.dimensions > MOST_DIMENSIONS:
        raise ReembedError(
            f"{embedder.name} makes vectors of {embedder.dimensions} numbers; Neo4j indexes {MOST_DIMENSIONS}.",
            "Ask it for shorter ones with `--dimensions`, or name another model.",
        )
    if found is None and (space.identity, space.dimensions) == wanted:
        raise ReembedError(f"The database holds the vectors of {embedder.name} already.", "Name another model.")
    if found is not None and (found.identity, found.dimensions) != wanted:
        raise ReembedError("A reembed to another model is unfinished.", GO_ON)
    return found


def begun(graph: Graph, embedder: Embedder, model: str, space: migrations.Space) -> tuple[Record, Lease]:
    """Return a reembed to a model and its lease: a new one, or the one under way. `model` is as the record keeps it.

    Raises:
        ReembedError, EmbedderError: as `checked` and `opened`.
    """
    if checked(graph, embedder, space) is None:
        values = {"identity": embedder.identity, "replaces": space.identity, "dimensions": embedder.dimensions}
        begin(graph, model=model, slot=other_slot(space.slot), **values)
    record, lease = opened(graph)
    if (record.identity, record.dimensions) != (embedder.identity, embedder.dimensions):
        lease.give_back()
        raise ReembedError("A reembed to another model was begun a moment ago.", GO_ON)
    return record, lease

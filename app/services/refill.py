"""Filling one slot with the vectors of one model, and emptying one, while everybody goes on reading and writing.

A node lacks a vector of a slot when it has none: whoever writes a new text with one vector takes the other away. So
what a round finds lacking is what is new, what was changed, and what has not been reached yet; a round that is cut off
is begun again and finds the rest.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from app.embeddings import Embedder
from app.services import memory_windows
from graph.driver import Graph, Transaction
from graph.memory_windows import MemoryWindowRepository
from graph.records import Row, vector
from graph.refill import EMPTY_ABOVE, FILL, RefillRepository, lacking
from graph.refill import empty as emptied
from graph.tenants import Owner

STRETCH = 200
TEXTS = 16
# Vectors that one transaction writes, unless one memory alone has more.
VECTORS = 48

Tell = Callable[[int], None]


@dataclass(frozen=True)
class Filler:
    """Fills `slot` with the vectors of `embedder`. `tell` is given how many more nodes have one; it may raise."""

    graph: Graph
    embedder: Embedder
    slot: str
    tell: Tell

    def round(self) -> int:
        """Fill what lacks a vector, everywhere; return how many were filled.

        Raises:
            EmbedderError: the model does not answer.
        """
        return sum(self._label(label) for label in FILL)

    def _label(self, label: str) -> int:
        filled = 0
        for read in lacking(self.graph, label, self.slot, STRETCH):
            self.tell(read["found"] - len(read["lacking"]))
            for tenant, of_tenant in groupby(read["lacking"], key=itemgetter("tenant")):
                for rows in self._embedded(label, list(of_tenant)):
                    took = self._write(Owner(tenant), label, rows)
                    self.tell(took)
                    filled += took
        return filled

    def _embedded(self, label: str, missing: Sequence[Row]) -> Iterator[list[Row]]:
        rows: list[Row] = []
        for at in range(0, len(missing), TEXTS):
            some = missing[at : at + TEXTS]
            vectors = self.embedder.embed_documents([row["content"] for row in some])
            for row, values in zip(some, vectors, strict=True):
                windows = memory_windows.windows(self.embedder, row["content"]) if label == "Memory" else []
                rows.append({**row, "embedding": vector(values), "windows": windows})
                if sum(1 + len(each["windows"]) for each in rows) >= VECTORS:
                    yield rows
                    rows = []
        if rows:
            yield rows

    def _write(self, owner: Owner, label: str, rows: Sequence[Row]) -> int:
        plain = [{name: row[name] for name in ("id", "said", "embedding")} for row in rows]

        def work(tx: Transaction) -> int:
            took = RefillRepository(self.graph, owner, tx, self.slot).fill(label, plain)
            windowed = [self._windows(row) for row in rows if row["id"] in took and row["windows"]]
            if windowed:
                MemoryWindowRepository(self.graph, owner, tx, self.slot).put(windowed)
            return len(took)

        return self.graph.transaction(work)

    def _windows(self, row: Row) -> Row:
        return {
            "memory_id": row["id"],
            "content_hash": row["content_hash"],
            "embedding_model": self.embedder.identity,
            "windows": row["windows"],
        }


def empty(graph: Graph, slot: str, identity: str, check: Callable[[], None]) -> None:
    """Take the vectors and windows of a slot away; what has a vector in the other is of the model `identity`.

    `check` is called after each stretch; it may raise.
    """
    for label in EMPTY_ABOVE:
        for _ in emptied(graph, label, slot, STRETCH, identity):
            check()

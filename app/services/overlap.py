"""How much two models agree: stored texts are asked of both, and the first ten answers compared."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from app.embeddings import Embedder
from graph.driver import Graph
from graph.refill import RefillRepository
from graph.repository import Tenanted
from graph.tenants import Owner, every_owner

QUESTIONS = 100
FIRST = 10
LONGEST_QUESTION = 200
TENANTS = 200


@dataclass(frozen=True)
class Overlap:
    """Of `asked` questions, the share of the first ten answers that both models give; 0 to 1."""

    asked: int
    mean: float
    worst: float

    def __str__(self) -> str:
        if not self.asked:
            return "too few memories to compare the models on"
        same = f"{self.mean:.0%} of the first {FIRST} answers are the same, {self.worst:.0%} at worst"
        return f"{same} ({self.asked} questions)"


@dataclass(frozen=True)
class Side:
    """One model and the slot of its vectors."""

    embedder: Embedder
    slot: str

    def answers(self, graph: Graph, owner: Tenanted, id: str, text: str) -> set[str]:
        """Return the memories nearest to a text, the one it is taken from left out."""
        repository = RefillRepository(graph, owner, slot=self.slot)
        found = repository.nearest(self.embedder.embed_query(text), FIRST + 1)
        return set([each for each in found if each != id][:FIRST])


def measure(graph: Graph, old: Side, new: Side, questions: int = QUESTIONS) -> Overlap:
    """Ask both sides the beginnings of memories drawn at random, the same ones every time.

    Raises:
        EmbedderError: a model does not answer.
    """
    shares = []
    for owner, id, text in _drawn(graph, questions):
        before, after = old.answers(graph, owner, id, text), new.answers(graph, owner, id, text)
        shares.append(len(before & after) / max(len(before), len(after), 1))
    if not shares:
        return Overlap(0, 0.0, 0.0)
    return Overlap(len(shares), sum(shares) / len(shares), min(shares))


def _drawn(graph: Graph, questions: int) -> Iterator[tuple[Owner, str, str]]:
    # Where everything there is fits among the first ten, agreeing means nothing.
    chance = random.Random(questions)  # noqa: S311 - a sample, not a secret
    owners = list(every_owner(graph))
    owners = chance.sample(owners, min(len(owners), TENANTS))
    sizes = {owner: size for owner in owners if (size := RefillRepository(graph, owner).size()) > FIRST}
    places: dict[Owner, list[str]] = {}
    for owner in chance.choices(list(sizes), list(sizes.values()), k=questions) if sizes else []:
        places.setdefault(owner, []).append(str(uuid.UUID(int=chance.getrandbits(128))))
    for owner, some in places.items():
        for row in RefillRepository(graph, owner).sample(some):
            yield owner, row["id"], _question(row["content"])


def _question(text: str) -> str:
    head = " ".join(text.split())
    return head if len(head) <= LONGEST_QUESTION else head[:LONGEST_QUESTION].rsplit(" ", 1)[0]

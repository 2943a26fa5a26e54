"""Long texts: where the windows behind a text's own vector lie, and the vectors of text and windows together.

A text's own vector is made of its beginning (`Embedder.seen`). What follows is cut into windows that the model sees
whole, between words, each beginning a little before the one before it ends.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from app.embeddings import Embedder
from app.ids import new_id
from graph.records import Row, vector

# Characters that a window shares with the one before: a sentence on the edge is whole in one of them.
OVERLAP = 120
# Windows that are embedded while the caller waits. One costs as much as the text's own vector, and two cores take two
# at a time; longer texts get all theirs a moment later, from the worker.
AT_ONCE = 2
# Enough for 50,000 characters of ordinary text. Where a text needs more, these are spread evenly over it.
MOST = 64
# How far an edge is moved to stand between words.
LONGEST_WORD = 80

Stretch = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Embedded:
    """A text's vector and its windows, ready for the graph; `more`: its windows are left to the worker."""

    vector: Any
    windows: list[Row]
    more: bool


def embedded(embedder: Embedder, texts: Sequence[str]) -> list[Embedded]:
    """Embed texts with their windows, all together.

    Raises:
        ValueError: a text is blank.
        EmbedderError: no vectors can be had.
    """
    few = [list(islice(stretches(text, embedder), AT_ONCE + 1)) for text in texts]
    cut = [found if len(found) <= AT_ONCE else [] for found in few]
    parts = [text[start:end] for text, found in zip(texts, cut, strict=True) for start, end in found]
    vectors = embedder.embed_documents([*texts, *parts])
    rest = iter(vectors[len(texts) :])
    return [
        Embedded(own, rows(found, rest), more=len(whole) > AT_ONCE)
        for own, found, whole in zip(vectors[: len(texts)], cut, few, strict=True)
    ]


def windows(embedder: Embedder, text: str) -> list[Row]:
    """Embed all windows of a text, however many there are up to MOST. Raises as `embedded`."""
    found = spread(list(stretches(text, embedder)))
    return rows(found, iter(embedder.embed_documents([text[start:end] for start, end in found])))


def rows(found: Sequence[Stretch], vectors: Iterator[Any]) -> list[Row]:
    """Return windows as `MemoryWindowRepository.put` takes them."""
    return [
        {"id": new_id(), "number": number, "start": start, "end": end, "embedding": vector(next(vectors))}
        for number, (start, end) in enumerate(found, 2)
    ]


def stretches(text: str, embedder: Embedder) -> Iterator[Stretch]:
    """Yield (start, end) of each window of `text`, in characters; none where its own vector is made of all of it."""
    start, end = 0, embedder.seen(text)
    while end < len(text.rstrip()):
        # A share of the last one at most: with a model that reads little, windows must still get on.
        start = _begun(text, end - min(OVERLAP, (end - start) // 4), end)
        reach = start + max(embedder.seen(text[start:]), 1)
        # Whatever a model says, each window goes further than the last.
        end = max(_ended(text, reach, end + 1), end + 1)
        if text[start:end].strip():
            yield start, end


def spread(found: Sequence[Stretch]) -> list[Stretch]:
    """Return at most MOST of the windows, evenly spaced, the first and the last among them."""
    if len(found) <= MOST:
        return list(found)
    return [found[round(i * (len(found) - 1) / (MOST - 1))] for i in range(MOST)]


def _begun(text: str, start: int, latest: int) -> int:
    """Return the first beginning of a word from `start` on, or `latest`, then past any white space."""
    if start and not text[start - 1].isspace():
        start = next((at for at in range(start, min(latest, start + LONGEST_WORD)) if text[at].isspace()), start)
    while start < len(text) and text[start].isspace():
        start += 1
    return start


def _ended(text: str, end: int, least: int) -> int:
    """Return the last end of a word up to `end` and not before `least`."""
    if end >= len(text):
        return len(text)
    for at in range(end, max(least, end - LONGEST_WORD) - 1, -1):
        if text[at].isspace() or text[at - 1].isspace():
            return at
    return end

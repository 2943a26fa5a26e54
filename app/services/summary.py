"""An extractive summary: the sentences that have most in common with all others, none of them twice.

Each sentence s is a vector v(s) of its words, (1 + ln tf) * ln(1 + N / df), of length 1. With w(s) = 0.5 + importance
of its memory and C = sum of w(s) v(s), its centrality is w(s) * v(s).C: the weighted sum of its cosines with all
sentences (degree centrality as in Erkan and Radev, LexRank, 2004, without a threshold; by the centroid, as in Radev and
others, Centroid-based summarization, 2004, it costs one pass). Sentences are taken by maximal marginal relevance
(Carbonell and Goldstein, 1998) and shown in the order they were written. The same memories give the same summary.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app.services.recall.compress import cut

SENTENCES = 6
CHARACTERS = 1_200
LONGEST_SENTENCE = 300
# Sentences looked at; of many memories, each gives its first ones.
MOST_SENTENCES = 1_000
# The share of novelty in what is taken next, and the cosine from which a sentence says the same again.
NOVELTY = 0.3
SAME = 0.8
# Full stops of other scripts need no space after them.
_BETWEEN = re.compile(r"(?<=[.!?\u2026])\s+|\n+|(?<=[\u3002\uff01\uff1f])")
_WORD = re.compile(r"\w+")
# Numbers tell steps apart that otherwise read the same, and are no reason to show them all.
_SAID = re.compile(r"\w*[^\W\d]\w*")

Vector = dict[str, float]


@dataclass(frozen=True, slots=True)
class Told:
    """One memory of a session: what it says and its importance, 0 to 1."""

    content: str
    importance: float


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with the weight of its memory."""

    text: str
    weight: float


def extract_summary(told: Sequence[Told], sentences: int = SENTENCES, characters: int = CHARACTERS) -> str:
    """Return the central sentences of `told` (in writing order), one a line; empty when nothing was told."""
    found = _sentences(told)
    if not found:
        return ""
    vectors = _vectors([sentence.text for sentence in found])
    kept = _chosen(found, vectors, sentences, characters)
    return "\n".join(found[at].text for at in sorted(kept))


def centralities(found: Sequence[Sentence], vectors: Sequence[Vector]) -> list[float]:
    """Return the centrality of each sentence, the largest being 1."""
    centroid: Vector = {}
    for sentence, vector in zip(found, vectors, strict=True):
        for word, value in vector.items():
            centroid[word] = centroid.get(word, 0.0) + sentence.weight * value
    scores = [sentence.weight * _product(vector, centroid) for sentence, vector in zip(found, vectors, strict=True)]
    top = max(scores)
    return [score / top if top > 0 else 0.0 for score in scores]


def _chosen(found: Sequence[Sentence], vectors: Sequence[Vector], sentences: int, characters: int) -> list[int]:
    central = centralities(found, vectors)
    said = [0.0] * len(found)
    left = set(range(len(found)))
    kept: list[int] = []
    room = characters
    while left and len(kept) < sentences:
        best = min(left, key=lambda at: (NOVELTY * said[at] - (1 - NOVELTY) * central[at], at))
        left.discard(best)
        size = len(found[best].text) + 1
        if size > room or said[best] >= SAME:
            continue
        kept.append(best)
        room -= size
        for at in left:
            said[at] = max(said[at], _product(vectors[at], vectors[best]))
    return kept


def _sentences(told: Sequence[Told]) -> list[Sentence]:
    each = max(1, MOST_SENTENCES // max(1, len(told)))
    found: list[Sentence] = []
    for memory in told:
        taken = 0
        for part in _BETWEEN.split(memory.content):
            text = cut(" ".join(part.split()), LONGEST_SENTENCE)
            if _WORD.search(text):
                found.append(Sentence(text, 0.5 + memory.importance))
                taken += 1
            if taken == each:
                break
    return found[:MOST_SENTENCES]


def _vectors(texts: Sequence[str]) -> list[Vector]:
    counted = [Counter(_SAID.findall(text.casefold())) for text in texts]
    spread = Counter(word for words in counted for word in words)
    vectors = []
    for words in counted:
        raw = {word: (1 + math.log(count)) * math.log(1 + len(texts) / spread[word]) for word, count in words.items()}
        length = math.sqrt(sum(value * value for value in raw.values())) or 1.0
        vectors.append({word: value / length for word, value in raw.items()})
    return vectors


def _product(one: Vector, other: Vector) -> float:
    # In the order of the first, so that the sum is the same in every run.
    return sum(value * other[word] for word, value in one.items() if word in other)

"""An answer without a language model: the sentences that stand nearest to the question, word for word.

A sentence is worth WORDS * (share of the question's words it has, each weighed by how rare it is among the sentences:
ln(1 + n / df)) + MEANING * (its cosine to the question, placed between the model's floor and 1) + SOURCE * (the score
of its memory over the best). A mere question, and what says nothing that the question does not, is worth IDLE of
that. Vectors are made for the few that words and memory put first.
"""

import math
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from app.embeddings import Embedder, EmbedderError
from app.services.distinct import distinct
from app.services.recall import question
from app.services.searchable import stem
from app.services.sentences import sentences

WORDS, MEANING, SOURCE = 0.3, 0.3, 0.4
IDLE = 0.8
# Words beyond the question's own with which a question is still only a question.
SHORT = 4
MOST_SENTENCES = 400
EMBEDDED = 12
MOST_TOLD = 3
# What is told beside the best must be nearly as good, and what is told at all must have something of the question.
BESIDE, LEAST = 0.85, 0.1


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the memory with this number, and what it is worth, 0 to 1; `idle` ones tell nothing new."""

    number: int
    text: str
    worth: float
    idle: bool = False

    @property
    def value(self) -> float:
        """What it is worth as an answer."""
        return self.worth * (IDLE if self.idle else 1.0)


def best_sentences(
    asked: str, sources: Sequence[tuple[int, str, float]], embedder: Embedder, analyzer: str = "english"
) -> list[Sentence]:
    """Return up to three sentences that answer a question, best first; none when nothing comes near it.

    `sources` are (number, text, score) of memories, best first.
    """
    each = max(1, MOST_SENTENCES // max(1, len(sources)))
    found = [(number, part, score) for number, text, score in sources for part in sentences(text)[:each]]
    if not found:
        return []
    shares = _shares(asked, [part for _, part, _ in found], analyzer)
    top = max(score for _, _, score in found) or 1.0
    rows = [
        Sentence(number, part, WORDS * share + SOURCE * score / top, idle)
        for (number, part, score), (share, idle) in zip(found, shares, strict=True)
    ]
    rows.sort(key=lambda row: -row.value)
    rows = _with_meaning(asked, rows[:EMBEDDED], embedder)
    rows = [row for row in rows if row.worth >= LEAST + SOURCE and row.value >= BESIDE * rows[0].value]
    return [rows[at] for at in distinct([row.text for row in rows])][:MOST_TOLD]


def _shares(asked: str, parts: Sequence[str], analyzer: str) -> list[tuple[float, bool]]:
    """Return the share of the question's word weight that each part has, and whether it is idle."""
    wanted = {stem(word) for word in question.read(asked, analyzer).words}
    said = [{stem(word) for word in question.read(part, analyzer).words} for part in parts]
    having = Counter(word for words in said for word in words & wanted)
    weights = {word: math.log(1 + len(parts) / max(1, having[word])) for word in wanted}
    whole = sum(weights.values()) or 1.0
    return [
        (sum(weights[word] for word in words & wanted) / whole, _idle(part, words - wanted))
        for part, words in zip(parts, said, strict=True)
    ]


def _idle(part: str, new: Set[str]) -> bool:
    # A long question tells much by the way, as people do who ask an assistant.
    return not new or (part.endswith("?") and len(new) <= SHORT)


def _with_meaning(asked: str, rows: Sequence[Sentence], embedder: Embedder) -> list[Sentence]:
    try:
        probe = embedder.embed_query(asked)
        vectors = embedder.embed_documents([row.text for row in rows])
    except EmbedderError:
        # The words alone are an answer too.
        return list(rows)
    floor = embedder.cosine_floor
    worths = [
        row.worth + MEANING * min(max((float(vector @ probe) - floor) / (1 - floor), 0.0), 1.0)
        for row, vector in zip(rows, vectors, strict=True)
    ]
    made = [replace(row, worth=worth) for row, worth in zip(rows, worths, strict=True)]
    return sorted(made, key=lambda row: -row.value)

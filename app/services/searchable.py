"""What decisions and patterns have in common: how they stand in the indexes, and how they are found by meaning."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from app.auth import Principal
from app.services.recall import lucene, question
from app.services.recall.question import Question
from app.state import State
from graph.clock import now_ms
from graph.labels import NEVER, NONE, scope_token
from graph.naming import shown_name
from graph.searchable import SearchableRepository

# Measured with bge-small on decisions and questions about them: the power puts what answers at 0.3 and above, the
# threshold that clients send by default, and leaves the unrelated below.
POWER = 0.9
# A text that holds all words of the question scores at least WORDED, and gains LIFT of the distance to 1 besides. More
# would put one common word ("which database ...?") before what the question means.
WORDED = 0.35
LIFT = 0.15
# Words that questions about decisions are made of, beside those that every question is made of.
IDLE = frozenset("we our us i my you your should use uses used using need needs want make made new all any".split())
_WORD = re.compile(r"\w+")
_ENDING = re.compile(r"(?:ing|ings|ed|ly|ies|es|s|y|e)$")
SHORTEST_STEM = 3


def standing(parts: State, caller: Principal, kind: str, title: str, content: str) -> dict[str, Any]:
    """Return the properties that put a new node into the shared indexes: every one that the vector index filters by.

    `content` is the text that is searched. The scope token is of another kind than the memories' own.
    """
    now = now_ms()
    return {
        "kind": kind,
        "name": shown_name(title, "private"),
        "content": content,
        "scope_tokens": scope_token(kind, caller.tenant),
        "embedding_model": parts.embedder.identity,
        **dict.fromkeys(("agent_id", "user_id", "session_id", "project_id", "memory_type", "tier", "date_words"), NONE),
        "visibility": "private",
        "current": True,
        "archived": False,
        "importance": 0.5,
        **dict.fromkeys(("occurred_at", "expires_at", "superseded_at"), NEVER),
        "created_at": now,
        "updated_at": now,
        "version": 1,
    }


def least(wanted: Mapping[str, Any]) -> float:
    """Return the lowest score that a search asks for: `min_score`, or its alias `threshold`."""
    return float(wanted["min_score"] if "min_score" in wanted else wanted["threshold"])


def joined(*texts: str | None) -> str:
    """Return the texts that are there, one a line."""
    return "\n".join(text.strip() for text in texts if text and text.strip())


class Finder:
    """One search among a tenant's decisions or patterns."""

    def __init__(self, parts: State, caller: Principal, kind: str, text: str) -> None:
        self.parts, self.caller, self.kind = parts, caller, kind
        self.question: Question = question.read(text, parts.space.analyzer)
        self.vector = parts.embedder.embed_query(text)

    def rows(self, filters: Mapping[str, Any], *, everything: bool = False) -> list[dict[str, Any]]:
        """Return `{id, near, text}` of what has the filters' values, by meaning and by words."""
        repository = SearchableRepository(self.parts.graph, self.caller, slot=self.parts.space.slot)
        return repository.found(self.kind, self.vector, self._text(), filters, everything=everything)

    def scored(self, rows: Sequence[Mapping[str, Any]], least: float) -> list[tuple[str, float]]:
        """Return (id, score) of rows, best first, each once, without those below `least`."""
        floor = self.parts.embedder.cosine_floor
        stems = self._stems()
        scores = {row["id"]: score(row["near"], floor, coverage(stems, row["text"])) for row in rows}
        order = sorted(scores, key=lambda id: (-scores[id], id))
        return [(id, scores[id]) for id in order if scores[id] >= least]

    def _stems(self) -> frozenset[str]:
        words = self.question.words
        return frozenset(stem(word) for word in words if word not in IDLE) or frozenset(map(stem, words))

    def _text(self) -> str:
        within = f"+scope_tokens:{scope_token(self.kind, self.caller.tenant)}^0"
        if not self.question.words:
            return f"{within} {lucene.NOTHING}"
        # Words come from the reader as letters and digits alone, so quoted they cannot be read as syntax.
        clauses = " ".join(f'content:"{word}" title:"{word}"' for word in self.question.words)
        return f"{within} +({clauses})"


def score(near: float, floor: float, covered: float) -> float:
    """Return how well a text answers, 0 to 1, comparable between questions.

    `near` is (1 + cosine) / 2, `floor` the model's cosine of the unrelated; `covered` the share of the question's words
    that the text holds: all of them lift any text above the usual threshold, a few matter little.
    """
    place = (2 * near - 1 - floor) / (1 - floor)
    meaning = float(min(max(place, 0.0), 1.0) ** POWER)
    words = covered**2
    return round(1 - (1 - max(meaning, WORDED * words)) * (1 - LIFT * words), 4)


def coverage(stems: frozenset[str], text: str) -> float:
    """Return the share of `stems` that occur in `text`."""
    if not stems:
        return 0.0
    said = {stem(word) for word in _WORD.findall(text.lower())}
    return len(stems & said) / len(stems)


def stem(word: str) -> str:
    """Return a lower-case word without its ending."""
    short = _ENDING.sub("", word)
    return short if len(short) >= SHORTEST_STEM else word

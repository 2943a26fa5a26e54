"""Lucene query text, made of our own field names, opaque tokens and quoted words alone."""

from collections.abc import Mapping

from app.services.recall.question import Question
from app.services.words import TYPICAL, Counted, Term, rarity, weight
from graph.labels import scope_token

TITLE, PAIR = 0.6, 0.3

# A word that no memory has: for questions without words. The clause of the scope alone would let everything in.
NOTHING = '+scope_tokens:"none"'


def scope(tenant: str, agent_id: str | None = None) -> str:
    """Return the clauses that keep a query inside a tenant, and inside an agent, without touching its scores.

    The index filters only after its limit, so without them a small tenant beside a large one would find nothing.
    """
    clauses = f"+scope_tokens:{scope_token('tenant', tenant)}^0"
    return f"{clauses} +scope_tokens:{scope_token('agent', agent_id)}^0" if agent_id else clauses


def terms(question: Question) -> list[Term]:
    """Return the (field, word) pairs whose weights `full` wants to know."""
    return [("content", word) for word in question.words] + [("date_words", word) for word in question.dated]


def counting(within: str, term: Term) -> str:
    """Return the query that finds the memories with a word in a field."""
    return f'{within} +{term[0]}:"{term[1]}"'


def full(within: str, question: Question, counts: Mapping[Term, Counted], total: int) -> str:
    """Return the query of a whole question: weighted words, title, date, and words side by side."""
    if not question.words:
        return f"{within} {NOTHING}"
    clauses = []
    for word in question.words:
        term = ("content", word)
        b = weight(term, counts[term], total)
        clauses.append(f'content:"{word}"^{b:.4f} title:"{word}"^{TITLE * b:.4f}')
    for word in question.dated:
        term = ("date_words", word)
        clauses.append(f'date_words:"{word}"^{weight(term, counts[term], total):.4f}')
    clauses += [f'content:"{a} {b}"~2^{PAIR}' for a, b in question.pairs]
    return f"{within} +({' '.join(clauses)})"


def reach(question: Question, counts: Mapping[Term, Counted], total: int) -> float:
    """Return about the score of a memory that has every word of the question."""
    return TYPICAL["content"] * sum(rarity(counts["content", word][0], total) for word in question.words)

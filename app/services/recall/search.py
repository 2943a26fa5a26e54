"""A search from its body to its hits: read the question, ask the graph once, rank, hydrate, score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from app.auth import Principal
from app.services import calibration, rankers
from app.services.calibration import Confidence
from app.services.distinct import distinct
from app.services.recall import metadata
from app.services.recall.compress import shortened
from app.services.recall.explain import explained
from app.services.recall.look import Look
from app.services.recall.question import Question
from app.services.refer import NOBODY, agent_named, project_named
from app.state import State
from graph.memories import MemoryRepository
from graph.moments import MomentRepository
from graph.recall_linked import RecallLinkRepository

# Conditions that stand in the body as the graph takes them.
PLAIN = (
    "session_id", "user_id", "memory_type", "tier", "min_importance", "created_after", "created_before",
    "occurred_after", "occurred_before",
)  # fmt: skip
# How many more than asked for are read where some may fall away.
SPARE = 2

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hit:
    """A memory as `MemoryRepository` shows it, its score between 0 and 1, and, when asked for, why it is here."""

    memory: Row
    score: float
    confidence: Confidence = "low"
    explanation: Row | None = None


@dataclass(frozen=True, slots=True)
class Recalled:
    """The hits, best first; whether none of them answers; and, when asked for, how the search went and what is tied."""

    hits: list[Hit]
    no_relevant_memory: bool
    explanation: Row | None = None
    linked: Row | None = None


def search(parts: State, caller: Principal, wanted: Row) -> Recalled:
    """Answer a loaded `SearchIn` body. An agent, project or session that the tenant does not have matches nothing.

    With `include_expired` also what is gone for readers and not yet purged is found.

    Raises:
        Invalid: the metadata filter cannot be understood.
        EmbedderUnavailable: the question cannot be embedded now.
    """
    metadata.check(wanted.get("metadata_filter") or {})
    filters = conditions(parts, caller, wanted)
    if NOBODY in filters.values() and not wanted.get("explain"):
        return Recalled([], no_relevant_memory=True)
    look = Look(parts, caller, wanted, filters)
    order = look.ranked()
    values = look.scores(order)
    scores = dict(zip([each.id for each in order], values, strict=True))
    with look.timed("load"):
        hits = scored(chosen(look, caller, scores, wanted), scores, wanted, look.model)
    nothing = not hits or hits[0].confidence == "low"
    least = wanted.get("min_score", wanted.get("threshold"))
    if least is not None:
        hits = [hit for hit in hits if hit.score >= least]
    if wanted.get("compress"):
        hits = compressed(hits, look.question, wanted)
    linked = None
    if wanted.get("include_linked"):
        ids = [hit.memory["id"] for hit in hits]
        linked = RecallLinkRepository(parts.graph, caller).linked(ids, wanted.get("as_of"))
    if not wanted.get("explain"):
        return Recalled(hits, nothing, linked=linked)
    reasons, whole = explained(look, order, [hit.memory for hit in hits])
    return Recalled([replace(hit, explanation=reasons[hit.memory["id"]]) for hit in hits], nothing, whole, linked)


def chosen(look: Look, caller: Principal, scores: Mapping[str, float], wanted: Row) -> list[Row]:
    """Return the memories to show, best first: the first ones, or those that differ where that is asked for."""
    ids, most = list(scores), wanted["limit"]
    if not (wanted.get("collapse") or wanted.get("diversity")):
        return shown(look, caller, ids[:most])
    left = shown(look, caller, ids[: SPARE * most])
    if wanted.get("collapse"):
        left = [left[at] for at in distinct([row["content"] for row in left])]
    if diversity := wanted.get("diversity"):
        vectors = look.graph.vectors([row["id"] for row in left])
        kept = set(rankers.diverse([row["id"] for row in left], scores, vectors, diversity, most))
        left = [row for row in left if row["id"] in kept]
    return left[:most]


def shown(look: Look, caller: Principal, ids: Sequence[str]) -> list[Row]:
    """Return memories in the order of `ids`, as they were at the moment asked about, without those that are gone."""
    if look.as_of is not None:
        return MomentRepository(look.parts.graph, caller, look.as_of).shown(ids)
    memories = MemoryRepository(look.parts.graph, caller, slot=look.parts.space.slot)
    rows = memories.get_many(ids, expired=look.graph.expired)
    return [rows[id] for id in ids if id in rows]


def conditions(parts: State, caller: Principal, wanted: Row) -> Row:
    """Return what every hit must be, by the names of `graph.labels.SEARCH_CONDITIONS`."""
    filters = {
        "agent_id": agent_named(parts, caller, wanted.get("agent_id")),
        "project_id": project_named(parts, caller, wanted.get("project")),
        "visibility": wanted.get("visibility") or (None if wanted.get("include_confidential") else "private"),
        "archived": True if wanted.get("archived_only") else None if wanted.get("include_archived") else False,
        **{name: wanted.get(name) for name in PLAIN},
    }
    return {name: value for name, value in filters.items() if value is not None}


def scored(rows: Sequence[Row], scores: Mapping[str, float], wanted: Row, model: calibration.Calibration) -> list[Hit]:
    """Return hits in the order of their scores; in the order of `rows` where those are equal."""
    values = [scores[row["id"]] for row in rows]
    mode = wanted["search_mode"]
    if mode != "semantic":
        values = calibration.with_same(values, wanted["query"], [row["content"] for row in rows])
    hits = [
        Hit(row, value, calibration.confidence(value, mode, model)) for row, value in zip(rows, values, strict=True)
    ]
    return sorted(hits, key=lambda hit: -hit.score)


def compressed(hits: Sequence[Hit], asked: Question, wanted: Row) -> list[Hit]:
    """Return hits with their texts shortened; one for which no room is left is left out."""
    texts = shortened([hit.memory["content"] for hit in hits], asked.words, wanted.get("max_context_tokens"))
    return [replace(hit, memory={**hit.memory, "content": text}) for hit, text in zip(hits, texts, strict=True) if text]

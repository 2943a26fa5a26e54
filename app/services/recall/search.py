"""A search from its body to its hits: read the question, ask the graph once, rank, hydrate, score."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import orjson

from app.auth import Principal
from app.clock import now_ms
from app.services import calibration, rankers
from app.services.rankers import Candidate, Link, Ranked, Weights
from app.services.recall import lucene, metadata, question
from app.services.recall.compress import shortened
from app.services.recall.question import Question
from app.services.refer import NOBODY, agent_named, project_named
from app.services.words import Counted, Term
from app.state import State
from graph.memories import MemoryRepository
from graph.recall import RecallRepository

# What can be left out of a hybrid search, to see what it is worth.
ARMS = ("vectors", "words", "session", "graph")

DEEP = 50
ENOUGH = 30
DEEPEST = 50_000
BESIDE = 20
TARGETS = 40
# A name that more memories share leads nowhere in particular: a share of the tenant, within two bounds.
SHARED_SHARE, SHARED_LEAST, SHARED_MOST = 0.02, 5, 100
COUNTED_LEAST, COUNTED_MOST, COUNTED_SHARE = 300, 3_000, 4
WEIGHTS = Weights()

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hit:
    """A memory as `MemoryRepository` shows it, and its score between 0 and 1."""

    memory: Row
    score: float


@dataclass(frozen=True, slots=True)
class Found:
    """What one look into the graph brought: its row, what of it passes the metadata filter, and whether it suffices."""

    row: Row
    passing: Sequence[Any]
    suffices: bool


def search(parts: State, caller: Principal, wanted: Row) -> list[Hit]:
    """Return the hits of a loaded `SearchIn` body, best first.

    An agent, project or session that the tenant does not have matches nothing.

    Raises:
        Invalid: the metadata filter cannot be understood.
        EmbedderUnavailable: the question cannot be embedded now.
    """
    metadata.check(wanted.get("metadata_filter") or {})
    filters = conditions(parts, caller, wanted)
    if NOBODY in filters.values():
        return []
    look = Look(parts, caller, wanted, filters)
    order = look.ranked()
    scores = dict(zip([each.id for each in order], look.scores(order), strict=True))
    ids = list(scores)[: wanted["limit"]]
    rows = MemoryRepository(parts.graph, caller, slot=parts.space.slot).get_many(ids)
    hits = scored([rows[id] for id in ids if id in rows], scores, wanted)
    least = wanted.get("min_score", wanted.get("threshold"))
    if least is not None:
        hits = [hit for hit in hits if hit.score >= least]
    return compressed(hits, look.question, wanted) if wanted.get("compress") else hits


def conditions(parts: State, caller: Principal, wanted: Row) -> Row:
    """Return what every hit must be, by the names of `graph.labels.SEARCH_CONDITIONS`."""
    filters = {
        "agent_id": agent_named(parts, caller, wanted.get("agent_id")),
        "project_id": project_named(parts, caller, wanted.get("project")),
        "session_id": wanted.get("session_id"),
        "user_id": wanted.get("user_id"),
        "memory_type": wanted.get("memory_type"),
        "tier": wanted.get("tier"),
        "min_importance": wanted.get("min_importance"),
        "visibility": None if wanted.get("include_confidential") else "private",
        "archived": None if wanted.get("include_archived") else False,
    }
    return {name: value for name, value in filters.items() if value is not None}


def scored(rows: Sequence[Row], scores: Mapping[str, float], wanted: Row) -> list[Hit]:
    """Return hits in the order of their scores; in the order of `rows` where those are equal."""
    values = [scores[row["id"]] for row in rows]
    if wanted["search_mode"] != "semantic":
        values = calibration.with_same(values, wanted["query"], [row["content"] for row in rows])
    hits = [Hit(row, value) for row, value in zip(rows, values, strict=True)]
    return sorted(hits, key=lambda hit: -hit.score)


def compressed(hits: Sequence[Hit], asked: Question, wanted: Row) -> list[Hit]:
    """Return hits with their texts shortened; one for which no room is left is left out."""
    texts = shortened([hit.memory["content"] for hit in hits], asked.words, wanted.get("max_context_tokens"))
    return [Hit({**hit.memory, "content": text}, hit.score) for hit, text in zip(hits, texts, strict=True) if text]


class Look:
    """One search under way: the question as read, and where it may look."""

    def __init__(self, parts: State, caller: Principal, wanted: Row, filters: Row) -> None:
        self.parts, self.caller, self.filters = parts, caller, filters
        self.mode: str = wanted["search_mode"]
        self.limit: int = wanted["limit"]
        self.arms = frozenset(wanted.get("arms") or ARMS)
        self.metadata_filter: Row = wanted.get("metadata_filter") or {}
        self.question = question.read(wanted["query"], parts.space.analyzer)
        self.graph = RecallRepository(parts.graph, caller, parts.space.slot)
        self.scope = lucene.scope(caller.tenant, filters.get("agent_id"))
        self.common = {"pieces": metadata.pieces(self.metadata_filter), "whole": bool(self.metadata_filter)}
        self.model = calibration.for_model(parts.embedder.name)
        self.reach = 0.0

    def ranked(self) -> list[Ranked]:
        """Return what was found, in final order."""
        return {"hybrid": self.hybrid, "semantic": self.semantic, "keyword": self.keyword}[self.mode]()

    def scores(self, order: Sequence[Ranked]) -> list[float]:
        """Return a score between 0 and 1 for everything found, descending."""
        if self.mode == "semantic":
            return [min(max(each.cosine, 0.0), 1.0) for each in order]
        if self.mode == "keyword":
            return calibration.keyword_scores(order)
        return calibration.hybrid_scores(order, self.parts.embedder.cosine_floor, self.reach, self.model)

    def semantic(self) -> list[Ranked]:
        """Rank by cosine alone."""
        vector = self.parts.embedder.embed_query(self.question.text)

        def look(deep: int) -> Found:
            return self._flat(self.graph.nearest(self.filters, vector, deep=deep, **self.common), deep)

        found = [(2 * score - 1, id) for id, score, _ in self._widened(look).passing]
        return [Ranked(id, cosine, cosine, 0.0) for cosine, id in sorted(found, key=lambda each: (-each[0], each[1]))]

    def keyword(self) -> list[Ranked]:
        """Rank by words alone."""
        text = self._text()

        def look(deep: int) -> Found:
            return self._flat(self.graph.worded(self.filters, text, deep=deep, **self.common), deep)

        found = [(score, id) for id, score, _ in self._widened(look).passing]
        return [Ranked(id, score, 0.0, score) for score, id in sorted(found, key=lambda each: (-each[0], each[1]))]

    def hybrid(self) -> list[Ranked]:
        """Rank by everything."""
        vector = self.parts.embedder.embed_query(self.question.text)
        floor = self.parts.embedder.cosine_floor
        fixed = {
            "text": self._text() if "words" in self.arms else f"{self.scope} {lucene.NOTHING}",
            "use_vectors": "vectors" in self.arms,
            "beside": BESIDE if "session" in self.arms else 0,
            "seeds": WEIGHTS.seeds if "graph" in self.arms else 0,
            "targets": TARGETS,
            "floor": floor,
            "lexical": WEIGHTS.lexical,
            "lexical_power": WEIGHTS.lexical_power,
            "dense_power": WEIGHTS.dense_power,
            "asked_weight": WEIGHTS.asked_name,
            "shared_name": WEIGHTS.shared_name,
            "asked": list(self.question.names),
            "padded": self.question.padded,
            "total": float(self.total),
            "most_shared": min(max(SHARED_LEAST, int(SHARED_SHARE * self.total)), SHARED_MOST),
            "most_titled": SHARED_MOST,
            **self.common,
        }

        def look(deep: int) -> Found:
            most = deep if self.metadata_filter else max(DEEP, self.limit)
            return self._arms(self.graph.candidates(self.filters, vector, deep=deep, most=most, **fixed), deep)

        found = self._widened(look)
        row = found.row
        links = [
            Link(Candidate(id, 2 * score - 1, 0.0, None, importance, tier, created), ways)
            for id, ways, score, importance, tier, created, text in row["links"]
            if self._passes(text)
        ]
        return rankers.ranked(found.passing, row["seeds"], links, floor, now_ms(), WEIGHTS)

    def _arms(self, row: Row, deep: int) -> Found:
        columns = ("ids", "near_scores", "text_scores", "nexts", "importances", "tiers", "created")
        texts = row["metadata"] or [None] * len(row["ids"])
        session = "session" in self.arms
        passing = [
            Candidate(id, 2 * near - 1, text, after if session else None, importance, tier, created)
            for id, near, text, after, importance, tier, created, raw in zip(
                *(row[name] for name in columns), texts, strict=True
            )
            if self._passes(raw)
        ]
        near_done, texts_done = row["near_seen"] < deep, row["texts_seen"] < deep
        need = self._need()
        suffices = (
            (near_done or row["near_kept"] >= need)
            and (texts_done or row["texts_kept"] >= need)
            and ((near_done and texts_done) or len(passing) >= need)
        )
        return Found(row, passing, suffices)

    def _flat(self, row: Row, deep: int) -> Found:
        passing = [each for each in row["found"] if self._passes(each[2])]
        return Found(row, passing, row["seen"] < deep or len(passing) >= self._need())

    def _widened(self, look: Callable[[int], Found]) -> Found:
        depths = self._depths()
        found = look(next(depths))
        for deep in depths:
            if found.suffices:
                break
            found = look(deep)
        return found

    def _depths(self) -> Iterator[int]:
        """Yield how deep to look: ten times deeper each time, until everything the tenant has was in reach."""
        deep = max(DEEP, self.limit)
        yield deep
        reach = min(self.total + 1, DEEPEST)
        while deep < reach:
            deep = min(10 * deep, reach)
            yield deep

    def _need(self) -> int:
        return max(ENOUGH, self.limit)

    def _passes(self, text: str | None) -> bool:
        return not self.metadata_filter or metadata.matches(self.metadata_filter, orjson.loads(text or "{}"))

    @cached_property
    def total(self) -> int:
        """How many memories the tenant has; one answer for the whole search."""
        return self.parts.words.total(self.caller.tenant, self.graph.total)

    def _text(self) -> str:
        most = min(max(COUNTED_LEAST, self.total // COUNTED_SHARE), COUNTED_MOST)
        # Rarity is the tenant's, whatever agent is asked about.
        within = lucene.scope(self.caller.tenant)

        def count(terms: list[Term]) -> list[Counted]:
            return self.graph.counts([lucene.counting(within, term) for term in terms], most)

        counts = self.parts.words.look_up(self.caller.tenant, lucene.terms(self.question), count)
        self.reach = lucene.reach(self.question, counts, self.total)
        return lucene.full(self.scope, self.question, counts, self.total)

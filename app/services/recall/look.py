"""One search under way: what it asks the graph, how far it looks, and how what it finds is ranked."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import orjson

from app.auth import Principal
from app.clock import now_ms
from app.services import calibration, rankers
from app.services.rankers import Beside, Candidate, Link, Named, Ranked, Reached, Weights
from app.services.recall import lucene, metadata, question, times
from app.services.recall.when import Window
from app.services.words import Counted, Term
from app.state import State
from graph.recall import RecallRepository
from graph.recall_moments import PastRecallRepository

# What can be left out of a hybrid search, to see what it is worth.
ARMS = ("vectors", "words", "session", "graph", "entities")
DEEP = 50
ENOUGH = 30
DEEPEST = 50_000
BESIDE = 20
TARGETS = 40
# What fails the metadata filter takes no place: that many are read where one is asked for, and so many more seeds.
TARGETS_READ, SEEDS_READ = 2_000, 4
MOST_NAMED = 20
# A name that more memories share leads nowhere in particular: a share of the tenant, within two bounds.
SHARED_SHARE, SHARED_LEAST, SHARED_MOST = 0.02, 5, 100
COUNTED_LEAST, COUNTED_MOST, COUNTED_SHARE = 300, 3_000, 4
WEIGHTS = Weights()

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What one look into the graph brought: its row, what of it passes the metadata filter, and whether it suffices."""

    row: Row
    passing: Sequence[Any]
    suffices: bool


class Look:
    """One search under way: the question as read, and where it may look."""

    def __init__(self, parts: State, caller: Principal, wanted: Row, filters: Row) -> None:
        self.parts, self.caller, self.filters = parts, caller, filters
        self.mode: str = wanted["search_mode"]
        self.limit: int = wanted["limit"]
        self.arms = frozenset(wanted.get("arms") or ARMS)
        self.weights = replace(WEIGHTS, **(wanted.get("weights") or {}))
        self.metadata_filter: Row = wanted.get("metadata_filter") or {}
        self.spent: dict[str, float] = {}
        self.counted: dict[str, int] = {}
        with self.timed("read"):
            known = parts.names.of(parts.graph, caller.tenant) if self.mode == "hybrid" else None
            self.question = question.read(wanted["query"], parts.space.analyzer, known)
        slot, self.as_of = parts.space.slot, wanted.get("as_of")
        self.graph = (
            RecallRepository(parts.graph, caller, slot)
            if self.as_of is None
            else PastRecallRepository(parts.graph, caller, self.as_of, slot)
        )
        self.graph.expired = bool(wanted.get("include_expired"))
        self.scope = lucene.scope(caller.tenant, filters.get("agent_id"))
        self.common = {"pieces": metadata.pieces(self.metadata_filter), "whole": bool(self.metadata_filter)}
        self.model = calibration.for_model(parts.embedder.name)
        self.reach = 0.0
        self.times: list[Window] = []
        if self.mode == "hybrid" and wanted.get("time", "boost") != "ignore":
            self.times = times.spoken(self.question.text, self.as_of or now_ms(), self.moment_of)
            if wanted.get("time") == "restrict":
                self.filters = times.restricted(filters, self.times)
        self.candidates: Sequence[Candidate] = ()
        self.reached = Reached()

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes to `spent`, in milliseconds."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.spent[stage] = self.spent.get(stage, 0.0) + 1000 * (time.perf_counter() - started)

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
        """Rank by cosine alone; what stands far down in a long memory counts `further` less."""
        vector, deepest = self._vector(), 0

        def look(deep: int) -> Found:
            nonlocal deepest
            deepest = deep
            return self._flat(self.graph.nearest(self.filters, vector, deep=deep, **self.common), deep)

        cosines = {id: 2 * score - 1 for id, score, _ in self._widened(look).passing}
        for id, score, text in self.graph.further(self.filters, vector, deep=deepest, **self.common):
            if self._passes(text):
                cosines[id] = max(cosines.get(id, -1.0), 2 * score - 1 - self.weights.further)
        found = sorted(cosines.items(), key=lambda each: (-each[1], each[0]))
        return [Ranked(id, cosine, cosine, 0.0) for id, cosine in found]

    def keyword(self) -> list[Ranked]:
        """Rank by words alone."""
        text = self._text()

        def look(deep: int) -> Found:
            return self._flat(self.graph.worded(self.filters, text, deep=deep, **self.common), deep)

        found = [(score, id) for id, score, _ in self._widened(look).passing]
        return [Ranked(id, score, 0.0, score) for score, id in sorted(found, key=lambda each: (-each[0], each[1]))]

    def hybrid(self) -> list[Ranked]:
        """Rank by everything."""
        vector = self._vector()
        floor, weights = self.parts.embedder.cosine_floor, self.weights
        fixed = {
            "text": self._text() if "words" in self.arms else f"{self.scope} {lucene.NOTHING}",
            "use_vectors": "vectors" in self.arms,
            "beside": BESIDE if "session" in self.arms else 0,
            "seeds": weights.seeds * (SEEDS_READ if self.metadata_filter else 1) if "graph" in self.arms else 0,
            "named": list(self.question.entities[:MOST_NAMED]) if "entities" in self.arms else [],
            "targets": TARGETS_READ if self.metadata_filter else TARGETS,
            "floor": floor,
            "lexical": weights.lexical,
            "lexical_power": weights.lexical_power,
            "dense_power": weights.dense_power,
            # The graph's scores are (1 + cosine) / 2.
            "further": weights.further / 2,
            "asked_weight": weights.asked_name,
            "shared_name": weights.shared_name,
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
        self.candidates = found.passing
        self.reached = self._reached(found.row)
        self.counted |= {
            "candidates": len(self.candidates),
            **{name: len(getattr(self.reached, name)) for name in ("seeds", "links", "named", "beside")},
        }
        with self.timed("rank"):
            stretches = [(each.from_ms, each.to_ms) for each in self.times]
            return rankers.ranked(self.candidates, self.reached, floor, self.as_of or now_ms(), weights, stretches)

    def moment_of(self, words: str) -> int | None:
        """Return when the memory that has most of some words took place, in epoch milliseconds; None where none did."""
        asked = question.read(words, self.parts.space.analyzer)
        terms = dict.fromkeys(lucene.terms(asked), (0, 0.0))
        row = self.graph.worded(
            self.filters, lucene.full(self.scope, asked, terms, self.total), deep=DEEP, **self.common
        )
        return self.graph.first_moment([id for id, _, raw in row["found"] if self._passes(raw)])

    def _vector(self) -> Any:
        with self.timed("embed"):
            return self.parts.embedder.embed_query(self.question.text)

    def _reached(self, row: Row) -> Reached:
        def shown(
            id: str, near: float, importance: float, tier: str, created: int, occurred: int, names: int, evidence: int
        ) -> Candidate:
            return Candidate(id, 2 * near - 1, 0.0, None, importance, tier, created, occurred, names, evidence)

        known = {c.id for c in self.candidates}
        kept = [at for at, id in enumerate(row["seeds"]) if id in known][: self.weights.seeds]
        place = {at: new for new, at in enumerate(kept)}
        links = [
            Link(shown(*rest), [(place[at], *worth) for at, *worth in ways if at in place])
            for ways, *rest, text in row["links"]
            if self._passes(text)
        ]
        named = [Named(shown(*rest), weight) for weight, *rest, text in row["named"] if self._passes(text)]
        beside = [
            Beside(shown(*rest), place[at], step)
            for at, step, *rest, text in row["beside"]
            if at in place and self._passes(text)
        ]
        return Reached(
            seeds=[row["seeds"][at] for at in kept],
            links=[link for link in links if link.ways][:TARGETS],
            named=named[:TARGETS],
            beside=beside,
        )

    def _arms(self, row: Row, deep: int) -> Found:
        columns = (
            "ids", "near_scores", "text_scores", "nexts", "importances", "tiers", "created", "occurred", "evidences",
        )  # fmt: skip
        texts = row["metadata"] or [None] * len(row["ids"])
        session = "session" in self.arms
        names = dict(zip(row["seeds"], row["seed_names"], strict=True))
        passing = [
            Candidate(
                id,
                2 * near - 1,
                text,
                after if session else None,
                importance,
                tier,
                created,
                occurred,
                names.get(id, 0),
                evidence,
            )
            for id, near, text, after, importance, tier, created, occurred, evidence, raw in zip(
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
        with self.timed("search"):
            for deep in self._depths():
                found = look(deep)
                self.counted["looks"] = self.counted.get("looks", 0) + 1
                if found.suffices:
                    break
        return found

    def _depths(self) -> Iterator[int]:
        """Yield how deep to look: ten times deeper each time, until everything the tenant has was in reach."""
        deep = max(DEEP, self.limit)
        yield deep
        reach = min((self.total if self.as_of is None else self.graph.reach()) + 1, DEEPEST)
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

        with self.timed("words"):
            counts = self.parts.words.look_up(self.caller.tenant, lucene.terms(self.question), count)
        self.reach = lucene.reach(self.question, counts, self.total)
        return lucene.full(self.scope, self.question, counts, self.total)

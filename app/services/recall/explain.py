"""Why each hit is where it is: its rank and score in every arm, its boosts, and the way that led to it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from app.services.rankers import Candidate, Ranked, Reached, boosts, within
from app.services.recall.look import Look
from graph.clock import now_ms
from graph.recall_paths import RecallPathRepository

Row: TypeAlias = dict[str, Any]
QUESTION: Row = {"kind": "question", "id": None, "name": "the question"}


@dataclass(frozen=True, slots=True)
class Way:
    """How a hit was reached: `arm`, and the memory (`over`) from which, when it was not found directly.

    `steps` places apart in a session, or 0 where a name leads over; `between` is what stands between two places apart,
    unless the search may not show it.
    """

    arm: str
    over: str | None = None
    steps: int = 0
    between: str | None = None


def explained(look: Look, order: Sequence[Ranked], memories: Sequence[Row]) -> tuple[dict[str, Row], Row]:
    """Return an explanation for each memory by its id, and one of the whole search. `order` is everything ranked."""
    shown = [memory["id"] for memory in memories]
    ranked = {each.id: each for each in order}
    candidates = {c.id: c for c in look.candidates}
    known = {c.id: c for c in look.reached.targets()} | candidates
    ranks = {
        "vectors": _ranks(order, lambda each: each.cosine if each.id in candidates or look.mode == "semantic" else 0),
        "words": _ranks(order, lambda each: each.lexical),
    }
    ways = {id: way(ranked[id], candidates, look.reached) for id in shown} if look.mode == "hybrid" else {}
    with look.timed("explain"):
        paths = Paths(look, ways)
    reasons = {
        memory["id"]: {
            "ranking_score": ranked[memory["id"]].score,
            "arms": _arms(ranked[memory["id"]], ranks, look),
            "boosts": _boosts(known[memory["id"]], look) if look.mode == "hybrid" else {},
            "path": paths.of(memory["id"], memory["content"]),
        }
        for memory in memories
    }
    return reasons, {
        "mode": look.mode,
        "arms": sorted(look.arms) if look.mode == "hybrid" else [look.mode],
        "words": list(look.question.words),
        "names": list(look.question.names),
        "times": [{"phrase": each.phrase, "start": each.from_ms, "end": each.to_ms} for each in look.times],
        "counts": {"memories": look.total, "ranked": len(order), **look.counted},
        "ms": {stage: round(spent, 2) for stage, spent in look.spent.items()},
    }


def way(hit: Ranked, candidates: Mapping[str, Candidate], reached: Reached) -> Way:
    """Return what contributed most to a hit."""
    gains = hit.gains
    shares = {
        "found": gains.base,
        "session": gains.spread - gains.base if hit.id in candidates else 0.0,
        "entities": gains.named,
        "graph": max(gains.hop, gains.walk),
    }
    match max(shares, key=lambda arm: shares[arm]):
        case "session":
            beside = [c.id for c in candidates.values() if c.next == hit.id]
            after = candidates[hit.id].next
            near = [id for id in (*beside, after) if id is not None and id in candidates]
            return Way("session", max(near, key=lambda id: candidates[id].cosine, default=None), 1)
        case "entities":
            return Way("entities")
        case "graph":
            return _led(hit.id, reached) or Way("vectors")
    return Way("words" if hit.lexical > 0 and gains.base > 0 and hit.cosine <= 0 else "vectors")


def _led(id: str, reached: Reached) -> Way | None:
    links = [link for link in reached.links if link.target.id == id]
    over = {seed: titled + shared for link in links for seed, titled, shared in link.ways}
    if over:
        return Way("graph", reached.seeds[max(over, key=lambda seed: over[seed])])
    beside = [each for each in reached.beside if each.target.id == id]
    if not beside:
        return None
    nearest = min(beside, key=lambda each: abs(each.step))
    halfway = [e.target.id for e in reached.beside if e.seed == nearest.seed and 2 * e.step == nearest.step]
    return Way("graph", reached.seeds[nearest.seed], abs(nearest.step), halfway[0] if halfway else None)


class Paths:
    """The nodes and relationships from the question to each hit."""

    def __init__(self, look: Look, ways: Mapping[str, Way]) -> None:
        graph = RecallPathRepository(look.parts.graph, look.caller)
        self.ways = ways
        pairs = [(way.over, id) for id, way in ways.items() if way.over is not None and not way.steps]
        self.ties = graph.between(pairs) if pairs else {}
        entities = [id for id, way in ways.items() if way.arm == "entities"]
        self.named = graph.named(entities, look.question.entities) if entities else {}
        between = {id for way in ways.values() for id in (way.over, way.between) if id is not None}
        self.names = graph.names(sorted(between)) if between else {}
        self.mode = look.mode

    def of(self, id: str, content: str) -> Row:
        """Return `{nodes: [{kind, id, name}], relationships}`; there is one relationship less than nodes."""
        way = self.ways.get(id, Way(self.mode))
        nodes, relationships = [QUESTION], list[str]()
        for by, node in self._steps(id, way):
            relationships.append(by)
            nodes.append(node)
        nodes.append({"kind": "memory", "id": id, "name": content[:80]})
        return {"nodes": nodes, "relationships": [*relationships, self._last(id, way)]}

    def _steps(self, id: str, way: Way) -> Iterator[tuple[str, Row]]:
        if way.arm == "entities" and id in self.named:
            found = self.named[id]
            yield "NAMES", {"kind": "entity", "id": found["entity_id"], "name": found["entity_name"]}
        if way.over is not None:
            yield "FOUND", {"kind": "memory", "id": way.over, "name": self.names.get(way.over, "")}
            if tie := self.ties.get((way.over, id)):
                yield "MENTIONS", {"kind": "entity", "id": tie["entity_id"], "name": tie["entity_name"]}
        if way.between is not None:
            yield "NEXT", {"kind": "memory", "id": way.between, "name": self.names.get(way.between, "")}

    def _last(self, id: str, way: Way) -> str:
        if way.over is None:
            return "MENTIONS" if id in self.named else "FOUND"
        tie = self.ties.get((way.over, id))
        return str(tie["how"]) if tie else "NEXT"


def _ranks(order: Sequence[Ranked], value: Any) -> dict[str, tuple[int, float]]:
    found = sorted(((value(each), each.id) for each in order if value(each) > 0), key=lambda pair: (-pair[0], pair[1]))
    return {id: (rank, score) for rank, (score, id) in enumerate(found, 1)}


def _arms(hit: Ranked, ranks: Mapping[str, Mapping[str, tuple[int, float]]], look: Look) -> Row:
    arms: Row = {
        arm: {"rank": found[hit.id][0], "score": round(found[hit.id][1], 6)}
        for arm, found in ranks.items()
        if hit.id in found
    }
    gains = hit.gains
    added = {"session": gains.spread - gains.base, "entities": gains.named, "graph": gains.hop + gains.walk}
    if look.mode == "hybrid":
        arms |= {arm: {"rank": None, "score": round(gain, 6)} for arm, gain in added.items() if gain > 0}
    return arms


def _boosts(memory: Candidate, look: Look) -> dict[str, float]:
    stretches = [(each.from_ms, each.to_ms) for each in look.times]
    weights, now = look.weights, look.as_of or now_ms()
    return {
        **boosts(memory, now, weights.boost),
        "time": 1 + weights.timed * within(memory.occurred_at, stretches),
    }

"""Ranking as pure functions over numbers: fusion, session spread, names, hop, walk, boosts. Nothing here does I/O.

The formulae and what each part is worth are in docs/recall.md.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graph.labels import NEVER


@dataclass(frozen=True, slots=True)
class Weights:
    """One setting for chats and passages alike.

    `lexical` and 1 - `lexical` weigh the two arms after their powers. `from_previous` and `from_next` are what a memory
    takes over from its neighbours in the session. A memory that carries names of the question gains `named` at most. A
    hop from one of `seeds` gives `hop` times the seed's score times (titled + `shared_name` times shared). A walk from
    the same seeds gives `walk` at most: its steps go to what a seed's names lead to (1, and `shared_name` for shared
    ones) and to each neighbour in the session (`beside`); the second step counts `second`, and a target with more than
    `crowded` names is worth less. A target that no arm had found enters with `unseen` times its dense part. `boost` is
    how much recency, importance, tier and evidence count; `timed` is added where the question speaks of the memory's
    time. A stretch further down in a long memory counts `further` less than its cosine. The first `fixed` keep their
    places whatever hops in; a cosine of at least `same` is put before everything.
    """

    lexical: float = 0.4
    lexical_power: float = 1.5
    dense_power: float = 2.0
    from_previous: float = 0.3
    from_next: float = 0.4
    seeds: int = 3
    hop: float = 0.4
    shared_name: float = 0.3
    asked_name: float = 0.2
    named: float = 0.1
    walk: float = 0.2
    beside: float = 0.3
    second: float = 0.5
    crowded: int = 8
    boost: float = 1.0
    timed: float = 0.2
    further: float = 0.08
    unseen: float = 0.9
    fixed: int = 2
    same: float = 0.985


@dataclass(frozen=True, slots=True)
class Candidate:
    """A memory that may answer: `cosine` to the question, raw `lexical` score, the id of the `next` in its session.

    `created_at` and `occurred_at` are epoch milliseconds; `names` is how many names the memory carries; `evidence` how
    many memories and decisions bear it out.
    """

    id: str
    cosine: float
    lexical: float
    next: str | None = None
    importance: float = 0.5
    tier: str = "warm"
    created_at: int = 0
    occurred_at: int = NEVER
    names: int = 0
    evidence: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """What a hop reached: the target, and (seed's index, titled, shared) for each seed that leads to it."""

    target: Candidate
    ways: Sequence[tuple[int, float, float]]


@dataclass(frozen=True, slots=True)
class Named:
    """A memory that carries names of the question, and their rarities summed."""

    target: Candidate
    weight: float


@dataclass(frozen=True, slots=True)
class Beside:
    """A memory `step` places after (before: negative) the seed with this index in its session; one or two."""

    target: Candidate
    seed: int
    step: int


@dataclass(frozen=True, slots=True)
class Reached:
    """What the graph leads to besides the arms' own candidates. `seeds` are ids among those, as links count them."""

    seeds: Sequence[str] = ()
    links: Sequence[Link] = ()
    named: Sequence[Named] = ()
    beside: Sequence[Beside] = ()

    def targets(self) -> Iterable[Candidate]:
        """Return every memory reached, some more than once."""
        several: tuple[Sequence[Link | Named | Beside], ...] = (self.links, self.named, self.beside)
        return [each.target for reached in several for each in reached]


@dataclass(frozen=True, slots=True)
class Gains:
    """What a ranking score is made of: `spread * boost + named + hop + walk`; `base` is `spread` less the session."""

    base: float = 0.0
    spread: float = 0.0
    boost: float = 1.0
    named: float = 0.0
    hop: float = 0.0
    walk: float = 0.0


@dataclass(frozen=True, slots=True)
class Ranked:
    """A memory in its final place. `score` is at least 0 and only compares within one question."""

    id: str
    score: float
    cosine: float
    lexical: float
    gains: Gains = field(default=Gains(), compare=False)


DAY_MS = 86_400_000
HALF_LIFE_DAYS = 30
TIERS = {"hot": 1.02, "warm": 1.0, "cold": 0.98}
# What much evidence is worth; the first piece has half of it. 0 leaves evidence out.
EVIDENCE = 0.02
# However many speak for or against a memory, it is moved by a tenth at most.
LEAST_BOOST, MOST_BOOST = 0.9, 1.1


def dense_part(cosine: float, best: float, floor: float, power: float) -> float:
    """Return the cosine's place between `floor` (0) and the question's `best` (1), raised to `power`."""
    if cosine <= floor or best <= floor:
        return 0.0
    return float(min((cosine - floor) / (best - floor), 1.0) ** power)


def fused(found: Sequence[Candidate], floor: float, weights: Weights) -> dict[str, float]:
    """Return the weighted sum of both arms by id, each arm between 0 and 1."""
    best_text = max((c.lexical for c in found), default=0.0)
    best_near = max((c.cosine for c in found), default=0.0)
    base = {}
    for c in found:
        text = (c.lexical / best_text) ** weights.lexical_power if best_text > 0 else 0.0
        near = dense_part(c.cosine, best_near, floor, weights.dense_power)
        base[c.id] = weights.lexical * text + (1 - weights.lexical) * near
    return base


def spread(base: Mapping[str, float], found: Sequence[Candidate], weights: Weights) -> dict[str, float]:
    """Return `base` with each memory's share of its neighbours in the session added; one step, from `base` alone."""
    score = dict(base)
    for c in found:
        if c.next is not None and c.next in base:
            score[c.next] += weights.from_previous * base[c.id]
            score[c.id] += weights.from_next * base[c.next]
    return score


def hops(seeds: Sequence[float], links: Sequence[Link], weights: Weights) -> dict[str, float]:
    """Return what each target gains: the maximum over `seeds` (their scores), each kind of link scaled to its best."""
    best_titled, best_shared = [0.0] * len(seeds), [0.0] * len(seeds)
    for link in links:
        for seed, titled, shared in link.ways:
            best_titled[seed] = max(best_titled[seed], titled)
            best_shared[seed] = max(best_shared[seed], shared)
    gain = {}
    for link in links:
        ways = [
            seeds[seed] * (_over(titled, best_titled[seed]) + weights.shared_name * _over(shared, best_shared[seed]))
            for seed, titled, shared in link.ways
        ]
        gain[link.target.id] = weights.hop * max(ways, default=0.0)
    return gain


def named(found: Sequence[Named], weights: Weights) -> dict[str, float]:
    """Return what memories gain for carrying names of the question, the largest gain being `named`."""
    most = max((each.weight for each in found), default=0.0)
    return {each.target.id: weights.named * _over(each.weight, most) for each in found}


def walk(
    seeds: Sequence[float], reached: Reached, near: Mapping[str, float], names: Mapping[str, int], weights: Weights
) -> dict[str, float]:
    """Return what memories gain from a walk of two steps that starts at the seeds, the largest gain being `walk`.

    It is the beginning of a personalised PageRank: a seed's square starts it, each step shares out what it holds among
    the ways on. `seeds` are their scores; `near` is the plain dense part of everything reached, by which its share
    counts, so that a walk never leads away from the question.
    """
    total = sum(score**2 for score in seeds)
    arrived: dict[str, float] = defaultdict(float)
    for at, score in enumerate(seeds if total > 0 else ()):
        around = {each.step: each.target.id for each in reached.beside if each.seed == at}
        first = _ways(at, reached.links, around, weights)
        whole = sum(first.values())
        for id, way in first.items():
            arrived[id] += score**2 / total * way / whole
        for step in (1, -1):
            if step not in around:
                continue
            onward = [reached.seeds[at], *([around[2 * step]] if 2 * step in around else [])]
            share = weights.second * score**2 / total * first[around[step]] / whole / len(onward)
            for next_id in onward:
                arrived[next_id] += share
    # A seed that the search may not show is no place to arrive at.
    worth = {
        id: value * near[id] / math.sqrt(max(1.0, names.get(id, 0) / weights.crowded))
        for id, value in arrived.items()
        if id in near
    }
    most = max(worth.values(), default=0.0)
    return {id: weights.walk * _over(value, most) for id, value in worth.items()}


def _ways(at: int, links: Sequence[Link], around: Mapping[int, str], weights: Weights) -> dict[str, float]:
    """Return the ways on from one seed: shares of its titled and shared names, and its neighbours."""
    titled = {link.target.id: way[1] for link in links for way in link.ways if way[0] == at}
    shared = {link.target.id: way[2] for link in links for way in link.ways if way[0] == at}
    ways: dict[str, float] = defaultdict(float)
    for amounts, weight in ((titled, 1.0), (shared, weights.shared_name)):
        whole = sum(amounts.values())
        for id, amount in amounts.items():
            if amount > 0:
                ways[id] += weight * amount / whole
    for step in (1, -1):
        if step in around:
            ways[around[step]] += weights.beside
    return ways


def boost(memory: Candidate, now: int, weight: float = 1.0) -> float:
    """Return a factor between 0.9 and 1.1 for what speaks for a memory by itself: it breaks ties and buries nothing."""
    return min(max(math.prod(boosts(memory, now, weight).values()), LEAST_BOOST), MOST_BOOST)


def within(moment: int, times: Sequence[tuple[int, int]]) -> bool:
    """Whether a moment lies in one of some stretches of time, their ends excluded."""
    return any(start <= moment < end for start, end in times)


def boosts(memory: Candidate, now: int, weight: float = 1.0) -> dict[str, float]:
    """Return the factors of `boost` by name, each 1 for the ordinary memory. `now` is in epoch milliseconds."""
    age = max(now - memory.created_at, 0) / DAY_MS
    return {
        "recency": 1 + weight * 0.03 * (2 * 0.5 ** (age / HALF_LIFE_DAYS) - 1),
        "importance": 1 + weight * 0.08 * (min(max(memory.importance, 0.0), 1.0) - 0.5),
        "tier": 1 + weight * (TIERS.get(memory.tier, 1.0) - 1),
        "evidence": 1 + weight * EVIDENCE * (1 - 0.5**memory.evidence),
    }


def ranked(
    found: Sequence[Candidate],
    reached: Reached,
    floor: float,
    now: int,
    weights: Weights,
    times: Sequence[tuple[int, int]] = (),
) -> list[Ranked]:
    """Return all memories in final order, ties by id. `times` are the stretches of which the question speaks."""
    base = fused(found, floor, weights)
    score = spread(base, found, weights)
    top = max(score.values(), default=0.0)
    score = {id: _over(value, top) for id, value in score.items()}
    known = {c.id: c for c in found}
    best_near = max((c.cosine for c in found), default=0.0)
    for target in reached.targets():
        if target.id not in known:
            dense = dense_part(target.cosine, best_near, floor, weights.dense_power)
            score[target.id] = weights.unseen * (1 - weights.lexical) * _over(dense, top)
            known[target.id] = target
    near = {id: dense_part(c.cosine, best_near, floor, 1.0) for id, c in known.items()}
    factors = {
        id: boost(c, now, weights.boost) * (1 + weights.timed * within(c.occurred_at, times)) for id, c in known.items()
    }
    by_name = named(reached.named, weights)
    before = {id: value * factors[id] + by_name.get(id, 0.0) for id, value in score.items()}
    order = sorted(before, key=lambda id: (-before[id], id))
    seeds = [before.get(seed, 0.0) for seed in reached.seeds]
    hopped = hops(seeds, reached.links, weights)
    # An arm does not count names: only what the graph leads to does.
    names = {c.id: c.names for c in (*found, *reached.targets())}
    walked = walk(seeds, reached, near, names, weights)
    gains = {
        id: Gains(
            base=_over(base.get(id, 0.0), top),
            spread=score[id],
            boost=factors[id],
            named=by_name.get(id, 0.0),
            hop=hopped.get(id, 0.0),
            walk=walked.get(id, 0.0),
        )
        for id in known
    }
    final = {id: before[id] + gains[id].hop + gains[id].walk for id in known}
    return placed(order, final, known, gains, weights)


def placed(
    order: Sequence[str],
    final: Mapping[str, float],
    known: Mapping[str, Candidate],
    gains: Mapping[str, Gains],
    weights: Weights,
) -> list[Ranked]:
    """Return the final order: the same text first, then the best before the hop, then by final score."""
    same = sorted((id for id in order if known[id].cosine >= weights.same), key=lambda id: (-known[id].cosine, id))
    first = list(dict.fromkeys([*same, *order[: weights.fixed]]))
    rest = sorted((id for id in order if id not in set(first)), key=lambda id: (-final[id], id))
    return [Ranked(id, final[id], known[id].cosine, known[id].lexical, gains[id]) for id in [*first, *rest]]


def _over(value: float, top: float) -> float:
    return value / top if top > 0 else 0.0


def diverse(
    ids: Sequence[str],
    scores: Mapping[str, float],
    vectors: Mapping[str, Sequence[float]],
    diversity: float,
    most: int,
) -> list[str]:
    """Return `most` of `ids` that answer and differ: maximal marginal relevance (Carbonell, Goldstein 1998).

    `diversity` 0 takes the best scores, 1 only cares for difference; what has no vector counts as different from all.
    """
    left, kept = list(ids), list[str]()
    nearest = dict.fromkeys(left, 0.0)
    while left and len(kept) < most:
        best = max(left, key=lambda id: (1 - diversity) * scores[id] - diversity * nearest[id])
        left.remove(best)
        kept.append(best)
        for id in left:
            if id in vectors and best in vectors:
                nearest[id] = max(nearest[id], _cosine(vectors[id], vectors[best]))
    return kept


def _cosine(a: Sequence[float], b: Sequence[float]) -> float:
    size = math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / size if size else 0.0

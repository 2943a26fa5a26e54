"""Ranking as pure functions over numbers: fusion, session spread, name hop, small boosts. Nothing here does I/O.

The formulae and what each part is worth are in docs/recall.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weights:
    """One setting for chats and passages alike.

    `lexical` and 1 - `lexical` weigh the two arms after their powers. `from_previous` and `from_next` are what a memory
    takes over from its neighbours in the session. A hop from one of `seeds` gives `hop` times the seed's score times
    (titled + `shared_name` times shared); a target that no arm had found enters with `unseen` times its dense part. The
    first `fixed` keep their places whatever hops in; a cosine of at least `same` is put before everything.
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
    unseen: float = 0.9
    fixed: int = 2
    same: float = 0.985


@dataclass(frozen=True, slots=True)
class Candidate:
    """A memory that may answer: `cosine` to the question, raw `lexical` score, the id of the `next` in its session.

    `created_at` is epoch milliseconds.
    """

    id: str
    cosine: float
    lexical: float
    next: str | None = None
    importance: float = 0.5
    tier: str = "warm"
    created_at: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """What a hop reached: the target, and (seed's index, titled, shared) for each seed that leads to it."""

    target: Candidate
    ways: Sequence[tuple[int, float, float]]


@dataclass(frozen=True, slots=True)
class Ranked:
    """A memory in its final place. `score` is at least 0 and only compares within one question."""

    id: str
    score: float
    cosine: float
    lexical: float


DAY_MS = 86_400_000
HALF_LIFE_DAYS = 30
TIERS = {"hot": 1.02, "warm": 1.0, "cold": 0.98}


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


def boost(memory: Candidate, now: int) -> float:
    """Return a factor between 0.9 and 1.1 for importance, tier and recency: it breaks ties and buries nothing."""
    age = max(now - memory.created_at, 0) / DAY_MS
    recency = 1 + 0.03 * (2 * 0.5 ** (age / HALF_LIFE_DAYS) - 1)
    importance = 1 + 0.08 * (min(max(memory.importance, 0.0), 1.0) - 0.5)
    return float(recency * importance * TIERS.get(memory.tier, 1.0))


def ranked(
    found: Sequence[Candidate],
    seeds: Sequence[str],
    links: Sequence[Link],
    floor: float,
    now: int,
    weights: Weights,
) -> list[Ranked]:
    """Return all memories in final order, ties by id.

    `seeds` are ids among `found`, in the order that `Link.ways` counts them.
    """
    base = fused(found, floor, weights)
    score = spread(base, found, weights)
    top = max(score.values(), default=0.0)
    score = {id: _over(value, top) for id, value in score.items()}
    known = {c.id: c for c in found}
    best_near = max((c.cosine for c in found), default=0.0)
    for link in links:
        if link.target.id not in known:
            near = dense_part(link.target.cosine, best_near, floor, weights.dense_power)
            score[link.target.id] = weights.unseen * (1 - weights.lexical) * _over(near, top)
            known[link.target.id] = link.target
    score = {id: value * boost(known[id], now) for id, value in score.items()}
    order = sorted(score, key=lambda id: (-score[id], id))
    gain = hops([score.get(seed, 0.0) for seed in seeds], links, weights)
    final = {id: value + gain.get(id, 0.0) for id, value in score.items()}
    return placed(order, final, known, weights)


def placed(
    order: Sequence[str], final: Mapping[str, float], known: Mapping[str, Candidate], weights: Weights
) -> list[Ranked]:
    """Return the final order: the same text first, then the best before the hop, then by final score."""
    same = sorted((id for id in order if known[id].cosine >= weights.same), key=lambda id: (-known[id].cosine, id))
    first = list(dict.fromkeys([*same, *order[: weights.fixed]]))
    rest = sorted((id for id in order if id not in set(first)), key=lambda id: (-final[id], id))
    return [Ranked(id, final[id], known[id].cosine, known[id].lexical) for id in [*first, *rest]]


def _over(value: float, top: float) -> float:
    return value / top if top > 0 else 0.0

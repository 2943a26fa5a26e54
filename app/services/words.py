"""How often words occur inside one tenant, remembered for a short while: what makes a word count in a search."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

MOST_TENANTS = 1_000
MOST_WORDS = 5_000
# Seconds that counts serve. A small tenant changes under one's eyes, a large one hardly.
SMALL, SMALL_TTL, LARGE_TTL = 1_000, 5.0, 60.0

# What Lucene's own best score of a word is divided by, so that a weight of 1 brings a good match to about its idf.
TYPICAL = {"content": 0.75, "date_words": 0.5}
LEAST, MOST = 0.02, 3.0

Term = tuple[str, str]
Counted = tuple[int, float]


@dataclass
class Tenant:
    """What is known of one tenant: its size, and (memories that have it, best score) by (field, word).

    Times are of the monotonic clock: `until` when the size serves, `since` when counting began.
    """

    total: int
    until: float
    since: float
    counts: dict[Term, Counted] = field(default_factory=dict)


class WordCounts:
    """Caches counts by tenant and word. Threads share it; a child process starts with what it inherits."""

    def __init__(self) -> None:
        self._tenants: OrderedDict[str, Tenant] = OrderedDict()
        self._lock = threading.Lock()

    def forget(self, tenant: str) -> None:
        """Drop what is known of a tenant."""
        with self._lock:
            self._tenants.pop(tenant, None)

    def total(self, tenant: str, count: Callable[[], int]) -> int:
        """Return how many memories the tenant has, asking `count` when the answer has become old."""
        with self._lock:
            known = self._tenants.get(tenant)
        if known is not None and known.until > time.monotonic():
            return known.total
        total, now = count(), time.monotonic()
        until = now + (SMALL_TTL if total < SMALL else LARGE_TTL)
        # What is counted stays true for longer than the total while the tenant does not grow.
        keeps = known is not None and known.total == total and known.since + LARGE_TTL > now
        with self._lock:
            if keeps and known is not None:
                known.until = until
            else:
                known = Tenant(total, until, since=now)
            self._tenants[tenant] = known
            self._tenants.move_to_end(tenant)
            while len(self._tenants) > MOST_TENANTS:
                self._tenants.popitem(last=False)
        return total

    def look_up(
        self, tenant: str, terms: Sequence[Term], count: Callable[[list[Term]], list[Counted]]
    ) -> dict[Term, Counted]:
        """Return the counts of `terms`, asking `count` for those not known. Call `total` first."""
        with self._lock:
            known = self._tenants.get(tenant)
            counts = known.counts if known is not None else {}
            found = {term: counts[term] for term in terms if term in counts}
        missing = [term for term in terms if term not in found]
        if missing:
            fresh = dict(zip(missing, count(missing), strict=True))
            found |= fresh
            with self._lock:
                if len(counts) + len(fresh) > MOST_WORDS:
                    counts.clear()
                counts.update(fresh)
        return found


def weight(term: Term, counted: Counted, total: int) -> float:
    """Return the factor that gives a word the rarity it has inside its tenant.

    BM25's idf over the tenant's `total` memories, divided by the best score that Lucene gave the word with its own idf.
    """
    having, best = counted
    if having == 0 or best <= 0:
        return 1.0
    return min(max(rarity(having, total) / (best / TYPICAL[term[0]]), LEAST), MOST)


def rarity(having: int, total: int) -> float:
    """Return BM25's idf of a word that `having` of `total` memories have."""
    return math.log(1 + (max(total, having) - having + 0.5) / (having + 0.5))

"""Finds topics: groups of entities that memories mention together, by Louvain's method with a fixed seed.

Bounded: the newest memories, the strongest pairs. A topic keeps its id while at least half of it stays the same.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import networkx

from app.ids import new_id
from app.state import State
from graph.clock import now_ms
from graph.driver import Graph
from graph.labels import NEVER
from graph.records import Row
from graph.tenants import tenants_after
from graph.topics import TopicRepository

MOST_MEMORIES, MOST_MENTIONS, MOST_STATED = 10_000, 16, 10_000
MOST_PAIRS, MOST_TOPICS, MOST_MEMBERS, FEWEST_MEMBERS = 40_000, 100, 500, 3
LABELLED_BY = 3
SEED = 7
PAUSE_MS, LONGEST_MS = 120_000, 86_400_000
TENANTS = 100


@dataclass(frozen=True)
class Owner:
    """The tenant on whose behalf the loop works."""

    tenant: str


class Walk:
    """The loop: goes over the tenants, a few at a time, and finds the topics of those where something was written."""

    def __init__(self) -> None:
        self.after = ""

    def __call__(self, parts: State) -> bool:
        """Look after the next tenants; return whether there are more in this round."""
        found = tenants_after(parts.graph, self.after, TENANTS)
        for tenant in found:
            if TopicRepository(parts.graph, Owner(tenant)).claim(PAUSE_MS, LONGEST_MS):
                find_topics(parts.graph, tenant)
        self.after = found[-1] if len(found) == TENANTS else ""
        return bool(self.after)


work = Walk()


def find_topics(graph: Graph, tenant: str) -> int:
    """Find the topics of a tenant and put them in the place of the old ones; return how many there are."""
    topics = TopicRepository(graph, Owner(tenant))
    pairs = weigh(topics.said_together(MOST_MEMORIES, MOST_MENTIONS, NEVER), topics.stated(MOST_STATED))
    groups = communities(pairs)
    names = topics.names(sorted({id for group in groups for id, _ in group}))
    before = topics.members()
    if groups or before:
        topics.replace(described(groups, names, before))
    return len(groups)


def weigh(together: Iterable[list[str]], stated: Iterable[Row]) -> dict[tuple[str, str], float]:
    """Return the weight of each pair (smaller id first), the strongest only.

    A memory that names n entities adds 1 / (n - 1) to each of its pairs, so that a long text says no more than a short
    one; a stated relation adds its own weight.
    """
    pairs: Counter[tuple[str, str]] = Counter()
    for ids in together:
        for pair in combinations(sorted(set(ids)), 2):
            pairs[pair] += 1 / (len(ids) - 1)  # type: ignore[assignment]
    for row in stated:
        pairs[min(row["source"], row["target"]), max(row["source"], row["target"])] += row["weight"]
    return dict(sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:MOST_PAIRS])


def communities(pairs: dict[tuple[str, str], float]) -> list[list[tuple[str, float]]]:
    """Return groups of (id, weight inside the group), heaviest member and largest group first; never random."""
    graph: Any = networkx.Graph()
    for (source, target), weight in sorted(pairs.items()):
        if weight > 0:
            graph.add_edge(source, target, weight=weight)
    groups = []
    for members in networkx.community.louvain_communities(graph, weight="weight", seed=SEED):
        if len(members) >= FEWEST_MEMBERS:
            degrees = graph.subgraph(members).degree(weight="weight")
            ranked = sorted(((id, round(weight, 4)) for id, weight in degrees), key=lambda item: (-item[1], item[0]))
            groups.append(ranked[:MOST_MEMBERS])
    return sorted(groups, key=lambda group: (-len(group), group[0][0]))[:MOST_TOPICS]


def described(groups: list[list[tuple[str, float]]], names: dict[str, str], before: list[Row]) -> list[Row]:
    """Return the rows to write: each group with its label, and with the id of the old topic it continues."""
    old = {row["id"]: (set(row["members"]), row["created_at"]) for row in before}
    made = []
    for rank, group in enumerate(groups):
        ids = {id for id, _ in group}
        same = next((id for id, (members, _) in old.items() if 2 * len(ids & members) >= len(ids | members)), None)
        _, created_at = old.pop(same) if same else (ids, now_ms())
        label = ", ".join(names[id] for id, _ in group[:LABELLED_BY] if id in names)
        members = [{"id": id, "weight": weight} for id, weight in group]
        made.append(
            {"id": same or new_id(), "label": label, "rank": rank, "created_at": created_at, "members": members}
        )
    return made

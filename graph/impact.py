"""What falls if a decision changes: a walk over DEPENDS_ON, BASED_ON and ABOUT, a level at a time, safe over cycles.

The work is bounded whatever the graph looks like: so many levels, so many nodes, so many neighbours of each, and
entities that everything is about are named but not entered.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from graph.clock import now_ms
from graph.driver import Transaction
from graph.records import Ids, Row
from graph.repository import Repository

DEEPEST = 10
MOST_NODES = 2_000
FAN = 200
CROWDED = 500

# A decision stands for those it superseded: who depended on an older one depends on what took its place.
FROM_DECISIONS = """
CYPHER 25
UNWIND $ids AS at
MATCH (d:Decision {tenant: $tenant, id: at})
CALL (d) {
  MATCH (d)<-[:DEPENDS_ON]-(o:Decision)
  RETURN o, 'DEPENDS_ON' AS type, 0 AS turn, false AS along, false AS crowded ORDER BY o.id LIMIT $fan
 UNION ALL
  MATCH (d)-[:SUPERSEDES]->(o:Decision)
  RETURN o, 'SUPERSEDES' AS type, 1 AS turn, true AS along, false AS crowded ORDER BY o.id LIMIT $fan
 UNION ALL
  MATCH (d)-[:BASED_ON]->(o:Memory)
  WHERE $wide AND o.expires_at > $now
  RETURN o, 'BASED_ON' AS type, 2 AS turn, true AS along, false AS crowded ORDER BY o.id LIMIT $fan
 UNION ALL
  MATCH (d)-[:ABOUT]->(o:Entity)
  WHERE $wide
  RETURN o, 'ABOUT' AS type, 3 AS turn, true AS along, COUNT { (o)<-[:ABOUT]-() } > $most AS crowded
  ORDER BY o.id LIMIT $fan
}
RETURN at, o.id AS id, o.name AS name, o.title AS title, o.current AS current, labels(o) AS labels, type, along, crowded
ORDER BY turn, at, id
"""
FROM_MEMORIES = """
CYPHER 25
UNWIND $ids AS at
MATCH (m:Memory {tenant: $tenant, id: at})
CALL (m) {
  MATCH (m)<-[:BASED_ON]-(o:Decision)
  RETURN o ORDER BY o.id LIMIT $fan
}
RETURN at, o.id AS id, o.name AS name, o.title AS title, o.current AS current, labels(o) AS labels, 'BASED_ON' AS type,
  false AS along, false AS crowded
ORDER BY at, id
"""
FROM_ENTITIES = """
CYPHER 25
UNWIND $ids AS at
MATCH (e:Entity {tenant: $tenant, id: at})
CALL (e) {
  MATCH (e)<-[:ABOUT]-(o:Decision)
  RETURN o ORDER BY o.id LIMIT $fan
}
RETURN at, o.id AS id, o.name AS name, o.title AS title, o.current AS current, labels(o) AS labels, 'ABOUT' AS type,
  false AS along, false AS crowded
ORDER BY at, id
"""
START = "CYPHER 25 MATCH (d:Decision {tenant: $tenant, id: $id}) RETURN d.id AS id, d.title AS name"


@dataclass(frozen=True, slots=True)
class Step:
    """How a node was reached first: from which, over what, and whether `along` the relationship's own direction."""

    node: Row
    before: str | None
    type: str
    along: bool
    distance: int
    current: bool = False


@dataclass
class Walk:
    """All that was reached, in order; whether bounds cut it short; entities too common to say anything."""

    steps: dict[str, Step] = field(default_factory=dict)
    truncated: bool = False
    too_common: dict[str, Row] = field(default_factory=dict)

    def decisions(self) -> Iterator[Step]:
        """Yield the decisions reached, nearest first, without the one that the walk began with."""
        return (step for step in self.steps.values() if step.before is not None and step.node["type"] == "decision")

    def path(self, id: str) -> Row:
        """Return `{nodes: [{id, type, name}], relationships: [{type, from, to}]}` from the start to `id`."""
        nodes, relationships = [], []
        step = self.steps[id]
        while step.before is not None:
            here = step.node["id"]
            ends = (step.before, here) if step.along else (here, step.before)
            relationships.append({"type": step.type, "from": ends[0], "to": ends[1]})
            nodes.append(step.node)
            step = self.steps[step.before]
        return {"nodes": [step.node, *reversed(nodes)], "relationships": relationships[::-1]}


class ImpactRepository(Repository):
    """Walks in one tenant."""

    kind = "Decision"

    def walks(self, id: str, depth: int) -> tuple[Walk, Walk]:
        """Return the wide walk and the one of certain dependants, both over one state of the graph.

        Raises:
            NotFound: no such decision.
        """

        def work(tx: Transaction) -> tuple[Walk, Walk]:
            mine = ImpactRepository(self.graph, self.caller, tx)
            return mine.walk(id, depth), mine.walk(id, depth, wide=False)

        return self.graph.snapshot(work)

    def walk(self, id: str, depth: int, *, wide: bool = True) -> Walk:
        """Return what is reached from a decision over at most `depth` relationships, each node once, by a shortest way.

        Of ways equally short, the one over DEPENDS_ON wins. `wide=False` follows DEPENDS_ON and SUPERSEDES alone: what
        depends on the decision for certain.

        Raises:
            NotFound: no such decision.
        """
        start = self.one(START, id=id)
        walk = Walk({id: Step({"id": id, "type": "decision", "name": start["name"]}, None, "", True, 0)})
        level = [id]
        for distance in range(1, min(depth, DEEPEST) + 1):
            level = self._level(walk, level, distance, wide)
            if not level:
                break
        return walk

    def _level(self, walk: Walk, level: Ids, distance: int, wide: bool) -> Ids:
        reached: Ids = []
        for row in self._around(walk, level, wide):
            id = row["id"]
            if id in walk.steps:
                continue
            kind = _kind(row["labels"])
            node = {"id": id, "type": kind, "name": (row["title"] if kind == "decision" else None) or row["name"]}
            if row["crowded"]:
                walk.too_common[id] = node
            elif len(walk.steps) >= MOST_NODES:
                walk.truncated = True
            else:
                walk.steps[id] = Step(node, row["at"], row["type"], row["along"], distance, bool(row["current"]))
                reached.append(id)
        return reached

    def _around(self, walk: Walk, level: Ids, wide: bool) -> Iterator[Row]:
        def of(kind: str) -> Ids:
            return [id for id in level if walk.steps[id].node["type"] == kind]

        common: dict[str, Any] = {"fan": FAN}
        rows: list[Row] = []
        if ids := of("decision"):
            rows += self.read(FROM_DECISIONS, ids=ids, wide=wide, most=CROWDED, now=now_ms(), **common)
        if ids := of("memory"):
            rows += self.read(FROM_MEMORIES, ids=ids, **common)
        if ids := of("entity"):
            rows += self.read(FROM_ENTITIES, ids=ids, **common)
        walk.truncated |= _full(rows)
        return iter(rows)


def _kind(names: Collection[str]) -> str:
    return next(kind for label, kind in KINDS.items() if label in names)


def _full(rows: list[Row]) -> bool:
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["at"], row["type"])
        counts[key] = counts.get(key, 0) + 1
    return any(count >= FAN for count in counts.values())


KINDS = {"Decision": "decision", "Memory": "memory", "Entity": "entity"}

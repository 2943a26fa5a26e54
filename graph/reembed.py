"""Changing the model: the record of a reembed under way, and the switch.

The record is one node; while somebody works on it, it is leased. `state` is one of

| state | means |
|---|---|
| filling | the new slot is being filled; the old one is in force |
| ready | nothing lacks a new vector but what is being written now; servers load the new model |
| switched | the new slot is in force; stragglers are filled in, then the old one is emptied |
| aborting | the new slot is being emptied again |
"""

from dataclasses import dataclass
from typing import Any

from graph.clock import now_ms
from graph.driver import Graph

FILLING, READY, SWITCHED, ABORTING = "filling", "ready", "switched", "aborting"
LEASE_MS = 15_000

READ = """
CYPHER 25
MATCH (r:SchemaVersion {name: 'reembed'})
RETURN r.identity AS identity, r.replaces AS replaces, r.dimensions AS dimensions, r.model AS model, r.slot AS slot,
  r.state AS state, r.done AS done, r.total AS total, r.started_at AS started_at, r.lease_until AS lease_until
"""
# Of two that begin at once, one finds the other's record; nothing begins from vectors that are in force no more.
BEGIN = """
CYPHER 25
MATCH (s:SchemaVersion {name: 'embedding'}) WHERE s.identity = $replaces AND s.slot <> $slot
MERGE (r:SchemaVersion {name: 'reembed'})
ON CREATE SET r.identity = $identity, r.replaces = $replaces, r.dimensions = $dimensions, r.model = $model,
  r.slot = $slot, r.state = $state, r.done = 0, r.total = 0, r.started_at = $now
"""
TAKE = """
CYPHER 25
MATCH (r:SchemaVersion {name: 'reembed'})
SET r.touched_at = $now
WITH r WHERE r.holder IS NULL OR r.holder = $holder OR r.lease_until < $now
SET r.holder = $holder, r.lease_until = $until
RETURN r.state AS state
"""
BEAT = """
CYPHER 25
MATCH (r:SchemaVersion {name: 'reembed'})
SET r.touched_at = $now
WITH r WHERE r.holder = $holder
SET r.lease_until = $until, r.done = $done, r.total = $total
RETURN r.state AS state
"""
GIVE_BACK = "CYPHER 25 MATCH (r:SchemaVersion {name: 'reembed', holder: $holder}) REMOVE r.holder, r.lease_until"
TURN = """
CYPHER 25
MATCH (r:SchemaVersion {name: 'reembed', holder: $holder})
SET r.state = $state
RETURN r.state AS state
"""
# Both records in one transaction: either everybody finds the new vectors in force, or nobody does.
SWITCH = """
CYPHER 25
MATCH (r:SchemaVersion {name: 'reembed', holder: $holder, state: 'ready'})
MATCH (s:SchemaVersion {name: 'embedding'})
SET s.touched_at = $now
WITH r, s WHERE s.identity = r.replaces AND s.slot <> r.slot
SET s.former = [each IN coalesce(s.former, []) WHERE each <> r.identity AND each <> s.identity] + s.identity,
  s.identity = r.identity, s.dimensions = r.dimensions, s.model = r.model, s.slot = r.slot, r.state = 'switched'
RETURN s.slot AS slot
"""
END = "CYPHER 25 MATCH (r:SchemaVersion {name: 'reembed', holder: $holder}) DELETE r"


@dataclass(frozen=True)
class Record:
    """A reembed under way. `model` says how its embedder is built, `replaces` is the identity it takes the place of;
    times are epoch ms, `lease_until` None while nobody works on it."""

    identity: str
    replaces: str
    dimensions: int
    model: str
    slot: str
    state: str
    done: int
    total: int
    started_at: int
    lease_until: int | None


def current(graph: Graph) -> Record | None:
    """Return the reembed under way, or None."""
    rows = graph.read(READ)
    return Record(**rows[0]) if rows else None


def begin(graph: Graph, **values: Any) -> None:
    """Record a new reembed, unless there is one. `values` are the parameters of BEGIN."""
    graph.write(BEGIN, state=FILLING, now=now_ms(), **values)


class Lease:
    """The right to work on the reembed under way; `holder` names who has it."""

    def __init__(self, graph: Graph, holder: str) -> None:
        self.graph, self.holder = graph, holder

    def take(self) -> bool:
        """Take it where nobody has it, or nobody beats any more; return whether it is ours."""
        now = now_ms()
        return bool(self.graph.write(TAKE, holder=self.holder, now=now, until=now + LEASE_MS))

    def beat(self, done: int, total: int) -> bool:
        """Keep it, note how far the work is, and return whether it still is ours."""
        now = now_ms()
        values = {"holder": self.holder, "now": now, "until": now + LEASE_MS}
        return bool(self.graph.write(BEAT, done=done, total=total, **values))

    def give_back(self) -> None:
        """Let others take it at once."""
        self.graph.write(GIVE_BACK, holder=self.holder)

    def turn(self, state: str) -> bool:
        """Go over to another state; return whether it was ours to do."""
        return bool(self.graph.write(TURN, holder=self.holder, state=state))

    def switch(self) -> bool:
        """Put the new vectors in force for everybody; return whether that was done."""
        return bool(self.graph.write(SWITCH, holder=self.holder, now=now_ms()))

    def end(self) -> None:
        """Forget the reembed: it is done, or undone."""
        self.graph.write(END, holder=self.holder)

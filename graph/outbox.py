"""The outbox: an event is a node written in the transaction of the change that it tells of.

Whoever reads events follows their numbers, and an event gets its number after the commit (`graph.announce`): so a
transaction that commits late is never skipped, and one that is rolled back was never told of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from graph.driver import Transaction

# The time is the server's at this statement, behind the lock on the noun: so of two changes of one noun the later one
# has the later time, whatever the clocks of their hosts say. Nanoseconds, because `created_at` ties too easily.
WRITE = """
CYPHER 25
WITH datetime.realtime() AS t
WITH t.epochMillis AS now, t.epochSeconds * 1000000000 + t.nanosecond AS at
UNWIND range(0, size($rows) - 1) AS place
WITH now, at + place AS at, $rows[place] AS row
CREATE (e:Event {tenant: $tenant, id: randomUUID(), name: row.type, type: row.type, noun: row.noun,
  noun_id: row.noun_id, agent_id: row.agent_id, data: row.data, waiting: true, at: at, created_at: now,
  updated_at: now, version: 1})
"""

# What an event may say beside the id of what changed. None of it is a text that a client stored.
FACTS = {
    "memory": {
        "agent_id": "the agent that recorded it",
        "session_id": "its session",
        "project_id": "its project",
        "memory_type": "its kind, one of a fixed list",
        "version": "how often it was written",
        "changed": "names of the fields that changed",
        "superseded_by": "the memory that took its place",
    },
    "entity": {
        "entity_type": "its type, one of a fixed list",
        "version": "how often it was written",
        "changed": "names of the fields that changed",
        "into": "the entity it was merged into",
    },
    "session": {
        "agent_id": "the agent that started it",
        "project_id": "the project of its label, where that is known",
        "version": "how often it was written",
        "changed": "names of the fields that changed",
    },
    "decision": {
        "agent_id": "the agent that made it",
        "session_id": "its session",
        "project_id": "its project",
        "version": "how often it was written",
        "changed": "names of the fields that changed",
        "supersedes": "the decision it took the place of",
        "superseded_by": "the decision that took its place",
    },
    "pattern": {
        "project_id": "the project it comes from; when adopted or dropped, the one that did so",
        "version": "how often it was written",
        "changed": "names of the fields that changed",
    },
    "project": {
        "version": "how often it was written",
        "changed": "names of the fields that changed",
        "relationship_id": "the link that was made or removed",
        "target_id": "the project at its other end",
    },
    "agent": {
        "version": "how often it was written",
        "changed": "names of the fields that changed",
    },
    "key": {
        "changed": "names of the fields that changed",
        "replaced_by": "the key that takes its place",
        "replaces": "the key whose place it takes",
    },
    "webhook": {
        "version": "how often it was written",
        "changed": "names of the fields that changed",
        "reason": "why the server switched it off",
        "delivery_id": "the delivery whose answer did that",
    },
}
# Names that do not begin with their noun.
NOUNS_OF = {"embedding.completed": "memory"}


@dataclass(frozen=True)
class Happened:
    """One change: the event's name, the id of what changed, and facts for its payload: ids and names of fields, never
    a text that a client stored."""

    type: str
    noun_id: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def noun(self) -> str:
        """What kind of thing changed: `memory` of `memory.created`."""
        return noun_of(self.type)


def noun_of(type: str) -> str:
    """Return the noun that an event of this name is about."""
    return NOUNS_OF.get(type, type.partition(".")[0])


def happened(type: str, row: Mapping[str, Any], changed: Iterable[str] = (), **facts: Any) -> Happened:
    """Return the event of what `row` shows: its `id`, and those of its values that are facts of its noun.

    `changed` are the wire's names of fields; they are told in order.
    """
    known = FACTS[noun_of(type)]
    told = {name: row[name] for name in known if name in row and name != "changed"}
    if fields := sorted(changed):
        told["changed"] = fields
    return Happened(type, row["id"], told | facts)


def each(type: str, *changed: str) -> Callable[[Iterable[Mapping[str, Any]]], list[Happened]]:
    """Return what makes an event of every row; one that says `created: false` tells of nothing new, and is left out."""
    return lambda rows: [happened(type, row, changed) for row in rows if row.get("created", True)]


def write(tx: Transaction, tenant: str, told: Iterable[Happened]) -> None:
    """Have the events of a change written, in the order given, when its open transaction ends.

    One statement then writes those of all its changes; the locks are held until after it.
    """
    tx.told += [(tenant, each) for each in told]


def flush(tx: Transaction) -> None:
    """Write the events of a transaction that is about to end."""
    by_tenant: dict[str, list[dict[str, Any]]] = {}
    for tenant, each in tx.told:
        facts = {key: value for key, value in each.facts.items() if value not in (None, "")}
        row: dict[str, Any] = {
            "type": each.type,
            "noun": each.noun,
            "noun_id": each.noun_id,
            "data": orjson.dumps(facts).decode(),
        }
        row["agent_id"] = facts.get("agent_id") if tx.seals(tenant) else None
        by_tenant.setdefault(tenant, []).append(row)
    tx.told.clear()
    for tenant, rows in by_tenant.items():
        tx.run(WRITE, tenant=tenant, rows=rows)

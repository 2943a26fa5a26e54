"""The outbox: an event is a node written in the transaction of the change that it tells of.

Whoever reads events follows their numbers, and an event gets its number after the commit (`graph.announce`): so a
transaction that commits late is never skipped, and one that is rolled back was never told of.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

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
  noun_id: row.noun_id, data: row.data, waiting: true, at: at, created_at: now, updated_at: now, version: 1})
"""


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
        return NOUNS_OF.get(self.type, self.type.partition(".")[0])


# Names that do not begin with their noun.
NOUNS_OF = {"embedding.completed": "memory"}


def write(tx: Transaction, tenant: str, happened: Iterable[Happened]) -> None:
    """Write the events of a change in its open transaction, in the order given."""
    rows = [
        {
            "type": each.type,
            "noun": each.noun,
            "noun_id": each.noun_id,
            "data": orjson.dumps({key: value for key, value in each.facts.items() if value not in (None, "")}).decode(),
        }
        for each in happened
    ]
    if rows:
        tx.run(WRITE, tenant=tenant, rows=rows)

"""Events read by their numbers, in one tenant: the pages and the stream follow them and miss none.

Numbers rise by one, given by one announcer at a time (`graph.announce`); nothing is read above the number of which it
is known that its announcer's transaction, and so every one before it, is whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from graph.records import Row, Rows
from graph.repository import Repository

# `forgotten` is the newest number that was purged (`graph.event_purge`): some below it may be there still.
LAST = """
CYPHER 25
MATCH (c:Counter {tenant: $tenant, name: 'event'})
RETURN coalesce(c.forgotten, 0) AS forgotten, c.next - 1 AS last
"""
# A transaction's nodes and index entries become visible one after another: whoever reads meanwhile may find number 7
# and not yet number 6. The announcer holds the counter until all of them are there, so this waits for it. Removing a
# property that the counter does not have takes its lock and writes nothing, if the database knows the name, as it does
# from every event. Setting one to what it is would write back what was read before the lock was had.
SETTLED = """
CYPHER 25
MATCH (c:Counter {tenant: $tenant, name: 'event'})
REMOVE c.version
WITH c
RETURN coalesce(c.forgotten, 0) AS forgotten, c.next - 1 AS last
"""
# Numbers follow times but for transactions that overlapped, and none of those is longer than the overlap.
SINCE = """
CYPHER 25
MATCH (e:Event {tenant: $tenant}) WHERE e.created_at >= $since AND e.number > 0
WITH e ORDER BY e.tenant, e.created_at LIMIT 1
WITH e.created_at AS first
MATCH (e:Event {tenant: $tenant}) WHERE e.created_at >= first AND e.created_at <= first + $overlap AND e.number > 0
RETURN min(e.number) AS number
"""
WITHIN = " AND e.number > $after AND e.number <= $last"
# Facts that are sealed contain nothing: their agent stands beside them.
OF_AGENT = (
    " AND ($agent_fact IS NULL OR e.data CONTAINS $agent_fact OR e.noun_id = $agent_id OR e.agent_id = $agent_id)"
)
SHOWN = """
RETURN e.id AS id, e.type AS type, e.noun AS noun, e.noun_id AS noun_id, e.data AS data, e.number AS number,
  e.created_at AS created_at
ORDER BY number LIMIT $limit
"""
ALL = (
    "CYPHER 25 MATCH (e:Event {tenant: $tenant}) WHERE NOT e.noun IN $hidden"
    + WITHIN
    + OF_AGENT
    + " WITH e ORDER BY e.tenant, e.number LIMIT $limit"
    + SHOWN
)
# One walk along the index for each name, because no index keeps several of them in one order.
OF_TYPES = (
    """
CYPHER 25
UNWIND $types AS type
CALL (type) {
  MATCH (e:Event {tenant: $tenant, type: type}) WHERE NOT e.noun IN $hidden"""
    + WITHIN
    + OF_AGENT
    + """
  WITH e ORDER BY e.tenant, e.type, e.number LIMIT $limit
  RETURN e
}
WITH e
"""
    + SHOWN
)
OF_NOUN = (
    "CYPHER 25 MATCH (e:Event {tenant: $tenant, noun_id: $noun_id}) WHERE NOT e.noun IN $hidden"
    + WITHIN
    + OF_AGENT
    + " AND ($types IS NULL OR e.type IN $types) WITH e ORDER BY e.tenant, e.noun_id, e.number LIMIT $limit"
    + SHOWN
)

# Longer than any transaction may take.
OVERLAP_MS = 60_000
# Numbers that one page looks at where not all of them are wanted and no index says which.
STRIDE = 10_000


@dataclass(frozen=True)
class Kept:
    """Numbers above `forgotten` up to `last` can be read."""

    forgotten: int = 0
    last: int = 0


@dataclass(frozen=True)
class Wanted:
    """Which events are asked for. `types` None: all; `hidden` names nouns whose events are not shown to this caller."""

    types: Sequence[str] | None = None
    noun_id: str | None = None
    agent_id: str | None = None
    hidden: Sequence[str] = field(default=())


class EventRepository(Repository):
    """Numbered events of one tenant. Times are epoch ms, `data` is JSON text."""

    kind = "Event"

    def newest(self) -> int:
        """Return the newest number as far as it is seen; 0 before the first event. The cheapest question there is."""
        return self._kept(self.read(LAST)).last

    def settled(self) -> Kept:
        """Return what is kept, up to a number up to which every event is there to be read."""
        return self._kept(self.write(SETTLED))

    def before(self, since: int) -> int | None:
        """Return the number before the first event that happened at `since` (epoch ms) or later, if there is one."""
        number = self.read(SINCE, since=since, overlap=OVERLAP_MS)[0]["number"]
        return None if number is None else int(number) - 1

    def after(self, number: int, last: int, limit: int, wanted: Wanted) -> tuple[Rows, int]:
        """Return up to `limit` events with numbers above `number`, oldest first, and the number to go on from.

        `last` is a settled number, and nothing above it is looked at. An agent's events are found by its id among
        their facts, 10,000 numbers at a time: a page may be empty before the last one.
        """
        if wanted.noun_id is None and (wanted.agent_id is not None or wanted.types is None):
            last = min(last, number + STRIDE)
        rows = self._rows(number, last, limit, wanted)
        return rows, (int(rows[-1]["number"]) if len(rows) == limit else max(last, number))

    def _rows(self, number: int, last: int, limit: int, wanted: Wanted) -> Rows:
        query = OF_NOUN if wanted.noun_id is not None else ALL if wanted.types is None else OF_TYPES
        return self.read(
            query,
            after=number,
            last=last,
            limit=limit,
            types=None if wanted.types is None else list(wanted.types),
            noun_id=wanted.noun_id,
            agent_id=wanted.agent_id,
            # As `graph.outbox` writes facts.
            agent_fact=None if wanted.agent_id is None else orjson.dumps({"agent_id": wanted.agent_id})[1:-1].decode(),
            hidden=list(wanted.hidden),
        )

    def _kept(self, found: list[Row]) -> Kept:
        return Kept(**found[0]) if found else Kept()

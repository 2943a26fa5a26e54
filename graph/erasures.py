"""Erasures: each a row that says what was asked, how far it is, and in the end its receipt. Never any content.

The row is its own job: a worker leases it, and what a batch removed is added to it in the transaction of that batch, so
that whoever goes on after a crash counts on.
"""

import orjson

from graph.clock import now_ms
from graph.driver import Graph
from graph.errors import NotFound
from graph.labels import NEVER
from graph.records import Row, Rows
from graph.repository import Repository

SHOWN = """
RETURN x.id AS id, x.by AS by, x.named AS named, x.state AS state, x.removed AS removed, x.remaining AS remaining,
  x.receipt AS receipt, x.signature AS signature, x.public_key AS public_key, x.created_at AS created_at,
  x.finished_at AS finished_at
"""
CREATE = (
    """
CYPHER 25
CREATE (x:Erasure {tenant: $tenant, id: $id})
SET x += $props, x.name = 'erasure by ' + $props.by, x.state = 'running', x.removed = '{}', x.remaining = '{}',
  x.holder = '', x.run_at = $now, x.created_at = $now, x.updated_at = $now, x.version = 1
WITH x
"""
    + SHOWN
)
GET = "CYPHER 25 MATCH (x:Erasure {tenant: $tenant, id: $id})" + SHOWN
LIST = (
    """
CYPHER 25
MATCH (x:Erasure {tenant: $tenant})
WHERE x.created_at <= $before AND CASE WHEN x.created_at < $before THEN true ELSE x.id < $before_id END
WITH x ORDER BY x.tenant DESC, x.created_at DESC, x.id DESC SKIP $offset LIMIT $limit
"""
    + SHOWN
    + " ORDER BY created_at DESC, id DESC"
)
COUNT = "CYPHER 25 MATCH (x:Erasure {tenant: $tenant}) WHERE x.created_at >= 0 RETURN count(x) AS total"
# Locked first: of several that want it, one has it until its lease ends.
LEASE = """
CYPHER 25
MATCH (x:Erasure {tenant: $tenant, id: $id})
SET x.version = x.version + 1
WITH x WHERE x.state = 'running' AND (x.holder = $holder OR x.run_at <= $now)
SET x.holder = $holder, x.run_at = $until
RETURN x.id AS id, x.by AS by, x.subject AS subject, x.slug AS slug, x.key_id AS key_id, x.created_at AS created_at
"""
GIVE_BACK = """
CYPHER 25
MATCH (x:Erasure {tenant: $tenant, id: $id}) WHERE x.holder = $holder AND x.state = 'running'
SET x.holder = '', x.run_at = $now
"""
LOCK = """
CYPHER 25
MATCH (x:Erasure {tenant: $tenant, id: $id})
SET x.version = x.version + 1
WITH x WHERE x.state = 'running' AND x.holder = $holder
RETURN x.removed AS removed
"""
ADD = """
CYPHER 25
MATCH (x:Erasure {tenant: $tenant, id: $id})
SET x.removed = $removed, x.run_at = $until, x.updated_at = $now
"""
# Whom it was about is known by a digest from now on, where the id is the client's own.
FINISH = (
    """
CYPHER 25
MATCH (x:Erasure {tenant: $tenant, id: $id})
SET x.state = 'done', x.remaining = $remaining, x.receipt = $receipt, x.signature = $signature,
  x.public_key = $public_key, x.finished_at = $now, x.updated_at = $now, x.run_at = $never, x.holder = ''
REMOVE x.subject, x.slug
WITH x
"""
    + SHOWN
)
DUE = """
CYPHER 25
MATCH (x:Erasure) WHERE x.state = 'running' AND x.run_at <= $now
RETURN x.tenant AS tenant, x.id AS id ORDER BY x.run_at LIMIT 1
"""

LEASE_MS = 60_000


class ErasureRepository(Repository):
    """Erasures of one tenant. `removed` and `remaining` are JSON text; times are epoch milliseconds."""

    kind = "Erasure"

    def create(self, id: str, props: Row) -> Row:
        """Write down what is to be erased; it is due at once."""
        return self.write_one(CREATE, id=id, props=props, now=now_ms())

    def get(self, id: str) -> Row:
        """Return one.

        Raises:
            NotFound: no such erasure.
        """
        return self.one(GET, id=id)

    def list(self, before: int, before_id: str, offset: int, limit: int) -> Rows:
        """Return erasures, newest first."""
        return self.read(LIST, before=before, before_id=before_id, offset=offset, limit=limit)

    def count(self) -> int:
        """Return how many there are."""
        return int(self.read(COUNT)[0]["total"])

    def lease(self, id: str, holder: str) -> Row | None:
        """Take an erasure to work on it, and return what it is about; None when it is done or another has it."""
        now = now_ms()
        found = self.write(LEASE, id=id, holder=holder, now=now, until=now + LEASE_MS)
        return found[0] if found else None

    def give_back(self, id: str, holder: str) -> None:
        """Let another go on."""
        self.write(GIVE_BACK, id=id, holder=holder, now=now_ms())

    def add(self, id: str, holder: str, counts: dict[str, int]) -> None:
        """Add to what was removed, in the open transaction that removed it, and keep the lease.

        Raises:
            NotFound: the lease went to another.
        """
        found = self.write(LOCK, id=id, holder=holder)
        if not found:
            raise NotFound(self.kind)
        removed = orjson.loads(found[0]["removed"])
        for name, number in counts.items():
            removed[name] = removed.get(name, 0) + number
        text, now = orjson.dumps(removed).decode(), now_ms()
        self.write(ADD, id=id, removed=text, now=now, until=now + LEASE_MS)

    def finish(self, id: str, said: Row) -> Row:
        """End an erasure with `{remaining, receipt, signature, public_key}`, and return it."""
        return self.write_one(FINISH, id=id, now=now_ms(), never=NEVER, **said)


def due(graph: Graph) -> Row | None:
    """Return `{tenant, id}` of an erasure that nobody works on, of any tenant."""
    found = graph.read(DUE, now=now_ms())
    return found[0] if found else None

"""Files that clients send to be imported: kept in pieces until a worker has read them, and the jobs that tell of it."""

from typing import Any

from graph.clock import now_ms
from graph.driver import Graph
from graph.records import Row, Rows
from graph.repository import Repository

KEEP = """
CYPHER 25
CREATE (c:ImportChunk {tenant: $tenant, id: $of + '/' + $number, of: $of, number: $number, name: 'chunk ' + $number,
  data: $data, created_at: $now, updated_at: $now, version: 1})
"""
CHUNK = "CYPHER 25 MATCH (c:ImportChunk {tenant: $tenant, id: $of + '/' + $number}) RETURN c.data AS data"
DROP = """
CYPHER 25
MATCH (c:ImportChunk {tenant: $tenant}) WHERE c.id STARTS WITH $of + '/'
WITH c LIMIT $limit
DETACH DELETE c
RETURN count(*) AS gone
"""
# What no job will read: its upload was cut off, or it was not dropped when its job ended.
FORGOTTEN = """
CYPHER 25
MATCH (c:ImportChunk)
WHERE c.created_at < $before
  AND NOT EXISTS { MATCH (j:Job {tenant: c.tenant, id: c.of}) WHERE j.state IN ['queued', 'running'] }
WITH c LIMIT $limit
DETACH DELETE c
RETURN count(*) AS gone
"""
SHOWN = """
RETURN j.id AS id, j.state AS state, j.size AS bytes, j.lines AS lines, j.done AS done, j.report AS report,
  j.fault AS fault, j.error AS error, j.created_at AS created_at, j.updated_at AS updated_at,
  j.started_at AS started_at, j.finished_at AS finished_at
"""
CREATE = (
    """
CYPHER 25
CREATE (j:Job {tenant: $tenant, id: $id, key: $id, name: 'import', kind: 'import', queue: $queue, state: 'queued',
  payload: '{}', attempts: 0, max_attempts: $most, holder: '', run_at: $now, created_at: $now, updated_at: $now,
  version: 1, size: $size, lines: $lines, done: 0})
WITH j
"""
    + SHOWN
)
GET = "CYPHER 25 MATCH (j:Job {tenant: $tenant, id: $id}) WHERE j.kind = 'import' WITH j" + SHOWN
LIST = (
    """
CYPHER 25
MATCH (j:Job {tenant: $tenant})
WHERE j.created_at <= $before AND CASE WHEN j.created_at < $before THEN true ELSE j.id < $before_id END
  AND j.kind = 'import'
WITH j ORDER BY j.tenant DESC, j.created_at DESC, j.id DESC SKIP $offset LIMIT $limit
"""
    + SHOWN
    + " ORDER BY created_at DESC, id DESC"
)
COUNT = """
CYPHER 25
MATCH (j:Job {tenant: $tenant}) WHERE j.created_at > 0 AND j.kind = 'import'
RETURN count(j) AS total
"""
# A worker whose lease went to another finds nothing here.
TELL = """
CYPHER 25
MATCH (j:Job {tenant: $tenant, id: $id})
SET j.version = j.version + 1
WITH j WHERE j.holder = $holder AND j.state = 'running'
SET j += $facts, j.updated_at = $now
RETURN j.id AS id
"""
# Not a failed attempt: others have their turn.
YIELD = """
CYPHER 25
MATCH (j:Job {tenant: $tenant, id: $id})
SET j.version = j.version + 1
WITH j WHERE j.holder = $holder AND j.state = 'running'
SET j.state = 'queued', j.run_at = $now, j.holder = '', j.attempts = 0, j.updated_at = $now
"""

IMPORTS = "imports"
MOST_ATTEMPTS = 6
BATCH = 50


class ImportRepository(Repository):
    """Imports of one tenant. A file's pieces are numbered from 0; `report` and `fault` are JSON text."""

    kind = "Import"

    def keep(self, id: str, number: int, data: bytes) -> None:
        """Keep one piece of the file of import `id`."""
        self.write(KEEP, of=id, number=_named(number), data=data, now=now_ms())

    def chunk(self, id: str, number: int) -> bytes:
        """Return one piece; nothing where there is none."""
        found = self.read(CHUNK, of=id, number=_named(number))
        return bytes(found[0]["data"]) if found else b""

    def drop(self, id: str) -> None:
        """Delete all pieces of a file."""
        while self.write(DROP, of=id, limit=BATCH)[0]["gone"]:
            pass

    def create(self, id: str, size: int, lines: int) -> Row:
        """Queue the import of a file of `size` bytes, whose pieces are kept."""
        given = {"id": id, "size": size, "lines": lines, "queue": IMPORTS, "most": MOST_ATTEMPTS}
        return self.write_one(CREATE, now=now_ms(), **given)

    def get(self, id: str) -> Row:
        """Return one import.

        Raises:
            NotFound: no such import.
        """
        return self.one(GET, id=id)

    def list(self, before: int, before_id: str, offset: int, limit: int) -> Rows:
        """Return imports, newest first."""
        return self.read(LIST, before=before, before_id=before_id, offset=offset, limit=limit)

    def count(self) -> int:
        """Return how many imports there are."""
        return int(self.read(COUNT)[0]["total"])

    def progressed(self, id: str, holder: str, **facts: Any) -> bool:
        """Say how far an import is; False where `holder` leases it no longer."""
        return bool(self.write(TELL, id=id, holder=holder, facts=facts, now=now_ms()))

    def give_way(self, id: str, holder: str) -> None:
        """Put a leased import at the end of the queue."""
        self.write(YIELD, id=id, holder=holder, now=now_ms())


def forget_chunks(graph: Graph, before: int) -> bool:
    """Delete some pieces that were kept before `before` (epoch ms); tell whether there may be more."""
    return bool(graph.write(FORGOTTEN, before=before, limit=BATCH)[0]["gone"])


def _named(number: int) -> str:
    return f"{number:08d}"

"""Jobs: work that a memory waits for, as rows written in the same transaction as what they are about.

| state | means |
|---|---|
| queued | waits for its time (`run_at`) |
| running | leased by a worker; `run_at` is the end of the lease, so one that dies is taken over like any other |
| done, failed, cancelled | over; `finished_at` says since when |
"""

from collections.abc import Sequence
from typing import Any

from graph.clock import now_ms
from graph.errors import NotFound
from graph.labels import NEVER
from graph.outbox import Happened, each
from graph.records import Ids, Row, Rows
from graph.repository import Repository

# What is known of a memory's job without asking for it: the newest one.
SHOWN = """
OPTIONAL MATCH (j)-[:FOR]->(m:Memory)
RETURN j.id AS id, j.kind AS kind, j.queue AS queue, j.state AS state, j.attempts AS attempts,
  j.max_attempts AS max_attempts, j.error AS error, j.created_at AS created_at, j.updated_at AS updated_at,
  j.started_at AS started_at, j.finished_at AS finished_at, m.id AS memory_id,
  CASE WHEN j.finished_at IS NULL THEN j.run_at END AS run_at
"""
# One open job of a kind for a memory: the key is given back when the job is over.
CREATE = """
CYPHER 25
UNWIND $rows AS row
MATCH (m:Memory {tenant: $tenant, id: row.memory_id})
MERGE (j:Job {tenant: $tenant, key: row.kind + ':' + row.memory_id})
ON CREATE SET j.id = row.id, j.name = row.kind, j.kind = row.kind, j.queue = row.queue, j.state = 'queued',
  j.payload = row.payload, j.attempts = 0, j.max_attempts = row.max_attempts, j.holder = '', j.run_at = $now,
  j.created_at = $now, j.updated_at = $now, j.version = 1
WITH j, m, row
CALL (j, m, row) {
  WITH j, m, row WHERE j.id = row.id
  MERGE (j)-[:FOR]->(m)
}
RETURN j.id AS id, j.id = row.id AS created
"""
GET = "CYPHER 25 MATCH (j:Job {tenant: $tenant, id: $id}) WITH j" + SHOWN
LIST = (
    """
CYPHER 25
MATCH (j:Job {tenant: $tenant})
WHERE j.created_at <= $before AND CASE WHEN j.created_at < $before THEN true ELSE j.id < $before_id END
  AND ($state IS NULL OR j.state = $state) AND ($kind IS NULL OR j.kind = $kind)
WITH j ORDER BY j.tenant DESC, j.created_at DESC, j.id DESC SKIP $offset LIMIT $limit
"""
    + SHOWN
    + " ORDER BY created_at DESC, id DESC"
)
COUNT = """
CYPHER 25
MATCH (j:Job {tenant: $tenant})
WHERE j.created_at > 0 AND ($state IS NULL OR j.state = $state) AND ($kind IS NULL OR j.kind = $kind)
RETURN count(j) AS total
"""
COUNTS = """
CYPHER 25
MATCH (j:Job {tenant: $tenant}) WHERE j.created_at > 0 AND ($kind IS NULL OR j.kind = $kind)
RETURN j.state AS state, count(j) AS jobs, min(j.created_at) AS oldest
"""
STATUS = """
CYPHER 25
MATCH (m:Memory {tenant: $tenant, id: $id}) WHERE m.expires_at > $now
RETURN m.id AS id, m.created_at AS created_at, m.updated_at AS updated_at, m.extraction_error AS error,
  COUNT { (m)-[:MENTIONS]->() } AS entity_count,
  CASE WHEN m.extraction_status = 'pending'
    AND EXISTS { MATCH (m)<-[:FOR]-(j:Job) WHERE j.state = 'running' AND j.kind = 'embed' } THEN 'processing'
  ELSE m.extraction_status END AS status
"""
# A worker whose lease went to another finds nothing here, and its transaction is rolled back.
FINISH = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (j:Job {tenant: $tenant, id: wanted})
SET j.updated_at = $now
WITH j WHERE j.holder = $holder AND j.state = 'running'
SET j.state = $state, j.error = $error, j.finished_at = $now, j.run_at = $never, j.key = j.id, j.holder = '',
  j.version = j.version + 1
RETURN j.id AS id
"""
RETRY = """
CYPHER 25
MATCH (j:Job {tenant: $tenant, id: $id})
SET j.updated_at = $now
WITH j WHERE j.holder = $holder AND j.state = 'running'
SET j.state = 'queued', j.run_at = $run_at, j.error = $error, j.holder = '', j.version = j.version + 1
RETURN j.id AS id
"""
CANCEL = (
    """
CYPHER 25
MATCH (j:Job {tenant: $tenant, id: $id})
SET j.updated_at = $now
WITH j
FOREACH (x IN CASE WHEN j.state = 'queued' OR (j.kind = 'import' AND j.state = 'running') THEN [1] ELSE [] END |
  SET j.state = 'cancelled', j.finished_at = $now, j.run_at = $never, j.key = j.id, j.holder = '',
    j.version = j.version + 1)
WITH j
CALL (j) {
  MATCH (j)-[:FOR]->(m:Memory) WHERE j.state = 'cancelled' AND j.kind = 'embed' AND m.extraction_status = 'pending'
  SET m.extraction_status = 'failed', m.extraction_error = 'its job was cancelled'
  RETURN collect(m {.id, .agent_id, .session_id, .project_id, .memory_type, .version}) AS failed
}
WITH j, failed
"""
    + SHOWN
    + ", failed, j.payload AS payload"
)
# What the memories of some jobs say now.
SUBJECTS = """
CYPHER 25
UNWIND $ids AS wanted
MATCH (j:Job {tenant: $tenant, id: wanted})-[:FOR]->(m:Memory)
RETURN j.id AS job_id, m.id AS id, m.content AS content, m.content_hash AS content_hash, m.title AS title,
  m.importance AS importance
"""

MOST_ATTEMPTS = 6


class JobRepository(Repository):
    """Jobs of one tenant. `payload` is JSON text; times are epoch ms."""

    kind = "Job"

    def create(self, rows: Sequence[Row]) -> list[Row]:
        """Create jobs; return `{id, created}` of each, the open one's where its memory has one of that kind already.

        Each row is `{id, kind, queue, memory_id, payload}`.
        """
        ordered = sorted(rows, key=lambda row: str(row["memory_id"]))
        return self.write(CREATE, rows=[{"max_attempts": MOST_ATTEMPTS, **row} for row in ordered], now=now_ms())

    def get(self, id: str) -> Row:
        """Return one job.

        Raises:
            NotFound: no such job.
        """
        return self.one(GET, id=id)

    def list(
        self, before: int, before_id: str, offset: int, limit: int, state: str | None = None, kind: str | None = None
    ) -> Rows:
        """Return jobs, newest first."""
        given: dict[str, Any] = {"before": before, "before_id": before_id, "offset": offset, "limit": limit}
        return self.read(LIST, state=state, kind=kind, **given)

    def count(self, state: str | None = None, kind: str | None = None) -> int:
        """Return how many jobs there are."""
        return int(self.read(COUNT, state=state, kind=kind)[0]["total"])

    def counts(self, kind: str | None = None) -> dict[str, Row]:
        """Return `{jobs, oldest}` by state, for states that jobs are in; `oldest` was made first, in epoch ms."""
        return {row["state"]: row for row in self.read(COUNTS, kind=kind)}

    def status(self, memory_id: str) -> Row:
        """Return how far a memory is: `pending`, `processing`, `ready` or `failed`, with the error of the last.

        Raises:
            NotFound: no such memory.
        """
        found = self.read(STATUS, id=memory_id, now=now_ms())
        if not found:
            raise NotFound("Memory")
        return found[0]

    def subjects(self, ids: Ids) -> dict[str, Row]:
        """Return what the memories of these jobs say, by job id; one whose memory is gone is left out."""
        return {row["job_id"]: row for row in self.read(SUBJECTS, ids=ids)}

    def finish(self, ids: Ids, holder: str, state: str = "done", error: str | None = None) -> Ids:
        """End jobs that `holder` still leases; return their ids."""
        rows = self.write(FINISH, ids=sorted(ids), holder=holder, state=state, error=error, now=now_ms(), never=NEVER)
        return [row["id"] for row in rows]

    def retry(self, id: str, holder: str, run_at: int, error: str) -> None:
        """Give a leased job back, to be tried again at `run_at`."""
        self.write(RETRY, id=id, holder=holder, run_at=run_at, error=error, now=now_ms())

    def cancel(self, id: str) -> Row:
        """Cancel a job that has not begun, and return it with its `payload` and the memories that `failed` by that.

        One that has begun stays as it is, but for an import, whose worker ends at its next step.

        Raises:
            NotFound: no such job.
        """
        return self._only(self.telling(CANCEL, _failed, id=id, now=now_ms(), never=NEVER))


def _failed(rows: Rows) -> list[Happened]:
    return [one for row in rows for one in each("memory.updated", "extraction_status")(row["failed"])]

"""The queues of jobs, over all tenants: workers claim from here, and hand each job's tenant on.

A job is due when its `run_at` has passed. Claiming moves `run_at` to the end of the lease: a worker that dies simply
lets it pass again.
"""

from collections.abc import Sequence

from graph.clock import now_ms
from graph.driver import Graph
from graph.records import Row

# A cheap look, so that an idle worker writes nothing.
DUE = "CYPHER 25 MATCH (j:Job) WHERE j.queue = $queue AND j.run_at <= $now RETURN j.id AS id LIMIT 1"
# The gate is written before anything is read, so workers claim one after another and none reads what another takes.
CLAIM = """
CYPHER 25
MERGE (g:JobGate {name: $queue})
SET g.at = $now
WITH g
CALL (g) {
  MATCH (j:Job) WHERE j.queue = $queue AND j.run_at <= $now
  WITH j ORDER BY j.queue, j.run_at LIMIT $limit
  SET j.run_at = $until, j.state = 'running', j.holder = $holder, j.attempts = j.attempts + 1, j.updated_at = $now,
    j.started_at = coalesce(j.started_at, $now), j.version = j.version + 1
  RETURN j
}
RETURN j.id AS id, j.tenant AS tenant, j.kind AS kind, j.attempts AS attempts, j.max_attempts AS max_attempts,
  j.payload AS payload, j.created_at AS created_at
ORDER BY created_at, id
"""
BEAT = """
CYPHER 25
UNWIND $jobs AS job
MATCH (j:Job {tenant: job.tenant, id: job.id})
SET j.version = j.version + 1
WITH j WHERE j.holder = $holder AND j.state = 'running'
SET j.run_at = $until
RETURN count(j) AS held
"""
OVER = """
CYPHER 25
MATCH (j:Job) WHERE j.finished_at < $before
WITH j LIMIT $limit
DETACH DELETE j
RETURN count(*) AS gone
"""

MEMORIES = "memories"


class Queue:
    """One queue as one worker sees it. `holder` names the worker's claim, `lease_ms` how long a claim lasts."""

    def __init__(self, graph: Graph, name: str, holder: str, lease_ms: int = 60_000) -> None:
        self.graph = graph
        self.name = name
        self.holder = holder
        self.lease_ms = lease_ms

    def claim(self, limit: int) -> list[Row]:
        """Lease up to `limit` jobs that are due and return them, oldest first; no other worker gets them meanwhile.

        Each is `{id, tenant, kind, attempts, max_attempts, payload}`; `attempts` counts this one.
        """
        if not self.graph.read(DUE, queue=self.name, now=now_ms()):
            return []
        now = now_ms()
        return self.graph.write(
            CLAIM, queue=self.name, holder=self.holder, now=now, until=now + self.lease_ms, limit=limit
        )

    def beat(self, jobs: Sequence[Row]) -> int:
        """Lengthen the leases of jobs; return how many are still held."""
        given = [{"tenant": job["tenant"], "id": job["id"]} for job in jobs]
        rows = self.graph.write(BEAT, jobs=given, holder=self.holder, until=now_ms() + self.lease_ms)
        return int(rows[0]["held"])


def forget_finished(graph: Graph, before: int, limit: int) -> int:
    """Delete up to `limit` jobs that were over before `before` (epoch ms); return how many."""
    return int(graph.write(OVER, before=before, limit=limit)[0]["gone"])

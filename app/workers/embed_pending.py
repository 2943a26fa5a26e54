"""Completes memories that were accepted or are to be understood better: embeds, windows long ones, extracts, links.

Jobs are claimed in batches, and those of one tenant are written in one transaction; where that fails each stands for
itself. A job may be begun twice, when a lease runs out, but it is written once: ending it is part of the same
transaction as what it did.
"""

import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import orjson
import structlog

from app.clock import now_ms
from app.embeddings import EmbedderError
from app.ids import new_id
from app.services.callbacks import call_back
from app.services.complete import Outrun, Ready, complete, embedded, named, windowed
from app.services.remember import EMBED, WINDOWS
from app.state import State
from graph.driver import Transaction
from graph.errors import GraphError
from graph.jobs import JobRepository
from graph.memories import MemoryRepository
from graph.queue import MEMORIES, Queue
from graph.records import Row

log = structlog.get_logger()

BATCH = 16
LEASE_MS = 60_000
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 300.0
JITTER = random.SystemRandom()


@dataclass(frozen=True)
class Owner:
    """The tenant on whose behalf the loop works."""

    tenant: str


class Worker:
    """The loop. `holder` names its claims; two of them may run side by side, in one process or on two hosts."""

    def __init__(self, lease_ms: int = LEASE_MS) -> None:
        self.holder = new_id()
        self.lease_ms = lease_ms

    def __call__(self, parts: State) -> bool:
        """Work through one batch; return whether there may be more."""
        queue = Queue(parts.graph, MEMORIES, self.holder, self.lease_ms)
        claimed = queue.claim(BATCH)
        if not claimed:
            return False
        with beating(queue, claimed):
            for tenant in sorted({job["tenant"] for job in claimed}):
                self.work_for(parts, Owner(tenant), [job for job in claimed if job["tenant"] == tenant])
        return len(claimed) == BATCH

    def work_for(self, parts: State, owner: Owner, jobs: Sequence[Row]) -> None:
        """Do the jobs of one tenant."""
        live = [job for job in jobs if job["attempts"] <= job["max_attempts"]]
        for job in jobs:
            if job not in live:
                # Whatever held it before died each time: it is not tried for ever.
                self.give_up(parts, owner, job, "the worker ended each time it was tried")
        subjects = JobRepository(parts.graph, owner).subjects([job["id"] for job in live])
        orphans = [job["id"] for job in live if job["id"] not in subjects]
        if orphans:
            JobRepository(parts.graph, owner).finish(orphans, self.holder, "cancelled", "its memory was deleted")
        self.embed(parts, owner, [job for job in live if job["kind"] == EMBED], subjects)
        for job in live:
            if job["kind"] != EMBED and job["id"] in subjects:
                self.attempt(parts, owner, [job], subjects)

    def embed(self, parts: State, owner: Owner, jobs: Sequence[Row], subjects: dict[str, Row]) -> None:
        """Embed together; one by one where that fails, so that none suffers for another."""
        if not jobs:
            return
        try:
            self.write(parts, owner, embedded(parts, owner, jobs, subjects))
        except (Outrun, GraphError, EmbedderError, ValueError) as error:
            log.info("jobs_one_by_one", count=len(jobs), reason=type(error).__name__)
            fresh = JobRepository(parts.graph, owner).subjects([job["id"] for job in jobs])
            for job in jobs:
                self.attempt(parts, owner, [job], fresh)

    def attempt(self, parts: State, owner: Owner, jobs: Sequence[Row], subjects: dict[str, Row]) -> None:
        """Do one job; a failure puts it back, or gives it up after the last attempt."""
        (job,) = jobs
        if job["id"] not in subjects:
            return
        try:
            if job["kind"] == EMBED:
                self.write(parts, owner, embedded(parts, owner, jobs, subjects))
            else:
                prepare = windowed if job["kind"] == WINDOWS else named
                self.write(parts, owner, [prepare(parts, owner, job, subjects[job["id"]])])
        except Outrun:
            # Either another worker has it, and this changes nothing; or its text is new, and it is due again at once.
            JobRepository(parts.graph, owner).retry(job["id"], self.holder, now_ms(), "its memory changed meanwhile")
        except (GraphError, EmbedderError, ValueError) as error:
            self.put_back(parts, owner, job, error)

    def write(self, parts: State, owner: Owner, ready: Sequence[Ready]) -> None:
        """Write what was found and end the jobs."""
        if ready:
            complete(parts, owner, ready, self.holder)

    def put_back(self, parts: State, owner: Owner, job: Row, error: Exception) -> None:
        """Try again later, or give up."""
        reason = described(error)
        log.warning("job_failed", job_id=job["id"], kind=job["kind"], attempts=job["attempts"], reason=reason)
        if job["attempts"] >= job["max_attempts"]:
            self.give_up(parts, owner, job, reason)
            return
        run_at = now_ms() + int(1000 * pause(job["attempts"], error))
        JobRepository(parts.graph, owner).retry(job["id"], self.holder, run_at, reason)

    def give_up(self, parts: State, owner: Owner, job: Row, reason: str) -> None:
        """End a job for good, and say on its memory why it never became ready."""
        subject = JobRepository(parts.graph, owner).subjects([job["id"]]).get(job["id"])
        failed = {"extraction_status": "failed", "extraction_error": reason}

        def end(tx: Transaction) -> None:
            ended = JobRepository(parts.graph, owner, tx).finish([job["id"]], self.holder, "failed", reason)
            if ended and subject and job["kind"] == EMBED:
                MemoryRepository(parts.graph, owner, tx).update(subject["id"], failed, changed=["extraction_status"])
                call_back(parts, owner, tx, orjson.loads(job["payload"]), subject["id"], "failed", reason)

        parts.graph.transaction(end)


@contextmanager
def beating(queue: Queue, jobs: Sequence[Row]) -> Iterator[None]:
    """Keep jobs leased while the block runs, however long that takes."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(queue.lease_ms / 3000):
            try:
                queue.beat(jobs)
            except GraphError as error:
                log.warning("lease_not_lengthened", reason=type(error).__name__)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def pause(attempts: int, error: Exception) -> float:
    """Return how many seconds to wait after so many attempts: twice as long each time, and never all at once."""
    hint = float(getattr(error, "retry_after", None) or 0.0)
    usual = min(FIRST_PAUSE * 2.0 ** (attempts - 1), LONGEST_PAUSE)
    return max(hint, usual * JITTER.uniform(0.75, 1.25))


def described(error: Exception) -> str:
    """Return a reason fit for the client's eyes."""
    if isinstance(error, EmbedderError):
        return "no vector could be computed: the embedding model did not answer"
    if isinstance(error, GraphError):
        return str(error)
    return "the text cannot be embedded"


work = Worker()

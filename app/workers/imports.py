"""Reads the files that clients sent to be imported.

A worker reads for SLICE seconds, then gives way to whoever waits, and to a stop of the process: an import goes on at
the place it has kept. One that dies lets its lease run out, and another goes on there.
"""

import time

import orjson
import structlog

from app.clock import now_ms
from app.embeddings import EmbedderError
from app.errors import ApiError
from app.ids import new_id
from app.services.transfer.form import TransferError
from app.services.transfer.imports import Import
from app.services.transfer.uploads import opened
from app.state import State
from app.workers.embed_pending import beating, described, pause
from graph.driver import Transaction
from graph.errors import GraphError
from graph.imports import IMPORTS, ImportRepository, forget_chunks
from graph.jobs import JobRepository
from graph.queue import Queue
from graph.records import Row
from graph.tenants import Owner

log = structlog.get_logger()

LEASE_MS = 30_000
SLICE = 10.0
KEPT_MS = 86_400_000
TELL_SECONDS = 0.5


class GiveWay(Exception):
    """The slice is over."""


class Lost(Exception):
    """Another worker has the import by now."""


class Worker:
    """The loop. `holder` names its claims; several may run side by side, on several hosts."""

    def __init__(self, lease_ms: int = LEASE_MS, slice_seconds: float = SLICE) -> None:
        self.holder, self.lease_ms, self.slice_seconds = new_id(), lease_ms, slice_seconds

    def __call__(self, parts: State) -> bool:
        """Work on one import for a while; return whether there may be more to do."""
        queue = Queue(parts.graph, IMPORTS, self.holder, self.lease_ms)
        claimed = queue.claim(1)
        if not claimed:
            return forget_chunks(parts.graph, now_ms() - KEPT_MS)
        (job,) = claimed
        with beating(queue, claimed):
            self.attempt(parts, Owner(job["tenant"]), job)
        return True

    def attempt(self, parts: State, owner: Owner, job: Row) -> None:
        """Import for a slice, and end the job or put it back."""
        imports = ImportRepository(parts.graph, owner)
        try:
            if job["attempts"] > job["max_attempts"]:
                raise TransferError(0, "", "the worker ended each time it was tried")
            report = self.run(parts, owner, imports, job["id"])
            self.end(parts, owner, job, "done", {"report": orjson.dumps(report).decode(), "error": None})
        except GiveWay:
            imports.give_way(job["id"], self.holder)
        except Lost:
            log.info("import_taken_over", job_id=job["id"])
        except TransferError as error:
            fault = {"line": error.line or None, "field": error.field, "message": error.message}
            self.end(parts, owner, job, "failed", {"fault": orjson.dumps(fault).decode(), "error": str(error)})
        except ApiError as error:
            fault = {"line": None, "field": "", "message": error.message}
            self.end(parts, owner, job, "failed", {"fault": orjson.dumps(fault).decode(), "error": error.message})
        except (GraphError, EmbedderError, ValueError) as error:
            log.warning("import_failed", job_id=job["id"], attempts=job["attempts"], reason=type(error).__name__)
            run_at = now_ms() + int(1000 * pause(job["attempts"], error))
            JobRepository(parts.graph, owner).retry(job["id"], self.holder, run_at, described(error))

    def run(self, parts: State, owner: Owner, imports: ImportRepository, id: str) -> dict[str, object]:
        """Import until the end of the file or of the slice.

        Raises:
            GiveWay, Lost; what `Import.run` raises.
        """
        row = imports.get(id)
        until, said, done, steps = time.monotonic() + self.slice_seconds, 0.0, 0, 0

        def tell(count: int) -> None:
            nonlocal said, done, steps
            done += count
            steps += 1
            now = time.monotonic()
            over = now > until
            if over or now - said > TELL_SECONDS:
                said = now
                if not imports.progressed(id, self.holder, done=done):
                    raise Lost
            # The first step may only have gone back to the place: each slice gets on, however slow the machine.
            if over and steps > 1 and done < row["lines"]:
                raise GiveWay

        with opened(imports, id, row["bytes"]) as file:
            return Import(parts, owner, file, tell).run().told()

    def end(self, parts: State, owner: Owner, job: Row, state: str, facts: Row) -> None:
        """End the job, then forget the file."""
        error = facts.pop("error")
        if state == "done":
            facts["done"] = ImportRepository(parts.graph, owner).get(job["id"])["lines"]

        def work(tx: Transaction) -> bool:
            told = ImportRepository(parts.graph, owner, tx).progressed(job["id"], self.holder, **facts)
            return told and bool(JobRepository(parts.graph, owner, tx).finish([job["id"]], self.holder, state, error))

        if parts.graph.transaction(work):
            ImportRepository(parts.graph, owner).drop(job["id"])


work = Worker()

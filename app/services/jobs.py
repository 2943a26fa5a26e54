"""Jobs as clients name them: `arq:` and the id without hyphens, the way job ids of this API have always looked."""

import uuid
from typing import Any

import orjson

from app.auth import Principal
from app.schemas.jobs import STATES
from app.services.callbacks import call_back
from app.state import State
from graph.driver import Transaction
from graph.imports import ImportRepository
from graph.jobs import JobRepository
from graph.records import Row

PREFIX = "arq:"
OPEN = ("queued", "running")


def job_shown_id(id: str) -> str:
    """Return a job's id as the wire shows it."""
    return PREFIX + id.replace("-", "")


def job_stored_id(text: str) -> str:
    """Return a job's id as it is stored; what is no job id comes back as it is, and names no job."""
    try:
        return str(uuid.UUID(hex=text.removeprefix(PREFIX)))
    except ValueError:
        return text


def cancel_job(parts: State, caller: Principal, id: str) -> Row:
    """Cancel a job that has not begun, and return it; whoever waits to be called back hears that its memory failed.

    An import is cancelled at any time, and its file forgotten; what it has written stays.

    Raises:
        NotFound: no such job.
    """

    def work(tx: Transaction) -> Row:
        row = JobRepository(parts.graph, caller, tx).cancel(id)
        for memory in row["failed"]:
            told = orjson.loads(row["payload"])
            call_back(parts, caller, tx, told, memory["id"], "failed", "its job was cancelled")
        return row

    row = parts.graph.transaction(work)
    if row["kind"] == "import" and row["state"] == "cancelled":
        ImportRepository(parts.graph, caller).drop(id)
    return row


def counts_shown(found: dict[str, Row]) -> dict[str, Any]:
    """Return counts by state as the wire shows them."""
    numbers = {state: found[state]["jobs"] if state in found else 0 for state in STATES}
    waiting = [found[state]["oldest"] for state in OPEN if state in found]
    return {**numbers, "total": sum(numbers.values()), "waiting_since": min(waiting, default=None)}

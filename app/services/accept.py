"""The asynchronous store: the memory and its job in one transaction; a worker does the rest."""

from dataclasses import dataclass
from typing import Any

from app.auth import Principal
from app.errors import invalid
from app.outbound import Refused, check_url
from app.services.callbacks import call_back
from app.services.refer import NOBODY, agent_named
from app.services.remember import EMBED, content_hash, draft, job, write
from app.state import State
from graph.recall import RecallRepository

# What an idle worker needs for one, and how long for each that waits before it.
USUAL_SECONDS = 1


@dataclass(frozen=True)
class Accepted:
    """A memory that can be read now and found soon; `created_at` is in epoch milliseconds.

    For one that was there already `job_id` is empty and `created_at` None.
    """

    id: str
    job_id: str
    is_duplicate: bool = False
    created_at: int | None = None


def accept(parts: State, caller: Principal, body: dict[str, Any]) -> Accepted:
    """Store the memory of a loaded `MemoryAccept` body as pending, with the job that completes it.

    With `deduplicate`, only the same text counts as a duplicate: for anything less the vector is needed first.

    Raises:
        Invalid: `webhook_url` must not be called.
        BadReference: a session, or a memory to supersede or to derive from, is unknown.
        NotFound: an agent or project id is unknown.
        Conflict: a memory to supersede was superseded already.
        QuotaExceeded: the tenant would hold more memories than it may.
    """
    if url := body.get("webhook_url"):
        try:
            check_url(url, parts.settings.outbound_networks)
        except Refused as error:
            raise invalid("webhook_url", str(error)) from error
    if twin := _same_text(parts, caller, body):
        # Only what is complete is found, so whoever is to be called is called at once.
        if body.get("webhook_url"):
            parts.graph.transaction(lambda tx: call_back(parts, caller, tx, body, twin, "ready"))
        return Accepted(twin, "", True)
    parts.ledger.quota.admit(parts, caller, 1)
    made = draft(parts, body)
    made.props["seq"] = parts.sequence.take(caller.tenant)[0]
    todo = job(
        EMBED,
        webhook_url=body.get("webhook_url"),
        extracts=body.get("auto_extract_entities") is not False,
        classifies="memory_type" not in body,
    )
    made.jobs.append(todo)
    parts.graph.transaction(lambda tx: write(parts, caller, [made], tx))
    return Accepted(made.props["id"], todo["id"], created_at=made.props["created_at"])


def _same_text(parts: State, caller: Principal, body: dict[str, Any]) -> str | None:
    if not body["deduplicate"]:
        return None
    agent_id = agent_named(parts, caller, body["agent_id"])
    if agent_id is None or agent_id == NOBODY:
        return None
    filters = {"agent_id": agent_id, "archived": False}
    return RecallRepository(parts.graph, caller, parts.space.slot).same_text(filters, content_hash(body["content"]))

"""The first run of a query costs the database seconds: run them once, so that no user waits for it.

The write path runs in a transaction that is rolled back, and searches ask a tenant that does not exist, so nothing
of this is ever stored or seen.
"""

import contextlib
import threading

import structlog

from app.auth import Principal
from app.embeddings import EmbedderError
from app.schemas.memories import MemoryCreate
from app.schemas.search import SearchIn
from app.services.memory_windows import embedded
from app.services.recall import search
from app.services.remember import EMBED, draft, job, write
from app.state import State
from graph import outbox
from graph.driver import Transaction
from graph.errors import GraphError
from graph.memories import MemoryRepository

log = structlog.get_logger()

ROUNDS = 5
NOBODY = Principal("warm-up", "warm-up", "warm-up", "warm-up", frozenset())
BODY = {"content": "Ada Lovelace met Charles Babbage in London", "agent_id": "warm-up", "project": "warm-up"}
QUESTIONS = ({"query": "whom did Ada Lovelace meet?"}, {"query": "Ada", "agent_id": "warm-up"})


class RolledBack(Exception):
    """Ends a transaction without a trace."""


def start(parts: State) -> threading.Thread:
    """Warm up in the background; a failure is logged and costs nothing but the warmth."""
    thread = threading.Thread(target=_run, args=(parts,), name="warm-up", daemon=True)
    thread.start()
    return thread


def _run(parts: State) -> None:
    try:
        thoroughly(parts)
    except (GraphError, EmbedderError) as error:
        log.warning("warm_up_failed", reason=type(error).__name__)


def thoroughly(parts: State) -> None:
    """Run the common paths so often that the database has compiled what they need."""
    for _ in range(ROUNDS):
        warm_up(parts)


def warm_up(parts: State) -> None:
    """Run each of the common paths once, leaving nothing behind."""
    body = MemoryCreate().load(BODY)
    made = draft(parts, body, embedded(parts.embedder, [body["content"]])[0])
    waiting = draft(parts, body)
    waiting.jobs.append(job(EMBED))
    made.props["seq"] = waiting.props["seq"] = 0

    def work(tx: Transaction) -> None:
        write(parts, NOBODY, [made], tx)
        write(parts, NOBODY, [waiting], tx)
        MemoryRepository(parts.graph, NOBODY, tx).get(made.props["id"])
        outbox.flush(tx)
        raise RolledBack

    with contextlib.suppress(RolledBack):
        parts.graph.transaction(work)
    ask(parts)


def ask(parts: State) -> None:
    """Run the common searches once."""
    for question in QUESTIONS:
        search(parts, NOBODY, SearchIn().load(question))

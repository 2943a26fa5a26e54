"""Restoring what was deleted: embedded anew first, then made again in the transaction that takes it out."""

from app.auth import Principal
from app.services import memory_windows
from app.services.readable import readable
from app.services.remember import EMBED, WINDOWS, job, window_row
from app.state import State
from graph.clock import now_ms
from graph.driver import Transaction
from graph.entities import NAMES_CHANGED
from graph.errors import Conflict, NotFound
from graph.jobs import JobRepository
from graph.memory_windows import MemoryWindowRepository
from graph.outbox import Happened
from graph.records import Row, vector
from graph.repository import Repository
from graph.restore import RestoreRepository
from graph.trash import TrashRepository

# Nodes of links that one transaction makes again.
CHUNKS = 8
TAKEN = {
    "agent": "Another agent has its name by now; rename that one, then restore this",
    "entity": "Another entity has its name and type by now; rename or delete that one, then restore this",
    "project": "Another project has its slug by now; delete that one, then restore this",
    "session": "Another session has its external_id by now; delete that one, then restore this",
}


def restore(parts: State, caller: Principal, id: str) -> Row:
    """Take a thing back out of the trash, with its parts and with those of its links whose other end is there.

    Returns its row of the list of the trash, as it was. Whoever is interrupted may ask again.

    Raises:
        NotFound: it is not in the trash, or its time has passed.
        Conflict: its name is taken by now, or the agent of a memory is in the trash itself.
        QuotaExceeded: the tenant would hold more memories than it may.
        EmbedderUnavailable: no vector can be had now.
    """
    row = TrashRepository(parts.graph, caller).get(id)
    seen = RestoreRepository(parts.graph, caller).peek(id)
    if seen["state"] == "kept":
        _begin(parts, caller, id, seen)
    while not parts.graph.transaction(lambda tx: _go_on(parts, caller, tx, id, row["noun"])):
        pass
    if row["noun"] == "entity":
        parts.names.stale(caller.tenant)
    return row


def _begin(parts: State, caller: Principal, id: str, seen: Row) -> None:
    noun, props = seen["noun"], seen["props"]
    if noun == "memory":
        _check_agent(parts, caller, props["agent_id"])
        parts.ledger.quota.admit(parts, caller, 1)
    # A pending memory has no vector yet: the worker makes it, and finds its names.
    texts = {id: props["content"]} if seen["searchable"] else {}
    texts |= {each["id"]: each["content"] for each in seen["versions"]}
    found = memory_windows.embedded(parts.embedder, list(texts.values())) if texts else []
    embedded = dict(zip(texts, found, strict=True))
    vectors = {of: vector(its.vector) for of, its in embedded.items()}

    def work(tx: Transaction) -> None:
        restoring = RestoreRepository(parts.graph, caller, tx, parts.space.slot)
        taken = restoring.take(id)
        if taken["state"] != "kept":
            return
        restoring.make(id, _in_clear(taken), vectors, parts.embedder.identity)
        if noun == "memory":
            its = embedded.get(id)
            if its is not None and its.windows:
                windows = MemoryWindowRepository(parts.graph, caller, tx, parts.space.slot)
                windows.put([window_row(parts, props, its.windows)])
            if its is None or its.more:
                todo = job(WINDOWS) if its is not None else job(EMBED, extracts=True)
                JobRepository(parts.graph, caller, tx).create([{**todo, "memory_id": id}])
        if noun == "entity":
            restoring.write(NAMES_CHANGED, now=now_ms())
        Repository(parts.graph, caller, tx).tell(Happened(f"{noun}.restored", id))

    try:
        parts.graph.transaction(work)
    except Conflict as error:
        raise Conflict(TAKEN.get(noun, str(error))) from error


def _in_clear(taken: Row) -> Row:
    """Return a thing without the digests of an encrypted namespace: it may be none by now, and one makes them anew."""
    return {
        **taken,
        "props": taken["props"] | readable(taken["noun"].capitalize(), taken["props"]),
        "versions": [each | readable("MemoryVersion", each) for each in taken["versions"]],
        "names": [each | readable("EntityName", each) for each in taken["names"]],
    }


def _go_on(parts: State, caller: Principal, tx: Transaction, id: str, noun: str) -> bool:
    restoring = RestoreRepository(parts.graph, caller, tx, parts.space.slot)
    try:
        restoring.take(id)
    except NotFound:
        return True  # another request has finished it
    done = restoring.relink(id, noun, CHUNKS)
    if done:
        restoring.finish(id)
    return done


def _check_agent(parts: State, caller: Principal, agent_id: str) -> None:
    if RestoreRepository(parts.graph, caller).has_agent(agent_id):
        return
    try:
        TrashRepository(parts.graph, caller).get(agent_id)
    except NotFound:
        return
    raise Conflict(f"The agent that recorded it was deleted as well; restore {agent_id} first")

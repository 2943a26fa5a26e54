"""Erasing for good: memories and all that was made of them, the trash included, with a signed receipt.

In batches, each a transaction that adds to the erasure's row what it removed. A request works for as long as it may
take; what is left then is the worker's, and so is an erasure whose process died.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from app.auth import Principal
from app.clock import iso, now_ms
from app.embeddings.base import Forgetting
from app.errors import Forbidden
from app.ids import is_uuid, new_id
from app.scopes import allows
from app.state import State
from graph.agents import AgentRepository
from graph.data_keys import signers
from graph.decisions import DecisionRepository
from graph.driver import Transaction
from graph.entities import NAMES_CHANGED
from graph.entity_removal import EntityRemovalRepository
from graph.erasing import PARTED, WHOLE, EraserRepository
from graph.erasures import ErasureRepository
from graph.errors import NotFound
from graph.memories import MemoryRepository
from graph.patterns import PatternRepository
from graph.projects import ProjectRepository
from graph.repository import Repository, Tenanted
from graph.sessions import SessionRepository
from graph.trash import TrashRepository

Row = dict[str, Any]

BATCH = 100
NODES = 500
SECONDS = 20.0
ROUNDS = 3
NOUNS = {"agent": "agents", "project": "projects"}


def erase(parts: State, caller: Principal, body: Row) -> Row:
    """Erase what a loaded `ErasureIn` body names, and return the erasure's row; a dry run only counts.

    Raises:
        NotFound: no project has the slug.
        Forbidden: a whole tenant needs the scope `admin`.
    """
    by, subject, slug = _subject(parts, caller, body)
    if body["dry_run"]:
        found = EraserRepository(parts.graph, caller).left(by, subject, slug)
        return _row(by, named(by, subject), removed=found)
    id = new_id()
    props = {"by": by, "subject": subject, "slug": slug, "named": named(by, subject), "key_id": caller.key_id}
    made = ErasureRepository(parts.graph, caller).create(id, props)
    return work_on(parts, caller, id, SECONDS) or opened(made)


def work_on(parts: State, owner: Tenanted, id: str, seconds: float) -> Row | None:
    """Go on with an erasure for at most about `seconds`; return its row once it is done, None before."""
    holder, erasures = new_id(), ErasureRepository(parts.graph, owner)
    about = erasures.lease(id, holder)
    if about is None:
        return None
    run = Run(parts, owner, id, holder, about["by"], about["subject"], about["slug"], time.monotonic() + seconds)
    if not run.all():
        erasures.give_back(id, holder)
        return None
    forget_caches(parts, owner.tenant)
    return run.finish(about)


def forget_caches(parts: State, tenant: str) -> None:
    """Drop what this process remembers of a tenant's texts; others hold it for seconds, questions until they end."""
    parts.names.stale(tenant)
    parts.words.forget(tenant)
    if isinstance(parts.embedder, Forgetting):
        parts.embedder.forget()


def verify(parts: State, receipt: str, signature: str) -> bool:
    """Tell whether a receipt was signed by this server and not changed since."""
    return parts.vault.signed(receipt.encode(), signature, signers(parts.graph))


def named(by: str, subject: str) -> str:
    """Return what an erasure's row and receipt call its subject: an id of ours, or the digest of a client's own."""
    return "sha256:" + hashlib.sha256(subject.encode()).hexdigest() if by == "user" else subject


def opened(row: Row) -> Row:
    """Return a stored row as the wire shows it."""
    return {**row, "removed": orjson.loads(row["removed"]), "remaining": orjson.loads(row["remaining"])}


def _row(by: str, subject: str, **more: Any) -> Row:
    empty: Row = {
        "id": None,
        "receipt": None,
        "signature": None,
        "public_key": None,
        "finished_at": None,
        "remaining": {},
    }
    return {**empty, "by": by, "named": subject, "state": "dry_run", "created_at": now_ms(), **more}


def _subject(parts: State, caller: Principal, body: Row) -> tuple[str, str, str]:
    if body.get("tenant"):
        if not allows(caller.scopes, "admin"):
            raise Forbidden("Erasing everything needs the scope `admin`")
        return "tenant", caller.tenant, ""
    if project := body.get("project"):
        projects = ProjectRepository(parts.graph, caller)
        if not is_uuid(project):
            return "project", projects.by_slug(project)["id"], project
        try:
            return "project", project.lower(), projects.known(project.lower())["slug"]
        except NotFound:
            return "project", project.lower(), ""  # deleted already; the trash may hold it
    by = next(name for name in ("memory", "user", "agent", "session") if f"{name}_id" in body)
    return by, body[f"{by}_id"], ""


@dataclass
class Run:
    """One stretch of work on one erasure."""

    parts: State
    owner: Tenanted
    id: str
    holder: str
    by: str
    subject: str
    slug: str
    until: float

    def all(self) -> bool:
        """Work until nothing is left, or until the time is over; return whether nothing is left."""
        for _ in range(ROUNDS):
            for step in self._steps():
                while self.parts.graph.transaction(lambda tx, step=step: self._counted(tx, step)):  # type: ignore[misc]
                    if time.monotonic() > self.until:
                        return False
            if not any(self._eraser().left(self.by, self.subject, self.slug).values()):
                break
        return True

    def finish(self, about: Row) -> Row:
        """Count what is left, sign the receipt, and return the row."""
        erasures = ErasureRepository(self.parts.graph, self.owner)
        removed = orjson.loads(erasures.get(self.id)["removed"])
        remaining = self._eraser().left(self.by, self.subject, self.slug)
        said = {
            "id": self.id,
            "tenant": self.owner.tenant,
            "by": self.by,
            "subject": named(self.by, self.subject),
            "key_id": about["key_id"],
            "began_at": iso(about["created_at"]),
            "finished_at": iso(now_ms()),
            "removed": removed,
            "remaining": remaining,
            "verified": not any(remaining.values()),
        }
        receipt = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
        vault = self.parts.vault
        signed = {"signature": vault.sign(receipt), "public_key": vault.public_key, "receipt": receipt.decode()}
        return opened(erasures.finish(self.id, {"remaining": orjson.dumps(remaining).decode(), **signed}))

    def _eraser(self, tx: Transaction | None = None) -> EraserRepository:
        return EraserRepository(self.parts.graph, self.owner, tx)

    def _counted(self, tx: Transaction, step: "Step") -> bool:
        counts = step(tx)
        done = {name: number for name, number in counts.items() if number}
        if done:
            ErasureRepository(self.parts.graph, self.owner, tx).add(self.id, self.holder, done)
        return bool(done)

    def _steps(self) -> Iterator["Step"]:
        if self.by == "tenant":
            for what in WHOLE:
                yield lambda tx, what=what: self._sweep(tx, what)  # type: ignore[misc]
            return
        yield self._memories
        for what in PARTED:
            yield lambda tx, what=what: self._parted(tx, what)  # type: ignore[misc]
        yield self._trash
        yield self._decisions
        yield self._patterns
        yield self._sessions
        yield self._noun
        yield self._told

    def _sweep(self, tx: Transaction, what: str) -> dict[str, int]:
        found = self._eraser(tx).sweep(what, NODES)
        if what == "names" and found["gone"]:
            Repository(self.parts.graph, self.owner, tx).write(NAMES_CHANGED, now=now_ms())
        return {what: found["gone"], "vectors": found["vectors"], "links": found["links"]}

    def _parted(self, tx: Transaction, what: str) -> dict[str, int]:
        found = self._eraser(tx).parted(what, self.by, self.subject, NODES)
        return {what: found["gone"], "vectors": found["vectors"], "links": found["links"]}

    def _found(self, what: str, tx: Transaction) -> list[str]:
        return self._eraser(tx).found(what, self.by, self.subject, self.slug, BATCH)

    def _memories(self, tx: Transaction) -> dict[str, int]:
        ids, eraser = self._found("memories", tx), self._eraser(tx)
        rows = eraser.prepare(ids)
        kinds = ("jobs", "versions", "windows", "changes", "vectors", "links")
        counts = {kind: sum(row[kind] for row in rows) for kind in kinds}
        MemoryRepository(self.parts.graph, self.owner, tx).delete([row["id"] for row in rows])
        self._eraser(tx).untell(ids, self.by, self.subject, NODES)
        entities = sorted({id for row in rows for id in row["named"]})
        return {**counts, "memories": len(rows), **self._unnamed(tx, entities), **self._silenced(tx, ids)}

    def _unnamed(self, tx: Transaction, ids: list[str]) -> dict[str, int]:
        """Delete the entities that nothing names any more: those that extraction made for these memories alone."""
        if not ids:
            return {}
        removal = EntityRemovalRepository(self.parts.graph, self.owner, tx)
        topics = self._eraser(tx).forget_topics(ids)
        return {"entities": removal.delete_unused(ids), "topics": topics}

    def _silenced(self, tx: Transaction, ids: list[str]) -> dict[str, int]:
        return dict(self._eraser(tx).silence(ids)) if ids else {}

    def _trash(self, tx: Transaction) -> dict[str, int]:
        ids = self._found("trash", tx)
        gone = TrashRepository(self.parts.graph, self.owner, tx).erase(ids)
        return {"trash": len(gone), **self._silenced(tx, ids)}

    def _decisions(self, tx: Transaction) -> dict[str, int]:
        ids = self._found("decisions", tx)
        for id in ids:
            DecisionRepository(self.parts.graph, self.owner, tx).delete(id)
        return {"decisions": len(ids), "vectors": len(ids), **self._silenced(tx, ids)}

    def _patterns(self, tx: Transaction) -> dict[str, int]:
        ids = self._found("patterns", tx)
        for id in ids:
            PatternRepository(self.parts.graph, self.owner, tx).delete(id)
        return {"patterns": len(ids), "vectors": len(ids), **self._silenced(tx, ids)}

    def _sessions(self, tx: Transaction) -> dict[str, int]:
        ids = self._found("sessions", tx)[:1]
        sessions = SessionRepository(self.parts.graph, self.owner, tx)
        for id in ids:
            # Memories of others stay, in no session.
            while sessions.release(id, BATCH) or sessions.release_decisions(id, BATCH):
                pass
            sessions.delete(id)
        return {"sessions": len(ids), **self._silenced(tx, ids)}

    def _noun(self, tx: Transaction) -> dict[str, int]:
        if self.by not in NOUNS:
            return {}
        try:
            if self.by == "agent":
                AgentRepository(self.parts.graph, self.owner, tx).delete(self.subject)
            else:
                self._project(ProjectRepository(self.parts.graph, self.owner, tx))
        except NotFound:
            return {}
        return {NOUNS[self.by]: 1, **self._silenced(tx, [self.subject])}

    def _told(self, tx: Transaction) -> dict[str, int]:
        return {"changes": self._eraser(tx).untell([], self.by, self.subject, NODES)}

    def _project(self, projects: ProjectRepository) -> None:
        while projects.unlink(self.subject, NODES):
            pass
        projects.delete(self.subject)


Step = Callable[[Transaction], dict[str, int]]

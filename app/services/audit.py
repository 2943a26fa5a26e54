"""Who wrote what and when: entries wait in memory for moments and never hold content."""

import re
import threading
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from app.clock import now_ms
from app.ids import new_id
from app.pagination import Position
from app.services.usage import day_of
from graph.audit import AuditRepository
from graph.labels import NEVER

if TYPE_CHECKING:
    from app.auth import Principal
    from app.state import State

MOST_WAITING = 20_000
MOST_KEYS = 10_000
KEY_USED = "keys.use"
VERSION = re.compile(r"v[0-9]+")
VERBS = {"POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete"}


class AuditTrail:
    """Entries of one process that are still to be written. Bounded: when `most` wait, further ones are lost."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self.most = most
        self.dropped = 0
        self._waiting: list[dict[str, Any]] = []
        self._used: dict[str, str] = {}
        self._lock = threading.Lock()

    def used(self, caller: "Principal", request_id: str) -> None:
        """Note the first use of a key on a day (UTC)."""
        now = now_ms()
        day = day_of(now)
        if self._used.get(caller.key_id) == day:
            return
        with self._lock:
            if len(self._used) >= MOST_KEYS:
                self._used.clear()
            self._used[caller.key_id] = day
        # The same id in every process: a key's use on a day is one entry, whoever saw it first.
        id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{caller.key_id} {day}"))
        self._append(entry(caller, now, request_id, action=KEY_USED, id=id, noun_id=caller.key_id))

    def wrote(
        self, caller: "Principal", request_id: str, method: str, route: str, status: int, noun_id: str | None
    ) -> None:
        """Note a request that writes, refused and failed ones included."""
        facts = {"action": action_of(method, route), "method": method, "route": route, "status": status}
        self._append(entry(caller, now_ms(), request_id, noun_id=noun_id, **facts))

    def drain(self) -> list[dict[str, Any]]:
        """Take all waiting entries."""
        with self._lock:
            found, self._waiting = self._waiting, []
        return found

    def restore(self, entries: list[dict[str, Any]]) -> None:
        """Put back what could not be written."""
        with self._lock:
            kept = entries[: max(0, self.most - len(self._waiting))]
            self.dropped += len(entries) - len(kept)
            self._waiting = kept + self._waiting

    def _append(self, made: dict[str, Any]) -> None:
        with self._lock:
            if len(self._waiting) >= self.most:
                self.dropped += 1
                return
            self._waiting.append(made)


def trail(
    parts: "State", caller: "Principal", at: Position, limit: int, args: dict[str, Any]
) -> tuple[list[dict[str, Any]], Callable[[], int]]:
    """Return entries for loaded `AuditArgs` from a position on, and what counts all of them."""
    parts.ledger.flush(parts.graph)
    repository = AuditRepository(parts.graph, caller)
    since, until = args.get("since", 0), args.get("until", NEVER)
    only = {"key_id": args.get("key_id"), "action": args.get("action")}
    # A cursor is never later than `until`; without one, everything up to and with that moment is asked for.
    before = min(at.before, until + 1)
    rows = repository.list(before, at.before_id, at.offset, limit, since, **only)
    return rows, lambda: repository.count(since, until, **only)


def entry(caller: "Principal", now: int, request_id: str, **facts: Any) -> dict[str, Any]:
    """Return one entry: its tenant and the properties of its node."""
    who = {"key_id": caller.key_id, "key_prefix": caller.key_prefix, "request_id": request_id}
    props = {"id": new_id(), "name": facts["action"], "created_at": now, "updated_at": now, "version": 1}
    return {"tenant": caller.tenant, **props, **who, **{name: value for name, value in facts.items() if value}}


def action_of(method: str, route: str) -> str:
    """Return the dotted name of what a request does; versions are no part of it.

    `POST /v1/keys` is `keys.create`, `PUT /v1/keys/{key_id}` is `keys.update`, `POST /v1/keys/{key_id}/rotate` is
    `keys.rotate`, `DELETE /v1/projects/{slug}/relationships/{id}` is `projects.relationships.delete`.
    """
    steps = [step for step in route.split("/") if step and not VERSION.fullmatch(step)]
    words = [step for step in steps if not step.startswith("{")]
    says_it = len(words) > 1 and steps[-1] == words[-1] and method != "DELETE"
    return ".".join(words if says_it else [*words, VERBS.get(method, method.lower())])

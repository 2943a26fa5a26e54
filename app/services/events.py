"""Events as the wire shows them, and where and which of them a reader begins."""

from collections.abc import Iterable
from typing import Any

import orjson

from app.auth import Principal
from app.clock import iso
from app.errors import Forbidden, Gone
from app.events import EVENTS
from app.scopes import allows
from app.state import State
from graph.events import EventRepository, Kept, Wanted
from graph.outbox import Happened
from graph.records import Row

# Rises when a field changes its meaning or goes; fields that are added do not count.
VERSION = 1
NOUN_OF = {name: Happened(name, "").noun for name in EVENTS}
# Events that name keys are for those who may manage keys.
ADMINS_ONLY = ("key",)


def envelope(row: Row) -> dict[str, Any]:
    """Return an Event node's properties (`id, type, noun, noun_id, data, number, created_at`) as the wire shows them.

    `data` names what changed by `object` and `id`, and has the facts of the event beside: ids and names of fields.
    An event that is sent to one webhook alone (a test) has no number.
    """
    return {
        "object": "event",
        "id": row["id"],
        "type": row["type"],
        "schema_version": VERSION,
        "number": row.get("number"),
        "created_at": iso(row["created_at"]),
        "data": {**orjson.loads(row["data"]), "object": row["noun"], "id": row["noun_id"]},
    }


def page(parts: State, caller: Principal, args: dict[str, Any]) -> dict[str, Any]:
    """Return an `EventList` answer for loaded `EventArgs`: oldest first, and where to go on.

    Raises:
        Forbidden: events of keys are asked for without the scope `admin`.
        Gone: the cursor is not among what is kept.
    """
    asked, events = wanted(caller, args), EventRepository(parts.graph, caller)
    kept = events.settled()
    at = begin(events, args, kept, "oldest")
    rows, reached = events.after(at, kept.last, args["limit"], asked)
    if "cursor" in args:
        # Afterwards: what is purged meanwhile would be missing from the page. Whoever begins here has read nothing yet.
        check_kept(at, events.settled())
    return {
        "object": "list",
        "data": [envelope(row) for row in rows],
        "has_more": reached < kept.last,
        "next_cursor": str(reached),
    }


def wanted(caller: Principal, args: dict[str, Any]) -> Wanted:
    """Return which events loaded arguments ask for, as far as the caller may see them.

    Raises:
        Forbidden: events of keys are asked for without the scope `admin`.
    """
    types, noun = args.get("types"), args.get("object")
    if noun is not None:
        types = [name for name in types or EVENTS if NOUN_OF[name] == noun]
    hidden = unseen(caller, types or (), "types")
    return Wanted(types or None if noun is None else types, args.get("object_id"), args.get("agent_id"), hidden)


def unseen(caller: Principal, types: Iterable[str], field: str) -> tuple[str, ...]:
    """Return the nouns whose events the caller may not see; `field` is where `types` were named.

    Raises:
        Forbidden: `types` names one of them.
    """
    hidden = () if allows(caller.scopes, "admin") else ADMINS_ONLY
    if any(NOUN_OF[name] in hidden for name in types):
        raise Forbidden(f"Events of keys need the scope `admin`; leave them out of `{field}`, or use another key")
    return hidden


def begin(events: EventRepository, args: dict[str, Any], kept: Kept, otherwise: str) -> int:
    """Return the number after which loaded arguments begin: a cursor, else a time, else `oldest` or `now`."""
    if (cursor := args.get("cursor")) is not None:
        return int(cursor)
    if (since := args.get("since")) is not None:
        found = events.before(since)
        return kept.last if found is None else max(min(found, kept.last), kept.forgotten)
    return kept.last if args.get("start", otherwise) == "now" else kept.forgotten


def check_kept(number: int, kept: Kept) -> None:
    """Refuse to go on after a number when what followed it is not kept any more.

    Raises:
        Gone: says how to begin anew.
    """
    if not kept.forgotten <= number <= kept.last:
        raise Gone(
            f"What follows cursor {number} is not kept; cursors from {kept.forgotten} to {kept.last} are good. "
            "Begin anew with `from=oldest` or `from=now`, and read what changed meanwhile from its lists"
        )

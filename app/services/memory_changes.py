"""What became of memories in a period, a page at a time."""

from typing import Any

from app.answers import shown
from app.auth import Principal
from app.pagination import Position, page
from app.services.refer import agent_named, project_named
from app.state import State
from graph.clock import now_ms
from graph.labels import NEVER
from graph.memory_changes import MemoryChangeRepository
from graph.records import Row

NEVER_OR_NONE = ("occurred_at", "expires_at")
OWNERS = ("user_id", "session_id", "project_id")


def changes_page(parts: State, caller: Principal, args: dict[str, Any], at: Position) -> dict[str, Any]:
    """Return a page of changes for loaded `MemoryChangeArgs`, newest first."""
    scope = {
        "agent_id": agent_named(parts, caller, args.get("agent_id")),
        "project_id": args.get("project_id") or project_named(parts, caller, args.get("project")),
        "session_id": args.get("session_id"),
        "user_id": args.get("user_id"),
    }
    repository, limit, now = MemoryChangeRepository(parts.graph, caller), args["limit"], now_ms()
    since, end = args.get("since", 0), min(_end_of_second(args.get("until", NEVER)) + 1, NEVER)
    # A cursor is never later than the end; without one, everything before the end is asked for.
    rows = repository.list(scope, since, min(at.before, end), at.before_id, at.offset, limit + 1, now)
    keyed = [{**_shown(row), "created_at": row["at"], "place": row["place"]} for row in rows]
    return page(keyed, limit, at, lambda: repository.count(scope, since, end, now), tie="place")


def _end_of_second(moment: int) -> int:
    return moment if moment % 1000 else moment + 999


def _shown(row: Row) -> dict[str, Any]:
    touched = row["fields"]
    made = {**row, **{name: row[name] or None for name in OWNERS}, "changed_at": row["at"], "fields_changed": touched}
    made["before"] = _state(row["before"], touched) if row["kind"] == "edited" else None
    made["after"] = _state(row["after"], touched) if row["kind"] == "edited" else None
    if row["kind"] == "created":
        made["after"] = _state(row["after"], list(row["after"]))
    return made


def _state(state: Row, names: list[str]) -> dict[str, Any]:
    opened = shown(state)
    for name in NEVER_OR_NONE:
        opened[name] = None if opened[name] is None or opened[name] >= NEVER else opened[name]
    return {name: opened[name] for name in names}

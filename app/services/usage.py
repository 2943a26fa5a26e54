"""How much each key does, counted in memory and added up in the graph; and how much of the quota is used."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from app.clock import now_ms
from app.errors import Forbidden, QuotaExceeded
from app.ids import new_id
from app.scopes import allows
from graph.usage import UsageRepository

if TYPE_CHECKING:
    from app.auth import Principal
    from app.state import State
    from graph.repository import Tenanted

MOST_SPOTS = 10_000
MINUTE_MS = 60_000
DAY_MS = 86_400_000
# Shown as the limit where there is none: clients divide by it.
UNLIMITED = 1_000_000_000
# Below this share of the quota a count may be this many seconds old; above it, each write counts anew.
NEAR, MAY_BE_OLD = 0.9, 10.0
MOST_TENANTS = 10_000
MOST_ROWS = 1_000
DEFAULT_DAYS = 30


@dataclass(frozen=True)
class Spot:
    """What is counted together: requests of one key to one route on one day (UTC, as YYYY-MM-DD)."""

    tenant: str
    key_id: str
    route: str
    day: str


@dataclass
class Count:
    """Requests, how many of them were refused (4xx) or failed (5xx), and their milliseconds together.

    `kept_out` are those of the refused that the key's scopes or limits did not allow; `tokens` is about how long the
    texts were that had a vector computed.
    """

    requests: int = 0
    client_errors: int = 0
    server_errors: int = 0
    ms: float = 0.0
    kept_out: int = 0
    tokens: int = 0

    def add(self, other: "Count") -> None:
        """Add another count to this one."""
        self.requests += other.requests
        self.client_errors += other.client_errors
        self.server_errors += other.server_errors
        self.ms += other.ms
        self.kept_out += other.kept_out
        self.tokens += other.tokens


@dataclass(frozen=True)
class Counted:
    """What a drain took: counts by spot, and when each key was last used (epoch ms, whole minutes)."""

    counts: Mapping[Spot, Count]
    uses: Mapping[str, int]


class UsageMeter:
    """Counters of one process. Bounded: when `most` spots wait to be written, requests to new ones go uncounted."""

    def __init__(self, most: int = MOST_SPOTS) -> None:
        self.most = most
        self.dropped = 0
        self._counts: dict[Spot, Count] = {}
        self._uses: dict[str, int] = {}
        self._written: dict[str, int] = {}
        self._lock = threading.Lock()

    def count(
        self, tenant: str, key_id: str, route: str, status: int, ms: float, *, let_in: bool = True, tokens: int = 0
    ) -> None:
        """Count one answered request; `let_in` tells whether scopes and limits allowed it."""
        now = now_ms()
        one = Count(1, int(400 <= status < 500), int(status >= 500), ms, int(not let_in), tokens)
        with self._lock:
            self._add(Spot(tenant, key_id, route, day_of(now)), one)
            if len(self._uses) < self.most:
                self._uses[key_id] = now - now % MINUTE_MS

    def drain(self) -> Counted:
        """Take what was counted since the last drain; a key used again within its minute is not named again."""
        with self._lock:
            counts, self._counts = self._counts, {}
            found, self._uses = self._uses, {}
            uses = {key: at for key, at in found.items() if self._written.get(key) != at}
            if len(self._written) + len(uses) > self.most:
                self._written.clear()
            self._written.update(uses)
        return Counted(counts, uses)

    def restore(self, counted: Counted) -> None:
        """Put back what could not be written."""
        with self._lock:
            for spot, count in counted.counts.items():
                self._add(spot, count)
            for key, at in counted.uses.items():
                self._uses.setdefault(key, at)
                self._written.pop(key, None)

    def _add(self, spot: Spot, count: Count) -> None:
        known = self._counts.get(spot)
        if known is None:
            if len(self._counts) >= self.most:
                self.dropped += count.requests
                return
            known = self._counts[spot] = Count()
        known.add(count)


def rows_of(counted: Counted) -> dict[str, list[dict[str, Any]]]:
    """Return the counts as rows for `UsageRepository.add`, by tenant."""
    found: dict[str, list[dict[str, Any]]] = {}
    for spot, count in counted.counts.items():
        row = {
            "id": new_id(),
            "key": f"{spot.day}|{spot.key_id}|{spot.route}",
            "name": f"{spot.route} on {spot.day}",
            "day": spot.day,
            "key_id": spot.key_id,
            "route": spot.route,
            "requests": count.requests,
            "client_errors": count.client_errors,
            "server_errors": count.server_errors,
            "ms": round(count.ms, 3),
            "kept_out": count.kept_out,
            "tokens": count.tokens,
        }
        found.setdefault(spot.tenant, []).append(row)
    return found


def report(parts: "State", caller: "Principal", args: dict[str, Any]) -> dict[str, Any]:
    """Return a `UsageOut` answer for loaded `UsageArgs`; what this process has counted so far is in it.

    A caller without the scope `admin` is told of its own key.

    Raises:
        Forbidden: it asks for another one.
    """
    key_id = args.get("key_id")
    if not allows(caller.scopes, "admin"):
        if key_id not in (None, caller.key_id):
            raise Forbidden("The usage of other keys needs the scope `admin`")
        key_id = caller.key_id
    parts.ledger.flush(parts.graph)
    first, last = period(args.get("since"), args.get("until"))
    wanted = {"first": first, "last": last, "key_id": key_id, "route": args.get("route")}
    repository = UsageRepository(parts.graph, caller)
    group_by = sorted(set(args["group_by"].split(",")))
    rows = repository.report(group_by, MOST_ROWS + 1, **wanted)
    return {
        "first": first,
        "last": last,
        "group_by": group_by,
        "data": [_with_mean(row) for row in rows[:MOST_ROWS]],
        "has_more": len(rows) > MOST_ROWS,
        "total": _with_mean(repository.total(**wanted)),
    }


@dataclass(frozen=True)
class Calls:
    """How often a route was called on a day, and how many of these calls were refused or failed."""

    requests: int = 0
    errors: int = 0


def daily(parts: "State", caller: "Principal", route: str, days: Sequence[str]) -> list[Calls]:
    """Return the calls that all keys of the tenant made to a route, for each of `days` (YYYY-MM-DD, oldest first).

    What scopes or limits did not allow is left out. What this process has counted so far is in it.
    """
    parts.ledger.flush(parts.graph)
    chosen = {"first": days[0], "last": days[-1], "key_id": None, "route": route}
    rows = UsageRepository(parts.graph, caller).report(["day"], len(days), **chosen)
    found = {
        row["day"]: Calls(
            row["requests"] - row["kept_out"], row["client_errors"] + row["server_errors"] - row["kept_out"]
        )
        for row in rows
    }
    return [found.get(day, Calls()) for day in days]


def last_days(number: int = DEFAULT_DAYS) -> list[str]:
    """Return the last days (UTC, as YYYY-MM-DD) up to today, oldest first."""
    now = now_ms()
    return [day_of(now - back * DAY_MS) for back in reversed(range(number))]


def period(since: int | None, until: int | None) -> tuple[str, str]:
    """Return the first and last day (UTC) for two times in epoch ms; 30 days up to today unless told otherwise."""
    end = now_ms() if until is None else until
    start = end - (DEFAULT_DAYS - 1) * DAY_MS if since is None else since
    return day_of(max(start, 0)), day_of(end)


def day_of(ms: int) -> str:
    """Return the day (UTC) of an epoch time in milliseconds as YYYY-MM-DD."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)).strftime("%Y-%m-%d")


def _with_mean(row: dict[str, Any]) -> dict[str, Any]:
    ms = row.pop("ms") or 0.0
    return {**row, "mean_ms": round(ms / row["requests"], 2) if row["requests"] else 0.0}


def quota(parts: "State", caller: "Principal") -> dict[str, Any]:
    """Return a `QuotaOut` answer: memories the tenant has, and how many it may have. Nothing resets with time."""
    used = UsageRepository(parts.graph, caller).memories()
    return {"used": used, "limit": parts.settings.quota or UNLIMITED, "resetAt": None}


class QuotaWatch:
    """Remembers how many memories each tenant has, so that a write far from the quota costs no count."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def admit(self, parts: "State", caller: "Tenanted", more: int) -> None:
        """Let `more` memories be stored. Writes that run at the same moment may overshoot the quota together.

        Raises:
            QuotaExceeded: the tenant would then hold more than LOCI_QUOTA.
        """
        limit = parts.settings.quota
        if limit == 0:
            return
        with self._lock:
            used, until = self._known.get(caller.tenant, (0, 0.0))
        if until < time.monotonic() or used + more > NEAR * limit:
            used, until = UsageRepository(parts.graph, caller).memories(), time.monotonic() + MAY_BE_OLD
        if used + more > limit:
            raise QuotaExceeded(f"{used} of {limit} memories are stored; delete some, or ask for a larger LOCI_QUOTA")
        with self._lock:
            if len(self._known) >= MOST_TENANTS:
                self._known.clear()
            self._known[caller.tenant] = (used + more, until)

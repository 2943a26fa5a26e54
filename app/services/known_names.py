"""The names a tenant already has, kept in memory for extraction: old enough to cost nothing, new enough to be right.

What this process changes holds at once. What others change is seen within seconds, by a look at an index that a
thread of its own takes; a write never waits for it, but for the first of its tenant in the process, which reads a few.
"""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import cast

import structlog

from app.services.extract import EntityType, KnownHit, KnownNames, name_key
from graph.driver import Graph
from graph.entity_names import EntityNameRepository
from graph.errors import GraphError
from graph.sealing import is_digest

log = structlog.get_logger()

MOST_NAMES = 20_000  # of one tenant, the newest
MOST_FIRST = 1_000  # read while the first write waits
MOST_HELD = 40_000  # of all tenants together: about 1.4 kB each
CHECK_SECONDS = 2.0
REST_SECONDS = 5.0
REST_FACTOR = 25  # building takes at most a 25th of one core, however fast names change
LONGEST_SECONDS = 600.0
MOST_RECENT = 200

NameRow = tuple[str, str, EntityType, str]


@dataclass(frozen=True)
class Owner:
    """The tenant on whose behalf the thread reads."""

    tenant: str


class Layered(KnownNames):
    """The few names of the last moments over many older ones, less entities that are gone."""

    def __init__(self, recent: KnownNames, base: KnownNames, gone: frozenset[str]) -> None:
        self._recent = recent
        self._base = base
        self._gone = gone

    def __len__(self) -> int:
        return len(self._recent) + len(self._base)

    def find(self, text: str) -> list[KnownHit]:
        hits = [
            hit for names in (self._recent, self._base) for hit in names.find(text) if hit.entity_id not in self._gone
        ]
        kept: list[KnownHit] = []
        for hit in sorted(hits, key=lambda hit: (hit.start, hit.start - hit.end)):
            if not kept or hit.start >= kept[-1].end:
                kept.append(hit)
        return kept

    def exact(self, name: str) -> KnownHit | None:
        return self._present(self._recent.exact(name)) or self._present(self._base.exact(name))

    def near(self, name: str) -> KnownHit | None:
        return self._present(self._recent.near(name)) or self._present(self._base.near(name))

    def _present(self, hit: KnownHit | None) -> KnownHit | None:
        return None if hit is None or hit.entity_id in self._gone else hit


@dataclass
class Held:
    """One tenant's names and what is known of their age (monotonic seconds)."""

    names: KnownNames
    stamp: tuple[int, int]
    built: float
    cost: float
    checked: float
    view: KnownNames
    is_stale: bool = False
    is_busy: bool = False
    recent: list[NameRow] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


class NameCache:
    """Known names by tenant. Safe to share between threads and to carry over a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._pool: ThreadPoolExecutor | None = None
        self._pid = 0

    def of(self, graph: Graph, tenant: str) -> KnownNames:
        """Return the names of a tenant; only its first call in this process reads the graph."""
        now = time.monotonic()
        with self._lock:
            held = self._held.get(tenant)
            if held is not None:
                self._held.move_to_end(tenant)
                if (held.is_stale or now - held.checked > CHECK_SECONDS) and not held.is_busy:
                    held.is_busy = True
                    self._threads().submit(self._refresh, graph, tenant, held)
                return held.view
        return self._build(graph, tenant, MOST_FIRST).view

    def added(self, tenant: str, key: str, name: str, entity_type: str, entity_id: str, alias: str = "") -> None:
        """Note a name, or with `alias` another spelling, that was just stored."""
        kind = cast(EntityType, entity_type)
        rows: list[NameRow] = [(key, name, kind, entity_id)]
        if alias:
            rows.append((key, alias, kind, entity_id))
        with self._lock:
            held = self._held.get(tenant)
            if held is not None and len(held.recent) >= MOST_RECENT:
                # The thread may lag behind a long run of new names; then the next call reads them all.
                del self._held[tenant]
            elif held is not None:
                held.recent += rows
                _look(held)

    def gone(self, tenant: str, entity_id: str) -> None:
        """Note an entity that was just deleted."""
        with self._lock:
            if held := self._held.get(tenant):
                held.gone.append(entity_id)
                held.is_stale = True
                _look(held)

    def stale(self, tenant: str) -> None:
        """Note that names moved from one entity to another: they are to be read anew soon."""
        with self._lock:
            if held := self._held.get(tenant):
                held.is_stale = True

    def _refresh(self, graph: Graph, tenant: str, held: Held) -> None:
        try:
            if self._is_due(graph, tenant, held):
                self._build(graph, tenant)
        except GraphError as error:
            log.warning("names_not_refreshed", reason=type(error).__name__)
        finally:
            with self._lock:
                held.checked = time.monotonic()
                held.is_busy = False

    def _is_due(self, graph: Graph, tenant: str, held: Held) -> bool:
        age = time.monotonic() - held.built
        if held.is_stale or age > LONGEST_SECONDS:
            return True
        if age < max(REST_SECONDS, REST_FACTOR * held.cost):
            return False
        return EntityNameRepository(graph, Owner(tenant)).stamp() != held.stamp

    def _build(self, graph: Graph, tenant: str, most: int = MOST_NAMES) -> Held:
        started = time.monotonic()
        with self._lock:
            before = self._held.get(tenant)
            known_recent, known_gone = (len(before.recent), len(before.gone)) if before else (0, 0)
            if before:
                before.is_stale = False
        repository = EntityNameRepository(graph, Owner(tenant))
        stamp = repository.stamp()
        found = repository.known(most)
        names = KnownNames(_rows(found))
        ended = time.monotonic()
        made = Held(names, stamp, ended, ended - started, ended, names, is_stale=len(found) >= most < MOST_NAMES)
        with self._lock:
            last = self._held.get(tenant)
            if last is not None and (before is None or last is before):
                # What was noted while we read may or may not be in what we read.
                made.recent, made.gone = last.recent[known_recent:], last.gone[known_gone:]
                made.is_stale = made.is_stale or last.is_stale
                _look(made)
            self._held[tenant] = made
            self._held.move_to_end(tenant)
            self._shrink()
        return made

    def _shrink(self) -> None:
        total = sum(len(held.names) + 10 for held in self._held.values())
        while total > MOST_HELD and len(self._held) > 1:
            _, dropped = self._held.popitem(last=False)
            total -= len(dropped.names) + 10

    def _threads(self) -> ThreadPoolExecutor:
        # Threads do not survive a fork; each process makes its own.
        if self._pool is None or self._pid != os.getpid():
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="names")
            self._pid = os.getpid()
        return self._pool


def _look(held: Held) -> None:
    if held.recent or held.gone:
        held.view = Layered(KnownNames(held.recent), held.names, frozenset(held.gone))


def _rows(found: Iterable[list[str]]) -> Iterable[NameRow]:
    seen = set()
    for key, spelling, own, own_name, entity_type, id in found:
        kind = cast(EntityType, entity_type)
        # Of an encrypted tenant there are digests.
        own_key = name_key(own_name) or own_name.casefold() if is_digest(own) else own
        if id not in seen:
            seen.add(id)
            yield own_key, own_name, kind, id
        if key != own:
            yield own_key, spelling, kind, id

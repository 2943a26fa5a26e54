"""Long lists through HTTP: what a page costs near the start and near the end, and whether each item is met just once.

    python -m bench.paging [--items 10000] [--limits 100,20] [--pause 0.05]

A whole server of its own; one namespace of 10,000 memories, each of an agent and a project of its own, so that there
are three lists as long. While a client pages through a list, by cursor and then by offset, two others store and delete
in it: items of their own, and one in fifty of those that were there. Counted are the others, which stayed throughout:
how many were not met (gaps), and how many times one was met again (repeats). Times are medians in milliseconds over the
first, the middle and the last tenth of the pages.
"""

import argparse
import itertools
import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from bench.server import Server, running

BATCH = 100
# Of so many items that were there before, one goes while the list is read.
VICTIMS = 50
WRITERS = 2
WARM_UP = 10
# A list that has no end is a fault, not a reason to go on.
MOST_PAGES = 5_000


@dataclass(frozen=True)
class Noun:
    """A list: its path, what a path names an item by, and the body of a new one."""

    path: str
    key: str
    body: Callable[[int], dict[str, Any]]


NOUNS = (
    Noun("/v1/memories", "id", lambda n: {"content": f"Note {n} of the writers", "agent_id": "writer"}),
    Noun("/v1/agents", "id", lambda n: {"name": f"writer-{n}"}),
    Noun("/v1/projects", "slug", lambda n: {"name": f"Written {n}", "slug": f"written-{n}"}),
)


@dataclass
class Walk:
    """What paging through a list gave: the key of every item met, in order, and the milliseconds of each page."""

    met: list[str] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)

    def tenths(self) -> tuple[float, float, float]:
        """Return the medians of the first, the middle and the last tenth of the pages."""
        size = max(1, len(self.ms) // 10)
        middle = (len(self.ms) - size) // 2
        first, between, last = self.ms[:size], self.ms[middle : middle + size], self.ms[-size:]
        return statistics.median(first), statistics.median(between), statistics.median(last)

    def faults(self, stayed: set[str]) -> tuple[int, int]:
        """Return how many of the items that stayed were not met, and how often one was met again."""
        times = Counter(key for key in self.met if key in stayed)
        return len(stayed) - len(times), sum(times.values()) - len(times)


def main() -> None:
    """Start a server, load it, page through its lists, stop it.

    Raises:
        SystemExit: paging by cursor left something out or repeated it.
    """
    parser = argparse.ArgumentParser(prog="bench.paging", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--limits", default="100,20", help="items a page, by comma")
    parser.add_argument("--pause", type=float, default=0.05, help="seconds that a writer waits between two writes")
    chosen = parser.parse_args()
    with running(LOCI_LOG_LEVEL="warning") as server, writing_key(server) as client:
        load(client, chosen.items)
        print(f"{'list':14s} {'by':>7s} {'limit':>5s} {'pages':>5s}   ms first middle   last    gaps repeats writes")
        ways = itertools.product(NOUNS, [int(limit) for limit in chosen.limits.split(",")], (by_cursor, by_offset))
        faulty = [measured(client, noun, limit, way, chosen.pause) for noun, limit, way in ways]
    if any(faulty):
        raise SystemExit("paging by cursor left something out or repeated it")


def writing_key(server: Server) -> httpx2.Client:
    """Return a client of a namespace of its own that may delete."""
    with server.client() as admin:
        body = {"name": "paging", "namespace": "paging", "scopes": ["read", "write", "delete"]}
        made = admin.post("/v1/keys", json=body).raise_for_status().json()
    return server.client(made["key"])


def load(client: httpx2.Client, count: int) -> None:
    """Store `count` memories, each of a new agent and in a new project."""
    started = time.perf_counter()
    items = [
        {"content": f"Note {n}", "agent_id": f"agent-{n}", "project": f"project-{n}", "auto_extract_entities": False}
        for n in range(count)
    ]
    for first in range(0, count, BATCH):
        body = {"memories": items[first : first + BATCH]}
        found = client.post("/v1/memories/batch", json=body).raise_for_status().json()
        if found["failed"]:
            raise SystemExit(f"a batch failed: {str(found)[:300]}")
    print(f"{count} memories, agents and projects loaded in {time.perf_counter() - started:.0f} s")


def measured(client: httpx2.Client, noun: Noun, limit: int, way: "Way", pause: float) -> bool:
    """Page through a list while others write, print what it cost, and tell whether a cursor was at fault."""
    before = [key for page in by_cursor(client, noun, 100, Walk()) for key in page]
    for _ in itertools.islice(way(client, noun, limit, Walk()), WARM_UP):
        pass
    victims = random.Random(5).sample(before, len(before) // VICTIMS)
    walk = Walk()
    with writers(client, noun, victims, pause) as written:
        for page in way(client, noun, limit, walk):
            walk.met += page
    gaps, repeats = walk.faults(set(before) - set(victims))
    first, middle, last = walk.tenths()
    name = way.__name__.removeprefix("by_")
    print(
        f"{noun.path:14s} {name:>7s} {limit:5d} {len(walk.ms):5d}   {first:8.1f} {middle:6.1f} {last:6.1f}   "
        f"{gaps:5d} {repeats:7d} {len(written):6d}",
        flush=True,
    )
    return way is by_cursor and bool(gaps or repeats)


Way = Callable[[httpx2.Client, Noun, int, Walk], Iterator[list[str]]]


def by_cursor(client: httpx2.Client, noun: Noun, limit: int, walk: Walk) -> Iterator[list[str]]:
    """Yield the keys of each page, following `next_cursor`."""
    cursor: str | None = ""
    for _ in range(MOST_PAGES):
        asked = {"limit": limit, **({"cursor": cursor} if cursor else {})}
        found = one_page(client, noun, asked, walk)
        yield [item[noun.key] for item in found["data"]]
        cursor = found["next_cursor"]
        if not cursor:
            return
    raise SystemExit(f"{noun.path}: no end after {MOST_PAGES} pages")


def by_offset(client: httpx2.Client, noun: Noun, limit: int, walk: Walk) -> Iterator[list[str]]:
    """Yield the keys of each page, by `limit` and `offset`."""
    for number in range(MOST_PAGES):
        found = one_page(client, noun, {"limit": limit, "offset": number * limit}, walk)
        yield [item[noun.key] for item in found["data"]]
        if not found["has_more"]:
            return
    raise SystemExit(f"{noun.path}: no end after {MOST_PAGES} pages")


def one_page(client: httpx2.Client, noun: Noun, asked: dict[str, Any], walk: Walk) -> dict[str, Any]:
    """Return a page, and note what it took."""
    started = time.perf_counter()
    answer = client.get(noun.path, params=asked)
    walk.ms.append(1000 * (time.perf_counter() - started))
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


@contextmanager
def writers(client: httpx2.Client, noun: Noun, victims: list[str], pause: float) -> Iterator[list[int]]:
    """Let others store and delete in a list for the length of a block; yields the statuses they get.

    Raises:
        httpx2.HTTPStatusError: one of them was refused.
    """
    done = threading.Event()
    statuses: list[int] = []
    left = iter(victims)

    def write(numbers: Iterator[int]) -> None:
        with httpx2.Client(base_url=client.base_url, headers=client.headers, timeout=120) as mine:
            while not done.wait(pause):
                number = next(numbers)
                made = mine.post(noun.path, json=noun.body(number)).raise_for_status()
                going = [made.json()[noun.key], *itertools.islice(left, 1)] if number % 2 else []
                deleted = [mine.delete(f"{noun.path}/{key}").raise_for_status() for key in going]
                statuses.extend(answer.status_code for answer in (made, *deleted))

    with ThreadPoolExecutor(WRITERS) as pool:
        runs = [pool.submit(write, itertools.count(next(FRESH))) for _ in range(WRITERS)]
        try:
            yield statuses
        finally:
            done.set()
    for run in runs:
        run.result()


# Where each writer starts to count: its names are nobody else's.
FRESH = itertools.count(0, 1_000_000)


if __name__ == "__main__":
    main()

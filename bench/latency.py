"""Latency through HTTP: a whole server of its own, 10,000 memories in one tenant, one client, then sixteen.

    python -m bench.latency [--memories 10000] [--samples 500] [--seconds 10]

Memories are sentences put together from word lists with a fixed seed: about forty words, names among them. Prints
medians and 95th percentiles in milliseconds; quote them with the machine and with what else ran on it.
"""

import argparse
import os
import random
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx2
import psutil

from tests.live.server import Live, running

PEOPLE = "Ada Grace Linus Margaret Alan Barbara Edsger Frances Donald Radia Ken Katherine Tim Hedy Claude Shafi".split()
FAMILIES = "Lovelace Hopper Torvalds Hamilton Turing Liskov Dijkstra Allen Knuth Perlman Thompson Johnson Lee".split()
THINGS = (
    "billing service|search index|login page|nightly backup|release train|payment gateway|mobile client|data pipeline|"
    "support queue|design system|cache layer|load balancer|audit log|import job|mail relay|feature flag"
).split("|")
VERBS = "moved rewrote tested broke repaired measured documented reviewed deployed postponed split merged".split()
PLACES = "Lisbon Nairobi Osaka Tallinn Bogota Leeds Zagreb Hanoi Denver Tunis".split()
REASONS = (
    "because the tests were slow|after the outage in spring|to save memory on small machines|since the rules changed|"
    "while everybody else was travelling|as the customers had asked for years|before the audit could start|"
    "so that nobody has to wait for it again|although the budget was spent|and wrote down what went wrong"
).split("|")
QUESTIONS = (
    "what did {person} do about the {thing}?",
    "who {verb} the {thing} in {place}?",
    "why was the {thing} touched?",
    "what happened in {place} with {person}?",
)


def sentences(count: int, seed: int) -> Iterator[str]:
    """Yield `count` memories."""
    pick = random.Random(seed)
    for number in range(count):
        parts = [
            f"{pick.choice(PEOPLE)} {pick.choice(FAMILIES)} {pick.choice(VERBS)} the {pick.choice(THINGS)} "
            f"in {pick.choice(PLACES)} {pick.choice(REASONS)}."
            for _ in range(2)
        ]
        yield f"{' '.join(parts)} It was ticket {1000 + number}, and {pick.choice(PEOPLE)} agreed."


def questions(count: int, seed: int) -> list[str]:
    """Return `count` questions."""
    pick = random.Random(seed)
    words = {"person": PEOPLE, "thing": THINGS, "verb": VERBS, "place": PLACES}
    return [
        pick.choice(QUESTIONS).format(**{name: pick.choice(values) for name, values in words.items()})
        for _ in range(count)
    ]


def timed(work: Callable[[], httpx2.Response], expected: int) -> float:
    """Return the milliseconds of one call that must answer `expected`."""
    started = time.perf_counter()
    answer = work()
    took = 1000 * (time.perf_counter() - started)
    if answer.status_code != expected:
        raise SystemExit(f"answered {answer.status_code}: {answer.text[:300]}")
    return took


def shown(name: str, samples: list[float]) -> None:
    """Print the median and the 95th percentile."""
    cuts = statistics.quantiles(samples, n=20)
    print(f"{name:34s} p50 {statistics.median(samples):7.1f} ms   p95 {cuts[18]:7.1f} ms   n {len(samples)}")


def load(client: httpx2.Client, count: int) -> None:
    """Store `count` memories in batches, and print how many a second."""
    texts = list(sentences(count, seed=1))
    started = time.perf_counter()
    for first in range(0, count, 100):
        items = [{"content": text} for text in texts[first : first + 100]]
        answer = client.post("/v1/memories/batch", json={"agent_id": "bench", "memories": items})
        if answer.status_code != 200 or answer.json()["failed"]:
            raise SystemExit(f"batch answered {answer.status_code}: {answer.text[:300]}")
    took = time.perf_counter() - started
    print(f"{'load in batches of 100':34s} {count / took:.0f} memories a second, vectors and names made by the server")


def found_after(client: httpx2.Client, text: str) -> float:
    """Return the milliseconds from sending a memory to the asynchronous store until a search finds it."""
    started = time.perf_counter()
    answer = client.post("/v2/memories", json={"content": text, "agent_id": "bench"})
    id = answer.json()["id"]
    while time.perf_counter() - started < FOUND_SECONDS:
        hits = client.post(SEARCH, json={"query": text, "limit": 5}).json()["data"]
        if id in {hit["memory"]["id"] for hit in hits}:
            return 1000 * (time.perf_counter() - started)
        time.sleep(0.02)
    raise SystemExit(f"{id} was not found within {FOUND_SECONDS:.0f} s")


def many_clients(live: Live, clients: int, seconds: float) -> None:
    """Print how many recalls a second `clients` clients get together."""
    done: list[float] = []
    until = time.perf_counter() + seconds

    def ask(number: int) -> None:
        with live.client() as client:
            for question in questions(100_000, seed=100 + number):
                if time.perf_counter() > until:
                    return
                done.append(timed(lambda q=question: client.post(SEARCH, json={"query": q}), 200))  # type: ignore[misc]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - started
    shown(f"search, {clients} clients", done)
    print(f"{'':34s} {len(done) / took:.0f} recalls a second")


def by_stage(client: httpx2.Client, asked: Sequence[str]) -> None:
    """Print where the time of a search goes, as searches themselves explain it."""
    spent: dict[str, list[float]] = defaultdict(list)
    for question in asked:
        told = client.post(SEARCH, json={"query": question, "explain": True}).json()["explanation"]
        for stage, took in told["ms"].items():
            spent[stage].append(took)
    for stage, samples in spent.items():
        shown(f"  of it, {stage}", samples)


def memory_of(live: Live) -> None:
    """Print the resident memory of each process."""
    for child in psutil.Process(live.process.pid).children(recursive=True):
        line = " ".join(child.cmdline())
        name = "API" if "app.serving" in line else "worker" if "worker" in line else "Neo4j" if "java" in line else ""
        if name:
            print(f"{'resident, ' + name:34s} {child.memory_info().rss / 1e6:.0f} MB")


SEARCH = "/v1/memories/search"
FOUND_SECONDS = 60.0
# Longer than a worker takes for one memory.
SPACE_SECONDS = 1.0


def main() -> None:
    """Start a server, load it, measure, stop it."""
    parser = argparse.ArgumentParser(description="Latency of store and search through HTTP.")
    parser.add_argument("--memories", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the run with 16 clients")
    chosen = parser.parse_args()
    os.environ.setdefault("LOCI_HOME", str(Path("~/.loci").expanduser()))
    with tempfile.TemporaryDirectory(prefix="loci-bench-") as folder:
        started = time.perf_counter()
        with running(
            Path(folder) / "home", LOCI_LOG_LEVEL="warning", LOCI_NEO4J_HEAP="", LOCI_NEO4J_PAGE_CACHE=""
        ) as live:
            print(f"{'start, new store, full cache':34s} {time.perf_counter() - started:.1f} s")
            with live.client() as client:
                measure(client, live, chosen)


def measure(client: httpx2.Client, live: Live, chosen: argparse.Namespace) -> None:
    """Load and measure."""
    load(client, chosen.memories)
    fresh = iter(list(sentences(chosen.samples * 4, seed=2)))
    asked = questions(chosen.samples + 100, seed=3)
    for question in asked[:100]:
        client.post(SEARCH, json={"query": question})
    stores = [
        timed(lambda: client.post("/v1/memories", json={"content": next(fresh), "agent_id": "bench"}), 201)
        for _ in range(chosen.samples)
    ]
    shown("store", stores)

    def accept() -> float:
        return timed(lambda: client.post("/v2/memories", json={"content": next(fresh), "agent_id": "bench"}), 202)

    shown("asynchronous accept", [accept() for _ in range(chosen.samples)])
    time.sleep(10)
    spaced = []
    for _ in range(chosen.samples // 5):
        time.sleep(SPACE_SECONDS)
        spaced.append(accept())
    shown("asynchronous accept, server idle", spaced)
    shown("accepted until found by search", [found_after(client, next(fresh)) for _ in range(chosen.samples // 10)])
    shown(
        "search, one client",
        [timed(lambda q=q: client.post(SEARCH, json={"query": q}), 200) for q in asked[100:]],  # type: ignore[misc]
    )
    by_stage(client, asked[100:200])
    shown("embed a question", [timed(lambda q=q: client.post("/v1/embed", json={"text": q}), 200) for q in asked[100:]])  # type: ignore[misc]
    shown("health", [timed(lambda: client.get("/v1/health"), 200) for _ in range(chosen.samples)])
    many_clients(live, 16, chosen.seconds)
    memory_of(live)


if __name__ == "__main__":
    main()

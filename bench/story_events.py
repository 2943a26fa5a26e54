"""A story for events: eight writers, a worker that is killed all the time, a client that is cut off at random.

    python -m bench.story_events [--changes 10000] [--writers 8] [--kill-every 3]

`make bench-events` runs it at full size, `tests/faults/test_work.py` at a hundredth. Afterwards the stream must have
told each event once, in the order of its number, the pages must say the same, and both must say exactly what was
acknowledged to the writers, in the order of each memory.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import httpx2
import psutil

from tests.live.server import Live, running

PATIENCE_SECONDS = 120.0
# Vectors are not what is looked at here.
SETTINGS = {"LOCI_LOG_LEVEL": "error", "LOCI_EMBEDDER": "hashing", "LOCI_ENVIRONMENT": "test"}
OURS = ("memory.created", "memory.updated", "memory.deleted")


class Writer(threading.Thread):
    """Stores, edits and deletes memories, and remembers what was acknowledged, in order."""

    def __init__(self, live: Live, number: int, changes: int) -> None:
        super().__init__(name=f"writer-{number}", daemon=True)
        self.live, self.number, self.changes = live, number, changes
        self.done: list[tuple[str, str]] = []

    def run(self) -> None:
        with self.live.client() as client:
            count = 0
            while len(self.done) < self.changes:
                count += 1
                body = {"content": f"note {count} of writer {self.number}", "agent_id": f"writer-{self.number}"}
                id = self._noted(client.post("/v1/memories", json=body), "memory.created")
                if count % 3 == 0:
                    self._noted(client.put(f"/v1/memories/{id}", json={"importance": 0.9}), "memory.updated", id)
                if count % 5 == 0:
                    self._noted(client.delete(f"/v1/memories/{id}"), "memory.deleted", id)

    def _noted(self, answer: httpx2.Response, type: str, id: str = "") -> str:
        if not answer.is_success:
            raise SystemExit(f"{type} answered {answer.status_code}: {answer.text[:300]}")
        id = id or str(answer.json()["id"])
        self.done.append((id, type))
        return id


class Killer(threading.Thread):
    """Runs a second worker beside a server's own, and kills both every few seconds with SIGKILL.

    The server takes ever longer to start its own again; ours is there again at once.
    """

    def __init__(self, live: Live, every: float) -> None:
        super().__init__(name="killer", daemon=True)
        self.live, self.every = live, every
        self.killed = 0
        self.ending = threading.Event()
        self.second = worker_beside(live)

    def run(self) -> None:
        while not self.ending.wait(self.every):
            self.kill()

    def kill(self) -> None:
        """Kill all workers there are, and start the second one again."""
        for pid in (*workers_of(self.live), self.second.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.killed += 1
        self.second.wait()
        self.second = worker_beside(self.live)

    def end(self) -> None:
        """Kill no more; the second worker works on."""
        self.ending.set()
        self.join()

    def close(self) -> int:
        """Stop the second worker; return its status."""
        self.second.terminate()
        return self.second.wait(60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Whatever went wrong, nobody is left that kills, and no worker that was stopped half way.
        self.ending.set()
        self.second.kill()


def worker_beside(live: Live) -> "subprocess.Popen[bytes]":
    """Start one more worker for a running server."""
    known = live.credentials
    environment = {
        **os.environ, **SETTINGS, "LOCI_HOME": str(live.home), "NEO4J_URI": known["neo4j_bolt_url"],
        "NEO4J_USER": known["neo4j_user"], "NEO4J_PASSWORD": known["neo4j_password"],
    }  # fmt: skip
    with live.log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "app.cli", "worker"],
            env=environment, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip


class Follower(threading.Thread):
    """Follows the event stream from a cursor on, cut off at any byte, and goes on from the last whole event."""

    def __init__(self, live: Live, cursor: str, seed: int = 1, longest: float = 2.0) -> None:
        super().__init__(name="follower", daemon=True)
        self.live, self.cursor, self.longest = live, cursor, longest
        self.pick = random.Random(seed)
        self.seen: list[dict[str, Any]] = []
        self.cut = self.refused = 0
        self.ending = threading.Event()

    def run(self) -> None:
        with self.live.client() as client:
            while not self.ending.is_set():
                headers = {"Accept": "text/event-stream", "Last-Event-ID": self.cursor}
                with suppress(httpx2.TransportError), client.stream("GET", "/v1/events", headers=headers) as response:
                    if response.status_code != 200:
                        self.refused += 1
                        time.sleep(0.2)
                        continue
                    self._listen(response)
                self.cut += 1

    def _listen(self, response: httpx2.Response) -> None:
        until, rest = time.monotonic() + self.pick.uniform(0.05, self.longest), b""
        for chunk in response.iter_raw():
            over = self.ending.is_set() or time.monotonic() > until
            rest += chunk[: self.pick.randrange(len(chunk))] if over else chunk
            *whole, rest = rest.split(b"\n\n")
            for block in whole:
                self._take(dict(line.split(": ", 1) for line in block.decode().splitlines() if ": " in line))
            if over:
                return

    def _take(self, event: dict[str, str]) -> None:
        if "data" in event:
            self.seen.append(json.loads(event["data"]))
            if int(event["id"]) != self.seen[-1]["number"]:
                raise SystemExit(f"the id {event['id']} is not the event's number")
        self.cursor = event.get("id", self.cursor)

    def end(self) -> None:
        """Listen no more."""
        self.ending.set()
        self.join()


def workers_of(live: Live) -> list[int]:
    """Return the worker processes of a running server."""
    found = []
    for child in psutil.Process(live.process.pid).children():
        with suppress(psutil.Error):
            if "worker" in child.cmdline():
                found.append(child.pid)
    return found


def pages(client: httpx2.Client, cursor: str) -> Iterator[dict[str, Any]]:
    """Yield every event after a cursor that can be read now, page by page."""
    more = True
    while more:
        page = client.get("/v1/events", params={"cursor": cursor, "limit": 1000}).json()
        yield from page["data"]
        cursor, more = page["next_cursor"], page["has_more"]


def tell(live: Live, changes: int, writers: int, kill_every: float) -> dict[str, Any]:
    """Run the story; return what was acknowledged, streamed and paged, and how often who was killed or cut off.

    `done` holds lists of (memory id, event type), one for each writer; `seen` and `paged` are events.
    """
    with live.client() as client, ExitStack() as stack:
        cursor = client.get("/v1/events", params={"from": "now"}).json()["next_cursor"]
        follower, killer = Follower(live, cursor), stack.enter_context(Killer(live, kill_every))
        stack.callback(follower.ending.set)
        crowd = [Writer(live, number, changes // writers) for number in range(writers)]
        started = time.monotonic()
        for thread in (follower, killer, *crowd):
            thread.start()
        for writer in crowd:
            writer.join()
        took = time.monotonic() - started
        killer.end()
        expected = sum(len(writer.done) for writer in crowd)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len([event for event in follower.seen if event["type"] in OURS]) < expected:
            if time.monotonic() > deadline or not follower.is_alive():
                break
            time.sleep(0.5)
        lag = time.monotonic() - started - took
        time.sleep(1.0)  # what must not come has time to come
        follower.end()
        killer.close()
        paged = [event for event in pages(client, cursor) if event["number"] <= int(follower.cursor)]
    return {
        "cursor": int(cursor), "done": [writer.done for writer in crowd], "seen": follower.seen, "paged": paged,
        "killed": killer.killed, "cut": follower.cut, "refused": follower.refused, "seconds": took, "lag": lag,
    }  # fmt: skip


def by_memory(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the types of events by the memory they are of, in the order of the (memory id, type) pairs."""
    found: dict[str, list[str]] = {}
    for id, type in pairs:
        found.setdefault(id, []).append(type)
    return found


def faults(story: dict[str, Any]) -> list[str]:
    """Return what is wrong in a story that was told: nothing, it is hoped."""
    found, seen = [], story["seen"]
    numbers = [event["number"] for event in seen]
    if numbers != list(range(story["cursor"] + 1, story["cursor"] + 1 + len(numbers))):
        found.append("the stream has gaps, repeats, or is out of order")
    if seen != story["paged"]:
        found.append("stream and pages differ")
    if len({event["id"] for event in seen}) != len(seen):
        found.append("an event has two numbers")
    told = by_memory((event["data"]["id"], event["type"]) for event in seen if event["type"] in OURS)
    acknowledged = by_memory(pair for done in story["done"] for pair in done)
    if told != acknowledged:
        lost = sum(told.get(id) != types for id, types in acknowledged.items())
        found.append(f"{lost} memories lack events or have them in another order; {len(told)} were told of")
    return found


def main() -> None:
    """Start a server, tell the story, say what came of it."""
    parser = argparse.ArgumentParser(description="Events while everything goes wrong.")
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--kill-every", type=float, default=3.0)
    chosen = parser.parse_args()
    os.environ.setdefault("LOCI_HOME", str(Path("~/.loci").expanduser()))
    with (
        tempfile.TemporaryDirectory(prefix="loci-bench-") as folder,
        running(Path(folder) / "home", **SETTINGS) as live,
    ):
        story = tell(live, chosen.changes, chosen.writers, chosen.kill_every)
    changes = sum(len(done) for done in story["done"])
    print(f"{changes} changes by {chosen.writers} writers in {story['seconds']:.0f} s, {len(story['seen'])} events")
    print(
        f"worker killed {story['killed']} times, stream cut off {story['cut']} times, refused {story['refused']} times"
    )
    print(f"all was told {story['lag']:.1f} s after the last change")
    wrong = faults(story)
    print("\n".join(wrong) or "each event once, in order, none invented; pages and stream agree")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()

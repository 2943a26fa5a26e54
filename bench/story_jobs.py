"""A story for jobs: memories accepted while two workers in two processes take turns at being killed.

    python -m bench.story_jobs [--jobs 5000] [--clients 8] [--kill-every 4]

`tests/faults/test_jobs.py` tells it at a hundredth of its size. Afterwards each memory must be ready, each job done,
and each completion told of once; what a dead worker held is taken over when its lease ends.
"""

import argparse
import os
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2

from bench.story_events import SETTINGS, Killer, pages, worker_beside, workers_of
from tests.live.server import Live, running

CATCH_SECONDS, SLICE_SECONDS = 60.0, 0.05
# Enough for several batches.
CAUGHT = 48
# A lease, twice, and what is left to do.
PATIENCE_SECONDS = 300.0


class TakingTurns(Killer):
    """Kills the server's worker, then the second one, then the server's again: one of them always works."""

    turn = 0

    def kill(self) -> None:
        """Kill the one whose turn it is; a server's worker that has not come back yet is passed over."""
        self.turn += 1
        own = workers_of(self.live)
        if self.turn % 2 and own:
            with suppress(ProcessLookupError):
                os.kill(own[0], signal.SIGKILL)
                self.killed += 1
            return
        self.second.kill()
        self.second.wait()
        self.killed += 1
        self.second = worker_beside(self.live)

    def catch(self, client: httpx2.Client) -> None:
        """Kill both while they hold jobs, so that there is something to take over: let them work a moment at a time."""
        until = time.monotonic() + CATCH_SECONDS
        while time.monotonic() < until:
            self.signal(signal.SIGCONT)
            time.sleep(SLICE_SECONDS)
            self.signal(signal.SIGSTOP)
            time.sleep(SLICE_SECONDS)  # what they sent before is still answered
            if client.get("/v2/jobs/counts").json()["running"]:
                break
        super().kill()

    def signal(self, number: int) -> None:
        """Send a signal to both."""
        for pid in (*workers_of(self.live), self.second.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def accept(live: Live, number: int, jobs: int, into: list[dict[str, Any]]) -> None:
    """Have memories accepted, each with a name of its own to be found by."""
    with live.client() as client:
        for count in range(jobs):
            body = {"content": f"Ada Lovelace noted marker{number}x{count}", "agent_id": f"client-{number}"}
            answer = client.post("/v2/memories", json=body)
            if answer.status_code != 202:
                raise SystemExit(f"answered {answer.status_code}: {answer.text[:300]}")
            into.append(answer.json())


def listed(client: httpx2.Client) -> Iterator[dict[str, Any]]:
    """Yield every job."""
    args: dict[str, Any] = {"limit": 100}
    while True:
        page = client.get("/v2/jobs", params=args).json()
        yield from page["data"]
        if not page["has_more"]:
            return
        args["cursor"] = page["next_cursor"]


def tell(live: Live, jobs: int, clients: int, kill_every: float) -> dict[str, Any]:
    """Run the story; return what was accepted, the jobs and completions in the end, and how often a worker was killed.

    `taken_over` counts jobs that were begun more than once.
    """
    accepted: list[dict[str, Any]] = []
    with live.client() as client, TakingTurns(live, kill_every) as killer:
        cursor = client.get("/v1/events", params={"from": "now"}).json()["next_cursor"]
        crowd = [
            threading.Thread(target=accept, args=(live, number, jobs // clients, accepted), daemon=True)
            for number in range(clients)
        ]
        started = time.monotonic()
        accept(live, 1_000, 1, accepted)
        while not client.get("/v2/jobs/counts").json()["done"] and time.monotonic() - started < PATIENCE_SECONDS:
            time.sleep(0.2)
        killer.signal(signal.SIGSTOP)
        accept(live, 1_001, CAUGHT, accepted)
        killer.catch(client)
        for thread in (killer, *crowd):
            thread.start()
        for thread in crowd:
            thread.join()
        # Each was killed while the other worked, however quickly all was accepted.
        while killer.killed < 4 and time.monotonic() - started < PATIENCE_SECONDS:
            time.sleep(0.2)
        killer.end()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while open_jobs(client) and time.monotonic() < deadline:
            time.sleep(1.0)
        took = time.monotonic() - started
        told: Counter[str] = Counter()
        while told.total() < len(accepted) and time.monotonic() < deadline:
            time.sleep(1.0)
            events = pages(client, cursor)
            told = Counter(event["data"]["id"] for event in events if event["type"] == "embedding.completed")
        ended = killer.close()
        rows = {job["id"]: job for job in listed(client)}
        found = client.post("/v1/memories/search", json={"query": "marker1000x0", "search_mode": "keyword"}).json()[
            "data"
        ]
    return {
        "accepted": accepted, "jobs": rows, "told": told, "killed": killer.killed, "seconds": took,
        "found": [hit["memory"]["id"] for hit in found], "stopped": ended,
        "taken_over": sum(job["attempts"] > 1 for job in rows.values()),
    }  # fmt: skip


def open_jobs(client: httpx2.Client) -> int:
    """Return how many jobs wait or run."""
    counts = client.get("/v2/jobs/counts").json()
    return int(counts["queued"] + counts["running"])


def faults(story: dict[str, Any]) -> list[str]:
    """Return what is wrong in a story that was told: nothing, it is hoped."""
    found = []
    states = Counter(story["jobs"][answer["job_id"]]["state"] for answer in story["accepted"])
    if set(states) != {"done"}:
        found.append(f"jobs ended as {dict(states)}")
    if story["told"] != Counter(answer["id"] for answer in story["accepted"]):
        once = sum(number == 1 for number in story["told"].values())
        found.append(
            f"{once} of {len(story['accepted'])} completions were told of once, {story['told'].total()} in all"
        )
    if len(story["jobs"]) != len(story["accepted"]):
        found.append(f"{len(story['jobs'])} jobs for {len(story['accepted'])} memories")
    if not story["taken_over"]:
        found.append("no job was taken over from a dead worker, so nothing is proved")
    if not story["found"]:
        found.append("a completed memory is not found")
    if story["stopped"] != 0:
        found.append(f"a worker that was told to stop ended with {story['stopped']}")
    return found


def main() -> None:
    """Start a server, tell the story, say what came of it."""
    parser = argparse.ArgumentParser(description="Jobs while workers are killed.")
    parser.add_argument("--jobs", type=int, default=5_000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--kill-every", type=float, default=4.0)
    chosen = parser.parse_args()
    os.environ.setdefault("LOCI_HOME", str(Path("~/.loci").expanduser()))
    with (
        tempfile.TemporaryDirectory(prefix="loci-bench-") as folder,
        running(Path(folder) / "home", **SETTINGS) as live,
    ):
        story = tell(live, chosen.jobs, chosen.clients, chosen.kill_every)
    print(f"{len(story['accepted'])} jobs, all over {story['seconds']:.0f} s after the first was accepted")
    print(f"workers killed {story['killed']} times, {story['taken_over']} jobs taken over from a dead one")
    wrong = faults(story)
    print("\n".join(wrong) or "each job done, each completion told of once, none lost")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()

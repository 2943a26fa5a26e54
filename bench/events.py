"""Webhooks while everything goes wrong: eight writers, a worker killed all the time, and a consumer that checks.

    python -m bench.events [--changes 10000] [--writers 8] [--kill-every 8]

The consumer is written with the `standardwebhooks` package and answers one request in a hundred with 500. Afterwards it
must have got each event at least once, none that nobody acknowledged, those of each memory in the order of its
changes, and repeats under the same id alone. Beside it a client follows the stream of the same events
(`bench.story_events`).
"""

import argparse
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

from bench.story_events import OURS, Killer, by_memory, faults, tell
from tests.live.server import Live, running

SECRET = "whsec_" + "bm90LWEtcmVhbC1zZWNyZXQ="
FAILING = 0.01
STALLED_SECONDS = 120.0
# Short pauses: what is measured is that nothing gets lost, and not how patient the sender is.
SETTINGS = {
    "LOCI_OUTBOUND_ALLOW": "127.0.0.0/8",
    "LOCI_WEBHOOK_SCHEDULE": "0.1,0.2,0.5,1,1,1,1,1,1,1",
    "LOCI_LOG_LEVEL": "error",
    "LOCI_EMBEDDER": "hashing",
    "LOCI_ENVIRONMENT": "test",
}


class Consumer:
    """What a subscriber would write: it verifies, keeps what it got, and sometimes fails."""

    def __init__(self, seed: int = 1) -> None:
        self.pick = random.Random(seed)
        self.lock = threading.Lock()
        self.got: list[dict[str, Any]] = []
        self.forged = self.refused = 0
        self.url = ""

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Return the status to answer with."""
        try:
            event = Webhook(SECRET).verify(body, headers)
        except WebhookVerificationError:
            self.forged += 1
            return 400
        with self.lock:
            if self.pick.random() < FAILING:
                self.refused += 1
                return 500
            if event["id"] != headers["webhook-id"]:
                self.forged += 1
            self.got.append(event)
        return 204

    def distinct(self) -> int:
        """Return how many different events came."""
        with self.lock:
            return len({event["id"] for event in self.got})

    def wait(self, count: int) -> None:
        """Wait until so many different events came, or none for a while."""
        last, moved = self.distinct(), time.monotonic()
        while last < count and time.monotonic() - moved < STALLED_SECONDS:
            time.sleep(0.5)
            now = self.distinct()
            if now != last:
                last, moved = now, time.monotonic()


@contextmanager
def consuming() -> Iterator[Consumer]:
    """Run a consumer for the length of a block."""
    consumer = Consumer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = consumer.take({name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    consumer.url = f"http://127.0.0.1:{server.server_address[1]}/"
    try:
        yield consumer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Reaper(Killer):
    """Kills a worker only after it has sent something: on a slow machine it would otherwise never get to that."""

    def __init__(self, live: Live, every: float, consumer: Consumer) -> None:
        super().__init__(live, every)
        self.consumer = consumer

    def run(self) -> None:
        before = self.consumer.distinct()
        while not self.ending.wait(self.every):
            if self.consumer.distinct() > before:
                self.kill()
                before = self.consumer.distinct()


def delivered(live: Live, consumer: Consumer, changes: int, writers: int, kill_every: float) -> dict[str, Any]:
    """Tell the story to a webhook as well; return the story, with what the consumer `got` and the `drained` seconds."""
    with live.client() as client:
        body = {"url": consumer.url, "secret": SECRET, "event_types": list(OURS)}
        client.post("/v1/webhooks", json=body).raise_for_status()
    story = tell(live, changes, writers, kill_every)
    started = time.monotonic()
    with Reaper(live, kill_every, consumer) as killer:
        killer.start()
        consumer.wait(sum(map(len, story["done"])))
        killer.end()
        killer.close()
    time.sleep(1.0)  # what must not come has time to come
    return {
        **story, "got": list(consumer.got), "forged": consumer.forged, "refused_by_consumer": consumer.refused,
        "killed": story["killed"] + killer.killed, "drained": time.monotonic() - started - 1,
    }  # fmt: skip


def delivery_faults(story: dict[str, Any]) -> list[str]:
    """Return what is wrong with what the consumer got."""
    found = []
    if story["forged"]:
        found.append(f"{story['forged']} requests could not be verified")
    first: dict[str, dict[str, Any]] = {}
    for event in story["got"]:
        known = first.setdefault(event["id"], event)
        if known != event:
            found.append(f"event {event['id']} says two things")
    told = by_memory((event["data"]["id"], event["type"]) for event in first.values())
    acknowledged = by_memory(pair for done in story["done"] for pair in done)
    if told != acknowledged:
        lost = sum(told.get(id) != types for id, types in acknowledged.items())
        invented = len(told.keys() - acknowledged.keys())
        found.append(f"{lost} memories lack events or have them in another order; {invented} are unknown")
    numbers = [event["number"] for event in first.values()]
    if numbers != sorted(numbers):
        found.append("events came out of the order of their numbers")
    return found


def main() -> None:
    """Start a server, tell the story, say what came of it."""
    parser = argparse.ArgumentParser(description="Webhooks and the stream while everything goes wrong.")
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--kill-every", type=float, default=8.0)
    chosen = parser.parse_args()
    os.environ.setdefault("LOCI_HOME", str(Path("~/.loci").expanduser()))
    os.environ.update(SETTINGS)  # the second worker has them from here
    with (
        tempfile.TemporaryDirectory(prefix="loci-bench-") as folder,
        running(Path(folder) / "home", **SETTINGS) as live,
        consuming() as consumer,
    ):
        story = delivered(live, consumer, chosen.changes, chosen.writers, chosen.kill_every)
    changes = sum(len(done) for done in story["done"])
    distinct = len({event["id"] for event in story["got"]})
    print(f"{changes} changes by {chosen.writers} writers in {story['seconds']:.0f} s")
    print(f"worker killed {story['killed']} times; the consumer failed {story['refused_by_consumer']} times on purpose")
    print(f"{distinct} events came by webhook, {len(story['got']) - distinct} of them more than once")
    print(f"the last {story['drained']:.0f} s after the stream had all")
    print(f"stream cut off {story['cut']} times, all of it {story['lag']:.1f} s after the last change")
    wrong = delivery_faults(story) + faults(story)
    print("\n".join(wrong) or "each event at least once, in order, none invented, repeats known by their id")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()

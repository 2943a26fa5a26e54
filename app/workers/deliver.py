"""Sends events to webhooks, and to addresses that single requests named: several at once, each in order.

An endpoint is leased, told what waits for it for a few seconds, and given back; so none waits for ever behind one that
has much to hear or answers slowly. What became of an attempt is written at once: a process that dies in between has
sent something twice, with the same id, and has lost nothing.
"""

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress

import httpx2
import structlog

from app.clock import now_ms
from app.config import Settings
from app.crypto import SealBroken
from app.events import TEST_EVENT
from app.ids import new_id
from app.outbound import guarded_client
from app.services.sending import Answer, attempt, body_of, headers_of, outcome_of, pause
from app.services.webhooks import opened
from app.state import State
from app.stopping import STOPPING
from graph.delivery_queue import Endpoints
from graph.errors import GraphError
from graph.event_content import EventContentRepository
from graph.records import Row
from graph.tenants import Owner

log = structlog.get_logger()

THREADS = 16
BATCH = 50
# Short: after a crash it is how long an endpoint waits.
LEASE_MS = 5_000
TURN_SECONDS = 5.0
WAIT_SECONDS = 0.2
DAY_MS = 86_400_000


class Deliverer:
    """The loop. `holder` names its leases; several may run side by side, in one process or on many hosts."""

    def __init__(self, lease_ms: int = LEASE_MS, threads: int = THREADS) -> None:
        self.holder = new_id()
        self.lease_ms = lease_ms
        self.threads = threads
        self.pool: ThreadPoolExecutor | None = None
        self.running: dict[Future[None], Row] = {}
        self.beaten = 0.0
        self.client: httpx2.Client | None = None

    def __call__(self, parts: State) -> bool:
        """Give endpoints that are due to threads that are free; return whether there may be more."""
        queue = Endpoints(parts.graph, self.holder, self.lease_ms)
        self.running = {turn: endpoint for turn, endpoint in self.running.items() if not turn.done()}
        self.beat(queue)
        free = self.threads - len(self.running)
        if not free:
            # Not longer: the leases have to be lengthened.
            wait(self.running, WAIT_SECONDS, FIRST_COMPLETED)
            return True
        # Half of the threads are for those that answer quickly, however many others hang.
        slow = sum(bool(endpoint.get("slow")) for endpoint in self.running.values())
        found = queue.claim(free, max(0, max(1, self.threads // 2) - slow))
        busy = {(endpoint["tenant"], endpoint["id"]) for endpoint in self.running.values()}
        for endpoint in found:
            if (endpoint["tenant"], endpoint["id"]) in busy:
                continue  # its lease had run out, and now it is lengthened
            self.running[self.threads_ready().submit(self.turn, parts, endpoint)] = endpoint
        return len(found) == free

    def beat(self, queue: Endpoints) -> None:
        """Lengthen the leases of what is being sent to, a few times in the length of one."""
        if self.running and time.monotonic() - self.beaten > self.lease_ms / 4000:
            self.beaten = time.monotonic()
            queue.beat(self.running.values())

    def threads_ready(self) -> ThreadPoolExecutor:
        """Return the threads; they are started when there is something to send."""
        if self.pool is None:
            self.pool = ThreadPoolExecutor(self.threads, thread_name_prefix="deliver")
        return self.pool

    def turn(self, parts: State, endpoint: Row) -> None:
        """Tell one leased endpoint what waits for it, for a few seconds at most, and give it back."""
        queue = Endpoints(parts.graph, self.holder, self.lease_ms)
        ends = time.monotonic() + TURN_SECONDS
        try:
            while self.batch(parts, queue, endpoint, ends):
                pass
        except GraphError as error:
            # What was sent without being written is sent again.
            log.warning("delivery_not_recorded", webhook_id=endpoint["id"], reason=type(error).__name__)
        except Exception:
            log.exception("turn_failed", webhook_id=endpoint["id"])
        finally:
            self.release(queue, endpoint)

    def release(self, queue: Endpoints, endpoint: Row) -> None:
        """Give an endpoint back; where that fails its lease runs out."""
        try:
            queue.release(endpoint)
        except GraphError as error:
            log.warning("endpoint_not_released", webhook_id=endpoint["id"], reason=type(error).__name__)

    def batch(self, parts: State, queue: Endpoints, endpoint: Row, ends: float) -> bool:
        """Send the first that wait; return whether to look for more."""
        found = queue.look(endpoint, BATCH)
        if found is None:
            return False
        known, waiting = found
        for delivery in waiting:
            if STOPPING.is_set() or time.monotonic() > ends or not due(known, delivery):
                return False
            answer, at = self.tell(parts, known, delivery)
            wait_for = None if final(known, delivery, answer) else self.pause(parts, delivery, answer)
            outcome = outcome_of(answer, at, wait_for)
            log.info(
                "delivery_attempted",
                webhook_id=known["id"],
                delivery_id=delivery["id"],
                state=outcome["state"],
                status=answer.status,
                duration_ms=answer.duration_ms,
            )
            if not queue.record(known, delivery["id"], outcome, parts.settings.webhook_disable_days * DAY_MS):
                # Failed, changed, switched off, deleted, or another worker's: whatever it is, look anew.
                return not answer.error
        return len(waiting) == BATCH

    def pause(self, parts: State, delivery: Row, answer: Answer) -> float | None:
        """Return how long to wait for the next attempt; None gives it up."""
        return pause(parts.settings.webhook_pauses, delivery["attempts"] + 1, answer)

    def tell(self, parts: State, endpoint: Row, delivery: Row) -> tuple[Answer, int]:
        """Make one attempt; return what came of it and when it began (epoch ms)."""
        at, event = now_ms(), delivery["event"]
        try:
            secrets = opened(parts, endpoint)
        except SealBroken:
            told = "its secret cannot be read: the server has another master key"
            return Answer(error=told), at
        content: Row = {}
        if endpoint["include_content"]:
            content = EventContentRepository(parts.graph, Owner(endpoint["tenant"])).of(event["noun"], event["noun_id"])
        body = body_of(event, content)
        headers = headers_of(event, delivery["id"], body, secrets)
        return attempt(self.caller(parts.settings), endpoint["url"], headers, body), at

    def caller(self, settings: Settings) -> httpx2.Client:
        """Return the client, which keeps no connection: one for all threads."""
        if self.client is None:
            seconds = settings.webhook_timeout
            self.client = guarded_client(settings.outbound_networks, seconds=seconds, packed=True)
        return self.client

    def finish(self, parts: State) -> None:
        """Wait for the attempts under way, so that no other worker takes them for those of a dead one."""
        queue = Endpoints(parts.graph, self.holder, self.lease_ms)
        while wait(self.running, WAIT_SECONDS, FIRST_COMPLETED).not_done:
            self.running = {turn: endpoint for turn, endpoint in self.running.items() if not turn.done()}
            with suppress(GraphError):
                self.beat(queue)

    def close(self) -> None:
        """Finish what is under way."""
        if self.pool is not None:
            self.pool.shutdown()
        if self.client is not None:
            self.client.close()


def due(endpoint: Row, delivery: Row) -> bool:
    """Tell whether a delivery may be tried now; one that failed before the endpoint was switched on again may."""
    return bool(delivery["next_attempt_at"] <= now_ms() or delivery["last_attempt_at"] < endpoint["enabled_at"])


def final(endpoint: Row, delivery: Row, answer: Answer) -> bool:
    """Tell whether a failure is the last word: a test is tried once, and a callback asks for no more by 410."""
    return delivery["event"]["type"] == TEST_EVENT or bool(endpoint["once"] and answer.gone)


work = Deliverer()

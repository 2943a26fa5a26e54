"""The event stream: what happens in a tenant, told in order as it happens, until the client goes or must."""

import time
from collections.abc import Callable, Iterator

import structlog

from app import errors
from app.auth import Principal
from app.errors import ApiError
from app.server_sent import line
from app.services.events import envelope
from app.state import State
from app.stopping import STOPPING
from graph.errors import Unavailable
from graph.events import EventRepository, Wanted
from graph.records import Rows

log = structlog.get_logger()

POLL_SECONDS = 0.3
# Also how long a key that was revoked may still listen.
CHECK_SECONDS = 2.0
HEARTBEAT_SECONDS = 15.0
# Clients connect again by themselves; a server that is being replaced gets rid of its streams this way.
LIFE_SECONDS = 3_600.0
RETRY_MS = 2_000
PAGE = 100


class Stream:
    """One client's stream, from after `number` on. `still` asks who the key's owner is now, `gone` for the client."""

    def __init__(
        self,
        parts: State,
        caller: Principal,
        asked: Wanted,
        number: int,
        still: Callable[[], Principal],
        gone: Callable[[], bool],
    ) -> None:
        self.events = EventRepository(parts.graph, caller)
        self.caller, self.asked, self.number = caller, asked, number
        self.still, self.gone = still, gone

    def lines(self, request_id: str) -> Iterator[bytes]:
        """Yield what is sent; whatever ends it but the client is told in an event `error`."""
        try:
            yield from self._told()
        except ApiError as error:
            yield line("error", errors.body(error, request_id))
        except Exception as error:
            log.exception("stream_failed", kind=type(error).__name__, request_id=request_id)
            told = errors.Internal("Something went wrong here; the request id leads to its log line")
            yield line("error", errors.body(told, request_id))

    def _told(self) -> Iterator[bytes]:
        # A client that is cut off before the first event comes back to where it began.
        yield b"retry: %d\nid: %d\n\n" % (RETRY_MS, self.number)
        told, now = self.number, time.monotonic()
        ends, beats, checks = now + LIFE_SECONDS, now + HEARTBEAT_SECONDS, now + CHECK_SECONDS
        while now < ends and not STOPPING.is_set() and not self.gone():
            if now >= checks:
                checks = now + CHECK_SECONDS
                if not self._admitted():
                    return
            rows, more = self._news()
            if rows:
                yield b"".join(line(row["type"], envelope(row), row["number"]) for row in rows)
                told = rows[-1]["number"]
            elif now >= beats:
                # An id without data moves the cursor of a client that nothing it wants happens for.
                yield b": still here\n" + (b"id: %d\n\n" % self.number if self.number > told else b"\n")
                told = self.number
            if rows or now >= beats:
                beats = time.monotonic() + HEARTBEAT_SECONDS
            if not more:
                STOPPING.wait(POLL_SECONDS)
            now = time.monotonic()

    def _admitted(self) -> bool:
        """Tell whether the key may still see the same; where its scopes changed, the client is to come back.

        Raises:
            Unauthorized: it was revoked, or has expired.
        """
        try:
            return self.still().scopes == self.caller.scopes
        except Unavailable:
            return True

    def _news(self) -> tuple[Rows, bool]:
        """Return the next events, and whether there are more; none while the database does not answer."""
        try:
            if self.events.newest() <= self.number:
                return [], False
            last = self.events.settled().last
            rows, self.number = self.events.after(self.number, last, PAGE, self.asked)
        except Unavailable:
            return [], False
        return rows, self.number < last

"""What requests did and is not yet written: counts and audit entries wait in memory, and a thread writes them every
few seconds and at the end of the process. `app/recording.py` fills it.
"""

import atexit
import os
import threading

import structlog

from app.services.audit import AuditTrail
from app.services.usage import Counted, QuotaWatch, UsageMeter, rows_of
from graph.audit import record
from graph.driver import Graph
from graph.errors import GraphError
from graph.usage import add_all

log = structlog.get_logger()

EVERY_SECONDS = 3.0
BUSY_SECONDS = 5.0


class Ledger:
    """What one process has noted and not yet written. Its thread starts with the first note, so after any fork."""

    def __init__(self) -> None:
        self.usage = UsageMeter()
        self.audit = AuditTrail()
        self.quota = QuotaWatch()
        self._graph: Graph | None = None
        self._pid = 0
        self._stop = threading.Event()
        self._writing = threading.Lock()
        self._starting = threading.Lock()

    def open(self, graph: Graph) -> None:
        """Start writing in the background, unless this process does already."""
        if self._pid == os.getpid():
            return
        with self._starting:
            if self._pid == os.getpid():
                return
            self._graph, self._pid = graph, os.getpid()
            self._stop.clear()
            threading.Thread(target=self._repeat, args=(graph,), name="ledger", daemon=True).start()
            atexit.register(self.close)

    def close(self) -> None:
        """Write what is left and end the thread; nothing is lost that the database can still take."""
        atexit.unregister(self.close)
        self._stop.set()
        if self._graph is not None and self._pid == os.getpid():
            self.flush(self._graph)
        self._pid = 0

    def flush(self, graph: Graph) -> bool:
        """Write what was noted; what cannot be written now is kept for the next time. Tell whether all was written."""
        if not self._writing.acquire(timeout=BUSY_SECONDS):
            return False
        try:
            return self._write(graph)
        finally:
            self._writing.release()

    def _write(self, graph: Graph) -> bool:
        counted, entries = self.usage.drain(), self.audit.drain()
        try:
            if counted.counts or counted.uses:
                add_all(graph, rows_of(counted), counted.uses)
            counted = Counted({}, {})
            if entries:
                record(graph, entries)
        except GraphError as error:
            self.usage.restore(counted)
            self.audit.restore(entries)
            log.warning("ledger_waits", reason=type(error).__name__, entries=len(entries))
            return False
        self._tell_losses()
        return True

    def _tell_losses(self) -> None:
        for what, kept in (("usage", self.usage), ("audit", self.audit)):
            if kept.dropped:
                log.error("ledger_lost", what=what, number=kept.dropped)
                kept.dropped = 0

    def _repeat(self, graph: Graph) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            try:
                self.flush(graph)
            except Exception:
                log.exception("ledger_failed")

"""When a process that ended may be started again: at first soon, and ever later while it keeps ending."""

import time
from collections.abc import Callable

FIRST_SECONDS = 1.0
LONGEST_SECONDS = 30.0
# Who lived this long has not ended for the reason it ended for before.
WELL_SECONDS = 60.0


class Restarts:
    """Pauses before restarts, by name: 1 s, doubled up to 30 s each time, and 1 s again after a minute of life."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._born: dict[str, float] = {}
        self._pauses: dict[str, float] = {}
        self._due: dict[str, float] = {}

    def started(self, name: str) -> None:
        """Note that a process lives."""
        self._born[name] = self._clock()
        self._due.pop(name, None)

    def ended(self, name: str) -> float | None:
        """Note that a process has ended, and return how many seconds to wait; None when it was noted before."""
        if name in self._due:
            return None
        now = self._clock()
        known = self._pauses.get(name, 0.0) if now - self._born[name] < WELL_SECONDS else 0.0
        self._pauses[name] = min(2 * known, LONGEST_SECONDS) or FIRST_SECONDS
        self._due[name] = now + self._pauses[name]
        return self._pauses[name]

    def due(self, name: str) -> bool:
        """Tell whether a process that ended may be started again."""
        return self._clock() >= self._due[name]

"""Numbers the events of committed changes and makes the deliveries of those that webhooks asked for."""

import time

from app.state import State
from graph.announce import announce
from graph.errors import GraphError

BATCH = 500
# One transaction makes a delivery for each event and webhook: where somebody has many, fewer events fit into one.
LONG_SECONDS, SHORT_SECONDS = 3.0, 1.0


class Announcer:
    """The loop. How many events it takes at a time follows how long the last ones took."""

    def __init__(self) -> None:
        self.size = BATCH

    def __call__(self, parts: State) -> bool:
        """Announce one batch; return whether more may be waiting."""
        started, size = time.monotonic(), self.size
        try:
            done = announce(parts.graph, size)
        except GraphError:
            self.size = max(1, size // 4)
            raise
        took = time.monotonic() - started
        if took > LONG_SECONDS:
            self.size = max(1, size // 2)
        elif took < SHORT_SECONDS:
            self.size = min(BATCH, size * 2)
        return done >= size


work = Announcer()

"""Children of the supervisor end when it does, however it ended: a kill -9 leaves nobody to tell them."""

import os
import signal
import threading
import time

POLL_SECONDS = 0.5
# How long requests under way may go on after that.
GRACE_SECONDS = 15


def end_with_parent() -> None:
    """Interrupt this process as soon as the one that started it is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()

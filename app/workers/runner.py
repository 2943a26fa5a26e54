"""Runs the background loops until told to stop; a loop that fails is logged and tried again later."""

import signal
import threading
import time
from types import FrameType

import structlog

from app.embeddings import EmbedderError
from app.space_watch import SpaceWatch
from app.state import State
from app.stopping import STOPPING
from app.workers import LOOPS, Loop
from graph.errors import GraphError

log = structlog.get_logger()

BACK_OFF = 5.0


def run(parts: State) -> None:
    """Run every loop in a thread of its own until SIGTERM or SIGINT; pieces under way are finished."""
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        STOPPING.set()
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    watch = SpaceWatch(parts, lambda changed: None)
    watch.start(stop)
    threads = [threading.Thread(target=repeat, args=(loop, watch, stop), name=loop.name) for loop in LOOPS]
    for thread in threads:
        thread.start()
    # Signals reach the main thread only while it runs Python code.
    while not stop.wait(0.5):
        pass
    for thread in threads:
        thread.join()
    for loop in LOOPS:
        loop.finish(watch.parts)


def repeat(loop: Loop, watch: SpaceWatch, stop: threading.Event) -> None:
    """Work at the loop's pace, each time with the state that holds then; while more is waiting, without a pause."""
    while not stop.is_set():
        started = time.monotonic()
        try:
            more = loop.work(watch.parts)
        except (GraphError, EmbedderError) as error:
            log.warning("loop_failed", loop=loop.name, reason=type(error).__name__)
            stop.wait(BACK_OFF)
            continue
        except Exception:
            log.exception("loop_failed", loop=loop.name)
            stop.wait(BACK_OFF)
            continue
        if not more:
            stop.wait(max(0.0, loop.every_seconds - (time.monotonic() - started)))

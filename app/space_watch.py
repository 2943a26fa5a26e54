"""Keeps a process on the vectors in force: the model may be changed while it runs (`loci reembed`).

A request keeps the state it began with, model and slot together; the next one gets the new state. What began before
the switch and would write after it is refused by the database (`graph.slotted`) and done again with the new state.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import structlog
from flask import Flask, current_app, g
from flask.typing import ResponseReturnValue

from app import warmup
from app.bootstrap import embedder_of
from app.dialects import answer
from app.embeddings import Embedder, EmbedderError
from app.embeddings.spec import restored
from app.errors import from_graph
from app.local.errors import LocalError
from app.state import State
from graph import reembed
from graph.errors import GraphError, Moved
from graph.migrations import Space, current_space

log = structlog.get_logger()

EVERY_SECONDS = 1.0
# A former model may still be in use by what began before the switch.
KEPT_SECONDS = 120.0


class SpaceWatch:
    """Looks every second which vectors are in force, and hands a new state to `put` when they have changed."""

    def __init__(self, parts: State, put: Callable[[State], None]) -> None:
        self.parts = parts
        self._put = put
        self._lock = threading.Lock()
        self._next: State | None = None
        self._former: list[tuple[float, Embedder]] = []

    def start(self, stop: threading.Event | None = None) -> threading.Thread:
        """Watch in the background until `stop`."""
        thread = threading.Thread(target=self._repeat, args=(stop or threading.Event(),), name="space", daemon=True)
        thread.start()
        return thread

    def refresh(self) -> State:
        """Look now, and return the state that holds from now on.

        Raises:
            GraphError: the database does not answer.
            EmbedderError, LocalError: the model in force cannot be had here.
        """
        with self._lock:
            space = current_space(self.parts.graph)
            if space is not None and (space.identity, space.slot) != _key(self.parts):
                self._move(space)
            else:
                self._prepare(reembed.current(self.parts.graph))
            self._close_former()
            return self.parts

    def _move(self, space: Space) -> None:
        ready, self._next = self._next, None
        if ready is None or (space.identity, space.slot) != _key(ready):
            ready = replace(self.parts, embedder=embedder_of(self.parts.settings, restored(space.model)))
        self._former.append((time.monotonic(), self.parts.embedder))
        self.parts = replace(ready, space=space)
        self._put(self.parts)
        log.info("embedding_model_changed", model=self.parts.embedder.name)

    def _prepare(self, record: reembed.Record | None) -> None:
        """Load the model that is about to come into force, and run the queries that will use its index once."""
        wanted = record is not None and record.state == reembed.READY
        if self._next and not (wanted and record and (record.identity, record.slot) == _key(self._next)):
            self._next.embedder.close()
            self._next = None
        if wanted and record and not self._next:
            model = embedder_of(self.parts.settings, restored(record.model))
            space = replace(self.parts.space, identity=record.identity, dimensions=record.dimensions, slot=record.slot)
            self._next = replace(self.parts, embedder=model, space=space)
            warmup.ask(self._next)

    def _close_former(self) -> None:
        while self._former and self._former[0][0] + KEPT_SECONDS < time.monotonic():
            self._former.pop(0)[1].close()

    def _repeat(self, stop: threading.Event) -> None:
        said = ""
        while not stop.wait(EVERY_SECONDS):
            try:
                self.refresh()
                said = ""
            except (GraphError, EmbedderError, LocalError) as error:
                # Once for each reason: it is asked every second.
                if said != str(error):
                    log.warning("vectors_in_force_not_known", reason=str(error))
                    said = str(error)
            except Exception:
                log.exception("space_watch_failed")


def _key(parts: State) -> tuple[str, str]:
    return parts.space.identity, parts.space.slot


def init_app(app: Flask) -> None:
    """Do requests again whose vectors were of the former model when they came to write them."""

    @app.errorhandler(Moved)
    def again(error: Moved) -> ResponseReturnValue:
        watch: SpaceWatch | None = current_app.extensions.get("loci_space")
        if watch is None or g.get("again"):
            return answer(from_graph(error))
        g.again = True
        try:
            watch.refresh()
            g.pop("loci", None)
            return current_app.dispatch_request()
        except LocalError:
            return answer(from_graph(error))
        except Exception as failure:
            return current_app.handle_user_exception(failure)


def watch(app: Flask, stop: threading.Event | None = None) -> SpaceWatch:
    """Keep an app on the vectors in force, from now on until `stop`."""
    made = SpaceWatch(app.extensions["loci"], lambda parts: app.extensions.__setitem__("loci", parts))
    app.extensions["loci_space"] = made
    made.start(stop)
    return made

"""Things that must not be shared by a parent and its forked children: sessions, thread pools, connections."""

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """Builds its value on first use in each process, once, whichever thread comes first.

    A child forked by the API server inherits memory but no threads, and sockets it must not read from, so it starts
    empty. The value of the parent is kept, unused: destroying a session that believes it has threads can hang.
    """

    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._values: dict[int, T] = {}
        self._lock = threading.Lock()
        _living.add(self)

    def get(self) -> T:
        """Raises whatever the build raises; the next call tries again."""
        value = self._values.get(os.getpid())
        if value is not None:
            return value
        with self._lock:
            value = self._values.get(os.getpid())
            if value is None:
                value = self._values[os.getpid()] = self._build()
            return value

    def take(self) -> T | None:
        """Removes and returns the value of this process, if one was built."""
        with self._lock:
            return self._values.pop(os.getpid(), None)

    def _after_fork(self) -> None:
        # Another thread of the parent may have held the lock at the moment of the fork; in the child nobody would ever
        # release it.
        self._lock = threading.Lock()


_living: weakref.WeakSet[PerProcess[Any]] = weakref.WeakSet()


def _renew_locks() -> None:
    for held in list(_living):
        held._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)

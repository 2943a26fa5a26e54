"""Locks between processes, kept by the kernel: they end with the process that holds them, however it ends."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_POLL = 0.05


class FileLock:
    """A `flock` on a file of its own.

    The lock belongs to the open file, so a child that inherits `fileno()` holds it too, and it is free only when the
    last of them has closed it. That is why `release` closes and never unlocks.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._fd is not None

    def fileno(self) -> int:
        """Return the descriptor to hand to a child; the lock must be held."""
        if self._fd is None:
            raise ValueError(f"{self.path.name} is not locked")
        return self._fd

    def try_acquire(self, *, shared: bool = False) -> bool:
        """Take the lock, or change its kind, without waiting; return whether that worked.

        Changing the kind of a held lock is not atomic: when it fails, the old lock may be gone, and it is released.
        """
        fd = self._fd
        if fd is None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            self._fd = None
            return False
        except BaseException:
            os.close(fd)
            self._fd = None
            raise
        self._fd = fd
        return True

    def acquire(self, *, shared: bool = False, timeout: float | None = None) -> bool:
        """Take the lock, waiting up to `timeout` seconds (None: for ever); return whether that worked."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.try_acquire(shared=shared):
            if deadline is not None and time.monotonic() >= deadline:
                return False
            time.sleep(_POLL)
        return True

    def release(self) -> None:
        """Let go; harmless when the lock is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        if self._fd is None:
            self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

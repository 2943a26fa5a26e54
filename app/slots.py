"""Places for what holds a thread for long: so many in this process, and half of them at most for one key."""

import threading
from collections import Counter

from app.errors import NotAvailable, RateLimited

RETRY_SECONDS = 5


class Slots:
    """Counts who holds how many places."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, key_id: str, most: int) -> None:
        """Take one of `most` places for a key; whoever takes one gives it back.

        Raises:
            RateLimited: the key holds its half already.
            NotAvailable: none is free.
        """
        share = (most + 1) // 2
        with self._lock:
            if self._held[key_id] >= share > 0:
                raise RateLimited(f"This key has {share} event streams open; close one, or read pages", RETRY_SECONDS)
            if self._held.total() >= most:
                raise NotAvailable(
                    f"All {most} event streams of this server are in use; read pages",
                    headers={"Retry-After": str(RETRY_SECONDS)},
                )
            self._held[key_id] += 1

    def give_back(self, key_id: str) -> None:
        """Give a place back."""
        with self._lock:
            self._held[key_id] -= 1
            self._held += Counter()  # drops those at nought

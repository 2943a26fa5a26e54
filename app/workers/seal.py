"""Seals anew what a namespace has, after its mode was changed or a rotation of its data key was left."""

import time

from app.services.encryption import Encryption
from app.services.reseal import Reseal, settle_seconds
from app.state import State
from app.stopping import STOPPING
from graph.sealed import due
from graph.tenants import Owner

MOST = 100


class Stopped(Exception):
    """The process is about to end."""


class Seal:
    """The loop: one namespace after another. What servers may still do as before is waited for between two calls."""

    def __init__(self) -> None:
        self.rests: dict[str, float] = {}

    def __call__(self, parts: State) -> bool:
        """Go over one namespace that waits; return whether others do."""
        cipher, now = parts.graph.cipher, time.monotonic()
        if not isinstance(cipher, Encryption):
            return False
        ready = [row for row in due(parts.graph, MOST) if self.rests.get(row["id"], 0.0) <= now]
        for row in ready[:1]:
            try:
                if not Reseal(cipher, Owner(row["id"]), self.tell).step(row["since"]):
                    self.rests[row["id"]] = now + settle_seconds(cipher)
            except Stopped:
                return False
        return len(ready) > 1

    def tell(self, count: int) -> None:
        """End where the process does."""
        if STOPPING.is_set():
            raise Stopped


work = Seal()

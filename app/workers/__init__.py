"""Background loops: one a file, registered in this table; `runner` runs them.

| loop | every | does |
|---|---|---|
| purge_expired | 30 s | deletes memories whose time has passed |
"""

from collections.abc import Callable
from dataclasses import dataclass

from app.state import State
from app.workers import purge_expired


@dataclass(frozen=True)
class Loop:
    """One background loop: `work` does a bounded piece and returns whether more is waiting."""

    name: str
    every_seconds: float
    work: Callable[[State], bool]


LOOPS = (Loop("purge_expired", 30.0, purge_expired.work),)

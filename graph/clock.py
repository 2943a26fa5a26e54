"""The only place that asks for the time, so that tests can hold it."""

import time


def now_ms() -> int:
    """Return the current time in epoch milliseconds."""
    return time.time_ns() // 1_000_000

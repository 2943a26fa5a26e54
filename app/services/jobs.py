"""Jobs as clients name them: `arq:` and the id without hyphens, the way job ids of this API have always looked."""

import uuid
from typing import Any

from app.schemas.jobs import STATES
from graph.records import Row

PREFIX = "arq:"
OPEN = ("queued", "running")


def job_shown_id(id: str) -> str:
    """Return a job's id as the wire shows it."""
    return PREFIX + id.replace("-", "")


def job_stored_id(text: str) -> str:
    """Return a job's id as it is stored; what is no job id comes back as it is, and names no job."""
    try:
        return str(uuid.UUID(hex=text.removeprefix(PREFIX)))
    except ValueError:
        return text


def counts_shown(found: dict[str, Row]) -> dict[str, Any]:
    """Return counts by state as the wire shows them."""
    numbers = {state: found[state]["jobs"] if state in found else 0 for state in STATES}
    waiting = [found[state]["oldest"] for state in OPEN if state in found]
    return {**numbers, "total": sum(numbers.values()), "waiting_since": min(waiting, default=None)}

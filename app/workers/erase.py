"""Goes on with erasures that a request left, or whose process died."""

from app.services.erasures import work_on
from app.state import State
from graph.erasures import due
from graph.tenants import Owner

SECONDS = 20.0


def work(parts: State) -> bool:
    """Work on one erasure for a while; return whether there may be more to do."""
    found = due(parts.graph)
    if found is None:
        return False
    work_on(parts, Owner(found["tenant"]), found["id"], SECONDS)
    return True

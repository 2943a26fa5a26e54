"""The tables of all nouns together."""

from __future__ import annotations

from tests.contract.examples import (
    agents,
    context,
    decisions,
    entities,
    erasures,
    extraction,
    keys,
    memories,
    patterns,
    projects,
    sessions,
    transfer,
    trash,
    webhooks,
)
from tests.contract.examples.world import MAKERS, Makes
from tests.contract.operations import OPERATIONS

MAKERS |= {
    **agents.MAKERS,
    **decisions.MAKERS,
    **entities.MAKERS,
    **erasures.MAKERS,
    **extraction.MAKERS,
    **keys.MAKERS,
    **memories.MAKERS,
    **patterns.MAKERS,
    **projects.MAKERS,
    **sessions.MAKERS,
    **transfer.MAKERS,
    **trash.MAKERS,
    **webhooks.MAKERS,
}
BODIES: Makes = {
    **agents.BODIES,
    **context.BODIES,
    **decisions.BODIES,
    **entities.BODIES,
    **erasures.BODIES,
    **extraction.BODIES,
    **keys.BODIES,
    **memories.BODIES,
    **patterns.BODIES,
    **projects.BODIES,
    **sessions.BODIES,
    **transfer.BODIES,
    **webhooks.BODIES,
}
QUERIES: Makes = {
    **decisions.QUERIES,
    **entities.QUERIES,
    **patterns.QUERIES,
    **projects.QUERIES,
}
SCOPES: dict[str, str] = {
    **context.SCOPES,
    **erasures.SCOPES,
    **extraction.SCOPES,
    **keys.SCOPES,
    **memories.SCOPES,
    **projects.SCOPES,
    **transfer.SCOPES,
}
# PATCH takes what PUT takes, wherever both are served.
BODIES |= {str(one): BODIES[f"PUT {one.path}"] for one in OPERATIONS if one.verb == "PATCH"}

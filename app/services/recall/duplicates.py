"""Has an agent stored this before?"""

from typing import Any

from app.auth import Principal
from app.state import State
from graph.recall import RecallRepository

NEIGHBOURS = 5


def find_duplicate(
    parts: State, caller: Principal, agent_id: str, vector: Any, threshold: float, content_hash: str
) -> str | None:
    """Return the id of a memory of the agent with the same text, or whose cosine to `vector` is at least `threshold`.

    Only memories that are current, unexpired and not archived count; the nearest wins, ties by id.
    """
    repository = RecallRepository(parts.graph, caller, parts.space.slot)
    filters = {"agent_id": agent_id, "archived": False}
    if same := repository.same_text(filters, content_hash):
        return same
    row = repository.nearest(filters, vector, deep=NEIGHBOURS, pieces=[], whole=False)
    near = sorted((-(2 * score - 1), id) for id, score, _ in row["found"])
    return str(near[0][1]) if near and -near[0][0] >= threshold else None

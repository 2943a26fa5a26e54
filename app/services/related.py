"""Memories that stand near one, each with the reasons: the graph finds and weighs, this shows."""

import math
from typing import Any

from app.auth import Principal
from app.state import State
from graph.memories import MemoryRepository
from graph.memory_lists import MemoryListRepository
from graph.records import Row
from graph.related import RelatedRepository

NEAR = 20


def related(parts: State, caller: Principal, id: str, wanted: Row) -> list[tuple[Row, float, list[Row]]]:
    """Return (memory row, score, reasons), most related first, for loaded `RelatedArgs`.

    A score is 1 - exp(-w) for the sum w of its reasons' weights: it rises with each reason and stays below 1.

    Raises:
        NotFound: no such memory.
    """
    MemoryRepository(parts.graph, caller, slot=parts.space.slot).get(id)
    found = RelatedRepository(parts.graph, caller, slot=parts.space.slot).related(
        id,
        wanted["limit"],
        NEAR,
        parts.embedder.cosine_floor,
        confidential=wanted["include_confidential"],
        archived=wanted["include_archived"],
    )
    rows = {row["id"]: row for row in MemoryListRepository(parts.graph, caller).shown([row["id"] for row in found])}
    return [
        (rows[row["id"]], round(1 - math.exp(-row["weight"]), 4), [_shown(reason) for reason in _sorted(row)])
        for row in found
        if row["id"] in rows
    ]


def _sorted(row: Row) -> list[Row]:
    reasons: list[Row] = sorted(row["reasons"], key=lambda reason: (-reason["weight"], reason["type"]))
    return reasons


def _shown(reason: Row) -> Row:
    detail: dict[str, Any] = reason["detail"]
    told = {"entity": detail} if reason["type"] == "entity" else detail
    return {"type": reason["type"], "weight": round(reason["weight"], 4), **told}

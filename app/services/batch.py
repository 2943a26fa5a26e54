"""Storing many memories: one transaction for all that are well formed, and a verdict for each."""

import time
from typing import Any

from marshmallow import ValidationError

from app.api import validation_error
from app.auth import Principal
from app.errors import ApiError, from_graph
from app.schemas.memories import BatchItem
from app.services.remember import Timing, remember
from app.state import State
from graph.errors import BadReference, Conflict, NotFound

ITEM = BatchItem()
PREVIEW = 100


def remember_each(parts: State, caller: Principal, body: dict[str, Any]) -> dict[str, Any]:
    """Store the memories of a loaded `BatchCreate` body and return a `BatchOut` answer.

    Raises:
        GraphError: the database is away; then nothing was stored.
    """
    started = time.perf_counter()
    timing = Timing()
    results, good = _check(body)
    if good:
        _store(parts, caller, good, results, timing)
    counts = {status: sum(r["status"] == status for r in results) for status in ("success", "failed", "skipped")}
    total = 1000 * (time.perf_counter() - started)
    return {
        "success": counts["failed"] == 0,
        "total": len(results),
        "succeeded": counts["success"],
        "failed": counts["failed"],
        "skipped": counts["skipped"],
        "results": results,
        "timing": {
            "total_ms": round(total, 2),
            "embedding_ms": round(timing.embedding, 2),
            "database_ms": round(timing.database, 2),
            "per_memory_avg_ms": round(total / len(results), 2),
            "avg_per_item_ms": round(total / len(results), 2),
        },
    }


def _check(body: dict[str, Any]) -> tuple[list[dict[str, Any]], list[tuple[int, dict[str, Any]]]]:
    results, good = [], []
    for index, raw in enumerate(body["memories"]):
        text = raw.get("content") if isinstance(raw, dict) else None
        preview = text[:PREVIEW] if isinstance(text, str) else ""
        results.append(_result(index, "failed", preview))
        try:
            item = ITEM.load(raw)
            item.setdefault("agent_id", body.get("agent_id"))
            if not item["agent_id"]:
                raise ValidationError({"agent_id": ["Missing data for required field."]})
        except ValidationError as error:
            _refuse(results[index], validation_error({"json": error.messages}))
            continue
        good.append((index, item))
    return results, good


def _store(
    parts: State,
    caller: Principal,
    good: list[tuple[int, dict[str, Any]]],
    results: list[dict[str, Any]],
    timing: Timing,
) -> None:
    try:
        kept = remember(parts, caller, [item for _, item in good], timing)
    except (BadReference, Conflict, NotFound) as error:
        if len(good) == 1:
            _refuse(results[good[0][0]], from_graph(error))
            return
        # One item names something unknown and took the transaction with it: let each stand for itself.
        for one in good:
            _store(parts, caller, [one], results, timing)
        return
    for (index, _), stored in zip(good, kept, strict=True):
        results[index].update(id=stored.id, memory_id=stored.id, status="skipped" if stored.is_duplicate else "success")


def _result(index: int, status: str, preview: str) -> dict[str, Any]:
    return {
        "index": index,
        "status": status,
        "id": None,
        "memory_id": None,
        "error": None,
        "error_code": None,
        "content_preview": preview,
    }


def _refuse(result: dict[str, Any], error: ApiError) -> None:
    result.update(error=error.message, error_code=error.type)

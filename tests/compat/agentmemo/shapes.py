"""What AgentMemo's documentation and its published server say of every answer: each field and its type."""

from __future__ import annotations

from typing import Any

TEXT, WHOLE, NUMBER, FLAG, OBJECT, LIST = str, int, (int, float), bool, dict, list
NONE = type(None)
MAYBE_TEXT, MAYBE_WHOLE, MAYBE_NUMBER, MAYBE_OBJECT = (str, NONE), (int, NONE), (int, float, NONE), (dict, NONE)

ERROR = {"error": {"status": WHOLE, "message": TEXT}, "code": TEXT, "docs": TEXT}
MEMORY = {
    "id": TEXT, "user_id": TEXT, "agent_id": TEXT, "content": TEXT, "metadata": OBJECT, "created_at": WHOLE,
    "namespace": TEXT, "importance": WHOLE, "outcome": TEXT, "tags": [TEXT],
}  # fmt: skip
STORED = {
    **MEMORY, "embedded": FLAG, "status": TEXT, "category": TEXT, "trust_score": NUMBER, "expires_at": MAYBE_WHOLE,
    "contradiction": MAYBE_OBJECT, "conflict": MAYBE_OBJECT,
}  # fmt: skip
DUPLICATE = {"status": TEXT, "id": TEXT, "deduplicated": FLAG, "content_hash": TEXT}
RETRIEVED = {
    "query": TEXT, "user_id": TEXT, "agent_id": MAYBE_TEXT, "namespace": MAYBE_TEXT, "semantic": FLAG, "count": WHOLE,
    "results": [{**MEMORY, "score": MAYBE_NUMBER}],
}  # fmt: skip
DELETED = {"deleted": WHOLE}
USAGE = {
    "api_key_id": TEXT, "name": TEXT, "window": {"from": WHOLE, "to": WHOLE},
    "totals": {"requests": WHOLE, "tokens": WHOLE, "errors": WHOLE, "avg_latency_ms": WHOLE},
    "by_route": [{"route": TEXT, "requests": WHOLE, "tokens": WHOLE}],
    "daily": [{"day": TEXT, "requests": WHOLE, "tokens": WHOLE}],
    "used": WHOLE, "limit": MAYBE_WHOLE, "remaining": MAYBE_WHOLE, "reset_date": WHOLE, "unlimited": FLAG,
}  # fmt: skip
CONTEXT = {
    "context": TEXT, "token_count": WHOLE, "memories_used": WHOLE, "memories_available": WHOLE,
    "formatted": {"anthropic": TEXT, "openai": TEXT, "raw": TEXT}, "tokens_saved": WHOLE,
}  # fmt: skip
FEEDBACK = {"memory_id": TEXT, "outcome": TEXT, "outcome_score": NUMBER}
BATCH = {"stored": WHOLE, "skipped": WHOLE, "duplicates_skipped": WHOLE, "ids": [TEXT]}
STATS = {
    "total_memories": WHOLE, "by_namespace": OBJECT, "by_category": OBJECT, "by_outcome": OBJECT,
    "avg_importance": NUMBER, "stale_count": WHOLE, "compressed_count": MAYBE_WHOLE, "conflict_count": MAYBE_WHOLE,
    "oldest_memory": MAYBE_WHOLE, "memory_quality_score": MAYBE_NUMBER, "quality_breakdown": MAYBE_OBJECT,
}  # fmt: skip
KEY = {"id": TEXT, "key": TEXT, "name": TEXT, "owner": MAYBE_TEXT, "scopes": [TEXT], "tier": TEXT, "created_at": WHOLE}
SIGNED_UP = {
    "id": TEXT, "api_key": TEXT, "tier": TEXT, "limit": MAYBE_WHOLE, "scopes": [TEXT], "upgrade_url": MAYBE_TEXT,
    "upgrade_via_mcp": MAYBE_TEXT, "docs": TEXT, "mcp": TEXT, "created_at": WHOLE,
}  # fmt: skip
HEALTH = {"status": TEXT, "db": TEXT}
STATUS = {
    "status": TEXT, "checked_at": TEXT, "live_since": TEXT, "uptime_days": WHOLE,
    "components": {"api": TEXT, "database": TEXT, "ai_embeddings": TEXT, "cache": TEXT},
}  # fmt: skip
ANSWER = {"jsonrpc": TEXT, "id": (int, str), "result": OBJECT}
TOOL = {"content": [{"type": TEXT, "text": TEXT}], "isError": FLAG}
FAILED = {"jsonrpc": TEXT, "id": (int, str, NONE), "error": {"code": WHOLE, "message": TEXT}}


def faults(shape: Any, value: Any, path: str = "body") -> list[str]:
    """Return one sentence for each field of a shape that is missing in a value or of another type there."""
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{path} is {value!r}, must be an object"]
        missing = [f"{path}.{name} is missing" for name in shape if name not in value]
        return missing + [
            fault
            for name, each in shape.items()
            if name in value
            for fault in faults(each, value[name], f"{path}.{name}")
        ]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{path} is {value!r}, must be a list"]
        return [fault for at, each in enumerate(value) for fault in faults(shape[0], each, f"{path}.{at}")]
    kinds = shape if isinstance(shape, tuple) else (shape,)
    right = isinstance(value, kinds) and (not isinstance(value, bool) or bool in kinds)
    return [] if right else [f"{path} is {value!r}, must be {' or '.join(kind.__name__ for kind in kinds)}"]

"""What Sendryx's documentation says of its answers: each field with its type. `faults` compares."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
COUNT = re.compile(r"[0-9]+")
KEY = re.compile(r"sk-gw-[0-9a-f]{40,}")

MEMORY = {
    "id": "positive", "namespace": "text", "content": "text", "metadata": "object", "created_at": "time",
    "expires_at": "time?",
}  # fmt: skip
STORED = {"success": "true", "memory": MEMORY}
FOUND = {"success": "true", "results": [{**MEMORY, "similarity": "share"}]}
DELETED = {"success": "true", "deleted": "whole", "message": "text"}
LISTED = {"success": "true", "memories": [MEMORY], "total": "whole", "limit": "whole", "offset": "whole"}
STATS = {
    "success": "true", "namespace": "text",
    "stats": {
        "total_memories": "count", "permanent": "count", "active_ttl": "count", "expired": "count",
        "oldest_at": "time?", "newest_at": "time?",
    },
}  # fmt: skip
USAGE = {
    "success": "true", "namespace": "text",
    "calls": {
        "total_stores": "count", "total_searches": "count", "total_deletes": "count", "total_wipes": "count",
        "last_called_at": "time?",
    },
    "storage": {
        "total_memories": "whole", "permanent_count": "whole", "active_ttl_count": "whole", "expired_count": "whole",
        "content_bytes": "whole", "embedding_bytes": "whole", "total_bytes": "whole", "total_kb": "2 decimals",
        "total_mb": "4 decimals",
    },
}  # fmt: skip
NEW_KEY = {
    "success": "true",
    "key": {"id": "positive", "key": "key", "namespace": "text", "name": "text?", "created_at": "time"},
}
ERROR = {"success": "false", "message": "text"}
TOO_MANY = {**ERROR, "retry_after_seconds": "positive"}


def whole(value: Any) -> bool:
    """Tell whether a value is a whole number from 0 on, and no true or false."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def like(pattern: str | re.Pattern[str], value: Any) -> bool:
    """Tell whether a value is a text of this form."""
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


KINDS: dict[str, Callable[[Any], bool]] = {
    "true": lambda value: value is True,
    "false": lambda value: value is False,
    "text": lambda value: isinstance(value, str) and value != "",
    "object": lambda value: isinstance(value, dict),
    "whole": whole,
    "positive": lambda value: whole(value) and value > 0,
    "share": lambda value: isinstance(value, float) and 0 <= value <= 1,
    "time": lambda value: like(TIME, value),
    "count": lambda value: like(COUNT, value),
    "key": lambda value: like(KEY, value),
    "2 decimals": lambda value: like(r"[0-9]+\.[0-9]{2}", value),
    "4 decimals": lambda value: like(r"[0-9]+\.[0-9]{4}", value),
}


def faults(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """Yield one sentence for each place where an answer is not of the documented shape."""
    if isinstance(shape, dict):
        if not isinstance(value, dict) or value.keys() != shape.keys():
            yield f"{path or 'body'}: {value!r} has not the fields {', '.join(shape)}"
            return
        for name, inner in shape.items():
            yield from faults(inner, value[name], f"{path}.{name}".strip("."))
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{path}: {value!r} is no list"
            return
        for item in value:
            yield from faults(shape[0], item, f"{path}[]")
    elif not ((value is None and shape.endswith("?")) or KINDS[shape.removesuffix("?")](value)):
        yield f"{path}: {value!r} is not of the kind {shape}"

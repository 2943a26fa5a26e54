"""How to call the routes of what is made of memories: context, answers, vectors."""

from __future__ import annotations

from tests.contract.examples.world import STORY, Makes

BODIES: Makes = {
    "POST /v1/memories/context": lambda w: {"query": STORY, "limit": 50, "threshold": 0.0, "max_tokens": 4000},
    "POST /v2/context/build": lambda w: {"query": STORY, "max_memories": 50, "max_tokens": 4000, "ai_enhanced": True},
    "POST /v2/context": lambda w: {"query": STORY, "exclude_memory_ids": [w.id("memory_id")]},
    "POST /v1/ask": lambda w: {"question": STORY, "limit": 50},
    "POST /v1/embed": lambda w: {"text": STORY, "prefix": "search_document"},
}
SCOPES: dict[str, str] = {
    "POST /v1/memories/context": "read",
    "POST /v2/context/build": "read",
    "POST /v2/context": "read",
    "POST /v1/ask": "read",
    "POST /v1/embed": "read",
}

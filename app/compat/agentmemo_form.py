"""Memories as AgentMemo has them, and as Loci does: ids, names of agents, and what stands in the metadata.

What Loci has no field for (namespace, outcome, tags, validity) stands in a memory's metadata, under names that begin
with `agentmemo.`, where the native API shows it and filters by it.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from app.answers import memory_shown
from app.auth import principal
from app.compat.agentmemo_schemas import LONGEST_TTL, OWN
from app.compat.frame import BASE62, only
from app.errors import NotFoundError, invalid
from app.ids import is_uuid
from app.schemas.common import METADATA_BYTES
from app.schemas.memories_v2 import MemoryAccept
from app.services.lookup import memory_starting
from app.services.refer import agent_names
from app.state import state

Row = dict[str, Any]

# Kinds of memories by the names that AgentMemo has for them.
CATEGORIES = {"preference": "preferences", "task": "tasks", "event": "events", "fact": "facts", "system": "technical"}
# Room in the metadata for what feedback adds.
FEEDBACK_BYTES = 128
# An agent that is called like an id would be taken for one.
CALLED = "uuid:"
HEX = frozenset("0123456789abcdef")
BODY = MemoryAccept().load({"content": "-", "agent_id": "-"})


def public_id(key_id: str) -> str:
    """Return what shows a key without its secret: `am_pk_` and 16 characters, always the same for the key."""
    number = int.from_bytes(hashlib.sha256(f"agentmemo:{key_id}".encode()).digest())
    return "am_pk_" + "".join(BASE62[number // 62**place % 62] for place in range(16))


def shown_id(id: str) -> str:
    """Return a memory's id as AgentMemo shows it: `mem_` and the first 20 hex digits of the UUID."""
    return "mem_" + id.replace("-", "")[:20]


def stored_id(shown: str) -> str:
    """Return the UUID behind a shown id.

    Raises:
        NotFoundError, NotFound: no such memory of the caller.
    """
    digits = shown.removeprefix("mem_")
    if not shown.startswith("mem_") or len(digits) != 20 or set(digits) - HEX:
        raise NotFoundError("Memory not found")
    start = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:], ""))
    return memory_starting(state(), principal(), start)


def agent(name: str | None) -> str | None:
    """Return the name of an agent in Loci for its name in AgentMemo."""
    return f"{CALLED}{name}" if name and is_uuid(name) else name


def tokens(text: str) -> int:
    """Return about how many tokens a text has: one for four characters."""
    return math.ceil(len(text) / 4)


def tags(texts: Iterable[str]) -> list[str]:
    """Return what stands between the commas of texts, trimmed, each once and none empty."""
    return list(dict.fromkeys(tag for text in texts for part in text.split(",") if (tag := part.strip())))


def own(asked: Row) -> Row:
    """Return the metadata that stands for the fields of a loaded `Stored`; defaults are not written down.

    Raises:
        Invalid: it is too large together with the client's own.
    """
    said = {
        "namespace": None if asked["namespace"] in ("", "default") else asked["namespace"],
        "outcome": None if asked["outcome"] == "unknown" else asked["outcome"],
        **{f"tag.{tag}": True for tag in tags(asked["tags"])},
        **{name: asked.get(name) for name in ("valid_from", "valid_until")},
    }
    found: Row = asked["metadata"] | {OWN + name: value for name, value in said.items() if value is not None}
    if len(orjson.dumps(found)) > METADATA_BYTES - FEEDBACK_BYTES:
        raise invalid("metadata", "must be at most 10 KB as JSON, tags and namespace included")
    return found


def body(asked: Row) -> Row:
    """Return the body of the native store for a loaded `Stored`."""
    made = {
        **BODY,
        **only(asked, "user_id", "content"),
        "agent_id": agent(asked["agent_id"]),
        "metadata": own(asked),
        "importance": math.floor(asked["importance"] + 0.5) / 10,
    }
    if ttl := asked.get("ttl_seconds"):
        made["ttl_seconds"] = min(ttl, LONGEST_TTL)
    return made


def facts(memory_type: str, found: Mapping[str, Any]) -> Row:
    """Return a memory's category by its kind, and what its metadata says of namespace, outcome and tags."""
    return {
        "category": CATEGORIES.get(memory_type, "other"),
        "namespace": found.get(OWN + "namespace", "default"),
        "outcome": found.get(OWN + "outcome", "unknown"),
        "tags": [key.removeprefix(OWN + "tag.") for key in found if key.startswith(OWN + "tag.")],
    }


def shown(rows: Sequence[Row]) -> list[Row]:
    """Return memory rows as AgentMemo shows them, with those fields that a store answers more."""
    names = agent_names(state(), principal(), [row["agent_id"] for row in rows])
    made = []
    for row in map(memory_shown, rows):
        name, said = names.get(row["agent_id"], row["agent_id"]), row["metadata"]
        made.append({
            "id": shown_id(row["id"]),
            "user_id": row["user_id"] or "",
            "agent_id": name.removeprefix(CALLED) if is_uuid(name.removeprefix(CALLED)) else name,
            "content": row["content"],
            "metadata": {key: value for key, value in said.items() if not key.startswith(OWN)},
            "created_at": row["created_at"],
            **facts(row["memory_type"], said),
            "importance": round(10 * row["importance"]),
            "expires_at": row["expires_at"],
        })  # fmt: skip
    return made


def holds(row: Row, now: int) -> bool:
    """Tell whether a memory row holds now, by its own interval."""
    found = memory_shown(row)["metadata"]
    return bool(found.get(OWN + "valid_from", 0) <= now < found.get(OWN + "valid_until", now + 1))


def conditions(asked: Row) -> list[Row]:
    """Return what the metadata of every hit must say, as filters of the native API."""
    wanted = tags([asked.get("tags", "")])
    found: list[Row] = [{"$or": [{f"{OWN}tag.{tag}": True} for tag in wanted]}] if wanted else []
    for name, usual in (("namespace", "default"), ("outcome", "unknown")):
        if value := asked.get(name):
            found.append({OWN + name: {"$exists": False} if value == usual else value})
    return found


def held(now: int) -> list[Row]:
    """Return filters that let only those memories pass that hold now, by their own interval."""
    since, until = OWN + "valid_from", OWN + "valid_until"
    return [
        {"$or": [{since: {"$exists": False}}, {since: {"$lte": now}}]},
        {"$or": [{until: {"$exists": False}}, {until: {"$gt": now}}]},
    ]


def scope(asked: Row, user: str, filters: list[Row]) -> Row:
    """Return whose memories are asked for, as searches and lists of the native API take it."""
    wanted = {"user_id": user, "agent_id": agent(asked.get("agent_id")), "visibility": "private"}
    if (least := asked.get("min_importance")) is not None:
        wanted["min_importance"] = least / 10
    wanted["include_expired"] = asked.get("include_expired", False)
    return {**wanted, "metadata_filter": {"$and": filters} if filters else {}}

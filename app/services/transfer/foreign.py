"""Dumps of other memory servers, read into the same few things: entities, memories, and relations between entities.

What they hold is known from their own documentation. Fields that mean nothing here are kept in
the metadata under the server's name.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, BinaryIO

from app.services.transfer.form import TransferError
from app.services.transfer.lines import BETWEEN, EVER

Row = dict[str, Any]


@dataclass(frozen=True)
class Thing:
    """An entity, by the id or name its server knew it by."""

    key: str
    name: str
    entity_type: str
    metadata: Row = field(default_factory=dict)


@dataclass(frozen=True)
class Said:
    """A memory. Times are epoch ms; `about` are keys of entities, `until` is when what it says ended."""

    key: str
    content: str
    agent: str = ""
    user_id: str = ""
    session: str = ""
    created_at: int | None = None
    updated_at: int | None = None
    occurred_at: int | None = None
    about: tuple[str, ...] = ()
    metadata: Row = field(default_factory=dict)


@dataclass(frozen=True)
class Tie:
    """A relation between two entities; `until` is when it ended (epoch ms), None while it holds."""

    key: str
    source: str
    target: str
    type: str
    since: int | None = None
    until: int | None = None
    metadata: Row = field(default_factory=dict)


Found = Thing | Said | Tie


def mem0(file: BinaryIO) -> Iterator[tuple[int, Found]]:
    """Yield the memories of a mem0 dump: a list, or an object with `results` or `memories`.

    Each has `memory` (or `text`, `content`, `data`), an id, and users, agents, runs, times and metadata where given.
    """
    told = _loaded(file)
    for number, row in _numbered(told, ("results", "memories", "data")):
        content = _first(row, "memory", "text", "content", "data")
        kept = _rest(row, "memory", "text", "content", "data", "id", "user_id", "agent_id", "run_id", "metadata",
                     "created_at", "updated_at", "hash", "score")  # fmt: skip
        own = row.get("metadata") if isinstance(row.get("metadata"), dict) else {}
        yield number, Said(
            _text(number, "id", row.get("id") or row.get("hash") or content), _text(number, "memory", content),
            str(row.get("agent_id") or ""), str(row.get("user_id") or ""), str(row.get("run_id") or ""),
            moment(number, "created_at", row.get("created_at")), moment(number, "updated_at", row.get("updated_at")),
            metadata={**(own or {}), **({"mem0": kept} if kept else {})},
        )  # fmt: skip


def graphiti(file: BinaryIO) -> Iterator[tuple[int, Found]]:
    """Yield nodes and edges of a Graphiti dump: lists `nodes` and `edges`, or lists by kind.

    Nodes with `content` are episodes, others entities; edges with a `fact` are facts, which become a memory and a
    relation between its ends, and the others say which episode mentions which entity.
    """
    told = _loaded(file)
    if not isinstance(told, dict):
        raise TransferError(0, "", "must be a JSON object with `nodes` and `edges`")
    nodes = _all(told, "nodes", "entity_nodes", "entities", "episodic_nodes", "episodes")
    edges = _all(told, "edges", "entity_edges", "facts", "episodic_edges")
    mentions: dict[str, list[str]] = {}
    for _, edge in edges:
        if not edge.get("fact"):
            mentions.setdefault(str(edge.get("source_node_uuid")), []).append(str(edge.get("target_node_uuid")))
    for number, node in nodes:
        if "content" not in node:
            yield number, _graphiti_entity(number, node)
    for number, node in nodes:
        if "content" in node:
            yield number, _graphiti_episode(number, node, mentions)
    for number, edge in edges:
        if edge.get("fact"):
            yield from ((number, found) for found in _graphiti_fact(number, edge))


def mcp_memory(file: BinaryIO) -> Iterator[tuple[int, Found]]:
    """Yield entities, their observations and relations of the MCP reference memory server's lines.

    Entities come before relations, whatever their order in the file.
    """
    ties: list[tuple[int, Row]] = []
    for number, text in enumerate(file, 1):
        if not text.strip():
            continue
        row = _object(number, text)
        if row.get("type") == "relation":
            ties.append((number, row))
            continue
        if row.get("type") != "entity":
            raise TransferError(number, "type", "must be `entity` or `relation`")
        name = _text(number, "name", row.get("name"))
        kept = _rest(row, "type", "name", "entityType", "observations")
        kind = str(row.get("entityType") or "concept")
        yield number, Thing(name, name, kind, {"mcp-memory": kept} if kept else {})
        seen = row.get("observations")
        for said in dict.fromkeys(map(str, seen if isinstance(seen, list) else [])):
            if said.strip():
                yield number, Said(f"{name}\n{said}", f"{name}: {said}", about=(name,), metadata={"entity": name})
    for number, row in ties:
        ends = [_text(number, end, row.get(end)) for end in ("from", "to")]
        type = _text(number, "relationType", row.get("relationType"))
        yield number, Tie("\n".join([*ends, type]), ends[0], ends[1], type)


READERS: dict[str, Callable[[BinaryIO], Iterator[tuple[int, Found]]]] = {
    "mem0": mem0, "graphiti": graphiti, "mcp-memory": mcp_memory,
}  # fmt: skip


def _graphiti_entity(number: int, node: Row) -> Thing:
    given = node.get("labels")
    labels = [str(label) for label in (given if isinstance(given, list) else []) if label != "Entity"]
    kept = _rest(node, "uuid", "name", "labels", "name_embedding")
    kind = labels[0].lower() if labels else "concept"
    return Thing(
        _text(number, "uuid", node.get("uuid")), _text(number, "name", node.get("name")), kind, {"graphiti": kept}
    )


def _graphiti_episode(number: int, node: Row, mentions: dict[str, list[str]]) -> Said:
    key = _text(number, "uuid", node.get("uuid"))
    kept = _rest(node, "uuid", "content", "valid_at", "created_at", "group_id", "entity_edges")
    return Said(
        key, _text(number, "content", node.get("content")), user_id=str(node.get("group_id") or ""),
        created_at=moment(number, "created_at", node.get("created_at")),
        occurred_at=moment(number, "valid_at", node.get("valid_at")),
        about=tuple(mentions.get(key, [])), metadata={"graphiti": kept},
    )  # fmt: skip


def _graphiti_fact(number: int, edge: Row) -> Iterator[Found]:
    key = _text(number, "uuid", edge.get("uuid"))
    ends = [_text(number, end, edge.get(end)) for end in ("source_node_uuid", "target_node_uuid")]
    made, since, over, gone = (
        moment(number, name, edge.get(name)) for name in ("created_at", "valid_at", "invalid_at", "expired_at")
    )
    kept = _rest(edge, "uuid", "fact", "source_node_uuid", "target_node_uuid", "fact_embedding", "group_id")
    user = str(edge.get("group_id") or "")
    yield Said(key, _text(number, "fact", edge["fact"]), user_id=user, created_at=made, occurred_at=since,
               about=tuple(ends), metadata={"graphiti": kept})  # fmt: skip
    type = str(edge.get("name") or "related_to").lower()
    yield Tie(key, ends[0], ends[1], type, since or made, over or gone, {"fact": edge["fact"]})


def moment(number: int, path: str, value: Any) -> int | None:
    """Return a time, given as ISO 8601 or unix seconds, as epoch ms; None for none."""
    if value is None or value == "":
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            at = round(float(value) * 1000)
        else:
            found = datetime.fromisoformat(str(value))
            at = round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError) as error:
        raise TransferError(number, path, "must be an ISO 8601 time or unix seconds") from error
    least, most = BETWEEN.get(path, EVER)
    if not least <= at < most:
        raise TransferError(number, path, f"must lie between {1970 if least == 0 else 'the years 1'} and 9999")
    return at


def _loaded(file: BinaryIO) -> Any:
    try:
        return json.loads(file.read())
    except (ValueError, RecursionError) as error:
        raise TransferError(0, "", "is not JSON") from error


def _object(number: int, text: bytes) -> Row:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TransferError(number, "", "is not JSON") from error
    if not isinstance(found, dict):
        raise TransferError(number, "", "must be a JSON object")
    return found


def _numbered(told: Any, names: tuple[str, ...]) -> Iterator[tuple[int, Row]]:
    if isinstance(told, dict):
        told = next((told[name] for name in names if isinstance(told.get(name), list)), None)
    if not isinstance(told, list):
        raise TransferError(0, "", f"must be a list, or an object with one as {' or '.join(names)}")
    for number, row in enumerate(told, 1):
        if not isinstance(row, dict):
            raise TransferError(number, "", "must be a JSON object")
        yield number, row


def _all(told: Row, *names: str) -> list[tuple[int, Row]]:
    found = [row for name in names for row in (told.get(name) or []) if isinstance(told.get(name), list)]
    return list(_numbered(found, names))


def _first(row: Row, *names: str) -> Any:
    return next((row[name] for name in names if row.get(name)), None)


def _rest(row: Row, *known: str) -> Row:
    return {name: value for name, value in row.items() if name not in known and value not in (None, "", [], {})}


def _text(number: int, path: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TransferError(number, path, "must be a text")
    if "\x00" in value:
        raise TransferError(number, path, "must not contain a NUL character")
    return value

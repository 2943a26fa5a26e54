"""Reading lines: what may stand in a file, and what is wrong where it does not. Nothing of it becomes query text."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from app.ids import is_uuid
from app.schemas.memories import LONGEST_KEPT, TIERS, TYPES, VISIBILITIES
from app.services.transfer.form import FORMAT, TransferError, unpacked
from graph.labels import LINKS, NEVER, TRANSFERRED, UNIQUE_TOO, Link

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
# Follow from the tenant and the model of where it is imported to.
RESERVED = frozenset({"tenant", "scope_tokens", "embedding", "embedding_b"})
LONGEST_TEXT = 200_000
LONGEST_LIST = 10_000
LONGEST_KEY = 2_000
WHOLE = range(-(2**63), 2**63)
JSON_OBJECTS = frozenset({"metadata", "stack"})
# Lists begin at 1970; what is told of may have been before. Numbers that go on from here must have room to.
COUNTABLE = (0, 2**53)
BETWEEN: dict[str, tuple[int, int]] = {
    "created_at": (0, NEVER), "updated_at": (0, NEVER), "seq": COUNTABLE, "version": COUNTABLE,
    "was_version": COUNTABLE, "importance": (0, 1),
}  # fmt: skip
TIME_NAMES = ("_at", "_since", "_until")
EVER = (-62_135_596_800_000, NEVER)
WORDS = ("agent_id", "user_id", "session_id", "project_id", "kind", "memory_type", "tier", "visibility")
TIMES = ("created_at", "occurred_at", "expires_at", "superseded_at")
# What every read of these asks for: without it, a node would be there and break lists and searches.
FILTERS: dict[str, type] = {
    **dict.fromkeys(WORDS, str), "current": bool, "archived": bool, "importance": float, **dict.fromkeys(TIMES, int),
}  # fmt: skip
# A word that nobody knows would be shown to nobody, or to everybody.
ONE_OF = {"visibility": VISIBILITIES, "tier": TIERS, "memory_type": TYPES}
COMMON: dict[str, type] = {"created_at": int, "updated_at": int, "version": int}
NEEDED: dict[str, dict[str, type]] = {
    "Memory": {**COMMON, **FILTERS, "content": str, "content_hash": str, "metadata": str, "seq": int},
    "MemoryVersion": {**COMMON, **FILTERS, "content": str, "memory_id": str},
    "MemoryWindow": {**FILTERS, "start": int, "end": int},
    "MemoryChange": {"created_at": int, "memory_id": str, "was_version": int, "kind": str},
    "Decision": {**COMMON, **FILTERS, "content": str, "title": str, "status": str, "metadata": str},
    "Pattern": {**COMMON, **FILTERS, "content": str, "title": str, "metadata": str},
    "Topic": {"created_at": int, "rank": int, "name": str},
    "EntityName": {"created_at": int, "name": str},
    "Entity": {**COMMON, "name": str, "name_key": str, "key": str, "entity_type": str, "metadata": str},
    "Session": {**COMMON, "status": str, "started_at": int},
    "Project": {**COMMON, "slug": str, "name": str, "metadata": str},
    "Agent": {**COMMON, "name": str, "metadata": str},
}
# Each kind of what is searched is told from the others by this.
OF_KIND = {
    "Memory": "memory", "MemoryVersion": "version", "MemoryWindow": "window", "Decision": "decision",
    "Pattern": "pattern",
}  # fmt: skip
NO_EXPORT = (
    "this is no export of Loci; for those of others use `loci import` with `--from mem0`, `--from graphiti` or "
    "`--from mcp-memory`"
)
SHOWN = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


@dataclass(frozen=True)
class Header:
    """What the first line says; `sealed_by` names the key of an encrypted export."""

    id: str
    vectors: bool
    identity: str
    dimensions: int
    counts: Mapping[str, int]
    sealed_by: str = ""


@dataclass(frozen=True)
class Node:
    """A line that is a node. `vector` is what the file has, if anything; `of` the id of a window's memory."""

    number: int
    label: str
    key: str
    props: dict[str, Any]
    searchable: bool
    vector: Any
    of: str = ""


@dataclass(frozen=True)
class Relationship:
    """A line that is a relationship between two nodes, named by their keys."""

    number: int
    link: Link
    source: str
    target: str
    props: dict[str, Any]


def read(number: int, text: bytes) -> dict[str, Any]:
    """Return what a line says.

    Raises:
        TransferError: it is no JSON object.
    """
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise TransferError(number, "", "is not JSON; the file is damaged, export it again") from error
    if not isinstance(found, dict):
        raise TransferError(number, "", "must be a JSON object")
    return found


def begun(text: bytes) -> Header:
    """Return what the first line of a file says.

    Raises:
        TransferError: it is no header of a file that this version reads.
    """
    try:
        told = read(1, text)
    except TransferError as error:
        raise TransferError(1, "", NO_EXPORT) from error
    if told.get("loci") != "export":
        raise TransferError(1, "loci", f"must be `export`: {NO_EXPORT}")
    if told.get("format") != FORMAT:
        known = f"this Loci reads format {FORMAT}"
        raise TransferError(1, "format", f"is {told.get('format')!r}, but {known}; import it with a newer Loci")
    embedder, counts = told.get("embedder"), told.get("counts")
    if not isinstance(told.get("id"), str) or not is_uuid(told["id"]):
        raise TransferError(1, "id", "must be a UUID")
    if not isinstance(embedder, dict) or not isinstance(embedder.get("identity"), str):
        raise TransferError(1, "embedder.identity", "must be a text")
    if type(embedder.get("dimensions")) is not int or not isinstance(told.get("vectors"), bool):
        raise TransferError(1, "embedder.dimensions", "must be a whole number, and `vectors` true or false")
    if not isinstance(counts, dict) or any(type(count) is not int for count in counts.values()):
        raise TransferError(1, "counts", "must be numbers by label")
    sealed_by = told.get("sealed_by", "")
    if not isinstance(sealed_by, str):
        raise TransferError(1, "sealed_by", "must be a text")
    said = (told["id"].lower(), told["vectors"], embedder["identity"], embedder["dimensions"], counts, sealed_by)
    return Header(*said)


def node(number: int, told: dict[str, Any], of: Header) -> Node:
    """Return the node that a line tells of.

    Raises:
        TransferError: something in it cannot be stored.
    """
    label = told["node"]
    if not isinstance(label, str) or label not in TRANSFERRED:
        raise TransferError(number, "node", f"must be one of: {', '.join(TRANSFERRED)}")
    props = _props(number, told.get("props"), LONGEST_KEPT if "content" in NEEDED[label] else LONGEST_TEXT)
    for name, kind in NEEDED[label].items():
        if not _is(props.get(name), kind):
            raise TransferError(number, f"props.{name}", f"must be {SHOWN[kind]}")
    for name, words in ONE_OF.items() if label in ("Memory", "MemoryVersion") else ():
        if props[name] not in words:
            raise TransferError(number, f"props.{name}", f"must be one of: {', '.join(words)}")
    if label in OF_KIND and props["kind"] != OF_KIND[label]:
        raise TransferError(number, "props.kind", f"must be `{OF_KIND[label]}`")
    searchable = told.get("searchable", False)
    if not isinstance(searchable, bool) or (searchable and label not in OF_KIND):
        raise TransferError(number, "searchable", f"must be true or false, and false for {label}")
    memory = _text(number, "of", told.get("of") or "", LONGEST_KEY) if label == "MemoryWindow" else ""
    vector = _vector(number, told, searchable, of)
    return Node(number, label, _key(number, label, props), props, searchable, vector, memory)


def relationship(number: int, told: dict[str, Any]) -> Relationship:
    """Return the relationship that a line tells of.

    Raises:
        TransferError: there is no such kind, or something in it cannot be stored.
    """
    (start, source), (end, target) = _end(number, "from", told), _end(number, "to", told)
    link = Link(start, str(told["relationship"]), end)
    if link not in LINKS:
        known = sorted(f"{kind.source}-{kind.type}-{kind.target}" for kind in LINKS if kind.source == start)
        raise TransferError(number, "relationship", f"must be one of: {', '.join(known)}")
    props = _props(number, told.get("props"), LONGEST_TEXT)
    if LINKS[link] == "typed" and not isinstance(props.get("type"), str):
        raise TransferError(number, "props.type", "must be a text")
    return Relationship(number, link, source, target, props)


def _end(number: int, name: str, told: dict[str, Any]) -> tuple[str, str]:
    found = told.get(name)
    if not isinstance(found, list) or len(found) != 2 or not all(isinstance(part, str) for part in found):
        raise TransferError(number, name, "must be a list of a label and an id")
    label, key = found
    if label not in TRANSFERRED:
        raise TransferError(number, f"{name}.0", f"must be one of: {', '.join(TRANSFERRED)}")
    return label, _text(number, f"{name}.1", key, LONGEST_KEY)


def _key(number: int, label: str, props: dict[str, Any]) -> str:
    name = TRANSFERRED[label]
    key = props.get(name)
    if not isinstance(key, str) or not key or len(key) > LONGEST_KEY:
        raise TransferError(number, f"props.{name}", f"must be a text of 1 to {LONGEST_KEY} characters")
    if name == "id" and not is_uuid(key):
        raise TransferError(number, "props.id", "must be a UUID")
    second = UNIQUE_TOO.get(label)
    if second and len(str(props.get(second, ""))) > LONGEST_KEY:
        raise TransferError(number, f"props.{second}", f"must be at most {LONGEST_KEY} characters long")
    return key


def _vector(number: int, told: dict[str, Any], searchable: bool, of: Header) -> Any:
    if "vector" not in told:
        return None
    if not searchable or not of.vectors or not isinstance(told["vector"], str):
        raise TransferError(number, "vector", "must be a text, of what is searched, in a file with vectors")
    try:
        return unpacked(told["vector"], of.dimensions)
    except ValueError as error:
        raise TransferError(number, "vector", str(error)) from error


def _props(number: int, found: Any, longest: int) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise TransferError(number, "props", "must be a JSON object")
    for name, value in found.items():
        if not NAME.fullmatch(name):
            raise TransferError(number, "props", f"{name[:64]!r} is no name of a property")
        if name in RESERVED:
            raise TransferError(number, f"props.{name}", "must not be given: it follows from where it is imported to")
        _checked(number, f"props.{name}", value, longest if name == "content" else LONGEST_TEXT)
        _in_range(number, name, value)
        if name in JSON_OBJECTS and not _is_object(value):
            raise TransferError(number, f"props.{name}", "must be a JSON object as text")
    return found


def _in_range(number: int, name: str, value: Any) -> None:
    between = EVER if name in ("from", "to") or name.endswith(TIME_NAMES) else None
    least, most = BETWEEN.get(name) or between or (-math.inf, math.inf)
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, int | float) and not isinstance(each, bool) and not least <= each <= most:
            raise TransferError(number, f"props.{name}", f"must lie between {least} and {most}")


def _checked(number: int, path: str, value: Any, longest: int) -> None:
    if isinstance(value, str):
        _text(number, path, value, longest)
    elif isinstance(value, list):
        if len(value) > LONGEST_LIST or len({type(item) for item in value}) > 1 or any(_nests(item) for item in value):
            raise TransferError(number, path, f"must be at most {LONGEST_LIST} texts or numbers, all of one kind")
        for item in value:
            _checked(number, path, item, longest)
    elif not _is(value, float) and not isinstance(value, bool):
        raise TransferError(number, path, "must be a text, a 64-bit number, true, false, or a list of these")


def _nests(value: Any) -> bool:
    return value is None or isinstance(value, list | dict)


def _text(number: int, path: str, value: Any, longest: int) -> str:
    if not isinstance(value, str):
        raise TransferError(number, path, "must be a text")
    if "\x00" in value:
        raise TransferError(number, path, "must not contain a NUL character")
    if len(value) > longest:
        raise TransferError(number, path, f"must be at most {longest} characters long")
    return value


def _is(value: Any, kind: type) -> bool:
    if isinstance(value, bool) or kind is bool:
        return kind is bool and isinstance(value, bool)
    if kind is float:
        return (isinstance(value, int) and value in WHOLE) or (isinstance(value, float) and math.isfinite(value))
    return isinstance(value, kind) and (kind is not int or value in WHOLE)


def _is_object(value: Any) -> bool:
    try:
        return isinstance(value, str) and isinstance(orjson.loads(value), dict)
    except orjson.JSONDecodeError:
        return False

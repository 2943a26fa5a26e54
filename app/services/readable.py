"""What follows from texts and stands as a digest in an encrypted namespace: as it is where nothing is encrypted."""

from collections.abc import Mapping
from typing import Any

from app.services.entities import named
from app.services.remember import content_hash
from graph.naming import shown_name
from graph.records import Row
from graph.sealing import NAMELESS, is_digest


def readable(label: str, props: Mapping[str, Any]) -> Row:
    """Return those of a node's properties that are to be others; its texts are in clear in `props`."""
    made: Row = {}
    if is_digest(str(props.get("content_hash", ""))) and isinstance(props.get("content"), str):
        made["content_hash"] = content_hash(props["content"])
    if props.get("name") == NAMELESS:
        text = props.get("title") or props.get("content") or props.get("kind") or label
        made["name"] = shown_name(str(text), str(props.get("visibility", "")))
    if is_digest(str(props.get("key", "")).partition("|")[0]) and isinstance(props.get("name"), str):
        follows = named(props["name"], str(props.get("entity_type", "")))
        if label == "EntityName":
            follows["key"] = follows["name_key"]
        made |= {name: follows[name] for name in ("name_key", "padded", "key") if name in props}
    return made

"""From driver records to plain Python: nothing of the driver's own types leaves this package."""

from collections.abc import Iterable
from typing import Any, TypeAlias

from neo4j import Record
from neo4j.graph import Node, Relationship
from neo4j.time import Date, DateTime
from neo4j.vector import Vector

Row: TypeAlias = dict[str, Any]
# For repositories, whose method `list` hides the builtin inside their class.
Rows: TypeAlias = list[Row]
Ids: TypeAlias = list[str]

# Vectors are large and useless to readers: a node's map never carries them unless a query names them.
HIDDEN = frozenset({"embedding", "embedding_b"})


def rows(records: Iterable[Record]) -> list[Row]:
    """Return one plain dict a record, keyed as the query's RETURN names them."""
    return [dict(zip(record.keys(), map(plain, record.values()), strict=True)) for record in records]


def plain(value: Any) -> Any:
    """Return `value` with nodes as property dicts, vectors as float lists, times as ISO text."""
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if isinstance(value, (Node, Relationship)):
        return {key: plain(value[key]) for key in value if key not in HIDDEN}
    if isinstance(value, Vector):
        return value.to_native()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        # The driver's lists of floats (embeddings) are long: look at one item, not at each.
        if value and isinstance(value[0], (float, str)) and not isinstance(value[0], bool):
            return list(value)
        return [plain(item) for item in value]
    if isinstance(value, (Date, DateTime)):
        return value.iso_format()
    return value


def vector(values: Any) -> Vector:
    """Return a float32 parameter for a vector (a numpy array or a list of floats): half the bytes of a list."""
    return Vector.from_native(values, "f32") if isinstance(values, list) else Vector.from_numpy(values)

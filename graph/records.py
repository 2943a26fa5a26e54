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
PLAIN = frozenset((str, int, float, bool, type(None)))
BYTES = frozenset((bytes, bytearray))
ROW = 32


def rows(records: Iterable[Record], met: list[bytes] | None = None) -> list[Row]:
    """Return one plain dict a record, keyed as the query's RETURN names them; `met` takes the byte arrays met."""
    found = [] if met is None else met
    return [
        dict(zip(record.keys(), [plain(value, found) for value in record.values()], strict=True)) for record in records
    ]


def plain(value: Any, met: list[bytes]) -> Any:
    """Return `value` with nodes as property dicts, vectors as float lists, times as ISO text."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, (bytes, bytearray)):
        met.append(bytes(value))
        return met[-1]
    if isinstance(value, (Node, Relationship)):
        return {key: plain(value[key], met) for key in value if key not in HIDDEN}
    if isinstance(value, Vector):
        return value.to_native()
    if isinstance(value, dict):
        return {key: item if type(item) in PLAIN else plain(item, met) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        # The driver's lists of floats (embeddings) are long: look at one item, not at each. A list that stands for a
        # row of columns is short, and may have a sealed text in one of them.
        if value and isinstance(value[0], (float, str)) and (len(value) > ROW or BYTES.isdisjoint(map(type, value))):
            return list(value)
        return [item if type(item) in PLAIN else plain(item, met) for item in value]
    if isinstance(value, (Date, DateTime)):
        return value.iso_format()
    return value


def vector(values: Any) -> Vector:
    """Return a float32 parameter for a vector (a numpy array or a list of floats): half the bytes of a list."""
    return Vector.from_native(values, "f32") if isinstance(values, list) else Vector.from_numpy(values)

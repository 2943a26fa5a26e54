"""Events as the wire shows them: one form for webhook bodies, the stream and its pages."""

from typing import Any

import orjson

from app.clock import iso
from graph.records import Row

# Rises when a field changes its meaning or goes; fields that are added do not count.
VERSION = 1


def envelope(row: Row) -> dict[str, Any]:
    """Return an Event node's properties (`id, type, noun, noun_id, data, number, created_at`) as the wire shows them.

    `data` names what changed by `object` and `id`, and has the facts of the event beside: ids and names of fields.
    An event that is sent to one webhook alone (a test) has no number.
    """
    return {
        "object": "event",
        "id": row["id"],
        "type": row["type"],
        "version": VERSION,
        "number": row.get("number"),
        "created_at": iso(row["created_at"]),
        "data": {**orjson.loads(row["data"]), "object": row["noun"], "id": row["noun_id"]},
    }

"""The format: a header, stretches of lines that each end with a mark, and a closing line.

A mark holds the place that the export had reached, the counts so far and a digest of everything before it, so that an
export that was cut off is gone on with from its own last mark, by any process, and an import writes no stretch before
it has seen that the stretch is whole.
"""

import base64
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from graph.labels import TRANSFERRED

FORMAT = 1
# Of one line, and of all lines of a stretch together.
LONGEST_LINE = 8 * 1024 * 1024
LONGEST_STRETCH = 64 * 1024 * 1024
NODES, LINKS = "nodes", "relationships"
PHASES = (NODES, LINKS)


class TransferError(Exception):
    """A file that cannot be taken; `line` counts from 1, `field` is the path of what is wrong in it ("" for all)."""

    def __init__(self, line: int, field: str, message: str) -> None:
        place = f"line {line}" + (f", {field}" if field else "")
        super().__init__(f"{place}: {message}" if line else message)
        self.line, self.field, self.message = line, field, message


@dataclass
class Place:
    """How far an export is: the phase and label it is in, the key of the last node it told of, and what it wrote.

    `digest` is SHA-256 (hex) over the digest of the mark before and all bytes since that mark. `source` stands for the
    tenant, and `model` is the identity of the model whose vectors are in it, empty without vectors.
    """

    source: str
    model: str = ""
    phase: str = NODES
    label: str = next(iter(TRANSFERRED))
    after: str = ""
    lines: int = 0
    digest: str = ""
    nodes: Counter[str] = field(default_factory=Counter)
    links: Counter[str] = field(default_factory=Counter)

    def stored(self) -> str:
        """Return it as one word."""
        told: list[Any] = [self.source, self.model, self.phase, self.label, self.after, self.lines, self.digest]
        told += [dict(self.nodes), dict(self.links)]
        return base64.urlsafe_b64encode(orjson.dumps(told)).decode().rstrip("=")


def place_of(word: str) -> Place:
    """Return the place that a mark names.

    Raises:
        ValueError: it is no mark.
    """
    try:
        told = orjson.loads(base64.urlsafe_b64decode(word.encode() + b"=" * (-len(word) % 4)))
        source, model, phase, label, after, lines, digest, nodes, links = told
        counts_fit = all(isinstance(count, int) for count in [lines, *nodes.values(), *links.values()])
        texts_fit = all(isinstance(text, str) for text in (source, model, after, digest))
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError("is not a mark of an export") from error
    known = phase in PHASES and label in TRANSFERRED and (model or label != "MemoryWindow")
    if not known or not counts_fit or not texts_fit or "\x00" in after:
        raise ValueError("is not a mark of an export")
    return Place(source, model, phase, label, after, lines, digest, Counter(nodes), Counter(links))


def chained(digest: str, lines: bytes) -> str:
    """Return the digest of everything up to the end of `lines`, given that of everything before them."""
    return hashlib.sha256(digest.encode() + lines).hexdigest()


def line(value: dict[str, Any]) -> bytes:
    """Return one line."""
    return orjson.dumps(value) + b"\n"


def packed(vector: Any) -> str:
    """Return a vector as base64 of little-endian float32: as many bits as are stored."""
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode()


def unpacked(text: str, dimensions: int) -> Any:
    """Return the vector of `packed`.

    Raises:
        ValueError: it is none of that length, or not finite.
    """
    try:
        values = np.frombuffer(base64.b64decode(text, validate=True), dtype="<f4")
    except ValueError as error:
        raise ValueError("is not base64 of float32 numbers") from error
    if len(values) != dimensions:
        raise ValueError(f"has {len(values)} numbers, but the header says {dimensions}")
    if not np.isfinite(values).all():
        raise ValueError("has numbers that are not finite")
    return values

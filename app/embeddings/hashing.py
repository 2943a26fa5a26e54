"""An embedder without a model, for unit tests: texts that share words are near each other."""

import hashlib
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from app.embeddings.base import EmbedderUnavailable, Vector, checked_text, checked_texts, unit_vector

VERSION = 1

_WORD = re.compile(r"\w+")
_ENDINGS = re.compile(r"(?:ings?|edly|ed|ly|ies|es|s|y|e)$")
_SHORTEST_STEM = 3

# What the default model sees of ordinary text, in characters.
REACH = 1_000

# "the" and "of" are in every text; at full weight everything would resemble everything.
_WEIGHT_OF_SHORT_WORDS = 0.2


class HashingEmbedder:
    """Adds one signed axis for each word and one for its stem. Knows no meaning: synonyms are strangers to it."""

    def __init__(self, dimensions: int = 384, reach: int = REACH) -> None:
        """`reach` is how many characters of a text count: models stop reading somewhere as well."""
        self._dimensions = dimensions
        self._reach = reach
        self._closed = False

    @property
    def name(self) -> str:
        """`hashing:` and the dimensions."""
        return f"hashing:{self._dimensions}"

    @property
    def dimensions(self) -> int:
        """Length of every vector."""
        return self._dimensions

    @property
    def identity(self) -> str:
        """The same in every process: no seed, no file."""
        return f"hashing/{VERSION} dimensions={self._dimensions}"

    @property
    def cosine_floor(self) -> float:
        """Texts without a common word are at right angles."""
        return 0.0

    def seen(self, text: str) -> int:
        """The first `reach` characters."""
        return min(len(text), self._reach)

    def embed_query(self, text: str) -> Vector:
        """Raises ValueError for a blank text."""
        return self._embed(checked_text(text))

    def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """Raises ValueError for a blank text."""
        return [self._embed(text) for text in checked_texts(texts)]

    def close(self) -> None:
        """Holds nothing, but behaves like the others: closed is closed."""
        self._closed = True

    def _embed(self, text: str) -> Vector:
        if self._closed:
            raise EmbedderUnavailable("The embedder is closed.")
        values = np.zeros(self._dimensions, dtype=np.float64)
        text = text[: self._reach]
        for word in _WORD.findall(text.casefold()) or [text]:
            self._add(values, word)
        if np.abs(values).max() < _WEIGHT_OF_SHORT_WORDS / 2:
            # Words on the same axis with opposite signs can cancel out to rounding noise.
            values[_hash(text) % self._dimensions] = 1.0
        return unit_vector(values, self._dimensions)

    def _add(self, values: npt.NDArray[np.float64], word: str) -> None:
        weight = 1.0 if len(word) > _SHORTEST_STEM else _WEIGHT_OF_SHORT_WORDS
        for feature in (word, f"stem:{_stem(word)}"):
            axis, sign = divmod(_hash(feature), 2)
            values[axis % self._dimensions] += weight if sign else -weight


def _hash(feature: str) -> int:
    # Python's own hash of a string differs in every process.
    return int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "big")


def _stem(word: str) -> str:
    stem = _ENDINGS.sub("", word)
    return stem if len(stem) >= _SHORTEST_STEM else word

"""What every embedder promises, and the checks that hold a model to it."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]

# Below this a vector has no direction worth storing: dividing by it would turn rounding noise into a meaning.
SMALLEST_NORM = 1e-9


class EmbedderError(Exception):
    """Anything an embedder can fail with apart from a bad text. For the operator: never shown to a client as it is."""


class EmbedderUnavailable(EmbedderError):
    """The model cannot answer now, and the same call may succeed later.

    `retry_after` is in seconds, or None where the model gave no hint.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EmbedderMisconfigured(EmbedderError):
    """The model will never answer like this. `remedy` is one sentence that says what to change."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message} {remedy}")
        self.message = message
        self.remedy = remedy


class Embedder(Protocol):
    """Turns text into unit vectors. Safe to share between threads, and to build before a fork.

    Every vector is float32 of shape (dimensions,), L2-normalised and read-only: it may come from a cache.
    The same text always gives the same vector, bit for bit where the model runs here.
    """

    @property
    def name(self) -> str:
        """`provider:model`, for people."""

    @property
    def dimensions(self) -> int:
        """Length of every vector. May load or ask the model, so it raises what `embed_query` raises."""

    @property
    def identity(self) -> str:
        """Changes whenever vectors stored before could no longer be compared with new ones. Never needs the network."""

    @property
    def cosine_floor(self) -> float:
        """Cosine at and below which texts are unrelated, different for each model; ranking counts what is above."""

    def seen(self, text: str) -> int:
        """How many of the first characters of a document its vector is made of; its length where that is all of it.

        May load the model. Raises EmbedderMisconfigured, EmbedderUnavailable.
        """

    def embed_query(self, text: str) -> Vector:
        """Embeds a question.

        Raises ValueError for a blank text, EmbedderUnavailable, EmbedderMisconfigured.
        """

    def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """Embeds texts to be stored, one vector per text in the same order; an empty list gives an empty list.

        Raises ValueError when any text is blank, EmbedderUnavailable, EmbedderMisconfigured.
        """

    def close(self) -> None:
        """Gives back threads, memory and connections. Calls after it raise EmbedderUnavailable; may be called twice."""


@runtime_checkable
class Forgetting(Protocol):
    """An embedder that remembers questions, and can be told to forget them."""

    def forget(self) -> None:
        """Drop the questions that are remembered, and their vectors."""


def checked_text(text: str, field: str = "text") -> str:
    """Returns the text without surrounding white space. Raises ValueError when nothing is left or it is not Unicode."""
    stripped = text.strip()
    if not stripped:
        raise ValueError(f"{field} must not be blank")
    try:
        stripped.encode("utf-8")
    except UnicodeEncodeError:
        # Lone surrogates survive json.loads, but neither a tokenizer nor a socket takes them.
        raise ValueError(f"{field} must be valid Unicode: it contains half of a surrogate pair") from None
    return stripped


def checked_texts(texts: Sequence[str]) -> list[str]:
    """`checked_text` for each; the error names the position."""
    return [checked_text(text, f"texts[{position}]") for position, text in enumerate(texts)]


def unit_vector(raw: npt.ArrayLike, dimensions: int | None = None) -> Vector:
    """L2-normalises a model's answer of shape (n,) into a read-only float32 vector.

    Raises EmbedderUnavailable for what a healthy model never gives (not finite, zero, not a vector) and
    EmbedderMisconfigured when n is not `dimensions`.
    """
    try:
        values = np.asarray(raw, dtype=np.float64)
    except (TypeError, ValueError):
        raise EmbedderUnavailable("The model answered something that is not a list of numbers.") from None
    if values.ndim != 1 or values.size == 0:
        raise EmbedderUnavailable("The model answered something that is not a list of numbers.")
    if dimensions is not None and values.size != dimensions:
        raise EmbedderMisconfigured(
            f"The model answers vectors of {values.size} numbers where {dimensions} are expected.",
            "Correct the model or the dimensions setting; for a new length, stored vectors must be made again.",
        )
    with np.errstate(over="ignore"):  # an infinite norm is refused below
        norm = float(np.linalg.norm(values))
    if not np.isfinite(norm) or norm < SMALLEST_NORM:
        raise EmbedderUnavailable("The model answered a vector that is zero or not finite.")
    vector: Vector = (values / norm).astype(np.float32)
    vector.setflags(write=False)
    return vector

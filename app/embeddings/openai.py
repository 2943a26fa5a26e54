"""Embedding by any server that speaks OpenAI's embeddings route."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import openai

from app.embeddings.base import EmbedderUnavailable, Vector, checked_text, checked_texts, unit_vector
from app.embeddings.process import PerProcess
from app.embeddings.retries import Retries

# Raised when this file changes so that the same text no longer gives the same vector.
VERSION = 1

DEFAULT_MODEL = "text-embedding-3-small"

# Known ahead, so that the vector index can be created while the model cannot be reached. Every answer is checked.
KNOWN_DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}

BATCH_TEXTS = 64
BATCH_CHARACTERS = 200_000

PROBE = "How many numbers has a vector?"


@dataclass(frozen=True, slots=True)
class OpenAIOptions:
    """Where the model is and how long to wait for it. Times are in seconds.

    `base_url` None means OpenAI itself. `dimensions` is sent to the model (which must support shortening) and every
    answer is held to it. `max_bytes` is how much of a text is sent (UTF-8): models refuse more than they can read,
    mostly 8,191 tokens, and a token is at least a byte. A question is given up after `query_deadline`, a batch of
    documents after `batch_deadline`, retries included; one attempt takes at most `timeout` of it.
    """

    model: str = DEFAULT_MODEL
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    dimensions: int | None = None
    max_bytes: int = 8_000
    cosine_floor: float = 0.0
    timeout: float = 20.0
    query_deadline: float = 10.0
    batch_deadline: float = 60.0
    first_wait: float = 0.5
    query_cache_size: int = 512


class OpenAIEmbedder:
    """Embeds over HTTP, in batches, with retries. The client is made in each process on first use."""

    def __init__(self, options: OpenAIOptions) -> None:
        self._options = options
        self._client = PerProcess(self._connect)
        self._dimensions = options.dimensions or (KNOWN_DIMENSIONS.get(options.model) if not options.base_url else None)
        self._cached_query = lru_cache(maxsize=options.query_cache_size)(self._embed_query)
        self._closed = False

    @property
    def name(self) -> str:
        """`openai:` and the name of the model, whoever serves it."""
        return f"openai:{self._options.model}"

    @property
    def dimensions(self) -> int:
        """From the setting or, failing that, from the model's first answer. Raises as `embed_query`."""
        if self._dimensions is None:
            self.embed_query(PROBE)
        assert self._dimensions is not None  # noqa: S101 - set by every answer that is accepted
        return self._dimensions

    @property
    def identity(self) -> str:
        """The model's name and how it is asked. The address is left out: a model may move to another host."""
        options = self._options
        return (
            f"openai/{VERSION} model={options.model} dimensions={options.dimensions or 'default'}"
            f" max_bytes={options.max_bytes}"
        )

    @property
    def cosine_floor(self) -> float:
        """See `base.Embedder`."""
        return self._options.cosine_floor

    def seen(self, text: str) -> int:
        """What `max_bytes` lets through."""
        return len(self._cut(text))

    def embed_query(self, text: str) -> Vector:
        """Embeds a question; questions seen lately come from a cache. Raises as `Embedder`."""
        return self._cached_query(checked_text(text))

    def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """Embeds texts batch after batch; all or nothing. Raises as `Embedder`."""
        cut = [self._cut(text) for text in checked_texts(texts)]
        return [vector for batch in _batches(cut) for vector in self._ask(batch, self._options.batch_deadline)]

    def forget(self) -> None:
        """Drops the questions that are remembered."""
        self._cached_query.cache_clear()

    def close(self) -> None:
        """Closes the connections and drops the cache."""
        self._closed = True
        client = self._client.take()
        if client is not None:
            client.close()
        self._cached_query.cache_clear()

    def _embed_query(self, text: str) -> Vector:
        return self._ask([self._cut(text)], self._options.query_deadline)[0]

    def _cut(self, text: str) -> str:
        return text.encode()[: self._options.max_bytes].decode(errors="ignore")

    def _ask(self, batch: list[str], deadline: float) -> list[Vector]:
        if self._closed:
            raise EmbedderUnavailable("The embedder is closed.")
        client = self._client.get()
        retries = Retries(deadline=deadline, timeout=self._options.timeout, first_wait=self._options.first_wait)
        answer = retries.run(lambda timeout: self._request(client, batch, timeout))
        vectors = [unit_vector(row, self._dimensions) for row in _rows_in_order(answer, len(batch))]
        lengths = {vector.size for vector in vectors}
        if len(lengths) != 1:
            raise EmbedderUnavailable("The model answered vectors of different lengths in one batch.")
        # The first answer decides the length; what differs from it later is refused above.
        self._dimensions = lengths.pop()
        return vectors

    def _request(self, client: openai.OpenAI, batch: list[str], timeout: float) -> object:
        return client.embeddings.create(
            model=self._options.model,
            input=batch,
            dimensions=openai.omit if self._options.dimensions is None else self._options.dimensions,
            # Asked for in so many words: compatible servers differ in what they do with base64, the client's default.
            encoding_format="float",
            timeout=timeout,
        )

    def _connect(self) -> openai.OpenAI:
        # At DEBUG the client logs whole requests, that is, the text of memories.
        logging.getLogger("openai").setLevel(logging.INFO)
        return openai.OpenAI(
            # A server of one's own often wants no key. The client would then take one from the environment, and send a
            # key that was meant for somebody else.
            api_key=self._options.api_key or "none",
            base_url=self._options.base_url,
            max_retries=0,  # `Retries` knows the deadline, the client does not
        )


def _batches(texts: list[str]) -> Iterator[list[str]]:
    """Cuts into batches of at most BATCH_TEXTS texts and BATCH_CHARACTERS characters (or one longer text)."""
    batch: list[str] = []
    characters = 0
    for text in texts:
        if batch and (len(batch) == BATCH_TEXTS or characters + len(text) > BATCH_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(text)
        characters += len(text)
    if batch:
        yield batch


def _rows_in_order(answer: object, count: int) -> list[Any]:
    """The raw vectors, by index. Nothing that the client parsed is trusted: it does not validate answers."""
    data = getattr(answer, "data", None)
    if not isinstance(data, list):
        raise EmbedderUnavailable("The model's server answered something that is not a list of embeddings.")
    rows = {getattr(item, "index", None): getattr(item, "embedding", None) for item in data}
    if len(data) != count or set(rows) != set(range(count)):
        raise EmbedderUnavailable(
            f"The model's server answered {len(data)} embeddings for {count} texts, or misnumbered them."
        )
    return [rows[position] for position in range(count)]

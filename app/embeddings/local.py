"""Embedding on this machine: an ONNX model on the CPU, one text a run, several runs side by side."""

import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from pathlib import Path

from app.embeddings.base import (
    EmbedderMisconfigured,
    EmbedderUnavailable,
    Vector,
    checked_text,
    checked_texts,
    unit_vector,
)
from app.embeddings.models import ModelFacts
from app.embeddings.onnx_model import OnnxModel, check_folder, files_digest
from app.embeddings.process import PerProcess

# Raised when this file or onnx_model.py changes so that the same text no longer gives the same vector.
VERSION = 1


class LocalEmbedder:
    """Embeds with the model in a folder of `model.onnx` and `tokenizer.json`.

    The model is loaded on first use, in each process for itself, so an embedder may be built before a fork.
    """

    def __init__(
        self, folder: Path, facts: ModelFacts, *, threads: int | None = None, query_cache_size: int = 512
    ) -> None:
        """`threads` bounds the runs that one call does side by side (default: the cores this process may use).

        Raises EmbedderMisconfigured when the folder lacks a file; what the files contain is checked on first use.
        """
        check_folder(folder)
        self._folder = folder
        self._facts = facts
        self._threads = threads or _usable_cores()
        self._model = PerProcess(self._load)
        self._helpers = PerProcess(lambda: ThreadPoolExecutor(self._threads, thread_name_prefix="embed"))
        # functools' cache is one C call under the interpreter lock: threads cannot tear it, and a fork cannot catch a
        # lock of it held.
        self._cached_query = lru_cache(maxsize=query_cache_size)(self._embed_query)
        self._closed = False

    @property
    def name(self) -> str:
        """`local:` and the name of the model."""
        return f"local:{self._facts.name}"

    @property
    def dimensions(self) -> int:
        """Length of every vector; loads the model where the facts do not say. Raises EmbedderMisconfigured."""
        return self._facts.dimensions or self._model.get().dimensions

    @cached_property
    def identity(self) -> str:
        """Hash of the model's files and how they are run: a renamed or moved folder is still the same model."""
        facts = self._facts
        return (
            f"local/{VERSION} files={files_digest(self._folder)} pooling={facts.pooling} max_tokens={facts.max_tokens}"
            f" query_prefix={facts.query_prefix!r} document_prefix={facts.document_prefix!r}"
        )

    @property
    def cosine_floor(self) -> float:
        """See `base.Embedder`."""
        return self._facts.cosine_floor

    def seen(self, text: str) -> int:
        """Up to the last token that the model is given."""
        prefix = self._facts.document_prefix
        # A token has a character at least, and two are the model's own: short texts need not be counted.
        if len(prefix) + len(text) <= self._facts.max_tokens - 2:
            return len(text)
        self._refuse_when_closed()
        return max(0, self._model.get().seen(prefix + text) - len(prefix))

    def embed_query(self, text: str) -> Vector:
        """Embeds a question in the caller's thread; questions seen lately come from a cache. Raises as `Embedder`."""
        return self._cached_query(checked_text(text))

    def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """Embeds texts side by side. Raises as `Embedder`."""
        self._refuse_when_closed()
        checked = checked_texts(texts)
        vectors: dict[int, Vector] = {}
        waiting = deque(range(len(checked)))

        def work() -> None:
            while waiting:
                try:
                    position = waiting.popleft()
                except IndexError:  # another thread took the last one
                    return
                vectors[position] = self._embed(self._facts.document_prefix + checked[position])

        self._side_by_side(work, waiting)
        return [vectors[position] for position in range(len(checked))]

    def _side_by_side(self, work: Callable[[], None], waiting: deque[int]) -> None:
        """The caller works too, so a single memory never queues behind somebody's bulk import."""
        helpers = [self._helpers.get().submit(work) for _ in range(min(self._threads, len(waiting)) - 1)]
        try:
            work()
        finally:
            waiting.clear()
            failed = [helper.exception() for helper in helpers if not helper.cancel()]
        for error in failed:
            if error is not None:
                raise error

    def forget(self) -> None:
        """Drops the questions that are remembered."""
        self._cached_query.cache_clear()

    def close(self) -> None:
        """Stops the threads and drops the model and the cache."""
        self._closed = True
        helpers = self._helpers.take()
        if helpers is not None:
            helpers.shutdown(wait=True, cancel_futures=True)
        self._model.take()
        self._cached_query.cache_clear()

    def _embed_query(self, text: str) -> Vector:
        return self._embed(self._facts.query_prefix + text)

    def _embed(self, text: str) -> Vector:
        self._refuse_when_closed()
        model = self._model.get()
        return unit_vector(model.pooled(text), model.dimensions)

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise EmbedderUnavailable("The embedder is closed.")

    def _load(self) -> OnnxModel:
        model = OnnxModel(self._folder, self._facts)
        if self._facts.dimensions not in (None, model.dimensions):
            raise EmbedderMisconfigured(
                f"The model in {self._folder} gives {model.dimensions} dimensions, not {self._facts.dimensions}.",
                f"Give the folder of {self._facts.name}, or name the model that is in it.",
            )
        return model


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

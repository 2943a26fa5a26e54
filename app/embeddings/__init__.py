"""Embedders: `local` (a model on this machine), `openai` (any OpenAI-compatible server), `hashing` (tests only)."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from app.embeddings.base import Embedder, EmbedderError, EmbedderMisconfigured, EmbedderUnavailable, Vector
from app.embeddings.models import DEFAULT_MODEL, NAMED_MODELS, ModelFacts, Pooling, declared_pooling

__all__ = [
    "DEFAULT_MODEL",
    "NAMED_MODELS",
    "PROVIDERS",
    "Embedder",
    "EmbedderError",
    "EmbedderMisconfigured",
    "EmbedderOptions",
    "EmbedderUnavailable",
    "ModelFacts",
    "Vector",
    "build_embedder",
    "needed_artifact",
]

PROVIDERS = ("local", "openai", "hashing")


@dataclass(frozen=True, slots=True)
class EmbedderOptions:
    """What the operator chose. None means the default of the provider.

    `model` is one of NAMED_MODELS for `local`, or the name that a server knows for `openai`. `model_path` is a folder
    with the operator's own ONNX model, described by the fields down to `document_prefix`; it takes the place of a named
    model. `pooling` None reads what the folder declares, else takes the mean. `dimensions` is for `openai` and
    `hashing`.
    """

    provider: str = "local"
    model: str | None = None
    environment: str = "development"
    dimensions: int | None = None
    cosine_floor: float | None = None
    query_cache_size: int = 512
    model_path: Path | None = None
    pooling: Pooling | None = None
    max_tokens: int = 256
    query_prefix: str = ""
    document_prefix: str = ""
    threads: int | None = None
    openai_base_url: str | None = None
    openai_api_key: str | None = field(default=None, repr=False)


def needed_artifact(options: EmbedderOptions) -> str | None:
    """The named model (a key of NAMED_MODELS) whose files must be fetched first, or None.

    Raises EmbedderMisconfigured for an unknown name.
    """
    if options.provider != "local" or options.model_path is not None:
        return None
    model = options.model or DEFAULT_MODEL
    if model not in NAMED_MODELS:
        raise EmbedderMisconfigured(
            f"There is no local model {model!r}.",
            f"Use one of {', '.join(NAMED_MODELS)}, or give the folder of your own ONNX model.",
        )
    return model


def build_embedder(options: EmbedderOptions, *, artifact: Path | None = None) -> Embedder:
    """Builds without loading a model or reaching a network; both happen on first use.

    `artifact` is the folder with the files of `needed_artifact(options)`. Raises EmbedderMisconfigured.
    """
    if options.provider == "local":
        return _local(options, artifact)
    if options.provider == "openai":
        return _openai(options)
    if options.provider == "hashing":
        return _hashing(options)
    raise EmbedderMisconfigured(
        f"There is no embedding provider {options.provider!r}.", f"Use one of {', '.join(PROVIDERS)}."
    )


# Each provider is imported by the one who uses it: onnxruntime and openai take memory and half a second each.


def _local(options: EmbedderOptions, artifact: Path | None) -> Embedder:
    from app.embeddings.local import LocalEmbedder

    facts, folder = _facts(options), options.model_path or artifact
    if folder is None:
        raise EmbedderMisconfigured(f"The files of the model {facts.name} are not there.", "Run `loci fetch`.")
    return LocalEmbedder(folder, facts, threads=options.threads, query_cache_size=options.query_cache_size)


def _facts(options: EmbedderOptions) -> ModelFacts:
    named = needed_artifact(options)
    if named is not None:
        facts = NAMED_MODELS[named]
        return facts if options.cosine_floor is None else replace(facts, cosine_floor=options.cosine_floor)
    assert options.model_path is not None  # noqa: S101 - needed_artifact is None only for a folder of the operator's own
    return ModelFacts(
        name=options.model_path.resolve().name,
        pooling=options.pooling or declared_pooling(options.model_path) or "mean",
        max_tokens=options.max_tokens,
        query_prefix=options.query_prefix,
        document_prefix=options.document_prefix,
        cosine_floor=options.cosine_floor or 0.0,
    )


def _openai(options: EmbedderOptions) -> Embedder:
    from app.embeddings.openai import DEFAULT_MODEL as DEFAULT_REMOTE_MODEL
    from app.embeddings.openai import OpenAIEmbedder, OpenAIOptions

    if not options.openai_base_url and not options.openai_api_key:
        raise EmbedderMisconfigured(
            "OpenAI's own server needs an API key.", "Set the key, or the base URL of a compatible server."
        )
    return OpenAIEmbedder(
        OpenAIOptions(
            model=options.model or DEFAULT_REMOTE_MODEL,
            base_url=options.openai_base_url or None,
            api_key=options.openai_api_key,
            dimensions=options.dimensions,
            cosine_floor=options.cosine_floor or 0.0,
            query_cache_size=options.query_cache_size,
        )
    )


def _hashing(options: EmbedderOptions) -> Embedder:
    from app.embeddings.hashing import HashingEmbedder

    if options.environment == "production":
        raise EmbedderMisconfigured(
            "The hashing embedder knows no meaning and is for tests only.", "Use the provider local or openai."
        )
    return HashingEmbedder(options.dimensions or 384)

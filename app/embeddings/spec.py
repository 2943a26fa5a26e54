"""How an embedder is named on the command line and kept in the database: what it takes to build it, and no secret."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from app.embeddings import DEFAULT_MODEL, NAMED_MODELS, PROVIDERS, EmbedderMisconfigured, EmbedderOptions

REMEDY = "Give `bge-small` or `minilm`, `openai:NAME`, or `local:FOLDER` of your own ONNX model."


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model. `path` is the folder of an own local one; `dimensions` 0 means the model's own."""

    provider: str
    model: str = ""
    path: str = ""
    dimensions: int = 0

    @property
    def shown(self) -> str:
        """The name as `parsed` reads it."""
        return f"{self.provider}:{self.path or self.model or self.dimensions or 'default'}"

    def stored(self) -> str:
        """Return the text that the database keeps."""
        return orjson.dumps(asdict(self)).decode()

    def options(self, settings: EmbedderOptions) -> EmbedderOptions:
        """Return the settings with this model in the place of theirs; addresses, keys and caches stay."""
        return replace(
            settings,
            provider=self.provider,
            model=self.model or None,
            model_path=Path(self.path) if self.path else None,
            dimensions=self.dimensions or None,
        )


def of_settings(options: EmbedderOptions) -> ModelSpec:
    """Return the model that the settings name."""
    path = str(options.model_path) if options.model_path else ""
    return ModelSpec(options.provider, options.model or "", path, options.dimensions or 0)


def restored(text: str) -> ModelSpec:
    """Return the model of a stored text."""
    return ModelSpec(**orjson.loads(text))


def parsed(name: str, dimensions: int = 0) -> ModelSpec:
    """Return the model that somebody named: `[PROVIDER:]NAME`, the provider being `local` where none is given.

    Raises:
        EmbedderMisconfigured: there is no such provider or local model.
    """
    provider, colon, rest = name.partition(":")
    if not colon:
        provider, rest = "local", name
    if provider not in PROVIDERS:
        raise EmbedderMisconfigured(f"There is no embedding provider {provider!r}.", REMEDY)
    if provider != "local":
        # The name of the hashing embedder ends with its length, as everywhere.
        length = int(rest) if provider == "hashing" and rest.isdecimal() else dimensions
        return ModelSpec(provider, "" if provider == "hashing" else rest, dimensions=length)
    if dimensions:
        raise EmbedderMisconfigured("A local model has a fixed length.", "Leave `--dimensions` out.")
    if rest in NAMED_MODELS or not rest:
        return ModelSpec("local", rest or DEFAULT_MODEL)
    if Path(rest).expanduser().is_dir():
        return ModelSpec("local", path=str(Path(rest).expanduser().absolute()))
    raise EmbedderMisconfigured(f"There is no local model and no folder {rest!r}.", REMEDY)

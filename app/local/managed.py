"""From settings to the local runtime: which artifacts are needed, and the server they describe."""

from pathlib import Path

from app.config import Settings
from app.embeddings import EmbedderOptions, needed_artifact
from app.local.home import Home
from app.local.neo4j import ARTIFACTS, ManagedNeo4j
from app.local.progress import Progress

# What the API serves to browsers.
PAGES = ("api-docs",)


def needed_artifacts(settings: Settings) -> list[str]:
    """Return the locks that `loci serve` uses with these settings.

    Raises:
        EmbedderMisconfigured: there is no local model of the name that is set.
    """
    options = EmbedderOptions(
        provider=settings.embedder,
        model=settings.embedding_model or None,
        model_path=Path(settings.embedding_path) if settings.embedding_path else None,
    )
    model = needed_artifact(options)
    return [*(ARTIFACTS if settings.managed else ()), *([model] if model else []), *PAGES]


def managed_neo4j(settings: Settings, progress: Progress | None = None) -> ManagedNeo4j:
    """Return the server of LOCI_HOME, not started."""
    return ManagedNeo4j(
        Home(settings.home_path),
        bolt_port=settings.neo4j_bolt_port,
        http_port=settings.neo4j_http_port,
        heap=settings.neo4j_heap or None,
        page_cache=settings.neo4j_page_cache or None,
        maven_url=settings.maven_url or None,
        progress=progress,
        java_flags=settings.neo4j_java_flags.split(),
    )

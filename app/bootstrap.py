"""From settings to a running state: the only place that wires real parts together."""

from pathlib import Path

import structlog

from app.clock import now_ms
from app.config import Settings
from app.crypto import Vault
from app.embeddings import Embedder, EmbedderOptions, build_embedder, needed_artifact
from app.embeddings.spec import ModelSpec, of_settings, restored
from app.local.artifacts import fetch
from app.local.home import Home
from app.local.progress import Progress
from app.services.encryption import Encryption
from app.state import State
from app.vault import vault_of
from graph.driver import Connection, Graph
from graph.migrations import current_space, ensure_space, migrate
from graph.sequences import Sequence

log = structlog.get_logger()


def connection(settings: Settings) -> Connection:
    """Return where the database of NEO4J_URI is."""
    return Connection(
        settings.neo4j_uri,
        settings.neo4j_user,
        settings.neo4j_password,
        settings.neo4j_database,
        pool_size=settings.threads + 8,
    )


def pepper(settings: Settings) -> str:
    """Return the secret that key digests depend on."""
    return settings.key_pepper.lower() or Home(settings.home_path).pepper()


def vault(settings: Settings) -> Vault:
    """Return what seals secrets under the master key."""
    return vault_of(settings)


def encrypted(settings: Settings, graph: Graph, *, serving: bool = False) -> Encryption:
    """Let a graph seal and open texts as the settings and its tenants ask for; return what holds the keys.

    `serving` says that these are the settings of the server, by which commands beside it go.

    Raises:
        Unsupported: the database was made with another master key.
    """
    made = Encryption(graph, vault(settings), settings.encryption)
    made.check(serving=serving)
    graph.cipher = made
    return made


def embedder(settings: Settings, progress: Progress | None = None) -> Embedder:
    """Return the embedder of the settings; fetches a local model that is not in the cache.

    Raises:
        EmbedderMisconfigured: the settings do not fit together.
        ArtifactError: the model cannot be fetched.
    """
    return embedder_of(settings, of_settings(embedder_options(settings)), progress)


def embedder_of(settings: Settings, spec: ModelSpec, progress: Progress | None = None) -> Embedder:
    """Return the embedder of a model, with the addresses and keys of the settings. Raises as `embedder`."""
    options = spec.options(embedder_options(settings))
    name = needed_artifact(options)
    folder = fetch(name, Home(settings.home_path), settings.maven_url or None, progress) if name else None
    return build_embedder(options, artifact=folder)


def embedder_in_force(settings: Settings, graph: Graph, progress: Progress | None = None) -> Embedder:
    """Return the embedder whose vectors the database holds; before there are any, that of the settings.

    Once `loci reembed` changed the model, the database says which it is: a server that is started again with the old
    settings goes on with the new model. Settings that name a third one are returned as they are, to be refused.

    Raises:
        As `embedder`; Unsupported: the server's version is not one to work on.
    """
    graph.check_version()
    space = current_space(graph)
    if space is None or not space.model:
        return embedder(settings, progress)
    if names_a_model(settings):
        wanted = embedder(settings, progress)
        if wanted.identity not in space.former:
            return wanted
        log.warning("settings_name_the_former_model", set_to=wanted.name, in_force=restored(space.model).shown)
        wanted.close()
    return embedder_of(settings, restored(space.model), progress)


def names_a_model(settings: Settings) -> bool:
    """Tell whether the settings say anything about the model."""
    given = (settings.embedding_model, settings.embedding_path, settings.embedding_dimensions)
    return settings.embedder != Settings.embedder or any(given)


def embedder_options(settings: Settings) -> EmbedderOptions:
    """Return the embedder's part of the settings."""
    return EmbedderOptions(
        provider=settings.embedder,
        model=settings.embedding_model or None,
        environment=settings.environment,
        dimensions=settings.embedding_dimensions or None,
        query_cache_size=settings.embedding_cache,
        model_path=Path(settings.embedding_path) if settings.embedding_path else None,
        openai_base_url=settings.openai_base_url or None,
        openai_api_key=settings.openai_api_key or None,
    )


def prepare(settings: Settings, graph: Graph, model: Embedder, *, serving: bool = False) -> None:
    """Check the server's version, migrate the schema and record the embedder; `serving` as in `encrypted`.

    Raises:
        Unsupported: the version, the schema or the stored vectors are not ones to work on.
    """
    graph.check_version()
    migrate(graph)
    encrypted(settings, graph, serving=serving)
    ensure_space(graph, model.identity, model.dimensions, settings.analyzer)


def build_state(settings: Settings, graph: Graph, model: Embedder) -> State:
    """Return the state of one process over a prepared database.

    Raises:
        Unsupported: as `prepare`; several processes may come here at once.
    """
    space = ensure_space(graph, model.identity, model.dimensions, settings.analyzer)
    encryption = encrypted(settings, graph)
    return State(
        settings=settings,
        graph=graph,
        embedder=model,
        space=space,
        pepper=pepper(settings),
        vault=encryption.vault,
        started_ms=now_ms(),
        sequence=Sequence(graph, "memory"),
    )

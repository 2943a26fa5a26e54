"""`loci fetch`: fill LOCI_HOME/artifacts ahead of time, for images, for hosts without a network, for quick starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex

import click

from app import warmup
from app.bootstrap import build_state, prepare
from app.config import ConfigError, Settings, load_settings
from app.embeddings import EmbedderError
from app.embeddings.hashing import HashingEmbedder
from app.local.artifacts import fetch as fetch_artifact
from app.local.errors import LocalError
from app.local.home import Home
from app.local.java_training import make_cache
from app.local.lockfile import lock_names
from app.local.managed import needed_artifacts
from app.local.neo4j_place import Server
from app.local.progress import Progress, console_progress
from graph.driver import Connection, Graph
from graph.errors import GraphError


@contextmanager
def reported() -> Iterator[None]:
    """Turn the errors of settings and of the local runtime into one message and exit code 1."""
    try:
        yield
    except LocalError as error:
        raise click.ClickException(f"{error.message}\n{error.remedy}") from error
    except (ConfigError, EmbedderError) as error:
        raise click.ClickException(str(error)) from error


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(lock_names()))
@click.option("--verify", is_flag=True, help="Hash every file again and fetch anew what is damaged.")
def fetch(names: tuple[str, ...], verify: bool) -> None:
    """Fetch and check what `loci serve` needs, or the artifacts named; prepare Java for quicker starts."""
    with reported():
        settings = load_settings()
        progress = console_progress()
        home = Home(settings.home_path)
        for name in names or needed_artifacts(settings):
            folder = fetch_artifact(name, home, settings.maven_url or None, progress, verify=verify)
            click.echo(f"{name}: {folder}")
        if settings.managed and not names:
            click.echo(f"java-cache: {prepared(settings, progress)}")


def prepared(settings: Settings, progress: Progress) -> str:
    """Return where Java's cache is, made if it is not there, or why there is none."""
    try:
        path = make_cache(Home(settings.home_path), exercise, settings.maven_url or None, progress)
    except (LocalError, GraphError, OSError) as error:
        return f"none, which only makes starts slower: {error}"
    return str(path or "none, this Java is too old for one")


def exercise(server: Server) -> None:
    """Do with a scratch server what a server of Loci does: make the schema, store, search."""
    settings, model = Settings(key_pepper=token_hex(32), master_key=token_hex(32)), HashingEmbedder()
    graph = Graph(Connection(server.bolt_url, server.user, server.password))
    prepare(settings, graph, model)
    parts = build_state(settings, graph, model)
    warmup.thoroughly(parts)
    parts.ledger.close()
    graph.close()

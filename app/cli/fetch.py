"""`loci fetch`: fill LOCI_HOME/artifacts ahead of time, for images and for hosts without a network."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from app.config import ConfigError, load_settings
from app.embeddings import EmbedderError
from app.local.artifacts import fetch as fetch_artifact
from app.local.errors import LocalError
from app.local.home import Home
from app.local.lockfile import lock_names
from app.local.managed import needed_artifacts
from app.local.progress import console_progress


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
    """Fetch and check what `loci serve` needs, or the artifacts named."""
    with reported():
        settings = load_settings()
        progress = console_progress()
        home = Home(settings.home_path)
        for name in names or needed_artifacts(settings):
            folder = fetch_artifact(name, home, settings.maven_url or None, progress, verify=verify)
            click.echo(f"{name}: {folder}")

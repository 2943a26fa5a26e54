"""`loci backup` and `loci restore`: the managed server's store and secrets as one file."""

from pathlib import Path

import click

from app.cli.fetch import reported
from app.config import load_settings
from app.local.backup import Made
from app.local.backup import make as make_backup
from app.local.backup import restore as restore_backup
from app.local.errors import BackupError
from app.local.managed import managed_neo4j
from app.local.neo4j import ManagedNeo4j
from app.local.progress import console_progress


def _managed() -> ManagedNeo4j:
    settings = load_settings()
    if not settings.managed:
        raise BackupError(
            "NEO4J_URI names a server of your own, which Loci does not manage.",
            "Back it up by its own means; docs/operations.md says how.",
        )
    return managed_neo4j(settings, console_progress())


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--stop", is_flag=True, help="Stop a Neo4j that a running Loci uses; it is started again at once.")
@click.option("--no-secrets", is_flag=True, help="Leave the secrets out; keep them elsewhere, or no key will open it.")
@click.option("--no-check", is_flag=True, help="Do not start the copy to look into it.")
def backup(file: Path, stop: bool, no_secrets: bool, no_check: bool) -> None:
    """Write the managed server's store to a file, and check it by starting it in a scratch folder."""
    with reported():
        made = make_backup(
            _managed(), file, stop=stop, secrets=not no_secrets, check=not no_check,
            progress=console_progress(counted=True),
        )  # fmt: skip
    click.echo(f"{made.path}: {made.size / 1e6:.1f} MB; Neo4j was away for {made.stopped_seconds:.0f} s")
    click.echo(_checked(made))
    if no_secrets:
        click.echo("WITHOUT SECRETS: it is of no use without LOCI_HOME/secrets of this server. Keep that as well.")
    else:
        click.echo("It holds every memory and every secret of this server in clear: keep it as you keep LOCI_HOME.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--force", is_flag=True, help="Replace the store and the secrets that are there. There is no way back.")
def restore(file: Path, force: bool) -> None:
    """Put a backup into LOCI_HOME, whose server must not run."""
    with reported():
        restore_backup(_managed(), file, force=force, progress=console_progress(counted=True))
    click.echo("Restored. Start it with `loci serve`.")


def _checked(made: Made) -> str:
    if made.counted is None:
        return "Not checked."
    counts = made.counted
    return f"Checked: {counts.nodes} labelled nodes and {counts.links} relationships, every index online."

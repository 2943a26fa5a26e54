"""`loci neo4j`: the managed Neo4j by itself, without the API."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import click

from app.cli.fetch import reported
from app.config import load_settings
from app.local.errors import ServerError
from app.local.managed import managed_neo4j
from app.local.neo4j import ManagedNeo4j
from app.local.neo4j_process import tail
from app.local.progress import console_progress

_POLL = 0.3


@click.group()
def neo4j() -> None:
    """Run and look after the managed Neo4j of LOCI_HOME."""


def _managed() -> ManagedNeo4j:
    settings = load_settings()
    if not settings.managed:
        raise ServerError(
            "NEO4J_URI names a server of your own, which Loci does not manage.",
            "Unset NEO4J_URI to work with the managed one.",
        )
    return managed_neo4j(settings, console_progress())


@neo4j.command()
def start() -> None:
    """Start Neo4j and leave it running until `loci neo4j stop`."""
    with reported():
        managed = _managed()
        server = managed.start(detached=True)
        managed.stop()  # this process has no use for it; a detached server runs on
    what = "was running already" if server.attached else "is running"
    click.echo(f"Neo4j {what}: process {server.pid}")
    click.echo(f"  Bolt     {server.bolt_url}")
    click.echo(f"  Browser  {server.browser_url}")
    click.echo(f"  User     {server.user}")
    click.echo("  Password in LOCI_HOME/secrets/neo4j-password")
    if not server.detached:
        click.echo(f"It belongs to a running Loci (process {server.owner}) and ends with it.")


@neo4j.command()
@click.option("--force", is_flag=True, help="Stop it even while a running Loci uses it.")
def stop(force: bool) -> None:
    """Stop Neo4j in order, after a last checkpoint."""
    with reported():
        ended = _managed().end(force=force)
    click.echo("Neo4j has stopped." if ended else "Neo4j is not running.")


@neo4j.command()
def status() -> None:
    """Tell whether Neo4j runs, and where; exit code 3 when it does not."""
    with reported():
        found = _managed().status()
    click.echo(f"Neo4j is {found.state}.")
    if found.record is not None:
        facts, java = found.record.facts, found.record.java
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(java.started))
        click.echo(f"  Version  {facts.version}")
        click.echo(f"  Process  {java.pid}, since {since}")
        click.echo(f"  Bolt     bolt://127.0.0.1:{facts.bolt_port}")
        click.echo(f"  Browser  http://127.0.0.1:{facts.http_port}/browser/")
        click.echo(f"  Ends     {'with `loci neo4j stop`' if facts.detached else 'with the Loci that uses it'}")
    if found.state != "running":
        raise SystemExit(3)


@neo4j.command()
@click.option("-n", "--lines", default=50, show_default=True, type=click.IntRange(0), help="Lines to show.")
@click.option("-f", "--follow", is_flag=True, help="Go on showing what is added, until Ctrl-C.")
@click.option("--debug", is_flag=True, help="The detailed log instead of the main one.")
def logs(lines: int, follow: bool, debug: bool) -> None:
    """Show the end of Neo4j's log."""
    with reported():
        place = _managed().place
        path = place.logs / "debug.log" if debug else place.log
        if not path.exists() and not follow:
            raise ServerError(f"There is no log yet at {path}.", "Start Neo4j: loci neo4j start")
    begin = path.stat().st_size if path.exists() else 0
    for line in tail(path, lines) if lines else []:
        click.echo(line)
    if follow:
        for text in _added(path, begin):
            click.echo(text, nl=False)


def _added(path: Path, offset: int) -> Iterator[str]:
    """Yield what is appended to a file from `offset` on; begin anew when it is rotated away."""
    inode = 0
    while True:
        try:
            with path.open("rb") as file:
                found = os.fstat(file.fileno())
                if inode not in (0, found.st_ino) or found.st_size < offset:
                    offset = 0
                inode = found.st_ino
                file.seek(offset)
                text = file.read()
                offset += len(text)
        except FileNotFoundError:
            text = b""
        if text:
            yield text.decode("utf-8", "replace")
        else:
            time.sleep(_POLL)

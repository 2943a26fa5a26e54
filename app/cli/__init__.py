"""The `loci` command. Each subcommand is one file, loaded when it is asked for."""

from importlib import import_module
from typing import Any

import click

COMMANDS = {
    "serve": ("app.cli.serve", "serve"),
    "worker": ("app.cli.worker", "worker"),
    "migrate": ("app.cli.migrate", "migrate"),
    "keys": ("app.cli.keys", "keys"),
    "doctor": ("app.cli.doctor", "doctor"),
    "export": ("app.cli.export", "export"),
    "import": ("app.cli.imports", "imports"),
    "reembed": ("app.cli.reembed", "reembed"),
    "encryption": ("app.cli.encryption", "encryption"),
    "demo": ("app.cli.demo", "demo"),
    "backup": ("app.cli.backup", "backup"),
    "restore": ("app.cli.backup", "restore"),
    "fetch": ("app.cli.fetch", "fetch"),
    "neo4j": ("app.cli.neo4j", "neo4j"),
}


class Lazy(click.Group):
    """A group that imports a subcommand only when it is used: `loci neo4j stop` does not load the web."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        found: click.Command = getattr(import_module(module), name)
        return found


@click.group(cls=Lazy)
@click.version_option(package_name="loci")
def loci() -> None:
    """Loci: a memory server for AI agents over one Neo4j graph."""


def main() -> Any:
    """Run the command line; errors with a remedy are one line each, never a traceback."""
    from app.config import ConfigError
    from app.embeddings import EmbedderError
    from app.local.errors import LocalError
    from graph.errors import GraphError

    try:
        return loci()
    except (ConfigError, EmbedderError, LocalError, GraphError) as error:
        click.echo(f"loci: {error}", err=True)
        raise SystemExit(1) from error

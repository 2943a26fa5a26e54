"""`loci migrate`: bring the database to this version's schema."""

import click

from app.bootstrap import embedder_in_force, prepare
from app.cli.common import settings_and_graph


@click.command()
def migrate() -> None:
    """Bring the database to the schema of this version; safe to run at any time and from several places at once."""
    settings, graph = settings_and_graph()
    prepare(settings, graph, embedder_in_force(settings, graph))
    click.echo("The database is ready.")

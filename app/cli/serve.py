"""`loci serve`: the whole server, with a Neo4j of its own unless NEO4J_URI names one."""

import click

from app.config import load_settings
from app.supervisor import Supervisor


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Instead of LOCI_PORT; 0 picks a free one.")
def serve(port: int | None) -> None:
    """Start Neo4j (unless NEO4J_URI is set), the API and the worker; stop all with Ctrl-C."""
    raise SystemExit(Supervisor(load_settings(), port).run())

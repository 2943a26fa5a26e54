"""`loci worker`: the background loops as a process of their own."""

import click

from app import logs
from app.bootstrap import build_state, embedder
from app.cli.common import settings_and_graph
from app.workers.runner import run


@click.command()
def worker() -> None:
    """Run the background loops until stopped."""
    settings, graph = settings_and_graph()
    logs.configure(settings.log_level, settings.log_format)
    run(build_state(settings, graph, embedder(settings)))

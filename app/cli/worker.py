"""`loci worker`: the background loops as a process of their own."""

import click

from app import logs
from app.bootstrap import build_state, embedder_in_force
from app.cli.common import settings_and_graph
from app.parent import end_with_parent
from app.workers.runner import run


@click.command()
@click.option("--supervised", is_flag=True, hidden=True, help="End when the process that started this one does.")
def worker(supervised: bool) -> None:
    """Run the background loops until stopped."""
    if supervised:
        end_with_parent()
    settings, graph = settings_and_graph()
    logs.configure(settings.log_level, settings.log_format)
    run(build_state(settings, graph, embedder_in_force(settings, graph)))

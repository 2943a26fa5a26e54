"""`loci import`: a file of `loci export`, or a dump of another memory server, into a namespace."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

import click

from app.auth import Principal
from app.bootstrap import build_state, embedder_in_force
from app.cli.common import settings_and_graph, stoppable
from app.ids import new_id
from app.local.errors import LocalError
from app.local.progress import Reported, console_progress
from app.services.transfer.foreign import READERS
from app.services.transfer.form import TransferError
from app.services.transfer.imports import Import, Report, whole
from app.services.transfer.settle import Settling
from app.state import State
from graph.keys import FIRST_ACCOUNT, FIRST_NAMESPACE
from graph.labels import TRANSFERRED
from graph.migrations import current_space
from graph.tenants import Owner, owner_made

STOPPED = "Stopped. The same command goes on from here."


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--namespace", default=FIRST_NAMESPACE, show_default=True, help="Where to; made where there is none.")
@click.option("--account", default=FIRST_ACCOUNT, show_default=True, help="Account of the namespace.")
@click.option("--from", "source", type=click.Choice(sorted(READERS)), help="Whose dump it is, where not Loci's own.")
@click.option("--agent", help="With --from: agent of memories that name none; the server's name where it is left out.")
@click.option("--restart", is_flag=True, help="Begin at the first line, also where an import was interrupted.")
def imports(file: str, namespace: str, account: str, source: str | None, agent: str | None, restart: bool) -> None:
    """Read a file of `loci export`, or another server's dump, into a namespace; what is there stays as it is."""
    settings, graph = settings_and_graph()
    click.get_current_context().call_on_close(graph.close)
    if current_space(graph) is None:
        raise LocalError("The database holds no vectors yet.", "Start it with `loci serve`.")
    with stoppable(STOPPED), opened(file) as data:
        try:
            parts = build_state(settings, graph, embedder_in_force(settings, graph, console_progress()))
            owner = owner_made(graph, account, namespace, new_id())
            if source is None:
                tell(_run(parts, owner, data, restart=restart))
            else:
                caller = Principal(owner.tenant, account, namespace, "", frozenset())
                _settle(Settling(parts, caller, source, agent or source), data)
        except TransferError as error:
            # What is wrong with the whole file, or with its first line, is found before anything is written.
            before = "What stands before that stretch is imported." if error.line > 1 else "Nothing is imported."
            raise LocalError(f"{error}.", before) from error


def opened(file: str) -> BinaryIO:
    """Return the file; standard input is kept on disk first, for its end must be seen before its beginning is read."""
    if file != "-":
        return Path(file).open("rb")
    kept = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    shutil.copyfileobj(sys.stdin.buffer, kept)
    kept.seek(0)
    return cast(BinaryIO, kept)


def _run(parts: State, owner: Owner, data: BinaryIO, *, restart: bool) -> Report:
    progress = console_progress(counted=True)
    with Reported(progress, "Importing", 1, whole(data)):
        return Import(parts, owner, data, progress.advanced, restart=restart).run()


def _settle(work: Settling, data: BinaryIO) -> None:
    found = list(READERS[work.source](data))
    progress = console_progress(counted=True)
    with Reported(progress, "Importing", 1, len(found)):
        work.tell = progress.advanced
        report = work.run(found)
    for kind in sorted(report.made | report.known):
        click.echo(f"{kind}: {report.made[kind]} imported, {report.known[kind]} were there")
    if report.unlinked:
        click.echo(f"{report.unlinked} relations lead to what is not in the file, and were left out")


def tell(report: Report) -> None:
    """Say what became of the file."""
    for label in TRANSFERRED:
        made, known = report.made[label], report.known[label]
        if made or known:
            click.echo(f"{label}: {made} imported, {known} were there")
    click.echo(f"Relationships: {report.linked}; texts embedded here: {report.embedded}")
    if report.unlinked:
        click.echo(f"{report.unlinked} relationships lead to what is not there, and were left out")

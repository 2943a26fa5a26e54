"""`loci export`: all data of one namespace as a file."""

import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

import click
import orjson

from app.cli.common import settings_and_graph, stoppable
from app.local.errors import LocalError
from app.local.progress import Reported, console_progress
from app.services.transfer.export import Export, total
from app.services.transfer.form import Place, place_of
from graph.keys import FIRST_ACCOUNT, FIRST_NAMESPACE
from graph.migrations import current_space
from graph.tenants import owner_of

STOPPED = "Stopped. The same command with --resume goes on from here."
UNFINISHED = ".part"


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--namespace", default=FIRST_NAMESPACE, show_default=True, help="Whose data.")
@click.option("--account", default=FIRST_ACCOUNT, show_default=True, help="Account of the namespace.")
@click.option("--vectors", is_flag=True, help="With vectors: larger, and imported without the model.")
@click.option("--resume", is_flag=True, help="Go on with an export to this file that was interrupted.")
@click.option("--overwrite", is_flag=True, help="Replace the file where there is one.")
def export(file: str, namespace: str, account: str, vectors: bool, resume: bool, overwrite: bool) -> None:
    """Write all data of a namespace into a file, or to standard output as `-`, while servers go on."""
    _, graph = settings_and_graph()
    click.get_current_context().call_on_close(graph.close)
    space = current_space(graph)
    if space is None:
        raise LocalError("The database holds no vectors yet.", "Start it with `loci serve`.")
    work = Export(graph, owner_of(graph, account, namespace), space, vectors=vectors)
    if file == "-":
        _write(work, sys.stdout.buffer, work.header(namespace), None)
        return
    path = Path(file)
    part = path.with_name(path.name + UNFINISHED)
    if not os.access(path.parent, os.W_OK):
        raise LocalError(f"Nothing can be written into {path.parent}.", "Name a folder that is there and yours.")
    if path.exists() and not overwrite:
        raise LocalError(f"{path} exists.", "Name another file, or say --overwrite.")
    with stoppable(STOPPED):
        header, place = _interrupted(work, part) if resume else (work.header(namespace), None)
        # What people told their agents is nobody else's business.
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | (0 if resume else os.O_TRUNC), 0o600), "ab") as out:
            _write(work, out, header, place)
            os.fsync(out.fileno())
        part.replace(path)
    click.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB", err=True)


def _interrupted(work: Export, part: Path) -> tuple[dict[str, Any], Place]:
    """Cut what an interrupted export left behind its last mark, and return its header and that mark."""
    if not part.exists():
        raise LocalError(f"No export to {part.name.removesuffix(UNFINISHED)} was interrupted.", "Leave --resume away.")
    first, last, end, at = b"", b"", 0, 0
    with part.open("rb") as file:
        for line in file:
            first = first or line
            at += len(line)
            if line.startswith(b'{"mark":') and line.endswith(b"\n"):
                last, end = line, at
    try:
        place = place_of(orjson.loads(last)["mark"])
    except ValueError as error:
        raise LocalError("Nothing of the interrupted export is whole.", "Leave --resume away.") from error
    if reason := work.refusal(place):
        raise LocalError(f"The interrupted export {reason}.", "Leave --resume away.")
    os.truncate(part, end)
    header: dict[str, Any] = orjson.loads(first)
    return header, place


def _write(work: Export, out: BinaryIO, header: dict[str, Any], place: Place | None) -> None:
    progress = console_progress(counted=True)
    with Reported(progress, "Exporting", 1, total(header)):
        if place is not None:
            progress.advanced(sum(place.nodes.values()))
        for stretch in work.stretches(header if place is None else None, place):
            out.write(stretch.lines)
            out.flush()
            progress.advanced(stretch.nodes)

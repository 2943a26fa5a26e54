"""`loci reembed`: another model for what is stored, while servers go on."""

import os
import time

import click

from app.bootstrap import embedder_in_force, embedder_of
from app.cli.common import checked_keys, settings_and_graph, stoppable
from app.clock import iso, now_ms
from app.config import Settings
from app.embeddings import Embedder
from app.embeddings.spec import ModelSpec, parsed, restored
from app.local.errors import LocalError
from app.local.progress import Reported, console_progress
from app.services.reembed import Held, Reembed, begun, checked, opened
from graph.driver import Graph
from graph.migrations import Space, current_space
from graph.reembed import ABORTING, SWITCHED, Record, current
from graph.refill import total

TRIED = 8
NICE = 10
STOPPED = "Stopped. `loci reembed` goes on from here; `loci reembed --abort` undoes it."


@click.command()
@click.option("--model", help="`bge-small`, `minilm`, `openai:NAME`, or `local:FOLDER` with an ONNX model of your own.")
@click.option("--dimensions", type=click.IntRange(1, 4096), help="Vector length to ask a remote model for.")
@click.option("--dry-run", is_flag=True, help="Say what there is to do and how long it would take; change nothing.")
@click.option("--status", is_flag=True, help="Tell whether a reembed is under way, and how far it is.")
@click.option("--abort", is_flag=True, help="Undo a reembed that was not switched yet.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
def reembed(model: str | None, dimensions: int | None, dry_run: bool, status: bool, abort: bool, yes: bool) -> None:
    """Give everything stored vectors of another model while servers go on, then switch them all at once."""
    settings, graph = settings_and_graph()
    click.get_current_context().call_on_close(graph.close)
    space = current_space(graph)
    if space is None:
        raise LocalError("The database holds no vectors yet.", "Start it with `loci serve`.")
    if status:
        _tell(graph, space)
    elif abort:
        _abort(graph)
    else:
        named = parsed(model, dimensions or 0) if model else None
        _run(settings, graph, space, _wanted(graph, named), dry_run=dry_run, yes=yes)


def _tell(graph: Graph, space: Space) -> None:
    record = current(graph)
    click.echo(
        f"In force: {restored(space.model).shown if space.model else space.identity}, {space.dimensions} numbers"
    )
    if record is None:
        click.echo("No reembed is under way.")
        return
    alive = (record.lease_until or 0) > now_ms()
    works = "a process works on it" if alive else "nobody works on it: `loci reembed` goes on with it"
    target = f"{restored(record.model).shown}, {record.dimensions} numbers"
    click.echo(f"Under way: to {target}, since {iso(record.started_at)}")
    click.echo(f"{record.state}: {record.done} of {record.total}; {works}.")


def _abort(graph: Graph) -> None:
    with stoppable(STOPPED):
        work = Held(graph, *opened(graph))
        with work.beating():
            work.abort()
    click.echo("Undone: the vectors in force are as they were.")


def _wanted(graph: Graph, named: ModelSpec | None) -> ModelSpec:
    record = current(graph)
    if named is not None:
        return named
    if record is None:
        raise LocalError("No reembed is under way.", "Name the model: `loci reembed --model minilm`.")
    return restored(record.model)


def _run(settings: Settings, graph: Graph, space: Space, spec: ModelSpec, *, dry_run: bool, yes: bool) -> None:
    # Whoever asks and stores goes first.
    os.nice(NICE)
    checked_keys(graph)
    target = embedder_of(settings, spec, console_progress())
    texts = total(graph)
    under_way = checked(graph, target, space)
    click.echo(f"Model: {target.name}, {target.dimensions} numbers; texts: {texts}; about {_minutes(target, texts)}.")
    if dry_run:
        return
    with stoppable(STOPPED):
        if under_way is None and not yes:
            click.confirm("Servers go on meanwhile. Begin?", abort=True)
        record, lease = begun(graph, target, spec.stored(), space)
        progress = console_progress(counted=True)
        work = Reembed(graph, record, lease, embedder=target, tell=progress.advanced)
        with work.beating():
            if record.state == ABORTING:
                raise LocalError("This reembed is being undone.", "Run `loci reembed --abort` to the end first.")
            if record.state != SWITCHED:
                with Reported(progress, f"Embedding with {target.name}", 1, texts):
                    work.fill()
                _switch(settings, graph, work, yes=yes)
            _finish(work, record)


def _switch(settings: Settings, graph: Graph, work: Reembed, *, yes: bool) -> None:
    old = embedder_in_force(settings, graph)
    click.echo(f"Old and new model compared: {work.overlap(old)}.")
    old.close()
    if not yes:
        click.confirm("Put the new model in force?", abort=True)
    work.switch()
    click.echo("Switched. Servers that run notice within seconds, without a restart.")


def _finish(work: Reembed, record: Record) -> None:
    click.echo("Waiting for what was under way, then removing the old vectors.")
    work.finish()
    name = restored(record.model).shown
    click.echo(f"Done. The database goes on with {name}, whatever former model the settings name.")


def _minutes(model: Embedder, texts: int) -> str:
    """Return how long so many texts of ordinary length take."""
    sample = [f"Sample {number}: the release went out late because the disk was full." for number in range(TRIED)]
    model.embed_documents(sample[:1])
    started = time.perf_counter()
    model.embed_documents(sample)
    seconds = texts * (time.perf_counter() - started) / TRIED
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} seconds"

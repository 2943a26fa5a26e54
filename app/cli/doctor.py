"""`loci doctor`: the effective settings, and a check of everything Loci stands on, each with its remedy."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass

import click
import httpx2

from app.bootstrap import embedder, embedder_options, names_a_model
from app.cli.common import settings_and_graph
from app.clock import now_ms
from app.config import Settings, load_settings
from app.embeddings import EmbedderError
from app.embeddings.spec import of_settings, restored
from app.local.errors import LocalError
from app.local.home import Home
from app.services.encryption import Encryption
from graph import reembed
from graph.driver import Graph
from graph.errors import GraphError, Unsupported
from graph.migrations import current_space, index_states

LEAST_DISK = 2_000_000_000
MOST_SKEW_MS = 5_000


@dataclass(frozen=True)
class Finding:
    """What one check found: `good`, what it saw, and the remedy where it is not."""

    what: str
    good: bool
    seen: str
    remedy: str = ""


@click.command()
def doctor() -> None:
    """Show the effective settings (secrets masked) and check database, indexes, model, clock, disk and ports."""
    for name, value in load_settings().shown().items():
        click.echo(f"  {name}={value}")
    findings = examine()
    for finding in findings:
        click.echo(f"{'ok  ' if finding.good else 'BAD '} {finding.what}: {finding.seen}")
        if not finding.good:
            click.echo(f"     -> {finding.remedy}")
    raise SystemExit(0 if all(finding.good for finding in findings) else 1)


def examine() -> list[Finding]:
    """Return the findings of every check that can be made."""
    settings = load_settings()
    findings = [_disk(settings), *_model(settings)]
    try:
        _, graph = settings_and_graph()
    except LocalError as error:
        return [*findings, Finding("database", False, str(error), error.remedy)]
    checks: tuple[Callable[[Settings, Graph], Finding], ...] = (
        _version, _clock, _indexes, _space, _reembed, _master_key,
    )  # fmt: skip
    for check in checks:
        try:
            findings.append(check(settings, graph))
        except GraphError as error:
            remedy = error.remedy if isinstance(error, Unsupported) else "Start it with `loci serve`, or see its log."
            findings.append(Finding("database", False, str(error), remedy))
            break
    graph.close()
    return [*findings, _api(settings)]


def _disk(settings: Settings) -> Finding:
    folder = settings.home_path
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return Finding("disk", free > LEAST_DISK, f"{free / 1e9:.1f} GB free", "Free some space, or move LOCI_HOME.")


def _model(settings: Settings) -> list[Finding]:
    try:
        started = time.perf_counter()
        found = embedder(settings)
        found.embed_query("a short question")
        took = 1000 * (time.perf_counter() - started)
        return [Finding("model", True, f"{found.name}, {found.dimensions} dimensions, first vector in {took:.0f} ms")]
    except (EmbedderError, LocalError) as error:
        return [Finding("model", False, str(error), getattr(error, "remedy", "Check LOCI_EMBEDDER and its settings."))]


def _version(settings: Settings, graph: Graph) -> Finding:
    version, edition = graph.check_version()
    return Finding("database", True, f"Neo4j {version} {edition}")


def _clock(settings: Settings, graph: Graph) -> Finding:
    skew = abs(graph.server_ms() - now_ms())
    return Finding("clock", skew < MOST_SKEW_MS, f"{skew} ms from the database's", "Set both clocks by a time service.")


def _indexes(settings: Settings, graph: Graph) -> Finding:
    states = index_states(graph)
    bad = sorted(name for name, state in states.items() if state != "ONLINE")
    seen = f"{len(states)} online" if not bad else f"not online: {', '.join(bad)}"
    return Finding("indexes", bool(states) and not bad, seen, "Run `loci migrate`, and wait while they are built.")


def _space(settings: Settings, graph: Graph) -> Finding:
    space = current_space(graph)
    if space is None:
        return Finding("vectors", False, "none recorded yet", "Run `loci migrate`.")
    if space.model and names_a_model(settings):
        named, in_force = of_settings(embedder_options(settings)), restored(space.model)
        if named != in_force:
            seen = f"the settings name {named.shown}, in force is {in_force.shown}"
            return Finding("vectors", False, seen, "Take the model out of the settings, or name the one in force.")
    return Finding("vectors", True, f"{space.identity}, {space.dimensions} dimensions")


def _reembed(settings: Settings, graph: Graph) -> Finding:
    record = reembed.current(graph)
    if record is None:
        return Finding("reembed", True, "none under way")
    seen = f"to {restored(record.model).shown}: {record.state}, {record.done} of {record.total}"
    alive = (record.lease_until or 0) > now_ms()
    return Finding("reembed", alive, seen, "Run `loci reembed` to go on with it.")


def _master_key(settings: Settings, graph: Graph) -> Finding:
    cipher = graph.cipher
    try:
        if isinstance(cipher, Encryption):
            cipher.check()
    except Unsupported as error:
        return Finding("master key", False, "not the one that the database was made with", error.remedy)
    return Finding("master key", True, "that of the database")


def _api(settings: Settings) -> Finding:
    url = Home(settings.home_path).read_credentials().get("base_url") or f"http://{settings.host}:{settings.port}"
    try:
        status = httpx2.get(f"{url}/v1/health", timeout=5, trust_env=False).json()["status"]
    except (httpx2.HTTPError, ValueError, KeyError):
        return Finding("api", False, f"{url} does not answer", "Start it with `loci serve`.")
    return Finding("api", status == "healthy", f"{url} is {status}", "See its log.")

"""What several commands need: settings, and the database they speak of."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from app.bootstrap import connection
from app.config import Settings, load_settings
from app.local.errors import LocalError
from app.local.home import Home
from app.services.encryption import Encryption
from app.vault import vault_of
from graph.driver import Connection, Graph


def settings_and_graph() -> tuple[Settings, Graph]:
    """Return the settings and the graph of NEO4J_URI, or of the managed server that runs in LOCI_HOME.

    Raises:
        LocalError: no server is named and none runs.
    """
    settings = load_settings()
    if not settings.managed:
        return settings, _opened(settings, connection(settings))
    found = Home(settings.home_path).read_credentials()
    if "neo4j_bolt_url" not in found:
        raise LocalError("No server of this LOCI_HOME is known.", "Start one with `loci serve`, or set NEO4J_URI.")
    place = Connection(found["neo4j_bolt_url"], found["neo4j_user"], found["neo4j_password"])
    return settings, _opened(settings, place)


def checked_keys(graph: Graph) -> Encryption:
    """Return the keys of a graph of `settings_and_graph`.

    Raises:
        Unsupported: the master key is not the database's.
    """
    cipher = graph.cipher
    assert isinstance(cipher, Encryption)  # noqa: S101 - settings_and_graph makes no other
    cipher.check()
    return cipher


def _opened(settings: Settings, place: Connection) -> Graph:
    graph = Graph(place)
    # Whether the master key is the right one is seen when it is needed, and by those who start a server.
    graph.cipher = Encryption(graph, vault_of(settings), settings.encryption)
    return graph


@contextmanager
def stoppable(message: str) -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does: in order, with `message` on how to go on."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        with suppress(BrokenPipeError):
            click.echo(message, err=True)
        raise SystemExit(130) from None
    finally:
        signal.signal(signal.SIGTERM, before)

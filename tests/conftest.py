"""The real database, one app over it, and callers. Every test works in a tenant of its own."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from app import create_app, logs
from app.bootstrap import build_state
from app.config import Settings
from app.embeddings.hashing import HashingEmbedder
from app.local.home import Home
from app.local.neo4j import ManagedNeo4j
from app.state import State
from graph.driver import Connection, Graph
from graph.migrations import migrate
from tests.callers import Caller, new_caller
from tests.frozen_clock import clock  # noqa: F401  a fixture that many folders use
from tests.live.server import Live, running
from tests.post_office import make_post, opened_app, post, receiver  # noqa: F401  fixtures that many folders use

PEPPER = "5a" * 32
MASTER_KEY = "3c" * 32


@pytest.fixture(scope="session")
def connection() -> Iterator[Connection]:
    """Where the tests' database is: LOCI_TEST_NEO4J_URI, else testcontainers, else the managed local server."""
    given = os.environ.get("LOCI_TEST_NEO4J_URI")
    if given:
        user = os.environ.get("LOCI_TEST_NEO4J_USER", "neo4j")
        yield Connection(given, user, os.environ["LOCI_TEST_NEO4J_PASSWORD"])
    elif _docker_answers():
        yield from _container()
    else:
        server = ManagedNeo4j(Home(os.environ["LOCI_HOME"]), 0, 0, maven_url=os.environ.get("LOCI_MAVEN_URL"))
        found = server.start()
        yield Connection(found.bolt_url, found.user, found.password)
        server.stop()


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A whole `loci serve` with the default embedder, for all tests that do not harm it."""
    with running(tmp_path_factory.mktemp("live")) as server:
        yield server


@pytest.fixture(scope="session")
def graph(connection: Connection) -> Iterator[Graph]:
    """The migrated database."""
    made = Graph(connection)
    migrate(made)
    yield made
    made.close()


@pytest.fixture(scope="session")
def parts(graph: Graph) -> Iterator[State]:
    """A state with the hashing embedder, so that vectors are the same everywhere."""
    settings = Settings(
        environment="test", embedder="hashing", key_pepper=PEPPER, master_key=MASTER_KEY, rate_limit="unlimited"
    )
    made = build_state(settings, graph, HashingEmbedder())
    yield made
    made.ledger.close()


@pytest.fixture(scope="session")
def app(parts: State) -> Flask:
    """The whole app in process."""
    logs.configure("error", "json")
    return create_app(parts)


@pytest.fixture
def make_caller(app: Flask, parts: State) -> Callable[..., Caller]:
    """Make callers: `make_caller("read", tenant_of=other)`; without scopes it has all of them."""

    def make(*scopes: str, tenant_of: Caller | None = None) -> Caller:
        return new_caller(app, parts, scopes, tenant_of)

    return make


@pytest.fixture
def caller(make_caller: Callable[..., Caller]) -> Caller:
    """A caller with all scopes in a fresh tenant."""
    return make_caller()


@pytest.fixture
def stranger(make_caller: Callable[..., Caller]) -> Caller:
    """A caller with all scopes in another fresh tenant."""
    return make_caller()


@pytest.fixture
def anonymous(app: Flask) -> Caller:
    """A caller without a key."""
    return Caller(app, "", "")


@pytest.fixture
def unknown_id() -> str:
    """A well-formed id of nothing."""
    return str(uuid.uuid4())


def _docker_answers() -> bool:
    docker = shutil.which("docker")
    if docker is None or not Path("/var/run/docker.sock").exists():
        return False
    return subprocess.run([docker, "info"], capture_output=True, timeout=20, check=False).returncode == 0


def _container() -> Iterator[Connection]:
    from testcontainers.community.neo4j import Neo4jContainer

    with Neo4jContainer("neo4j:2026.09-community", password="loci-tests") as box:
        yield Connection(box.get_connection_url(), "neo4j", "loci-tests")

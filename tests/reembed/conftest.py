"""A database of its own: changing the model changes it for everybody who works in the same one."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from flask import Flask

from app import create_app, logs
from app.bootstrap import build_state, embedder_in_force, prepare
from app.config import Settings
from app.embeddings import Embedder
from app.embeddings.hashing import HashingEmbedder
from app.embeddings.spec import ModelSpec
from app.local.home import Home
from app.services.reembed import Held, Pace, Reembed, begun, opened
from app.state import State
from graph.driver import Connection, Graph
from graph.labels import other_slot
from graph.migrations import Space, current_space, ensure_space
from graph.reembed import SWITCHED, current
from tests.callers import Caller, new_caller
from tests.conftest import MASTER_KEY, PEPPER
from tests.local.small import small

SETTINGS = Settings(
    environment="test", embedder="hashing", key_pepper=PEPPER, master_key=MASTER_KEY, rate_limit="unlimited"
)
QUICK = Pace(warm=0.1, grace=0.2, pause=0.02)
# A length that no test had before: each changes to a model that was never in force.
LENGTHS = itertools.count(201)


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """A managed server of one's own."""
    home = tmp_path_factory.mktemp("own")
    (home / "artifacts").symlink_to(Path(os.environ["LOCI_HOME"]) / "artifacts", target_is_directory=True)
    server = small(Home(home))
    found = server.start()
    yield Connection(found.bolt_url, found.user, found.password)
    server.stop()


@dataclass
class Site:
    """A server in process over a database of its own."""

    graph: Graph
    app: Flask
    caller: Caller
    length: int = field(default_factory=lambda: next(LENGTHS))

    @property
    def parts(self) -> State:
        """The state that requests get now."""
        found: State = self.app.extensions["loci"]
        return found

    @property
    def space(self) -> Space:
        """What the database says is in force."""
        found = current_space(self.graph)
        assert found is not None
        return found

    @property
    def target(self) -> HashingEmbedder:
        """A model that was not in force before."""
        return HashingEmbedder(self.length)

    def begin(self, pace: Pace = QUICK) -> Reembed:
        """Begin a reembed to `target`, or take up the one under way."""
        spec = ModelSpec("hashing", dimensions=self.length)
        record, lease = begun(self.graph, self.target, spec.stored(), self.space)
        return Reembed(self.graph, record, lease, embedder=self.target, pace=pace)

    def reembed(self) -> None:
        """Do a whole one."""
        work = self.begin()
        with work.beating():
            work.fill()
            work.switch()
            work.finish()

    def fall_behind(self) -> State:
        """Put the server back on a model that is in force no more, and return that state.

        As after a reembed that it has not noticed; without one, because an index that is made or dropped makes the
        database plan every query anew.
        """
        if not self.space.model:
            self.reembed()
        former = HashingEmbedder(self.length)
        space = replace(self.space, identity=former.identity, dimensions=self.length, slot=other_slot(self.space.slot))
        self.app.extensions["loci"] = replace(self.parts, embedder=former, space=space)
        return self.parts

    def numbers(self, query: str) -> int:
        """Return the one number that a query of this caller's tenant answers."""
        (row,) = self.graph.read("CYPHER 25 MATCH (n {tenant: $tenant}) " + query, tenant=self.caller.tenant)
        return int(next(iter(row.values())))

    def lacking(self) -> int:
        """Return how many nodes have no vector in the slot in force."""
        return self.numbers(f"WHERE n:Searchable AND n.{PROPERTY[self.space.slot]} IS NULL RETURN count(n)")

    def left_behind(self) -> int:
        """Return how many nodes have a vector, or are a window, of the slot that is not in force."""
        other = "b" if self.space.slot == "a" else "a"
        return self.numbers(f"WHERE n.{PROPERTY[other]} IS NOT NULL OR n.slot = '{other}' RETURN count(n)")


PROPERTY = {"a": "embedding", "b": "embedding_b"}


@pytest.fixture(scope="session")
def server(own: Connection) -> Iterator[Flask]:
    """The app over that database."""
    graph = Graph(own)
    model = embedder_in_force(SETTINGS, graph)
    prepare(SETTINGS, graph, model)
    logs.configure("error", "json")
    app = create_app(build_state(SETTINGS, graph, model))
    yield app
    app.extensions["loci"].ledger.close()
    graph.close()


@pytest.fixture
def site(server: Flask) -> Iterator[Site]:
    """The server as it starts anew, with a fresh tenant; whatever a test leaves half done is ended."""
    before: State = server.extensions["loci"]
    model = embedder_in_force(SETTINGS, before.graph)
    parts = replace(before, embedder=model, space=ensured(before.graph, model))
    server.extensions["loci"] = parts
    yield Site(parts.graph, server, new_caller(server, parts, (), None))
    server.extensions.pop("loci_space", None)
    if record := current(parts.graph):
        _end(parts.graph, record.dimensions)


def ensured(graph: Graph, model: Embedder) -> Space:
    """Return the space in force, which is this model's."""
    return ensure_space(graph, model.identity, model.dimensions, SETTINGS.analyzer)


def _end(graph: Graph, length: int) -> None:
    record, lease = opened(graph)
    if record.state == SWITCHED:
        Reembed(graph, record, lease, embedder=HashingEmbedder(length), pace=QUICK).finish()
    else:
        Held(graph, record, lease).abort()

"""Migrations on a scratch state: repeated, interrupted, and by several threads and processes at once."""

from __future__ import annotations

import multiprocessing
import re
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import pytest

from graph import migrations
from graph.clock import now_ms
from graph.driver import Connection, Graph
from graph.errors import Unavailable, Unsupported
from graph.migrations import current_space, ensure_space, known_versions, migrate
from tests.together import at_once

NAMED = ("READ_VERSION", "SET_VERSION", "TAKE_LOCK", "DROP_LOCK", "READ_SPACE", "WRITE_SPACE")


@dataclass
class Scratch:
    """A schema beside the real one: its version node has another name, its statements are about another label."""

    graph: Graph
    name: str

    def version(self) -> dict[str, object]:
        """Return the version node."""
        return dict(self.graph.read("MATCH (v:SchemaVersion {name: $name}) RETURN v", name=self.name)[0]["v"])

    def constraints(self) -> list[str]:
        """Return the names of the constraints that were made."""
        rows = self.graph.read("SHOW CONSTRAINTS YIELD name WHERE name STARTS WITH $name RETURN name", name=self.name)
        return sorted(str(row["name"]) for row in rows)


@pytest.fixture
def scratch(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scratch]:
    """A scratch state, taken away afterwards."""
    name = f"scratch{uuid.uuid4().hex[:12]}"
    for constant in NAMED:
        text: str = getattr(migrations, constant)
        monkeypatch.setattr(
            migrations, constant, text.replace("'loci'", f"'{name}'").replace("'embedding'", f"'{name}'")
        )
    made = {
        number: [
            f"CREATE CONSTRAINT {name}_{number}{part} IF NOT EXISTS FOR (s:{name}) REQUIRE s.p{number}{part} IS UNIQUE"
            for part in "ab"
        ]
        for number in (1, 2, 3)
    }
    monkeypatch.setattr(migrations, "known_versions", lambda: made)
    found = Scratch(graph, name)
    yield found
    for constraint in found.constraints():
        graph.write(f"DROP CONSTRAINT {constraint} IF EXISTS")
    graph.write("MATCH (v:SchemaVersion {name: $name}) DELETE v", name=name)


ALL = ["_1a", "_1b", "_2a", "_2b", "_3a", "_3b"]


class TestMigrate:
    def test_runs_what_is_missing_in_order_and_notes_it(self, scratch: Scratch) -> None:
        assert migrate(scratch.graph) == 3
        assert scratch.constraints() == [scratch.name + part for part in ALL]
        assert scratch.version()["version"] == 3

    def test_twice_changes_nothing(self, scratch: Scratch) -> None:
        migrate(scratch.graph)
        before = scratch.version()["migrated_at"]
        assert migrate(scratch.graph) == 3
        assert scratch.version()["migrated_at"] == before

    def test_goes_on_where_it_was_interrupted(self, scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = migrations.known_versions()
        monkeypatch.setattr(migrations, "known_versions", lambda: {1: whole[1], 2: [whole[2][0], "NO SUCH STATEMENT"]})
        with pytest.raises(Exception, match="NO SUCH STATEMENT"):
            migrate(scratch.graph)
        assert scratch.version()["version"] == 1
        monkeypatch.setattr(migrations, "known_versions", lambda: whole)
        assert migrate(scratch.graph) == 3
        assert scratch.constraints() == [scratch.name + part for part in ALL]

    def test_by_eight_threads_at_once_is_done_once(self, scratch: Scratch, connection: Connection) -> None:
        graphs = [Graph(connection) for _ in range(8)]
        assert at_once([partial(migrate, graph) for graph in graphs]) == [3] * 8
        for graph in graphs:
            graph.close()
        assert scratch.constraints() == [scratch.name + part for part in ALL]
        assert "lock_holder" not in scratch.version()

    def test_by_four_processes_at_once_is_done_once(self, scratch: Scratch, connection: Connection) -> None:
        context = multiprocessing.get_context("fork")
        children = [context.Process(target=_migrate, args=(connection,)) for _ in range(4)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of any fork beside threads
            for child in children:
                child.start()
        for child in children:
            child.join(60)
        assert [child.exitcode for child in children] == [0] * 4
        assert scratch.constraints() == [scratch.name + part for part in ALL]

    def test_of_a_database_from_the_future_is_refused_with_a_remedy(self, scratch: Scratch) -> None:
        migrate(scratch.graph)
        scratch.graph.write("MATCH (v:SchemaVersion {name: $name}) SET v.version = 9", name=scratch.name)
        with pytest.raises(Unsupported, match="schema 9, newer than the 3") as caught:
            migrate(scratch.graph)
        assert "newer Loci" in caught.value.remedy
        assert "lock_holder" not in scratch.version()

    def test_waits_for_a_lock_and_says_who_holds_up(self, scratch: Scratch) -> None:
        lock = "CREATE (:SchemaVersion {name: $name, lock_holder: 'x', lock_until: $until})"
        scratch.graph.write(lock, name=scratch.name, until=now_ms() + 60_000)
        with pytest.raises(Unavailable, match="Another process is migrating"):
            migrate(scratch.graph, wait=0.3)
        assert scratch.constraints() == []

    def test_takes_over_the_lock_of_one_that_died(self, scratch: Scratch) -> None:
        lock = "CREATE (:SchemaVersion {name: $name, lock_holder: 'x', lock_until: $until})"
        scratch.graph.write(lock, name=scratch.name, until=now_ms() - 1)
        assert migrate(scratch.graph, wait=5) == 3


def _migrate(connection: Connection) -> None:
    raise SystemExit(0 if migrate(Graph(connection)) == 3 else 1)


class TestSpace:
    def test_is_recorded_on_the_first_start_and_the_same_afterwards(self, scratch: Scratch) -> None:
        assert current_space(scratch.graph) is None
        first = ensure_space(scratch.graph, "model-a", 256, "english")
        assert (first.identity, first.dimensions, first.slot, first.analyzer) == ("model-a", 256, "a", "english")
        assert ensure_space(scratch.graph, "model-a", 256, "english") == first == current_space(scratch.graph)

    def test_of_another_model_is_refused_with_a_remedy(self, scratch: Scratch) -> None:
        ensure_space(scratch.graph, "model-a", 256, "english")
        with pytest.raises(Unsupported, match="holds vectors of model-a, but this server is set to model-b") as caught:
            ensure_space(scratch.graph, "model-b", 256, "english")
        assert "loci reembed" in caught.value.remedy

    def test_of_another_length_is_refused_though_the_model_has_the_same_name(self, scratch: Scratch) -> None:
        ensure_space(scratch.graph, "model-a", 256, "english")
        with pytest.raises(Unsupported, match="vectors of 256 numbers, but the model answers 384") as caught:
            ensure_space(scratch.graph, "model-a", 384, "english")
        assert "loci reembed" in caught.value.remedy

    def test_of_another_analyzer_is_refused_with_a_remedy(self, scratch: Scratch) -> None:
        ensure_space(scratch.graph, "model-a", 256, "english")
        with pytest.raises(Unsupported, match="LOCI_ANALYZER is german"):
            ensure_space(scratch.graph, "model-a", 256, "german")

    def test_by_eight_threads_at_once_is_one(self, scratch: Scratch) -> None:
        made = at_once([partial(ensure_space, scratch.graph, "model-a", 256, "english")] * 8)
        assert len(set(made)) == 1


class TestFiles:
    def test_are_numbered_without_gaps(self) -> None:
        assert sorted(known_versions()) == list(range(1, len(known_versions()) + 1))

    def test_may_all_run_twice(self) -> None:
        careless = [
            statement
            for statements in known_versions().values()
            for statement in statements
            # What fills a property in finds nothing to do the second time.
            if not re.search(r"IF NOT EXISTS|IF EXISTS|WHERE .* IS NULL SET", statement)
        ]
        assert careless == []

    def test_left_every_index_online(self, graph: Graph) -> None:
        states = {name: state for name, state in migrations.index_states(graph).items() if "scratch" not in name}
        assert set(states.values()) == {"ONLINE"}

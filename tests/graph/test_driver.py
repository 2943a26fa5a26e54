"""The driver's wrapper on a real server: transactions, what goes wrong and how it is said, forks."""

from __future__ import annotations

import multiprocessing
import threading
import uuid
import warnings
from collections.abc import Iterator

import pytest

from graph.driver import Connection, Graph, Transaction, refuse_version
from graph.errors import Conflict, Unavailable, Unsupported

WRITE = "CREATE (s:Scratch {id: $id}) RETURN s.id AS id"
COUNT = "MATCH (s:Scratch {id: $id}) RETURN count(s) AS found"


@pytest.fixture
def id(graph: Graph) -> Iterator[str]:
    """The id of a scratch node, deleted afterwards."""
    made = str(uuid.uuid4())
    yield made
    graph.write("MATCH (s:Scratch {id: $id}) DETACH DELETE s", id=made)


@pytest.fixture
def away() -> Iterator[Graph]:
    """A database that is not there: a port nothing listens on."""
    made = Graph(Connection("bolt://127.0.0.1:1", "neo4j", "x", patience=0.0))
    yield made
    made.close()


class TestTransaction:
    def test_commits_all_of_its_work(self, graph: Graph, id: str) -> None:
        def work(tx: Transaction) -> str:
            tx.run(WRITE, id=id)
            return str(tx.run(WRITE, id=id)[0]["id"])

        assert graph.transaction(work) == id
        assert graph.read(COUNT, id=id) == [{"found": 2}]

    def test_that_fails_leaves_nothing(self, graph: Graph, id: str) -> None:
        def work(tx: Transaction) -> None:
            tx.run(WRITE, id=id)
            raise LookupError("no")

        with pytest.raises(LookupError):
            graph.transaction(work)
        assert graph.read(COUNT, id=id) == [{"found": 0}]

    def test_for_reading_cannot_write(self, graph: Graph, id: str) -> None:
        with pytest.raises(Exception, match="access mode"):
            graph.read(WRITE, id=id)
        assert graph.read(COUNT, id=id) == [{"found": 0}]

    def test_that_takes_too_long_is_stopped(self, connection: Connection) -> None:
        hasty = Graph(Connection(connection.uri, connection.user, connection.password, timeout=0.2, patience=0.0))
        with pytest.raises(Unavailable):
            hasty.read("UNWIND range(1, 100000) AS a UNWIND range(1, 100000) AS b RETURN sum(a * b % 7) AS x")
        hasty.close()

    def test_that_breaks_a_uniqueness_rule_is_a_conflict(self, graph: Graph, id: str) -> None:
        with pytest.raises(Conflict) as caught:
            graph.write("CREATE (:Tenant {id: $id}) CREATE (:Tenant {id: $id})", id=id)
        assert id not in str(caught.value)


class TestDatabaseThatIsAway:
    def test_is_unavailable_with_a_time_to_return(self, away: Graph) -> None:
        for use in (lambda: away.read("RETURN 1"), lambda: away.write("RETURN 1"), away.ping):
            with pytest.raises(Unavailable) as caught:
                use()
            assert caught.value.retry_after >= 1
            assert "127.0.0.1" not in str(caught.value)

    def test_under_another_password_is_refused_with_a_remedy(self, connection: Connection) -> None:
        stranger = Graph(Connection(connection.uri, connection.user, "not the password", patience=0.0))
        with pytest.raises(Unsupported, match="NEO4J_PASSWORD"):
            stranger.read("RETURN 1")
        stranger.close()

    @pytest.mark.parametrize("uri", ["http://127.0.0.1:7474", "nonsense", ""])
    def test_under_an_address_that_is_none_is_refused_with_a_remedy(self, uri: str) -> None:
        with pytest.raises(Unsupported, match="bolt://host:port"):
            Graph(Connection(uri, "neo4j", "x")).read("RETURN 1")


class TestVersion:
    def test_of_the_tests_own_server_is_good(self, graph: Graph) -> None:
        version, edition = graph.check_version()
        assert version.startswith("20")
        assert edition in ("community", "enterprise")

    @pytest.mark.parametrize(
        "version", ["2026.06.0", "2026.07.1", "2026.08.1", "2026.09.0", "2027.01.0", "2026.09.0+1", "2026.10.0-x"]
    )
    def test_that_works_is_let_in(self, version: str) -> None:
        refuse_version(version)

    @pytest.mark.parametrize("version", ["2026.05.0", "2025.12.1", "5.26.0", "4.4.1", "2026.08.0", ""])
    def test_that_does_not_is_refused_with_the_reason_and_a_remedy(self, version: str) -> None:
        with pytest.raises(Unsupported, match=r"too old|must not be used") as caught:
            refuse_version(version)
        assert "2026.09" in caught.value.remedy


class TestRecords:
    def test_are_plain_python(self, graph: Graph) -> None:
        row = graph.read(
            "RETURN date('2026-03-03') AS day, datetime('2026-03-03T09:00:00Z') AS moment, [1, null, 'a'] AS list, "
            "{a: [date('2026-03-03')]} AS map, true AS yes, null AS nothing, 1.5 AS number"
        )[0]
        assert row == {
            "day": "2026-03-03",
            "moment": "2026-03-03T09:00:00.000000000+00:00",
            "list": [1, None, "a"],
            "map": {"a": ["2026-03-03"]},
            "yes": True,
            "nothing": None,
            "number": 1.5,
        }

    def test_show_a_node_as_its_properties_without_its_vectors(self, graph: Graph, id: str) -> None:
        query = "CREATE (s:Scratch {id: $id, embedding: [1.0], embedding_b: [1.0], a: [1]}) RETURN s"
        assert graph.write(query, id=id) == [{"s": {"id": id, "a": [1]}}]


def _ask(graph: Graph) -> None:
    raise SystemExit(0 if graph.read("RETURN 7 AS n") == [{"n": 7}] else 1)


def test_a_forked_process_opens_a_driver_of_its_own(graph: Graph) -> None:
    graph.read("RETURN 1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of any fork beside threads
        child = multiprocessing.get_context("fork").Process(target=_ask, args=(graph,))
        child.start()
    child.join(30)
    assert child.exitcode == 0
    assert graph.read("RETURN 7 AS n") == [{"n": 7}]


def test_closed_it_opens_again_on_the_next_call(connection: Connection) -> None:
    graph = Graph(connection)
    graph.read("RETURN 1")
    graph.close()
    graph.close()
    assert graph.read("RETURN 7 AS n") == [{"n": 7}]
    graph.close()


def test_a_lock_on_what_never_changes_undoes_nothing(graph: Graph, id: str) -> None:
    """As repositories lock: without it the counts below would fall behind."""
    graph.write("CREATE (:Scratch {id: $id, created_at: 1, version: 0})", id=id)
    lock = "MATCH (s:Scratch {id: $id}) SET s.created_at = s.created_at RETURN s.version AS version"
    add = "MATCH (s:Scratch {id: $id}) SET s.version = s.version + 1"

    def repeat(query: str) -> None:
        for _ in range(40):
            graph.write(query, id=id)

    threads = [threading.Thread(target=repeat, args=(query,)) for query in (lock, add, add)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert graph.read("MATCH (s:Scratch {id: $id}) RETURN s.version AS version", id=id) == [{"version": 80}]

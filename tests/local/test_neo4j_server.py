"""The real Neo4j under our guard: what it serves, what it keeps private, what survives."""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner, Result

from app.cli.neo4j import neo4j as neo4j_command
from app.local.errors import ServerError
from app.local.home import Home
from app.local.neo4j import ManagedNeo4j
from app.local.neo4j_place import Server
from app.local.neo4j_process import choose_ports, serves
from graph.driver import Connection, Graph
from graph.errors import GraphError
from scripts.run_tests import SHORT_LIVED
from tests.local.small import small
from tests.local.waiting import eventually

pytestmark = pytest.mark.slow

NUMBERS = "CYPHER 25 MATCH (n:Written) RETURN collect(DISTINCT n.number) AS numbers"
WRITE = "CYPHER 25 CREATE (:Written {number: $number})"
PARENT = """
import sys
from app.local.home import Home
from tests.local.small import small
print(small(Home(sys.argv[1])).start().pid, flush=True)
sys.stdin.readline()
"""


def connected(server: Server) -> Graph:
    return Graph(Connection(server.bolt_url, server.user, server.password))


def log(home: Home) -> str:
    return (home.logs / "neo4j" / "neo4j.log").read_text()


@contextlib.contextmanager
def running(neo4j: ManagedNeo4j) -> Iterator[Server]:
    server = neo4j.start()
    try:
        yield server
    finally:
        neo4j.stop()


@pytest.fixture(scope="class")
def server(real_home: Home) -> Iterator[Server]:
    with running(small(real_home)) as server:
        yield server


class TestServer:
    def test_the_password_made_for_it_opens_it(self, server: Server) -> None:
        graph = connected(server)
        assert graph.check_version()[1] == "community"
        graph.close()

    def test_a_wrong_password_does_not(self, server: Server, real_home: Home, tmp_path: Path) -> None:
        neo4j = small(real_home)
        path = real_home.secrets / "neo4j-password"
        kept = path.read_text()
        path.write_text("0" * 48)
        try:
            with pytest.raises(ServerError, match="does not accept the password") as caught:
                neo4j.start()
        finally:
            path.write_text(kept)
        assert "secrets/neo4j-password" in caught.value.remedy

    def test_it_listens_on_loopback_only(self, server: Server) -> None:
        sockets = psutil.Process(server.pid).net_connections()
        addresses = {found.laddr.ip for found in sockets if found.status == psutil.CONN_LISTEN}
        assert addresses
        assert addresses <= {"127.0.0.1", "::ffff:127.0.0.1"}

    def test_neo4j_browser_is_served(self, server: Server) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", int(server.browser_url.split(":")[2].split("/")[0]))
        connection.request("GET", "/browser/")
        answer = connection.getresponse()
        page = answer.read().decode()
        connection.close()
        assert answer.status == 200
        assert "<title>Neo4j Browser</title>" in page

    def test_pages_of_other_sites_are_not_let_in(self, server: Server) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", int(server.browser_url.split(":")[2].split("/")[0]))
        connection.request("GET", "/", headers={"Origin": "http://elsewhere.example"})
        allowed = connection.getresponse().getheader("Access-Control-Allow-Origin")
        connection.close()
        assert allowed not in ("*", "http://elsewhere.example")

    def test_no_secret_is_in_a_command_line(self, server: Server, real_home: Home) -> None:
        java = psutil.Process(server.pid)
        guard = java.parent()
        assert guard is not None
        for process in (java, guard):
            assert server.password not in " ".join(process.cmdline())

    def test_cypher_25_is_the_language(self, server: Server) -> None:
        graph = connected(server)
        found = graph.read("SHOW SETTINGS YIELD name, value WHERE name = 'db.query.default_language' RETURN value")
        graph.close()
        assert found == [{"value": "CYPHER_25"}]


def test_what_was_acknowledged_survives_the_death_of_server_and_guard(real_home: Home) -> None:
    # The same ports again, so that a writer that tries once more finds the server that was started anew.
    neo4j = small(real_home, *choose_ports(0, 0))
    with running(neo4j) as server:
        graph = connected(server)
        acknowledged: list[int] = []
        done = threading.Event()

        def write() -> None:
            while not done.is_set():
                with contextlib.suppress(GraphError):  # no answer: the same number once more
                    graph.write(WRITE, number=len(acknowledged))
                    acknowledged.append(len(acknowledged))

        def reaches(count: int) -> bool:
            return eventually(lambda: len(acknowledged) >= count, 60)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            assert reaches(50)
            guard = psutil.Process(server.pid).ppid()
            os.kill(server.pid, signal.SIGKILL)
            os.kill(guard, signal.SIGKILL)
            assert not neo4j.start().attached
            assert reaches(len(acknowledged) + 10)
        finally:
            done.set()
            writer.join()
        found = graph.read(NUMBERS)[0]["numbers"]
        graph.close()
    assert sorted(found) == acknowledged


def test_a_killed_parent_leaves_a_store_that_was_closed_in_order(real_home: Home) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, real_home.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().strip().isdigit()
        before = log(real_home).count("Stopped.")
        parent.kill()
    assert eventually(lambda: small(real_home).status().state == "stopped", 60)
    assert log(real_home).count("Stopped.") == before + 1


class TestCommands:
    @pytest.fixture(autouse=True)
    def settings(self, real_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NEO4J_URI", raising=False)
        monkeypatch.setenv("LOCI_HOME", str(real_home.path))
        monkeypatch.setenv("LOCI_NEO4J_BOLT_PORT", "0")
        monkeypatch.setenv("LOCI_NEO4J_HTTP_PORT", "0")
        monkeypatch.setenv("LOCI_NEO4J_HEAP", "512m")
        monkeypatch.setenv("LOCI_NEO4J_JAVA_FLAGS", SHORT_LIVED)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(neo4j_command, arguments)

    def test_start_status_logs_and_stop(self, real_home: Home) -> None:
        assert self.run("status").exit_code == 3
        started = self.run("start")
        assert started.exit_code == 0, started.output
        assert "Neo4j is running" in started.output
        record = small(real_home).status().record
        assert record is not None
        assert SHORT_LIVED in psutil.Process(record.java.pid).cmdline()
        assert real_home.neo4j_password() not in started.output
        status = self.run("status")
        assert status.exit_code == 0
        port = int(status.output.split("http://127.0.0.1:")[1].split("/")[0])
        assert serves(port)
        assert self.run("logs", "-n", "1").output.rstrip().endswith("Started.")
        assert "was running already" in self.run("start").output
        before = log(real_home).count("Stopped.")
        assert self.run("stop").output == "Neo4j has stopped.\n"
        assert log(real_home).count("Stopped.") == before + 1
        assert self.run("stop").output == "Neo4j is not running.\n"
        assert not serves(port)

    def test_a_server_of_ones_own_is_not_managed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:7687")
        monkeypatch.setenv("NEO4J_PASSWORD", "secret")
        answer = self.run("start")
        assert answer.exit_code == 1
        assert "Unset NEO4J_URI" in answer.output

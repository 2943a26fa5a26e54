"""The demo graph, and the page that asks ten questions of it."""

import os
import subprocess
import sys

import pytest

from graph.driver import Connection, Graph
from scripts import browser_docs
from tests.live.server import Live


@pytest.fixture(scope="module")
def demo(live: Live) -> str:
    """Load the demo as a user would; what the command printed."""
    environment = {**os.environ, "LOCI_HOME": str(live.home)}
    command = [sys.executable, "-m", "app.cli", "demo"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_prints_a_key_that_sees_the_demo(demo: str, live: Live) -> None:
    key = demo.split("Key of the namespace `demo`: ")[1].split()[0]
    with live.client(key) as client:
        assert {p["slug"] for p in client.get("/v1/projects").json()["data"]} == {
            "tiles",
            "routes-api",
            "mobile",
            "billing",
        }
        hits = client.post("/v1/memories/search", json={"query": "why was the routes service offline?"}).json()["data"]
    assert "Routes API was down" in hits[0]["memory"]["content"]


def test_loading_it_twice_changes_nothing(demo: str, live: Live) -> None:
    environment = {**os.environ, "LOCI_HOME": str(live.home)}
    command = [sys.executable, "-m", "app.cli", "demo"]
    again = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert again.returncode == 0
    assert "there already" in again.stdout


def test_every_answer_of_the_page_is_what_the_graph_answers(demo: str, live: Live) -> None:
    known = live.credentials
    graph = Graph(Connection(known["neo4j_bolt_url"], known["neo4j_user"], known["neo4j_password"]))
    found = browser_docs.questions(browser_docs.FILE.read_text())
    assert len(found) == 10
    for query, answer in found:
        assert browser_docs.answer(graph, query) == answer, query
    graph.close()


def test_without_a_server_it_says_what_to_do(tmp_path: object) -> None:
    environment = {**os.environ, "LOCI_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "app.cli", "demo"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "loci serve" in done.stderr

"""The model is changed under a real server, with kill -9 in the middle and writers beside it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from graph.driver import Connection, Graph
from graph.reembed import SWITCHED, current
from tests.live.server import Live, running

pytestmark = pytest.mark.slow

LACKING = """
CYPHER 25
MATCH (n:Searchable) WHERE n.embedding_b IS NULL OR n.embedding IS NOT NULL
RETURN count(n) AS nodes
"""
FILLED = "CYPHER 25 MATCH (n:Memory) WHERE n.embedding_b IS NOT NULL RETURN count(n) AS nodes"
ENOUGH = 400
SECONDS = 300


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """A server with hashed vectors of 384 numbers."""
    with running(tmp_path / "home", LOCI_EMBEDDER="hashing", LOCI_ENVIRONMENT="test") as server:
        yield server


def reembed(live: Live, *arguments: str) -> "subprocess.Popen[str]":
    """Start `loci reembed` beside the server, with the settings that it was started with."""
    environment = {
        **os.environ, "LOCI_HOME": str(live.home), "LOCI_EMBEDDER": "hashing", "LOCI_ENVIRONMENT": "test",
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "app.cli", "reembed", *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


class Writer(threading.Thread):
    """Stores, edits and searches by meaning until told to stop; notes what was kept and what went wrong."""

    def __init__(self, live: Live, number: int) -> None:
        super().__init__(daemon=True)
        self.live, self.number = live, number
        self.kept: dict[str, str] = {}
        self.wrong: list[object] = []
        self.ending = threading.Event()

    def run(self) -> None:
        with self.live.client() as client:
            for count in range(1_000_000):
                if self.ending.is_set():
                    return
                text = said(self.number, count)
                stored = client.post("/v1/memories", json={"content": text, "agent_id": "w"})
                if stored.status_code != 201:
                    self.wrong.append(stored.text)
                    continue
                id = stored.json()["id"]
                if count % 3 == 0:
                    text = said(self.number, count, "edited")
                    edited = client.put(f"/v1/memories/{id}", json={"content": text})
                    if edited.status_code != 200:
                        self.wrong.append(edited.text)
                self.kept[id] = text
                if not finds(client, id, text):
                    self.wrong.append(f"not found: {text}")


def said(writer: int, count: int, how: str = "") -> str:
    """Return a text of words that no other has."""
    return " ".join(f"{how}word{writer}of{count}part{part}" for part in range(4))


def finds(client: httpx2.Client, id: str, text: str) -> bool:
    """Tell whether meaning alone finds a memory by its own words."""
    body = {"query": text, "search_mode": "semantic", "limit": 3}
    answer = client.post("/v1/memories/search", json=body)
    return id in [hit["memory"]["id"] for hit in answer.json()["data"]]


def wait_for(what: str, tells: Callable[[], bool]) -> None:
    """Wait until `tells()` is true."""
    deadline = time.monotonic() + SECONDS
    while not tells():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_killed_and_gone_on_with_nothing_fails_and_nothing_is_lost(live: Live) -> None:
    known = live.credentials
    graph = Graph(Connection(known["neo4j_bolt_url"], known["neo4j_user"], known["neo4j_password"]))
    with live.client() as client:
        for batch in range(20):
            memories = [{"content": said(99, 100 * batch + n), "agent_id": "old"} for n in range(100)]
            client.post("/v1/memories/batch", json={"memories": memories})
    writers = [Writer(live, number) for number in range(2)]
    for writer in writers:
        writer.start()
    try:
        first = reembed(live, "--model", "hashing:256", "--yes")
        wait_for("the fill", lambda: graph.read(FILLED)[0]["nodes"] > ENOUGH)
        first.kill()
        first.communicate(timeout=SECONDS)
        second = reembed(live, "--yes")
        wait_for("the switch", lambda: (found := current(graph)) is not None and found.state == SWITCHED)
        second.send_signal(signal.SIGKILL)
        second.communicate(timeout=SECONDS)
        with live.client() as client:
            wait_for("the server to notice", lambda: provider(client) == "hashing:256")
        third = reembed(live)
        said_last = third.communicate(timeout=SECONDS)[0]
    finally:
        for writer in writers:
            writer.ending.set()
        for writer in writers:
            writer.join()
    assert third.returncode == 0, said_last
    assert "Done." in said_last
    assert [wrong for writer in writers for wrong in writer.wrong] == []
    assert current(graph) is None
    assert graph.read(LACKING) == [{"nodes": 0}]
    kept = [pair for writer in writers for pair in writer.kept.items()]
    with live.client() as client:
        assert len(kept) > 20
        assert all(finds(client, id, text) for id, text in kept[:: max(1, len(kept) // 50)])
    graph.close()


def provider(client: httpx2.Client) -> str:
    """Return the model that the server says it uses."""
    return str(client.get("/v1/health").json()["embedding_info"]["provider"])

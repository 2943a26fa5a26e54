"""kill -9 in the middle of writing: what was acknowledged is there afterwards, is found, and nothing is half linked."""

import os
import signal
import threading
import time
from pathlib import Path

import httpx2
import psutil
import pytest

from graph.driver import Connection, Graph
from tests.live.server import Live, start, stop

pytestmark = pytest.mark.slow

HALF_LINKED = """
CYPHER 25
MATCH (m:Memory)
WHERE NOT EXISTS { (m)-[:RECORDED_BY]->(:Agent) } OR NOT EXISTS { (m)-[:IN_SESSION]->(:Session) }
  OR NOT EXISTS { (m)-[:MENTIONS]->(:Entity) } OR m.embedding IS NULL
RETURN count(m) AS memories
"""
# A chain over n memories has n - 1 links and one end.
CHAINS = """
CYPHER 25
MATCH (s:Session)
RETURN COUNT { (s)<-[:IN_SESSION]-() } AS memories, COUNT { (s)-[:LAST]->() } AS lasts,
  COUNT { (s)<-[:IN_SESSION]-()-[:NEXT]->() } AS links
"""

# Acknowledged before anything is killed, so that there is something to lose.
ENOUGH = 60


class Writer(threading.Thread):
    """Stores numbered memories until told to stop, and remembers which were acknowledged."""

    def __init__(self, live: Live, number: int, session: str) -> None:
        super().__init__(daemon=True)
        self.base_url, self.key = live.base_url, live.credentials["api_key"]
        self.number, self.session = number, session
        self.acknowledged: list[tuple[str, str]] = []
        self.ending = threading.Event()

    def run(self) -> None:
        headers = {"Authorization": f"Bearer {self.key}"}
        with httpx2.Client(base_url=self.base_url, headers=headers, timeout=10) as client:
            for count in range(100_000):
                if self.ending.is_set():
                    return
                word = f"marker{self.number}x{count}"
                body = {"content": f"Ada Lovelace noted {word}", "agent_id": "w", "session_id": self.session}
                try:
                    answer = client.post("/v1/memories", json=body)
                except httpx2.TransportError:
                    time.sleep(0.05)
                    continue
                if answer.status_code == 201:
                    self.acknowledged.append((answer.json()["id"], word))


def write_until(live: Live, victims: list[int]) -> list[tuple[str, str]]:
    """Write from four threads, kill the victims in the middle of it, and return what was acknowledged."""
    with live.client() as client:
        session = client.post("/v1/sessions/get-or-create", json={"external_id": "chain"}).json()["id"]
    writers = [Writer(live, number, session) for number in range(4)]
    for writer in writers:
        writer.start()
    deadline = time.monotonic() + 60
    while sum(len(writer.acknowledged) for writer in writers) < ENOUGH and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.5)
    for writer in writers:
        writer.ending.set()
    for writer in writers:
        writer.join()
    return [pair for writer in writers for pair in writer.acknowledged]


def assert_all_there(live: Live, acknowledged: list[tuple[str, str]]) -> None:
    """Assert that every acknowledged memory is readable and found, and the graph is whole."""
    assert len(acknowledged) >= ENOUGH
    with live.client() as client:
        for memory_id, word in acknowledged:
            assert client.get(f"/v1/memories/{memory_id}").status_code == 200, word
        for memory_id, word in acknowledged[:: max(1, len(acknowledged) // 10)]:
            hits = client.post("/v1/memories/search", json={"query": word, "limit": 5}).json()["data"]
            assert memory_id in {hit["memory"]["id"] for hit in hits}, word
    known = live.credentials
    graph = Graph(Connection(known["neo4j_bolt_url"], known["neo4j_user"], known["neo4j_password"]))
    assert graph.read(HALF_LINKED) == [{"memories": 0}]
    for chain in graph.read(CHAINS):
        assert chain["lasts"] == 1
        assert chain["links"] == chain["memories"] - 1
    graph.close()


def wait_until_healthy(live: Live) -> None:
    """Wait until the API answers again."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            if httpx2.get(f"{live.base_url}/v1/health", timeout=5).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError(live.log.read_text()[-3000:])


def children_of(live: Live) -> dict[str, int]:
    """Return the processes that the supervisor looks after, by what they run."""
    lines = {child.pid: " ".join(child.cmdline()) for child in psutil.Process(live.process.pid).children()}
    return {name: pid for name in ("app.serving", "app.cli worker") for pid, line in lines.items() if name in line}


def java_of(home: Path) -> int:
    """Return the process of the home's database."""
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if line and line[0].endswith("java") and any(str(home / "neo4j") in part for part in line):
            return int(process.pid)
    raise AssertionError("no database process")


def test_nothing_acknowledged_is_lost_whatever_is_killed(tmp_path: Path) -> None:
    live = start(tmp_path / "home")
    children = [child.pid for child in psutil.Process(live.process.pid).children()]
    kept = write_until(live, [live.process.pid])
    live.process.wait()
    # On the same port at once, which the children of the one that was killed may still hold.
    again = start(tmp_path / "home", LOCI_PORT=live.base_url.rpartition(":")[2])
    try:
        assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in children)
        assert_all_there(again, kept)
        kept += write_until(again, [java_of(tmp_path / "home")])
        wait_until_healthy(again)
        assert_all_there(again, kept)
        before = children_of(again)
        kept += write_until(again, [before["app.serving"], before["app.cli worker"]])
        time.sleep(3)
        wait_until_healthy(again)
        assert_all_there(again, kept)
        after = children_of(again)
        assert len(psutil.Process(again.process.pid).children()) == len(children)
        assert before.keys() == after.keys()
        assert not set(before.values()) & set(after.values())
        assert again.process.poll() is None
    finally:
        assert stop(again.process) == 0
    with pytest.raises(AssertionError):
        java_of(tmp_path / "home")

"""A word that was erased: gone from answers, logs, exports and from a store made of an export; and where Neo4j's own
files keep it, as docs/security.md says."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2
import pytest

from graph.driver import Connection, Graph
from tests.live.server import Live, holding, loci, running

pytestmark = pytest.mark.slow

MARK = "zyxomarkerqv"
TEXT = f"Priya {MARK.title()} moved the Billing Service number {{}} to PostgreSQL in Lisbon, {MARK} again for a while"
SETTINGS = {"LOCI_EMBEDDER": "hashing", "LOCI_ENVIRONMENT": "test", "LOCI_TRASH_DAYS": "7"}
# Neo4j overwrites none of these when something is deleted.
KEEPS = re.compile(
    r"transactions/neo4j/neostore\.transaction\.db\.\d+|databases/neo4j/neostore\.propertystore\.db(\.strings|\.arrays)?"
    r"|databases/neo4j/schema/index/(range|fulltext)-[\d.]+/.*"
)


def connected(live: Live) -> Graph:
    found = live.credentials
    return Graph(Connection(found["neo4j_bolt_url"], found["neo4j_user"], found["neo4j_password"]))


def traces(live: Live) -> int:
    """Return how many nodes and relationships hold the word, whoever's they are."""
    graph = connected(live)
    nodes = graph.read("CYPHER 25 MATCH (n) RETURN n {.*, embedding: null, embedding_b: null} AS said")
    links = graph.read("CYPHER 25 MATCH ()-[r]->() RETURN properties(r) AS said")
    graph.close()
    return sum(MARK in repr(row).lower() for row in nodes + links)


def fill(client: httpx2.Client) -> None:
    """Store the word in all the ways there are, some of it in the trash, beside what stays."""
    ids = []
    for number in range(5):
        body = {"content": TEXT.format(number), "agent_id": "iris", "user_id": "customer-1"}
        ids.append(client.post("/v1/memories", json=body).raise_for_status().json()["id"])
    client.put(f"/v1/memories/{ids[0]}", json={"content": f"{MARK} corrected"}).raise_for_status()
    client.delete(f"/v1/memories/{ids[1]}").raise_for_status()
    client.post("/v1/memories/search", json={"query": MARK}).raise_for_status()
    client.post("/v1/memories", json={"content": "Ada likes tea", "agent_id": "iris"}).raise_for_status()


def test_an_erased_word_is_nowhere_but_in_files_that_neo4j_does_not_overwrite(tmp_path: Path) -> None:
    dump = tmp_path / "export.jsonl"
    with running(tmp_path / "home", **SETTINGS) as live, live.client() as client:
        fill(client)
        assert traces(live) > 0
        erased = client.post("/v1/erasures", json={"user_id": "customer-1", "dry_run": False}).raise_for_status().json()
        assert (erased["removed"]["memories"], erased["removed"]["trash"]) == (4, 1)
        assert traces(live) == 0
        found = client.post("/v1/memories/search", json={"query": MARK}).raise_for_status().json()["data"]
        assert [hit for hit in found if MARK in hit["memory"]["content"].lower()] == []
        loci(live, "export", str(dump), **SETTINGS)
    assert "Ada likes tea" in dump.read_text()
    assert MARK not in dump.read_text().lower()
    assert holding(tmp_path / "home" / "logs", MARK) == []
    assert MARK not in (tmp_path / "home" / "serve.log").read_text().lower()
    left = holding(tmp_path / "home" / "neo4j" / "data", MARK)
    assert [path for path in left if not KEEPS.fullmatch(path)] == []
    # The compaction there is: an empty store, filled from an export.
    with running(tmp_path / "new", **SETTINGS) as live, live.client() as client:
        loci(live, "import", str(dump), **SETTINGS)
        assert client.get("/v1/memories").raise_for_status().json()["total_count"] == 1
    assert holding(tmp_path / "new", MARK) == []

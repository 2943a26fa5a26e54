"""An encrypted namespace of a whole server: its words are in no file, its keys are changed while it serves, and another
master key is refused."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.compat.azen import API as AZEN
from app.crypto import Vault
from app.services.encryption import Encryption, key_of
from graph.data_keys import WRAPPED
from graph.driver import Connection, Graph
from graph.sealing import is_envelope
from tests.live.server import Live, holding, loci, running, start

pytestmark = pytest.mark.slow

MARK = "zyxomarkerqv"
TEXT = f"Priya {MARK.title()} moved the Billing Service from Oracle to PostgreSQL in Lisbon"
# A slow machine is not what is looked at.
PATIENCE = 120
SETTINGS = {"LOCI_TRASH_DAYS": "7"}
VALUES = "CYPHER 25 MATCH (n) WHERE n.tenant IS NOT NULL RETURN n {.*, embedding: null} AS props"


def master_key(live: Live) -> str:
    return (live.home / "secrets" / "master-key").read_text().strip()


@contextmanager
def keys_of(live: Live) -> Iterator[Encryption]:
    """The keys of a running server's database, seen from outside of it."""
    found = live.credentials
    graph = Graph(Connection(found["neo4j_bolt_url"], found["neo4j_user"], found["neo4j_password"]))
    graph.cipher = encryption = Encryption(graph, Vault(master_key(live)))
    yield encryption
    graph.close()


def used(encryption: Encryption) -> set[str]:
    """Return the ids of the data keys that anything is sealed with."""
    values = [value for row in encryption.stored.read(VALUES) for value in row["props"].values()]
    return {key_of(value) for value in values if is_envelope(value)}


def fill(client: httpx2.Client) -> str:
    """Store the word in all the ways there are, some of it in the trash; return the id of a memory that stays."""

    def post(path: str, **body: Any) -> dict[str, Any]:
        found: dict[str, Any] = client.post(path, json=body).raise_for_status().json()
        return found

    session = post("/v1/sessions", title=f"About {MARK}", metadata={"said": MARK})["id"]
    given = {"agent_id": "iris", "session_id": session, "metadata": {"said": MARK}, "title": f"What {MARK} did"}
    ids = [post("/v1/memories", content=f"{TEXT}, the {number}. time", **given)["id"] for number in range(4)]
    post("/v2/memories", content=f"{TEXT}, later", agent_id="iris")
    client.put(f"/v1/memories/{ids[1]}", json={"content": f"{MARK} was corrected"}).raise_for_status()
    client.delete(f"/v1/memories/{ids[2]}").raise_for_status()
    client.put(f"/v1/sessions/{session}/end", json={"summary": f"{MARK} is done"}).raise_for_status()
    person = post("/v1/entities", name=f"Dr {MARK.title()}", entity_type="person", metadata={"said": MARK})["id"]
    post(f"/v1/entities/{person}/aliases", alias=f"{MARK.title()} the First")
    post("/v1/decisions", title=f"Keep {MARK}", rationale=f"{MARK} said so", memory_ids=[ids[0]])
    post("/v1/patterns", title=f"Ask {MARK}", description=f"{MARK} knows")
    assert client.get("/v1/entities", params={"q": MARK}).raise_for_status().json()["data"]
    post("/v1/memories", content="Nobody eats lunch at noon on Fridays", agent_id="iris")
    return str(ids[0])


def asked(client: httpx2.Client) -> list[str]:
    """Ask for what the word was stored with, in other words."""
    body = {"query": "Who migrated the invoicing system off its old database?", "limit": 5}
    return [
        hit["memory"]["content"]
        for hit in client.post("/v1/memories/search", json=body).raise_for_status().json()["data"]
    ]


def azen(live: Live, key: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return what Azen's API answers."""
    response = httpx2.post(
        live.base_url + AZEN + path, json=body, headers={"azen-api-key": key}, timeout=PATIENCE, trust_env=False
    )
    found: dict[str, Any] = response.raise_for_status().json()
    return found


def store_with_azen(live: Live, key: str) -> None:
    """Store the word through Azen's API, so that a worker embeds it and finds its names."""
    azen(live, key, "/memory", {"text": f"{TEXT}, said through Azen", "metadata": {"said": MARK}})


def found_by_azen(live: Live, key: str) -> bool:
    """Tell whether Azen's search finds in other words what was stored with it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        body = {"query": "Who migrated the invoicing system off its old database?", "topK": 10}
        found = azen(live, key, "/memory/search", body)["memories"]
        if any(memory["content"].endswith("said through Azen") for memory in found):
            return True
        time.sleep(0.5)
    return False


class Traffic(threading.Thread):
    """Somebody who reads and writes without a pause; `faults` holds every answer that was not as it should be."""

    def __init__(self, client: httpx2.Client, id: str) -> None:
        super().__init__(daemon=True)
        self.client, self.id = client, id
        self.faults: list[str] = []
        self.written: list[str] = []
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(0.05):
            read = self.client.get(f"/v1/memories/{self.id}")
            if read.status_code != 200 or not read.json()["content"].startswith(TEXT):
                self.faults.append(read.text)
            body = {"content": f"{TEXT} while keys change, {len(self.written)}", "agent_id": "iris"}
            made = self.client.post("/v1/memories", json=body)
            if made.status_code != 201:
                self.faults.append(made.text)
            else:
                self.written.append(made.json()["id"])


def test_words_are_in_no_file_and_keys_change_while_serving(tmp_path: Path) -> None:
    dump, home = tmp_path / "export.jsonl", tmp_path / "home"
    with running(home, **SETTINGS) as live:
        with live.client() as admin:
            key = str(admin.post("/v1/keys", json={"dialect": "azen"}).raise_for_status().json()["key"])
        with keys_of(live) as encryption, live.client(key) as client:
            client.timeout = PATIENCE
            # At once: no process takes a namespace that was made a moment ago for a plain one.
            store_with_azen(live, key)
            id = fill(client)
            assert TEXT in asked(client)[0]
            assert found_by_azen(live, key)
            old_keys, old_master = used(encryption), encryption.vault.key_id
            assert old_keys
            with live.client(key) as another:
                another.timeout = PATIENCE
                traffic = Traffic(another, id)
                traffic.start()
                loci(live, "encryption", "rotate-data", "--namespace", "azen", **SETTINGS)
                loci(live, "encryption", "rotate-master", **SETTINGS)
                traffic.over.set()
                traffic.join()
            assert traffic.faults == []
            assert len(traffic.written) > 3
            assert used(encryption).isdisjoint(old_keys)
            wrapped = [row["wrapped"] for row in encryption.stored.read(WRAPPED, after="", limit=1000)]
            assert wrapped
            assert [one for one in wrapped if f".{old_master}." in one] == []
            for each in [id, *traffic.written]:
                assert TEXT in client.get(f"/v1/memories/{each}").raise_for_status().json()["content"]
            assert client.get("/v1/events", params={"from": "oldest"}).raise_for_status().json()["data"]
            assert "sealed with another: 0" in loci(live, "encryption", "status", **SETTINGS)
        loci(live, "export", str(dump), "--namespace", "azen", **SETTINGS)
        assert not (home / "secrets" / "master-key.former").exists()
    assert MARK not in dump.read_text().lower()
    assert holding(home / "neo4j", MARK) == []
    assert holding(home / "logs", MARK) == []
    assert MARK not in (home / "serve.log").read_text().lower()


def test_another_master_key_is_refused_at_the_start(tmp_path: Path) -> None:
    settings = {"LOCI_EMBEDDER": "hashing", "LOCI_ENVIRONMENT": "test", "LOCI_ENCRYPTION": "all"}
    home = tmp_path / "home"
    body = {"content": TEXT, "agent_id": "iris"}
    with running(home, **settings) as live, live.client() as client:
        id = client.post("/v1/memories", json=body).raise_for_status().json()["id"]
        assert MARK not in (home / "serve.log").read_text().lower()
        # From a shell that knows nothing of the server's setting.
        assert "LOCI_ENCRYPTION=all" in loci(live, "encryption", "status", **SETTINGS)
    assert holding(home / "neo4j", MARK) == []
    with pytest.raises(AssertionError, match="another master key") as raised:
        start(home, **settings, LOCI_MASTER_KEY="ab" * 32)
    assert "secrets/master-key" in str(raised.value)
    with running(home, **settings) as live, live.client() as client:
        assert client.get(f"/v1/memories/{id}").raise_for_status().json()["content"] == TEXT

"""Export and import: a tenant of many memories, out of one namespace and into an empty one.

    python -m bench.transfer [--memories 100000] [--questions 200] [--without-vectors]

Stores memories in batches through HTTP, exports the namespace and imports the file into another, each by the command in
a process of its own whose resident memory is printed as it goes. Then every label and relationship is counted in both,
and the same questions are asked of both.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx2
import psutil

from bench.latency import SEARCH, load, questions
from graph.driver import Connection, Graph
from graph.tenants import Owner
from graph.transfer import TransferRepository
from tests.live.server import Live, running

NODES = (
    "MATCH (n {tenant: $tenant}) WHERE any(l IN labels(n) WHERE l IN $labels) RETURN labels(n) AS what, count(*) AS n"
)
LINKS = """
MATCH (a {tenant: $tenant})-[r]->({tenant: $tenant}) WHERE NOT a:Job AND NOT a:Delivery
RETURN type(r) AS what, count(*) AS n
"""
TENANTS = "MATCH (t:Tenant) RETURN t.namespace AS namespace, t.id AS id"
EVERY = 2.0


def command(live: Live, *arguments: str) -> tuple[float, list[int]]:
    """Run a command beside the server; return the seconds it took and its resident megabytes over time."""
    environment = {**os.environ, "LOCI_HOME": str(live.home)}
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "app.cli", *arguments], env=environment)
    seen: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(EVERY):
            try:
                seen.append(round(psutil.Process(process.pid).memory_info().rss / 1e6))
            except psutil.NoSuchProcess:
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    if process.wait():
        raise SystemExit(f"loci {arguments[0]} failed")
    over.set()
    thread.join()
    return time.perf_counter() - started, seen


def counts(graph: Graph, tenant: str) -> dict[str, int]:
    """Return how many nodes of each label and relationships of each type a tenant has."""
    labels = list(TransferRepository(graph, Owner(tenant)).counts())
    rows = graph.read(NODES, tenant=tenant, labels=labels) + graph.read(LINKS, tenant=tenant)
    found: dict[str, int] = {}
    for row in rows:
        what = row["what"] if isinstance(row["what"], str) else ":".join(sorted(row["what"]))
        found[what] = found.get(what, 0) + row["n"]
    return found


def answers(client: httpx2.Client, asked: list[str]) -> list[list[str]]:
    """Return the ids that each question finds, best first."""
    found = []
    for question in asked:
        answer = client.post(SEARCH, json={"query": question, "limit": 10})
        answer.raise_for_status()
        found.append([hit["memory"]["id"] for hit in answer.json()["data"]])
    return found


def key(client: httpx2.Client, namespace: str) -> str:
    """Return a key for a namespace."""
    answer = client.post("/v1/keys", json={"name": namespace, "namespace": namespace, "scopes": ["admin"]})
    answer.raise_for_status()
    return str(answer.json()["key"])


def measure(live: Live, chosen: argparse.Namespace, folder: Path) -> bool:
    """Load, move and compare; return whether both are the same."""
    file = folder / "export.jsonl"
    with live.client() as admin:
        from_key, to_key = key(admin, "from"), key(admin, "to")
    with live.client(from_key) as client:
        load(client, chosen.memories)
    options = [] if chosen.without_vectors else ["--vectors"]
    for name, arguments in (
        ("export", ["export", str(file), "--namespace", "from", *options]),
        ("import", ["import", str(file), "--namespace", "to"]),
    ):
        took, seen = command(live, *arguments)
        print(f"{name:10s} {took:8.1f} s   {chosen.memories / took:8.0f} memories a second   RSS MB {seen}", flush=True)
    print(f"file       {file.stat().st_size / 1e6:8.1f} MB")
    found = live.credentials
    graph = Graph(Connection(found["neo4j_bolt_url"], found["neo4j_user"], found["neo4j_password"], timeout=300))
    tenants = {row["namespace"]: row["id"] for row in graph.read(TENANTS)}
    mine, theirs = counts(graph, tenants["from"]), counts(graph, tenants["to"])
    graph.close()
    print(f"counts     {'equal' if mine == theirs else f'DIFFER: {mine} {theirs}'}: {mine}")
    asked = questions(chosen.questions, seed=5)
    with live.client(from_key) as one, live.client(to_key) as other:
        same = sum(a == b for a, b in zip(answers(one, asked), answers(other, asked), strict=True))
    print(f"answers    {same} of {len(asked)} questions have the same ten, in the same order")
    return mine == theirs and same == len(asked)


def main() -> None:
    """Start a server, measure, stop it; exit with 1 where the two differ."""
    parser = argparse.ArgumentParser(description="Export and import.")
    parser.add_argument("--memories", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--without-vectors", action="store_true")
    chosen = parser.parse_args()
    os.environ.setdefault("LOCI_HOME", str(Path("~/.loci").expanduser()))
    with tempfile.TemporaryDirectory(prefix="loci-bench-") as folder:
        settings = {"LOCI_LOG_LEVEL": "warning", "LOCI_NEO4J_HEAP": "", "LOCI_NEO4J_PAGE_CACHE": ""}
        with running(Path(folder) / "home", **settings) as live:
            same = measure(live, chosen, Path(folder))
    raise SystemExit(0 if same else 1)


if __name__ == "__main__":
    main()

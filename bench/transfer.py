"""Export and import: many memories out of one server and into an empty one.

    python -m bench.transfer [--memories 100000] [--questions 200] [--without-vectors]

Stores memories in batches through HTTP, exports them and imports the file into another server, each by the command in
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
from typing import Any

import httpx2
import psutil

from bench.latency import SEARCH, load, questions
from graph.driver import Connection, Graph
from graph.labels import TRANSFERRED
from tests.live.server import Live, running

NODES = (
    "MATCH (n {tenant: $tenant}) WHERE any(l IN labels(n) WHERE l IN $labels) RETURN labels(n) AS what, count(*) AS n"
)
LINKS = """
MATCH (a {tenant: $tenant})-[r]->({tenant: $tenant}) WHERE NOT a:Job AND NOT a:Delivery AND type(r) <> 'IN_TOPIC'
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
    # Topics are found anew by the worker, at its own time.
    labels = [label for label in TRANSFERRED if label != "Topic"]
    rows = graph.read(NODES, tenant=tenant, labels=labels) + graph.read(LINKS, tenant=tenant)
    found: dict[str, int] = {}
    for row in rows:
        what = row["what"] if isinstance(row["what"], str) else ":".join(sorted(row["what"]))
        found[what] = found.get(what, 0) + row["n"]
    return found


def answers(client: httpx2.Client, asked: list[str]) -> list[list[tuple[str, float]]]:
    """Return (id, score) of what each question finds, best first."""
    found = []
    for question in asked:
        answer = client.post(SEARCH, json={"query": question, "limit": 10})
        answer.raise_for_status()
        found.append([(hit["memory"]["id"], round(hit["score"], 4)) for hit in answer.json()["data"]])
    return found


def state(live: Live, asked: list[str]) -> tuple[dict[str, int], list[list[tuple[str, float]]]]:
    """Return what the first namespace of a server holds, in counts, and what it answers."""
    found = live.credentials
    graph = Graph(Connection(found["neo4j_bolt_url"], found["neo4j_user"], found["neo4j_password"], timeout=300))
    tenant = next(row["id"] for row in graph.read(TENANTS) if row["namespace"] == "default")
    held = counts(graph, tenant)
    graph.close()
    with live.client() as client:
        return held, answers(client, asked)


def timed(name: str, live: Live, memories: int, *arguments: str) -> None:
    """Run a command and print what it took."""
    took, seen = command(live, *arguments)
    print(f"{name:10s} {took:8.1f} s   {memories / took:8.0f} memories a second   RSS MB {seen}", flush=True)


def compared(asked: list[str], before: Any, after: Any) -> bool:
    """Print how far two servers are the same, and return whether they are."""
    (mine, said), (theirs, told) = before, after
    print(f"counts     {'equal' if mine == theirs else f'DIFFER, afterwards {theirs}'}: {mine}")
    same = sum(a == b for a, b in zip(said, told, strict=True))
    alike = sum(len(dict(a).keys() & dict(b).keys()) for a, b in zip(said, told, strict=True))
    whole = sum(map(len, said))
    print(
        f"answers    {same} of {len(asked)} have the same ten at the same scores; {alike} of {whole} hits are the same"
    )
    for question, a, b in zip(asked, said, told, strict=True):
        if a != b:
            print(f"  differs  {question}: {sorted(set(a) - set(b))} / {sorted(set(b) - set(a))}")
    return bool(mine == theirs and same == len(asked))


def main() -> None:
    """Fill one server, export it, import the file into another, compare; exit with 1 where the two differ."""
    parser = argparse.ArgumentParser(description="Export and import.")
    parser.add_argument("--memories", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--without-vectors", action="store_true")
    chosen = parser.parse_args()
    os.environ.setdefault("LOCI_HOME", str(Path("~/.loci").expanduser()))
    settings = {"LOCI_LOG_LEVEL": "warning", "LOCI_NEO4J_HEAP": "", "LOCI_NEO4J_PAGE_CACHE": ""}
    asked = questions(chosen.questions, seed=5)
    options = [] if chosen.without_vectors else ["--vectors"]
    with tempfile.TemporaryDirectory(prefix="loci-bench-") as folder:
        file = Path(folder) / "export.jsonl"
        with running(Path(folder) / "from", **settings) as live:
            with live.client() as client:
                client.timeout = httpx2.Timeout(300)
                load(client, chosen.memories)
            timed("export", live, chosen.memories, "export", str(file), *options)
            before = state(live, asked)
        print(f"file       {file.stat().st_size / 1e6:8.1f} MB")
        with running(Path(folder) / "to", **settings) as live:
            timed("import", live, chosen.memories, "import", str(file))
            same = compared(asked, before, state(live, asked))
    raise SystemExit(0 if same else 1)


if __name__ == "__main__":
    main()

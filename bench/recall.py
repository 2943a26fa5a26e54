"""Recall quality over labelled collections, through HTTP on a server of its own. `make bench-recall`.

Reads the collections and scores with the kit beside them, in place: nothing of the data enters the project. The kit's
folder holds `score.py`, `dev/<collection>/{docs,queries}.jsonl` and `results/dev`, the runs of the reference rankers.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import httpx2

from bench import calibration
from bench.server import Server, running

Row: TypeAlias = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
BATCH = 100
# The longest text the server takes; one document of all collections is longer, and is cut.
LONGEST = 50_000
LIMIT = 20
ARMS = ("vectors", "words", "session", "graph", "entities")
REFERENCES = ("bm25-en", "dense", "rrf", "cc", "graph", "recipe", "neo4j")
# Measures something else (no sessions, no hops), so it is loaded only when named.
ASIDE = {"nfcorpus"}


def main() -> None:
    """Load, ask, score, print."""
    a = arguments()
    names = a.collections.split(",") if a.collections else collections(a.folder)
    out = Path(a.out or tempfile.mkdtemp(prefix="loci-runs-"))
    asked = {"limit": LIMIT, "search_mode": a.search_mode, **({"arms": a.arms.split(",")} if a.arms else {})}
    with ExitStack() as stack:
        server = Server(a.url, a.key) if a.url else stack.enter_context(running())
        stored = {name: load(server, a.folder, name) for name in names}
        for name, (clients, ids) in stored.items():
            warm(clients)
            for variant, fields in variants(asked, a.ablate).items():
                for run in range(a.repeat):
                    ms = ask(clients, ids, a.folder, name, fields, out / variant, a.every)
                    print(
                        f"{name:18s} asked {len(ms)}{times(ms)}, {variant}, round {run + 1} of {a.repeat}", flush=True
                    )
            if a.absent and name in calibration.CHATS:
                for step in calibration.STEPS:
                    others = strangers(clients, step)
                    ask(others, ids, a.folder, name, asked, out / calibration.absent(step), a.every)
            for client in clients.values():
                client.close()
    if a.absent:
        print(calibration.report(out, "asked", a.folder, a.plot))
    if a.every == 1:
        compare(a.folder, out, names, list(variants(asked, a.ablate)), a.against)
    print(f"Runs are in {out}")


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="bench.recall", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--from", dest="folder", type=Path, default=ROOT / "../shared/eval/dev", help="collections")
    parser.add_argument("--collections", help="only these, by comma (default: all but nfcorpus)")
    parser.add_argument("--search-mode", default="hybrid", choices=["hybrid", "semantic", "keyword"])
    parser.add_argument("--arms", help="only these arms of hybrid, by comma: vectors, words, session, graph")
    parser.add_argument("--ablate", action="store_true", help="ask again in the other modes and without each arm")
    parser.add_argument("--absent", action="store_true", help="ask each question of another conversation as well")
    parser.add_argument("--plot", type=Path, help="with --absent: file for the reliability plot (SVG)")
    parser.add_argument("--out", help="folder for the runs (default: a temporary one)")
    parser.add_argument("--against", default="neo4j", choices=REFERENCES, help="reference for the paired intervals")
    parser.add_argument("--every", type=int, default=1, help="ask only every n-th question; prints latencies alone")
    parser.add_argument("--repeat", type=int, default=1, help="ask everything so many times; the last run is scored")
    parser.add_argument("--url", help="a server that runs already, empty of these namespaces; needs --key")
    parser.add_argument("--key", help="its admin key")
    return parser.parse_args()


def collections(folder: Path) -> list[str]:
    """Return the collections in a folder."""
    found = sorted(path.parent.name for path in folder.glob("*/docs.jsonl") if path.parent.name not in ASIDE)
    if not found:
        raise SystemExit(f"There are no collections in {folder}; name their folder with --from.")
    return found


def load(server: Server, folder: Path, name: str) -> tuple[dict[str, httpx2.Client], dict[str, str]]:
    """Store a collection, one namespace for each group; return a client by group, and document ids by memory id."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for doc in lines(folder / name / "docs.jsonl"):
        groups[doc["group"]].append(doc)
    clients, ids = {}, {}
    started = time.perf_counter()
    for group, docs in groups.items():
        client = clients[group] = server.namespace(f"{name}/{group}")
        docs.sort(key=lambda doc: int(doc["order"]))
        sessions = {key: session(client, key) for key in dict.fromkeys(doc["session"] for doc in docs) if key}
        for batch in cut(docs):
            answer = client.post("/v1/memories/batch", json={"memories": [body(doc, sessions) for doc in batch]})
            answer.raise_for_status()
            for doc, result in zip(batch, answer.json()["results"], strict=True):
                if result["status"] != "success":
                    raise SystemExit(f"{doc['id']} was not stored: {result['error']}")
                ids[result["id"]] = doc["id"]
    seconds = time.perf_counter() - started
    print(f"{name:18s} stored {len(ids)} in {seconds:.0f} s, {len(ids) / seconds:.0f}/s", flush=True)
    return clients, ids


def session(client: httpx2.Client, key: str) -> str:
    """Return the id of the session with this external id."""
    answer = client.post("/v1/sessions/get-or-create", json={"external_id": key, "agent_id": "bench"})
    answer.raise_for_status()
    return str(answer.json()["id"])


def body(doc: Row, sessions: Mapping[str, str]) -> Row:
    """Return the memory to store for a document: its text as it is, and what the kit allows besides."""
    made = {"content": doc["text"][:LONGEST], "agent_id": "bench"}
    if doc.get("title"):
        made["title"] = doc["title"]
    if doc.get("ts"):
        made["occurred_at"] = doc["ts"]
    if doc.get("session"):
        made["session_id"] = sessions[doc["session"]]
    return made


def warm(clients: Mapping[str, httpx2.Client]) -> None:
    """Let plans be made and the model be loaded before anything is timed."""
    for client in list(clients.values())[:3]:
        for text in ("Who went where last summer?", "What is a memory about?", "Which film came first?"):
            client.post("/v1/memories/search", json={"query": text, "limit": LIMIT}).raise_for_status()


def ask(
    clients: Mapping[str, httpx2.Client],
    ids: Mapping[str, str],
    folder: Path,
    name: str,
    asked: Row,
    out: Path,
    every: int,
) -> list[float]:
    """Ask every question, write the run, and return what each took in milliseconds."""
    took = []
    out.mkdir(parents=True, exist_ok=True)
    with (out / f"{name}.run.jsonl").open("w", encoding="utf-8") as run:
        for question in list(lines(folder / name / "queries.jsonl"))[::every]:
            started = time.perf_counter()
            answer = clients[question["group"]].post("/v1/memories/search", json={"query": question["text"], **asked})
            took.append(1000 * (time.perf_counter() - started))
            answer.raise_for_status()
            told = answer.json()
            row = {
                "qid": question["qid"],
                "ranked": [ids[hit["memory"]["id"]] for hit in told["data"]],
                "ms": round(took[-1], 2),
                "scores": [hit["score"] for hit in told["data"]],
                "confidence": [hit["confidence"] for hit in told["data"]],
                "nothing": told["no_relevant_memory"],
            }
            run.write(json.dumps(row) + "\n")
    return took


def strangers(clients: Mapping[str, httpx2.Client], step: int) -> dict[str, httpx2.Client]:
    """Return for each group a client of the one that stands `step` further, where nothing answers its questions."""
    groups = list(clients)
    return {group: clients[groups[(at + step) % len(groups)]] for at, group in enumerate(groups)}


def variants(asked: Row, ablate: bool) -> dict[str, Row]:
    """Return the searches to compare by name: the one asked for and, when wanted, its ablations."""
    made = {"asked": asked}
    if ablate:
        made |= {mode: {"limit": LIMIT, "search_mode": mode} for mode in ("semantic", "keyword")}
        made["no-graph-no-entities"] = {"limit": LIMIT, "arms": ["vectors", "words", "session"]}
        made |= {f"no-{arm}": {"limit": LIMIT, "arms": [each for each in ARMS if each != arm]} for arm in ARMS}
    return made


def compare(folder: Path, out: Path, names: Sequence[str], ours: Sequence[str], against: str) -> None:
    """Print the kit's own figures for our runs, then means of all variants and of the reference rankers."""
    results = folder.resolve().parent / "results" / folder.name
    known = results.exists()
    print()
    scored(folder, out / ours[0], None, results if known else None, against, show=True)
    print(f"Mean of {', '.join(names)}: R@5 / R@10 / nDCG@10")
    for variant in ours:
        means(f"loci {variant}", scored(folder, out / variant), names)
    for system in REFERENCES if known else ():
        means(system, scored(folder, results, system), names)


def means(title: str, figures: Row, names: Sequence[str]) -> None:
    """Print the means over collections, when there is a figure for each."""
    rows = [figures[name]["by_category"]["ALL"] for name in names if name in figures]
    if len(rows) == len(names):
        print(f"{title:20s}" + " / ".join(f"{mean(rows, k):5.1f}" for k in ("R@5", "R@10", "nDCG@10")))


def scored(
    folder: Path,
    runs: Path,
    system: str | None = None,
    against: Path | None = None,
    other: str = "",
    show: bool = False,
) -> Row:
    """Run the kit's `score.py` and return what it wrote; `show` prints what it printed."""
    kit = folder.resolve().parent
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [
            sys.executable,
            str(kit / "score.py"),
            "--from",
            str(folder),
            "--run",
            str(runs),
            "--json",
            file.name,
        ]
        command += ["--run-system", system] if system else []
        command += ["--against", str(against.resolve()), "--system", other] if against else []
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=kit, env=environment)
        if show:
            print(done.stdout)
        figures: Row = json.loads(Path(file.name).read_text("utf-8"))
        return figures


def mean(rows: Sequence[Row], key: str) -> float:
    """Return the mean of a figure over collections, in percent."""
    return 100 * statistics.fmean(row[key] for row in rows)


def times(ms: Sequence[float]) -> str:
    """Return p50 and p95 as a sentence's end."""
    cuts = statistics.quantiles(ms, n=100, method="inclusive") if len(ms) > 1 else [0.0] * 99
    return f", p50 {statistics.median(ms):.1f} ms, p95 {cuts[94]:.1f} ms"


def cut(docs: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Cut into batches as large as the route takes."""
    for at in range(0, len(docs), BATCH):
        yield docs[at : at + BATCH]


def lines(path: Path) -> Iterator[Row]:
    """Read a file of JSON lines."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


if __name__ == "__main__":
    main()

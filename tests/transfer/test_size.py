"""A hundredth of `make bench-transfer`: the same counts, the same answers, and no more memory for more of it."""

from __future__ import annotations

import io
import tracemalloc

import pytest

from app.services.transfer.export import Export
from app.services.transfer.imports import Import
from app.state import State
from bench.latency import questions, sentences
from graph.tenants import Owner
from tests.callers import Caller
from tests.transfer.conftest import contents, same

pytestmark = pytest.mark.slow

MEMORIES = 1_000
# Of a stretch and its lines many times over, and far below the whole file.
MOST_BYTES = 12_000_000


def test_a_thousand_memories_come_through(caller: Caller, stranger: Caller, parts: State) -> None:
    texts = list(sentences(MEMORIES, seed=1))
    for first in range(0, MEMORIES, 50):
        items = [{"content": text} for text in texts[first : first + 50]]
        assert caller.post("/v1/memories/batch", {"agent_id": "bench", "memories": items}).get_json()["failed"] == 0
    file = io.BytesIO()
    export = Export(parts.graph, Owner(caller.tenant), parts.space, vectors=True)
    tracemalloc.start()
    held = 0
    for stretch in export.stretches(export.header("default")):
        file.write(stretch.lines)
        _, peak = tracemalloc.get_traced_memory()
        held = max(held, peak - file.tell())
        tracemalloc.reset_peak()
    assert held < MOST_BYTES
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    report = Import(parts, Owner(stranger.tenant), file).run()
    assert tracemalloc.get_traced_memory()[1] - before < MOST_BYTES
    tracemalloc.stop()
    assert report.made["Memory"] == MEMORIES
    same(contents(parts, caller.tenant), contents(parts, stranger.tenant))
    asked = questions(20, seed=5)
    hits = [
        [{hit["memory"]["id"] for hit in one.search(question, limit=10)} for question in asked]
        for one in (caller, stranger)
    ]
    alike = sum(len(mine & theirs) for mine, theirs in zip(*hits, strict=True))
    # Both lie in one index here, which looks for what is near and not at everything; a server of its own gives all.
    assert alike >= 0.9 * sum(map(len, hits[0]))

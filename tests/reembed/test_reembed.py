"""Another model for everything stored: nothing is lost, nothing is mixed, and it can be cut off anywhere."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from app.embeddings.hashing import HashingEmbedder
from app.services import overlap, refill
from app.services.overlap import Side
from app.services.reembed import Held, Reembed, ReembedError, begun, checked, opened
from app.space_watch import SpaceWatch
from graph import reembed as records
from graph.labels import VECTOR_SLOTS, other_slot
from graph.migrations import index_states
from graph.reembed import READY, SWITCHED, Lease, current
from tests.callers import Caller
from tests.contract.test_sealed import in_clear, sealed_caller
from tests.graph.test_memory_windows import long_text
from tests.reembed.conftest import Site

STRETCH = 7


class CutOff(Exception):
    """Stands for a process that is killed."""


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Walks that take several stretches, through the middle of a tenant."""
    monkeypatch.setattr(refill, "STRETCH", STRETCH)


def everything(caller: Caller) -> dict[str, str]:
    """Store one of everything that has a vector, and return words to find each by."""
    for n in range(10):
        caller.remember(f"filler about harbour{n} and lighthouse{n}")
    edited = caller.remember("the walrus sleeps")["id"]
    caller.put(f"/v1/memories/{edited}", {"content": "the narwhal dives"})
    caller.remember(long_text("the zebra crossing was painted yellow"))
    caller.post("/v1/decisions", {"title": "choose granite", "rationale": "granite lasts longer", "agent_id": "iris"})
    body = {"title": "retry politely", "description": "retry politely with pauses", "category": "network"}
    assert caller.post("/v1/patterns", body).status_code == 201
    return {"memory": "narwhal dives", "decision": "choose granite", "pattern": "retry politely"}


def semantic(caller: Caller, query: str) -> list[str]:
    """Return the texts that meaning alone finds, nearest first."""
    hits = caller.search(query, search_mode="semantic", limit=3)
    return [hit["memory"]["content"] for hit in hits]


def filled(site: Site, work: Reembed) -> set[str]:
    """Return the texts of this tenant's memories that have a vector of the new model."""
    rows = site.graph.read(
        f"CYPHER 25 MATCH (m:Memory {{tenant: $tenant}}) WHERE m.{VECTOR_SLOTS[work.record.slot][0]} IS NOT NULL "
        "RETURN m.content AS text",
        tenant=site.caller.tenant,
    )
    return {str(row["text"]) for row in rows}


class TestWhole:
    def test_everything_is_found_by_the_new_model_and_nothing_of_the_old_is_left(self, site: Site) -> None:
        words = everything(site.caller)
        before = site.space
        site.reembed()
        after = site.space
        assert (after.identity, after.dimensions, after.slot) == (
            site.target.identity, site.length, other_slot(before.slot)
        )  # fmt: skip
        assert before.identity in after.former
        assert current(site.graph) is None
        assert (site.lacking(), site.left_behind()) == (0, 0)
        assert site.numbers("WHERE n.embedding_model <> '" + after.identity + "' RETURN count(n)") == 0
        states = index_states(site.graph)
        assert VECTOR_SLOTS[before.slot][1] not in states
        assert states[VECTOR_SLOTS[after.slot][1]] == "ONLINE"
        assert site.numbers("WHERE n:MemoryWindow RETURN count(n)") == 2
        assert site.numbers("WHERE n:MemoryVersion RETURN count(n)") == 1
        SpaceWatch(site.parts, lambda parts: site.app.extensions.__setitem__("loci", parts)).refresh()
        caller = site.caller
        assert semantic(caller, words["memory"])[0] == "the narwhal dives"
        found = caller.get("/v1/decisions/check", query_string={"query": words["decision"]}).get_json()["data"]
        assert found[0]["decision"]["title"] == words["decision"]
        found = caller.get("/v1/patterns/search", query_string={"query": words["pattern"]}).get_json()["data"]
        assert found[0]["pattern"]["title"] == words["pattern"]

    def test_of_encrypted_namespaces(self, site: Site) -> None:
        callers = [sealed_caller(site.app, site.parts) for _ in range(3)]
        for caller in callers:
            words = everything(caller)
        site.reembed()
        SpaceWatch(site.parts, lambda parts: site.app.extensions.__setitem__("loci", parts)).refresh()
        for caller in callers:
            assert in_clear(site.parts, caller.tenant, "narwhal") == {}
            assert semantic(caller, words["memory"])[0] == "the narwhal dives"
            assert "zebra crossing" in semantic(caller, "the zebra crossing was painted yellow")[0]

    def test_and_back_again(self, site: Site) -> None:
        everything(site.caller)
        first = site.space
        site.reembed()
        site.length = first.dimensions
        site.reembed()
        assert (site.space.identity, site.space.slot) == (first.identity, first.slot)
        assert first.identity not in site.space.former
        assert (site.lacking(), site.left_behind()) == (0, 0)

    def test_tells_how_far_it_is_once_for_each_node(self, site: Site) -> None:
        everything(site.caller)
        told: list[int] = []
        work = site.begin()
        work.tell = told.append
        work.fill()
        assert sum(told) == work.total == work.done
        work.lease.give_back()

    def test_finds_how_far_both_models_agree(self, site: Site) -> None:
        for n in range(30):
            site.caller.remember(f"entry number{n} about tide{n % 5} and moon{n % 7}")
        work = site.begin()
        work.fill()
        found = work.overlap(site.parts.embedder)
        assert found.asked > 10
        assert 0 <= found.worst <= found.mean <= 1
        assert found.mean > 0.3
        same = Side(site.target, work.record.slot)
        assert overlap.measure(site.graph, same, same).worst == 1.0
        assert "same" in str(found)
        work.lease.give_back()

    def test_compares_nothing_where_everything_is_among_the_first(self, site: Site) -> None:
        assert "too few" in str(overlap.Overlap(0, 0.0, 0.0))


class TestBesideWriters:
    def test_nothing_written_meanwhile_fails_or_is_lost(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(refill, "STRETCH", 50)
        everything(site.caller)
        watch = SpaceWatch(site.parts, lambda parts: site.app.extensions.__setitem__("loci", parts))
        site.app.extensions["loci_space"] = watch
        stop, kept, failed = threading.Event(), {}, []

        def write(writer: int) -> None:
            for n in range(100_000):
                if stop.is_set():
                    return
                word = f"w{writer}n{n}"
                text = f"{word}x {word}y {word}z {word}q"
                answer = site.caller.post("/v1/memories", {"content": text, "agent_id": "w"})
                if answer.status_code != 201:
                    failed.append(answer.get_json())
                    continue
                id = answer.get_json()["id"]
                if n % 3 == 0:
                    text = f"{word}k {word}l {word}m {word}o"
                    answer = site.caller.put(f"/v1/memories/{id}", {"content": text})
                    if answer.status_code != 200:
                        failed.append(answer.get_json())
                kept[id] = text
                time.sleep(0.05)

        writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
        for writer in writers:
            writer.start()
        try:
            site.reembed()
        finally:
            stop.set()
            for writer in writers:
                writer.join()
        assert failed == []
        assert len(kept) > 20
        watch.refresh()
        assert site.parts.space.identity == site.target.identity
        assert (site.lacking(), site.left_behind()) == (0, 0)
        for text in list(kept.values())[:: max(1, len(kept) // 40)]:
            assert semantic(site.caller, text)[0] == text

    def test_a_text_that_changes_after_it_was_filled_is_filled_again(self, site: Site) -> None:
        id = site.caller.remember("the walrus sleeps")["id"]
        work = site.begin()
        work.fill()
        site.caller.put(f"/v1/memories/{id}", {"content": long_text("the narwhal dives")})
        other = VECTOR_SLOTS[work.record.slot][0]
        assert site.numbers(f"WHERE n:Memory AND n.{other} IS NOT NULL RETURN count(n)") == 0
        work.switch()
        work.finish()
        assert (site.lacking(), site.left_behind()) == (0, 0)
        stored = site.numbers("WHERE n:MemoryWindow RETURN count(n)")
        assert stored == 2

    def test_a_text_that_changes_while_it_is_embedded_does_not_get_the_vector_of_before(self, site: Site) -> None:
        id = site.caller.remember("the walrus sleeps")["id"]
        work = site.begin()

        class Slow(HashingEmbedder):
            def embed_documents(self, texts: Any) -> Any:
                if "the walrus sleeps" in texts:
                    site.caller.put(f"/v1/memories/{id}", {"content": "the narwhal dives"})
                return super().embed_documents(texts)

        work.embedder = Slow(site.length)
        work.fill()
        prop = VECTOR_SLOTS[work.record.slot][0]
        rows = site.graph.read(
            f"CYPHER 25 MATCH (m:Memory {{tenant: $tenant}}) RETURN m.content AS text, m.{prop} AS v",
            tenant=site.caller.tenant,
        )
        expected = HashingEmbedder(site.length).embed_documents(["the narwhal dives"])[0].tolist()
        assert [row["text"] for row in rows] == ["the narwhal dives"]
        assert rows[0]["v"] in (None, pytest.approx(expected, abs=1e-6))
        work.lease.give_back()


class TestCutOff:
    def test_while_filling_it_is_gone_on_with_and_embeds_nothing_twice(self, site: Site) -> None:
        everything(site.caller)
        mine = {site.caller.remember(f"tag{site.length} number{n}")["content"] for n in range(20)}
        work = site.begin()

        def tell(count: int) -> None:
            if 0 < len(filled(site, work) & mine) < len(mine):
                raise CutOff

        work.tell = tell
        with pytest.raises(CutOff), work.beating():
            work.fill()
        done = filled(site, work)
        again, texts = site.begin(), list[str]()

        class Noting(HashingEmbedder):
            def embed_documents(self, given: Any) -> Any:
                texts.extend(given)
                return super().embed_documents(given)

        again.embedder = Noting(site.length)
        again.fill()
        again.switch()
        again.finish()
        assert (site.lacking(), site.left_behind()) == (0, 0)
        assert 0 < len(done & mine) < len(mine)
        assert set(texts) & mine == mine - done
        assert len([text for text in texts if text in mine]) == len(mine - done)

    def test_after_the_switch_it_is_finished(self, site: Site) -> None:
        everything(site.caller)
        work = site.begin()
        work.fill()
        work.switch()
        work.lease.give_back()
        assert site.left_behind() > 0
        record, lease = opened(site.graph)
        assert record.state == SWITCHED
        Reembed(site.graph, record, lease, embedder=site.target, pace=work.pace).finish()
        assert current(site.graph) is None
        assert (site.lacking(), site.left_behind()) == (0, 0)

    def test_undone_it_leaves_everything_as_it_was(self, site: Site) -> None:
        words = everything(site.caller)
        before = site.space
        windows = site.numbers("WHERE n:MemoryWindow RETURN count(n)")
        work = site.begin()
        work.fill()
        work.abort()
        assert site.space == before
        assert current(site.graph) is None
        assert (site.lacking(), site.left_behind()) == (0, 0)
        assert site.numbers("WHERE n:MemoryWindow RETURN count(n)") == windows
        assert VECTOR_SLOTS[work.record.slot][1] not in index_states(site.graph)
        assert semantic(site.caller, words["memory"])[0] == "the narwhal dives"

    def test_a_killed_process_loses_its_lease(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(records, "LEASE_MS", 600)
        first = site.begin()
        record, lease = opened(site.graph)
        assert lease.holder != first.lease.holder
        assert not first.lease.beat(0, 0)
        with pytest.raises(ReembedError, match="taken this reembed over"):
            first.turn(READY)
        assert not first.lease.switch()
        assert record == current(site.graph)
        lease.give_back()


class TestRefusals:
    def test_the_model_in_force(self, site: Site) -> None:
        with pytest.raises(ReembedError, match="holds the vectors of hashing:"):
            checked(site.graph, HashingEmbedder(site.space.dimensions), site.space)

    def test_vectors_that_the_index_cannot_hold(self, site: Site) -> None:
        with pytest.raises(ReembedError, match="Neo4j indexes 4096"):
            checked(site.graph, HashingEmbedder(5000), site.space)

    def test_another_model_before_the_first_is_done(self, site: Site) -> None:
        site.begin().lease.give_back()
        with pytest.raises(ReembedError, match="another model is unfinished"):
            begun(site.graph, HashingEmbedder(site.length + 1000), "", site.space)

    def test_a_second_one_beside_the_first(self, site: Site) -> None:
        work = site.begin()
        with work.beating(), pytest.raises(ReembedError, match="running already"):
            opened(site.graph)

    def test_to_go_on_with_none(self, site: Site) -> None:
        with pytest.raises(ReembedError, match="No reembed is under way"):
            opened(site.graph)

    def test_to_undo_what_is_in_force(self, site: Site) -> None:
        work = site.begin()
        work.fill()
        work.switch()
        work.lease.give_back()
        with pytest.raises(ReembedError, match="in force already"):
            Held(site.graph, *opened(site.graph)).abort()
        site.graph.write("CYPHER 25 MATCH (r:SchemaVersion {name: 'reembed'}) REMOVE r.holder")

    def test_to_switch_before_servers_were_told(self, site: Site) -> None:
        work = site.begin()
        before = site.space
        assert not work.lease.switch()
        assert site.space == before
        assert not Lease(site.graph, "somebody else").switch()
        work.lease.give_back()

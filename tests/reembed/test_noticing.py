"""Servers that run while the model is changed, and servers that start afterwards with the settings of before."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from app.bootstrap import build_state, embedder_in_force, embedder_of
from app.embeddings import EmbedderUnavailable
from app.embeddings.hashing import HashingEmbedder
from app.embeddings.spec import ModelSpec
from app.services.complete import Outrun
from app.services.remember import WINDOWS
from app.space_watch import SpaceWatch, watch
from app.state import State
from app.workers.embed_pending import Owner, Worker
from graph.errors import Moved, Unsupported
from graph.jobs import JobRepository
from graph.reembed import READY
from tests.callers import error_of
from tests.graph.test_memory_windows import long_text
from tests.reembed.conftest import PROPERTY, SETTINGS, Site
from tests.workers.test_embed_pending import lease


def watching(site: Site) -> SpaceWatch:
    """Return a watch that looks when it is told to."""
    made = SpaceWatch(site.parts, lambda parts: site.app.extensions.__setitem__("loci", parts))
    site.app.extensions["loci_space"] = made
    return made


def write_everywhere(site: Site) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Return one request for each way to write a vector, on things that exist already."""
    caller = site.caller
    memory = caller.remember("the walrus sleeps")["id"]
    decision = caller.post("/v1/decisions", {"title": "granite", "rationale": "lasts", "agent_id": "iris"}).get_json()
    pattern = caller.post("/v1/patterns", {"title": "retry", "description": "politely", "category": "x"}).get_json()
    many = {"memories": [{"content": "one of two", "agent_id": "iris"}, {"content": "two of two", "agent_id": "iris"}]}
    return {
        "store": ("POST", "/v1/memories", {"content": "the narwhal dives", "agent_id": "iris"}),
        "store in a session": (
            "POST", "/v1/memories",
            {"content": "in a session", "agent_id": "iris", "session_id": caller.post("/v1/sessions", {}).json["id"]},  # type: ignore[index]
        ),
        "batch": ("POST", "/v1/memories/batch", many),
        "edit": ("PUT", f"/v1/memories/{memory}", {"content": long_text("the narwhal dives")}),
        "decide": ("POST", "/v1/decisions", {"title": "marble", "rationale": "shines", "agent_id": "iris"}),
        "amend": ("PATCH", f"/v1/decisions/{decision['id']}", {"rationale": "lasts for ever"}),
        "pattern": ("POST", "/v1/patterns", {"title": "cache", "description": "for a minute", "category": "x"}),
        "amend pattern": ("PATCH", f"/v1/patterns/{pattern['id']}", {"description": "with pauses"}),
    }  # fmt: skip


class TestRunningServers:
    def test_take_the_new_model_over_without_a_restart(self, site: Site) -> None:
        site.caller.remember("the walrus sleeps")
        found = watching(site)
        assert found.refresh().space.dimensions != site.length
        site.reembed()
        found.refresh()
        assert site.parts.embedder.identity == site.parts.space.identity == site.target.identity
        assert site.caller.search("walrus", search_mode="semantic")[0]["memory"]["content"] == "the walrus sleeps"
        health = site.caller.get("/v1/health").get_json()
        assert health["embedding_info"] == {"provider": f"hashing:{site.length}", "dimension": site.length}

    def test_look_by_themselves(self, site: Site) -> None:
        stop = threading.Event()
        made = watch(site.app, stop)
        site.reembed()
        made.refresh()  # or its thread, whichever comes first
        assert site.parts.space.identity == site.target.identity
        stop.set()

    def test_load_the_model_before_it_is_in_force_and_let_go_of_one_that_will_not_be(self, site: Site) -> None:
        found = watching(site)
        before = site.parts
        work = site.begin()
        work.fill()
        work.turn(READY)
        found.refresh()
        ready = found._next
        assert ready is not None
        assert ready.embedder.identity == site.target.identity
        assert site.parts is before
        work.abort()
        found.refresh()
        assert found._next is None
        with pytest.raises(EmbedderUnavailable):
            ready.embedder.embed_query("closed")
        assert site.caller.search("anything") == []

    def test_keep_the_former_model_for_what_still_uses_it(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        found = watching(site)
        former = site.parts.embedder
        site.reembed()
        found.refresh()
        former.embed_query("a request that began before")
        monkeypatch.setattr("app.space_watch.KEPT_SECONDS", -1.0)
        found.refresh()
        with pytest.raises(EmbedderUnavailable):
            former.embed_query("closed")

    def test_keep_caches_and_counts(self, site: Site) -> None:
        found, before = watching(site), site.parts
        site.reembed()
        after = found.refresh()
        assert after.ledger is before.ledger
        assert after.sequence is before.sequence


class TestLateWriters:
    @pytest.mark.parametrize(
        "way", ["store", "store in a session", "batch", "edit", "decide", "amend", "pattern", "amend pattern"]
    )
    def test_are_done_again_with_the_new_model_unnoticed(self, site: Site, way: str) -> None:
        verb, path, body = write_everywhere(site)[way]
        site.fall_behind()
        watching(site)
        answer = site.caller.call(verb, path, body)
        assert answer.status_code in (200, 201), answer.get_json()
        assert site.parts.space.slot == site.space.slot
        assert (site.lacking(), site.left_behind()) == (0, 0)

    @pytest.mark.parametrize("way", ["store", "batch", "edit", "decide", "amend", "pattern", "amend pattern"])
    def test_write_nothing_where_the_new_model_cannot_be_had(self, site: Site, way: str) -> None:
        verb, path, body = write_everywhere(site)[way]
        site.fall_behind()
        nodes = site.numbers("WHERE n:Searchable RETURN count(n)")
        error = error_of(site.caller.call(verb, path, body), 503)
        assert error["message"] == "The embedding model was changed a moment ago; try again"
        assert site.numbers("WHERE n:Searchable RETURN count(n)") == nodes
        assert site.left_behind() == 0

    def test_pinned_to_one_state_a_request_mixes_no_models(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        site.caller.remember("the walrus sleeps")
        site.fall_behind()
        found = watching(site)
        embed = HashingEmbedder.embed_query

        def switched_meanwhile(self: HashingEmbedder, text: str) -> Any:
            found.refresh()
            return embed(self, text)

        monkeypatch.setattr(HashingEmbedder, "embed_query", switched_meanwhile)
        # The old index is gone: what is asked with the old model's state is refused, never answered from the new index.
        answer = site.caller.post("/v1/memories/search", {"query": "walrus", "search_mode": "semantic"})
        assert answer.status_code == 503
        assert site.caller.search("walrus", search_mode="semantic")[0]["memory"]["content"] == "the walrus sleeps"

    def test_a_worker_that_is_late_does_its_job_later(self, site: Site) -> None:
        site.caller.remember(long_text("the end", words=2000))
        site.caller.post("/v2/memories", {"content": "accepted", "agent_id": "iris"})
        stale = site.fall_behind()
        worker = Worker()
        jobs = lease(stale, site.caller, worker.holder)
        assert {job["kind"] for job in jobs} == {"embed", WINDOWS}
        worker.work_for(stale, Owner(site.caller.tenant), jobs)
        assert site.left_behind() == 0
        states = {job["state"] for job in JobRepository(site.graph, site.caller).list(10**15, "", 0, 10)}
        assert states == {"queued"}
        fresh = watching(site).refresh()
        site.graph.write(
            "CYPHER 25 MATCH (j:Job {tenant: $tenant}) SET j.run_at = 0 RETURN 1", tenant=site.caller.tenant
        )
        worker.work_for(fresh, Owner(site.caller.tenant), lease(fresh, site.caller, worker.holder))
        assert (site.lacking(), site.left_behind()) == (0, 0)
        assert site.numbers("WHERE n:MemoryWindow RETURN count(n)") > 10
        assert site.numbers(f"WHERE n:Memory AND n.{PROPERTY[site.space.slot]} IS NOT NULL RETURN count(n)") == 2


class TestStartingServers:
    def in_force(self, site: Site, **settings: Any) -> State:
        """Start with these settings."""
        chosen = replace(SETTINGS, **settings)
        return build_state(chosen, site.graph, embedder_in_force(chosen, site.graph))

    def test_with_the_former_settings_go_on_with_the_new_model(self, site: Site) -> None:
        before = site.space.dimensions
        site.reembed()
        found = self.in_force(site, embedding_dimensions=before)
        assert found.embedder.identity == site.target.identity
        assert found.space.slot == site.space.slot

    def test_with_settings_that_name_no_model_go_on_with_the_new_one(self, site: Site) -> None:
        site.reembed()
        chosen = replace(SETTINGS, embedder="local")
        assert embedder_in_force(chosen, site.graph).identity == site.target.identity

    def test_with_a_third_model_are_refused(self, site: Site) -> None:
        site.reembed()
        with pytest.raises(Unsupported, match="loci reembed"):
            self.in_force(site, embedding_dimensions=1999)

    def test_with_another_length_of_the_same_model_are_refused(self, site: Site) -> None:
        class Longer(HashingEmbedder):
            identity = site.space.identity

        with pytest.raises(Unsupported, match="but the model answers 64 now"):
            build_state(SETTINGS, site.graph, Longer(64))

    def test_build_any_model_that_the_database_may_name(self) -> None:
        assert embedder_of(SETTINGS, ModelSpec("hashing", dimensions=77)).dimensions == 77
        remote = replace(SETTINGS, openai_base_url="http://127.0.0.1:9/v1")
        assert embedder_of(remote, ModelSpec("openai", "some-model", dimensions=12)).name == "openai:some-model"


def test_moved_is_said_so_that_clients_try_again() -> None:
    assert Moved().retry_after == 1
    assert not isinstance(Moved(), Outrun)

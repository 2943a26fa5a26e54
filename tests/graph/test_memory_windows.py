"""Windows in the graph: they stand and fall with their memory, and pass the same filters as it does."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from app.clock import now_ms
from app.embeddings.hashing import HashingEmbedder
from app.services import maintain
from app.state import State
from app.workers import purge_expired
from graph import labels
from graph.driver import Graph
from graph.recall import RecallRepository
from tests.callers import Caller
from tests.contract import cypher
from tests.workers.test_embed_pending import accepted, work_off

pytestmark = pytest.mark.usefixtures("caller")

WINDOWS = """
CYPHER 25
MATCH (w:MemoryWindow:Searchable {tenant: $tenant})-[:WINDOW_OF]->(m:Memory)
RETURN w, m, w.embedding IS NOT NULL AS has_vector ORDER BY m.id, w.number
"""
COUNT = "CYPHER 25 MATCH (w:MemoryWindow {tenant: $tenant}) RETURN count(w) AS total"
NEAREST = """
CYPHER 25
MATCH (w:Searchable)
SEARCH w IN (VECTOR INDEX memory_vectors FOR $probe
  WHERE w.tenant = $tenant AND w.kind = 'window' AND w.current = true LIMIT 3) SCORE AS x
RETURN w.number AS number, x
"""
KEPT = set(labels.VECTOR_FILTERS) - {"tenant", "kind"}


def long_text(last: str, words: int = 300, first: str = "diary") -> str:
    """Return a text whose own vector knows nothing of its `last` words: two windows long."""
    return " ".join([first, *(f"day{number}" for number in range(words)), last])


def windows(graph: Graph, tenant: str) -> list[dict[str, Any]]:
    """Return the windows of a tenant with their memories."""
    return graph.read(WINDOWS, tenant=tenant)


def count(graph: Graph, tenant: str) -> int:
    """Return how many windows a tenant has, tied to a memory or not."""
    return int(graph.read(COUNT, tenant=tenant)[0]["total"])


class TestMaking:
    def test_a_long_memory_has_them_as_soon_as_it_is_stored(self, caller: Caller, parts: State) -> None:
        text = long_text("zebra crossing painted")
        caller.remember(text, importance=0.9, user_id="u1")
        found = windows(parts.graph, caller.tenant)
        assert [row["w"]["number"] for row in found] == [2, 3]
        assert all(row["has_vector"] for row in found)
        assert text[found[-1]["w"]["start"] : found[-1]["w"]["end"]].endswith("zebra crossing painted")

    def test_they_carry_all_that_searches_filter_by_and_no_words(self, caller: Caller, parts: State) -> None:
        session = caller.post("/v1/sessions", {}).get_json()["id"]
        caller.remember(
            long_text("end"), importance=0.9, user_id="u1", session_id=session, project="kettle", memory_type="fact"
        )
        for row in windows(parts.graph, caller.tenant):
            assert row["w"]["kind"] == "window"
            assert {name: row["w"][name] for name in KEPT} == {name: row["m"][name] for name in KEPT}
            assert not {"content", "title", "date_words", "scope_tokens", "metadata"} & row["w"].keys()
            assert {"id", "created_at", "updated_at", "version", "name"} <= row["w"].keys()

    def test_a_short_memory_has_none(self, caller: Caller, parts: State) -> None:
        caller.remember("short and sweet")
        assert count(parts.graph, caller.tenant) == 0

    def test_a_batch_gets_them_too(self, caller: Caller, parts: State) -> None:
        body = {"memories": [{"content": long_text(f"end{n}"), "agent_id": "iris"} for n in range(3)]}
        assert caller.post("/v1/memories/batch", body).get_json()["succeeded"] == 3
        assert count(parts.graph, caller.tenant) == 6

    def test_the_worker_makes_those_of_very_long_ones(self, caller: Caller, parts: State) -> None:
        caller.remember(long_text("quagga", words=2000))
        assert count(parts.graph, caller.tenant) == 0
        work_off(parts, caller)
        assert count(parts.graph, caller.tenant) > 10
        (job,) = caller.get("/v2/jobs").get_json()["data"]
        assert (job["kind"], job["state"]) == ("windows", "done")

    @pytest.mark.parametrize("words", [300, 2000])
    def test_accepted_memories_get_them_from_the_worker(self, caller: Caller, parts: State, words: int) -> None:
        accepted(caller, long_text("end", words=words))
        work_off(parts, caller)
        work_off(parts, caller)
        assert count(parts.graph, caller.tenant) > 1

    def test_meaning_finds_them_under_their_own_kind(self, caller: Caller, parts: State) -> None:
        caller.remember(long_text("the zebra crossing was painted"))
        probe = HashingEmbedder().embed_query("painted zebra crossing").tolist()
        found = parts.graph.read(NEAREST, tenant=caller.tenant, probe=probe)
        assert found[0]["number"] == 3
        assert found[0]["x"] > found[1]["x"]

    def test_no_text_search_counts_them(self, caller: Caller, parts: State) -> None:
        caller.remember(long_text("zebra"))
        within = f"+scope_tokens:{labels.scope_token('tenant', caller.tenant)}^0"
        recall = RecallRepository(parts.graph, caller, parts.space.slot)
        assert recall.counts([f"{within} +content:zebra", f"{within}"], 100)[0][0] == 1
        assert recall.counts([within], 100)[0][0] == 1


def archive(caller: Caller, id: str, parts: State) -> None:
    caller.post(f"/v1/memories/{id}/archive")


def unarchive(caller: Caller, id: str, parts: State) -> None:
    archive(caller, id, parts)
    caller.post(f"/v1/memories/{id}/unarchive")


def importance(caller: Caller, id: str, parts: State) -> None:
    caller.put(f"/v1/memories/{id}/importance", {"importance": 0.1})


def edit(caller: Caller, id: str, parts: State) -> None:
    changes = {"importance": 0.95, "tier": "cold", "memory_type": "fact", "visibility": "confidential"}
    caller.put(f"/v1/memories/{id}", {**changes, "occurred_at": 1_600_000_000, "expires_at": 4_000_000_000})


def supersede(caller: Caller, id: str, parts: State) -> None:
    caller.remember("short", supersedes=id)


def leave_session(caller: Caller, id: str, parts: State) -> None:
    session = caller.get(f"/v1/memories/{id}").get_json()["session_id"]
    caller.delete(f"/v1/sessions/{session}")


def leave_project(caller: Caller, id: str, parts: State) -> None:
    caller.delete("/v1/projects/kettle")


def demote(caller: Caller, id: str, parts: State) -> None:
    parts.graph.write(
        "CYPHER 25 MATCH (m:Memory {tenant: $tenant}) SET m.tier = 'warm', m.importance = 0.3", tenant=caller.tenant
    )
    assert maintain.demote_cold(parts, caller)["demoted_count"] == 1  # type: ignore[arg-type]


def archive_cold(caller: Caller, id: str, parts: State) -> None:
    parts.graph.write(
        "CYPHER 25 MATCH (m:Memory {tenant: $tenant}) SET m.tier = 'cold', m.updated_at = 0, m.created_at = 0",
        tenant=caller.tenant,
    )
    assert maintain.demote_cold(parts, caller)["archived_count"] == 1  # type: ignore[arg-type]


def extract(caller: Caller, id: str, parts: State) -> None:
    caller.post(f"/v1/memories/{id}/extract-entities")


CHANGES = [
    archive, unarchive, importance, edit, supersede, leave_session, leave_project, demote, archive_cold, extract,
]  # fmt: skip


class TestKeeping:
    @pytest.mark.parametrize("change", CHANGES, ids=lambda each: each.__name__)
    def test_they_follow_every_change_of_what_searches_filter_by(
        self, caller: Caller, parts: State, change: Callable[[Caller, str, State], None]
    ) -> None:
        session = caller.post("/v1/sessions", {}).get_json()["id"]
        id = caller.remember(long_text("end"), session_id=session, project="kettle", importance=0.5)["id"]
        before = windows(parts.graph, caller.tenant)[0]["m"]
        change(caller, id, parts)
        found = windows(parts.graph, caller.tenant)
        assert len(found) == 2
        assert found[0]["m"] != before
        for row in found:
            assert {name: row["w"][name] for name in KEPT} == {name: row["m"][name] for name in KEPT}

    def test_a_new_text_gets_new_ones(self, caller: Caller, parts: State) -> None:
        id = caller.remember(long_text("zebra"))["id"]
        before = {row["w"]["id"] for row in windows(parts.graph, caller.tenant)}
        caller.put(f"/v1/memories/{id}", {"content": long_text("quagga")})
        after = {row["w"]["id"] for row in windows(parts.graph, caller.tenant)}
        assert len(after) == 2
        assert not before & after

    def test_a_short_new_text_takes_them_away(self, caller: Caller, parts: State) -> None:
        id = caller.remember(long_text("zebra"))["id"]
        caller.put(f"/v1/memories/{id}", {"content": "short"})
        assert count(parts.graph, caller.tenant) == 0

    def test_the_same_text_again_keeps_them(self, caller: Caller, parts: State) -> None:
        id = caller.remember(long_text("zebra"))["id"]
        before = {row["w"]["id"] for row in windows(parts.graph, caller.tenant)}
        caller.put(f"/v1/memories/{id}", {"content": long_text("zebra"), "importance": 0.8})
        assert {row["w"]["id"] for row in windows(parts.graph, caller.tenant)} == before

    def test_an_edit_before_the_worker_comes_is_what_it_works_on(self, caller: Caller, parts: State) -> None:
        id = caller.remember(long_text("zebra", words=2000))["id"]
        caller.put(f"/v1/memories/{id}", {"content": long_text("quagga", words=1500)})
        work_off(parts, caller)
        (end,) = {row["m"]["content"][row["w"]["start"] :] for row in windows(parts.graph, caller.tenant)[-1:]}
        assert end.endswith("quagga")

    def test_another_tenants_windows_stay_as_they_are(self, caller: Caller, stranger: Caller, parts: State) -> None:
        stranger.remember(long_text("end"))
        before = windows(parts.graph, stranger.tenant)
        caller.post("/v1/memories/bulk-delete", {"agent_id": "iris", "dry_run": False})
        assert windows(parts.graph, stranger.tenant) == before


def delete_one(caller: Caller, id: str, parts: State) -> None:
    caller.delete(f"/v1/memories/{id}")


def delete_bulk(caller: Caller, id: str, parts: State) -> None:
    caller.post("/v1/memories/bulk-delete", {"ids": [id], "dry_run": False})


def delete_agent(caller: Caller, id: str, parts: State) -> None:
    caller.delete(f"/v1/agents/{caller.get(f'/v1/memories/{id}').get_json()['agent_id']}")


def delete_session(caller: Caller, id: str, parts: State) -> None:
    session = caller.get(f"/v1/memories/{id}").get_json()["session_id"]
    caller.delete(f"/v1/sessions/{session}?memories=delete")


def delete_project(caller: Caller, id: str, parts: State) -> None:
    caller.delete("/v1/projects/kettle?memories=delete")


def expire(caller: Caller, id: str, parts: State) -> None:
    parts.graph.write(
        "CYPHER 25 MATCH (m:Memory {tenant: $tenant, id: $id}) SET m.expires_at = $past",
        tenant=caller.tenant, id=id, past=now_ms() - 10**12,
    )  # fmt: skip
    while purge_expired.work(parts):
        pass


class TestDeleting:
    @pytest.mark.parametrize(
        "delete",
        [delete_one, delete_bulk, delete_agent, delete_session, delete_project, expire],
        ids=lambda each: each.__name__,
    )
    def test_they_go_with_their_memory_however_it_goes(
        self, caller: Caller, parts: State, delete: Callable[[Caller, str, State], None]
    ) -> None:
        session = caller.post("/v1/sessions", {}).get_json()["id"]
        id = caller.remember(long_text("end"), session_id=session, project="kettle")["id"]
        assert count(parts.graph, caller.tenant) == 2
        delete(caller, id, parts)
        assert caller.get(f"/v1/memories/{id}").status_code == 404
        assert count(parts.graph, caller.tenant) == 0

    def test_a_job_that_comes_too_late_makes_none(self, caller: Caller, parts: State) -> None:
        id = caller.remember(long_text("end", words=2000))["id"]
        caller.delete(f"/v1/memories/{id}")
        work_off(parts, caller)
        assert count(parts.graph, caller.tenant) == 0


def filter_setters() -> dict[str, str]:
    """Return the queries that change a property of an existing memory that searches filter by."""
    found = {}
    for name, query in cypher.every_query().items():
        created = set(re.findall(r"(?:CREATE|MERGE) \((\w+):Memory\b", query))
        bound = set(re.findall(r"\((\w+):Memory\b", query)) - created
        for variable in bound:
            sets = re.findall(rf"\b{variable}\.(\w+) = (?!{variable}\.\1\b)", " ".join(re.findall(SET, query)))
            if KEPT & set(sets) or re.search(rf"SET[^\n]*\b{variable} \+= ", query):
                found[name] = query
    return found


SET = r"\bSET ((?:.|\n(?!\w))*)"


class TestEveryQuery:
    def test_that_changes_what_searches_filter_by_changes_the_windows_too(self) -> None:
        found = filter_setters()
        assert {"graph.memories.UPDATE", "graph.memories.SET_VECTOR", "graph.memory_history.SUPERSEDE"} <= set(found)
        assert {"graph.memory_care.DEMOTE", "graph.memory_care.ARCHIVE", "graph.sessions.RELEASE"} <= set(found)
        assert {name for name, query in found.items() if "WINDOW_OF" not in query} == set()

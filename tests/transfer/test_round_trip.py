"""What comes out goes in again, to the last property and relationship."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from app.services.transfer.form import place_of
from app.services.transfer.imports import Import
from app.state import State
from graph.errors import Unavailable
from graph.tenants import Owner
from graph.transfer import TransferRepository
from tests.callers import Caller
from tests.transfer.conftest import contents, exported, imported, same

SCOPES = """
MATCH (n {tenant: $tenant}) WHERE n.scope_tokens IS NOT NULL
RETURN labels(n)[0] AS label, n.id AS id, n.scope_tokens AS tokens
"""


@pytest.fixture(params=[True, False], ids=["with vectors", "without"])
def vectors(request: pytest.FixtureRequest) -> bool:
    """Whether vectors travel."""
    return bool(request.param)


class TestRoundTrip:
    def test_gives_all_nodes_and_relationships_with_all_they_say(
        self, full: Caller, stranger: Caller, parts: State, vectors: bool
    ) -> None:
        before = contents(parts, full.tenant)
        report = imported(parts, stranger.tenant, exported(parts, full.tenant, vectors=vectors))
        after = contents(parts, stranger.tenant)
        if vectors:
            assert report.embedded == 0
            same(before, after)
        else:
            # Windows are made anew, under ids of their own.
            assert report.embedded > 0
            lasting = {key for key in before.nodes if key[0] != "MemoryWindow"}
            assert {key: before.nodes[key] for key in lasting} == {
                key: props for key, props in after.nodes.items() if key[0] != "MemoryWindow"
            }
            assert len(after.nodes) == len(before.nodes)
            assert sum(after.links.values()) == sum(before.links.values())
            own = {key[-1] for key in lasting}
            assert {id: v for id, v in before.vectors.items() if id in own} == {
                id: v for id, v in after.vectors.items() if id in own
            }
        assert report.unlinked == 0
        same(contents(parts, full.tenant), before)

    def test_gives_the_same_answers(self, full: Caller, stranger: Caller, parts: State) -> None:
        imported(parts, stranger.tenant, exported(parts, full.tenant))
        # How rare a word is was counted for one of them before the import, which doubles what the index holds.
        parts.words.forget(full.tenant)
        for query in ("who likes coffee?", "lighthouse", "moth in the relay", "map tiles", "why postgresql"):
            asked = {"query": query, "limit": 5}
            mine, theirs = (
                {hit["memory"]["id"]: hit["score"] for hit in one.post("/v1/memories/search", asked).get_json()["data"]}
                for one in (full, stranger)
            )
            assert list(mine) == list(theirs)
            assert mine == pytest.approx(theirs)
            assert mine
        for path in (
            "/v1/memories?limit=100",
            "/v1/decisions",
            "/v1/patterns",
            "/v1/projects",
            "/v1/entities?limit=100",
        ):
            assert full.get(path).get_json()["data"] == stranger.get(path).get_json()["data"], path

    def test_lets_the_words_of_the_text_index_say_the_new_tenant(
        self, full: Caller, stranger: Caller, parts: State
    ) -> None:
        imported(parts, stranger.tenant, exported(parts, full.tenant))
        mine = {row["id"]: row["tokens"] for row in parts.graph.read(SCOPES, tenant=full.tenant)}
        theirs = {row["id"]: row["tokens"] for row in parts.graph.read(SCOPES, tenant=stranger.tenant)}
        assert mine.keys() == theirs.keys()
        # What stands for the agent is the same; what stands for the tenant differs everywhere.
        assert all(not {mine[id].split()[0]} & set(theirs[id].split()) for id in mine)

    def test_goes_on_from_there(self, full: Caller, stranger: Caller, parts: State) -> None:
        imported(parts, stranger.tenant, exported(parts, full.tenant))
        highest = max(
            props["seq"] for key, props in contents(parts, stranger.tenant).nodes.items() if key[0] == "Memory"
        )
        session = stranger.get("/v1/sessions").get_json()["data"][0]["id"]
        made = stranger.remember("Stored after the import by Grace Hopper", session_id=session)
        held = contents(parts, stranger.tenant)
        assert held.nodes[("Memory", "Searchable", made["id"])]["seq"] > highest
        lasts = [orjson.loads(each) for each in held.links if b'"LAST"' in each and session.encode() in each]
        assert [each["to"] for each in lasts] == [made["id"]]
        assert "Grace Hopper" in [each["value"] for each in made["entities"]]

    def test_finishes_what_waited_for_its_vector(self, caller: Caller, stranger: Caller, parts: State) -> None:
        id = caller.post("/v2/memories", {"content": "waits for its vector", "agent_id": "iris"}).get_json()["id"]
        imported(parts, stranger.tenant, exported(parts, caller.tenant))
        assert stranger.get(f"/v1/memories/{id}").get_json()["extraction_status"] == "pending"
        jobs = stranger.get("/v2/jobs").get_json()["data"]
        assert [job["memory_id"] for job in jobs] == [id]

    def test_leaves_out_what_has_expired_with_all_its_parts(
        self, caller: Caller, stranger: Caller, parts: State
    ) -> None:
        id = caller.remember("gone by then")["id"]
        caller.put(f"/v1/memories/{id}", {"content": "really gone by then"})
        parts.graph.write("MATCH (n {tenant: $t}) WHERE n.id = $id OR n.memory_id = $id SET n.expires_at = 1",
            t=caller.tenant, id=id)  # fmt: skip
        assert b"gone by then" not in exported(parts, caller.tenant)


class TestAgain:
    def test_changes_nothing(self, full: Caller, stranger: Caller, parts: State, vectors: bool) -> None:
        file = exported(parts, full.tenant, vectors=vectors)
        imported(parts, stranger.tenant, file)
        before = contents(parts, stranger.tenant)
        report = imported(parts, stranger.tenant, file)
        same(before, contents(parts, stranger.tenant))
        assert (sum(report.made.values()), report.embedded) == (0, 0)

    def test_into_where_it_came_from_changes_nothing(self, copy: Caller, parts: State) -> None:
        before = contents(parts, copy.tenant)
        imported(parts, copy.tenant, exported(parts, copy.tenant))
        same(before, contents(parts, copy.tenant))

    def test_keeps_what_was_changed_meanwhile(self, copy: Caller, parts: State) -> None:
        file = exported(parts, copy.tenant)
        session = copy.get("/v1/sessions").get_json()["data"][0]["id"]
        new = copy.remember("said later", session_id=session)["id"]
        long = copy.post("/v1/memories/search", {"query": "lighthouse"}).get_json()["data"][0]["memory"]["id"]
        copy.put(f"/v1/memories/{long}", {"content": "short now"})
        before = contents(parts, copy.tenant)
        imported(parts, copy.tenant, file)
        after = contents(parts, copy.tenant)
        assert after.nodes == before.nodes
        assert copy.get(f"/v1/memories/{long}").get_json()["content"] == "short now"
        lasts = [orjson.loads(each)["to"] for each in after.links if b'"LAST"' in each and session.encode() in each]
        assert lasts == [new]

    def test_brings_back_what_was_deleted(self, copy: Caller, parts: State) -> None:
        before = contents(parts, copy.tenant)
        file = exported(parts, copy.tenant)
        for memory in copy.get("/v1/memories?limit=5").get_json()["data"]:
            copy.delete(f"/v1/memories/{memory['id']}")
        imported(parts, copy.tenant, file)
        assert contents(parts, copy.tenant).nodes.keys() == before.nodes.keys()


class TestInterrupted:
    def test_an_import_goes_on_where_it_stopped(
        self, full: Caller, stranger: Caller, parts: State, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.services.transfer.export.STRETCH", 5)
        file = exported(parts, full.tenant)
        done: list[int] = []

        def dies(count: int) -> None:
            done.append(count)
            # Not for ever: one that dies at its very end has nothing to go on from, and begins anew.
            if len(done) % 9 == 0 and runs < 6:
                raise KeyboardInterrupt

        runs = 0
        while True:
            runs += 1
            try:
                report = imported(parts, stranger.tenant, file, tell=dies)
                break
            except KeyboardInterrupt:
                continue
        assert runs > 3
        same(contents(parts, full.tenant), contents(parts, stranger.tenant))
        assert sum(report.made.values()) == len(contents(parts, stranger.tenant).nodes)
        assert TransferRepository(parts.graph, Owner(stranger.tenant)).places() == 0

    def test_a_database_that_goes_away_leaves_whole_batches(
        self, full: Caller, stranger: Caller, parts: State, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.services.transfer.export.STRETCH", 5)
        file = exported(parts, full.tenant)
        real, calls = Import._write, []

        def away(self: Import, *given: Any) -> None:
            calls.append(1)
            real(self, *given)
            if len(calls) == 7:
                raise Unavailable("The database is not reachable right now")

        monkeypatch.setattr(Import, "_write", away)
        with pytest.raises(Unavailable):
            imported(parts, stranger.tenant, file)
        imported(parts, stranger.tenant, file)
        same(contents(parts, full.tenant), contents(parts, stranger.tenant))

    def test_an_export_goes_on_from_any_of_its_marks(
        self, full: Caller, parts: State, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.services.transfer.export.STRETCH", 7)
        file = exported(parts, full.tenant)
        lines = file.splitlines(keepends=True)
        marks = [number for number, text in enumerate(lines) if text.startswith(b'{"mark"')]
        assert len(marks) > 10
        for number in marks[:: max(1, len(marks) // 8)]:
            place = place_of(orjson.loads(lines[number])["mark"])
            assert b"".join(lines[: number + 1]) + exported(parts, full.tenant, place=place) == file


def test_a_file_holds_nothing_of_other_tenants_and_no_secrets(copy: Caller, stranger: Caller, parts: State) -> None:
    stranger.remember("the strangers ferry")
    copy.post("/v1/webhooks", {"url": "https://hooks.example.com/x", "event_types": ["memory.created"]})
    file = exported(parts, copy.tenant)
    for word in (b"strangers ferry", b"hooks.example.com", copy.tenant.encode(), stranger.tenant.encode(), b"mem_prod"):
        assert word not in file

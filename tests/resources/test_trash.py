"""The trash: what was deleted is in no read, and comes back as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine

from app import create_app
from app.ledger import Ledger
from app.state import State
from app.workers import purge_trash
from graph.driver import Graph
from tests.callers import Caller, error_of
from tests.together import at_once

FACT = "Priya Raman moved the Billing Service to PostgreSQL in Lisbon"
# Everything that a tenant has, less what tells of the past and what is counted: nodes and links with all they say.
NODES = """
CYPHER 25
MATCH (n) WHERE n.tenant = $tenant
  AND NOT (n:Event OR n:Trashed OR n:TrashedLinks OR n:AuditEntry OR n:UsageDay OR n:Counter OR n:Delivery OR n:Job
    OR n:MemoryWindow OR (n:MemoryChange AND n.kind IN ['deleted', 'restored']))
RETURN apart(n) AS said
""".replace("apart(n)", "[labels(n), n {.*, updated_at: null, version: null, embedding: size(n.embedding)}]")
LINKS = """
CYPHER 25
MATCH (a)-[r]->(b) WHERE a.tenant = $tenant AND b.tenant = $tenant AND NOT (a:Job OR a:MemoryWindow OR a:Delivery
    OR (a:MemoryChange AND a.kind = 'restored'))
RETURN [coalesce(a.id, a.key), type(r), properties(r), coalesce(b.id, b.key)] AS said
"""
LEFT = """
CYPHER 25
MATCH (n) WHERE n.tenant = $tenant AND (n:Trashed OR n:TrashedLinks) RETURN count(n) AS total
"""
CHAIN = """
CYPHER 25
MATCH (s:Session {tenant: $tenant})-[:LAST]->(last:Memory)
MATCH way = (first:Memory)-[:NEXT]->*(last) WHERE NOT EXISTS { ()-[:NEXT]->(first) }
RETURN [m IN nodes(way) | m.id] AS ids
"""


def everything(graph: Graph, tenant: str) -> list[str]:
    """Return all nodes and links of a tenant as texts, in order."""
    found = graph.read(NODES, tenant=tenant) + graph.read(LINKS, tenant=tenant)
    return sorted(repr(_sorted(row["said"])) for row in found)


def same(now: list[str], before: list[str]) -> None:
    """Assert that nothing is new and nothing is missing."""
    assert {"new": sorted(set(now) - set(before)), "missing": sorted(set(before) - set(now))} == {
        "new": [],
        "missing": [],
    }
    assert len(now) == len(before)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((key, _sorted(item)) for key, item in value.items() if item is not None)
    return [_sorted(item) for item in value] if isinstance(value, list) else value


@pytest.fixture
def keeper(parts: State, caller: Caller) -> Iterator[Caller]:
    """A caller of a server that keeps deleted things for 30 days."""
    own = replace(parts, settings=replace(parts.settings, trash_days=30), ledger=Ledger())
    yield replace(caller, app=create_app(own))
    own.ledger.close()


def restored(caller: Caller, id: str) -> dict[str, Any]:
    """Restore a thing and return the answer."""
    response = caller.post(f"/v1/trash/{id}/restore")
    assert response.status_code == 200, response.get_json()
    found: dict[str, Any] = response.get_json()
    return found


def trash_of(caller: Caller, query: str = "") -> list[dict[str, Any]]:
    """Return what the trash lists."""
    found: list[dict[str, Any]] = caller.get(f"/v1/trash{query}").get_json()["data"]
    return found


def made(caller: Caller, path: str, **body: Any) -> dict[str, Any]:
    """Create something and return it."""
    response = caller.post(path, body)
    assert response.status_code in (200, 201), response.get_json()
    found: dict[str, Any] = response.get_json()
    return found


def team(caller: Caller) -> dict[str, str]:
    """Store a bit of everything, linked to one another, and return the ids by noun."""
    project = made(caller, "/v1/projects", slug="billing", name="Billing")
    made(caller, "/v1/projects", slug="ledger", name="Ledger")
    caller.post("/v1/projects/billing/relationships", {"target_project": "ledger", "relationship_type": "depends_on"})
    session = made(caller, "/v1/sessions", title="Move", agent_id="iris", project="billing")["id"]
    places = {"session_id": session, "project": "billing"}
    ids = [caller.remember(f"{FACT}, step {word}", **places)["id"] for word in ("one", "two", "three")]
    newer = caller.remember("Billing runs on MySQL", supersedes=ids[2])["id"]
    caller.put(f"/v1/memories/{ids[1]}", {"content": f"{FACT}, corrected"})
    decision = {"rationale": "One engine", "session_id": session, "project_slug": "billing", "agent_id": "iris"}
    first = made(caller, "/v1/decisions", title="Use PostgreSQL", memory_ids=[ids[0]], **decision)["id"]
    second = made(caller, f"/v1/decisions/{first}/supersede", title="Use MySQL", rationale="Cheaper")["id"]
    pattern = made(caller, "/v1/patterns", title="Outbox", description="Write events beside", source_project="billing")
    caller.post(f"/v1/patterns/{pattern['id']}/adopt", {"project": "ledger"})
    entity = next(row for row in caller.get("/v1/entities").get_json()["data"] if row["name"] == "PostgreSQL")
    other = next(row for row in caller.get("/v1/entities").get_json()["data"] if row["id"] != entity["id"])
    agent = caller.get("/v1/agents").get_json()["data"][0]["id"]
    return {
        "project": project["id"], "session": session, "memory": ids[1], "first memory": ids[0], "newer": newer,
        "old": ids[2], "decision": second, "first decision": first, "pattern": pattern["id"], "entity": entity["id"],
        "other entity": other["id"], "agent": agent,
    }  # fmt: skip


PATHS = {
    "memory": "/v1/memories/{}",
    "first memory": "/v1/memories/{}",
    "newer": "/v1/memories/{}",
    "old": "/v1/memories/{}",
    "entity": "/v1/entities/{}",
    "session": "/v1/sessions/{}",
    "decision": "/v1/decisions/{}",
    "first decision": "/v1/decisions/{}",
    "pattern": "/v1/patterns/{}",
    "project": "/v1/projects/billing",
}


class TestRestore:
    @pytest.mark.parametrize("what", list(PATHS))
    def test_a_thing_comes_back_with_all_it_said_and_was_linked_to(
        self, keeper: Caller, graph: Graph, what: str
    ) -> None:
        ids = team(keeper)
        before = everything(graph, keeper.tenant)
        path = PATHS[what].format(ids[what])
        assert keeper.delete(path).status_code == 204
        assert keeper.get(path).status_code == 404
        assert restored(keeper, ids[what])["id"] == ids[what]
        same(everything(graph, keeper.tenant), before)
        assert graph.read(LEFT, tenant=keeper.tenant)[0]["total"] == 0
        assert keeper.get(path).status_code == 200

    def test_what_two_deleted_things_had_with_one_another_comes_back_whichever_is_first(
        self, keeper: Caller, graph: Graph
    ) -> None:
        ids = team(keeper)
        before = everything(graph, keeper.tenant)
        for order in (("session", "memory"), ("memory", "session")):
            for what in order:
                assert keeper.delete(PATHS[what].format(ids[what])).status_code == 204
            for what in order:
                restored(keeper, ids[what])
            same(everything(graph, keeper.tenant), before)

    def test_every_memory_deleted_with_its_agent_can_be_restored_once_the_agent_is(
        self, keeper: Caller, graph: Graph
    ) -> None:
        ids = team(keeper)
        before = everything(graph, keeper.tenant)
        assert keeper.delete(f"/v1/agents/{ids['agent']}").status_code == 204
        with_it = trash_of(keeper, f"?deleted_with={ids['agent']}&limit=100")
        assert {row["noun"] for row in with_it} == {"memory"}
        assert len(with_it) == 4
        body = error_of(keeper.post(f"/v1/trash/{ids['memory']}/restore"), 409)
        assert ids["agent"] in body["message"]
        restored(keeper, ids["agent"])
        for row in with_it:
            restored(keeper, row["id"])
        same(everything(graph, keeper.tenant), before)

    def test_a_session_deleted_with_its_memories_has_its_chain_again(self, keeper: Caller, graph: Graph) -> None:
        ids = team(keeper)
        chain = graph.read(CHAIN, tenant=keeper.tenant)
        assert keeper.delete(f"/v1/sessions/{ids['session']}?memories=delete").status_code == 204
        members = [row["id"] for row in trash_of(keeper, f"?deleted_with={ids['session']}")]
        for id in (members[1], ids["session"], members[0], members[2]):
            restored(keeper, id)
        assert graph.read(CHAIN, tenant=keeper.tenant) == chain

    @pytest.mark.parametrize("touched", [False, True])
    def test_a_decision_takes_the_place_of_another_again(self, keeper: Caller, touched: bool) -> None:
        words = {"title": "Keep the queue", "rationale": "One thing less to run"}
        old = keeper.post("/v1/decisions", words).get_json()["id"]
        new = keeper.post(f"/v1/decisions/{old}/supersede", {**words, "title": "Run a broker"}).get_json()["id"]
        start = datetime.now(UTC)

        def after(minutes: int, act: Callable[[], Any]) -> None:
            with time_machine.travel(start + timedelta(minutes=minutes), tick=False):
                act()

        after(1, lambda: keeper.delete(f"/v1/decisions/{new}"))
        if touched:
            after(2, lambda: keeper.post(f"/v1/decisions/{old}/revert"))
        after(3, lambda: restored(keeper, new))
        with time_machine.travel(start + timedelta(minutes=4), tick=False):
            moments = [(start + timedelta(minutes=minutes)).timestamp() for minutes in range(4)]
            path = f"/v1/decisions/{old}"
            found = [keeper.get(path, query_string={"as_of": moment}).get_json() for moment in moments]
        between = ["active", "reverted"] if touched else ["superseded"] * 2
        assert [row["status"] for row in found] == ["superseded", *between, "superseded"]
        for row in found:
            assert row["superseded_by"] == (new if row["status"] == "superseded" else None)

    def test_search_finds_it_again_by_its_words_and_in_its_windows(self, keeper: Caller) -> None:
        long = " ".join(f"Paragraph {number} tells of harbours and cranes." for number in range(120))
        id = keeper.remember(f"{long} {FACT}")["id"]
        found = keeper.search("Priya Raman Billing Service")
        keeper.delete(f"/v1/memories/{id}")
        assert keeper.search("Priya Raman Billing Service") == []
        restored(keeper, id)
        again = keeper.search("Priya Raman Billing Service")
        assert [hit["memory"]["id"] for hit in again] == [hit["memory"]["id"] for hit in found]
        # Not exactly: the text index counts over all tenants, and others write meanwhile.
        assert again[0]["score"] == pytest.approx(found[0]["score"], abs=0.05)

    def test_a_name_that_was_taken_meanwhile_is_a_conflict_that_says_what_to_do(self, keeper: Caller) -> None:
        id = made(keeper, "/v1/agents", name="ada")["id"]
        keeper.delete(f"/v1/agents/{id}")
        other = made(keeper, "/v1/agents", name="ada")["id"]
        assert "rename" in error_of(keeper.post(f"/v1/trash/{id}/restore"), 409)["message"]
        assert keeper.put(f"/v1/agents/{other}", {"name": "ada two"}).status_code == 200
        restored(keeper, id)
        assert keeper.get(f"/v1/agents/{id}").get_json()["name"] == "ada"

    def test_a_slug_that_was_taken_meanwhile_is_a_conflict(self, keeper: Caller) -> None:
        id = made(keeper, "/v1/projects", slug="billing", name="Billing")["id"]
        keeper.delete("/v1/projects/billing")
        made(keeper, "/v1/projects", slug="billing", name="Another")
        assert "slug" in error_of(keeper.post(f"/v1/trash/{id}/restore"), 409)["message"]

    def test_of_many_at_once_one_restores(self, keeper: Caller, graph: Graph) -> None:
        ids = team(keeper)
        before = everything(graph, keeper.tenant)
        keeper.delete(f"/v1/memories/{ids['memory']}")
        answers = at_once([partial(keeper.post, f"/v1/trash/{ids['memory']}/restore")] * 8)
        assert {answer.status_code for answer in answers} <= {200, 404}
        assert 200 in {answer.status_code for answer in answers}
        same(everything(graph, keeper.tenant), before)

    def test_a_pending_memory_is_pending_again_with_a_job(self, keeper: Caller) -> None:
        id = keeper.post("/v2/memories", {"content": FACT, "agent_id": "iris"}).get_json()["id"]
        keeper.delete(f"/v1/memories/{id}")
        restored(keeper, id)
        jobs = keeper.get("/v2/jobs?state=queued").get_json()["data"]
        assert [job["memory_id"] for job in jobs if job["kind"] == "embed" and job["memory_id"]] == [id]

    def test_another_tenant_finds_nothing(self, keeper: Caller, stranger: Caller) -> None:
        id = keeper.remember(FACT)["id"]
        keeper.delete(f"/v1/memories/{id}")
        error_of(stranger.post(f"/v1/trash/{id}/restore"), 404)
        error_of(stranger.delete(f"/v1/trash/{id}"), 404)
        assert trash_of(stranger) == []

    def test_its_event_says_so(self, keeper: Caller, graph: Graph) -> None:
        id = keeper.remember(FACT)["id"]
        keeper.delete(f"/v1/memories/{id}")
        restored(keeper, id)
        told = "CYPHER 25 MATCH (e:Event {tenant: $tenant, noun_id: $id}) RETURN e.type AS type ORDER BY e.at"
        assert [row["type"] for row in graph.read(told, tenant=keeper.tenant, id=id)][-1] == "memory.restored"


class TestInvisible:
    def test_no_read_shows_what_is_in_the_trash(self, keeper: Caller) -> None:
        ids = team(keeper)
        marker = "zyxomarker"
        id = keeper.remember(f"The {marker} stands in Lisbon", session_id=ids["session"], project="billing")["id"]
        then = datetime.now(UTC).isoformat()
        keeper.delete(f"/v1/memories/{id}")
        reads = [
            "/v1/memories?limit=100&include_superseded=true", f"/v1/sessions/{ids['session']}/memories",
            f"/v1/sessions/{ids['session']}/timeline", f"/v1/sessions/{ids['session']}/summary",
            "/v1/projects/billing/context", "/v1/entities?limit=100", f"/v1/memories/changes?since={then[:10]}",
            "/v1/agents",
        ]  # fmt: skip
        for path in reads:
            response = keeper.get(path)
            assert marker not in response.get_data(as_text=True), path
        asks = {
            "/v1/memories/search": {"query": marker}, "/v1/ask": {"question": f"Where is the {marker}?"},
            "/v1/context": {"query": marker},
        }  # fmt: skip
        for path, body in asks.items():
            for more in ({}, {"as_of": then}):
                response = keeper.post(path, {**body, **more})
                text = response.get_data(as_text=True)
                assert id not in text, path
                assert "stands in" not in text, path


class TestList:
    def test_it_is_newest_first_with_a_cursor_and_by_noun(self, keeper: Caller) -> None:
        ids = [keeper.remember(f"{FACT} number {number}")["id"] for number in range(5)]
        for id in ids:
            keeper.delete(f"/v1/memories/{id}")
        first = keeper.get("/v1/trash?limit=3").get_json()
        assert first["total_count"] == 5
        rest = keeper.get(f"/v1/trash?limit=3&cursor={first['next_cursor']}").get_json()
        assert [row["id"] for row in first["data"] + rest["data"]] == ids[::-1]
        assert trash_of(keeper, "?noun=agent") == []
        days = datetime.fromisoformat(first["data"][0]["expires_at"]) - datetime.fromisoformat(
            first["data"][0]["deleted_at"]
        )
        assert abs(days - timedelta(days=30)) < timedelta(seconds=1)

    def test_without_a_trash_what_is_deleted_is_gone_at_once(self, caller: Caller, graph: Graph) -> None:
        id = caller.remember(FACT)["id"]
        caller.delete(f"/v1/memories/{id}")
        assert trash_of(caller) == []
        assert graph.read(LEFT, tenant=caller.tenant)[0]["total"] == 0
        error_of(caller.post(f"/v1/trash/{id}/restore"), 404)


class TestEnd:
    def test_after_its_time_it_cannot_be_restored_and_the_purge_erases_it(
        self, keeper: Caller, parts: State, graph: Graph
    ) -> None:
        ids = team(keeper)
        keeper.delete(f"/v1/sessions/{ids['session']}")
        with time_machine.travel(datetime.now(UTC) + timedelta(days=31)):
            assert trash_of(keeper) == []
            error_of(keeper.post(f"/v1/trash/{ids['session']}/restore"), 404)
            while purge_trash.work(parts):
                pass
        assert graph.read(LEFT, tenant=keeper.tenant)[0]["total"] == 0

    def test_a_memory_cannot_be_restored_beyond_its_own_expiry(self, keeper: Caller) -> None:
        soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        id = keeper.remember(FACT, expires_at=soon)["id"]
        keeper.delete(f"/v1/memories/{id}")
        with time_machine.travel(datetime.now(UTC) + timedelta(hours=2)):
            error_of(keeper.post(f"/v1/trash/{id}/restore"), 404)

    def test_of_many_deletions_at_once_one_puts_it_there(self, keeper: Caller, graph: Graph) -> None:
        id = keeper.remember(FACT)["id"]
        answers = at_once([partial(keeper.delete, f"/v1/memories/{id}")] * 8)
        assert sorted(answer.status_code for answer in answers) == [204, *[404] * 7]
        restored(keeper, id)
        assert keeper.get(f"/v1/memories/{id}").get_json()["content"] == FACT

    def test_it_can_be_erased_at_once(self, keeper: Caller, graph: Graph) -> None:
        id = keeper.remember(FACT)["id"]
        keeper.delete(f"/v1/memories/{id}")
        assert keeper.delete(f"/v1/trash/{id}").status_code == 204
        error_of(keeper.delete(f"/v1/trash/{id}"), 404)
        error_of(keeper.post(f"/v1/trash/{id}/restore"), 404)
        assert graph.read(LEFT, tenant=keeper.tenant)[0]["total"] == 0

    def test_it_needs_the_scopes_of_writing_and_deleting(
        self, keeper: Caller, make_caller: Callable[..., Caller], unknown_id: str
    ) -> None:
        reader = make_caller("read", tenant_of=keeper)
        error_of(reader.post(f"/v1/trash/{unknown_id}/restore"), 403)
        error_of(reader.delete(f"/v1/trash/{unknown_id}"), 403)

"""Sessions in the graph: chains stay exact whatever happens at once, and deleting leaves nothing behind."""

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from graph.driver import Graph
from graph.errors import NotFound
from graph.memories import MemoryRepository
from graph.session_story import SessionStoryRepository, is_place
from graph.sessions import SessionRepository
from tests.callers import Caller
from tests.graph.chains import chain, links

PARTS = """
CYPHER 25
MATCH (v:MemoryVersion {tenant: $tenant})-[:VERSION_OF]->(m:Memory)
RETURN v.session_id AS version, m.session_id AS memory
"""


def started(caller: Caller, **fields: Any) -> str:
    """Start a session and return its id."""
    return str(caller.post("/v1/sessions", fields).get_json()["id"])


def told(caller: Caller, session: str, count: int) -> list[str]:
    """Store memories in a session and return their ids in writing order."""
    return [caller.remember(f"Step {n}", session_id=session)["id"] for n in range(count)]


def at_once(work: Any, times: int) -> list[Any]:
    """Do the same `times` times, from sixteen threads."""
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(work, range(times)))


class TestChain:
    def test_follows_writing_order(self, graph: Graph, caller: Caller) -> None:
        session = started(caller)
        ids = told(caller, session, 4)
        assert chain(graph, caller.tenant, session) == ids

    def test_a_batch_is_chained_in_its_order(self, graph: Graph, caller: Caller) -> None:
        session = started(caller)
        items = [{"content": f"Step {n}", "agent_id": "iris", "session_id": session} for n in range(5)]
        made = caller.post("/v1/memories/batch", {"memories": items}).get_json()["results"]
        assert chain(graph, caller.tenant, session) == [each["id"] for each in made]

    @pytest.mark.parametrize("gone", [[0], [2], [4], [0, 1], [1, 2, 3], [3, 2, 1], [2, 3, 4], [4, 0], [0, 1, 2, 3, 4]])
    def test_closes_over_what_is_deleted_together(self, graph: Graph, caller: Caller, gone: list[int]) -> None:
        session = started(caller)
        ids = told(caller, session, 5)
        MemoryRepository(graph, caller).delete([ids[at] for at in gone])
        assert chain(graph, caller.tenant, session) == [id for at, id in enumerate(ids) if at not in gone]

    def test_sixteen_writers_make_one_chain(self, graph: Graph, caller: Caller) -> None:
        session = started(caller)

        def write(n: int) -> int:
            body = {"content": f"Step {n}", "agent_id": f"agent-{n % 3}", "session_id": session}
            return caller.post("/v1/memories", body).status_code

        assert at_once(write, 64) == [201] * 64
        assert len(chain(graph, caller.tenant, session)) == 64
        assert caller.get(f"/v1/sessions/{session}").get_json()["memory_count"] == 64

    def test_sixteen_writers_and_deleters_leave_exact_chains(self, graph: Graph, caller: Caller) -> None:
        sessions = [started(caller), started(caller)]
        choose = random.Random(7)
        doomed = [id for session in sessions for id in told(caller, session, 20)]
        choose.shuffle(doomed)

        def either(n: int) -> int:
            if n % 2:
                # Each is asked for twice: of two equal deletes the slower may find nothing.
                return caller.delete(f"/v1/memories/{doomed[n // 4]}").status_code
            body = {"content": f"Later {n}", "agent_id": "iris", "session_id": sessions[n // 2 % 2]}
            return caller.post("/v1/memories", body).status_code

        assert set(at_once(either, 96)) <= {201, 204, 404}
        assert sum(len(chain(graph, caller.tenant, session)) for session in sessions) == 40 + 48 - 24


class TestRelease:
    def test_takes_the_earliest_and_keeps_a_chain(self, graph: Graph, caller: Caller) -> None:
        session = started(caller)
        ids = told(caller, session, 5)
        assert SessionRepository(graph, caller).release(session, 2) == 2
        assert chain(graph, caller.tenant, session) == ids[2:]
        assert SessionRepository(graph, caller).release(session, 9) == 3
        assert SessionRepository(graph, caller).release(session, 9) == 0
        assert links(graph, caller.tenant) == 0

    def test_what_a_memory_said_before_leaves_too(self, graph: Graph, caller: Caller) -> None:
        session = started(caller)
        [id] = told(caller, session, 1)
        caller.put(f"/v1/memories/{id}", {"content": "Step one, corrected"})
        SessionRepository(graph, caller).release(session, 9)
        assert graph.read(PARTS, tenant=caller.tenant) == [{"version": "", "memory": ""}]

    def test_does_not_reach_into_another_tenant(self, graph: Graph, caller: Caller, stranger: Caller) -> None:
        session = started(caller)
        ids = told(caller, session, 2)
        assert SessionRepository(graph, stranger).release(session, 9) == 0
        assert not SessionRepository(graph, stranger).delete(session)
        assert chain(graph, caller.tenant, session) == ids


class TestDelete:
    def test_waits_until_no_memory_is_left(self, graph: Graph, caller: Caller) -> None:
        session = started(caller)
        told(caller, session, 1)
        sessions = SessionRepository(graph, caller)
        assert not sessions.delete(session)
        sessions.release(session, 1)
        assert sessions.delete(session)
        with pytest.raises(NotFound, match="Session not found"):
            sessions.get(session)

    @pytest.mark.parametrize("memories", ["keep", "delete"])
    def test_while_sixteen_write_into_it_ends_without_a_trace(
        self, graph: Graph, caller: Caller, memories: str
    ) -> None:
        session = started(caller)
        told(caller, session, 10)

        def either(n: int) -> int:
            if n in (5, 6):
                return caller.delete(f"/v1/sessions/{session}?memories={memories}").status_code
            body = {"content": f"Later {n}", "agent_id": "iris", "session_id": session}
            return caller.post("/v1/memories", body).status_code

        answers = at_once(either, 32)
        assert set(answers) <= {201, 204, 400, 404}
        assert 204 in answers
        assert links(graph, caller.tenant) == 0
        left = caller.get("/v1/memories?limit=100").get_json()
        assert {memory["session_id"] for memory in left["data"]} <= {None}
        if memories == "keep":
            assert left["total_count"] == 10 + answers.count(201)


class TestLists:
    def test_agents_labels_states_and_keys_narrow_alike(self, graph: Graph, caller: Caller) -> None:
        iris = caller.post("/v1/agents", {"name": "iris"}).get_json()["id"]
        ids = [
            started(caller, agent_id="iris", project="billing", external_id="a"),
            started(caller, agent_id="iris", project="ledger"),
            started(caller, agent_id="otto", project="billing"),
        ]
        caller.put(f"/v1/sessions/{ids[0]}/end", {})
        sessions = SessionRepository(graph, caller)
        nothing = dict.fromkeys(("external_id", "agent_id", "project", "status"))
        for narrow, expected in (
            ({}, [2, 1, 0]),
            ({"agent_id": iris}, [1, 0]),
            ({"project": "billing"}, [2, 0]),
            ({"status": "ended"}, [0]),
            ({"external_id": "a"}, [0]),
            ({"agent_id": iris, "project": "billing", "status": "active"}, []),
        ):
            filters = {**nothing, **narrow}
            rows = sessions.list(2**52, "", 0, 9, **filters)
            assert [row["id"] for row in rows] == [ids[at] for at in expected]
            assert sessions.count(**filters) == len(expected)


class TestPlace:
    @pytest.mark.parametrize("text", ["0", "3", "10000000000000000007", "2abc"])
    def test_a_key_of_ours_is_one(self, text: str) -> None:
        assert is_place(text)

    @pytest.mark.parametrize("text", ["", "4", "x", "17", "1" + "9" * 19, "1" + "\u0661" * 19, "1000000000000000000x"])
    def test_anything_else_is_none(self, text: str) -> None:
        assert not is_place(text)

    def test_a_timeline_goes_on_after_any_of_its_rows(self, graph: Graph, caller: Caller) -> None:
        session = started(caller)
        told(caller, session, 3)
        caller.post("/v1/decisions", {"title": "T", "rationale": "R", "session_id": session})
        caller.put(f"/v1/sessions/{session}/end", {})
        story = SessionStoryRepository(graph, caller)
        rows = story.timeline(session, -1, "", 0, 99)
        assert [row["kind"] for row in rows] == ["started", "memory", "memory", "memory", "decision", "ended"]
        for at, row in enumerate(rows):
            assert story.timeline(session, row["at"], row["place"], 0, 99) == rows[at + 1 :]
            assert story.timeline(session, -1, "", at, 1) == [row]

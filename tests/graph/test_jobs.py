"""The queue: rows claimed by many workers, each by one at a time."""

import threading
import uuid
from collections.abc import Iterator

import pytest

from app.state import State
from graph.jobs import JobRepository
from graph.queue import Queue
from tests.callers import Caller


@pytest.fixture
def queue_name() -> str:
    """A queue of the test's own."""
    return f"test-{uuid.uuid4()}"


def enqueue(caller: Caller, parts: State, queue: str, count: int) -> list[str]:
    """Put jobs into a queue and return their ids."""
    items = [{"content": f"text {n}", "agent_id": "iris"} for n in range(min(count, 100))]
    stored = caller.post("/v1/memories/batch", {"memories": items}).get_json()["results"]
    rows = [
        {"id": str(uuid.uuid4()), "kind": f"kind-{n // 100}", "queue": queue, "memory_id": stored[n % 100]["id"],
         "payload": "{}"}
        for n in range(count)
    ]  # fmt: skip
    made = JobRepository(parts.graph, caller).create(rows)
    assert all(row["created"] for row in made)
    return [row["id"] for row in rows]


def drain(queue: Queue, at_a_time: int) -> Iterator[str]:
    """Claim until nothing is due."""
    while rows := queue.claim(at_a_time):
        yield from (row["id"] for row in rows)


class TestClaiming:
    def test_two_workers_share_200_jobs_without_doing_one_twice(
        self, caller: Caller, parts: State, queue_name: str
    ) -> None:
        ids = enqueue(caller, parts, queue_name, 200)
        taken: dict[str, list[str]] = {"a": [], "b": []}
        start = threading.Barrier(2)

        def work(holder: str) -> None:
            start.wait()
            taken[holder] += drain(Queue(parts.graph, queue_name, holder), 7)

        threads = [threading.Thread(target=work, args=(holder,)) for holder in taken]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken["a"] + taken["b"]) == sorted(ids)

    def test_the_oldest_come_first_and_say_whose_they_are(self, caller: Caller, parts: State, queue_name: str) -> None:
        (id,) = enqueue(caller, parts, queue_name, 1)
        (row,) = Queue(parts.graph, queue_name, "a").claim(5)
        assert (row["id"], row["tenant"], row["attempts"]) == (id, caller.tenant, 1)

    def test_a_leased_job_is_nobody_elses_until_its_lease_ends(
        self, caller: Caller, parts: State, queue_name: str
    ) -> None:
        enqueue(caller, parts, queue_name, 1)
        assert len(Queue(parts.graph, queue_name, "a", lease_ms=60_000).claim(5)) == 1
        assert Queue(parts.graph, queue_name, "b").claim(5) == []

    def test_a_lease_that_ran_out_is_taken_over(self, caller: Caller, parts: State, queue_name: str) -> None:
        (id,) = enqueue(caller, parts, queue_name, 1)
        Queue(parts.graph, queue_name, "a", lease_ms=-1).claim(5)
        (row,) = Queue(parts.graph, queue_name, "b").claim(5)
        assert (row["id"], row["attempts"]) == (id, 2)
        jobs = JobRepository(parts.graph, caller)
        assert jobs.finish([id], "a") == []
        assert jobs.finish([id], "b") == [id]

    def test_queues_do_not_see_one_another(self, caller: Caller, parts: State, queue_name: str) -> None:
        enqueue(caller, parts, queue_name, 1)
        assert Queue(parts.graph, queue_name + "-other", "a").claim(5) == []


class TestJobs:
    def test_a_memory_has_one_open_job_of_a_kind(self, caller: Caller, parts: State, queue_name: str) -> None:
        memory = caller.remember("one")["id"]
        row = {"kind": "extract", "queue": queue_name, "memory_id": memory, "payload": "{}"}
        jobs = JobRepository(parts.graph, caller)
        (first,) = jobs.create([{**row, "id": str(uuid.uuid4())}])
        (second,) = jobs.create([{**row, "id": str(uuid.uuid4())}])
        assert (second["id"], second["created"]) == (first["id"], False)
        Queue(parts.graph, queue_name, "a").claim(1)
        jobs.finish([first["id"]], "a")
        (third,) = jobs.create([{**row, "id": str(uuid.uuid4())}])
        assert third["created"]

    def test_a_job_is_invisible_to_other_tenants(
        self, caller: Caller, stranger: Caller, parts: State, queue_name: str
    ) -> None:
        (id,) = enqueue(caller, parts, queue_name, 1)
        assert stranger.get(f"/v2/jobs/{id}").status_code == 404
        assert stranger.get("/v2/jobs").get_json()["data"] == []
        Queue(parts.graph, queue_name, "a").claim(1)
        assert JobRepository(parts.graph, stranger).finish([id], "a") == []

    def test_only_a_waiting_job_can_be_cancelled(self, caller: Caller, parts: State, queue_name: str) -> None:
        waiting, running = enqueue(caller, parts, queue_name, 2)
        claimed = Queue(parts.graph, queue_name, "a").claim(1)[0]["id"]
        other = ({waiting, running} - {claimed}).pop()
        assert caller.post(f"/v2/jobs/{other}/cancel").get_json()["state"] == "cancelled"
        assert caller.post(f"/v2/jobs/{claimed}/cancel").get_json()["state"] == "running"
        assert Queue(parts.graph, queue_name, "b").claim(5) == []

"""The loop that completes accepted memories: what its users see, and what happens when things go wrong."""

import dataclasses
from typing import Any

import pytest

from app.embeddings import EmbedderUnavailable
from app.embeddings.hashing import HashingEmbedder
from app.state import State
from app.workers import LOOPS
from app.workers.embed_pending import Owner, Worker, pause
from graph.jobs import JobRepository
from graph.queue import MEMORIES, Queue, forget_finished
from tests.callers import Caller


class Moody(HashingEmbedder):
    """Fails for texts that hold one of `bad`, the first `times` times."""

    def __init__(self, bad: str, times: int = 1_000_000) -> None:
        super().__init__()
        self.bad, self.times = bad, times

    def embed_documents(self, texts: Any) -> Any:
        if self.times and any(self.bad in text for text in texts):
            self.times -= 1
            raise EmbedderUnavailable("down")
        return super().embed_documents(texts)


def accepted(caller: Caller, content: str, **fields: Any) -> dict[str, Any]:
    """Accept a memory and return the answer."""
    response = caller.post("/v2/memories", {"content": content, "agent_id": "iris", **fields})
    assert response.status_code == 202, response.get_json()
    return dict(response.get_json())


def jobs_of(caller: Caller, parts: State) -> list[dict[str, Any]]:
    """Return a caller's jobs as the worker claims them, leased by a worker of its own."""
    return JobRepository(parts.graph, caller).list(10**15, "", 0, 100)


def work_off(parts: State, caller: Caller, worker: Worker | None = None) -> Worker:
    """Claim and do the jobs of one caller, leaving those of other tests alone."""
    worker = worker or Worker()
    rows = lease(parts, caller, worker.holder)
    worker.work_for(parts, Owner(caller.tenant), rows)
    return worker


def lease(parts: State, caller: Caller, holder: str) -> list[dict[str, Any]]:
    """Lease all due jobs of one caller."""
    return parts.graph.write(
        "CYPHER 25 MATCH (j:Job {tenant: $tenant}) WHERE j.run_at <= timestamp() "
        "SET j.run_at = timestamp() + 60000, j.state = 'running', j.holder = $holder, j.attempts = j.attempts + 1 "
        "RETURN j.id AS id, j.tenant AS tenant, j.kind AS kind, j.attempts AS attempts, "
        "j.max_attempts AS max_attempts, j.payload AS payload",
        tenant=caller.tenant, holder=holder,
    )  # fmt: skip


def make_due(parts: State, caller: Caller) -> None:
    """Let the waiting of a caller's jobs be over."""
    parts.graph.write(
        "CYPHER 25 MATCH (j:Job {tenant: $tenant}) WHERE j.finished_at IS NULL SET j.run_at = 0", tenant=caller.tenant
    )


def status(caller: Caller, id: str) -> dict[str, Any]:
    """Return how far a memory is."""
    return dict(caller.get(f"/v2/memories/{id}/status").get_json())


def job_of(caller: Caller, answer: dict[str, Any]) -> dict[str, Any]:
    """Return the job behind an accepted memory."""
    return dict(caller.get(f"/v2/jobs/{answer['job_id']}").get_json())


class TestCompleting:
    def test_a_completed_memory_is_found_with_its_names(self, caller: Caller, parts: State) -> None:
        answer = accepted(caller, "Ada Lovelace met Charles Babbage in London")
        assert caller.search("Charles Babbage") == []
        work_off(parts, caller)
        assert status(caller, answer["id"])["status"] == "ready"
        hits = caller.search("Charles Babbage")
        assert [hit["memory"]["id"] for hit in hits] == [answer["id"]]
        assert {each["value"] for each in hits[0]["memory"]["entities"]} == {
            "Ada Lovelace",
            "Charles Babbage",
            "London",
        }
        assert hits[0]["memory"]["extraction_method"] == "rules"
        assert job_of(caller, answer)["state"] == "done"

    def test_many_of_several_tenants_are_completed(self, caller: Caller, stranger: Caller, parts: State) -> None:
        answers = [(who, accepted(who, f"memory {n}")) for n in range(5) for who in (caller, stranger)]
        work_off(parts, caller)
        assert {status(who, answer["id"])["status"] for who, answer in answers if who is caller} == {"ready"}
        assert {status(who, answer["id"])["status"] for who, answer in answers if who is stranger} == {"pending"}

    def test_names_are_not_looked_for_where_they_are_not_wanted(self, caller: Caller, parts: State) -> None:
        answer = accepted(caller, "Ada Lovelace met Charles Babbage", auto_extract_entities=False)
        work_off(parts, caller)
        memory = caller.get(f"/v1/memories/{answer['id']}").get_json()
        assert (memory["entities"], memory["extraction_method"], memory["extraction_status"]) == ([], None, "ready")

    def test_the_kind_that_the_client_gave_is_kept(self, caller: Caller, parts: State) -> None:
        answer = accepted(caller, "TODO: call Ada", memory_type="insight")
        work_off(parts, caller)
        assert caller.get(f"/v1/memories/{answer['id']}").get_json()["memory_type"] == "insight"

    def test_backfilled_names_arrive(self, caller: Caller, parts: State) -> None:
        id = caller.remember("Ada Lovelace lives in London", auto_extract_entities=False)["id"]
        caller.post("/v1/memories/backfill-entities")
        work_off(parts, caller)
        assert caller.get(f"/v1/memories/{id}/extraction-status").get_json()["entity_count"] == 2

    def test_the_loop_itself_claims_and_completes(self, caller: Caller, parts: State) -> None:
        answer = accepted(caller, "Ada keeps a zorblat")
        worker = Worker()
        # Other tests may have left jobs that are due earlier.
        for _ in range(500):
            if status(caller, answer["id"])["status"] == "ready":
                break
            worker(parts)
        assert status(caller, answer["id"])["status"] == "ready"

    def test_the_loop_is_registered_and_wakes_quickly(self) -> None:
        loops = {loop.name: loop for loop in LOOPS}
        assert loops["embed_pending"].every_seconds <= 0.25
        assert "purge_jobs" in loops


class TestFailing:
    def test_one_bad_text_does_not_hold_up_the_others(self, caller: Caller, parts: State) -> None:
        good, bad = accepted(caller, "a good text"), accepted(caller, "a poisoned text")
        work_off(dataclasses.replace(parts, embedder=Moody("poisoned")), caller)
        assert status(caller, good["id"])["status"] == "ready"
        assert status(caller, bad["id"])["status"] == "pending"
        job = job_of(caller, bad)
        assert (job["state"], job["attempts"]) == ("queued", 1)
        assert "embedding model" in job["error"]
        assert job["run_at"] > job["updated_at"]

    def test_it_is_tried_again_when_its_time_has_come(self, caller: Caller, parts: State) -> None:
        answer = accepted(caller, "a poisoned text")
        moody = dataclasses.replace(parts, embedder=Moody("poisoned", times=2))
        work_off(moody, caller)
        assert lease(parts, caller, "nobody") == []
        make_due(parts, caller)
        work_off(moody, caller)
        assert status(caller, answer["id"])["status"] == "ready"

    def test_after_the_last_attempt_it_has_failed_and_says_why(self, caller: Caller, parts: State) -> None:
        answer = accepted(caller, "a poisoned text")
        moody = dataclasses.replace(parts, embedder=Moody("poisoned"))
        for _ in range(job_of(caller, answer)["max_attempts"]):
            make_due(parts, caller)
            work_off(moody, caller)
        assert status(caller, answer["id"])["status"] == "failed"
        assert "embedding model" in status(caller, answer["id"])["error"]
        assert job_of(caller, answer)["state"] == "failed"
        assert caller.get(f"/v1/memories/{answer['id']}").get_json()["content"] == "a poisoned text"

    def test_a_failed_memory_can_be_completed_by_hand(self, caller: Caller, parts: State) -> None:
        answer = accepted(caller, "Ada keeps a zorblat")
        caller.post(f"/v2/jobs/{answer['job_id']}/cancel")
        assert status(caller, answer["id"]) | {"created_at": 0, "updated_at": 0} == {
            "id": answer["id"], "status": "failed", "error": "its job was cancelled", "created_at": 0, "updated_at": 0
        }  # fmt: skip
        assert caller.post(f"/v1/memories/{answer['id']}/extract-entities").get_json()["status"] == "ready"
        assert [hit["memory"]["id"] for hit in caller.search("zorblat")] == [answer["id"]]

    def test_a_worker_that_dies_each_time_is_not_fed_for_ever(self, caller: Caller, parts: State) -> None:
        answer = accepted(caller, "a text that kills")
        for _ in range(job_of(caller, answer)["max_attempts"]):
            make_due(parts, caller)
            lease(parts, caller, "a worker that dies")
        make_due(parts, caller)
        work_off(parts, caller)
        assert status(caller, answer["id"])["status"] == "failed"
        assert "ended each time" in job_of(caller, answer)["error"]

    def test_waits_grow_and_keep_to_what_the_model_asks_for(self) -> None:
        error = EmbedderUnavailable("down")
        waits = [pause(attempts, error) for attempts in (1, 3, 5, 30)]
        assert waits == sorted(waits)
        assert waits[0] >= 1
        assert waits[-1] <= 400
        assert pause(1, EmbedderUnavailable("down", retry_after=90)) >= 90


class TestMeanwhile:
    def test_a_memory_deleted_meanwhile_ends_its_job(self, caller: Caller, parts: State) -> None:
        answer = accepted(caller, "soon gone")
        caller.delete(f"/v1/memories/{answer['id']}")
        work_off(parts, caller)
        job = job_of(caller, answer)
        assert (job["state"], job["memory_id"]) == ("cancelled", None)

    def test_a_text_changed_meanwhile_is_the_one_that_is_found(self, caller: Caller, parts: State) -> None:
        answer = accepted(caller, "Ada keeps a zorblat")
        worker = Worker()
        rows = lease(parts, caller, worker.holder)
        subjects = JobRepository(parts.graph, caller).subjects([row["id"] for row in rows])
        caller.put(f"/v1/memories/{answer['id']}", {"content": "Ada keeps a cat"})
        worker.attempt(parts, Owner(caller.tenant), rows, subjects)
        assert caller.search("zorblat", search_mode="keyword") == []
        assert [hit["memory"]["content"] for hit in caller.search("cat")] == ["Ada keeps a cat"]
        work_off(parts, caller)
        assert job_of(caller, answer)["state"] == "done"

    def test_a_worker_whose_lease_was_taken_over_writes_nothing(self, caller: Caller, parts: State) -> None:
        answer = accepted(caller, "Ada Lovelace keeps a zorblat")
        slow = Worker()
        rows = lease(parts, caller, slow.holder)
        make_due(parts, caller)
        lease(parts, caller, "another")
        slow.work_for(parts, Owner(caller.tenant), rows)
        assert status(caller, answer["id"])["status"] == "processing"
        assert caller.search("zorblat") == []

    def test_doing_a_job_twice_leaves_one_of_everything(self, caller: Caller, parts: State) -> None:
        answer = accepted(caller, "Ada Lovelace lives in London")
        work_off(parts, caller)
        caller.post(f"/v1/memories/{answer['id']}/extract-entities")
        assert caller.get(f"/v1/memories/{answer['id']}/extraction-status").get_json()["entity_count"] == 2
        assert len(caller.search("Ada Lovelace")) == 1

    def test_long_work_keeps_its_lease(self, caller: Caller, parts: State) -> None:
        accepted(caller, "Ada keeps a zorblat")
        queue = Queue(parts.graph, MEMORIES, "me", lease_ms=1_000_000_000)
        rows = lease(parts, caller, "me")
        assert queue.beat(rows) == 1
        assert jobs_of(caller, parts)[0]["run_at"] > 10**9
        assert Queue(parts.graph, MEMORIES, "another").beat(rows) == 0


class TestForgetting:
    def test_only_jobs_that_are_over_are_forgotten(self, caller: Caller, parts: State) -> None:
        done, open_ = accepted(caller, "one"), None
        work_off(parts, caller)
        open_ = accepted(caller, "two")
        parts.graph.write(
            "CYPHER 25 MATCH (j:Job {tenant: $tenant}) WHERE j.finished_at > 0 SET j.finished_at = 5",
            tenant=caller.tenant,
        )
        assert forget_finished(parts.graph, 10, 100) == 1
        assert caller.get(f"/v2/jobs/{done['job_id']}").status_code == 404
        assert caller.get(f"/v2/jobs/{open_['job_id']}").status_code == 200
        assert status(caller, done["id"])["status"] == "ready"


@pytest.mark.parametrize("state", ["queued", "done"])
def test_jobs_are_listed_by_state(caller: Caller, parts: State, state: str) -> None:
    done = accepted(caller, "one")
    work_off(parts, caller)
    waiting = accepted(caller, "two")
    listed = caller.get(f"/v2/jobs?state={state}").get_json()
    assert [job["id"] for job in listed["data"]] == [{"queued": waiting, "done": done}[state]["job_id"]]

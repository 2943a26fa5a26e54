"""The order of what is sent, leases, what happens meanwhile, and callbacks of single requests."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from app.workers import LOOPS
from app.workers.deliver import Deliverer
from graph.clock import now_ms
from graph.delivery_queue import Endpoints
from tests.callers import Caller
from tests.post_office import Post, about, forward
from tests.receiver import Receiver, Reply
from tests.workers.test_embed_pending import Moody

OLD = "CYPHER 25 MATCH (w:Webhook {tenant: $tenant}) SET w.due_at = $at"
HOLDER = "CYPHER 25 MATCH (w:Webhook {tenant: $tenant, id: $id}) RETURN w.holder AS holder, w.due_at AS due_at"


class TestOrder:
    def test_the_first_that_fails_holds_up_the_others(self, make_post: Callable[..., Post], receiver: Receiver) -> None:
        post = make_post(webhook_schedule="100,100,100")
        post.webhook(receiver.url)
        receiver.replies = [Reply(204), Reply(500)]
        ids = post.tell(*["memory.created"] * 5)
        post.send()
        assert about(receiver) == ids[:2]
        ids += post.tell("memory.deleted")
        post.send()
        assert about(receiver) == ids[:2]
        with forward(seconds=130):
            post.send()
        assert about(receiver) == [ids[0], ids[1], *ids[1:]]

    def test_what_is_given_up_lets_the_others_pass(self, make_post: Callable[..., Post], receiver: Receiver) -> None:
        post = make_post(webhook_schedule="1")
        post.webhook(receiver.url)
        receiver.replies = [Reply(500), Reply(500)]
        ids = post.tell(*["memory.created"] * 3)
        post.send()
        with forward(seconds=10):
            post.send()
        assert about(receiver) == [ids[0], *ids]

    def test_one_endpoint_that_fails_does_not_hold_up_another(self, post: Post, receiver: Receiver) -> None:
        post.webhook("http://127.0.0.1:9/")
        post.webhook(receiver.url)
        ids = post.tell(*["memory.created"] * 3)
        post.send()
        assert about(receiver) == ids

    def test_those_that_answer_slowly_leave_half_of_the_threads_to_others(
        self, post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.services.sending.SLOW_MS", -1)
        slow = {post.webhook(f"{receiver.url}/{n}")["id"] for n in range(4)}
        post.tell("memory.created")
        post.send()
        monkeypatch.undo()
        quick = {post.webhook(receiver.url)["id"] for _ in range(2)}
        post.tell("memory.created")
        post.parts.graph.write(OLD, tenant=post.caller.tenant, at=1)
        queue = Endpoints(post.parts.graph, post.deliverer.holder)
        first = [row["id"] for row in queue.claim(4, 2)]
        assert len(set(first) & slow) == 2
        assert set(first) & quick == quick
        rest = [row["id"] for row in queue.claim(2)]
        assert set(first) | set(rest) == slow | quick
        # One that answers quickly is quick again.
        for id in [*first, *rest]:
            queue.release({"tenant": post.caller.tenant, "id": id})
        post.send()
        post.tell("memory.created")
        post.parts.graph.write(OLD, tenant=post.caller.tenant, at=1)
        claimed = queue.claim(6, 0)
        assert {row["id"] for row in claimed} == slow | quick
        for row in claimed:
            queue.release(row)

    def test_more_than_one_look_finds_are_sent_in_order(self, post: Post, receiver: Receiver) -> None:
        post.webhook(receiver.url)
        ids = post.tell(*["memory.created"] * 120)
        post.send()
        assert about(receiver) == ids


class TestLeases:
    def test_several_workers_send_everything_once(self, post: Post, receiver: Receiver) -> None:
        webhooks = [post.webhook(f"{receiver.url}/{n}") for n in range(4)]
        ids = post.tell(*["memory.created"] * 10)
        # Due before anything that other tests have left, so that these are claimed first.
        post.parts.graph.write(OLD, tenant=post.caller.tenant, at=1)
        queues = [Endpoints(post.parts.graph, Deliverer().holder) for _ in range(4)]
        claimed: list[list[dict[str, Any]]] = [[] for _ in queues]

        def claim(place: int) -> None:
            claimed[place] = queues[place].claim(2)

        threads = [threading.Thread(target=claim, args=(place,)) for place in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        mine = [row["id"] for rows in claimed for row in rows if row["tenant"] == post.caller.tenant]
        assert sorted(mine) == sorted(webhook["id"] for webhook in webhooks)
        for queue, rows in zip(queues, claimed, strict=True):
            for row in rows:
                queue.release(row)
        workers = [Deliverer(), Deliverer(), Deliverer()]
        threads = [threading.Thread(target=post.send, args=(worker,)) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for worker in workers:
            worker.close()
        post.send()
        for number in range(4):
            got = [each for each in receiver.got if each.path == f"/hook/{number}"]
            assert [each.body["data"]["id"] for each in got] == ids

    def test_a_worker_whose_lease_went_to_another_writes_nothing(self, post: Post, receiver: Receiver) -> None:
        webhook = post.webhook(receiver.url)
        (id,) = post.tell("memory.created")
        gate = threading.Event()
        receiver.replies = [Reply(500, gate=gate)]
        slow, quick = Deliverer(), Deliverer()
        (endpoint,) = post.lease(slow)
        thread = threading.Thread(target=slow.turn, args=(post.parts, endpoint))
        thread.start()
        receiver.wait(1)
        with forward(seconds=11):
            post.send(quick)
        gate.set()
        thread.join()
        slow.close()
        quick.close()
        (delivery,) = post.deliveries(webhook)
        assert (delivery["state"], delivery["attempts"]) == ("delivered", 1)
        assert about(receiver) == [id, id]
        assert len({got.event_id for got in receiver.got}) == 1

    def test_a_crash_between_sending_and_writing_repeats_with_the_same_id(
        self, post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        webhook = post.webhook(receiver.url)
        ids = post.tell("memory.created", "memory.updated")

        class Dead(Deliverer):
            def release(self, queue: Endpoints, endpoint: dict[str, Any]) -> None:
                """Do what a killed process does."""

        def killed(*args: Any, **given: Any) -> bool:
            raise RuntimeError("killed")

        dead = Dead()
        (endpoint,) = post.lease(dead)
        with monkeypatch.context() as patch:
            patch.setattr(Endpoints, "record", killed)
            dead.turn(post.parts, endpoint)
        dead.close()
        post.send()
        assert about(receiver) == ids[:1], "leased by the dead"
        with forward(seconds=11):
            post.send()
        assert about(receiver) == [ids[0], *ids]
        assert receiver.got[0].event_id == receiver.got[1].event_id
        assert [row["state"] for row in post.deliveries(webhook)] == ["delivered", "delivered"]

    def test_a_lease_is_lengthened_while_it_is_used_and_given_back_afterwards(
        self, post: Post, receiver: Receiver
    ) -> None:
        webhook = post.webhook(receiver.url)
        post.tell("memory.created")
        (endpoint,) = post.lease()
        queue = Endpoints(post.parts.graph, post.deliverer.holder, 3_600_000)
        queue.beat([endpoint])
        given = {"tenant": post.caller.tenant, "id": webhook["id"]}
        assert post.parts.graph.read(HOLDER, **given)[0]["due_at"] > now_ms() + 3_000_000
        post.deliverer.turn(post.parts, endpoint)
        row = post.parts.graph.read(HOLDER, **given)[0]
        assert row["holder"] == ""
        assert row["due_at"] > now_ms() + 3_600_000, "nothing waits"
        queue.beat([endpoint])
        assert post.parts.graph.read(HOLDER, **given)[0] == row

    def test_what_happens_while_the_last_is_sent_is_not_forgotten(self, post: Post, receiver: Receiver) -> None:
        post.webhook(receiver.url)
        gate = threading.Event()
        receiver.replies = [Reply(gate=gate)]
        ids = post.tell("memory.created")
        (endpoint,) = post.lease()
        thread = threading.Thread(target=post.deliverer.turn, args=(post.parts, endpoint))
        thread.start()
        receiver.wait(1)
        ids += post.tell("memory.updated")
        gate.set()
        thread.join()
        post.send()
        assert about(receiver) == ids

    def test_the_loop_itself_claims_sends_and_does_not_wait_for_the_slow(self, post: Post, receiver: Receiver) -> None:
        gate = threading.Event()
        receiver.replies = [Reply(gate=gate)]
        webhooks = [post.webhook(receiver.url) for _ in "ab"]
        post.tell("memory.created")
        # Due before anything that other tests have left, so that these two are claimed and no others.
        post.parts.graph.write(OLD, tenant=post.caller.tenant, at=1)
        work = Deliverer(threads=2)
        assert work(post.parts) is True
        receiver.wait(2)
        gate.set()
        work.close()
        assert [post.deliveries(webhook)[0]["state"] for webhook in webhooks] == ["delivered"] * 2

    def test_the_loop_is_registered_and_wakes_quickly(self) -> None:
        loops = {loop.name: loop for loop in LOOPS}
        assert loops["deliver"].every_seconds <= 0.25


class TestTheEnd:
    def test_a_worker_that_is_stopped_finishes_what_it_sends_and_begins_nothing(
        self, post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        webhook = post.webhook(receiver.url)
        gate, stopping = threading.Event(), threading.Event()
        monkeypatch.setattr("app.workers.deliver.STOPPING", stopping)
        receiver.replies = [Reply(gate=gate)]
        post.tell(*["memory.created"] * 3)
        worker = Deliverer(lease_ms=600)
        (endpoint,) = post.lease(worker)
        worker.running[worker.threads_ready().submit(worker.turn, post.parts, endpoint)] = endpoint
        receiver.wait(1)
        stopping.set()
        ending = threading.Thread(target=worker.finish, args=(post.parts,))
        ending.start()
        with forward(seconds=5):
            ending.join(1)
            assert ending.is_alive()
            (held,) = post.parts.graph.read(HOLDER, tenant=post.caller.tenant, id=webhook["id"])
            assert held["due_at"] > now_ms(), "its lease is lengthened until it is over"
        gate.set()
        ending.join()
        worker.close()
        assert sorted(row["state"] for row in post.deliveries(webhook)) == ["delivered", "pending", "pending"]


class TestMeanwhile:
    def test_nothing_more_is_sent_to_a_webhook_that_is_deleted(self, post: Post, receiver: Receiver) -> None:
        webhook = post.webhook(receiver.url)
        gate = threading.Event()
        receiver.replies = [Reply(gate=gate)]
        post.tell(*["memory.created"] * 3)
        (endpoint,) = post.lease()
        thread = threading.Thread(target=post.deliverer.turn, args=(post.parts, endpoint))
        thread.start()
        receiver.wait(1)
        assert post.caller.delete(f"/v1/webhooks/{webhook['id']}").status_code == 204
        gate.set()
        thread.join()
        post.send()
        assert len(receiver.got) == 1

    @pytest.mark.parametrize(
        ("change", "expected"),
        [({"enabled": False}, ["/hook"]), ({"url": "/new"}, ["/hook", "/hook/new", "/hook/new"])],
    )
    def test_a_change_counts_from_the_next_event_on(
        self, post: Post, receiver: Receiver, change: dict[str, Any], expected: list[str]
    ) -> None:
        webhook = post.webhook(receiver.url, event_types=["memory.created"])
        gate = threading.Event()
        receiver.replies = [Reply(gate=gate)]
        post.tell(*["memory.created"] * 3)
        (endpoint,) = post.lease()
        thread = threading.Thread(target=post.deliverer.turn, args=(post.parts, endpoint))
        thread.start()
        receiver.wait(1)
        body = {**change, "url": receiver.url + change["url"]} if "url" in change else change
        assert post.caller.patch(f"/v1/webhooks/{webhook['id']}", body).status_code == 200
        gate.set()
        thread.join()
        post.send()
        assert [got.path for got in receiver.got] == expected


class TestCallbacks:
    def test_the_address_of_one_request_is_called_when_the_memory_is_ready(
        self, post: Post, receiver: Receiver
    ) -> None:
        answer = accepted(post.caller, "Ada keeps a zorblat", receiver.url)
        post.complete()
        post.send()
        (got,) = receiver.got
        assert got.body["type"] == got.headers["x-memoryrelay-event"] == "embedding.completed"
        assert got.body["data"] == {"object": "memory", "id": answer["id"], "status": "ready"}
        assert "webhook-signature" not in got.headers
        assert "x-memoryrelay-signature" not in got.headers
        assert post.caller.get("/v1/webhooks").get_json()["data"] == []

    def test_it_is_tried_again_until_it_is_gone(self, make_post: Callable[..., Post], receiver: Receiver) -> None:
        post = make_post(webhook_schedule="10,10,10,10")
        accepted(post.caller, "Ada keeps a zorblat", receiver.url)
        post.complete()
        receiver.replies = [Reply(500), Reply(410)]
        post.send()
        for seconds in (15, 100, 1000):
            with forward(seconds=seconds):
                post.send()
        assert len(receiver.got) == 2

    def test_it_is_called_when_the_job_is_cancelled(self, post: Post, receiver: Receiver) -> None:
        answer = accepted(post.caller, "never to be embedded", receiver.url)
        for _ in "ab":
            assert post.caller.post(f"/v2/jobs/{answer['job_id']}/cancel").get_json()["state"] == "cancelled"
        post.send()
        (got,) = receiver.got
        assert got.body["data"] == {
            "object": "memory", "id": answer["id"], "status": "failed", "error": "its job was cancelled"
        }  # fmt: skip

    def test_it_is_called_at_once_for_a_memory_that_was_there(self, post: Post, receiver: Receiver) -> None:
        first = accepted(post.caller, "Ada keeps a zorblat", receiver.url, deduplicate=True)
        post.complete()
        post.send()
        assert about(receiver) == [first["id"]]
        ready = accepted(post.caller, "Ada keeps a zorblat", receiver.url, deduplicate=True)
        assert (ready["id"], ready["status"], ready["estimated_completion_seconds"]) == (first["id"], "ready", 0)
        post.send()
        assert about(receiver) == [first["id"]] * 2

    def test_it_is_called_when_the_memory_has_failed(self, post: Post, receiver: Receiver) -> None:
        answer = accepted(post.caller, "a poisoned text", receiver.url)
        for _ in range(6):
            post.parts.graph.write(
                "CYPHER 25 MATCH (j:Job {tenant: $t}) WHERE j.finished_at IS NULL SET j.run_at = 0",
                t=post.caller.tenant,
            )
            post.complete(Moody("poisoned"))
        post.send()
        (got,) = receiver.got
        assert got.body["data"]["id"] == answer["id"]
        assert got.body["data"]["status"] == "failed"
        assert "embedding model" in got.body["data"]["error"]


def accepted(caller: Caller, content: str, url: str, **fields: Any) -> dict[str, Any]:
    """Accept a memory that is to be called back."""
    response = caller.post("/v2/memories", {"content": content, "agent_id": "iris", "webhook_url": url, **fields})
    assert response.status_code == 202, response.get_json()
    return dict(response.get_json())

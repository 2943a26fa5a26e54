"""Sending events: what an endpoint gets, in which order, and what happens when it fails or the worker dies."""

import hashlib
import hmac
import threading
from collections.abc import Callable

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from graph.clock import now_ms
from graph.outbox import Happened
from tests.post_office import SECRET, Post, about, forward
from tests.receiver import Receiver, Reply


class TestWhatIsSent:
    def test_an_event_arrives_with_its_facts_and_both_signatures(self, post: Post, receiver: Receiver) -> None:
        webhook = post.webhook(receiver.url)
        (id,) = post.tell("memory.created", agent_id="a-1")
        post.send()
        (got,) = receiver.got
        body = Webhook(SECRET).verify(got.raw, got.headers)
        assert body["data"] == {"object": "memory", "id": id, "agent_id": "a-1"}
        assert (body["type"], body["id"], body["schema_version"]) == ("memory.created", got.event_id, 1)
        assert body["timestamp"] == body["created_at"]
        assert got.headers["x-memoryrelay-event"] == "memory.created"
        assert got.headers["content-type"] == "application/json"
        (delivery,) = post.deliveries(webhook)
        assert got.headers["x-memoryrelay-delivery"] == delivery["id"]
        t, v1 = (part.partition("=")[2] for part in got.headers["x-memoryrelay-signature"].split(","))
        assert v1 == hmac.new(SECRET.encode(), f"{t}.".encode() + got.raw, hashlib.sha256).hexdigest()
        assert (delivery["state"], delivery["attempts"], delivery["response_status"]) == ("delivered", 1, 204)
        assert delivery["error"] is None
        assert delivery["delivered_at"] is not None

    def test_a_secret_in_plain_text_signs_by_its_bytes(self, post: Post, receiver: Receiver) -> None:
        post.webhook(receiver.url, secret="pass phrase é")
        post.tell("memory.created")
        post.send()
        Webhook("pass phrase é".encode()).verify(receiver.got[0].raw, receiver.got[0].headers)

    def test_during_a_rotation_both_secrets_sign_and_afterwards_one(self, post: Post, receiver: Receiver) -> None:
        webhook = post.webhook(receiver.url)
        path = f"/v1/webhooks/{webhook['id']}/rotate-secret"
        fresh = post.caller.post(path, {"grace_hours": 1}).get_json()["secret"]
        post.tell("memory.created")
        post.send()
        (got,) = receiver.got
        for secret in (fresh, SECRET):
            Webhook(secret).verify(got.raw, got.headers)
        assert got.headers["x-memoryrelay-signature"].count("v1=") == 2
        post.tell("memory.created")
        with forward(hours=2):
            post.send()
            Webhook(fresh).verify(receiver.got[1].raw, receiver.got[1].headers)
            with pytest.raises(WebhookVerificationError):
                Webhook(SECRET).verify(receiver.got[1].raw, receiver.got[1].headers)

    def test_a_webhook_made_by_a_host_whose_clock_is_ahead_misses_nothing(self, post: Post, receiver: Receiver) -> None:
        with forward(minutes=5):
            post.webhook(receiver.url)
        ids = post.tell("memory.created")
        post.send()
        assert about(receiver) == ids

    def test_a_test_event_arrives_and_is_tried_once(self, post: Post, receiver: Receiver) -> None:
        webhook = post.webhook(receiver.url, event_types=["memory.deleted"])
        path = f"/v1/webhooks/{webhook['id']}/test"
        post.caller.post(path)
        post.send()
        assert receiver.got[0].body["type"] == "webhook.test"
        receiver.usual = Reply(500)
        post.caller.post(path)
        post.send()
        assert [row["state"] for row in post.deliveries(webhook)] == ["delivered", "failed"]

    @pytest.mark.parametrize("wanted", [True, False])
    def test_texts_are_sent_to_those_who_asked_for_them(self, post: Post, receiver: Receiver, wanted: bool) -> None:
        texts = {
            "memory": post.caller.remember("Ada keeps a zorblat", title="Pets")["id"],
            "agent": post.caller.post("/v1/agents", {"name": "zorba", "description": "knows"}).get_json()["id"],
        }
        post.happen()
        post.webhook(receiver.url, include_content=wanted, event_types=["memory.created", "agent.updated"])
        post.happen(Happened("memory.created", texts["memory"]), Happened("agent.updated", texts["agent"]))
        post.send()
        bodies = {got.body["data"]["object"]: got.body["data"] for got in receiver.got}
        memory = {"content": "Ada keeps a zorblat", "title": "Pets"} if wanted else {}
        agent = {"name": "zorba", "description": "knows"} if wanted else {}
        assert bodies["memory"] == {"object": "memory", "id": texts["memory"], **memory}
        assert bodies["agent"] == {"object": "agent", "id": texts["agent"], **agent}

    def test_the_text_of_a_confidential_memory_is_sent_to_nobody(self, post: Post, receiver: Receiver) -> None:
        post.webhook(receiver.url, include_content=True)
        id = post.caller.remember("the code is 4711", visibility="confidential", title="code")["id"]
        post.happen(Happened("memory.updated", id))
        post.send()
        assert receiver.got
        assert all(b"4711" not in got.raw and b"code" not in got.raw for got in receiver.got)

    def test_a_name_that_only_confidential_memories_say_is_sent_to_nobody(self, post: Post, receiver: Receiver) -> None:
        post.webhook(receiver.url, include_content=True, event_types=["entity.created", "entity.updated"])
        hidden = post.caller.remember("Zebediah Quux told Ada", visibility="confidential", title="Marrow plan")
        names = {one["value"] for one in hidden["entities"]}
        assert names
        post.happen()
        post.send()
        assert receiver.got
        assert all("name" not in got.body["data"] for got in receiver.got)
        post.caller.remember("Zebediah Quux lives in Bern")
        post.happen(*[Happened("entity.updated", got.body["data"]["id"]) for got in receiver.got])
        receiver.got.clear()
        post.send()
        told = {got.body["data"].get("name") for got in receiver.got}
        assert "Zebediah Quux" in told
        assert not told & {"Ada", "Marrow plan"}

    def test_the_name_of_an_entity_made_by_hand_is_sent(self, post: Post, receiver: Receiver) -> None:
        post.webhook(receiver.url, include_content=True, event_types=["entity.created"])
        post.caller.post("/v1/entities", {"name": "Grace Hopper", "entity_type": "person"})
        post.happen()
        post.send()
        assert receiver.got[0].body["data"]["name"] == "Grace Hopper"

    def test_what_is_gone_is_told_of_without_text(self, post: Post, receiver: Receiver) -> None:
        post.webhook(receiver.url, include_content=True, event_types=["session.updated"])
        (id,) = post.tell("session.updated")
        post.send()
        assert receiver.got[0].body["data"] == {"object": "session", "id": id}


class TestFailures:
    def test_it_is_tried_again_by_the_schedule_and_then_given_up(
        self, make_post: Callable[..., Post], receiver: Receiver
    ) -> None:
        post = make_post(webhook_schedule="10,100")
        webhook = post.webhook(receiver.url)
        receiver.usual = Reply(500, body=b"no <b>luck</b>")
        post.tell("memory.created")
        post.send()
        for seconds, attempts in ((7, 1), (13, 2), (60, 2), (140, 3), (10_000, 3)):
            with forward(seconds=seconds):
                post.send()
                assert len(receiver.got) == attempts, seconds
        (delivery,) = post.deliveries(webhook)
        assert (delivery["state"], delivery["attempts"], delivery["response_status"]) == ("failed", 3, 500)
        assert delivery["next_attempt_at"] is None
        log = delivery["attempt_log"]
        assert [(each["status"], each["error"], each["answer"]) for each in log] == [
            (500, "it answered 500", "no <b>luck</b>")
        ] * 3
        assert len({got.event_id for got in receiver.got}) == 1
        assert post.again(webhook)["enabled"] is True

    @pytest.mark.parametrize(
        ("reply", "shortest", "longest"),
        [
            (Reply(500), 80, 120),
            (Reply(429), 80, 120),
            (Reply(500, {"Retry-After": "1"}), 80, 120),
            (Reply(503, {"Retry-After": "150"}), 150, 150),
            (Reply(503, {"Retry-After": "86400"}), 160, 240),
            (Reply(503, {"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}), 160, 240),
            (Reply(503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), 80, 120),
            (Reply(503, {"Retry-After": "soon"}), 80, 120),
        ],
    )
    def test_what_the_endpoint_asks_for_counts_within_bounds(
        self, make_post: Callable[..., Post], receiver: Receiver, reply: Reply, shortest: int, longest: int
    ) -> None:
        post = make_post(webhook_schedule="100,100")
        post.webhook(receiver.url)
        receiver.usual = reply
        post.tell("memory.created")
        before = now_ms()
        post.send()
        rows = "CYPHER 25 MATCH (d:Delivery {tenant: $t}) RETURN d.next_attempt_at AS at"
        after = now_ms()
        (row,) = post.parts.graph.read(rows, t=post.caller.tenant)
        assert before + 1000 * shortest <= row["at"] <= after + 1000 * longest

    @pytest.mark.parametrize(
        ("schedule", "least"),
        [("5,300", 60_000), ("5", 5_000)],
        ids=["at least a minute", "a schedule that is shorter"],
    )
    def test_who_is_overloaded_is_left_alone(
        self, make_post: Callable[..., Post], receiver: Receiver, schedule: str, least: int
    ) -> None:
        post = make_post(webhook_schedule=schedule)
        post.webhook(receiver.url)
        receiver.usual = Reply(503)
        post.tell("memory.created")
        before = now_ms()
        post.send()
        rows = "CYPHER 25 MATCH (d:Delivery {tenant: $t}) RETURN d.next_attempt_at AS at"
        (row,) = post.parts.graph.read(rows, t=post.caller.tenant)
        assert before + least <= row["at"] <= now_ms() + least * 1.2

    def test_a_redirect_is_a_failure_and_not_followed(self, post: Post, receiver: Receiver) -> None:
        webhook = post.webhook(receiver.url)
        receiver.usual = Reply(302, {"Location": receiver.url})
        post.tell("memory.created")
        post.send()
        assert len(receiver.got) == 1
        assert "redirects" in post.deliveries(webhook)[0]["error"]

    @pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
    def test_a_large_or_packed_answer_is_cut_and_still_a_success(
        self, post: Post, receiver: Receiver, headers: dict[str, str]
    ) -> None:
        webhook = post.webhook(receiver.url)
        receiver.usual = Reply(200, headers, body="é".encode() * 300_000)
        post.tell("memory.created")
        post.send()
        (delivery,) = post.deliveries(webhook)
        assert delivery["state"] == "delivered"
        assert delivery["attempt_log"][0]["answer"] == (None if headers else "é" * 2048)

    def test_an_endpoint_that_does_not_answer_is_left(self, make_post: Callable[..., Post], receiver: Receiver) -> None:
        post = make_post(webhook_timeout=0.3)
        webhook = post.webhook(receiver.url)
        gate = threading.Event()
        receiver.usual = Reply(gate=gate)
        post.tell("memory.created")
        post.send()
        gate.set()
        (delivery,) = post.deliveries(webhook)
        assert (delivery["error"], delivery["response_status"]) == ("it did not answer in time", None)

    def test_nobody_there_is_a_failure(self, post: Post) -> None:
        webhook = post.webhook("http://127.0.0.1:9/")
        post.tell("memory.created")
        post.send()
        assert post.deliveries(webhook)[0]["error"] == "it could not be reached"

    def test_an_address_that_is_not_allowed_any_more_is_not_called(
        self, make_post: Callable[..., Post], post: Post, receiver: Receiver
    ) -> None:
        webhook = post.webhook(receiver.url)
        post.tell("memory.created")
        strict = make_post(outbound_allow="")
        strict.caller = post.caller
        strict.send()
        assert receiver.got == []
        assert "https" in post.deliveries(webhook)[0]["error"]


class TestSwitchingOff:
    def test_410_switches_off_at_once_and_an_event_says_so(self, post: Post, receiver: Receiver) -> None:
        other = post.webhook(receiver.url + "/audit", event_types=["webhook.disabled"])
        webhook = post.webhook(receiver.url, event_types=["memory.created"])
        receiver.replies = [Reply(410)]
        (first,), (second,) = post.tell("memory.created"), post.tell("memory.created")
        post.send()
        assert [got.body["data"]["id"] for got in receiver.got if got.path == "/hook"] == [first]
        shown = post.again(webhook)
        assert shown["enabled"] is False
        assert "410" in shown["disabled_reason"]
        post.tell()
        post.send()
        told = receiver.got[1]
        assert (told.path, told.body["type"], told.body["data"]["id"]) == (
            "/hook/audit", "webhook.disabled", webhook["id"]
        )  # fmt: skip
        assert post.again(other)["enabled"] is True
        assert post.caller.patch(f"/v1/webhooks/{webhook['id']}", {"enabled": True}).status_code == 200
        post.send()
        assert about(receiver)[2:] == [first, second]
        assert post.again(webhook)["disabled_reason"] is None

    def test_days_of_nothing_but_failures_switch_off(self, make_post: Callable[..., Post], receiver: Receiver) -> None:
        post = make_post(webhook_schedule="1,86400,86400,86400,86400,86400,86400,86400", webhook_disable_days=3)
        webhook = post.webhook(receiver.url)
        receiver.usual = Reply(500)
        post.tell("memory.created")
        post.send()
        for days in range(1, 8):
            assert post.again(webhook)["enabled"] is (days <= 3), days
            with forward(days=days * 1.25):
                post.send()
        shown = post.again(webhook)
        assert "3 days" in shown["disabled_reason"]
        assert post.deliveries(webhook)[0]["state"] == "pending"

    def test_a_success_between_failures_starts_the_days_anew(
        self, make_post: Callable[..., Post], receiver: Receiver
    ) -> None:
        post = make_post(webhook_schedule="1", webhook_disable_days=3)
        webhook = post.webhook(receiver.url)
        receiver.replies = [Reply(500), Reply(204), Reply(500), Reply(500)]
        post.tell("memory.created")
        post.send()
        assert post.again(webhook)["failing_since"] is not None
        with forward(days=2):
            post.send()
            assert post.again(webhook)["failing_since"] is None
        post.tell("memory.created")
        with forward(days=4):
            post.send()
        assert post.again(webhook)["enabled"] is True

    def test_what_waits_for_a_webhook_that_is_off_goes_out_when_it_is_on_again(
        self, post: Post, receiver: Receiver
    ) -> None:
        webhook = post.webhook(receiver.url)
        path = f"/v1/webhooks/{webhook['id']}"
        ids = post.tell("memory.created", "memory.updated")
        post.caller.patch(path, {"enabled": False})
        post.send()
        assert receiver.got == []
        assert {row["state"] for row in post.deliveries(webhook)} == {"pending"}
        post.caller.patch(path, {"enabled": True, "event_types": ["memory.created"]})
        post.send()
        assert about(receiver) == ids

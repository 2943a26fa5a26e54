"""Deliveries over HTTP: every attempt is shown, and what was sent can be sent again."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from graph.deliveries import DeliveryRepository
from tests.callers import Caller, error_of
from tests.post_office import Post
from tests.receiver import Receiver, Reply

LATER = (datetime.now(UTC) + timedelta(days=1)).isoformat()
LONG_AGO = "2020-01-01T00:00:00Z"


def again(post: Post, webhook: dict[str, Any], **body: Any) -> int:
    """Send a period again; return how many deliveries that made."""
    response = post.caller.post(f"/v1/webhooks/{webhook['id']}/redeliver", {"since": LONG_AGO, **body})
    assert response.status_code == 202, response.get_json()
    found = response.get_json()
    assert (found["object"], found["webhook_id"]) == ("redelivery", webhook["id"])
    return int(found["count"])


class TestGet:
    def test_every_attempt_is_shown(self, post: Post, receiver: Receiver) -> None:
        webhook = post.webhook(receiver.url)
        post.tell("memory.created")
        receiver.usual = Reply(400, body=b"what is this?")
        post.send()
        (delivery,) = post.deliveries(webhook)
        (entry,) = delivery["attempt_log"]
        assert (entry["status"], entry["error"], entry["answer"]) == (400, "it answered 400", "what is this?")
        assert entry["duration_ms"] >= 0
        assert entry["at"] == delivery["last_attempt_at"]
        assert delivery["next_attempt_at"] > delivery["last_attempt_at"]
        assert (delivery["state"], delivery["object"]) == ("pending", "delivery")

    def test_one_that_was_not_tried_has_none(self, caller: Caller) -> None:
        webhook = caller.post("/v1/webhooks", {"url": "https://hooks.example.com/"}).get_json()
        path = f"/v1/webhooks/{webhook['id']}"
        made = caller.post(f"{path}/test").get_json()
        assert caller.get(f"{path}/deliveries/{made['id']}").get_json() == {**made, "attempt_log": []}

    def test_what_is_not_ones_own_does_not_exist(self, caller: Caller, stranger: Caller, unknown_id: str) -> None:
        ids = [caller.post("/v1/webhooks", {"url": "https://hooks.example.com/"}).get_json()["id"] for _ in "ab"]
        delivery = caller.post(f"/v1/webhooks/{ids[0]}/test").get_json()["id"]
        own, other = (f"/v1/webhooks/{id}/deliveries/{delivery}" for id in ids)
        assert caller.get(own).status_code == 200
        for who, path, named in ((caller, other, "Delivery"), (stranger, own, "Webhook")):
            assert error_of(who.get(path), 404)["message"] == f"{named} not found"
            assert error_of(who.post(f"{path}/redeliver"), 404)["message"] == f"{named} not found"
        error_of(caller.get(f"/v1/webhooks/{ids[0]}/deliveries/{unknown_id}"), 404)
        error_of(caller.get(f"/v1/webhooks/{ids[0]}/deliveries/mine"), 422)
        error_of(stranger.post(f"/v1/webhooks/{ids[0]}/redeliver", {"since": LONG_AGO}), 404)


class TestRedeliverOne:
    def test_it_is_a_new_delivery_of_the_same_event(self, post: Post, receiver: Receiver) -> None:
        webhook = post.webhook(receiver.url)
        post.tell("memory.created")
        post.send()
        (old,) = post.deliveries(webhook)
        response = post.caller.post(f"/v1/webhooks/{webhook['id']}/deliveries/{old['id']}/redeliver")
        assert response.status_code == 202
        fresh = response.get_json()
        assert fresh["id"] != old["id"]
        assert (fresh["event_id"], fresh["state"], fresh["attempts"]) == (old["event_id"], "pending", 0)
        post.send()
        assert [got.event_id for got in receiver.got] == [old["event_id"]] * 2
        assert [got.headers["x-memoryrelay-delivery"] for got in receiver.got] == [old["id"], fresh["id"]]
        assert old in post.deliveries(webhook)

    def test_it_goes_at_once_and_leaves_the_times_of_others_alone(
        self, make_post: Callable[..., Post], receiver: Receiver
    ) -> None:
        post = make_post(webhook_schedule="3600,3600")
        webhook = post.webhook(receiver.url)
        (first,) = post.tell("memory.created")
        post.send()
        (second,) = post.tell("memory.updated")
        receiver.replies = [Reply(500)]
        post.send()
        old, waits = post.deliveries(webhook)
        post.caller.post(f"/v1/webhooks/{webhook['id']}/deliveries/{old['id']}/redeliver")
        post.send()
        assert [got.body["data"]["id"] for got in receiver.got] == [first, second, first]
        assert waits in post.deliveries(webhook)


class TestRedeliverRange:
    def test_failed_ones_go_again_in_their_order_and_once(
        self, make_post: Callable[..., Post], receiver: Receiver
    ) -> None:
        post = make_post(webhook_schedule="0")
        webhook = post.webhook(receiver.url)
        ids = post.tell(*["memory.created"] * 4)
        receiver.replies = [Reply()] + [Reply(500)] * 4
        post.send()
        post.send()
        assert [row["state"] for row in post.deliveries(webhook, state="failed")] == ["failed"] * 2
        assert again(post, webhook) == 2
        assert again(post, webhook) == 0, "on their way already"
        before = len(receiver.got)
        post.send()
        assert [got.body["data"]["id"] for got in receiver.got[before:]] == ids[1:3]

    def test_delivered_ones_go_again_where_that_is_asked_for(self, post: Post, receiver: Receiver) -> None:
        webhook = post.webhook(receiver.url)
        ids = post.tell(*["memory.created"] * 3)
        post.send()
        assert again(post, webhook) == 0
        assert again(post, webhook, until=LONG_AGO, state="delivered") == 0
        assert again(post, webhook, state="delivered") == 3
        post.send()
        assert [got.body["data"]["id"] for got in receiver.got] == ids * 2
        assert again(post, webhook, state="delivered") == 3, "each event once, however often it was sent"

    def test_each_event_goes_once_although_batches_send_it(
        self, post: Post, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("graph.deliveries.BATCH", 1)
        webhook = post.webhook(receiver.url)
        post.tell("memory.created")
        post.send()
        (old,) = post.deliveries(webhook)
        post.caller.post(f"/v1/webhooks/{webhook['id']}/deliveries/{old['id']}/redeliver")
        post.send()
        # Between two batches a worker may have sent what the first one made.
        sent = DeliveryRepository._resend

        def slowly(self: DeliveryRepository, webhook_id: str, ids: list[str]) -> int:
            made = sent(self, webhook_id, ids)
            post.send()
            return made

        monkeypatch.setattr(DeliveryRepository, "_resend", slowly)
        assert again(post, webhook, state="delivered") == 1
        assert len(receiver.got) == 3

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "since"),
            ({"since": "yesterday"}, "since"),
            ({"since": LATER}, "since"),
            ({"since": LONG_AGO, "state": "pending"}, "state"),
            ({"since": LONG_AGO, "until": "2019-01-01T00:00:00Z"}, "until"),
        ],
    )
    def test_what_cannot_be_meant_is_refused_by_name(self, caller: Caller, body: dict[str, Any], field: str) -> None:
        id = caller.post("/v1/webhooks", {"url": "https://hooks.example.com/"}).get_json()["id"]
        answer = error_of(caller.post(f"/v1/webhooks/{id}/redeliver", body), 422)
        assert answer["details"][0]["field"] == field

    def test_too_many_at_once_are_refused(self, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.services.deliveries.MOST_RESENT", 2)
        webhook = post.webhook("http://127.0.0.1:9/")
        post.tell(*["memory.created"] * 3)
        query = "CYPHER 25 MATCH (d:Delivery {tenant: $t}) SET d.state = 'failed', d.created_at = d.created_at - 9"
        post.parts.graph.write(query, t=post.caller.tenant)
        path = f"/v1/webhooks/{webhook['id']}/redeliver"
        assert "3 deliveries" in error_of(post.caller.post(path, {"since": LONG_AGO}), 422)["message"]


class TestWebhook:
    def test_it_says_whether_texts_are_sent_and_since_when_it_fails(self, post: Post, receiver: Receiver) -> None:
        webhook = post.webhook(receiver.url)
        assert (webhook["include_content"], webhook["failing_since"], webhook["disabled_reason"]) == (False, None, None)
        changed = post.caller.patch(f"/v1/webhooks/{webhook['id']}", {"include_content": True}).get_json()
        assert changed["include_content"] is True
        receiver.usual = Reply(500)
        post.tell("memory.created")
        post.send()
        assert post.again(webhook)["failing_since"] == post.deliveries(webhook)[0]["last_attempt_at"]

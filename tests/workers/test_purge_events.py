"""Events and the log of what was sent of them go when they are old; what still waits to be sent stays."""

from collections.abc import Callable
from typing import Any

import pytest

from app.workers import LOOPS, purge_events
from graph.clock import now_ms
from tests.post_office import Post
from tests.receiver import Receiver

DAY = 86_400_000
AGE = """
CYPHER 25
MATCH (n:Event|Delivery|Callback {tenant: $tenant}) WHERE n.created_at > $since
SET n.created_at = n.created_at - $by
"""
LEFT = """
CYPHER 25
MATCH (n:Event|Delivery|Callback {tenant: $tenant})
RETURN labels(n)[0] AS label, count(n) AS number ORDER BY label
"""


def aged(post: Post, days: int) -> None:
    """Let everything that is new be so many days old."""
    post.parts.graph.write(AGE, tenant=post.caller.tenant, since=now_ms() - DAY, by=days * DAY)


def left(post: Post) -> dict[str, Any]:
    """Purge, and return what is left by its label."""
    while purge_events.work(post.parts):
        pass
    return {row["label"]: row["number"] for row in post.parts.graph.read(LEFT, tenant=post.caller.tenant)}


class TestPurging:
    def test_takes_what_is_old_and_over(self, post: Post, receiver: Receiver) -> None:
        post.webhook(receiver.url)
        post.tell("memory.created", "memory.updated", "session.created")
        post.send()
        aged(post, 31)
        post.tell("memory.deleted")
        post.send()
        assert left(post) == {"Delivery": 1, "Event": 1}

    def test_leaves_what_still_waits(self, post: Post, receiver: Receiver) -> None:
        webhook = post.webhook(receiver.url)
        (id,) = post.tell("memory.created")
        post.caller.patch(f"/v1/webhooks/{webhook['id']}", {"enabled": False, "event_types": ["memory.created"]})
        post.tell("session.created")
        aged(post, 400)
        assert left(post) == {"Delivery": 1, "Event": 1}
        post.caller.patch(f"/v1/webhooks/{webhook['id']}", {"enabled": True})
        post.send()
        assert [got.body["data"]["id"] for got in receiver.got] == [id]

    def test_takes_callbacks_that_were_made(self, post: Post, receiver: Receiver) -> None:
        body = {"content": "Ada", "agent_id": "iris", "webhook_url": receiver.url}
        assert post.caller.post("/v2/memories", body).status_code == 202
        post.complete()
        post.tell()
        aged(post, 31)
        assert left(post)["Callback"] == 1
        post.send()
        assert left(post) == {}

    @pytest.mark.parametrize(("days", "expected"), [(0, 1), (500, 1), (300, 0)])
    def test_an_operator_says_how_long_they_are_kept(
        self, make_post: Callable[..., Post], days: int, expected: int
    ) -> None:
        post = make_post(event_days=days)
        post.tell("memory.created")
        before = left(post)["Event"]
        aged(post, 400)
        assert left(post).get("Event", 0) == before * expected

    def test_the_loop_is_registered(self) -> None:
        assert "purge_events" in {loop.name for loop in LOOPS}

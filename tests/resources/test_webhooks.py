"""Webhooks: making, changing and testing them. What is refused as an address is tested in tests/test_outbound.py."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import time_machine

from app import create_app
from app.auth import Principal
from app.events import EVENTS
from app.services.webhooks import signing_secrets
from app.state import State
from tests.callers import Caller, error_of
from tests.together import at_once

URL = "https://hooks.example.com/loci"
EVERYTHING = "CYPHER 25 MATCH (n {tenant: $tenant}) RETURN properties(n) AS properties"


def made(caller: Caller, **body: Any) -> dict[str, Any]:
    """Make a webhook and return what was answered."""
    response = caller.post("/v1/webhooks", {"url": URL, **body})
    assert response.status_code == 201, response.get_json()
    found: dict[str, Any] = response.get_json()
    return found


def secrets_of(parts: State, caller: Caller, id: str) -> list[str]:
    """Return the secrets that sign for a webhook now."""
    who = Principal(caller.tenant, caller.account, "default", "key", frozenset())
    return signing_secrets(parts, who, id)


class TestCreate:
    def test_a_secret_made_by_the_server_is_shown_once(self, caller: Caller, parts: State) -> None:
        webhook = made(caller)
        secret = webhook.pop("secret")
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
        assert caller.get(f"/v1/webhooks/{webhook['id']}").get_json() == webhook
        assert secret not in caller.get("/v1/webhooks").text
        assert secrets_of(parts, caller, webhook["id"]) == [secret]

    @pytest.mark.parametrize("secret", ["plain text, as it is", "whsec_" + base64.b64encode(b"k" * 24).decode(), "é🔑"])
    def test_a_secret_of_the_client_is_used_as_it_is_and_never_shown(
        self, caller: Caller, parts: State, secret: str
    ) -> None:
        webhook = made(caller, secret=secret)
        assert "secret" not in webhook
        assert secrets_of(parts, caller, webhook["id"]) == [secret]

    def test_no_secret_is_in_the_database(self, caller: Caller, parts: State) -> None:
        webhook = made(caller, secret="a secret of mine")
        fresh = caller.post(f"/v1/webhooks/{webhook['id']}/rotate-secret").get_json()["secret"]
        stored = str(parts.graph.read(EVERYTHING, tenant=caller.tenant))
        assert webhook["id"] in stored
        assert "a secret of mine" not in stored
        assert fresh not in stored
        assert fresh.removeprefix("whsec_") not in stored

    def test_it_is_shown_as_it_was_made(self, caller: Caller) -> None:
        wanted = {"event_types": ["memory.created", "key.rotated"], "description": "audit trail", "enabled": False}
        webhook = made(caller, **wanted)
        assert {name: webhook[name] for name in wanted} == wanted
        assert webhook["url"] == URL
        assert webhook["created_at"].endswith("Z")
        assert webhook["object"] == "webhook"

    def test_no_event_named_means_all_of_them(self, caller: Caller) -> None:
        assert made(caller)["event_types"] == made(caller, event_types=[])["event_types"] == []
        assert made(caller, event_types=list(EVENTS))["event_types"] == list(EVENTS)

    def test_an_event_named_twice_is_one(self, caller: Caller) -> None:
        assert made(caller, event_types=["memory.created"] * 3)["event_types"] == ["memory.created"]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"url": None}, "url"),
            ({"url": ""}, "url"),
            ({"url": "http://hooks.example.com/"}, "url"),
            ({"url": "https://ada:secret@hooks.example.com/"}, "url"),
            ({"url": "https://127.0.0.1/"}, "url"),
            ({"url": "https://localhost:8000/"}, "url"),
            ({"url": "https://[::ffff:10.0.0.1]/"}, "url"),
            ({"url": "https://2130706433/"}, "url"),
            ({"url": "https://169.254.169.254/latest"}, "url"),
            ({"url": "https://hooks.example.com/" + "a" * 2030}, "url"),
            ({"event_types": ["memory.forgotten"]}, "event_types.0"),
            ({"event_types": ["webhook.test"]}, "event_types.0"),
            ({"event_types": "memory.created"}, "event_types"),
            ({"event_types": ["memory.created"] * 101}, "event_types"),
            ({"secret": ""}, "secret"),
            ({"secret": "s" * 257}, "secret"),
            ({"secret": "whsec_not base64"}, "secret"),
            ({"secret": "whsec_"}, "secret"),
            ({"description": "d" * 256}, "description"),
            ({"enabled": "perhaps"}, "enabled"),
        ],
    )
    def test_what_cannot_be_meant_is_refused_by_name(self, caller: Caller, body: dict[str, Any], field: str) -> None:
        assert error_of(caller.post("/v1/webhooks", {"url": URL, **body}), 422)["details"][0]["field"] == field
        assert caller.get("/v1/webhooks").get_json()["data"] == []

    def test_a_tenant_has_so_many_and_no_more(self, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.services.webhooks.MOST_WEBHOOKS", 2)
        ids = [made(caller)["id"] for _ in range(2)]
        assert error_of(caller.post("/v1/webhooks", {"url": URL}), 403)["type"] == "quota_exceeded"
        caller.delete(f"/v1/webhooks/{ids[0]}")
        made(caller)

    def test_the_operator_may_open_private_networks(self, parts: State, caller: Caller) -> None:
        settings = replace(parts.settings, outbound_allow="127.0.0.0/8, 10.0.0.0/8")
        opened = replace(caller, app=create_app(replace(parts, settings=settings)))
        for url in ("http://127.0.0.1:9000/hook", "https://10.1.2.3/hook", "http://localhost:9000/"):
            assert made(opened, url=url)["url"] == url
        error_of(opened.post("/v1/webhooks", {"url": "https://192.168.0.1/"}), 422)


class TestEventsOfKeys:
    HIDDEN = "CYPHER 25 MATCH (w:Webhook {tenant: $tenant, id: $id}) RETURN w.hidden AS hidden"

    def test_who_may_not_manage_keys_cannot_ask_for_them(self, make_caller: Callable[..., Caller]) -> None:
        writer = make_caller("read", "write")
        refused = writer.post("/v1/webhooks", {"url": URL, "event_types": ["key.created"]})
        assert "admin" in error_of(refused, 403)["message"]
        webhook = made(writer)
        changed = writer.patch(f"/v1/webhooks/{webhook['id']}", {"event_types": ["memory.created", "key.revoked"]})
        assert "admin" in error_of(changed, 403)["message"]

    def test_whoever_named_the_address_decides_whether_it_is_told_of_them(
        self, make_caller: Callable[..., Caller], caller: Caller, parts: State
    ) -> None:
        writer = make_caller("read", "write", tenant_of=caller)

        def hidden(id: str) -> Any:
            return parts.graph.read(self.HIDDEN, tenant=caller.tenant, id=id)[0]["hidden"]

        webhook = made(caller)
        assert hidden(webhook["id"]) == []
        writer.patch(f"/v1/webhooks/{webhook['id']}", {"description": "mine"})
        assert hidden(webhook["id"]) == []
        writer.patch(f"/v1/webhooks/{webhook['id']}", {"url": URL + "/elsewhere"})
        assert hidden(webhook["id"]) == ["key"]


class TestListAndGet:
    def test_the_newest_comes_first_and_pages_follow_one_another(self, caller: Caller) -> None:
        ids = [made(caller)["id"] for _ in range(5)]
        first = caller.get("/v1/webhooks?limit=2").get_json()
        second = caller.get(f"/v1/webhooks?limit=3&cursor={first['next_cursor']}").get_json()
        assert [row["id"] for row in first["data"] + second["data"]] == ids[::-1]
        assert (first["object"], first["total_count"], second["has_more"]) == ("list", 5, False)

    def test_another_tenants_webhook_does_not_exist(self, caller: Caller, stranger: Caller) -> None:
        webhook = made(caller)
        path = f"/v1/webhooks/{webhook['id']}"
        for response in (
            stranger.get(path),
            stranger.put(path, {"url": "https://evil.example.com/"}),
            stranger.patch(path, {"enabled": False}),
            stranger.delete(path),
            stranger.post(f"{path}/rotate-secret"),
            stranger.post(f"{path}/test"),
            stranger.get(f"{path}/deliveries"),
        ):
            assert error_of(response, 404)["message"] == "Webhook not found"
        assert stranger.get("/v1/webhooks").get_json()["data"] == []
        del webhook["secret"]
        assert caller.get(path).get_json() == webhook

    def test_each_verb_needs_its_scope(
        self, caller: Caller, make_caller: Callable[..., Caller], anonymous: Caller
    ) -> None:
        path = f"/v1/webhooks/{made(caller)['id']}"
        reader, writer = make_caller("read", tenant_of=caller), make_caller("read", "write", tenant_of=caller)
        assert reader.get(path).status_code == 200
        for response in (reader.post("/v1/webhooks", {"url": URL}), reader.put(path, {}), reader.post(f"{path}/test")):
            assert "`write`" in error_of(response, 403)["message"]
        assert "`delete`" in error_of(writer.delete(path), 403)["message"]
        error_of(anonymous.get(path), 401)


class TestUpdate:
    @pytest.mark.parametrize("verb", ["PUT", "PATCH"])
    def test_what_is_sent_changes_and_the_rest_stays(self, caller: Caller, verb: str) -> None:
        before = made(caller, description="audit trail", event_types=["memory.created"])
        answer = caller.call(verb, f"/v1/webhooks/{before['id']}", {"enabled": False, "description": None}).get_json()
        assert answer["enabled"] is False
        assert (answer["description"], answer["event_types"], answer["url"]) == ("audit trail", ["memory.created"], URL)

    def test_events_can_be_widened_to_all_again(self, caller: Caller) -> None:
        id = made(caller, event_types=["memory.created"])["id"]
        assert caller.patch(f"/v1/webhooks/{id}", {"event_types": []}).get_json()["event_types"] == []

    def test_a_secret_sent_here_is_not_taken_for_changed(self, caller: Caller) -> None:
        id = made(caller)["id"]
        body = error_of(caller.patch(f"/v1/webhooks/{id}", {"secret": "another-one", "enabled": False}), 422)
        assert body["details"][0]["field"] == "secret"
        assert "rotate-secret" in body["message"]
        assert caller.get(f"/v1/webhooks/{id}").get_json()["enabled"] is True

    def test_a_new_address_is_checked_like_the_first(self, caller: Caller) -> None:
        id = made(caller)["id"]
        body = error_of(caller.patch(f"/v1/webhooks/{id}", {"url": "https://10.0.0.1/"}), 422)
        assert body["details"] == [{"field": "url", "message": body["details"][0]["message"]}]
        assert "LOCI_OUTBOUND_ALLOW" in body["message"]
        assert caller.get(f"/v1/webhooks/{id}").get_json()["url"] == URL

    def test_unknown_and_malformed_ids_are_told_apart(self, caller: Caller, unknown_id: str) -> None:
        error_of(caller.patch(f"/v1/webhooks/{unknown_id}", {"enabled": True}), 404)
        error_of(caller.patch(f"/v1/webhooks/{unknown_id}", {"url": URL}), 404)
        error_of(caller.patch("/v1/webhooks/mine", {"enabled": True}), 422)


class TestRotateSecret:
    def test_two_secrets_sign_during_the_grace_period(self, caller: Caller, parts: State) -> None:
        webhook = made(caller)
        answer = caller.post(f"/v1/webhooks/{webhook['id']}/rotate-secret", {"grace_hours": 2}).get_json()
        fresh, old = answer["secret"], webhook["secret"]
        assert fresh != old
        assert answer["old_secret_until"] is not None
        assert secrets_of(parts, caller, webhook["id"]) == [fresh, old]
        with time_machine.travel(answer["old_secret_until"], tick=False):
            assert secrets_of(parts, caller, webhook["id"]) == [fresh]
            assert caller.get(f"/v1/webhooks/{webhook['id']}").get_json()["old_secret_until"] is None

    def test_without_grace_the_old_secret_is_dropped_at_once(self, caller: Caller, parts: State) -> None:
        id = made(caller)["id"]
        answer = caller.post(f"/v1/webhooks/{id}/rotate-secret", {"grace_hours": 0, "secret": "mine"}).get_json()
        assert answer["old_secret_until"] is None
        assert "secret" not in answer
        assert secrets_of(parts, caller, id) == ["mine"]

    def test_rotations_at_the_same_moment_leave_two_of_their_secrets(self, caller: Caller, parts: State) -> None:
        first = made(caller)
        path = f"/v1/webhooks/{first['id']}/rotate-secret"
        made_up = [f"secret {number}" for number in range(16)]
        answers = at_once([partial(caller.post, path, {"secret": secret}) for secret in made_up])
        assert {answer.status_code for answer in answers} == {200}
        left = secrets_of(parts, caller, first["id"])
        assert len(left) == len(set(left)) == 2
        assert set(left) <= set(made_up)


class TestTest:
    def test_a_test_event_is_put_on_its_way(self, caller: Caller) -> None:
        id = made(caller, event_types=["memory.created"])["id"]
        response = caller.post(f"/v1/webhooks/{id}/test")
        assert response.status_code == 202
        delivery = response.get_json()
        assert (delivery["state"], delivery["event_type"], delivery["webhook_id"]) == ("pending", "webhook.test", id)
        assert (delivery["attempts"], delivery["error"], delivery["delivered_at"]) == (0, None, None)
        assert caller.get(f"/v1/webhooks/{id}/deliveries").get_json()["data"] == [delivery]

    def test_deliveries_are_paged_and_chosen_by_state(self, caller: Caller) -> None:
        id, other = made(caller)["id"], made(caller)["id"]
        sent = [caller.post(f"/v1/webhooks/{id}/test").get_json()["id"] for _ in range(5)]
        caller.post(f"/v1/webhooks/{other}/test")
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = caller.get(f"/v1/webhooks/{id}/deliveries?limit=2&state=pending&cursor={cursor}").get_json()
            seen += [row["id"] for row in page["data"]]
            cursor = page["next_cursor"]
            assert page["total_count"] == 5
        assert seen == sent[::-1]
        assert caller.get(f"/v1/webhooks/{id}/deliveries?state=failed").get_json()["data"] == []
        body = error_of(caller.get(f"/v1/webhooks/{id}/deliveries?state=lost"), 422)
        assert body["details"][0]["field"] == "state"


class TestDelete:
    def test_it_goes_with_its_deliveries(self, caller: Caller, parts: State) -> None:
        id, other = made(caller)["id"], made(caller)["id"]
        for webhook in (id, id, other):
            caller.post(f"/v1/webhooks/{webhook}/test")
        assert caller.delete(f"/v1/webhooks/{id}").status_code == 204
        error_of(caller.get(f"/v1/webhooks/{id}"), 404)
        error_of(caller.delete(f"/v1/webhooks/{id}"), 404)
        stored = parts.graph.read(EVERYTHING, tenant=caller.tenant)
        assert [row for row in stored if row["properties"].get("webhook_id") == id] == []
        assert len(caller.get(f"/v1/webhooks/{other}/deliveries").get_json()["data"]) == 1

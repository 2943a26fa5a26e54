"""Managing API keys: list, edit, rotate, revoke, namespaces. What a key may do is tested in tests/contract."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine

from app.state import State
from graph.keys import KeyRepository
from tests.callers import Caller, error_of
from tests.together import at_once


def made(caller: Caller, **body: Any) -> tuple[Caller, dict[str, Any]]:
    """Make a key and return a caller that uses it, and what was said of it."""
    response = caller.post("/v1/keys", body)
    assert response.status_code == 201, response.get_json()
    found = response.get_json()
    return Caller(caller.app, found["key"], caller.account, caller.tenant), found["key_info"]


def own_id(caller: Caller) -> str:
    """Return the id of the key that the caller uses: the oldest of its account."""
    return str(caller.get("/v1/keys").get_json()["data"][-1]["id"])


def works(caller: Caller) -> bool:
    """Tell whether the key opens anything."""
    status = caller.get("/v1/agents").status_code
    assert status in (200, 401)
    return status == 200


class TestListAndGet:
    def test_keys_are_listed_newest_first_without_their_secret(self, caller: Caller) -> None:
        worker, info = made(caller, name="ci", daily_spend_limit_usd=5)
        body = caller.get("/v1/keys").get_json()
        assert [row["name"] for row in body["data"]] == ["ci", None]
        assert (body["object"], body["total_count"], body["has_more"]) == ("list", 2, False)
        assert body["data"][0] == info
        assert worker.key not in caller.get("/v1/keys").text

    def test_pages_have_neither_gaps_nor_repeats(self, caller: Caller) -> None:
        ids = [made(caller, name=str(number))[1]["id"] for number in range(7)]
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = caller.get(f"/v1/keys?limit=3&cursor={cursor}").get_json()
            seen += [row["id"] for row in page["data"]]
            cursor = page["next_cursor"]
        assert seen[:7] == ids[::-1]
        assert len(seen) == len(set(seen)) == 8

    def test_one_key_is_shown_as_it_was_made(self, caller: Caller) -> None:
        worker, info = made(caller, name="ci", scopes=["write", "read", "read"], expires_days=30)
        assert caller.get(f"/v1/keys/{info['id']}").get_json() == info
        assert info["scopes"] == ["read", "write"]
        assert info["key_prefix"] == worker.key[:12]
        assert (info["is_active"], info["spend_info"], info["replaced_by"]) == (True, None, None)

    def test_last_use_is_shown_to_the_minute(self, caller: Caller) -> None:
        worker, info = made(caller, name="ci")
        assert info["last_used_at"] is None
        assert works(worker)
        caller.get("/v1/usage")  # writes what this process has counted
        used = caller.get(f"/v1/keys/{info['id']}").get_json()["last_used_at"]
        assert used.endswith(":00Z")

    def test_keys_of_another_account_do_not_exist(self, caller: Caller, stranger: Caller) -> None:
        _, info = made(caller, name="ci")
        path = f"/v1/keys/{info['id']}"
        for response in (
            stranger.get(path),
            stranger.put(path, {"name": "mine"}),
            stranger.patch(path, {"name": "mine"}),
            stranger.delete(path),
            stranger.post(f"{path}/rotate"),
        ):
            assert error_of(response, 404)["message"] == "API key not found"
        assert info["id"] not in stranger.get("/v1/keys").text
        assert caller.get(path).get_json() == info

    @pytest.mark.parametrize("scopes", [("read",), ("read", "write", "delete")])
    def test_only_admin_keys_manage_keys(
        self, caller: Caller, make_caller: Callable[..., Caller], scopes: tuple[str, ...]
    ) -> None:
        other, path = make_caller(*scopes, tenant_of=caller), f"/v1/keys/{own_id(caller)}"
        for response in (
            other.get("/v1/keys"),
            other.get("/v1/keys/namespaces"),
            other.get(path),
            other.put(path, {}),
            other.delete(path),
            other.post(f"{path}/rotate"),
        ):
            assert "admin" in error_of(response, 403)["message"]


class TestEdit:
    def test_name_scopes_and_limits_change_and_the_rest_stays(self, caller: Caller) -> None:
        _, info = made(caller, name="ci", expires_days=30)
        changed = {"name": "nightly", "scopes": ["read"], "monthly_spend_limit_usd": 12.5}
        answer = caller.patch(f"/v1/keys/{info['id']}", {**changed, "expires_days": 1, "namespace": "other"})
        assert answer.get_json() == {**info, **changed}

    def test_null_and_absent_fields_change_nothing(self, caller: Caller) -> None:
        _, info = made(caller, name="ci")
        answer = caller.put(f"/v1/keys/{info['id']}", {"name": None, "scopes": None, "daily_spend_limit_usd": None})
        assert answer.get_json() == info

    def test_a_scope_that_is_taken_away_is_gone_at_once(self, caller: Caller) -> None:
        worker, info = made(caller)
        assert worker.post("/v1/agents", {"name": "iris"}).status_code == 201
        caller.put(f"/v1/keys/{info['id']}", {"scopes": ["read"]})
        error_of(worker.post("/v1/agents", {"name": "juno"}), 403)

    @pytest.mark.parametrize("scopes", [[], ["root"], "admin", ["read", 1]])
    def test_scopes_that_do_not_exist_are_refused(self, caller: Caller, scopes: Any) -> None:
        body = error_of(caller.put(f"/v1/keys/{own_id(caller)}", {"scopes": scopes}), 422)
        assert body["details"][0]["field"].startswith("scopes")

    def test_the_last_admin_key_cannot_lock_itself_out(self, caller: Caller) -> None:
        path = f"/v1/keys/{own_id(caller)}"
        _, other = made(caller, scopes=["admin"])
        assert caller.delete(f"/v1/keys/{other['id']}").status_code == 204
        for response in (caller.put(path, {"scopes": ["read", "write"]}), caller.delete(path)):
            assert "last key of the account that may manage keys" in error_of(response, 409)["message"]
        assert caller.get(path).get_json()["is_active"]
        assert "admin" in caller.get(path).get_json()["scopes"]

    def test_with_another_admin_key_it_may(self, caller: Caller) -> None:
        path = f"/v1/keys/{own_id(caller)}"
        made(caller, scopes=["admin"])
        assert caller.put(path, {"scopes": ["read"]}).status_code == 200
        error_of(caller.get("/v1/keys"), 403)

    def test_of_admins_that_demote_each_other_one_is_left(self, caller: Caller, parts: State) -> None:
        admins = [made(caller, scopes=["admin"]) for _ in range(5)]
        caller.delete(f"/v1/keys/{own_id(caller)}")
        calls = [partial(demote, admin, admins[(number + 1) % 5][1]["id"]) for number, (admin, _) in enumerate(admins)]
        statuses = at_once(calls)
        assert set(statuses) <= {200, 403, 409}
        rows = KeyRepository(parts.graph, caller.account).list(2**62, "", 0, 100)
        assert [row for row in rows if "admin" in row["scopes"] and row["revoked_at"] is None]


class TestRotate:
    def test_the_new_key_does_the_same_and_the_old_one_works_on_for_a_day(self, caller: Caller) -> None:
        old, info = made(caller, name="ci", scopes=["read"], daily_spend_limit_usd=3)
        response = caller.post(f"/v1/keys/{info['id']}/rotate")
        assert response.status_code == 201
        new, fresh = response.get_json()["key"], response.get_json()["key_info"]
        assert new.startswith("mem_prod_")
        assert new != old.key
        same = ("name", "scopes", "namespace", "daily_spend_limit_usd")
        assert {name: fresh[name] for name in same} == {name: info[name] for name in same}
        assert works(Caller(caller.app, new, caller.account))
        assert works(old)
        after = caller.get(f"/v1/keys/{info['id']}").get_json()
        assert after["deprecated_at"] is not None
        assert (after["is_active"], after["replaced_by"]) == (True, fresh["id"])
        assert after["auto_revoke_at"][:10] > after["deprecated_at"][:10]

    def test_after_the_grace_period_the_old_key_ends_by_itself(self, caller: Caller) -> None:
        old, info = made(caller, name="ci")
        caller.post(f"/v1/keys/{info['id']}/rotate", {"grace_hours": 2})
        ends = datetime.fromisoformat(caller.get(f"/v1/keys/{info['id']}").get_json()["auto_revoke_at"])
        with time_machine.travel(ends - timedelta(seconds=1), tick=False):
            assert works(old)
        with time_machine.travel(ends, tick=False):
            error_of(old.get("/v1/agents"), 401)

    def test_without_grace_the_old_key_ends_at_once(self, caller: Caller) -> None:
        old, info = made(caller, name="ci")
        new = caller.post(f"/v1/keys/{info['id']}/rotate", {"grace_hours": 0}).get_json()["key"]
        error_of(old.get("/v1/agents"), 401)
        assert works(Caller(caller.app, new, caller.account))
        assert caller.get(f"/v1/keys/{info['id']}").get_json()["is_active"] is False

    def test_an_expiring_key_gets_its_whole_lifetime_anew(self, caller: Caller) -> None:
        _, info = made(caller, expires_days=30)
        fresh = caller.post(f"/v1/keys/{info['id']}/rotate").get_json()["key_info"]
        assert fresh["expires_at"] >= info["expires_at"]
        assert made(caller)[1]["expires_at"] is None

    def test_a_key_is_replaced_once_however_many_ask(self, caller: Caller) -> None:
        _, info = made(caller, name="ci")
        statuses = at_once([lambda: caller.post(f"/v1/keys/{info['id']}/rotate").status_code] * 16)
        assert sorted(statuses) == [201] + [409] * 15
        assert [row["name"] for row in caller.get("/v1/keys").get_json()["data"]].count("ci") == 2

    def test_a_key_that_ended_cannot_be_rotated(self, caller: Caller) -> None:
        _, info = made(caller, name="ci")
        caller.delete(f"/v1/keys/{info['id']}")
        assert "ended" in error_of(caller.post(f"/v1/keys/{info['id']}/rotate"), 409)["message"]

    def test_the_only_admin_key_can_rotate_itself(self, caller: Caller) -> None:
        new = caller.post(f"/v1/keys/{own_id(caller)}/rotate", {"grace_hours": 0}).get_json()["key"]
        error_of(caller.get("/v1/keys"), 401)
        assert Caller(caller.app, new, caller.account).get("/v1/keys").status_code == 200

    @pytest.mark.parametrize("hours", [-1, 721, "soon"])
    def test_a_grace_period_out_of_range_is_refused(self, caller: Caller, hours: Any) -> None:
        body = error_of(caller.post(f"/v1/keys/{own_id(caller)}/rotate", {"grace_hours": hours}), 422)
        assert body["details"][0]["field"] == "grace_hours"


class TestRevoke:
    def test_a_revoked_key_is_refused_at_once_and_still_listed(self, caller: Caller) -> None:
        worker, info = made(caller, name="ci")
        assert works(worker)
        assert caller.delete(f"/v1/keys/{info['id']}").status_code == 204
        assert not works(worker)
        first = caller.get(f"/v1/keys/{info['id']}").get_json()
        assert (first["is_active"], first["revoked_at"] is not None) == (False, True)
        assert caller.delete(f"/v1/keys/{info['id']}").status_code == 204
        assert caller.get(f"/v1/keys/{info['id']}").get_json() == first

    def test_unknown_and_malformed_ids_are_told_apart(self, caller: Caller, unknown_id: str) -> None:
        error_of(caller.delete(f"/v1/keys/{unknown_id}"), 404)
        error_of(caller.delete("/v1/keys/mine"), 422)


class TestNamespaces:
    def test_each_namespace_of_the_account_is_named_with_its_keys(self, caller: Caller, stranger: Caller) -> None:
        for namespace in ("team-b", "team-b", "team-a"):
            made(caller, namespace=namespace)
        body = caller.get("/v1/keys/namespaces").get_json()
        assert {row["namespace"]: row["key_count"] for row in body["data"]} == {"team-a": 1, "team-b": 2, "default": 1}
        assert (body["total_count"], body["object"]) == (3, "list")
        assert [row["namespace"] for row in stranger.get("/v1/keys/namespaces").get_json()["data"]] == ["default"]

    def test_keys_of_two_namespaces_see_nothing_of_each_other(self, caller: Caller) -> None:
        other, _ = made(caller, namespace="team-b")
        id = caller.post("/v1/agents", {"name": "iris"}).get_json()["id"]
        error_of(other.get(f"/v1/agents/{id}"), 404)

    def test_pages_follow_one_another(self, caller: Caller) -> None:
        for number in range(4):
            made(caller, namespace=f"team-{number}")
        first = caller.get("/v1/keys/namespaces?limit=3").get_json()
        second = caller.get(f"/v1/keys/namespaces?limit=3&cursor={first['next_cursor']}").get_json()
        assert len({row["id"] for row in first["data"] + second["data"]}) == 5
        assert second["has_more"] is False


def demote(admin: Caller, key_id: str) -> int:
    """Take the scope `admin` from a key and return the status of the answer."""
    return admin.put(f"/v1/keys/{key_id}", {"scopes": ["read"]}).status_code

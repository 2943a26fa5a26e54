"""Making and revoking keys over HTTP."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from app.state import State
from tests.callers import Caller, error_of


def with_key(caller: Caller, key: str) -> Caller:
    """Return a caller with another key."""
    return Caller(caller.app, key, caller.account)


class TestCreate:
    def test_shows_the_key_once_and_then_only_what_it_is_for(self, caller: Caller, parts: State) -> None:
        response = caller.post("/v1/keys", {"name": "ci", "daily_spend_limit_usd": 5})
        body = response.get_json()
        assert response.status_code == 201
        assert re.fullmatch(r"mem_prod_[0-9a-f]{64}", body["key"])
        info = body["key_info"]
        assert (info["name"], info["scopes"], info["namespace"]) == ("ci", ["read", "write"], "default")
        assert body["key"].startswith(info["key_prefix"])
        assert (info["is_active"], info["expires_at"], info["daily_spend_limit_usd"]) == (True, None, 5.0)
        assert body["key"] not in caller.get(f"/v1/keys/{info['id']}").get_data(as_text=True)
        stored = parts.graph.read("MATCH (k:ApiKey {id: $id}) RETURN properties(k) AS all", id=info["id"])
        assert body["key"] not in str(stored)

    def test_opens_the_tenant_of_the_caller(self, caller: Caller) -> None:
        memory = caller.remember("The build is green")
        key = caller.post("/v1/keys", {}).get_json()["key"]
        assert with_key(caller, key).get(f"/v1/memories/{memory['id']}").status_code == 200

    def test_in_a_namespace_of_its_own_opens_another_tenant(self, caller: Caller) -> None:
        memory = caller.remember("The build is green")
        body = caller.post("/v1/keys", {"namespace": "team-a"}).get_json()
        other = with_key(caller, body["key"])
        assert body["key_info"]["namespace"] == "team-a"
        assert other.get(f"/v1/memories/{memory['id']}").status_code == 404
        assert other.get("/v1/memories").get_json()["total_count"] == 0
        again = with_key(caller, caller.post("/v1/keys", {"namespace": "team-a"}).get_json()["key"])
        kept = other.remember("Seen by all of team-a")
        assert again.get(f"/v1/memories/{kept['id']}").status_code == 200

    def test_with_days_to_live_works_until_they_are_over(self, caller: Caller) -> None:
        body = caller.post("/v1/keys", {"expires_days": 30, "scopes": ["read"]}).get_json()
        other = with_key(caller, body["key"])
        assert other.get("/v1/agents").status_code == 200
        with time_machine.travel(datetime.now(UTC) + timedelta(days=30, seconds=1), tick=True):
            assert "expired" in error_of(other.get("/v1/agents"), 401)["message"]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"scopes": []}, "scopes"),
            ({"scopes": ["root"]}, "scopes.0"),
            ({"scopes": "read"}, "scopes"),
            ({"expires_days": 0}, "expires_days"),
            ({"expires_days": 366}, "expires_days"),
            ({"namespace": "team a"}, "namespace"),
            ({"namespace": "team\n"}, "namespace"),
            ({"namespace": ""}, "namespace"),
        ],
    )
    def test_refuses_what_makes_no_sense(self, caller: Caller, body: dict[str, object], field: str) -> None:
        assert field in [detail["field"] for detail in error_of(caller.post("/v1/keys", body), 422)["details"]]

    def test_needs_an_admin_key(self, make_caller: object, caller: Caller) -> None:
        key = caller.post("/v1/keys", {"scopes": ["read", "write", "delete"]}).get_json()["key"]
        error_of(with_key(caller, key).post("/v1/keys", {}), 403)


class TestRevoke:
    def test_works_at_once(self, caller: Caller) -> None:
        body = caller.post("/v1/keys", {}).get_json()
        other = with_key(caller, body["key"])
        assert other.get("/v1/agents").status_code == 200
        assert caller.delete(f"/v1/keys/{body['key_info']['id']}").status_code == 204
        assert "revoked" in error_of(other.get("/v1/agents"), 401)["message"]

    def test_of_a_key_of_another_account_is_404(self, caller: Caller, stranger: Caller) -> None:
        key_id = stranger.post("/v1/keys", {}).get_json()["key_info"]["id"]
        error_of(caller.delete(f"/v1/keys/{key_id}"), 404)
        assert stranger.get(f"/v1/keys/{key_id}").get_json()["is_active"] is True

    def test_answers_with_a_body_where_it_is_asked_for(self, caller: Caller) -> None:
        key_id = caller.post("/v1/keys", {}).get_json()["key_info"]["id"]
        response = caller.delete(f"/v1/keys/{key_id}", headers={"Prefer": "return=representation"})
        assert response.get_json() == {"id": key_id, "object": "api_key", "deleted": True}


class TestHeader:
    def test_bearer_wins_over_the_other(self, caller: Caller) -> None:
        assert caller.get("/v1/agents", headers={"X-API-Key": "mem_prod_nobody"}).status_code == 200

    def test_scheme_is_read_in_any_case(self, caller: Caller, anonymous: Caller) -> None:
        assert anonymous.get("/v1/agents", headers={"Authorization": f"bEaReR  {caller.key} "}).status_code == 200

    @pytest.mark.parametrize("value", ["Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "mem_prod_only"])
    def test_of_another_kind_is_explained(self, anonymous: Caller, value: str) -> None:
        found = error_of(anonymous.get("/v1/agents", headers={"Authorization": value}), 401)
        assert "Bearer <key>" in found["message"]

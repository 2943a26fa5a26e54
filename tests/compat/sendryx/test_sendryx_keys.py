"""Keys of Sendryx: who may make them, what they open, and what they never show."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from app import create_app
from app.compat.sendryx import key_number
from app.state import State
from tests.callers import Caller
from tests.compat.sendryx.test_routes import ROUTES, Route, forget, make_key, stored
from tests.compat.sendryx.test_sendryx import Speak, listed, read
from tests.compat.speakers import id_of
from tests.contract.footprint import footprint
from tests.together import at_once


class TestTenancy:
    @pytest.mark.parametrize("where", ["account", "namespace"])
    @pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
    def test_nothing_of_another_is_shown_or_changed(
        self, route: Route, where: str, caller: Caller, speak: Speak, parts: State
    ) -> None:
        for number in range(3):
            stored(caller, content=f"zqkestrel {number}", metadata={"zqkestrel": number})
        key = make_key(speak("admin", namespace_of=caller), namespace="other").get_json()["key"]["key"]
        other = speak() if where == "account" else replace(caller, key=key)
        before = footprint(parts, caller)
        response = route.send(other)
        assert response.status_code == route.status
        assert "zqkestrel" not in response.get_data(as_text=True)
        assert footprint(parts, caller) == before


class TestKeys:
    def test_for_one_namespace_see_the_same_memories(self, caller: Caller, speak: Speak) -> None:
        stored(caller)
        assert listed(speak(namespace_of=caller)) == ["Rings back after 16:00 only"]

    def test_of_other_accounts_meet_nowhere(self, caller: Caller, stranger: Caller) -> None:
        id = stored(caller, content="zqkestrel")
        assert forget(stranger, id=id).status_code == 404
        assert forget(stranger, wipe="true").get_json()["deleted"] == 0
        for what in ("list", "stats", "search?query=zqkestrel", "list?include_expired=true", "usage"):
            assert "zqkestrel" not in str(read(stranger, what))
        assert read(stranger, "stats")["stats"]["total_memories"] == "0"
        assert listed(caller) == ["zqkestrel"]

    def test_are_made_by_an_admin_for_any_namespace_of_the_account(self, caller: Caller, speak: Speak) -> None:
        stored(caller)
        admin = speak("admin", namespace_of=caller)
        made = make_key(admin).get_json()["key"]
        assert (made["namespace"], made["name"]) == ("helpdesk", "laptop")
        fellow = replace(caller, key=made["key"])
        assert listed(fellow) == ["Rings back after 16:00 only"]
        assert made["id"] == key_number(id_of_key(admin, made["key"]))
        elsewhere = make_key(admin, namespace="other", name=None).get_json()["key"]
        assert elsewhere["name"] is None
        assert listed(replace(caller, key=elsewhere["key"])) == []
        assert make_key(fellow).status_code == 403

    def test_of_other_apis_work_here(self, caller: Caller, speak: Speak) -> None:
        stored(caller)
        key = speak("admin", namespace_of=caller).post("/v1/keys", {"scopes": ["read"]}).get_json()["key"]
        assert key.startswith("mem_prod_")
        assert listed(replace(caller, key=key)) == ["Rings back after 16:00 only"]

    def test_are_made_for_this_api_by_the_native_one(self, caller: Caller, speak: Speak) -> None:
        body = speak("admin", namespace_of=caller).post("/v1/keys", {"dialect": "sendryx"}).get_json()
        assert body["key"].startswith("sk-gw-")
        assert body["key_info"]["scopes"] == ["delete", "read", "write"]

    def test_of_anybody_open_a_new_namespace_and_no_other(self, parts: State, caller: Caller) -> None:
        app = create_app(replace(parts, settings=replace(parts.settings, signup=True)))
        nobody = Caller(app, "", "")
        name = f"signup-{caller.tenant}"
        made = at_once([partial(make_key, nobody, namespace=name)] * 4)
        assert sorted(answer.status_code for answer in made) == [200, 401, 401, 401]
        key = next(answer.get_json()["key"]["key"] for answer in made if answer.status_code == 200)
        first = Caller(app, key, "")
        assert stored(first) > 0
        refusal = make_key(nobody, namespace=name).get_json()
        assert "admin" in refusal["message"]
        assert make_key(first, namespace=f"{name}-2").status_code == 403

    def test_look_as_they_should(self, caller: Caller) -> None:
        assert caller.key.startswith("sk-gw-")
        assert len(caller.key) >= len("sk-gw-") + 40


def id_of_key(caller: Caller, key: str) -> str:
    """Return the UUID of a key."""
    return id_of(caller.app.extensions["loci"], replace(caller, key=key))

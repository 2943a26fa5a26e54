"""Keys, scopes, limits and errors of AgentMemo, and what a page of another origin may do."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.compat.agentmemo import DIALECT
from app.scopes import ALL_SCOPES
from app.state import State
from graph.driver import Connection, Graph
from tests.callers import Caller
from tests.compat.agentmemo.conftest import Memo, error_of
from tests.compat.agentmemo.shapes import KEY, SIGNED_UP, faults
from tests.compat.speakers import refused, speaker
from tests.frozen_clock import START

BODY = {"user_id": "u", "agent_id": "a", "content": "one"}
ROUTES: dict[str, tuple[str, str, Any]] = {
    "store": ("POST", "/memory/store", BODY),
    "batch": ("POST", "/memory/batch", {"memories": [BODY]}),
    "retrieve": ("GET", "/memory/retrieve?q=one&user_id=u", None),
    "forget": ("DELETE", "/memory/forget?user_id=u", None),
    "context": ("GET", "/memory/context?user_id=u", None),
    "feedback": ("POST", "/memory/feedback", {"memory_id": "mem_" + "0" * 20, "outcome": "success"}),
    "stats": ("GET", "/memory/stats", None),
    "usage": ("GET", "/usage", None),
    "keys": ("POST", "/auth/keys", {"name": "n"}),
}
NEEDS = {"store": "write", "batch": "write", "feedback": "write", "forget": "delete", "keys": "admin"}
each_route = pytest.mark.parametrize("route", ROUTES)


@pytest.fixture(scope="module")
def bad(app: Flask, parts: State) -> dict[str, Caller]:
    """Callers whose keys are of no use."""
    return refused(app, parts, DIALECT)


@pytest.fixture
def limited(parts: State) -> Flask:
    """An app that counts, from zero, and lets anybody sign up."""
    return create_app(replace(parts, settings=replace(parts.settings, rate_limit="100/minute", signup=True)))


class TestKey:
    def test_looks_as_its_clients_expect(self) -> None:
        keys = {DIALECT.new_key() for _ in range(50)}
        assert len(keys) == 50
        assert all(re.fullmatch(r"am_sk_[0-9A-Za-z]{40}", key) for key in keys)

    @each_route
    def test_is_needed_and_must_be_good(self, route: str, bad: dict[str, Caller], app: Flask) -> None:
        error_of(Memo(Caller(app, "", "")).call(*ROUTES[route]), 401)
        for kind, caller in bad.items():
            error_of(Memo(caller).call(*ROUTES[route]), 403 if kind in ("revoked", "expired") else 401)

    def test_comes_as_a_bearer_token_alone(self, memo: Memo) -> None:
        key, nobody = memo.native.key, Memo(replace(memo.native, key=""))
        for header in (f"Bearer {key}", f"bearer {key}", f"BEARER   {key} "):
            nobody.ok("GET", "/usage", headers={"Authorization": header})
        for headers in ({"X-API-Key": key}, {"Authorization": key}, {"Authorization": f"Basic {key}"},
                        {"Authorization": "Bearer"}, {"Authorization": "Bearer "}):  # fmt: skip
            assert "am_sk_" in nobody.refused(401, "GET", "/usage", headers=headers)

    @each_route
    def test_lacks_a_scope(self, route: str, new_memo: Callable[..., Memo]) -> None:
        needed = NEEDS.get(route, "read")
        others = [scope for scope in ALL_SCOPES if scope not in (needed, "admin")]
        response = new_memo(*others).call(*ROUTES[route])
        if route == "usage":
            assert response.status_code == 200
        else:
            assert f"`{needed}`" in error_of(response, 403)

    @each_route
    def test_of_any_api_will_do(self, route: str, make_caller: Callable[..., Caller]) -> None:
        assert Memo(make_caller()).call(*ROUTES[route]).status_code in (200, 201, 404)

    @each_route
    def test_made_here_does_for_the_native_api(self, route: str, memo: Memo) -> None:
        assert memo.native.get("/v1/memories").status_code == 200


class TestMint:
    def test_makes_a_key_with_a_namespace_of_its_own(self, app: Flask, make_caller: Callable[..., Caller]) -> None:
        admin = make_caller()
        made = Memo(admin).ok("POST", "/auth/keys", {"name": "my-bot", "owner": "ada"}, status=201)
        assert faults(KEY, made) == []
        assert (made["name"], made["owner"], made["scopes"]) == ("my-bot", "ada", ["read", "write"])
        client = Memo(Caller(app, made["key"], ""))
        client.store("the kettle whistles")
        assert Memo(admin).texts("kettle") == []
        usage = client.ok("GET", "/usage")
        assert (usage["api_key_id"], usage["name"]) == (made["id"], "my-bot")
        assert client.ok("DELETE", "/memory/forget?user_id=u_77") == {"deleted": 1}

    @pytest.mark.parametrize(
        ("scopes", "statuses"),
        [(["read"], (200, 403, 403)), (["write"], (403, 200, 200)), (["*"], (200, 200, 200)),
         (["read", "write"], (200, 200, 200))],
    )  # fmt: skip
    def test_maps_its_names_of_scopes(
        self, app: Flask, make_caller: Callable[..., Caller], scopes: list[str], statuses: tuple[int, ...]
    ) -> None:
        made = Memo(make_caller()).ok("POST", "/auth/keys", {"name": "n", "scopes": scopes}, status=201)
        assert made["scopes"] == scopes
        client = Memo(Caller(app, made["key"], ""))
        seen = [client.call(*ROUTES[route]).status_code for route in ("retrieve", "store", "forget")]
        assert tuple(200 if status == 201 else status for status in seen) == statuses

    def test_opens_the_namespace_that_is_named(self, app: Flask, make_caller: Callable[..., Caller]) -> None:
        admin = make_caller()
        admin.remember("the kettle whistles", user_id="u_77")
        made = Memo(admin).ok("POST", "/auth/keys", {"name": "n", "namespace": "default"}, status=201)
        assert Memo(Caller(app, made["key"], "")).texts("kettle") == ["the kettle whistles"]

    @pytest.mark.parametrize(
        "wrong", [{"name": ""}, {"name": None}, {"name": "n" * 201}, {"scopes": []}, {"scopes": ["admin"]},
                  {"scopes": "read"}, {"tier": "gold"}, {"owner": 7}, {"namespace": "a b"}],
    )  # fmt: skip
    def test_refuses_what_is_wrong_and_names_it(
        self, make_caller: Callable[..., Caller], wrong: dict[str, Any]
    ) -> None:
        message = Memo(make_caller("admin")).refused(400, "POST", "/auth/keys", {"name": "n", **wrong})
        assert message.startswith(next(iter(wrong)))


class TestSignUp:
    def test_is_off_unless_enabled(self, app: Flask) -> None:
        assert "LOCI_SIGNUP" in Memo(Caller(app, "", "")).refused(403, "POST", "/signup", {"name": "n"})

    def test_makes_a_key_with_a_namespace_of_its_own(self, limited: Flask) -> None:
        nobody = Memo(Caller(limited, "", ""))
        made = [nobody.ok("POST", "/signup", {"name": "my-agent", "email": "a@b.c"}, status=201) for _ in range(2)]
        assert faults(SIGNED_UP, made[0]) == []
        clients = [Memo(Caller(limited, each["api_key"], "")) for each in made]
        clients[0].store("the kettle whistles")
        assert (clients[0].texts("kettle"), clients[1].texts("kettle")) == (["the kettle whistles"], [])
        assert clients[0].ok("DELETE", "/memory/forget?user_id=u_77") == {"deleted": 1}
        clients[0].refused(403, "POST", "/auth/keys", {"name": "n"})

    def test_is_for_three_an_hour_from_one_address(self, limited: Flask, clock: Any) -> None:
        nobody = Memo(Caller(limited, "", ""))
        for wrong in ({}, {"name": ""}, {"name": "n" * 201}, {"name": ["n"]}):
            nobody.refused(400, "POST", "/signup", wrong)
        for _ in range(3):
            nobody.ok("POST", "/signup", {"name": "n"}, status=201)
        nobody.refused(429, "POST", "/signup", {"name": "n"})
        elsewhere = {"environ_base": {"REMOTE_ADDR": "192.0.2.7"}}
        nobody.ok("POST", "/signup", {"name": "n"}, status=201, **elsewhere)
        clock.move_to(START + timedelta(seconds=3601))
        nobody.ok("POST", "/signup", {"name": "n"}, status=201)


class TestLimits:
    def test_are_100_a_minute_for_a_key(self, limited: Flask, memo: Memo, other: Memo, clock: Any) -> None:
        client = memo.over(limited)
        seen = [client.call("GET", "/memory/context?user_id=u").headers for _ in range(99)]
        assert [int(each["x-ratelimit-remaining"]) for each in seen] == list(range(99, 0, -1))
        assert {each["x-ratelimit-limit"] for each in seen} == {"100"}
        client.refused(400, "GET", "/memory/retrieve")
        clock.move_to(START + timedelta(seconds=20))
        response = client.call("GET", "/usage")
        error_of(response, 429)
        body = response.get_json()
        assert (body["code"], body["retry_after_seconds"]) == ("rate_limited", 60)
        assert (response.headers["Retry-After"], response.headers["x-ratelimit-remaining"]) == ("60", "0")
        other.over(limited).ok("GET", "/usage")
        assert memo.native.get("/v1/health").status_code == 200
        clock.move_to(START + timedelta(seconds=61))
        assert client.call("GET", "/usage").headers["x-ratelimit-remaining"] == "99"

    def test_are_100_stores_an_hour_for_a_user_of_a_key(self, limited: Flask, memo: Memo, clock: Any) -> None:
        client = memo.over(limited)
        client.store("one", "u_1")
        for number in range(1, 100):
            if number == 60:
                clock.move_to(START + timedelta(seconds=61))
            client.ok("POST", "/memory/store", {"user_id": "u_1", "agent_id": "desk", "content": "one"})
        clock.move_to(START + timedelta(seconds=122))
        response = client.call("POST", "/memory/store", {"user_id": "u_1", "agent_id": "desk", "content": "two"})
        error_of(response, 429)
        assert "retry_after_seconds" not in response.get_json()
        assert (response.headers["x-ratelimit-limit"], response.headers["x-ratelimit-remaining"]) == ("100", "99")
        client.store("two", "u_2")
        item = {"user_id": "u_1", "agent_id": "desk", "content": "two"}
        assert client.ok("POST", "/memory/batch", {"memories": [item]}, status=201)["stored"] == 1
        clock.move_to(START + timedelta(seconds=3601))
        client.store("three", "u_1")


class TestErrors:
    def test_of_a_body_that_cannot_be_read(self, memo: Memo, make_caller: Callable[..., Caller]) -> None:
        admin = Memo(make_caller())
        for path in ("/memory/store", "/memory/batch", "/memory/feedback", "/auth/keys", "/signup"):
            for data in (b"{", b"[]", b"7", b"null", b'"a"', b"\xff", b'{"a": NaN}', b'{"a": "\\ud800"}', b""):
                admin.refused(400, "POST", path, data=data)
            size = {"CONTENT_LENGTH": str(30 * 1024 * 1024)}
            admin.refused(413, "POST", path, data=b"{}", environ_overrides=size)

    @pytest.mark.parametrize(
        "path", ["/nothing", "/memory", "/memory/episodes", "/memory/export", "/memory/verify/x", "/agents/x",
                 "/analytics/daily", "/users/x/memories", "/webhooks/logs", "/templates", "/memory/working",
                 "/observatory.json", "/.well-known/oauth-authorization-server", "/%00", "/memory/store/x"],
    )  # fmt: skip
    def test_of_what_is_not_there(self, memo: Memo, path: str) -> None:
        for verb in ("GET", "POST", "DELETE"):
            assert memo.refused(404, verb, path)

    @pytest.mark.parametrize(
        ("verb", "path", "allowed"),
        [("GET", "/memory/store", "POST"), ("POST", "/memory/retrieve", "GET"), ("PUT", "/memory/forget", "DELETE"),
         ("GET", "/mcp", "POST"), ("DELETE", "/usage", "GET")],
    )  # fmt: skip
    def test_of_another_verb(self, memo: Memo, verb: str, path: str, allowed: str) -> None:
        response = memo.call(verb, path)
        error_of(response, 405)
        assert allowed in response.headers["Allow"]

    @each_route
    def test_of_a_database_that_is_away(self, route: str, parts: State, memo: Memo) -> None:
        graph = Graph(Connection("bolt://127.0.0.1:1", "neo4j", "x", patience=0.0))
        away = memo.over(create_app(replace(parts, graph=graph)))
        response = away.call(*ROUTES[route])
        error_of(response, 503)
        assert int(response.headers["Retry-After"]) > 0
        assert away.ok("GET", "/health", status=503) == {"status": "degraded", "db": "error"}
        assert away.ok("GET", "/status.json")["status"] == "degraded"
        graph.close()

    @each_route
    def test_of_a_mistake_of_the_server(self, route: str, parts: State, memo: Memo) -> None:
        broken = memo.over(create_app(replace(parts, graph=Broken(parts.graph.connection))))
        response = broken.call(*ROUTES[route])
        assert "secret" not in error_of(response, 500)
        assert response.get_json()["code"] == "internal_error"

    def test_of_a_full_tenant(self, parts: State, memo: Memo) -> None:
        full = memo.over(create_app(replace(parts, settings=replace(parts.settings, quota=1))))
        full.store("one")
        full.refused(403, "POST", "/memory/store", {**BODY, "content": "two"})

    def test_lead_to_the_documents(self, memo: Memo) -> None:
        body = memo.call("GET", "/nothing").get_json()
        assert body["docs"] == "http://localhost/agentmemo/llms.txt"
        assert memo.call("GET", "/llms.txt").status_code == 200


class Broken(Graph):
    """A graph that fails the way only a mistake of ours can."""

    def read(self, query: str, **parameters: Any) -> Any:
        raise RuntimeError(f"MATCH (secret) {parameters}")

    write = transaction = snapshot = ping = read  # type: ignore[assignment]


class TestOrigins:
    def test_of_any_page_may_call(self, memo: Memo) -> None:
        asks = {"Origin": "https://a.example", "Access-Control-Request-Method": "DELETE"}
        for path in ("/memory/forget", "/usage", "/nothing"):
            response = memo.call("OPTIONS", path, headers=asks)
            assert response.status_code == 204
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert response.headers["Access-Control-Allow-Methods"] == "GET, POST, DELETE, OPTIONS"
            assert response.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type"
            assert response.headers["Access-Control-Max-Age"] == "86400"
        assert memo.call("GET", "/usage").headers["Access-Control-Allow-Origin"] == "*"


def test_two_keys_of_one_namespace_see_the_same(app: Flask, parts: State, memo: Memo) -> None:
    beside = Memo(speaker(app, parts, DIALECT, namespace_of=memo.native))
    made = memo.store("the kettle whistles")
    assert [hit["id"] for hit in beside.retrieve("kettle")] == [made["id"]]
    assert beside.ok("GET", "/usage")["totals"]["requests"] == 1

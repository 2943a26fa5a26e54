"""Azen's errors: each status that can come, in its envelope, wherever in the server it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from app import create_app
from app.compat.azen import API, Azen
from app.embeddings import EmbedderUnavailable
from app.embeddings.hashing import HashingEmbedder
from app.state import State
from graph.errors import Unavailable
from tests.callers import error_of, new_caller
from tests.compat.azen.conftest import Client, Clients, refused
from tests.compat.speakers import refused as bad_callers
from tests.contract.operations import INTERNALS

ID = "3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90"
ROUTES = [
    ("POST", "/memory", {"text": "one"}, "write"),
    ("GET", "/memory", None, "read"),
    ("GET", f"/memory/{ID}", None, "read"),
    ("DELETE", f"/memory/{ID}", None, "delete"),
    ("POST", "/memory/search", {"query": "one"}, "read"),
    ("GET", "/usage", None, "read"),
]
each_route = pytest.mark.parametrize(
    ("verb", "path", "body", "scope"), ROUTES, ids=[f"{verb} {path}" for verb, path, *_ in ROUTES]
)
WRONG = [
    ("/memory", {}, "text"), ("/memory", {"text": ""}, "text"), ("/memory", {"text": None}, "text"),
    ("/memory", {"text": 5}, "text"), ("/memory", {"text": ["a"]}, "text"), ("/memory", {"text": {"a": 1}}, "text"),
    ("/memory", {"text": "a\0b"}, "NUL"), ("/memory", {"text": "a" * 50_001}, "50000"),
    ("/memory", {"content": "a"}, "text"), ("/memory", ["text"], ""), ("/memory", "text", ""), ("/memory", 7, ""),
    ("/memory/search", {}, "query"), ("/memory/search", {"query": ""}, "query"),
    ("/memory/search", {"query": 5}, "query"), ("/memory/search", {"query": "a\0b"}, "NUL"),
    ("/memory/search", {"query": "a" * 10_001}, "10000"), ("/memory/search", {"query": "a", "topK": 0}, "topK"),
    ("/memory/search", {"query": "a", "topK": 51}, "topK"), ("/memory/search", {"query": "a", "topK": -1}, "topK"),
    ("/memory/search", {"query": "a", "topK": 2.5}, "topK"), ("/memory/search", {"query": "a", "topK": "5"}, "topK"),
    ("/memory/search", {"query": "a", "topK": True}, "topK"), ("/memory/search", {"query": "a", "topK": []}, "topK"),
    ("/memory/search", {"query": "a", "topK": 10**30}, "topK"),
]  # fmt: skip
GARBAGE = [b"{", b"text=one", b"\xff\xfe", b'{"text": "a"} x', b"[" * 100_000, b'{"text": "\\ud800"}']
NO_IDS = ["search", "1", "not-a-uuid", "3d0c1f666d5e4a8b9f217a1b7e0f5c90", "%7B%7D", "' OR 1=1", "a" * 300, "..%2F"]


class Away(HashingEmbedder):
    """Does not answer."""

    def embed_query(self, text: str) -> Any:
        raise EmbedderUnavailable("down")

    def embed_documents(self, texts: Any) -> Any:
        raise EmbedderUnavailable("down")


class TestBadRequest:
    @pytest.mark.parametrize(("path", "body", "told"), WRONG, ids=[f"{p} {str(b)[:40]!a}" for p, b, _ in WRONG])
    def test_is_a_body_with_a_wrong_field(self, client: Client, path: str, body: Any, told: str) -> None:
        data = json.dumps(body).encode()
        message = refused(client.call("POST", path, data=data, headers={"Content-Type": "application/json"}), 400)
        assert told in message

    @pytest.mark.parametrize("body", GARBAGE, ids=[str(body[:20]) for body in GARBAGE])
    @pytest.mark.parametrize("path", ["/memory", "/memory/search"])
    def test_is_a_body_that_is_no_json(self, client: Client, path: str, body: bytes) -> None:
        refused(client.call("POST", path, data=body, headers={"Content-Type": "application/json"}), 400)

    @pytest.mark.parametrize("path", ["/memory", "/memory/search"])
    def test_is_a_missing_body(self, client: Client, path: str) -> None:
        refused(client.call("POST", path), 400)

    @pytest.mark.parametrize("word", NO_IDS)
    @pytest.mark.parametrize("verb", ["GET", "DELETE"])
    def test_is_an_id_that_is_no_uuid(self, client: Client, verb: str, word: str) -> None:
        status = 404 if "%2F" in word else 400  # it is another path then
        refused(client.call(verb, f"/memory/{word}"), status)


class TestKeys:
    @each_route
    def test_that_are_not_sent_are_401(self, without_key: Client, verb: str, path: str, body: Any, scope: str) -> None:
        good = without_key.native.key
        for headers in (
            {}, {"azen-api-key": ""}, {"azen-api-key": "  "}, {"Authorization": f"Bearer {good}"}, {"X-API-Key": good},
        ):  # fmt: skip
            assert "azen-api-key" in refused(without_key.call(verb, path, body, headers=headers), 401)

    @each_route
    def test_that_are_no_good_are_403(
        self, client: Client, parts: State, verb: str, path: str, body: Any, scope: str
    ) -> None:
        bad = [caller.key for caller in bad_callers(client.app, parts, Azen()).values()]
        for key in (*bad, client.key[:-1], client.key.lower(), "x", "az_ü"):
            refused(replace(client, key=key).call(verb, path, body), 403)

    @each_route
    def test_that_lack_the_scope_are_403(
        self, make_client: Clients, verb: str, path: str, body: Any, scope: str
    ) -> None:
        rest = [each for each in ("read", "write", "delete") if each != scope]
        assert scope in refused(make_client(*rest).call(verb, path, body), 403)
        assert make_client(scope).call(verb, path, body).status_code in (200, 201, 404)

    def test_of_any_dialect_are_good(self, client: Client, parts: State) -> None:
        foreign = new_caller(client.app, parts, ("read",), client.native)
        id = client.create("seen by both")
        assert replace(client, key=foreign.key).get(id)["id"] == id
        assert client.native.get(f"/v1/memories/{id}").status_code == 200


class TestNotFound:
    @pytest.mark.parametrize("verb", ["GET", "DELETE"])
    def test_is_an_id_of_nothing(self, client: Client, verb: str) -> None:
        assert refused(client.call(verb, f"/memory/{ID}"), 404) == "Memory not found"

    @pytest.mark.parametrize("verb", ["GET", "DELETE"])
    def test_is_what_belongs_to_somebody_else(self, client: Client, other: Client, verb: str) -> None:
        id = client.create("mine")
        refused(other.call(verb, f"/memory/{id}"), 404)
        assert client.get(id)["content"] == "mine"

    @pytest.mark.parametrize("path", ["/azen/nothing", "/azen/api", "/azen/api/v2/memory", f"{API}/memory/{ID}/x",
                                      f"{API}/memories", f"{API}/memory/", "/azen/%00"])  # fmt: skip
    @pytest.mark.parametrize("verb", ["GET", "POST", "DELETE"])
    def test_is_an_unknown_path(self, client: Client, verb: str, path: str) -> None:
        for headers in ({}, {"azen-api-key": client.key}):
            refused(client.app.test_client().open(path, method=verb, headers=headers), 404)

    def test_beside_the_prefix_is_told_natively(self, client: Client) -> None:
        error_of(client.app.test_client().get("/azenx"), 404)


class TestElsewhere:
    @pytest.mark.parametrize(
        ("verb", "path"),
        [("PUT", "/memory"), ("DELETE", "/memory"), ("PATCH", f"/memory/{ID}"), ("POST", f"/memory/{ID}"),
         ("PUT", "/memory/search"), ("POST", "/usage"), ("POST", "")],
    )  # fmt: skip
    def test_a_verb_that_is_not_served_is_405(self, client: Client, verb: str, path: str) -> None:
        response = client.call(verb, path, {})
        refused(response, 405)
        assert "GET" in response.headers["Allow"]

    @pytest.mark.parametrize("path", ["/memory", "/memory/search"])
    def test_a_body_that_is_too_large_is_413(self, client: Client, parts: State, path: str) -> None:
        small = create_app(parts)
        small.config["MAX_CONTENT_LENGTH"] = 1000
        refused(replace(client, app=small).call("POST", path, {"text": "a" * 1000, "query": "a"}), 413)

    @each_route
    def test_a_mistake_of_the_server_is_500(
        self, client: Client, monkeypatch: pytest.MonkeyPatch, verb: str, path: str, body: Any, scope: str
    ) -> None:
        def fail(*_: Any, **__: Any) -> Any:
            raise RuntimeError("MATCH (m:Memory) in site-packages")

        for name in ("accept", "Listing", "one", "delete_memory", "search", "daily"):
            monkeypatch.setattr(f"app.compat.azen.{name}", fail)
        assert not INTERNALS.search(refused(client.call(verb, path, body), 500))

    @each_route
    def test_a_database_that_is_away_is_503(
        self, client: Client, away: None, verb: str, path: str, body: Any, scope: str
    ) -> None:
        response = client.call(verb, path, body)
        assert not INTERNALS.search(refused(response, 503))
        assert int(response.headers["Retry-After"]) > 0

    def test_an_embedder_that_is_away_is_503_for_a_search_alone(self, client: Client, parts: State) -> None:
        deaf = replace(client, app=create_app(replace(parts, embedder=Away())))
        id = deaf.create("stored all the same")
        response = deaf.call("POST", "/memory/search", {"query": "stored"})
        refused(response, 503)
        assert int(response.headers["Retry-After"]) > 0
        assert client.get(id)["embedded"] is False

    def test_a_full_tenant_is_403(self, client: Client, parts: State) -> None:
        full = create_app(replace(parts, settings=replace(parts.settings, quota=1)))
        held = replace(client, app=full)
        held.create("one")
        assert "LOCI_QUOTA" in refused(held.call("POST", "/memory", {"text": "two"}), 403)


@pytest.fixture
def away(parts: State, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The database does not answer."""

    def fail(*_: Any, **__: Any) -> Any:
        raise Unavailable("The database cannot be reached now; try again")

    with monkeypatch.context() as patched:
        for name in ("read", "write", "transaction"):
            patched.setattr(type(parts.graph), name, fail)
        yield

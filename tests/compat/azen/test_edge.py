"""Azen at its edge: keys, pages of other origins, the API document."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from flask import Flask
from openapi_spec_validator import validate

from app.cli import loci
from app.compat.azen import API, CLIENT_HEADERS, PREFIX, Azen, blueprint
from app.state import State
from graph.driver import Connection
from tests.callers import Caller
from tests.compat.azen.conftest import Client
from tests.compat.speakers import speaker
from tests.conftest import PEPPER

ORIGIN = {"Origin": "https://shop.example.com"}
SENT = ["content-type", "azen-api-key", "accept", *(name.lower() for name in CLIENT_HEADERS)]


class TestKey:
    def test_looks_as_azens_clients_expect(self) -> None:
        keys = {Azen().new_key() for _ in range(50)}
        assert len(keys) == 50
        assert all(re.fullmatch(r"az_[A-Za-z0-9]{43,}", key) for key in keys)

    def test_is_made_by_the_native_api(self, caller: Caller, app: Flask) -> None:
        response = caller.post("/v1/keys", {"dialect": "azen", "namespace": "shop"})
        made = response.get_json()
        assert response.status_code == 201
        assert made["key"].startswith("az_")
        assert sorted(made["key_info"]["scopes"]) == ["delete", "read", "write"]
        headers = {"azen-api-key": made["key"]}
        assert app.test_client().get(f"{API}/memory", headers=headers).status_code == 200

    def test_is_made_at_the_command_line(
        self, connection: Connection, app: Flask, tmp_path: Path, fresh: Callable[[str], str]
    ) -> None:
        environment = {
            "NEO4J_URI": connection.uri, "NEO4J_USER": connection.user, "NEO4J_PASSWORD": connection.password,
            "LOCI_HOME": str(tmp_path), "LOCI_KEY_PEPPER": PEPPER,
        }  # fmt: skip
        wanted = ["keys", "create", "--dialect", "azen", "--account", fresh("test")]
        key = CliRunner().invoke(loci, wanted, env=environment).stdout.strip()
        assert key.startswith("az_")
        assert app.test_client().get(f"{API}/memory", headers={"azen-api-key": key}).status_code == 200

    def test_opens_the_tenant_that_a_native_key_opens(self, app: Flask, parts: State, caller: Caller) -> None:
        id = caller.remember("Ada keeps bees", metadata={"source": "runbook"})["id"]
        beside = speaker(app, parts, Azen(), namespace_of=caller)
        client = Client(app, beside.key, beside, parts)
        assert client.get(id)["metadata"] == {"source": "runbook"}

    def test_names_its_scopes_as_azen_does(self) -> None:
        assert set(Azen.scope_names) == {"memory.read", "memory.write", "memory.delete", "usage.read"}
        assert {scope for scopes in Azen.scope_names.values() for scope in scopes} == set(Azen.scopes)


class TestOtherOrigins:
    @pytest.mark.parametrize("path", ["/memory", "/memory/search", "/usage", "/memory/1", "/nothing", ""])
    @pytest.mark.parametrize("verb", ["GET", "POST", "DELETE"])
    def test_may_ask_for_what_the_client_sends(self, without_key: Client, verb: str, path: str) -> None:
        asks = {"Access-Control-Request-Method": verb, "Access-Control-Request-Headers": ",".join(SENT)}
        response = without_key.call("OPTIONS", path, headers={**ORIGIN, **asks})
        assert (response.status_code, response.get_data()) == (204, b"")
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Access-Control-Allow-Methods"] == "GET, POST, DELETE"
        assert set(SENT) <= set(response.headers["Access-Control-Allow-Headers"].lower().split(", "))
        assert "Access-Control-Allow-Credentials" not in response.headers

    def test_may_read_every_answer(self, client: Client, without_key: Client) -> None:
        good = client.call("GET", "/memory", headers=ORIGIN)
        for response in (good, without_key.call("GET", "/memory"), client.call("GET", "/nothing")):
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert response.headers["Access-Control-Expose-Headers"] == "Retry-After"

    def test_may_not_ask_the_native_api(self, client: Client) -> None:
        asks = {"Access-Control-Request-Method": "GET", **ORIGIN}
        response = client.app.test_client().options("/v1/memories", headers=asks)
        assert "Access-Control-Allow-Origin" not in response.headers


class TestDocument:
    @pytest.fixture
    def served(self, app: Flask) -> dict[str, Any]:
        """The document as it is served, without a key."""
        response = app.test_client().get(f"{PREFIX}/openapi.yaml")
        assert (response.status_code, response.mimetype) == (200, "application/yaml")
        assert response.headers["Cache-Control"] == "public, max-age=300"
        found: dict[str, Any] = yaml.safe_load(response.get_data())
        return found

    def test_is_valid(self, served: dict[str, Any]) -> None:
        validate(served)
        assert served["openapi"] == "3.0.3"

    def test_has_every_route_that_is_served(self, served: dict[str, Any], app: Flask) -> None:
        ours = {
            (verb.lower(), rule.rule.removeprefix(API).replace("<memory_id>", "{id}") or "/")
            for rule in app.url_map.iter_rules()
            if rule.rule.startswith(API) and rule.endpoint != f"{blueprint.name}.search_is_no_id"
            for verb in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        }
        told = {
            (verb, path) for path, item in served["paths"].items() for verb in item if verb in ("get", "post", "delete")
        }
        assert told == ours
        assert served["servers"] == [{"url": API}]

    def test_names_the_key_and_every_error(self, served: dict[str, Any]) -> None:
        assert served["components"]["securitySchemes"] == {
            "azen-api-key": {"type": "apiKey", "in": "header", "name": "azen-api-key"}
        }
        assert served["security"] == [{"azen-api-key": []}]
        assert served["paths"]["/"]["get"]["security"] == []
        statuses = {
            f"{verb} {path}": set(item[verb]["responses"])
            for path, item in served["paths"].items()
            for verb in ("get", "post", "delete")
            if verb in item
        }
        usual = {"401", "403", "429", "500", "503"}
        assert statuses == {
            "get /": {"200"},
            "get /usage": {"200", *usual},
            "get /memory": {"200", *usual},
            "post /memory": {"201", "400", "413", *usual},
            "post /memory/search": {"200", "400", "413", *usual},
            "get /memory/{id}": {"200", "400", "404", *usual},
            "delete /memory/{id}": {"200", "400", "404", *usual},
        }

    def test_says_how_memories_are_paged(self, served: dict[str, Any]) -> None:
        page = served["components"]["schemas"]["PageOut"]
        assert {"page", "per", "total_pages", "total_count"} <= set(page["required"])
        assert [each["name"] for each in served["paths"]["/memory"]["get"]["parameters"]] == ["page", "per"]
        assert served["components"]["schemas"]["MemoryOut"]["properties"]["metadata"]["nullable"] is True

"""Extraction settings and keys of one's own over HTTP, and what extraction does with them."""

import dataclasses
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app import create_app
from app.services.extractors import Extractors
from app.state import State
from app.workers.embed_pending import Owner, Worker
from tests.callers import Caller, error_of
from tests.services.test_extract_llm import FakeModel, entities, send
from tests.workers.test_embed_pending import lease

SECRET = "sk-zorblat-0123456789abcdef"
KEY = {"provider": "openai", "api_key": SECRET, "model": "small-1"}


@pytest.fixture
def model() -> Iterator[FakeModel]:
    """A chat model on loopback that finds one name the rules do not."""
    fake = FakeModel()
    fake.answer = entities(("zorblat", "product"))
    yield fake
    fake.close()


@pytest.fixture
def open_parts(parts: State) -> State:
    """Parts that may reach models on loopback."""
    settings = dataclasses.replace(parts.settings, outbound_allow="127.0.0.0/8", llm_timeout=5.0)
    return dataclasses.replace(parts, settings=settings, extractors=Extractors())


@pytest.fixture
def open_caller(caller: Caller, open_parts: State) -> Caller:
    """The caller at an app over those parts."""
    return dataclasses.replace(caller, app=create_app(open_parts))


def add(caller: Caller, **fields: Any) -> dict[str, Any]:
    """Bring a key and return the answer."""
    response = caller.post("/v1/extraction/keys", {**KEY, **fields})
    assert response.status_code == 200, response.get_json()
    return dict(response.get_json())


def settings(caller: Caller) -> dict[str, Any]:
    """Return the extraction settings."""
    return dict(caller.get("/v1/extraction/settings").get_json())


class TestSettings:
    def test_without_anything_the_rules_are_in_force(self, caller: Caller) -> None:
        assert settings(caller) == {
            "tier": "scale", "extractor": "rules", "byok_enabled_globally": True, "byok_configured": False,
            "byok_active": False, "masked_api_key": None, "preferred_model": "", "base_url": "",
            "last_validated_at": None, "plan_limits": {}, "keys": [],
        }  # fmt: skip

    def test_the_servers_model_is_named(self, caller: Caller, parts: State) -> None:
        changed = dataclasses.replace(parts.settings, llm_model="house-model")
        asking = dataclasses.replace(caller, app=create_app(dataclasses.replace(parts, settings=changed)))
        assert (settings(asking)["extractor"], settings(asking)["preferred_model"]) == ("llm", "house-model")

    def test_an_active_key_is_in_force(self, caller: Caller) -> None:
        key = add(caller)
        found = settings(caller)
        assert (found["extractor"], found["byok_active"], found["preferred_model"]) == ("byok", True, "small-1")
        assert found["keys"] == [key]
        assert found["base_url"].startswith("https://")


class TestKeys:
    def test_the_first_becomes_active_and_others_do_not(self, caller: Caller) -> None:
        first, second = add(caller, label="team"), add(caller)
        assert (first["is_active"], second["is_active"]) == (True, False)
        assert set(first) == {
            "id", "provider", "label", "model", "base_url", "is_active", "masked_key", "last_validated_at",
            "last_used_at", "created_at", "updated_at",
        }  # fmt: skip
        assert (first["label"], first["base_url"], first["last_used_at"]) == ("team", None, None)

    def test_of_many_first_keys_one_becomes_active(self, caller: Caller) -> None:
        with ThreadPoolExecutor(6) as pool:
            made = list(pool.map(lambda n: add(caller, label=f"key {n}"), range(6)))
        assert sum(key["is_active"] for key in made) == 1

    def test_the_key_is_never_shown_and_is_stored_sealed(self, caller: Caller, parts: State) -> None:
        key = add(caller)
        shown = json.dumps([key, settings(caller)])
        assert SECRET not in shown
        assert key["masked_key"] == "…cdef"
        rows = parts.graph.read(
            "CYPHER 25 MATCH (k:ExtractionKey {tenant: $tenant}) RETURN properties(k) AS kept", tenant=caller.tenant
        )
        assert SECRET not in json.dumps(rows)

    def test_a_short_key_shows_nothing_of_itself(self, caller: Caller) -> None:
        assert add(caller, api_key="abc123")["masked_key"] == "…"

    def test_activating_one_deactivates_all_others(self, caller: Caller) -> None:
        first, second = add(caller), add(caller)
        answer = caller.post(f"/v1/extraction/keys/{second['id']}/activate")
        assert (answer.status_code, answer.get_json()["is_active"]) == (200, True)
        assert {key["id"]: key["is_active"] for key in settings(caller)["keys"]} == {
            first["id"]: False, second["id"]: True
        }  # fmt: skip

    def test_deactivating_keeps_them(self, caller: Caller) -> None:
        add(caller)
        answer = caller.post("/v1/extraction/keys/deactivate-all").get_json()
        assert (answer["status"], answer["deactivated_count"]) == ("ok", 1)
        assert isinstance(answer["message"], str)
        assert caller.post("/v1/extraction/keys/deactivate-all").get_json()["deactivated_count"] == 0
        found = settings(caller)
        assert (found["byok_configured"], found["byok_active"], found["extractor"]) == (True, False, "rules")

    def test_deleting_answers_a_json_object(self, caller: Caller) -> None:
        id = add(caller)["id"]
        answer = caller.delete(f"/v1/extraction/keys/{id}")
        assert (answer.status_code, answer.get_json()["deleted"]) == (200, True)
        error_of(caller.delete(f"/v1/extraction/keys/{id}"), 404)
        assert settings(caller)["keys"] == []

    @pytest.mark.parametrize(
        ("fields", "named"),
        [
            ({"provider": "acme"}, "provider"),
            ({"api_key": " "}, "api_key"),
            ({"model": None}, "model"),
            ({"provider": "custom"}, "base_url"),
            ({"provider": "ollama", "base_url": "http://localhost:11434/v1"}, "base_url"),
            ({"base_url": "https://169.254.169.254/v1"}, "base_url"),
            ({"base_url": "https://[::ffff:127.0.0.1]/v1"}, "base_url"),
            ({"base_url": "gopher://example.org"}, "base_url"),
        ],
    )
    def test_bad_keys_are_refused(self, caller: Caller, fields: dict[str, Any], named: str) -> None:
        body = error_of(caller.post("/v1/extraction/keys", {**KEY, **fields}), 422)
        assert [detail["field"] for detail in body["details"]] == [named]
        assert settings(caller)["keys"] == []

    def test_other_tenants_neither_see_nor_touch_them(self, caller: Caller, stranger: Caller, unknown_id: str) -> None:
        id = add(caller)["id"]
        assert settings(stranger)["keys"] == []
        error_of(stranger.post(f"/v1/extraction/keys/{id}/activate"), 404)
        error_of(stranger.delete(f"/v1/extraction/keys/{id}"), 404)
        error_of(caller.post(f"/v1/extraction/keys/{unknown_id}/activate"), 404)
        assert settings(caller)["byok_active"] is True

    def test_an_admin_is_needed(self, make_caller: Any, unknown_id: str) -> None:
        plain = make_caller("read", "write", "delete")
        assert plain.get("/v1/extraction/settings").status_code == 200
        error_of(plain.post("/v1/extraction/keys", KEY), 403)
        error_of(plain.delete(f"/v1/extraction/keys/{unknown_id}"), 403)


class TestExtractionByAKeyOfOnesOwn:
    def bring(self, caller: Caller, model: FakeModel) -> None:
        add(caller, provider="custom", base_url=model.url)

    def test_names_are_the_models(self, open_caller: Caller, model: FakeModel) -> None:
        id = open_caller.remember("yesterday the zorblat ate bread")["id"]
        self.bring(open_caller, model)
        answer = open_caller.post(f"/v1/memories/{id}/extract-entities").get_json()
        assert (answer["extraction_method"], answer["extraction_model"]) == ("byok", "small-1")
        memory = open_caller.get(f"/v1/memories/{id}").get_json()
        assert [each["value"] for each in memory["entities"]] == ["zorblat"]
        key = settings(open_caller)["keys"][0]
        assert key["last_used_at"] is not None
        assert key["last_validated_at"] is not None

    def test_a_store_answers_at_once_and_the_model_follows(
        self, open_caller: Caller, open_parts: State, model: FakeModel
    ) -> None:
        self.bring(open_caller, model)
        memory = open_caller.remember("In Lisbon the zorblat ate bread")
        assert (memory["extraction_method"], model.asked) == ("rules", [])
        worker = Worker()
        worker.work_for(open_parts, Owner(open_caller.tenant), lease(open_parts, open_caller, worker.holder))
        memory = open_caller.get(f"/v1/memories/{memory['id']}").get_json()
        assert memory["extraction_method"] == "byok"
        assert "zorblat" in {each["value"] for each in memory["entities"]}

    def test_the_rules_answer_where_the_model_does_not(self, open_caller: Caller, model: FakeModel) -> None:
        self.bring(open_caller, model)
        model.answer = lambda handler: send(handler, b"{}", 500)
        id = open_caller.remember("Priya Raman moved to Lisbon")["id"]
        answer = open_caller.post(f"/v1/memories/{id}/extract-entities").get_json()
        assert (answer["status"], answer["extraction_method"], answer["entity_count"]) == ("ready", "rules", 2)
        assert settings(open_caller)["keys"][0]["last_validated_at"] is None

    def test_an_address_that_is_no_longer_allowed_is_not_called(
        self, open_caller: Caller, caller: Caller, model: FakeModel
    ) -> None:
        self.bring(open_caller, model)
        id = caller.remember("Priya Raman moved to Lisbon")["id"]
        answer = caller.post(f"/v1/memories/{id}/extract-entities").get_json()
        assert (answer["extraction_method"], model.asked) == ("rules", [])

    def test_backfill_takes_what_the_rules_did_as_well(self, open_caller: Caller, model: FakeModel) -> None:
        open_caller.remember("Priya Raman moved to Lisbon")
        assert open_caller.post("/v1/memories/backfill-entities").get_json()["queued"] == 0
        self.bring(open_caller, model)
        assert open_caller.post("/v1/memories/backfill-entities").get_json()["queued"] == 1

"""The published Python client 0.3.0, in an environment of its own: every method over HTTP.

`story_030.py` calls them there; here stands what its user must get to see.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from tests.compat import old_client
from tests.compat.conftest import Door
from tests.compat.routes import PYTHON_03, number_of

SCRIPT = Path(__file__).with_name("story_030.py")
SECONDS = 120
KINDS = ("sync", "async")


@pytest.fixture(scope="module")
def report(door: Door, new_key: Callable[..., str]) -> dict[str, Any]:
    """What the script has to tell."""
    environment = {
        "PATH": os.environ["PATH"],
        "MEMORYRELAY_URL": door.base_url,
        "MEMORYRELAY_API_KEY": door.key,
        "WRITER_KEY": new_key("read", "write"),
    }
    done = subprocess.run(
        [str(old_client.python()), str(SCRIPT)],
        env=environment, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return cast(dict[str, Any], json.loads(done.stdout))


@pytest.fixture(scope="module", params=KINDS)
def both(request: pytest.FixtureRequest, report: dict[str, Any]) -> dict[str, Any]:
    """What came back from each step, for the synchronous and for the asynchronous client."""
    return cast(dict[str, Any], report[request.param]["told"])


@pytest.fixture(scope="module")
def told(report: dict[str, Any]) -> dict[str, Any]:
    """What came back from each step of the synchronous client, which has methods that the other has not."""
    return cast(dict[str, Any], report["sync"]["told"])


class TestEveryMethod:
    def test_it_is_the_old_client(self, report: dict[str, Any]) -> None:
        assert report["version"] == "0.3.0"

    @pytest.mark.parametrize("kind", KINDS)
    def test_was_called_without_an_accident(self, report: dict[str, Any], kind: str) -> None:
        assert report[kind]["failed"] == []
        called = {step.partition(" ")[0] for step in report[kind]["told"]}
        assert set(report[kind]["methods"]) - called == set()

    def test_is_listed_with_its_route(self, report: dict[str, Any]) -> None:
        assert set(report["sync"]["methods"]) == set(PYTHON_03)

    @pytest.mark.parametrize("kind", KINDS)
    def test_asked_the_route_it_is_listed_with(self, report: dict[str, Any], kind: str) -> None:
        seen = {
            step: {number_of(verb, path) for verb, path, _ in exchanges}
            for step, exchanges in report[kind]["asked"].items()
        }
        assert seen == {step: set(PYTHON_03[step.partition(" ")[0]]) for step in seen}


class TestHealth:
    def test_all_services_are_named(self, both: dict[str, Any]) -> None:
        found = both["health"]
        assert (found["status"], found["api_version"]) == ("healthy", "v1")
        assert {"database", "embeddings"} <= set(found["services"])


class TestMemories:
    def test_a_memory_comes_back_as_it_was_stored(self, both: dict[str, Any]) -> None:
        made = both["memories.create"]
        assert both["memories.get"]["content"] == made["content"] == "Billing deploys on Tuesdays after lunch"
        assert (made["metadata"], made["user_id"], made["importance"], made["tier"]) == ({"n": 1}, "ada", 0.9, "hot")
        assert made["project_id"]
        assert (made["visibility"], made["is_duplicate"], made["archived_at"]) == ("private", False, None)

    def test_deduplication_returns_the_first(self, both: dict[str, Any]) -> None:
        again = both["memories.create twice"]
        assert (again["id"], again["is_duplicate"]) == (both["memories.create"]["id"], True)

    def test_the_list_keeps_to_agent_and_user(self, both: dict[str, Any]) -> None:
        assert [one["id"] for one in both["memories.list"]] == [both["memories.create"]["id"]]

    @pytest.mark.parametrize("step", ["memories.search", "memories.search words"])
    def test_search_finds_by_meaning_and_by_word(self, both: dict[str, Any], step: str) -> None:
        first = both[step][0]
        assert first["memory"]["id"] == both["memories.create"]["id"]
        assert 0 < first["score"] < 0.9

    def test_a_batch_reports_on_every_item(self, both: dict[str, Any]) -> None:
        done = both["memories.create_batch"]
        assert (done["total"], done["succeeded"], done["failed"]) == (2, 1, 1)
        good, bad = done["results"]
        assert (good["index"], good["status"], good["content_preview"]) == (0, "success", "First line")
        assert good["memory_id"]
        assert (bad["status"], bad["memory_id"], bad["error_code"]) == ("failed", None, "validation_error")
        assert "agent_id" in bad["error"]
        assert set(done["timing"]) >= {"total_ms", "embedding_ms", "database_ms", "per_memory_avg_ms"}

    def test_an_edit_leaves_what_was_sent_as_null(self, both: dict[str, Any]) -> None:
        first, second = both["memories.update"], both["memories.update text"]
        assert (first["content"], first["metadata"]) == (both["memories.create"]["content"], {"n": 1, "by": "ada"})
        assert (second["content"], second["metadata"]) == ("Billing deploys on Fridays", {"n": 1, "by": "ada"})

    def test_deleting_answers_nothing_and_the_memory_is_gone(self, both: dict[str, Any]) -> None:
        assert both["memories.delete"] is None
        gone = both["memories.get gone"]
        assert (gone["raised"], gone["message"]) == ("NotFoundError", "Memory not found")
        assert gone["request_id"].startswith("req_")

    @pytest.mark.parametrize(
        ("step", "field"), [("memories.get malformed", "memory_id"), ("memories.create wrong", "memory_type")]
    )
    def test_a_mistake_is_a_sentence_that_names_the_field(self, both: dict[str, Any], step: str, field: str) -> None:
        found = both[step]
        assert (found["raised"], found["status_code"]) == ("ValidationError", 422)
        assert found["message"].startswith(f"{field}: ")


class TestLater:
    def test_an_asynchronous_memory_gets_ready(self, told: dict[str, Any]) -> None:
        made, state = told["memories.create_async"], told["memories.get_status"]
        assert state["id"] == made["id"]
        assert {made["status"], state["status"]} <= {"pending", "processing", "ready"}
        ready = told["memories.wait_for_ready"]
        assert (ready["id"], ready["metadata"], ready["user_id"]) == (made["id"], {}, None)

    def test_storing_and_waiting_in_one_call(self, told: dict[str, Any]) -> None:
        assert told["memories.create_and_wait"]["content"] == "The lift is stuck"

    def test_the_status_of_nothing_is_not_found(self, told: dict[str, Any]) -> None:
        assert told["memories.get_status unknown"]["raised"] == "NotFoundError"


class TestAgents:
    def test_the_servers_own_id_counts(self, told: dict[str, Any]) -> None:
        made = told["agents.create"]
        assert made["id"] != "my-own-id"
        assert (made["name"], made["description"], made["config"]) == ("keeper", "Notes", {})
        assert (made["memory_count"], made["session_count"], made["last_active_at"]) == (0, 0, None)
        assert told["agents.get"] == made
        assert made["id"] in {one["id"] for one in told["agents.list"]}

    def test_an_edit_leaves_what_was_sent_as_null(self, told: dict[str, Any]) -> None:
        changed = told["agents.update"]
        assert (changed["name"], changed["description"], changed["metadata"]) == ("keeper", "Keeps better notes", {})

    def test_a_deleted_agent_is_gone(self, told: dict[str, Any]) -> None:
        assert told["agents.delete"] is None
        assert told["agents.get gone"]["message"] == "Agent not found"


class TestEntities:
    def test_the_older_spelling_links(self, told: dict[str, Any]) -> None:
        made, found = told["entities.create"], told["entities.get"]
        assert (made["name"], made["entity_type"], made["metadata"]) == ("Billing Service", "product", {})
        assert found["memory_count"] == 1
        assert [one["id"] for one in told["entities.list"]] == [made["id"]]

    def test_a_deleted_entity_is_gone(self, told: dict[str, Any]) -> None:
        assert told["entities.delete"] is None
        assert told["entities.get gone"]["message"] == "Entity not found"

    def test_linking_an_unknown_entity_is_not_found(self, told: dict[str, Any]) -> None:
        assert told["entities.link unknown"]["raised"] == "NotFoundError"


class TestKeys:
    def test_a_key_that_may_not_delete_is_told(self, told: dict[str, Any]) -> None:
        found = told["memories.delete writer"]
        assert (found["raised"], found["status_code"]) == ("ForbiddenError", 403)
        assert "delete" in found["message"]

    def test_a_wrong_key_is_told(self, told: dict[str, Any]) -> None:
        assert told["memories.list stranger"]["raised"] == "AuthenticationError"

    def test_a_base_url_that_ends_in_a_slash_works(self, told: dict[str, Any]) -> None:
        assert told["memories.get slash"]["id"] == told["memories.create writer"]["id"]

"""What users of Sendryx see: storing, finding, deleting, listing, counting, and keys for namespaces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine

from app import create_app
from app.compat.sendryx import AGENT
from app.state import State
from app.workers import LOOPS, purge_expired, usage_retention
from graph.usage import UsageRepository
from tests.callers import Caller
from tests.compat.sendryx.test_routes import BASE, Deaf, forget, get, search, store, stored
from tests.contract.footprint import footprint
from tests.contract.test_input import HOSTILE
from tests.events import Told
from tests.together import at_once
from tests.workers.test_embed_pending import work_off

START = datetime(2030, 1, 1, 12, tzinfo=UTC)
Speak = Callable[..., Caller]


@pytest.fixture
def clock() -> Iterator[Any]:
    """A clock that stands still until it is moved."""
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def read(caller: Caller, what: str) -> dict[str, Any]:
    """Return what a reading route answers."""
    response = get(what)(caller)
    assert response.status_code == 200, response.get_json()
    return dict(response.get_json())


def listed(caller: Caller, query: str = "") -> list[str]:
    """Return the texts in the list."""
    return [memory["content"] for memory in read(caller, f"list{query}")["memories"]]


def native(caller: Caller, content: str) -> dict[str, Any]:
    """Return the memory with this text as the native API shows it."""
    rows = caller.get("/v1/memories?limit=100").get_json()["data"]
    return dict(next(row for row in rows if row["content"] == content))


class TestStore:
    def test_answers_the_memory(self, clock: Any, caller: Caller) -> None:
        response = store(caller)
        made = response.get_json()["memory"]
        assert response.status_code == 201
        assert made == {
            "id": made["id"], "namespace": "helpdesk", "content": "Rings back after 16:00 only",
            "metadata": {"user": "u_9"}, "created_at": "2030-01-01T12:00:00.000Z",
            "expires_at": "2030-01-02T12:00:00.000Z",
        }  # fmt: skip

    def test_without_an_end_is_for_ever(self, caller: Caller) -> None:
        made = caller.post(f"{BASE}/memory/store", {"content": "Tea at four"}).get_json()["memory"]
        assert (made["metadata"], made["expires_at"]) == ({}, None)

    def test_that_ends_before_it_is_answered_is_answered(
        self, clock: Any, caller: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def late(id: str) -> str:
            clock.move_to(START + timedelta(seconds=2))
            return id

        monkeypatch.setattr("app.compat.sendryx.wrote", late)
        made = store(caller, expires_in_seconds=1).get_json()["memory"]
        assert made["expires_at"] == "2030-01-01T12:00:01.000Z"

    def test_takes_null_for_absent(self, caller: Caller) -> None:
        assert store(caller, metadata=None, expires_in_seconds=None).get_json()["memory"]["expires_at"] is None

    def test_cuts_a_long_text(self, caller: Caller) -> None:
        text = "tea " * 3_000
        made = store(caller, content=text).get_json()["memory"]
        assert made["content"] == text[:8191]

    def test_of_a_text_whose_beginning_is_blank_is_refused(self, caller: Caller) -> None:
        assert store(caller, content=" " * 8191 + "tea").status_code == 400

    @pytest.mark.parametrize("text", HOSTILE)
    def test_keeps_hostile_text_as_it_is(self, caller: Caller, text: str) -> None:
        made = store(caller, content=text, metadata={text: [text, {"deep": None}]}).get_json()["memory"]
        assert (made["content"], made["metadata"]) == (text, {text: [text, {"deep": None}]})
        assert search(caller, query=text).get_json()["results"][0]["content"] == text

    def test_makes_a_memory_like_any_other(self, caller: Caller, parts: State) -> None:
        told = Told(parts, caller.tenant)
        told.rows()
        store(caller, content="Priya Raman moved the Billing Service to Lisbon")
        assert {"memory.created", "agent.created", "entity.created"} <= set(told.names())
        memory = native(caller, "Priya Raman moved the Billing Service to Lisbon")
        agent = caller.get(f"/v1/agents/{memory['agent_id']}").get_json()
        assert (agent["name"], memory["metadata"], memory["extraction_status"]) == (AGENT, {"user": "u_9"}, "ready")
        assert "Priya Raman" in {mention["value"] for mention in memory["entities"]}

    def test_without_an_embedder_stores_nothing(self, caller: Caller, parts: State) -> None:
        stored(caller)
        before = footprint(parts, caller)
        deaf = replace(caller, app=create_app(replace(parts, embedder=Deaf(""))))
        response = store(deaf, content="Tea at five")
        assert (response.status_code, response.get_json()["success"]) == (500, False)
        assert footprint(parts, caller) == before


class TestSearch:
    def test_answers_the_closest_first_with_all_that_is_known_of_it(self, caller: Caller) -> None:
        stored(caller, content="The harbour opens at nine")
        id = stored(caller)
        results = search(caller, query="Rings back after 16:00").get_json()["results"]
        assert results[0]["id"] == id
        assert results[0]["metadata"] == {"user": "u_9"}
        shares = [result["similarity"] for result in results]
        assert shares == sorted(shares, reverse=True)

    def test_of_the_text_itself_is_nearly_one(self, caller: Caller) -> None:
        stored(caller)
        assert search(caller, query="Rings back after 16:00 only").get_json()["results"][0]["similarity"] >= 0.9

    def test_answers_ten_unless_told_otherwise(self, caller: Caller) -> None:
        for number in range(12):
            stored(caller, content=f"Tea number {number} was green")
        sizes = [len(search(caller, query="green tea", **q).get_json()["results"]) for q in ({}, {"limit": 3})]
        assert sizes == [10, 3]

    def test_leaves_out_what_is_below_a_threshold(self, caller: Caller) -> None:
        stored(caller)
        assert search(caller, query="an unrelated question", threshold=0.9).get_json()["results"] == []

    def test_never_finds_what_has_expired(self, clock: Any, caller: Caller) -> None:
        stored(caller, expires_in_seconds=60)
        clock.move_to(START + timedelta(seconds=59.999))
        assert len(search(caller).get_json()["results"]) == 1
        clock.move_to(START + timedelta(seconds=60))
        assert search(caller).get_json()["results"] == []


class TestForget:
    def test_deletes_the_memory_with_this_number(self, caller: Caller) -> None:
        kept, gone = stored(caller, content="Tea at four"), stored(caller)
        answer = forget(caller, id=gone).get_json()
        assert answer == {"success": True, "deleted": 1, "message": f"Memory {gone} was deleted"}
        assert [memory["id"] for memory in read(caller, "list")["memories"]] == [kept]
        assert forget(caller, id=gone).status_code == 404

    def test_takes_half_from_the_query_and_half_from_the_body(self, caller: Caller) -> None:
        id = stored(caller)
        assert forget(caller, {"id": id}, wipe="false").get_json()["deleted"] == 1

    def test_by_many_at_once_is_done_by_one(self, caller: Caller) -> None:
        id = stored(caller)
        answers = at_once([partial(forget, caller, {"id": id})] * 8)
        assert sorted(answer.status_code for answer in answers) == [200] + [404] * 7

    def test_of_everything_empties_the_namespace_and_keeps_the_rest(self, caller: Caller, parts: State) -> None:
        for number in range(250):
            caller.remember(f"note {number}", auto_extract_entities=False)
        archived = caller.remember("an old note")["id"]
        caller.post("/v1/memories/archive", {"ids": [archived]})
        replaced = caller.remember("a wrong note")["id"]
        caller.remember("a right note of Priya Raman", supersedes=replaced)
        answer = forget(caller, wipe="true").get_json()
        assert (answer["deleted"], "253" in answer["message"], "helpdesk" in answer["message"]) == (253, True, True)
        assert read(caller, "stats")["stats"]["total_memories"] == "0"
        labels = {row.get("label") for row in footprint(parts, caller)}
        assert {"Agent", "Entity"} <= labels
        assert "Memory" not in labels

    def test_of_everything_in_an_empty_namespace_deletes_nothing(self, caller: Caller) -> None:
        assert forget(caller, {"wipe": True}).get_json()["deleted"] == 0

    def test_of_everything_takes_what_has_expired_along(self, clock: Any, caller: Caller) -> None:
        stored(caller, expires_in_seconds=60)
        clock.move_to(START + timedelta(minutes=2))
        assert forget(caller, wipe="true").get_json()["deleted"] == 1
        assert read(caller, "stats")["stats"]["total_memories"] == "0"

    def test_reaches_what_has_expired_by_its_number(self, clock: Any, caller: Caller) -> None:
        id = stored(caller, expires_in_seconds=60)
        clock.move_to(START + timedelta(minutes=2))
        assert forget(caller, id=id).get_json()["deleted"] == 1

    def test_of_a_number_that_an_import_brought_twice_deletes_neither(self, caller: Caller, parts: State) -> None:
        first, second = stored(caller), stored(caller, content="Tea at four")
        parts.graph.write(
            "MATCH (m:Memory {tenant: $tenant, seq: $seq}) SET m.seq = $as",
            tenant=caller.tenant, seq=second, **{"as": first},
        )  # fmt: skip
        response = forget(caller, id=first)
        assert (response.status_code, response.get_json()["success"]) == (409, False)
        assert len(listed(caller)) == 2


class TestList:
    def test_shows_the_newest_first_in_pages(self, caller: Caller) -> None:
        for number in range(5):
            stored(caller, content=f"note {number}")
        page = read(caller, "list?limit=2&offset=1")
        assert [memory["content"] for memory in page["memories"]] == ["note 3", "note 2"]
        assert (page["total"], page["limit"], page["offset"]) == (5, 2, 1)

    @pytest.mark.parametrize(
        ("query", "limit", "offset"),
        [("", 50, 0), ("?limit=1000", 200, 0), ("?limit=0&offset=-3", 1, 0), ("?limit=x&offset=y", 50, 0)],
    )
    def test_moves_limits_into_their_range(self, caller: Caller, query: str, limit: int, offset: int) -> None:
        page = read(caller, f"list{query}")
        assert (page["limit"], page["offset"]) == (limit, offset)

    def test_shows_what_has_expired_on_request_until_it_is_purged(
        self, clock: Any, caller: Caller, parts: State
    ) -> None:
        stored(caller, content="for a minute", expires_in_seconds=60)
        stored(caller, content="for long", expires_in_seconds=6_000)
        clock.move_to(START + timedelta(seconds=60))
        assert (listed(caller), listed(caller, "?include_expired=false")) == (["for long"], ["for long"])
        page = read(caller, "list?include_expired=true")
        assert [memory["content"] for memory in page["memories"]] == ["for long", "for a minute"]
        assert (page["total"], page["memories"][1]["expires_at"]) == (2, "2030-01-01T12:01:00.000Z")
        while purge_expired.work(parts):
            pass
        assert listed(caller, "?include_expired=true") == ["for long"]

    def test_is_purged_once_an_hour(self) -> None:
        assert [loop.every_seconds for loop in LOOPS if loop.name == "purge_expired"] == [3600]


class TestStats:
    def test_count_by_end_in_texts(self, clock: Any, caller: Caller) -> None:
        stored(caller, expires_in_seconds=None)
        clock.move_to(START + timedelta(seconds=1))
        stored(caller, expires_in_seconds=60)
        stored(caller, expires_in_seconds=6_000)
        stored(caller, expires_in_seconds=6_000)
        clock.move_to(START + timedelta(minutes=2))
        assert read(caller, "stats") == {
            "success": True, "namespace": "helpdesk",
            "stats": {
                "total_memories": "4", "permanent": "1", "active_ttl": "2", "expired": "1",
                "oldest_at": "2030-01-01T12:00:00.000Z", "newest_at": "2030-01-01T12:00:01.000Z",
            },
        }  # fmt: skip

    def test_of_an_empty_namespace_have_no_times(self, caller: Caller) -> None:
        told = read(caller, "stats")["stats"]
        assert told.pop("oldest_at") is told.pop("newest_at") is None
        assert set(told.values()) == {"0"}


class TestUsage:
    def test_counts_what_was_done_by_all_keys_of_the_namespace(self, caller: Caller, speak: Speak) -> None:
        beside = speak(namespace_of=caller)
        ids = [stored(caller), stored(beside), stored(caller)]
        store(caller, content="")
        search(beside)
        forget(caller, id=ids[0])
        forget(caller, id=ids[0])
        forget(beside, wipe="true")
        forget(caller, {"wipe": True})
        calls = read(caller, "usage")["calls"]
        assert datetime.fromisoformat(calls.pop("last_called_at")) > datetime.now(UTC) - timedelta(minutes=1)
        assert calls == {"total_stores": "3", "total_searches": "1", "total_deletes": "1", "total_wipes": "2"}

    def test_measures_texts_in_characters_and_vectors_in_bytes(self, caller: Caller, parts: State) -> None:
        texts = ["Tea at four", "Grüße aus Köln 🫖"]
        for text in texts:
            stored(caller, content=text)
        found = read(caller, "usage")["storage"]
        size = sum(map(len, texts)) + 2 * 4 * parts.embedder.dimensions
        assert found == {
            "total_memories": 2, "permanent_count": 0, "active_ttl_count": 2, "expired_count": 0,
            "content_bytes": sum(map(len, texts)), "embedding_bytes": 2 * 4 * parts.embedder.dimensions,
            "total_bytes": size, "total_kb": f"{size / 1024:.2f}", "total_mb": f"{size / 1024**2:.4f}",
        }  # fmt: skip

    def test_measures_more_than_one_stretch(self, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.services.holdings.STRETCH", 2)
        for number in range(5):
            stored(caller, content=f"note {number}")
        assert read(caller, "usage")["storage"]["content_bytes"] == 5 * len("note 0")

    def test_of_an_empty_namespace_is_nothing(self, caller: Caller) -> None:
        found = read(caller, "usage")
        assert found["calls"]["last_called_at"] is None
        assert found["storage"]["total_kb"] == "0.00"
        assert found["storage"]["total_mb"] == "0.0000"

    def test_counts_what_was_done_long_ago(self, caller: Caller, parts: State) -> None:
        # Where no other test has anything: the loop works for every tenant.
        for day in ((2016, 1, 1), (2016, 1, 2), (2017, 12, 1)):
            with time_machine.travel(datetime(*day, tzinfo=UTC), tick=False):
                stored(caller)
                search(caller)
        with time_machine.travel(datetime(2018, 1, 1, tzinfo=UTC), tick=False):
            for _ in range(2):
                calls = read(caller, "usage")["calls"]
                assert (calls["total_stores"], calls["total_searches"]) == ("3", "3")
                while usage_retention.work(replace(parts, settings=replace(parts.settings, audit_days=0))):
                    pass
        left = UsageRepository(parts.graph, caller).report(["day"], 9, first="1", last="9", key_id=None, route=None)
        assert [row["day"] for row in left] == ["2018-01-01", "2017-12-01"]

    def test_of_the_native_api_tells_the_wipes_apart(self, caller: Caller, speak: Speak) -> None:
        forget(caller, wipe="true")
        admin = speak("admin", namespace_of=caller)
        rows = admin.get("/v1/usage?group_by=route").get_json()["data"]
        assert "DELETE /sendryx/v1/memory/forget?wipe=true" in {row["route"] for row in rows}


class TestAudit:
    def test_names_the_memory_that_was_written(self, caller: Caller, speak: Speak) -> None:
        id = stored(caller, content="Tea at four")
        uuid = native(caller, "Tea at four")["id"]
        forget(caller, id=id)
        rows = speak("admin", namespace_of=caller).get("/v1/audit").get_json()["data"]
        written = [(row["action"], row["noun_id"]) for row in rows if row["action"] != "keys.use"]
        assert written == [("sendryx.memory.forget.delete", uuid), ("sendryx.memory.store", uuid)]


def test_the_old_address_of_the_web_app_leads_to_where_keys_are_made(caller: Caller) -> None:
    response = Caller(caller.app, "", "").get("/sendryx/app")
    assert (response.status_code, response.headers["Location"]) == (302, "/docs")


def test_what_is_stored_here_is_found_by_the_native_api_and_the_other_way_round(caller: Caller) -> None:
    stored(caller, content="The harbour opens at nine")
    caller.remember("The lighthouse closes at ten")
    assert caller.search("harbour opens")[0]["memory"]["content"] == "The harbour opens at nine"
    found = search(caller, query="lighthouse closes").get_json()["results"]
    assert found[0]["content"] == "The lighthouse closes at ten"


def test_what_is_stored_here_is_found_through_azen_and_the_other_way_round(caller: Caller, parts: State) -> None:
    headers = {"azen-api-key": caller.key}
    stored(caller, content="The harbour opens at nine")
    asked = {"query": "harbour opens", "topK": 3}
    found = caller.post("/azen/api/v1/memory/search", asked, headers=headers).get_json()
    assert "The harbour opens at nine" in str(found)
    body = {"text": "The lighthouse closes at ten"}
    assert caller.post("/azen/api/v1/memory", body, headers=headers).status_code == 201
    work_off(parts, caller)
    results = search(caller, query="lighthouse closes").get_json()["results"]
    assert results[0]["content"] == "The lighthouse closes at ten"

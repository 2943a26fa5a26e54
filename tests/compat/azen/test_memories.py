"""Azen's routes, called as its documentation calls them: every documented field, of the documented type."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.compat.azen.conftest import Client, answered, refused

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class TestCreate:
    def test_answers_the_documented_fields_and_nothing_else(self, client: Client) -> None:
        before = datetime.now(UTC)
        response = client.call("POST", "/memory", {"text": "Drinks oat-milk flat whites"})
        body = answered(response, 201, "CreatedOut")
        assert (body["status"], body["embedding"]) == ("success", "processing")
        assert uuid.UUID(body["memoryId"]).version == 4
        assert MOMENT.fullmatch(body["createdAt"])
        passed = datetime.fromisoformat(body["createdAt"]) - before
        assert -0.1 < passed.total_seconds() < 60

    def test_ignores_what_it_does_not_know(self, client: Client) -> None:
        sent = {"text": "one", "dedupKey": "k", "metadata": {"a": 1}, "agent_id": "other", "ttl_seconds": 1}
        ids = {answered(client.call("POST", "/memory", sent), 201, "CreatedOut")["memoryId"] for _ in range(2)}
        assert len(ids) == 2
        assert [client.get(id)["metadata"] for id in ids] == [None, None]

    @pytest.mark.parametrize("media", ["application/json; charset=utf-8", "text/plain", ""])
    def test_reads_json_whatever_it_is_declared_as(self, client: Client, media: str) -> None:
        response = client.call("POST", "/memory", data=b'{"text": "one"}', headers={"Content-Type": media})
        assert answered(response, 201, "CreatedOut")

    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
    def test_keeps_any_text_as_it_is(self, client: Client, text: str) -> None:
        assert client.get(client.create(text))["content"] == text

    @pytest.mark.parametrize("length", [1, 50_000])
    def test_takes_texts_up_to_the_length_that_loci_stores(self, client: Client, length: int) -> None:
        assert len(client.get(client.create("ü" * length))["content"]) == length

    def test_stores_a_blank_text_that_no_search_finds(self, client: Client) -> None:
        blank, seen = client.create(" \t\n"), client.create("the lamp is green")
        client.embed()
        assert (client.get(blank)["embedded"], client.get(seen)["embedded"]) == (False, True)
        assert client.list()["total_count"] == 2
        assert [found["id"] for found in client.search("the lamp is green")["memories"]] == [seen]


class TestList:
    def test_of_nothing_has_no_pages(self, client: Client) -> None:
        empty = {"status": "success", "memories": [], "page": 1, "per": 20, "total_pages": 0, "total_count": 0}
        assert client.list() == empty

    def test_shows_what_was_created_newest_first(self, client: Client) -> None:
        ids = [client.create(f"memory {number}") for number in range(3)]
        page = client.list()
        assert [found["id"] for found in page["memories"]] == ids[::-1]
        assert set(page["memories"][0]) == {"id", "content", "metadata", "createdAt", "embedded"}
        assert [found["embedded"] for found in page["memories"]] == [False] * 3
        client.embed()
        assert [found["embedded"] for found in client.list()["memories"]] == [True] * 3

    def test_in_pages_shows_each_once(self, client: Client) -> None:
        ids = [client.create(f"memory {number}") for number in range(5)]
        pages = [client.list(f"?page={number}&per=2") for number in (1, 2, 3)]
        assert [found["id"] for page in pages for found in page["memories"]] == ids[::-1]
        assert {(page["per"], page["total_pages"], page["total_count"]) for page in pages} == {(2, 3, 5)}
        assert [page["page"] for page in pages] == [1, 2, 3]

    @pytest.mark.parametrize(
        ("query", "page", "per"),
        [
            ("", 1, 20), ("?page=2", 2, 20), ("?page=0", 1, 20), ("?page=-3", 1, 20), ("?page=x", 1, 20),
            ("?page=&per=", 1, 20), ("?page=1.9", 1, 20), ("?per=0", 1, 1), ("?per=-1", 1, 1), ("?per=100", 1, 100),
            ("?per=101", 1, 100), ("?per=1e9", 1, 100), ("?per=NaN", 1, 20), ("?per=all", 1, 20),
            ("?page=inf", 1, 20), ("?page=999999999999999999999999", 1_000_000_000, 20), ("?limit=3&offset=1", 1, 20),
            ("?page=2&page=7", 2, 20),
        ],
    )  # fmt: skip
    def test_moves_its_arguments_into_their_bounds(self, client: Client, query: str, page: int, per: int) -> None:
        found = client.list(query)
        assert (found["page"], found["per"]) == (page, per)

    def test_past_its_end_is_empty(self, client: Client) -> None:
        client.create("alone")
        for number in (2, 3, 10**15):
            found = client.list(f"?page={number}")
            assert (found["memories"], found["total_pages"], found["total_count"]) == ([], 1, 1)


class TestGet:
    def test_answers_the_memory(self, client: Client) -> None:
        made = answered(client.call("POST", "/memory", {"text": "Drinks tea"}), 201, "CreatedOut")
        assert answered(client.call("GET", f"/memory/{made['memoryId']}"), 200, "FetchedOut") == {
            "status": "success",
            "memory": {
                "id": made["memoryId"], "content": "Drinks tea", "metadata": None, "createdAt": made["createdAt"],
                "embedded": False,
            },
        }  # fmt: skip

    def test_takes_an_id_in_capital_letters(self, client: Client) -> None:
        id = client.create("Drinks tea")
        assert client.get(id.upper())["id"] == id


class TestDelete:
    def test_answers_the_documented_fields_and_only_once(self, client: Client) -> None:
        id = client.create("Drinks tea")
        body = answered(client.call("DELETE", f"/memory/{id}"), 200, "DeletedOut")
        assert body == {"status": "success", "deleted": True, "memoryId": id, "message": "Memory deleted"}
        for verb in ("DELETE", "GET"):
            refused(client.call(verb, f"/memory/{id}"), 404)
        client.embed()
        assert client.search("Drinks tea")["memories"] == []
        assert client.list()["total_count"] == 0


class TestSearch:
    def test_joins_memories_and_matches_by_id(self, client: Client) -> None:
        id = client.create("Drinks oat-milk flat whites")
        client.create("The harbour closes at nine")
        client.embed()
        found = client.search("oat-milk flat whites", topK=2)
        assert set(found) == {"status", "memories", "rawMatches"}
        assert found["memories"][0] == client.get(id)
        assert found["memories"][0]["embedded"] is True
        assert [match["id"] for match in found["rawMatches"]] == [f"{each['id']}::0" for each in found["memories"]]
        assert set(found["rawMatches"][0]) == {"id", "score", "values"}
        scores = [match["score"] for match in found["rawMatches"]]
        assert 1 >= scores[0] >= scores[-1] >= 0
        assert {tuple(match["values"]) for match in found["rawMatches"]} == {()}

    def test_finds_only_what_is_embedded(self, client: Client) -> None:
        client.create("Drinks tea")
        assert client.search("Drinks tea") == {"status": "success", "memories": [], "rawMatches": []}
        client.embed()
        assert len(client.search("Drinks tea")["memories"]) == 1

    def test_returns_five_unless_told_otherwise_and_fifty_at_most(self, client: Client) -> None:
        for number in range(7):
            client.create(f"the lamp in room {number} is green")
        client.embed()
        sizes = [len(client.search("green lamp", **asked)["memories"]) for asked in ({}, {"topK": 1}, {"topK": 50})]
        assert sizes == [5, 1, 7]
        assert len(client.search("green lamp", topK=6.0)["rawMatches"]) == 6

    @pytest.mark.parametrize("query", [" ", "\t\n", "\u200b"])
    def test_for_nothing_that_can_be_seen_finds_nothing(self, client: Client, query: str) -> None:
        client.create("Drinks tea")
        client.embed()
        assert client.search(query)["memories"] == []

    @pytest.mark.parametrize("query", ["?", "a" * 10_000, "' OR 1=1 //", "*:*", "${jndi:x}", "\U0001f375" * 50])
    def test_takes_any_words(self, client: Client, query: str) -> None:
        client.create("Drinks tea")
        client.embed()
        assert client.search(query)["status"] == "success"


class TestPages:
    @pytest.mark.parametrize("path", ["", "/"])
    def test_liveness_needs_no_key(self, without_key: Client, path: str) -> None:
        assert answered(without_key.call("GET", path), 200, "LivenessOut") == {"status": "ok"}

    @pytest.mark.parametrize("path", ["/azen", "/azen/"])
    def test_the_root_greets_in_plain_text(self, client: Client, path: str) -> None:
        response = client.app.test_client().get(path)
        assert (response.status_code, response.mimetype) == (200, "text/plain")
        assert "Azen" in response.get_data(as_text=True)


def test_each_page_of_the_generated_client_leads_to_the_next(client: Client) -> None:
    """It goes on until `page` reaches `total_pages`, or a page is empty."""
    made = [client.create(f"memory {number}") for number in range(7)]
    seen: list[str] = []
    page: dict[str, Any] = client.list("?per=3")
    while page["memories"]:
        seen += [each["id"] for each in page["memories"]]
        if page["page"] >= page["total_pages"]:
            break
        page = client.list(f"?per=3&page={page['page'] + 1}")
    assert seen == made[::-1]

"""Entities over HTTP: what clients send and see."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.schemas.entities import ENTITY_TYPES
from app.services.extract import ENTITY_TYPES as EXTRACTED_TYPES
from tests.callers import Caller, error_of

HOSTILE = [
    'name" OR 1=1 --',
    "+scope_tokens:* || (a AND NOT b)^2 ~ [x TO y] {z} /re/ \\",
    "'}) DETACH DELETE n //",
    "x" * 255,
    "ﷺ" * 255,
    "🚀🔥",
    "مرحبا بالعالم",
    "\u202eevil\u202c name",
    "東京タワー",
    "C++",
    "a/b?c=d&e#f%20",
    "*",
    "AND",
]


def make(caller: Caller, name: str, kind: str = "project", **fields: Any) -> dict[str, Any]:
    """Create an entity, or find it, and return it."""
    response = caller.post("/v1/entities", {"name": name, "entity_type": kind, **fields})
    assert response.status_code in (200, 201), response.get_json()
    found: dict[str, Any] = response.get_json()
    return found


def shown(caller: Caller, id: str) -> dict[str, Any]:
    """Return one entity."""
    found: dict[str, Any] = caller.get(f"/v1/entities/{id}").get_json()
    return found


def listed(caller: Caller, **query: Any) -> list[str]:
    """Return the names of a list."""
    response = caller.get("/v1/entities", query_string=query)
    assert response.status_code == 200, response.get_json()
    return [row["name"] for row in response.get_json()["data"]]


class TestCreating:
    def test_shows_the_documented_object(self, caller: Caller) -> None:
        entity = make(caller, "Billing Service", metadata={"owner": "platform"})
        assert set(entity) == {
            "object", "id", "name", "entity_type", "type", "aliases", "metadata", "memory_count", "relationship_count",
            "created_at", "updated_at",
        }  # fmt: skip
        assert entity["object"] == "entity"
        assert entity["type"] == entity["entity_type"] == "project"
        assert entity["metadata"] == {"owner": "platform"}
        assert (entity["memory_count"], entity["relationship_count"], entity["aliases"]) == (0, 0, [])
        assert entity["created_at"].endswith("Z")
        assert shown(caller, entity["id"]) == entity

    def test_the_same_name_and_type_again_answers_200_with_the_first(self, caller: Caller) -> None:
        first = caller.post("/v1/entities", {"name": "Billing Service", "entity_type": "project"})
        again = caller.post("/v1/entities", {"name": "  billing   SERVICE ", "entity_type": "project"})
        other = caller.post("/v1/entities", {"name": "Billing Service", "entity_type": "product"})
        assert (first.status_code, again.status_code, other.status_code) == (201, 200, 201)
        assert again.get_json()["id"] == first.get_json()["id"] != other.get_json()["id"]

    def test_the_kind_may_be_sent_as_type_and_a_place_is_a_location(self, caller: Caller) -> None:
        response = caller.post("/v1/entities", {"name": "Lisbon", "type": "place"})
        assert response.status_code == 201
        assert response.get_json()["type"] == response.get_json()["entity_type"] == "location"

    def test_every_documented_type_is_taken(self, caller: Caller) -> None:
        assert set(ENTITY_TYPES) == EXTRACTED_TYPES
        assert {make(caller, "Thing", kind)["type"] for kind in ENTITY_TYPES} == set(ENTITY_TYPES)

    def test_html_escaped_names_are_unescaped(self, caller: Caller) -> None:
        assert make(caller, "R&amp;D", "organization")["name"] == "R&D"
        assert make(caller, "CI&#x2F;CD", "concept")["name"] == "CI/CD"
        assert make(caller, "R&D", "organization")["id"] == make(caller, "R&amp;D", "organization")["id"]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"entity_type": "person"}, "name"),
            ({"name": " ", "entity_type": "person"}, "name"),
            ({"name": "x" * 256, "entity_type": "person"}, "name"),
            ({"name": "Ada", "entity_type": "wizard"}, "entity_type"),
            ({"name": "Ada"}, "entity_type"),
            ({"name": "Ada", "entity_type": "person", "metadata": {"x": "y" * 10_300}}, "metadata"),
            ({"name": "A\x00da", "entity_type": "person"}, "name"),
        ],
    )
    def test_a_wrong_field_is_named(self, caller: Caller, body: dict[str, Any], field: str) -> None:
        details = error_of(caller.post("/v1/entities", body), 422)["details"]
        assert [detail["field"] for detail in details] == [field]

    @pytest.mark.parametrize("name", HOSTILE)
    def test_any_name_is_kept_as_it_is_and_found_again(self, caller: Caller, name: str) -> None:
        entity = make(caller, name)
        assert entity["name"] == name
        assert make(caller, name)["id"] == entity["id"]
        assert listed(caller, q=name) == [name]

    @pytest.mark.parametrize("name", HOSTILE)
    def test_no_name_reaches_beyond_the_tenant(self, caller: Caller, stranger: Caller, name: str) -> None:
        make(stranger, name)
        make(stranger, "Anything at all")
        assert listed(caller, q=name) == []

    def test_sixteen_at_once_make_one(self, caller: Caller) -> None:
        body = {"name": "Contended Thing", "entity_type": "concept", "agent_id": "never seen before"}
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: caller.post("/v1/entities", body), range(32)))
        assert sorted(answer.status_code for answer in answers) == [200] * 31 + [201]
        assert len({answer.get_json()["id"] for answer in answers}) == 1
        assert caller.get("/v1/entities").get_json()["total_count"] == 1


class TestListing:
    def test_pages_by_cursor_and_by_offset_show_each_once(self, caller: Caller) -> None:
        for number in range(7):
            make(caller, f"Thing number {number}", "concept")
        seen: list[str] = []
        cursor = None
        while True:
            body = caller.get(
                "/v1/entities", query_string={"limit": 3, **({"cursor": cursor} if cursor else {})}
            ).get_json()
            seen += [row["name"] for row in body["data"]]
            assert body["total_count"] == 7
            cursor = body["next_cursor"]
            if not body["has_more"]:
                break
        assert seen == [f"Thing number {number}" for number in reversed(range(7))]
        assert listed(caller, limit=3, offset=5) == ["Thing number 1", "Thing number 0"]

    def test_a_filter_of_type_takes_the_alias_too(self, caller: Caller) -> None:
        make(caller, "Lisbon", "location")
        make(caller, "Ada", "person")
        assert listed(caller, entity_type="location") == listed(caller, type="place") == ["Lisbon"]
        assert caller.get("/v1/entities?entity_type=location").get_json()["total_count"] == 1

    def test_an_agent_sees_what_its_memories_mention_and_what_it_named(self, caller: Caller) -> None:
        make(caller, "Named Only", agent_id="iris")
        make(caller, "Nobody's", "concept")
        caller.remember("Ada Lovelace moved to Lisbon", agent_id="iris")
        caller.remember("Grace Hopper moved to Porto", agent_id="otto")
        assert set(listed(caller, agent_id="iris")) == {"Named Only", "Ada Lovelace", "Lisbon"}
        assert listed(caller, agent_id="iris", entity_type="person") == ["Ada Lovelace"]
        body = caller.get("/v1/entities?agent_id=iris&limit=2").get_json()
        assert (body["total_count"], body["has_more"]) == (3, True)
        assert listed(caller, agent_id="a name nobody has") == []

    def test_other_tenants_are_not_seen(self, caller: Caller, stranger: Caller) -> None:
        make(stranger, "Secret Thing")
        assert listed(caller) == []


class TestSearchingByName:
    @pytest.mark.parametrize(
        "q", ["Billing Service", "billing", "bill", "serv", "biling", "Biling servce", "SERVICE billing"]
    )
    def test_finds_by_beginning_by_words_and_misspelt(self, caller: Caller, q: str) -> None:
        make(caller, "Billing Service")
        make(caller, "Ada Lovelace", "person")
        assert listed(caller, q=q) == ["Billing Service"]

    def test_shows_the_exact_one_first(self, caller: Caller) -> None:
        for name in ("Postgres Exporter", "Postgres", "My Postgres Notes"):
            make(caller, name, "technology")
        assert listed(caller, q="postgres")[0] == "Postgres"

    def test_finds_by_alias_and_shows_each_entity_once(self, caller: Caller) -> None:
        entity = make(caller, "Billing Service")
        caller.post(f"/v1/entities/{entity['id']}/aliases", {"alias": "Billing System"})
        assert listed(caller, q="billing") == ["Billing Service"]
        assert listed(caller, q="billing system") == ["Billing Service"]

    def test_pages_by_offset_and_by_cursor_and_filters(self, caller: Caller) -> None:
        for number in range(5):
            make(caller, f"Probe {number}", "metric")
        make(caller, "Probe X", "person")
        body = caller.get("/v1/entities?q=probe&limit=2&offset=3&entity_type=metric").get_json()
        assert (len(body["data"]), body["total_count"], body["has_more"]) == (2, 5, False)
        query: dict[str, Any] = {"q": "probe", "limit": 2, "entity_type": "metric"}
        pages = [caller.get("/v1/entities", query_string=query).get_json()]
        while cursor := pages[-1]["next_cursor"]:
            pages.append(caller.get("/v1/entities", query_string={**query, "cursor": cursor}).get_json())
        whole = caller.get("/v1/entities", query_string={**query, "limit": 100}).get_json()
        assert [row["id"] for page in pages for row in page["data"]] == [row["id"] for row in whole["data"]]
        assert {page["total_count"] for page in pages} == {whole["total_count"]}
        other = caller.get("/v1/entities?limit=1").get_json()["next_cursor"]
        error_of(caller.get("/v1/entities", query_string={**query, "cursor": other}), 422)

    def test_blank_is_refused(self, caller: Caller) -> None:
        assert error_of(caller.get("/v1/entities?q=%20"), 422)["details"][0]["field"] == "q"


class TestChanging:
    @pytest.mark.parametrize("verb", ["put", "patch"])
    def test_changes_what_is_sent_and_merges_metadata(self, caller: Caller, verb: str) -> None:
        id = make(caller, "Billing", metadata={"a": 1, "b": 2})["id"]
        send: Callable[..., Any] = getattr(caller, verb)
        changed = send(f"/v1/entities/{id}", {"name": None, "metadata": {"a": None, "c": 3}, "unknown": 1}).get_json()
        assert (changed["name"], changed["metadata"]) == ("Billing", {"b": 2, "c": 3})

    def test_a_new_name_keeps_the_old_one_as_an_alias(self, caller: Caller) -> None:
        id = make(caller, "Billing")["id"]
        changed = caller.patch(f"/v1/entities/{id}", {"name": "Invoicing"}).get_json()
        assert (changed["name"], changed["aliases"]) == ("Invoicing", ["Billing"])
        assert make(caller, "Billing")["id"] == id == make(caller, "invoicing")["id"]

    def test_a_new_spelling_of_the_same_name_is_shown(self, caller: Caller) -> None:
        id = make(caller, "BILLING")["id"]
        changed = caller.patch(f"/v1/entities/{id}", {"name": "Billing"}).get_json()
        assert (changed["name"], changed["aliases"]) == ("Billing", [])

    def test_the_type_changes_and_is_checked(self, caller: Caller) -> None:
        id = make(caller, "Lisbon", "person")["id"]
        assert caller.put(f"/v1/entities/{id}", {"type": "place"}).get_json()["entity_type"] == "location"
        assert make(caller, "Lisbon", "location")["id"] == id

    def test_the_name_of_another_is_a_conflict(self, caller: Caller) -> None:
        first, second = make(caller, "First Thing"), make(caller, "Second Thing")
        caller.post(f"/v1/entities/{first['id']}/aliases", {"alias": "Primary Thing"})
        for name in ("First Thing", "Primary Thing"):
            error = error_of(caller.put(f"/v1/entities/{second['id']}", {"name": name}), 409)
            assert "merge" in error["message"]
        assert shown(caller, second["id"])["name"] == "Second Thing"

    def test_unknown_and_foreign_ids_are_404(self, caller: Caller, stranger: Caller, unknown_id: str) -> None:
        foreign = make(stranger, "Theirs")["id"]
        for id in (unknown_id, foreign):
            assert error_of(caller.put(f"/v1/entities/{id}", {"name": "Mine"}), 404)["message"] == "Entity not found"
            assert caller.get(f"/v1/entities/{id}").status_code == 404
            assert caller.delete(f"/v1/entities/{id}").status_code == 404
        assert shown(stranger, foreign)["name"] == "Theirs"


class TestDeleting:
    def test_takes_the_entity_and_leaves_the_memories(self, caller: Caller) -> None:
        memory = caller.remember("Ada Lovelace moved to Lisbon")
        id = make(caller, "Ada Lovelace", "person")["id"]
        assert caller.delete(f"/v1/entities/{id}").status_code == 204
        assert caller.get(f"/v1/entities/{id}").status_code == 404
        left = caller.get(f"/v1/memories/{memory['id']}").get_json()
        assert [entity["value"] for entity in left["entities"]] == ["Lisbon"]
        assert make(caller, "Ada Lovelace", "person")["id"] != id

    def test_answers_with_a_body_to_callers_that_need_one(self, caller: Caller) -> None:
        id = make(caller, "Thing")["id"]
        answer = caller.delete(f"/v1/entities/{id}", headers={"Prefer": "return=representation"})
        assert (answer.status_code, answer.get_json()) == (200, {"id": id, "object": "entity", "deleted": True})


class TestLinking:
    def test_both_routes_link_once(self, caller: Caller) -> None:
        id = make(caller, "Quarterly Goal", "concept")["id"]
        memory = caller.remember("nothing to see here")["id"]
        first = caller.post("/v1/entities/links", {"entity_id": id, "memory_id": memory})
        again = caller.post(f"/v1/entities/{id}/link", {"memory_id": memory})
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.get_json() == again.get_json()
        assert first.get_json()["relationship"] == "mentioned_in"
        assert first.get_json()["relevance_score"] == 1.0
        assert first.get_json()["created_at"].endswith("Z")
        assert shown(caller, id)["memory_count"] == 1

    def test_a_relationship_that_is_given_wins_over_what_extraction_said(self, caller: Caller) -> None:
        memory = caller.remember("Ada Lovelace moved to Lisbon")["id"]
        id = make(caller, "Ada Lovelace", "person")["id"]
        answer = caller.post("/v1/entities/links", {"entity_id": id, "memory_id": memory, "relationship": "created_by"})
        assert (answer.status_code, answer.get_json()["relationship"]) == (200, "created_by")
        caller.put(f"/v1/memories/{memory}", {"content": "somebody moved"})
        rows = caller.get(f"/v1/entities/{id}/memories").get_json()["data"]
        assert [(row["content"], row["relationship"]) for row in rows] == [("somebody moved", "created_by")]

    def test_unknown_and_foreign_ids_are_404(self, caller: Caller, stranger: Caller, unknown_id: str) -> None:
        id, memory = make(caller, "Thing")["id"], caller.remember("hello")["id"]
        foreign, theirs = make(stranger, "Thing")["id"], stranger.remember("hello")["id"]
        for entity_id, memory_id, kind in (
            (unknown_id, memory, "Entity"),
            (foreign, memory, "Entity"),
            (id, unknown_id, "Memory"),
            (id, theirs, "Memory"),
        ):
            answer = caller.post("/v1/entities/links", {"entity_id": entity_id, "memory_id": memory_id})
            assert error_of(answer, 404)["message"] == f"{kind} not found"

    def test_sixteen_at_once_make_one_link(self, caller: Caller) -> None:
        id, memory = make(caller, "Thing")["id"], caller.remember("hello")["id"]
        body = {"entity_id": id, "memory_id": memory}
        with ThreadPoolExecutor(16) as pool:
            codes = list(pool.map(lambda _: caller.post("/v1/entities/links", body).status_code, range(32)))
        assert sorted(codes) == [200] * 31 + [201]
        assert shown(caller, id)["memory_count"] == 1

    def test_sixteen_writers_of_one_entity_count_exactly(self, caller: Caller) -> None:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda n: caller.remember(f"Note {n}: Ada Lovelace moved to Lisbon"), range(32)))
        assert make(caller, "Ada Lovelace", "person")["memory_count"] == 32
        assert len(listed(caller, q="Ada Lovelace")) == 1

    def test_unlinking_takes_the_link_alone(self, caller: Caller) -> None:
        memory = caller.remember("Ada Lovelace moved to Lisbon")["id"]
        id = make(caller, "Ada Lovelace", "person")["id"]
        assert caller.delete(f"/v1/entities/{id}/memories/{memory}").status_code == 204
        assert shown(caller, id)["memory_count"] == 0
        assert error_of(caller.delete(f"/v1/entities/{id}/memories/{memory}"), 404)["message"] == "Link not found"


class TestItsMemories:
    def test_come_newest_first_in_pages(self, caller: Caller) -> None:
        for number in range(5):
            caller.remember(f"Ada Lovelace wrote letter {number}")
        id = make(caller, "Ada Lovelace", "person")["id"]
        body = caller.get(f"/v1/entities/{id}/memories?limit=3").get_json()
        rest = caller.get(
            f"/v1/entities/{id}/memories", query_string={"limit": 3, "cursor": body["next_cursor"]}
        ).get_json()
        contents = [row["content"] for row in body["data"] + rest["data"]]
        assert contents == [f"Ada Lovelace wrote letter {number}" for number in (4, 3, 2, 1, 0)]
        assert (body["total_count"], body["has_more"], rest["has_more"]) == (5, True, False)
        assert body["data"][0]["object"] == "memory"
        assert 0 < body["data"][0]["relevance_score"] <= 1

    def test_of_a_hub_come_in_the_same_order(self, caller: Caller) -> None:
        memories = [{"content": f"Ada Lovelace wrote letter {n}", "agent_id": "iris"} for n in range(40)]
        assert caller.post("/v1/memories/batch", {"memories": memories}).get_json()["succeeded"] == 40
        caller.remember("nothing to see here")
        id = make(caller, "Ada Lovelace", "person")["id"]
        seen: list[str] = []
        query: dict[str, Any] = {"limit": 1}
        for _ in range(3):
            body = caller.get(f"/v1/entities/{id}/memories", query_string=query).get_json()
            seen += [row["content"] for row in body["data"]]
            query["cursor"] = body["next_cursor"]
        assert seen == [f"Ada Lovelace wrote letter {n}" for n in (39, 38, 37)]

    def test_unknown_entity_is_404(self, caller: Caller, unknown_id: str) -> None:
        assert error_of(caller.get(f"/v1/entities/{unknown_id}/memories"), 404)["message"] == "Entity not found"

"""Relations, neighbourhoods, paths and topics over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest

from app.state import State
from app.workers.topics import find_topics
from tests.callers import Caller, error_of
from tests.resources.test_entities import make, shown


def relate(caller: Caller, source: str, target: str, kind: str, **fields: Any) -> dict[str, Any]:
    """State a relation and return it."""
    body = {"target_id": target, "relationship_type": kind, **fields}
    response = caller.post(f"/v1/entities/{source}/relationships", body)
    assert response.status_code in (200, 201), response.get_json()
    found: dict[str, Any] = response.get_json()
    return found


def chain(caller: Caller, *names: str) -> list[str]:
    """Make entities of which each shares one memory with the next; return their ids."""
    ids = [make(caller, name, "concept")["id"] for name in names]
    for earlier, later in pairwise(ids):
        memory = caller.remember(f"plain words {earlier}", auto_extract_entities=False)["id"]
        for id in (earlier, later):
            caller.post("/v1/entities/links", {"entity_id": id, "memory_id": memory})
    return ids


def around(caller: Caller, id: str, **query: Any) -> dict[str, Any]:
    """Return a neighbourhood."""
    response = caller.get(f"/v1/entities/{id}/neighborhood", query_string=query)
    assert response.status_code == 200, response.get_json()
    found: dict[str, Any] = response.get_json()
    return found


class TestRelations:
    def test_are_stated_once_shown_from_both_ends_and_taken_back(self, caller: Caller) -> None:
        ada, acme = make(caller, "Ada", "person")["id"], make(caller, "Acme", "organization")["id"]
        body = {"target_id": acme, "relationship_type": "works at", "weight": 2.5, "metadata": {"since": 1843}}
        first = caller.post(f"/v1/entities/{ada}/relationships", body)
        again = caller.post(f"/v1/entities/{ada}/relationships", {**body, "weight": None, "metadata": None})
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.get_json() == first.get_json()
        for id in (ada, acme):
            listed = caller.get(f"/v1/entities/{id}/relationships").get_json()
            assert listed == {"data": [first.get_json()], "total": 1}
            assert shown(caller, id)["relationship_count"] == 1
        row = first.get_json()
        assert (row["source_entity_id"], row["target_entity_id"], row["weight"]) == (ada, acme, 2.5)
        assert (row["source_name"], row["target_name"], row["metadata"]) == ("Ada", "Acme", {"since": 1843})
        path = f"/v1/entities/{acme}/relationships/{row['id']}"
        assert caller.delete(path).status_code == 204
        assert error_of(caller.delete(path), 404)["message"] == "Relationship not found"
        assert shown(caller, ada)["relationship_count"] == 0

    def test_again_with_another_weight_changes_it(self, caller: Caller) -> None:
        a, b = make(caller, "Aa")["id"], make(caller, "Bb")["id"]
        first = relate(caller, a, b, "uses")
        assert first["weight"] == 1
        assert relate(caller, a, b, "uses", weight=3)["id"] == first["id"]
        assert caller.get(f"/v1/entities/{a}/relationships").get_json()["data"][0]["weight"] == 3

    def test_have_a_type_and_a_direction(self, caller: Caller) -> None:
        a, b = make(caller, "Aa")["id"], make(caller, "Bb")["id"]
        stated = ((a, b, "uses"), (b, a, "uses"), (a, b, "owns"))
        assert len({relate(caller, source, target, kind)["id"] for source, target, kind in stated}) == 3

    def test_older_names_of_fields_are_read(self, caller: Caller) -> None:
        a, b = make(caller, "Aa")["id"], make(caller, "Bb")["id"]
        body = {"target_entity_id": b, "type": "uses"}
        assert caller.post(f"/v1/entities/{a}/relationships", body).get_json()["relationship_type"] == "uses"

    def test_implied_ones_follow_the_stated_ones(self, caller: Caller) -> None:
        a, b, _ = chain(caller, "Aa", "Bb", "Cc")
        relate(caller, a, b, "uses")
        body = caller.get(f"/v1/entities/{b}/relationships").get_json()
        assert [row["source"] for row in body["data"]] == ["stated", "co_mention", "co_mention"]
        assert body["total"] == 3
        for source, total in (("stated", 1), ("co_mention", 2)):
            assert caller.get(f"/v1/entities/{b}/relationships?source={source}").get_json()["total"] == total
        page = caller.get(f"/v1/entities/{b}/relationships?limit=1&offset=1").get_json()
        assert page == {"data": [body["data"][1]], "total": 3}

    @pytest.mark.parametrize("kind", ["", " ", "x" * 101, None])
    def test_the_type_is_checked(self, caller: Caller, kind: str | None) -> None:
        a, b = make(caller, "Aa")["id"], make(caller, "Bb")["id"]
        answer = caller.post(f"/v1/entities/{a}/relationships", {"target_id": b, "relationship_type": kind})
        assert error_of(answer, 422)["details"][0]["field"] == "relationship_type"

    @pytest.mark.parametrize("kind", ["`x`]->() DETACH DELETE n", "“quoted” 'type'", "依存", "🚀"])
    def test_the_type_may_be_any_text(self, caller: Caller, kind: str) -> None:
        a, b = make(caller, "Aa")["id"], make(caller, "Bb")["id"]
        assert relate(caller, a, b, kind)["relationship_type"] == kind

    def test_to_itself_is_refused(self, caller: Caller) -> None:
        a = make(caller, "Aa")["id"]
        answer = caller.post(f"/v1/entities/{a}/relationships", {"target_id": a, "relationship_type": "is"})
        assert error_of(answer, 422)["details"][0]["field"] == "target_id"

    def test_to_unknown_or_foreign_ones_are_404(self, caller: Caller, stranger: Caller, unknown_id: str) -> None:
        mine, theirs = make(caller, "Aa")["id"], make(stranger, "Aa")["id"]
        for source, target in ((mine, unknown_id), (mine, theirs), (theirs, mine), (unknown_id, mine)):
            answer = caller.post(
                f"/v1/entities/{source}/relationships", {"target_id": target, "relationship_type": "uses"}
            )
            assert error_of(answer, 404)["message"] == "Entity not found"
        assert shown(stranger, theirs)["relationship_count"] == 0

    def test_sixteen_at_once_in_both_directions_make_two(self, caller: Caller) -> None:
        a, b = make(caller, "Aa")["id"], make(caller, "Bb")["id"]
        with ThreadPoolExecutor(16) as pool:
            ends = [(a, b), (b, a)] * 16
            made = list(pool.map(lambda pair: relate(caller, pair[0], pair[1], "uses")["id"], ends))
        assert len(set(made)) == 2
        assert shown(caller, a)["relationship_count"] == 2


class TestNeighbourhood:
    def test_shows_those_that_share_memories(self, caller: Caller) -> None:
        caller.remember("Ada Lovelace moved to Lisbon")
        caller.remember("Ada Lovelace likes Lisbon")
        caller.remember("Ada Lovelace met Grace Hopper")
        ada = make(caller, "Ada Lovelace", "person")
        body = around(caller, ada["id"])
        brief = {"id": ada["id"], "name": "Ada Lovelace", "type": "person", "entity_type": "person"}
        assert body["entity"] == body["center"] == brief
        found = [(row["name"], row["relationship"], row["depth"], row["weight"]) for row in body["neighbors"]]
        assert found == [("Lisbon", "co_mentioned", 1, 2.0), ("Grace Hopper", "co_mentioned", 1, 1.0)]
        assert body["total_neighbors"] == 2
        assert {row["target_entity_id"] for row in body["relationships"]} == {row["id"] for row in body["neighbors"]}
        assert set(body["relationships"][0]) == {
            "source_entity_id", "target_entity_id", "relationship_type", "weight"
        }  # fmt: skip

    def test_stated_relations_come_first_with_their_type_and_direction(self, caller: Caller) -> None:
        a, b = chain(caller, "Aa", "Bb")
        c = make(caller, "Cc")["id"]
        relate(caller, c, a, "depends_on", weight=0.5)
        body = around(caller, a)
        assert [(row["id"], row["relationship"]) for row in body["neighbors"]] == [
            (c, "depends_on"),
            (b, "co_mentioned"),
        ]
        assert body["relationships"][0] == {
            "source_entity_id": c, "target_entity_id": a, "relationship_type": "depends_on", "weight": 0.5
        }  # fmt: skip

    def test_relations_among_neighbours_are_shown(self, caller: Caller) -> None:
        a, b, c = (make(caller, name)["id"] for name in ("Aa", "Bb", "Cc"))
        relate(caller, a, b, "uses")
        relate(caller, a, c, "uses")
        relate(caller, b, c, "feeds")
        assert {row["relationship_type"] for row in around(caller, a)["relationships"]} == {"uses", "feeds"}

    def test_reaches_as_deep_as_asked(self, caller: Caller) -> None:
        ids = chain(caller, *(f"Link number {n}" for n in range(7)))
        for depth in range(1, 6):
            body = around(caller, ids[0], depth=depth)
            assert [(row["id"], row["depth"]) for row in body["neighbors"]] == [
                (ids[n], n) for n in range(1, depth + 1)
            ]
            assert len(body["relationships"]) == depth

    def test_stops_at_the_most_and_says_so(self, caller: Caller) -> None:
        centre = make(caller, "Centre")["id"]
        for number in range(4):
            relate(caller, centre, make(caller, f"Leaf number {number}")["id"], "has", weight=number)
        body = around(caller, centre, max_neighbors=2)
        assert [row["name"] for row in body["neighbors"]] == ["Leaf number 3", "Leaf number 2"]
        assert (body["total_neighbors"], body["truncated"]) == (2, True)
        assert around(caller, centre)["truncated"] is False

    @pytest.mark.parametrize("query", ["depth=0", "depth=6", "max_neighbors=0", "max_neighbors=101", "depth=x"])
    def test_limits_are_checked(self, caller: Caller, query: str) -> None:
        id = make(caller, "Centre")["id"]
        field = query.partition("=")[0]
        answer = caller.get(f"/v1/entities/{id}/neighborhood?{query}")
        assert error_of(answer, 422)["details"][0]["field"] == field

    def test_forgotten_memories_tie_nothing(self, caller: Caller) -> None:
        memory = caller.remember("Ada Lovelace moved to Lisbon")
        id = make(caller, "Ada Lovelace", "person")["id"]
        caller.delete(f"/v1/memories/{memory['id']}")
        assert around(caller, id)["neighbors"] == []

    def test_of_a_foreign_entity_is_404(self, caller: Caller, stranger: Caller) -> None:
        foreign = make(stranger, "Theirs")["id"]
        assert error_of(caller.get(f"/v1/entities/{foreign}/neighborhood"), 404)["message"] == "Entity not found"


class TestPaths:
    def ask(self, caller: Caller, source: str, target: str, **query: Any) -> dict[str, Any]:
        response = caller.get("/v1/entities/paths", query_string={"source": source, "target": target, **query})
        assert response.status_code == 200, response.get_json()
        found: dict[str, Any] = response.get_json()
        return found

    def test_the_shortest_way_comes_with_its_reasons(self, caller: Caller) -> None:
        caller.remember("Ada Lovelace moved to Lisbon")
        caller.remember("Lisbon hosts PostgreSQL")
        caller.remember("PostgreSQL was chosen by Grace Hopper")
        body = self.ask(caller, "Ada Lovelace", "grace hopper")
        assert (body["found"], body["length"]) == (True, 3)
        assert [row["name"] for row in body["entities"]] == ["Ada Lovelace", "Lisbon", "PostgreSQL", "Grace Hopper"]
        assert [step["memories"][0]["content"] for step in body["steps"]] == [
            "Ada Lovelace moved to Lisbon", "Lisbon hosts PostgreSQL", "PostgreSQL was chosen by Grace Hopper"
        ]  # fmt: skip
        assert [step["shared_memories"] for step in body["steps"]] == [1, 1, 1]

    def test_a_stated_relation_is_a_step(self, caller: Caller) -> None:
        a, b, c = (make(caller, name)["id"] for name in ("Aa", "Bb", "Cc"))
        relate(caller, b, a, "feeds")
        relate(caller, b, c, "feeds")
        body = self.ask(caller, a, c)
        assert [row["id"] for row in body["entities"]] == [a, b, c]
        assert [step["relationships"][0]["relationship_type"] for step in body["steps"]] == ["feeds", "feeds"]
        assert (body["steps"][0]["source_entity_id"], body["steps"][0]["relationships"][0]["source_entity_id"]) == (
            a,
            b,
        )

    def test_of_two_ways_the_shorter_wins(self, caller: Caller) -> None:
        ids = chain(caller, "Aa", "Bb", "Cc", "Dd", "Ee")
        relate(caller, ids[1], ids[4], "uses")
        assert self.ask(caller, ids[0], ids[4])["length"] == 2

    def test_longer_than_asked_is_not_found(self, caller: Caller) -> None:
        ids = chain(caller, *(f"Link number {n}" for n in range(7)))
        for longest in range(1, 7):
            for target in range(7):
                body = self.ask(caller, ids[0], ids[target], max_depth=longest)
                assert (body["found"], body["length"]) == ((True, target) if target <= longest else (False, None))
                assert [row["id"] for row in body["entities"]] == (ids[: target + 1] if target <= longest else [])

    def test_confidential_memories_justify_without_their_text(self, caller: Caller) -> None:
        caller.remember("Ada Lovelace moved to Lisbon", visibility="confidential")
        memory = self.ask(caller, "Ada Lovelace", "Lisbon")["steps"][0]["memories"][0]
        assert (memory["content"], memory["visibility"]) == (None, "confidential")

    def test_never_leads_through_another_tenant(self, caller: Caller, stranger: Caller) -> None:
        chain(stranger, "Aa", "Bb")
        make(caller, "Aa", "concept")
        make(caller, "Bb", "concept")
        assert self.ask(caller, "Aa", "Bb")["found"] is False

    def test_unknown_ends_are_404(self, caller: Caller, stranger: Caller, unknown_id: str) -> None:
        make(caller, "Aa")
        foreign = make(stranger, "Bb")["id"]
        for other in (unknown_id, foreign, "Bb"):
            answer = caller.get("/v1/entities/paths", query_string={"source": "Aa", "target": other})
            assert error_of(answer, 404)["message"] == "Entity not found"
        assert error_of(caller.get("/v1/entities/paths?source=Aa"), 422)["details"][0]["field"] == "target"


class TestTopics:
    def test_group_what_is_said_together(self, caller: Caller, parts: State) -> None:
        for names in (("Aa", "Bb", "Cc"), ("Dd", "Ee", "Ff", "Gg")):
            for _ in range(2):
                memory = caller.remember(f"plain words {names} {_}", auto_extract_entities=False)["id"]
                for name in names:
                    id = make(caller, name, "concept")["id"]
                    caller.post("/v1/entities/links", {"entity_id": id, "memory_id": memory})
        assert find_topics(parts.graph, caller.tenant) == 2
        body = caller.get("/v1/entities/topics?members=3").get_json()
        labels = [set(topic["label"].split(", ")) for topic in body["data"]]
        assert labels[0] < {"Dd", "Ee", "Ff", "Gg"}
        assert labels[1] == {"Aa", "Bb", "Cc"}
        assert [(topic["member_count"], len(topic["members"])) for topic in body["data"]] == [(4, 3), (3, 3)]
        assert (body["total_count"], body["has_more"]) == (2, False)
        first = body["data"][0]
        assert set(first["members"][0]) == {"id", "name", "type", "entity_type", "weight"}
        one = caller.get(f"/v1/entities/topics/{first['id']}").get_json()
        assert len(one["members"]) == 4
        page = caller.get("/v1/entities/topics?limit=1").get_json()
        assert (page["has_more"], page["total_count"]) == (True, 2)
        query = {"limit": 1, "cursor": page["next_cursor"]}
        last = caller.get("/v1/entities/topics", query_string=query).get_json()
        assert (last["data"][0]["id"], last["has_more"], last["next_cursor"]) == (body["data"][1]["id"], False, None)
        assert caller.get("/v1/entities/topics?limit=1&offset=1").get_json()["data"][0]["id"] == body["data"][1]["id"]

    def test_are_empty_before_there_are_any(self, caller: Caller) -> None:
        assert caller.get("/v1/entities/topics").get_json()["data"] == []

    def test_of_others_are_not_seen(self, caller: Caller, stranger: Caller, parts: State) -> None:
        stranger.remember("Ada Lovelace met Grace Hopper in Lisbon")
        assert find_topics(parts.graph, stranger.tenant) == 1
        theirs = stranger.get("/v1/entities/topics").get_json()["data"][0]["id"]
        assert caller.get("/v1/entities/topics").get_json()["data"] == []
        assert error_of(caller.get(f"/v1/entities/topics/{theirs}"), 404)["message"] == "Topic not found"

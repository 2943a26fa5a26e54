"""What belongs to one memory, over HTTP."""

from typing import Any

import pytest

from app.state import State
from tests.callers import Caller, error_of
from tests.resources.lists import ids


class TestImportance:
    def test_the_tier_follows_the_importance(self, caller: Caller) -> None:
        memory = caller.remember("one")
        answer = caller.put(f"/v1/memories/{memory['id']}/importance", {"importance": 0.9, "tier": None}).get_json()
        assert (answer["importance"], answer["tier"]) == (0.9, "hot")
        assert answer["salience_score"] > memory["salience_score"]

    def test_a_tier_that_is_sent_wins(self, caller: Caller) -> None:
        id = caller.remember("one")["id"]
        answer = caller.put(f"/v1/memories/{id}/importance", {"importance": 0.9, "tier": "cold"}).get_json()
        assert (answer["importance"], answer["tier"]) == (0.9, "cold")

    @pytest.mark.parametrize("body", [{}, {"importance": 1.1}, {"importance": None}, {"importance": 0.5, "tier": "x"}])
    def test_a_bad_body_is_refused(self, caller: Caller, body: dict[str, Any]) -> None:
        error_of(caller.put(f"/v1/memories/{caller.remember('one')['id']}/importance", body), 422)

    def test_an_unknown_memory_is_not_found(self, caller: Caller, unknown_id: str) -> None:
        body = error_of(caller.put(f"/v1/memories/{unknown_id}/importance", {"importance": 0.5}), 404)
        assert body["message"] == "Memory not found"


class TestArchive:
    def test_an_archived_memory_can_be_read_and_is_left_out_elsewhere(self, caller: Caller) -> None:
        id = caller.remember("The zorblat lives in Porto")["id"]
        answer = caller.post(f"/v1/memories/{id}/archive")
        assert answer.status_code == 200
        assert isinstance(answer.get_json()["archived_at"], int)
        assert caller.get(f"/v1/memories/{id}").status_code == 200
        assert ids(caller) == []
        assert caller.search("zorblat Porto") == []
        assert ids(caller, include_archived=True) == ids(caller, archived_only=True) == [id]

    def test_taken_back_it_is_found_again(self, caller: Caller) -> None:
        id = caller.remember("The zorblat lives in Porto")["id"]
        caller.post(f"/v1/memories/{id}/archive")
        assert caller.post(f"/v1/memories/{id}/unarchive").get_json()["archived_at"] is None
        assert [hit["memory"]["id"] for hit in caller.search("zorblat Porto")] == [id]
        assert ids(caller, archived_only=True) == []

    def test_archiving_twice_keeps_the_first_time(self, caller: Caller, parts: State) -> None:
        id = caller.remember("one")["id"]
        first = caller.post(f"/v1/memories/{id}/archive").get_json()["archived_at"]
        assert caller.post(f"/v1/memories/{id}/archive").get_json()["archived_at"] == first

    def test_a_stranger_cannot(self, caller: Caller, stranger: Caller) -> None:
        id = caller.remember("one")["id"]
        error_of(stranger.post(f"/v1/memories/{id}/archive"), 404)


class TestVersions:
    def test_an_edit_keeps_what_was_said(self, caller: Caller) -> None:
        id = caller.remember("Ada lives in Lisbon")["id"]
        caller.put(f"/v1/memories/{id}", {"content": "Ada lives in Porto"})
        listed = caller.get(f"/v1/memories/{id}/versions").get_json()
        assert [(row["content"], row["is_current"]) for row in listed["data"]] == [
            ("Ada lives in Porto", True),
            ("Ada lives in Lisbon", False),
        ]
        now, before = listed["data"]
        assert now["id"] == id
        assert now["said_until"] is None
        assert before["said_until"] is not None
        assert before["said_since"] <= now["said_since"]
        assert listed["total_count"] == 2

    def test_one_version_can_be_read_by_its_id(self, caller: Caller) -> None:
        id = caller.remember("Ada lives in Lisbon")["id"]
        caller.put(f"/v1/memories/{id}", {"content": "Ada lives in Porto"})
        old = caller.get(f"/v1/memories/{id}/versions").get_json()["data"][1]["id"]
        assert caller.get(f"/v1/memories/{id}/versions/{old}").get_json()["content"] == "Ada lives in Lisbon"
        assert caller.get(f"/v1/memories/{id}/versions/{id}").get_json()["content"] == "Ada lives in Porto"

    def test_a_change_of_anything_but_the_text_makes_no_version(self, caller: Caller) -> None:
        id = caller.remember("Ada lives in Lisbon")["id"]
        caller.put(f"/v1/memories/{id}", {"metadata": {"a": 1}})
        assert caller.get(f"/v1/memories/{id}/versions").get_json()["total_count"] == 1

    def test_versions_are_paged(self, caller: Caller) -> None:
        id = caller.remember("text 0")["id"]
        for n in range(1, 5):
            caller.put(f"/v1/memories/{id}", {"content": f"text {n}"})
        first = caller.get(f"/v1/memories/{id}/versions?limit=2").get_json()
        second = caller.get(f"/v1/memories/{id}/versions?limit=3&cursor={first['next_cursor']}").get_json()
        assert [row["content"] for row in first["data"] + second["data"]] == [f"text {n}" for n in (4, 3, 2, 1, 0)]

    def test_what_was_said_is_not_found_by_search(self, caller: Caller) -> None:
        id = caller.remember("Ada keeps a zorblat")["id"]
        caller.put(f"/v1/memories/{id}", {"content": "Ada keeps a cat"})
        assert caller.search("zorblat", search_mode="keyword") == []

    def test_a_version_of_another_memory_is_not_found(self, caller: Caller, unknown_id: str) -> None:
        one, other = caller.remember("one")["id"], caller.remember("two")["id"]
        error_of(caller.get(f"/v1/memories/{one}/versions/{other}"), 404)
        error_of(caller.get(f"/v1/memories/{unknown_id}/versions"), 404)


class TestRelated:
    def related(self, caller: Caller, id: str, **query: Any) -> dict[str, dict[str, Any]]:
        response = caller.get(f"/v1/memories/{id}/related", query_string=query)
        assert response.status_code == 200, response.get_json()
        assert response.get_json()["total"] == len(response.get_json()["data"])
        return {hit["memory"]["id"]: hit for hit in response.get_json()["data"]}

    def test_a_shared_name_is_the_reason(self, caller: Caller) -> None:
        one = caller.remember("Priya Raman moved to Lisbon")["id"]
        other = caller.remember("Yesterday we asked Priya Raman about invoices")["id"]
        hit = self.related(caller, one)[other]
        names = [reason["entity"]["name"] for reason in hit["reasons"] if reason["type"] == "entity"]
        assert names == ["Priya Raman"]
        assert 0 < hit["score"] < 1

    def test_neighbours_in_the_session_say_where_they_stand(self, caller: Caller) -> None:
        session = caller.post("/v1/sessions", {"title": "x"}).get_json()["id"]
        texts = ["alpha beta", "gamma delta", "epsilon zeta", "eta theta"]
        a, b, c, d = (caller.remember(text, session_id=session)["id"] for text in texts)
        found = self.related(caller, b)
        places = {
            id: [(r["place"], r["steps"]) for r in hit["reasons"] if r["type"] == "session"]
            for id, hit in found.items()
        }
        assert places == {a: [("previous", 1)], c: [("next", 1)], d: [("next", 2)]}

    def test_nearly_the_same_text_is_similar(self, caller: Caller) -> None:
        one = caller.remember("we bake bread on sunday morning")["id"]
        other = caller.remember("we bake bread on sunday evening")["id"]
        reasons = self.related(caller, one)[other]["reasons"]
        assert [reason["type"] for reason in reasons] == ["similar"]
        assert 0 < reasons[0]["similarity"] < 1

    def test_succession_and_sources_are_reasons_in_both_directions(self, caller: Caller) -> None:
        source = caller.remember("alpha beta")["id"]
        old = caller.remember("gamma delta")["id"]
        new = caller.remember("epsilon zeta", supersedes=old, derived_from=[source])["id"]
        kinds = {id: [r["type"] for r in hit["reasons"]] for id, hit in self.related(caller, new).items()}
        assert kinds == {source: ["derived_from"], old: ["supersedes"]}
        assert [r["type"] for r in self.related(caller, source)[new]["reasons"]] == ["source_of"]

    def test_confidential_and_archived_ones_are_shown_only_when_asked_for(self, caller: Caller) -> None:
        one = caller.remember("Priya Raman moved to Lisbon")["id"]
        secret = caller.remember("Priya Raman earns a lot", visibility="confidential")["id"]
        filed = caller.remember("Priya Raman once moved to Paris")["id"]
        caller.post(f"/v1/memories/{filed}/archive")
        assert self.related(caller, one) == {}
        assert set(self.related(caller, one, include_confidential=True, include_archived=True)) == {secret, filed}

    def test_limits_are_kept(self, caller: Caller, unknown_id: str) -> None:
        one = caller.remember("Priya Raman moved to Lisbon")["id"]
        for n in range(3):
            caller.remember(f"Priya Raman said {n}")
        assert len(self.related(caller, one, limit=2)) == 2
        error_of(caller.get(f"/v1/memories/{one}/related?limit=51"), 422)
        error_of(caller.get(f"/v1/memories/{unknown_id}/related"), 404)


class TestExtraction:
    def test_names_are_found_anew_and_links_by_hand_stay(self, caller: Caller) -> None:
        memory = caller.remember("Priya Raman moved to Lisbon", auto_extract_entities=False)
        assert memory["entities"] == []
        assert memory["extraction_method"] is None
        entity = caller.post("/v1/entities", {"name": "Zorblat", "entity_type": "product"}).get_json()["id"]
        caller.post("/v1/entities/links", {"entity_id": entity, "memory_id": memory["id"]})
        answer = caller.post(f"/v1/memories/{memory['id']}/extract-entities")
        assert answer.status_code == 200
        assert answer.get_json()["status"] == "ready"
        assert answer.get_json()["extraction_method"] == "rules"
        names = {each["value"] for each in caller.get(f"/v1/memories/{memory['id']}").get_json()["entities"]}
        assert names == {"Priya Raman", "Lisbon", "Zorblat"}

    def test_status_tells_method_and_count(self, caller: Caller) -> None:
        id = caller.remember("Priya Raman moved to Lisbon")["id"]
        status = caller.get(f"/v1/memories/{id}/extraction-status").get_json()
        assert (status["status"], status["extraction_method"], status["entity_count"]) == ("ready", "rules", 2)
        assert isinstance(status["updated_at"], int)
        assert status["extraction_model"] is None

    def test_unknown_memories_are_not_found(self, caller: Caller, unknown_id: str) -> None:
        error_of(caller.post(f"/v1/memories/{unknown_id}/extract-entities"), 404)
        error_of(caller.get(f"/v1/memories/{unknown_id}/extraction-status"), 404)

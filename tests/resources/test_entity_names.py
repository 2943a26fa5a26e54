"""Aliases and merges over HTTP: what leads to one entity."""

import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from tests.callers import Caller, error_of
from tests.resources.test_entities import HOSTILE, listed, make, shown


class TestAliases:
    def test_are_added_once_listed_and_removed(self, caller: Caller) -> None:
        id = make(caller, "Billing Service")["id"]
        path = f"/v1/entities/{id}/aliases"
        assert [caller.post(path, {"alias": alias}).status_code for alias in ("bsvc", "BSVC", "Zahlung")] == [
            201,
            200,
            201,
        ]
        body = caller.get(path).get_json()
        assert ([row["alias"] for row in body["data"]], body["total"]) == (["Zahlung", "bsvc"], 2)
        assert caller.delete(path, query_string={"alias": "Bsvc"}).status_code == 204
        assert shown(caller, id)["aliases"] == ["Zahlung"]
        assert error_of(caller.delete(path, query_string={"alias": "bsvc"}), 404)["message"] == "Alias not found"
        assert error_of(caller.delete(path, query_string={"alias": "billing service"}), 409)

    def test_lead_writers_to_the_entity(self, caller: Caller) -> None:
        id = make(caller, "Billing Service")["id"]
        caller.post(f"/v1/entities/{id}/aliases", {"alias": "Zahlungsdienst"})
        memory = caller.remember("der zahlungsdienst steht still")
        assert [entity["value"] for entity in memory["entities"]] == ["Billing Service"]
        assert make(caller, "Zahlungsdienst")["id"] == id

    def test_that_belong_to_another_are_a_conflict(self, caller: Caller) -> None:
        make(caller, "First Thing")
        second = make(caller, "Second Thing")
        error_of(caller.post(f"/v1/entities/{second['id']}/aliases", {"alias": "first thing"}), 409)
        other_type = make(caller, "Third Thing", "person")
        assert caller.post(f"/v1/entities/{other_type['id']}/aliases", {"alias": "First Thing"}).status_code == 201

    @pytest.mark.parametrize("alias", HOSTILE)
    def test_may_be_anything(self, caller: Caller, alias: str) -> None:
        id = make(caller, "Plain")["id"]
        path = f"/v1/entities/{id}/aliases"
        assert caller.post(path, {"alias": alias}).status_code == 201
        assert shown(caller, id)["aliases"] == [alias]
        assert caller.delete(f"{path}?alias={quote(alias, safe='')}").status_code == 204
        assert shown(caller, id)["aliases"] == []


class TestMerging:
    def test_moves_links_names_relations_and_metadata(self, caller: Caller) -> None:
        for text in ("Bill Smith wrote it", "William Smith read it", "William Smith and Bill Smith are one"):
            caller.remember(text)
        gone = make(caller, "Bill Smith", "person", metadata={"a": 1})
        kept = make(caller, "William Smith", "person")
        caller.patch(f"/v1/entities/{gone['id']}", {"metadata": {"a": 1, "b": 1}})
        caller.patch(f"/v1/entities/{kept['id']}", {"metadata": {"a": 2}})
        other = make(caller, "Acme", "organization")
        for source, target, kind in (
            (gone, other, "works_at"), (kept, other, "works_at"), (other, gone, "employs"), (gone, kept, "same_as")
        ):  # fmt: skip
            body = {"target_id": target["id"], "relationship_type": kind}
            assert caller.post(f"/v1/entities/{source['id']}/relationships", body).status_code == 201
        merged = caller.post(f"/v1/entities/{gone['id']}/merge", {"into": kept["id"]})
        assert merged.status_code == 200
        survivor = merged.get_json()
        assert survivor["id"] == kept["id"]
        assert (survivor["memory_count"], survivor["relationship_count"]) == (3, 2)
        assert survivor["aliases"] == ["Bill Smith"]
        assert survivor["metadata"] == {"a": 2, "b": 1}
        assert caller.get(f"/v1/entities/{gone['id']}").status_code == 404
        later = caller.remember("Bill Smith wrote again")
        assert [entity["value"] for entity in later["entities"]] == ["William Smith"]

    def test_into_itself_is_refused(self, caller: Caller) -> None:
        id = make(caller, "Thing")["id"]
        assert error_of(caller.post(f"/v1/entities/{id}/merge", {"into": id}), 422)["details"][0]["field"] == "into"

    def test_unknown_and_foreign_ids_are_404(self, caller: Caller, stranger: Caller, unknown_id: str) -> None:
        mine, theirs = make(caller, "Thing")["id"], make(stranger, "Thing")["id"]
        for id, into in ((mine, unknown_id), (unknown_id, mine), (mine, theirs), (theirs, mine)):
            assert (
                error_of(caller.post(f"/v1/entities/{id}/merge", {"into": into}), 404)["message"] == "Entity not found"
            )
        assert shown(caller, mine)["name"] == shown(stranger, theirs)["name"] == "Thing"

    def test_loses_nothing_while_others_write(self, caller: Caller) -> None:
        for number in range(8):
            caller.remember(f"Bill Smith wrote {number}")
        gone, kept = make(caller, "Bill Smith", "person"), make(caller, "William Smith", "person")

        def work(number: int) -> int:
            if number == 4:
                return caller.post(f"/v1/entities/{gone['id']}/merge", {"into": kept["id"]}).status_code
            caller.remember(f"Bill Smith went on to write {number}")
            return 200

        with ThreadPoolExecutor(8) as pool:
            codes = list(pool.map(work, range(16)))
        assert set(codes) == {200}
        assert shown(caller, kept["id"])["memory_count"] == 23
        assert json.dumps(listed(caller)).count("Smith") == 1

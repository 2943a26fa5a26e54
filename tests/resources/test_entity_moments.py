"""`as_of` over HTTP for entities: what was known of them then, and how they hung together."""

from typing import Any

import pytest

from tests.callers import Caller, error_of
from tests.resources.test_moments import at, then


class TestEntity:
    @pytest.fixture
    def ids(self, caller: Caller) -> dict[str, str]:
        """Ada and Otto, tied in minute 1 and untied in minute 2; a memory of both is edited in minute 3."""
        made: dict[str, str] = {}
        with at(0):
            for name in ("Ada Quill", "Otto Braun"):
                body = {"name": name, "entity_type": "person"}
                made[name] = caller.post("/v1/entities", body).get_json()["id"]
            made["memory"] = caller.remember("Ada Quill met Otto Braun")["id"]
        with at(1):
            body = {"target_id": made["Otto Braun"], "relationship_type": "knows"}
            relation = caller.post(f"/v1/entities/{made['Ada Quill']}/relationships", body).get_json()["id"]
        with at(2):
            caller.delete(f"/v1/entities/{made['Ada Quill']}/relationships/{relation}")
        with at(3):
            caller.put(f"/v1/memories/{made['memory']}", {"content": "Ada Quill met nobody"})
        return made

    def test_has_the_ties_of_then(self, caller: Caller, ids: dict[str, str]) -> None:
        def around(number: int) -> list[tuple[str, str]]:
            path = f"/v1/entities/{ids['Ada Quill']}/neighborhood?as_of={then(number)}"
            return [(each["name"], each["relationship"]) for each in caller.get(path).get_json()["neighbors"]]

        assert [around(number) for number in range(4)] == [
            [("Otto Braun", "co_mentioned")], [("Otto Braun", "knows")], [("Otto Braun", "co_mentioned")], [],
        ]  # fmt: skip

    def test_has_the_relations_of_then(self, caller: Caller, ids: dict[str, str]) -> None:
        def types(number: int) -> list[str]:
            path = f"/v1/entities/{ids['Otto Braun']}/relationships?as_of={then(number)}"
            body = caller.get(path).get_json()
            assert body["total"] == len(body["data"])
            return [each["relationship_type"] for each in body["data"]]

        assert [types(number) for number in range(4)] == [
            ["co_mentioned"], ["knows", "co_mentioned"], ["co_mentioned"], [],
        ]  # fmt: skip

    def test_has_the_memories_of_then(self, caller: Caller, ids: dict[str, str]) -> None:
        path = f"/v1/entities/{ids['Otto Braun']}/memories"
        page = caller.get(f"{path}?as_of={then(2)}").get_json()
        assert [row["content"] for row in page["data"]] == ["Ada Quill met Otto Braun"]
        assert page["total_count"] == 1
        assert caller.get(f"{path}?as_of={then(3)}").get_json()["data"] == []
        ada = caller.get(f"/v1/entities/{ids['Ada Quill']}/memories?as_of={then(3)}").get_json()["data"]
        assert [row["content"] for row in ada] == ["Ada Quill met nobody"]

    def test_has_the_ways_of_then(self, caller: Caller, ids: dict[str, str]) -> None:
        def way(number: int) -> tuple[Any, ...]:
            ends = {"source": "Ada Quill", "target": ids["Otto Braun"]}
            found = caller.get("/v1/entities/paths", query_string={**ends, "as_of": then(number)}).get_json()
            return found["length"], *(
                ([each["relationship_type"] for each in step["relationships"]], step["shared_memories"],
                 [each["content"] for each in step["memories"]])
                for step in found["steps"]
            )  # fmt: skip

        met = "Ada Quill met Otto Braun"
        assert [way(number) for number in range(4)] == [
            (1, ([], 1, [met])), (1, (["knows"], 1, [met])), (1, ([], 1, [met])), (None,),
        ]  # fmt: skip

    def test_has_no_way_before_both_ends_were_there(self, caller: Caller, ids: dict[str, str]) -> None:
        ends = {"source": ids["Ada Quill"], "target": ids["Otto Braun"], "as_of": then(-1)}
        error = error_of(caller.get("/v1/entities/paths", query_string=ends), 404)
        assert error["message"] == "Entity not found"

    def test_archived_memories_count_as_they_did(self, caller: Caller, ids: dict[str, str]) -> None:
        with at(4):
            caller.post(f"/v1/memories/{ids['memory']}/archive")
        path = f"/v1/entities/{ids['Ada Quill']}/memories"
        assert caller.get(f"{path}?as_of={then(3)}").get_json()["total_count"] == 1
        assert caller.get(f"{path}?as_of={then(4)}").get_json()["total_count"] == 0
        assert caller.get(f"{path}?as_of={then(4)}&include_archived=true").get_json()["total_count"] == 1

    def test_links_cut_by_hand_are_remembered(self, caller: Caller, ids: dict[str, str]) -> None:
        with at(4):
            caller.delete(f"/v1/entities/{ids['Ada Quill']}/memories/{ids['memory']}")
        path = f"/v1/entities/{ids['Ada Quill']}/memories"
        assert caller.get(f"{path}?as_of={then(3)}").get_json()["total_count"] == 1
        assert caller.get(path).get_json()["total_count"] == 0

    def test_merged_into_another_hands_its_past_over(self, caller: Caller, ids: dict[str, str]) -> None:
        with at(4):
            made = caller.post("/v1/entities", {"name": "Otto B", "entity_type": "person"}).get_json()["id"]
        with at(5):
            caller.post(f"/v1/entities/{ids['Otto Braun']}/merge", {"into": made})
        assert caller.get(f"/v1/entities/{made}/memories?as_of={then(5)}").get_json()["data"] == []
        relations = caller.get(f"/v1/entities/{ids['Ada Quill']}/relationships?as_of={then(1)}").get_json()["data"]
        assert ("knows", made) in [(each["relationship_type"], each["target_entity_id"]) for each in relations]

    def test_was_not_there_before_it_was_named(self, caller: Caller, ids: dict[str, str]) -> None:
        for part in ("memories", "relationships", "neighborhood"):
            path = f"/v1/entities/{ids['Ada Quill']}/{part}"
            assert caller.get(f"{path}?as_of={then(0)}").status_code == 200
            assert error_of(caller.get(f"{path}?as_of={then(-1)}"), 404)["message"] == "Entity not found"

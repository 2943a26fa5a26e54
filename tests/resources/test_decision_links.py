"""What decisions rest on, what they depend on, their chains, and what falls with them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from tests.callers import Caller, error_of
from tests.resources.test_decisions import MCP, again, at_once, decide, ids


def depend(caller: Caller, one: dict[str, Any], *others: dict[str, Any]) -> dict[str, Any]:
    """Say that `one` depends on `others` and return the answer."""
    body = {"decision_ids": [other["id"] for other in others]}
    response = caller.post(f"/v1/decisions/{one['id']}/dependencies", body)
    assert response.status_code == 200, response.get_json()
    return dict(response.get_json())


def supersede(caller: Caller, old: dict[str, Any], title: str) -> dict[str, Any]:
    """Put a new decision in the place of `old` and return it."""
    response = caller.post(f"/v1/decisions/{old['id']}/supersede", {"title": title, "rationale": "times change"})
    assert response.status_code == 201, response.get_json()
    return dict(response.get_json())


def chain(caller: Caller, one: dict[str, Any]) -> list[str]:
    """Return the titles of a chain, oldest first."""
    body = caller.get(f"/v1/decisions/{one['id']}/chain").get_json()
    assert body["total"] == len(body["data"])
    assert body["current_id"] == body["data"][-1]["id"]
    return [item["title"] for item in body["data"]]


def impact(caller: Caller, one: dict[str, Any], **args: Any) -> dict[str, Any]:
    """Return the impact of a decision."""
    response = caller.get(f"/v1/decisions/{one['id']}/impact", query_string=args)
    assert response.status_code == 200, response.get_json()
    return dict(response.get_json())


def fallen(found: dict[str, Any]) -> dict[str, tuple[int, bool]]:
    """Return (distance, depends) of each affected decision by its title."""
    rows = [(item["decision"]["title"], (item["distance"], item["depends"])) for item in found["data"]]
    assert len(dict(rows)) == len(rows) == len(found["data"])
    return dict(rows)


class TestMemories:
    def test_are_linked_once_listed_and_unlinked(self, caller: Caller) -> None:
        made = decide(caller)
        path = f"/v1/decisions/{made['id']}/memories"
        one, two = caller.remember("first ground")["id"], caller.remember("second ground")["id"]
        assert caller.post(path, {"memory_id": one}).get_json() == {
            "id": made["id"], "object": "decision_links", "linked": [one], "added": 1,
        }  # fmt: skip
        assert caller.post(path, {"memory_ids": [one, two]}).get_json()["added"] == 1
        assert ids(caller.get(path, headers=MCP)) == [two, one]
        assert again(caller, made)["memory_count"] == 2
        assert caller.delete(f"{path}?memory_id={one}", headers=MCP).get_json()["deleted"] is True
        assert caller.delete(path, json={"memory_id": two}).status_code == 204
        assert error_of(caller.delete(path, json={"memory_id": two}), 404)["message"] == "Link not found"
        assert error_of(caller.delete(path), 422)["details"][0]["field"] == "memory_id"
        assert ids(caller.get(path)) == []

    def test_list_pages_without_gaps(self, caller: Caller) -> None:
        memories = [caller.remember(f"ground {n}")["id"] for n in range(5)]
        path = f"/v1/decisions/{decide(caller, memory_ids=memories)['id']}/memories"
        first = caller.get(f"{path}?limit=2").get_json()
        assert (first["total_count"], first["has_more"]) == (5, True)
        rest = caller.get(f"{path}?cursor={first['next_cursor']}")
        assert [item["id"] for item in first["data"]] + ids(rest) == memories[::-1]

    def test_unknown_ones_are_404_and_then_none_is_linked(self, caller: Caller, unknown_id: str) -> None:
        made, memory = decide(caller), caller.remember("a ground")["id"]
        path = f"/v1/decisions/{made['id']}/memories"
        assert error_of(caller.post(path, {"memory_ids": [memory, unknown_id]}), 404)["message"] == "Memory not found"
        error_of(caller.post(f"/v1/decisions/{unknown_id}/memories", {"memory_id": memory}), 404)
        assert again(caller, made)["memory_count"] == 0

    @pytest.mark.parametrize("body", [{}, {"memory_id": "x"}, {"memory_ids": []}, {"memory_ids": ["x"]}])
    def test_wrong_bodies_are_422(self, caller: Caller, body: dict[str, Any]) -> None:
        error_of(caller.post(f"/v1/decisions/{decide(caller)['id']}/memories", body), 422)

    def test_a_deleted_memory_is_a_ground_no_more(self, caller: Caller) -> None:
        memory = caller.remember("a ground that goes")["id"]
        made = decide(caller, memory_ids=[memory])
        caller.delete(f"/v1/memories/{memory}")
        assert again(caller, made)["memory_count"] == 0

    def test_sixteen_equal_links_at_once_make_one(self, caller: Caller) -> None:
        made, memory = decide(caller), caller.remember("a ground")["id"]
        path = f"/v1/decisions/{made['id']}/memories"
        added = at_once(lambda _: caller.post(path, {"memory_id": memory}).get_json()["added"])
        assert sorted(added) == [0] * 15 + [1]
        assert again(caller, made)["memory_count"] == 1


class TestDependencies:
    def test_are_linked_once_listed_from_both_ends_and_unlinked(self, caller: Caller) -> None:
        base, top = decide(caller, "base"), decide(caller, "top")
        assert depend(caller, top, base)["added"] == 1
        assert depend(caller, top, base)["added"] == 0
        assert ids(caller.get(f"/v1/decisions/{top['id']}/dependencies")) == [base["id"]]
        assert ids(caller.get(f"/v1/decisions/{base['id']}/dependents")) == [top["id"]]
        assert (again(caller, top)["dependency_count"], again(caller, base)["dependent_count"]) == (1, 1)
        path = f"/v1/decisions/{top['id']}/dependencies"
        assert caller.delete(f"{path}?decision_id={base['id']}").status_code == 204
        error_of(caller.delete(f"{path}?decision_id={base['id']}"), 404)
        error_of(caller.delete(path), 422)
        assert ids(caller.get(f"/v1/decisions/{base['id']}/dependents")) == []

    def test_itself_is_422_unknown_404_and_a_cycle_is_allowed(self, caller: Caller, unknown_id: str) -> None:
        one, two = decide(caller), decide(caller)
        path = f"/v1/decisions/{one['id']}/dependencies"
        found = error_of(caller.post(path, {"decision_ids": [two["id"], one["id"].upper()]}), 422)
        assert found["details"][0]["field"] == "decision_id"
        assert error_of(caller.post(path, {"decision_id": unknown_id}), 404)["message"] == "Decision not found"
        depend(caller, one, two)
        depend(caller, two, one)
        assert again(caller, one)["dependent_count"] == again(caller, two)["dependent_count"] == 1

    def test_sixteen_links_both_ways_at_once_are_exact(self, caller: Caller) -> None:
        one, two = decide(caller), decide(caller)
        added = at_once(lambda n: depend(caller, *((one, two) if n % 2 else (two, one)))["added"])
        assert sum(added) == 2
        assert [again(caller, each)["dependency_count"] for each in (one, two)] == [1, 1]

    def test_sixteen_dependents_at_once_are_all_counted(self, caller: Caller) -> None:
        base = decide(caller)
        others = [decide(caller, f"other {n}") for n in range(16)]
        at_once(lambda n: depend(caller, others[n], base))
        assert again(caller, base)["dependent_count"] == 16
        first = caller.get(f"/v1/decisions/{base['id']}/dependents?limit=10").get_json()
        rest = ids(caller.get(f"/v1/decisions/{base['id']}/dependents?cursor={first['next_cursor']}"))
        assert {item["id"] for item in first["data"]} | set(rest) == {other["id"] for other in others}


class TestChain:
    def test_shows_all_from_any_of_them_oldest_first(self, caller: Caller) -> None:
        a = decide(caller, "a")
        b = supersede(caller, a, "b")
        c = supersede(caller, b, "c")
        for one in (a, b, c):
            assert chain(caller, one) == ["a", "b", "c"]
        assert chain(caller, decide(caller, "alone")) == ["alone"]

    def test_closes_over_a_deleted_middle(self, caller: Caller) -> None:
        a = decide(caller, "a")
        b = supersede(caller, a, "b")
        c = supersede(caller, b, "c")
        caller.delete(f"/v1/decisions/{b['id']}")
        assert chain(caller, a) == ["a", "c"]
        assert again(caller, a)["superseded_by"] == c["id"]
        assert again(caller, a)["status"] == "superseded"

    @pytest.mark.parametrize("status", ["active", "experimental"])
    def test_without_its_end_the_one_before_is_in_force_as_it_was(self, caller: Caller, status: str) -> None:
        a = decide(caller, "Prefer zebras", status=status)
        b = supersede(caller, a, "Prefer giraffes")
        caller.delete(f"/v1/decisions/{b['id']}")
        assert (again(caller, a)["status"], again(caller, a)["superseded_by"]) == (status, None)
        found = caller.get("/v1/decisions/check?query=zebras").get_json()["data"]
        assert [hit["decision"]["id"] for hit in found] == [a["id"]]
        assert supersede(caller, a, "Prefer lions")["supersedes"] == a["id"]

    def test_dependants_of_a_deleted_decision_depend_on_the_one_in_its_place(self, caller: Caller) -> None:
        a, other = decide(caller, "a"), decide(caller, "other")
        b = supersede(caller, a, "b")
        depend(caller, other, a)
        depend(caller, b, a)
        caller.delete(f"/v1/decisions/{a['id']}")
        assert ids(caller.get(f"/v1/decisions/{b['id']}/dependents")) == [other["id"]]
        alone = decide(caller, "alone")
        depend(caller, other, alone)
        caller.delete(f"/v1/decisions/{alone['id']}")
        assert again(caller, other)["dependency_count"] == 1

    def test_deleted_by_sixteen_at_once_stays_whole(self, caller: Caller) -> None:
        links = [decide(caller, "0")]
        for n in range(1, 17):
            links.append(supersede(caller, links[-1], str(n)))
        statuses = at_once(lambda n: caller.delete(f"/v1/decisions/{links[n]['id']}").status_code)
        assert set(statuses) == {204}
        assert chain(caller, links[16]) == ["16"]
        assert again(caller, links[16])["supersedes"] is None


class TestImpact:
    def test_shows_direct_and_indirect_dependants_with_their_paths(self, caller: Caller) -> None:
        a, b, c = (decide(caller, title) for title in ("a", "b", "c"))
        depend(caller, b, a)
        depend(caller, c, b)
        decide(caller, "unrelated")
        found = impact(caller, a)
        assert found["decision"]["id"] == a["id"]
        assert fallen(found) == {"b": (1, True), "c": (2, True)}
        assert (found["total"], found["truncated"]) == (2, False)
        assert found["data"][1]["path"] == {
            "nodes": [{"id": each["id"], "type": "decision", "name": each["title"]} for each in (a, b, c)],
            "relationships": [
                {"type": "DEPENDS_ON", "from": b["id"], "to": a["id"]},
                {"type": "DEPENDS_ON", "from": c["id"], "to": b["id"]},
            ],
        }
        assert fallen(impact(caller, c)) == {}

    def test_takes_the_shortest_way_once_each_and_survives_cycles(self, caller: Caller) -> None:
        a, b, c, d = (decide(caller, title) for title in "abcd")
        depend(caller, b, a)
        depend(caller, c, b, a)
        depend(caller, d, c)
        depend(caller, a, d, b)
        assert fallen(impact(caller, a)) == {"b": (1, True), "c": (1, True), "d": (2, True)}

    def test_follows_shared_grounds_and_shared_subjects(self, caller: Caller) -> None:
        memory = caller.remember("the broker fell over")["id"]
        a = decide(caller, "Keep PostgreSQL", memory_ids=[memory])
        b = decide(caller, "b", memory_ids=[memory])
        c = decide(caller, "Upgrade PostgreSQL yearly")
        d = decide(caller, "d")
        depend(caller, d, c)
        found = impact(caller, a)
        assert fallen(found) == {"b": (2, False), c["title"]: (2, False), "d": (3, False)}
        paths = {item["decision"]["title"]: item["path"] for item in found["data"]}
        assert [node["type"] for node in paths["b"]["nodes"]] == ["decision", "memory", "decision"]
        assert paths["b"]["relationships"] == [
            {"type": "BASED_ON", "from": a["id"], "to": memory}, {"type": "BASED_ON", "from": b["id"], "to": memory},
        ]  # fmt: skip
        assert [node["name"] for node in paths["d"]["nodes"]][1] == "PostgreSQL"
        assert [link["type"] for link in paths["d"]["relationships"]] == ["ABOUT", "ABOUT", "DEPENDS_ON"]

    def test_a_replacement_answers_for_those_who_depend_on_what_it_replaced(self, caller: Caller) -> None:
        a, b = decide(caller, "a"), decide(caller, "b")
        depend(caller, b, a)
        c = supersede(caller, a, "c")
        assert fallen(impact(caller, c)) == {"b": (2, True)}
        assert fallen(impact(caller, c, include_superseded="true")) == {"a": (1, True), "b": (2, True)}

    def test_leaves_out_what_is_no_longer_in_force_but_looks_through_it(self, caller: Caller) -> None:
        a, b, c = (decide(caller, title) for title in "abc")
        depend(caller, b, a)
        depend(caller, c, b)
        caller.post(f"/v1/decisions/{b['id']}/revert")
        assert fallen(impact(caller, a)) == {"c": (2, True)}

    def test_is_bounded_by_depth_and_limit(self, caller: Caller) -> None:
        line = [decide(caller, str(n)) for n in range(5)]
        for later, earlier in zip(line[1:], line, strict=False):
            depend(caller, later, earlier)
        assert list(fallen(impact(caller, line[0], depth=2))) == ["1", "2"]
        found = impact(caller, line[0], limit=3)
        assert (list(fallen(found)), found["total"], found["truncated"]) == (["1", "2", "3"], 4, True)
        for wrong in ("depth=0", "depth=11", "limit=0", "limit=101"):
            error_of(caller.get(f"/v1/decisions/{line[0]['id']}/impact?{wrong}"), 422)

    def test_tells_nothing_of_confidential_memories(self, caller: Caller) -> None:
        memory = caller.remember("the merger is on", visibility="confidential")["id"]
        a = decide(caller, "a", memory_ids=[memory])
        decide(caller, "b", memory_ids=[memory])
        node = impact(caller, a)["data"][0]["path"]["nodes"][1]
        assert node == {"id": memory, "type": "memory", "name": "(confidential)"}

    def test_leads_over_no_memory_that_has_expired(self, caller: Caller) -> None:
        soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        ground = caller.remember("zyxo ground of both", expires_at=soon)["id"]
        one, other = (decide(caller, title=title, memory_ids=[ground]) for title in ("The one", "The other"))
        assert fallen(impact(caller, one)) == {other["title"]: (2, False)}
        with time_machine.travel(datetime.now(UTC) + timedelta(hours=2)):
            found = caller.get(f"/v1/decisions/{one['id']}/impact")
            assert found.get_json()["data"] == []
            assert "zyxo" not in found.get_data(as_text=True)

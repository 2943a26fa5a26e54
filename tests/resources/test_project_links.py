"""What projects are to one another, over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.callers import Caller, error_of

MCP = {"Content-Type": "application/json", "User-Agent": "@memoryrelay/mcp-server/0.4.0"}


def registered(caller: Caller, *slugs: str) -> None:
    """Register projects."""
    for slug in slugs:
        assert caller.post("/v1/projects", {"slug": slug, "name": slug.title()}).status_code == 201


def link(caller: Caller, source: str, target: str, kind: str = "depends_on", **fields: Any) -> dict[str, Any]:
    """Link two projects and return the link."""
    body = {"target_project": target, "relationship_type": kind, **fields}
    response = caller.post(f"/v1/projects/{source}/relationships", body)
    assert response.status_code in (200, 201), response.get_json()
    return dict(response.get_json())


def walked(caller: Caller, path: str) -> list[tuple[str, str, int, list[str]]]:
    """Return (slug, direction, depth, path) of what a walk finds."""
    response = caller.get(f"/v1/projects/{path}")
    assert response.status_code == 200, response.get_json()
    body = response.get_json()
    assert body["total"] == len(body["data"])
    return [(item["slug"], item["direction"], item["depth"], item["path"]) for item in body["data"]]


def slugs(caller: Caller, path: str) -> list[str]:
    """Return the slugs that a walk finds."""
    return [slug for slug, *_ in walked(caller, path)]


@pytest.fixture
def ring(caller: Caller) -> Caller:
    """checkout -> ledger -> billing -> checkout, and shop -> checkout."""
    registered(caller, "billing", "ledger", "checkout", "shop", "wiki")
    link(caller, "ledger", "billing")
    link(caller, "checkout", "ledger", "api_consumer")
    link(caller, "billing", "checkout")
    link(caller, "shop", "checkout")
    link(caller, "wiki", "billing", "shares_infra")
    return caller


class TestLink:
    def test_answers_with_both_ends(self, caller: Caller) -> None:
        registered(caller, "billing", "ledger")
        made = link(caller, "billing", "ledger", "shares_schema", metadata={"table": "invoices"})
        assert set(made) == {
            "id", "source_project", "target_project", "relationship_type", "direction", "metadata", "created_at",
        }  # fmt: skip
        assert (made["source_project"], made["target_project"]) == ("billing", "ledger")
        assert (made["relationship_type"], made["metadata"]) == ("shares_schema", {"table": "invoices"})

    def test_made_again_is_the_same_link(self, caller: Caller) -> None:
        registered(caller, "billing", "ledger")
        body = {"target_project": "ledger", "relationship_type": "depends_on", "metadata": {"a": 1}}
        first = caller.post("/v1/projects/billing/relationships", body)
        second = caller.post("/v1/projects/billing/relationships", {**body, "metadata": None})
        third = caller.post("/v1/projects/billing/relationships", {**body, "metadata": {"b": 2}})
        assert [answer.status_code for answer in (first, second, third)] == [201, 200, 200]
        assert first.get_json()["id"] == second.get_json()["id"] == third.get_json()["id"]
        assert (second.get_json()["metadata"], third.get_json()["metadata"]) == ({"a": 1}, {"b": 2})

    def test_another_kind_or_direction_is_another_link(self, caller: Caller) -> None:
        registered(caller, "billing", "ledger")
        made = [
            link(caller, "billing", "ledger"),
            link(caller, "billing", "ledger", "api_consumer"),
            link(caller, "ledger", "billing"),
            link(caller, "billing", "ledger", "anything at all"),
        ]
        assert len({each["id"] for each in made}) == 4
        assert len(slugs(caller, "billing/related")) == 4

    def test_to_itself_is_refused(self, caller: Caller) -> None:
        registered(caller, "billing")
        body = {"target_project": "billing", "relationship_type": "depends_on"}
        error = error_of(caller.post("/v1/projects/billing/relationships", body), 422)
        assert error["details"][0]["field"] == "target_project"

    def test_to_or_from_what_is_unknown_is_not_found(self, caller: Caller, stranger: Caller) -> None:
        registered(caller, "billing")
        registered(stranger, "theirs")
        body = {"target_project": "theirs", "relationship_type": "depends_on"}
        assert "Target" in error_of(caller.post("/v1/projects/billing/relationships", body), 404)["message"]
        error_of(caller.post("/v1/projects/nothing/relationships", {**body, "target_project": "billing"}), 404)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("relationship_type", ""), ("relationship_type", " "), ("relationship_type", "x" * 101),
            ("relationship_type", None), ("target_project", None), ("target_project", "Not A Slug"),
            ("metadata", {"a": "x" * 10_300}), ("metadata", []),
        ],
    )  # fmt: skip
    def test_limits(self, caller: Caller, field: str, value: Any) -> None:
        registered(caller, "billing", "ledger")
        body = {"target_project": "ledger", "relationship_type": "x" * 100, field: value}
        error = error_of(caller.post("/v1/projects/billing/relationships", body), 422)
        assert error["details"][0]["field"] == field

    def test_hostile_kinds_are_text(self, caller: Caller) -> None:
        registered(caller, "billing", "ledger")
        kind = "`]->() DETACH DELETE p // $x {y: 1}"
        assert link(caller, "billing", "ledger", kind)["relationship_type"] == kind
        assert slugs(caller, "billing/related") == ["ledger"]

    def test_of_sixteen_at_once_one_makes_it(self, caller: Caller) -> None:
        registered(caller, "billing", "ledger")

        def either(n: int) -> tuple[int, str]:
            ends = ("billing", "ledger") if n % 2 else ("ledger", "billing")
            body = {"target_project": ends[1], "relationship_type": "depends_on"}
            answer = caller.post(f"/v1/projects/{ends[0]}/relationships", body)
            return answer.status_code, answer.get_json()["id"]

        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(either, range(16)))
        assert sorted(status for status, _ in answers) == [200] * 14 + [201] * 2
        assert len({id for _, id in answers}) == 2
        assert caller.get("/v1/projects/billing/relationships").get_json()["total_count"] == 2


class TestList:
    def test_shows_both_directions_in_pages(self, ring: Caller) -> None:
        found, cursor = [], None
        for _ in range(3):
            query = {"limit": 1} | ({"cursor": cursor} if cursor else {})
            body = ring.get("/v1/projects/billing/relationships", query_string=query).get_json()
            assert body["total_count"] == 3
            found += [(item["source_project"], item["target_project"], item["direction"]) for item in body["data"]]
            cursor = body["next_cursor"]
        assert cursor is None
        assert found == [
            ("wiki", "billing", "incoming"), ("billing", "checkout", "outgoing"), ("ledger", "billing", "incoming"),
        ]  # fmt: skip

    def test_of_an_unknown_project_is_not_found(self, caller: Caller) -> None:
        error_of(caller.get("/v1/projects/nothing/relationships"), 404)


class TestDelete:
    @pytest.mark.parametrize("end", ["billing", "ledger"])
    def test_works_from_either_end(self, caller: Caller, end: str) -> None:
        registered(caller, "billing", "ledger")
        made = link(caller, "billing", "ledger")
        assert caller.delete(f"/v1/projects/{end}/relationships/{made['id']}").status_code == 204
        assert slugs(caller, "billing/dependencies") == []
        error_of(caller.delete(f"/v1/projects/{end}/relationships/{made['id']}"), 404)

    def test_not_from_elsewhere(self, ring: Caller, stranger: Caller, unknown_id: str) -> None:
        made = link(ring, "billing", "checkout")
        registered(stranger, "billing")
        error_of(ring.delete(f"/v1/projects/wiki/relationships/{made['id']}"), 404)
        error_of(stranger.delete(f"/v1/projects/billing/relationships/{made['id']}"), 404)
        error_of(ring.delete(f"/v1/projects/billing/relationships/{unknown_id}"), 404)
        error_of(ring.delete("/v1/projects/billing/relationships/x"), 422)
        assert slugs(ring, "billing/dependencies") == ["checkout"]

    def test_a_client_that_needs_a_body_gets_one(self, caller: Caller) -> None:
        registered(caller, "billing", "ledger")
        made = link(caller, "billing", "ledger")
        response = caller.delete(f"/v1/projects/billing/relationships/{made['id']}", headers=MCP)
        assert response.get_json() == {"id": made["id"], "object": "relationship", "deleted": True}


class TestWalk:
    def test_direct_ones_alone_by_default(self, ring: Caller) -> None:
        assert walked(ring, "checkout/dependencies") == [("ledger", "outgoing", 1, ["checkout", "ledger"])]
        assert slugs(ring, "checkout/dependents") == ["billing", "shop"]

    def test_other_kinds_are_no_dependencies(self, ring: Caller) -> None:
        assert slugs(ring, "wiki/dependencies") == []
        assert "wiki" not in slugs(ring, "billing/dependents?transitive=true")
        assert slugs(ring, "wiki/related") == ["billing"]

    def test_transitive_adds_the_rest_of_a_ring_once(self, ring: Caller) -> None:
        assert walked(ring, "shop/dependencies?transitive=true") == [
            ("checkout", "outgoing", 1, ["shop", "checkout"]),
            ("ledger", "outgoing", 2, ["shop", "checkout", "ledger"]),
            ("billing", "outgoing", 3, ["shop", "checkout", "ledger", "billing"]),
        ]
        assert walked(ring, "billing/dependents?transitive=true") == [
            ("ledger", "incoming", 1, ["billing", "ledger"]),
            ("checkout", "incoming", 2, ["billing", "ledger", "checkout"]),
            ("shop", "incoming", 3, ["billing", "ledger", "checkout", "shop"]),
        ]

    def test_the_shortest_way_is_shown(self, caller: Caller) -> None:
        registered(caller, "a", "b", "c", "d")
        for source, target in (("a", "b"), ("b", "c"), ("c", "d"), ("a", "c")):
            link(caller, source, target)
        assert [(slug, path) for slug, _, _, path in walked(caller, "a/dependencies?transitive=true")] == [
            ("b", ["a", "b"]), ("c", ["a", "c"]), ("d", ["a", "c", "d"]),
        ]  # fmt: skip

    def test_two_links_to_one_project_are_two_entries(self, caller: Caller) -> None:
        registered(caller, "a", "b")
        link(caller, "a", "b")
        link(caller, "a", "b", "api_consumer")
        body = caller.get("/v1/projects/a/dependencies?transitive=true").get_json()
        assert [item["relationship_type"] for item in body["data"]] == ["api_consumer", "depends_on"]

    def test_a_dense_tangle_is_walked_once(self, caller: Caller) -> None:
        names = [f"p{n:02}" for n in range(12)]
        registered(caller, *names)
        for source in names:
            for target in names:
                if source != target:
                    link(caller, source, target)
        assert sorted(slugs(caller, "p00/dependencies?transitive=true")) == names[1:]

    def test_of_an_unknown_project_is_not_found(self, caller: Caller) -> None:
        for rest in ("dependencies", "dependents", "related"):
            error_of(caller.get(f"/v1/projects/nothing/{rest}"), 404)


class TestRelated:
    def test_shows_kind_and_direction(self, ring: Caller) -> None:
        body = ring.get("/v1/projects/billing/related").get_json()
        assert body["project"] == "billing"
        assert [(item["slug"], item["relationship_type"], item["direction"]) for item in body["data"]] == [
            ("checkout", "depends_on", "outgoing"),
            ("ledger", "depends_on", "incoming"),
            ("wiki", "shares_infra", "incoming"),
        ]


class TestImpact:
    def ask(self, caller: Caller, **fields: Any) -> dict[str, Any]:
        """Return what a change to billing may touch."""
        body = {"project": "billing", "change_description": "Drop the legacy invoice endpoint", **fields}
        response = caller.post("/v1/projects/impact-analysis", body, headers=MCP)
        assert response.status_code == 200, response.get_json()
        return dict(response.get_json())

    def test_names_every_dependant_of_a_ring_with_the_way_to_it(self, ring: Caller) -> None:
        found = self.ask(ring)
        assert (found["project"], found["change_description"]) == ("billing", "Drop the legacy invoice endpoint")
        assert found["total_affected"] == 3
        assert [(each["slug"], each["depth"], each["path"]) for each in found["affected_projects"]] == [
            ("ledger", 1, ["billing", "ledger"]),
            ("checkout", 2, ["billing", "ledger", "checkout"]),
            ("shop", 3, ["billing", "ledger", "checkout", "shop"]),
        ]

    def test_shows_what_they_decided_and_know_about_it(self, ring: Caller) -> None:
        decision = {"title": "Read the legacy invoice endpoint", "rationale": "It has the totals"}
        ring.post("/v1/decisions", {**decision, "project_slug": "ledger"})
        ring.post("/v1/decisions", {**decision, "project_slug": "wiki"})
        ring.remember("Ledger calls the legacy invoice endpoint each night", project="ledger")
        ring.remember("Drop the legacy invoice endpoint in secret", project="ledger", visibility="confidential")
        ring.remember("Tulips are red", project="ledger")
        pattern = ring.post("/v1/patterns", {"title": "Sunset headers", "description": "Announce removals"}).get_json()
        for slug in ("billing", "ledger", "wiki"):
            ring.post(f"/v1/patterns/{pattern['id']}/adopt", {"project": slug})
        ledger, checkout, _ = self.ask(ring)["affected_projects"]
        assert [hit["decision"]["title"] for hit in ledger["relevant_decisions"]] == [decision["title"]]
        contents = [hit["memory"]["content"] for hit in ledger["relevant_memories"]]
        assert contents[0] == "Ledger calls the legacy invoice endpoint each night"
        assert "Drop the legacy invoice endpoint in secret" not in contents
        assert all(0.3 <= hit["score"] <= 1 for hit in ledger["relevant_memories"] + ledger["relevant_decisions"])
        assert [each["title"] for each in ledger["shared_patterns"]] == ["Sunset headers"]
        assert (checkout["relevant_decisions"], checkout["shared_patterns"]) == ([], [])

    def test_limit_bounds_each_project(self, ring: Caller) -> None:
        for n in range(4):
            ring.remember(f"Note {n} on the legacy invoice endpoint", project="ledger")
        assert len(self.ask(ring, limit=2, min_score=0)["affected_projects"][0]["relevant_memories"]) == 2

    def test_of_a_project_nobody_depends_on_is_empty(self, caller: Caller) -> None:
        registered(caller, "billing")
        assert self.ask(caller)["affected_projects"] == []

    def test_reading_is_enough(self, make_caller: Any) -> None:
        owner = make_caller()
        registered(owner, "billing")
        assert self.ask(make_caller("read", tenant_of=owner))["total_affected"] == 0

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("project", None), ("project", "Not A Slug"), ("change_description", None), ("change_description", " "),
            ("change_description", "x" * 5001), ("limit", 0), ("limit", 21), ("min_score", 1.1),
        ],
    )  # fmt: skip
    def test_limits(self, caller: Caller, field: str, value: Any) -> None:
        body = {"project": "billing", "change_description": "x", field: value}
        assert error_of(caller.post("/v1/projects/impact-analysis", body), 422)["details"][0]["field"] == field

    def test_of_an_unknown_project_is_not_found(self, caller: Caller, stranger: Caller) -> None:
        registered(stranger, "billing")
        body = {"project": "billing", "change_description": "x"}
        error_of(caller.post("/v1/projects/impact-analysis", body), 404)


class TestSharedPatterns:
    def test_are_those_both_adopted(self, caller: Caller) -> None:
        registered(caller, "billing", "ledger")
        made = [caller.post("/v1/patterns", {"title": title, "description": "D"}).get_json()["id"] for title in "abc"]
        for id, adopters in zip(made, (["billing", "ledger"], ["billing"], ["ledger"]), strict=True):
            for slug in adopters:
                caller.post(f"/v1/patterns/{id}/adopt", {"project": slug})
        body = caller.get("/v1/projects/shared-patterns?a=billing&b=ledger").get_json()
        assert (body["project_a"], body["project_b"], body["total"]) == ("billing", "ledger", 1)
        assert [(each["id"], each["title"], each["adoption_count"]) for each in body["data"]] == [(made[0], "a", 2)]

    def test_both_must_be_named_and_known(self, caller: Caller) -> None:
        registered(caller, "billing")
        error = error_of(caller.get("/v1/projects/shared-patterns"), 422)
        assert [each["field"] for each in error["details"]] == ["a", "b"]
        error_of(caller.get("/v1/projects/shared-patterns?a=billing&b=nothing"), 404)
        error_of(caller.get("/v1/projects/shared-patterns?a=nothing&b=billing"), 404)

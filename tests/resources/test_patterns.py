"""Patterns over HTTP, as agents and their tools see them."""

from typing import Any

import pytest

from tests.callers import Caller, error_of
from tests.resources.test_decisions import MCP, at_once, ids

SHOWN = {
    "id", "object", "title", "description", "scope", "category", "tags", "example_code", "source_project_id",
    "source_project_slug", "metadata", "adoption_count", "created_at", "updated_at",
}  # fmt: skip


def pattern(caller: Caller, title: str = "Idempotent writers", **fields: Any) -> dict[str, Any]:
    """Create a pattern and return it."""
    response = caller.post("/v1/patterns", {"title": title, "description": "every write takes a key", **fields})
    assert response.status_code == 201, response.get_json()
    return dict(response.get_json())


def project(caller: Caller, slug: str) -> str:
    """Register a project by its first use and return its id."""
    return str(caller.remember(f"about {slug}", project=slug)["project_id"])


def adopt(caller: Caller, one: dict[str, Any], slug: str) -> dict[str, Any]:
    """Adopt a pattern for a project and return it."""
    response = caller.post(f"/v1/patterns/{one['id']}/adopt", {"project": slug}, headers=MCP)
    assert response.status_code == 200, response.get_json()
    return dict(response.get_json())


def found(caller: Caller, query: str, **args: Any) -> list[str]:
    """Return the titles a search finds, best first."""
    response = caller.get("/v1/patterns/search", query_string={"query": query, **args}, headers=MCP)
    assert response.status_code == 200, response.get_json()
    body = response.get_json()
    assert (body["query"], body["total"]) == (query, len(body["data"]))
    assert all(0 <= hit["score"] <= 1 for hit in body["data"])
    return [hit["pattern"]["title"] for hit in body["data"]]


def suggested(caller: Caller, slug: str, **args: Any) -> list[str]:
    """Return the titles suggested to a project, best first."""
    response = caller.get("/v1/patterns/suggest", query_string={"project": slug, **args}, headers=MCP)
    assert response.status_code == 200, response.get_json()
    body = response.get_json()
    assert (body["project"], body["total"]) == (slug, len(body["data"]))
    return [item["title"] for item in body["data"]]


class TestCreate:
    def test_answers_with_every_documented_field(self, caller: Caller) -> None:
        made = pattern(caller, scope="project", category="reliability", tags=["api"], example_code="def put(): ...",
                       source_project="billing", metadata={"a": 1})  # fmt: skip
        assert set(made) == SHOWN
        assert (made["scope"], made["category"], made["tags"], made["metadata"]) == (
            "project",
            "reliability",
            ["api"],
            {"a": 1},
        )
        assert (made["adoption_count"], made["example_code"]) == (0, "def put(): ...")
        assert caller.get(f"/v1/patterns/{made['id']}").get_json() == made

    def test_defaults_to_global(self, caller: Caller) -> None:
        made = pattern(caller, category=None, tags=None, metadata=None, scope=None, source_project=None)
        assert (made["scope"], made["category"], made["tags"], made["metadata"]) == ("global", None, [], {})
        assert made["source_project_slug"] is made["source_project_id"] is None

    def test_an_unregistered_source_is_kept_as_text_until_it_is_registered(self, caller: Caller) -> None:
        made = pattern(caller, source_project="billing")
        assert (made["source_project_slug"], made["source_project_id"]) == ("billing", None)
        id = project(caller, "billing")
        assert caller.get(f"/v1/patterns/{made['id']}").get_json()["source_project_id"] == id
        assert pattern(caller, "another", source_project="billing")["source_project_id"] == id

    @pytest.mark.parametrize(
        ("field", "longest"), [("title", 500), ("description", 50_000), ("category", 100), ("example_code", 50_000)]
    )
    def test_texts_have_their_documented_limits(self, caller: Caller, field: str, longest: int) -> None:
        pattern(caller, **{field: "a" * longest})
        body = {"title": "t", "description": "d", field: "a" * (longest + 1)}
        assert error_of(caller.post("/v1/patterns", body), 422)["details"][0]["field"] == field

    @pytest.mark.parametrize(
        "wrong",
        [
            {"title": ""}, {"description": None}, {"scope": "team"}, {"tags": ["x"] * 21}, {"tags": ["a" * 101]},
            {"metadata": {"a": "x" * 10_240}}, {"source_project": "Not A Slug"}, {"category": "nul \x00"},
        ],
    )  # fmt: skip
    def test_wrong_fields_are_named(self, caller: Caller, wrong: dict[str, Any]) -> None:
        answer = error_of(caller.post("/v1/patterns", {"title": "t", "description": "d", **wrong}), 422)
        assert answer["details"][0]["field"].split(".")[0] == next(iter(wrong))

    @pytest.mark.parametrize("text", ["'}) DETACH DELETE n //", '"quoted" AND (x OR y)* ~^', "<script>", "emoji 🧠 نص"])
    def test_hostile_text_comes_back_as_it_was_and_is_found(self, caller: Caller, text: str) -> None:
        made = pattern(caller, text, category=text, tags=[text])
        assert (made["title"], made["category"], made["tags"]) == (text, text, [text])
        assert found(caller, text, threshold=0, category=text) == [text]
        assert ids(caller.get("/v1/patterns", query_string={"category": text})) == [made["id"]]


class TestList:
    def test_is_newest_first_and_pages(self, caller: Caller) -> None:
        made = [pattern(caller, f"number {n}")["id"] for n in range(5)][::-1]
        first = caller.get("/v1/patterns?limit=2").get_json()
        assert (first["object"], first["total_count"], first["has_more"]) == ("list", 5, True)
        rest = ids(caller.get(f"/v1/patterns?cursor={first['next_cursor']}"))
        assert [item["id"] for item in first["data"]] + rest == made
        assert ids(caller.get("/v1/patterns?limit=2&offset=2")) == made[2:4]

    def test_filters_by_scope_category_project_and_tags(self, caller: Caller) -> None:
        a = pattern(caller, "a", scope="project", category="Auth", tags=["api", "Web"], source_project="billing")["id"]
        b = pattern(caller, "b", category="testing", tags=["api"])
        project(caller, "billing")
        for query, expected in [
            ("scope=project", [a]), ("category=auth", [a]), ("category=nothing", []), ("project=billing", [a]),
            ("project=nowhere", []), ("tags=web,other", [a]), ("tags=api,web&tags_match=all", [a]),
            ("tags=api", [b["id"], a]),
        ]:  # fmt: skip
            listed = caller.get(f"/v1/patterns?{query}")
            assert (ids(listed), listed.get_json()["total_count"]) == (expected, len(expected)), query
        adopt(caller, b, "billing")
        assert ids(caller.get("/v1/patterns?project=billing")) == [b["id"], a]
        error_of(caller.get("/v1/patterns?scope=team"), 422)


class TestEdit:
    @pytest.mark.parametrize("verb", ["PUT", "PATCH"])
    def test_changes_what_is_sent_and_nothing_else(self, caller: Caller, verb: str) -> None:
        made = pattern(caller, category="auth", tags=["api"], metadata={"a": 1}, source_project="billing")
        body = {"title": "Keyed writers", "description": None, "metadata": {"a": None, "b": 2}, "scope": "project"}
        changed = caller.call(verb, f"/v1/patterns/{made['id']}", body).get_json()
        assert (changed["title"], changed["metadata"], changed["scope"]) == ("Keyed writers", {"b": 2}, "project")
        same = ("description", "category", "tags", "source_project_slug", "created_at")
        assert [changed[name] for name in same] == [made[name] for name in same]

    def test_new_words_scope_and_category_are_what_searches_go_by(self, caller: Caller) -> None:
        made = pattern(caller, "Prefer zebras", category="animals")
        project(caller, "billing")
        caller.put(f"/v1/patterns/{made['id']}", {"title": "Prefer giraffes", "category": "zoo", "scope": "project"})
        assert found(caller, "giraffes", category="ZOO") == ["Prefer giraffes"]
        assert found(caller, "zebras") == found(caller, "giraffes", category="animals") == []
        assert found(caller, "giraffes", project="billing") == []

    def test_the_source_may_change(self, caller: Caller) -> None:
        first, second = project(caller, "billing"), project(caller, "search")
        made = pattern(caller, source_project="billing")
        assert made["source_project_id"] == first
        path = f"/v1/patterns/{made['id']}"
        assert caller.put(path, {"source_project": "search"}).get_json()["source_project_id"] == second
        assert caller.put(path, {"source_project": "unknown"}).get_json()["source_project_id"] is None


class TestSearch:
    def test_finds_by_every_text_of_a_pattern(self, caller: Caller) -> None:
        pattern(caller, "Keyed writes", description="safe repetition", category="reliability", tags=["ledger"],
                example_code="def upsert(key): ...")  # fmt: skip
        pattern(caller, "Green buttons", description="calm colours")
        for query in ("keyed writes", "safe repetition", "reliability", "ledger", "upsert"):
            assert found(caller, query)[:1] == ["Keyed writes"], query
        assert found(caller, "holiday calendar") == []

    def test_with_a_project_shows_global_ones_and_its_own(self, caller: Caller) -> None:
        for slug in ("billing", "search"):
            project(caller, slug)
        pattern(caller, "retry global")
        pattern(caller, "retry of billing", scope="project", source_project="billing")
        theirs = pattern(caller, "retry of search", scope="project", source_project="search")
        assert sorted(found(caller, "retry")) == ["retry global", "retry of billing", "retry of search"]
        assert sorted(found(caller, "retry", project="billing")) == ["retry global", "retry of billing"]
        adopt(caller, theirs, "billing")
        assert len(found(caller, "retry", project="billing")) == 3
        assert found(caller, "retry", project="nowhere") == ["retry global"]

    def test_keeps_to_limit_and_category(self, caller: Caller) -> None:
        for n in range(12):
            pattern(caller, f"retry {n}", category="net" if n < 3 else "db")
        assert len(found(caller, "retry")) == 10
        assert len(found(caller, "retry", limit=50)) == 12
        assert len(found(caller, "retry", category="net")) == 3

    @pytest.mark.parametrize(
        "wrong",
        [{}, {"query": ""}, {"query": "q", "limit": 51}, {"query": "q", "limit": 0}, {"query": "q", "threshold": -1}],
    )
    def test_wrong_arguments_are_422(self, caller: Caller, wrong: dict[str, Any]) -> None:
        error_of(caller.get("/v1/patterns/search", query_string=wrong), 422)


class TestAdopt:
    def test_counts_a_project_once(self, caller: Caller) -> None:
        made = pattern(caller)
        id = project(caller, "billing")
        assert adopt(caller, made, "billing")["adoption_count"] == 1
        assert adopt(caller, made, "billing") == {**made, "adoption_count": 1}
        listed = caller.get(f"/v1/patterns/{made['id']}/adopters").get_json()
        assert [(item["id"], item["slug"]) for item in listed["data"]] == [(id, "billing")]
        assert listed["data"][0]["adopted_at"].endswith("Z")
        assert listed["total_count"] == 1

    def test_unknown_pattern_and_unknown_project_are_404(self, caller: Caller, unknown_id: str) -> None:
        made = pattern(caller)
        answer = error_of(caller.post(f"/v1/patterns/{made['id']}/adopt", {"project": "nowhere"}), 404)
        assert answer["message"] == "Project not found"
        project(caller, "billing")
        answer = error_of(caller.post(f"/v1/patterns/{unknown_id}/adopt", {"project": "billing"}), 404)
        assert answer["message"] == "Pattern not found"
        error_of(caller.post(f"/v1/patterns/{made['id']}/adopt", {}), 422)

    def test_is_taken_back_with_the_project_in_query_or_body(self, caller: Caller) -> None:
        made = pattern(caller)
        path = f"/v1/patterns/{made['id']}/adopt"
        for slug in ("billing", "search"):
            project(caller, slug)
            adopt(caller, made, slug)
        assert caller.delete(f"{path}?project=billing", headers=MCP).get_json()["deleted"] is True
        assert caller.delete(path, json={"project": "search"}).status_code == 204
        assert error_of(caller.delete(f"{path}?project=search"), 404)["message"] == "Adoption not found"
        assert error_of(caller.delete(path), 422)["details"][0]["field"] == "project"
        assert caller.get(f"/v1/patterns/{made['id']}").get_json()["adoption_count"] == 0

    def test_by_sixteen_at_once_is_exact(self, caller: Caller) -> None:
        made = pattern(caller)
        for n in range(4):
            project(caller, f"p{n}")
        answers = at_once(lambda n: caller.post(f"/v1/patterns/{made['id']}/adopt", {"project": f"p{n % 4}"}))
        assert {answer.status_code for answer in answers} == {200}
        assert caller.get(f"/v1/patterns/{made['id']}").get_json()["adoption_count"] == 4
        first = caller.get(f"/v1/patterns/{made['id']}/adopters?limit=3").get_json()
        rest = caller.get(f"/v1/patterns/{made['id']}/adopters?cursor={first['next_cursor']}").get_json()
        assert sorted(item["slug"] for item in first["data"] + rest["data"]) == ["p0", "p1", "p2", "p3"]


class TestSuggest:
    def test_ranks_what_is_not_adopted_by_popularity(self, caller: Caller) -> None:
        for slug in ("mine", "a", "b"):
            project(caller, slug)
        often, once, mine, never = (pattern(caller, title) for title in ("often", "once", "mine", "never"))
        for one, slug in [(often, "a"), (often, "b"), (once, "a"), (mine, "mine"), (mine, "a"), (mine, "b")]:
            adopt(caller, one, slug)
        assert suggested(caller, "mine") == ["often", "once", "never"]
        assert suggested(caller, "mine", limit=1) == ["often"]
        assert never["adoption_count"] == 0

    def test_prefers_what_projects_with_patterns_in_common_adopted(self, caller: Caller) -> None:
        for slug in ("mine", "twin", "a", "b"):
            project(caller, slug)
        shared, popular, of_twin = (pattern(caller, title) for title in ("shared", "popular", "of the twin"))
        for one, slug in [(shared, "mine"), (shared, "twin"), (of_twin, "twin"), (popular, "a"), (popular, "b")]:
            adopt(caller, one, slug)
        assert suggested(caller, "mine") == ["of the twin", "popular"]

    def test_leaves_out_what_only_other_projects_may_see_and_its_own(self, caller: Caller) -> None:
        for slug in ("mine", "other"):
            project(caller, slug)
        adopt(caller, pattern(caller, "theirs", scope="project", source_project="other"), "other")
        pattern(caller, "from here", source_project="mine")
        assert suggested(caller, "mine") == []

    def test_needs_a_known_project(self, caller: Caller) -> None:
        error_of(caller.get("/v1/patterns/suggest?project=nowhere"), 404)
        error_of(caller.get("/v1/patterns/suggest"), 422)
        error_of(caller.get("/v1/patterns/suggest?project=x&limit=51"), 422)


class TestDelete:
    def test_is_204_then_404_and_takes_its_adoptions_along(self, caller: Caller) -> None:
        made = pattern(caller)
        project(caller, "billing")
        adopt(caller, made, "billing")
        assert caller.delete(f"/v1/patterns/{made['id']}").status_code == 204
        error_of(caller.delete(f"/v1/patterns/{made['id']}"), 404)
        assert ids(caller.get("/v1/patterns?project=billing")) == []
        assert found(caller, "idempotent writers", threshold=0) == []


class TestIsolation:
    def test_a_stranger_sees_nothing_and_changes_nothing(self, caller: Caller, stranger: Caller) -> None:
        made = pattern(caller, source_project="billing")
        project(caller, "billing")
        project(stranger, "billing")
        path = f"/v1/patterns/{made['id']}"
        error_of(stranger.get(path), 404)
        error_of(stranger.get(path + "/adopters"), 404)
        error_of(stranger.put(path, {"title": "mine"}), 404)
        error_of(stranger.delete(path), 404)
        error_of(stranger.post(path + "/adopt", {"project": "billing"}), 404)
        error_of(stranger.delete(path + "/adopt?project=billing"), 404)
        assert ids(stranger.get("/v1/patterns?project=billing")) == []
        assert found(stranger, "idempotent writers", threshold=0, project="billing") == []
        assert suggested(stranger, "billing") == []
        assert caller.get(path).get_json()["title"] == made["title"]

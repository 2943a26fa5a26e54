"""Patterns in the graph: how they stand in it, and which projects resemble one another."""

import orjson
import pytest

from app.services.patterns import create, stack_words, suggest
from app.state import State
from graph import labels
from graph.errors import NotFound
from graph.patterns import PatternRepository
from graph.projects import ProjectRepository
from tests.callers import Caller

NODE = "CYPHER 25 MATCH (x:Pattern {tenant: $tenant, id: $id}) RETURN properties(x) AS props, labels(x) AS labels"
SOURCE = (
    "CYPHER 25 MATCH (:Pattern {tenant: $tenant, id: $id})-[r:FROM]->(p:Project) RETURN p.slug AS slug, r.to AS until"
)
RELATE = """
CYPHER 25
MATCH (a:Project {tenant: $tenant, slug: $a}) MATCH (b:Project {tenant: $tenant, slug: $b})
CREATE (a)-[:RELATES_TO {type: 'shares_infra'}]->(b)
"""
BODY = {"description": "every write takes a key", "scope": "global", "tags": [], "metadata": {}}


def pattern(parts: State, caller: Caller, title: str, **fields: str) -> str:
    """Create a pattern and return its id."""
    return create(parts, caller, {**BODY, "title": title, **fields})  # type: ignore[arg-type]


def project(parts: State, caller: Caller, slug: str, **stack: list[str]) -> None:
    """Register a project with its stack."""
    projects = ProjectRepository(parts.graph, caller)
    id = projects.resolve(slug, f"00000000-0000-4000-8000-{slug:0>12.12}")["id"]
    query = "CYPHER 25 MATCH (p:Project {tenant: $tenant, id: $id}) SET p.stack = $stack"
    parts.graph.write(query, tenant=caller.tenant, id=id, stack=orjson.dumps(stack).decode())


def titles(parts: State, caller: Caller, slug: str) -> list[str]:
    """Return what is suggested to a project."""
    return [row["title"] for row in suggest(parts, caller, slug, 10)]  # type: ignore[arg-type]


class TestNode:
    def test_has_every_property_that_the_vector_index_filters_by(self, parts: State, caller: Caller) -> None:
        row = parts.graph.read(NODE, tenant=caller.tenant, id=pattern(parts, caller, "Idempotent writers"))[0]
        assert set(row["labels"]) == {"Pattern", "Searchable"}
        assert {name for name in labels.VECTOR_FILTERS if row["props"].get(name) is None} == set()
        assert row["props"]["scope_tokens"] == labels.scope_token("pattern", caller.tenant)

    def test_is_tied_to_its_source_as_soon_as_that_is_there(self, parts: State, caller: Caller) -> None:
        id = pattern(parts, caller, "Idempotent writers", source_project="billing")
        patterns = PatternRepository(parts.graph, caller)
        assert patterns.sourced("billing") == 0
        project(parts, caller, "billing")
        assert patterns.sourced("billing") == patterns.sourced("billing") == 1
        assert parts.graph.read(SOURCE, tenant=caller.tenant, id=id) == [{"slug": "billing", "until": labels.NEVER}]

    def test_outlives_its_source(self, parts: State, caller: Caller) -> None:
        project(parts, caller, "billing")
        id = pattern(parts, caller, "Idempotent writers", source_project="billing")
        query = "CYPHER 25 MATCH (p:Project {tenant: $tenant, slug: 'billing'}) DETACH DELETE p"
        parts.graph.write(query, tenant=caller.tenant)
        row = PatternRepository(parts.graph, caller).get(id)
        assert (row["source_project_slug"], row["source_project_id"]) == ("billing", None)


class TestSuggest:
    def test_counts_projects_with_a_part_of_the_stack_first(self, parts: State, caller: Caller) -> None:
        project(parts, caller, "mine", languages=["Python"])
        project(parts, caller, "kin", languages=["python", "go"])
        project(parts, caller, "far1", languages=["cobol"])
        project(parts, caller, "far2")
        patterns = PatternRepository(parts.graph, caller)
        of_kin, popular = pattern(parts, caller, "of kin"), pattern(parts, caller, "popular")
        patterns.adopt(of_kin, "kin")
        for slug in ("far1", "far2"):
            patterns.adopt(popular, slug)
        assert titles(parts, caller, "mine") == ["of kin", "popular"]
        assert titles(parts, caller, "far2") == ["of kin"]

    def test_counts_projects_tied_to_it_first(self, parts: State, caller: Caller) -> None:
        for slug in ("mine", "tied", "far1", "far2"):
            project(parts, caller, slug)
        parts.graph.write(RELATE, tenant=caller.tenant, a="tied", b="mine")
        patterns = PatternRepository(parts.graph, caller)
        near, popular = pattern(parts, caller, "near"), pattern(parts, caller, "popular")
        patterns.adopt(near, "tied")
        for slug in ("far1", "far2"):
            patterns.adopt(popular, slug)
        assert titles(parts, caller, "mine") == ["near", "popular"]

    def test_prefers_the_patterns_that_come_from_projects_tied_to_it(self, parts: State, caller: Caller) -> None:
        for slug in ("mine", "tied"):
            project(parts, caller, slug)
        parts.graph.write(RELATE, tenant=caller.tenant, a="mine", b="tied")
        pattern(parts, caller, "from the neighbour", source_project="tied")
        pattern(parts, caller, "from anywhere")
        assert titles(parts, caller, "mine") == ["from the neighbour", "from anywhere"]


def test_another_tenant_finds_nothing(parts: State, caller: Caller, stranger: Caller) -> None:
    id = pattern(parts, caller, "mine")
    project(parts, caller, "billing")
    project(parts, stranger, "billing")
    theirs = PatternRepository(parts.graph, stranger)
    for look in (theirs.get, theirs.lock, theirs.delete, theirs.count_adopters):
        with pytest.raises(NotFound, match="Pattern not found"):
            look(id)
    for change in (theirs.adopt, theirs.abandon):
        with pytest.raises(NotFound, match="Pattern not found"):
            change(id, "billing")
    assert theirs.get_many([id]) == {}
    assert theirs.suggest("billing", [], 10) == []
    assert PatternRepository(parts.graph, caller).get(id)["adoption_count"] == 0


def test_a_stack_is_what_its_texts_say_wherever_they_stand() -> None:
    stack = '{"languages": ["Python", " "], "data": {"sql": "PostgreSQL", "size": 3}, "ci": null}'
    assert sorted(stack_words(stack)) == ["postgresql", "python"]
    assert list(stack_words(None)) == []

"""Projects in the graph: bounded steps, walks that end, and nothing of another tenant's."""

from typing import Any

import pytest

from graph.driver import Graph
from graph.errors import Conflict, NotFound
from graph.project_links import ProjectLinkRepository, Start
from graph.projects import ProjectRepository
from tests.callers import Caller

PARTS = """
CYPHER 25
MATCH (v:MemoryVersion {tenant: $tenant})-[:VERSION_OF]->(m:Memory)
RETURN v.project_id AS version, m.project_id AS memory
"""
KINDS = """
CYPHER 25
MATCH (:Project {tenant: $tenant})-[r]->(:Project {tenant: $tenant})
RETURN type(r) AS kind, r.type AS said, r.from > 0 AS begun, r.to AS to ORDER BY said
"""
PROPS: dict[str, Any] = {"name": "Billing", "metadata": "{}", "stack": "{}"}
NEVER = 253_402_300_799_000


def made(graph: Graph, caller: Caller, *slugs: str) -> dict[str, Start]:
    """Register projects and return where walks may begin."""
    projects = ProjectRepository(graph, caller)
    return {slug: Start(projects.create(f"id-{slug}", slug, PROPS)["id"], slug) for slug in slugs}


class TestResolve:
    def test_makes_a_project_once(self, graph: Graph, caller: Caller) -> None:
        projects = ProjectRepository(graph, caller)
        first = projects.resolve("billing", "id-1")
        assert projects.resolve("billing", "id-2") == first == {"id": "id-1", "slug": "billing"}

    def test_its_first_registration_completes_it_and_the_second_is_refused(self, graph: Graph, caller: Caller) -> None:
        projects = ProjectRepository(graph, caller)
        projects.resolve("billing", "id-1")
        assert projects.create("id-2", "billing", PROPS)["id"] == "id-1"
        with pytest.raises(Conflict, match="slug"):
            projects.create("id-3", "billing", {**PROPS, "name": "Other"})
        assert projects.get("billing")["name"] == "Billing"

    def test_other_tenants_projects_are_unknown(self, graph: Graph, caller: Caller, stranger: Caller) -> None:
        made(graph, caller, "billing")
        with pytest.raises(NotFound):
            ProjectRepository(graph, stranger).by_slug("billing")
        with pytest.raises(NotFound):
            ProjectRepository(graph, stranger).known("id-billing")


class TestRelease:
    def test_takes_a_bounded_number_with_what_they_said_before(self, graph: Graph, caller: Caller) -> None:
        ids = [caller.remember(f"Fact {n}", project="billing")["id"] for n in range(3)]
        caller.put(f"/v1/memories/{ids[0]}", {"content": "Fact zero"})
        projects = ProjectRepository(graph, caller)
        id = projects.by_slug("billing")["id"]
        assert [projects.release(id, 2) for _ in range(3)] == [2, 1, 0]
        assert graph.read(PARTS, tenant=caller.tenant) == [{"version": "", "memory": ""}]
        # What remains is that the agent worked on it.
        assert (projects.unlink(id, 9), projects.unlink(id, 9)) == (1, 0)
        projects.delete(id)
        with pytest.raises(NotFound):
            projects.delete(id)

    def test_does_not_reach_into_another_tenant(self, graph: Graph, caller: Caller, stranger: Caller) -> None:
        caller.remember("Fact", project="billing")
        id = ProjectRepository(graph, caller).by_slug("billing")["id"]
        theirs = ProjectRepository(graph, stranger)
        assert (theirs.release(id, 9), theirs.unlink(id, 9)) == (0, 0)
        with pytest.raises(NotFound):
            theirs.delete(id)
        assert theirs.memories(id, 9) == []
        assert ProjectRepository(graph, caller).get("billing")["memory_count"] == 1


class TestLink:
    def test_the_kind_chooses_the_relationship(self, graph: Graph, caller: Caller) -> None:
        made(graph, caller, "a", "b")
        links = ProjectLinkRepository(graph, caller)
        for number, kind in enumerate(("api_consumer", "depends_on", "forked_from")):
            assert links.create("a", "b", kind, "{}", f"r{number}")
        assert graph.read(KINDS, tenant=caller.tenant) == [
            {"kind": "DEPENDS_ON", "said": "api_consumer", "begun": True, "to": NEVER},
            {"kind": "DEPENDS_ON", "said": "depends_on", "begun": True, "to": NEVER},
            {"kind": "RELATES_TO", "said": "forked_from", "begun": True, "to": NEVER},
        ]

    def test_to_nothing_makes_nothing(self, graph: Graph, caller: Caller) -> None:
        made(graph, caller, "a")
        assert ProjectLinkRepository(graph, caller).create("a", "b", "depends_on", "{}", "r") is None
        assert graph.read(KINDS, tenant=caller.tenant) == []


class TestWalk:
    def test_a_long_line_ends_at_its_bound(self, graph: Graph, caller: Caller) -> None:
        starts = made(graph, caller, *(f"p{n:02}" for n in range(25)))
        links = ProjectLinkRepository(graph, caller)
        for n in range(24):
            links.create(f"p{n:02}", f"p{n + 1:02}", "depends_on", "{}", f"r{n}")
        found = links.dependencies(starts["p00"], transitive=True)
        assert [row["depth"] for row in found] == list(range(1, 21))
        assert found[-1]["path"] == [f"p{n:02}" for n in range(21)]
        assert [row["slug"] for row in links.dependents(starts["p24"], transitive=False)] == ["p23"]

    def test_a_star_of_many_is_seen_whole(self, graph: Graph, caller: Caller) -> None:
        starts = made(graph, caller, "hub", *(f"p{n:03}" for n in range(60)))
        links = ProjectLinkRepository(graph, caller)
        for n in range(60):
            links.create(f"p{n:03}", "hub", "depends_on", "{}", f"r{n}")
        assert len(links.dependents(starts["hub"], transitive=True)) == 60
        assert len(links.related(starts["hub"])) == 60
        assert links.count("hub") == 60

"""Agents in the graph: the canonical repository."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import partial

import pytest

from graph.agents import AgentRepository
from graph.clock import now_ms
from graph.driver import Graph, Transaction
from graph.errors import Conflict, NotFound
from graph.labels import NEVER
from tests.together import at_once


@dataclass(frozen=True)
class Owner:
    """All a repository needs to know of a caller."""

    tenant: str


@pytest.fixture
def agents(graph: Graph) -> AgentRepository:
    """The agents of a fresh tenant."""
    return AgentRepository(graph, Owner(str(uuid.uuid4())))


@pytest.fixture
def others(graph: Graph) -> AgentRepository:
    """The agents of another one."""
    return AgentRepository(graph, Owner(str(uuid.uuid4())))


def make(agents: AgentRepository, name: str = "iris") -> str:
    """Create an agent and return its id."""
    return str(agents.create(str(uuid.uuid4()), name, None, "{}")["id"])


def test_a_tenant_is_needed(graph: Graph) -> None:
    with pytest.raises(ValueError, match="tenant"):
        AgentRepository(graph, Owner(""))


def test_times_are_milliseconds_and_the_version_counts_changes(agents: AgentRepository) -> None:
    id = make(agents)
    row = agents.get(id)
    assert abs(row["created_at"] - now_ms()) < 5000
    assert (row["updated_at"], row["version"]) == (row["created_at"], 1)
    changed = agents.update(id, lambda stored: {"description": stored["metadata"]})
    assert (changed["description"], changed["version"]) == ("{}", 2)
    assert changed["updated_at"] >= row["updated_at"]


def test_no_method_reaches_into_another_tenant(agents: AgentRepository, others: AgentRepository) -> None:
    id = make(agents)
    for use in (
        partial(others.get, id),
        partial(others.by_name, "iris"),
        partial(others.named, "iris"),
        partial(others.update, id, lambda _: {"name": "taken over"}),
        partial(others.delete, id),
        partial(others.stats, id),
        partial(others.resolve, id, True, "unused"),
    ):
        with pytest.raises(NotFound, match=r"^Agent not found$"):
            use()
    assert others.list(NEVER, "", 0, 10) == []
    assert others.count() == 0
    assert agents.get(id)["name"] == "iris"


def test_a_name_is_unique_in_its_tenant_alone(agents: AgentRepository, others: AgentRepository) -> None:
    first = make(agents)
    make(others)
    with pytest.raises(Conflict, match="An agent with this name exists already"):
        make(agents)
    second = make(agents, "other")
    with pytest.raises(Conflict, match="An agent with this name exists already"):
        agents.update(second, lambda _: {"name": "iris"})
    assert {agents.get(first)["name"], agents.get(second)["name"]} == {"iris", "other"}


def test_a_name_is_resolved_to_one_agent_by_many_at_once(agents: AgentRepository) -> None:
    calls = [partial(agents.resolve, "iris", False, str(uuid.uuid4())) for _ in range(16)]
    assert len({row["id"] for row in at_once(calls)}) == 1
    assert agents.count() == 1


def test_a_write_joins_the_transaction_of_its_caller(agents: AgentRepository, graph: Graph) -> None:
    def work(tx: Transaction) -> None:
        inside = AgentRepository(graph, agents.caller, tx)
        make(inside)
        assert inside.count() == 1
        raise LookupError("undone")

    with pytest.raises(LookupError):
        graph.transaction(work)
    assert agents.count() == 0


def test_pages_follow_the_sort_key(agents: AgentRepository) -> None:
    ids = {make(agents, f"agent-{n}") for n in range(7)}
    seen: list[str] = []
    before, before_id = NEVER, ""
    while rows := agents.list(before, before_id, 0, 3):
        seen += [row["id"] for row in rows]
        before, before_id = rows[-1]["created_at"], rows[-1]["id"]
    assert (len(seen), set(seen)) == (7, ids)


def test_a_change_that_fails_changes_nothing(agents: AgentRepository) -> None:
    id = make(agents)

    def fail(stored: dict[str, object]) -> dict[str, object]:
        raise LookupError("no")

    with pytest.raises(LookupError):
        agents.update(id, fail)
    assert agents.get(id)["version"] == 1

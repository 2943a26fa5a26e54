"""How the server would run each query: nothing of a tenant is ever found by reading all nodes of a label."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from uuid import uuid4

import pytest
from neo4j import Session

from app.state import State
from graph import labels
from graph.driver import Connection, Graph, open_driver
from tests.contract import cypher
from tests.graph.plans import reads_a_page

SCANS = ("LabelScan", "AllNodesScan", "RelationshipTypeScan")
# Pieces that become a statement only together with others, which are planned where they are put together.
# Those of an export are filled in with their labels, and planned, in test_transfer.
PIECES = re.compile(r"NARROWED|a_label|it_lives|CREATE CONSTRAINT|CREATE INDEX|SHOW INDEXES|CALL db\.|CALL dbms\.")
# module.CONSTANT -> why it may read a whole label
WHOLE_LABEL = {
    "graph.keys.ACCOUNTS": "counts all keys, once at the start of a server",
    "graph.erasing.COUNT[indexed]": "proves that nothing is left, which it must not take an index's word for",
}

# module.CONSTANT -> why its pages cost more the longer the list is
WHOLE_LIST = {
    **dict.fromkeys(
        ["graph.decision_links.DEPENDENCIES", "graph.decision_links.DEPENDENTS", "graph.decision_links.MEMORIES",
         "graph.entity_links.MEMORIES", "graph.entity_moments.KEYS", "graph.entity_moments.STATED",
         "graph.entity_relations.STATED", "graph.memory_history.VERSIONS",
         "graph.patterns.ADOPTERS", "graph.project_links.LIST"],
        "reads the links of one node, which no index keeps in order",
    ),
    "graph.entities.LISTS[agent_id]": "reads what one agent's memories mention",
    "graph.session_story.TIMELINE": "puts three lists of one session together",
}  # fmt: skip
# What stands for a parameter whose kind the planner looks at; null for the others.
KINDS = {
    **dict.fromkeys(["limit", "offset", "before", "before_seq", "after", "since", "now", "never"], 1),
    **dict.fromkeys(["tenant", "beyond", "account", "id", "before_id"], "x"),
}


@cache
def planned() -> dict[str, str]:
    """Return every whole query that can be planned, by name."""
    pieces = {f"{each.module.name}.{name}" for each in cypher.every_module() for name in each.pieces}
    return {
        name: labels.in_slot(query, "a")
        for name, query in cypher.every_query().items()
        if name not in pieces and not PIECES.search(query) and cypher.tenant_labels(query)
    }


def scans(plan: dict[str, Any]) -> list[str]:
    """Return the operators of a plan that read a whole label."""
    own = [plan["operatorType"]] if any(scan in plan["operatorType"] for scan in SCANS) else []
    return own + [found for child in plan.get("children", []) for found in scans(child)]


INDEXED = """
CYPHER 25
SHOW INDEXES YIELD type, labelsOrTypes, properties, owningConstraint
WHERE type = 'RANGE' AND size(labelsOrTypes) = 1
UNWIND properties AS name
RETURN labelsOrTypes[0] AS label, collect(DISTINCT name) AS names,
  collect(DISTINCT CASE WHEN owningConstraint IS NULL THEN null ELSE name END) AS own
"""
# 40 tenants of 25 nodes: fewer than any server in use has, and enough for the planner to take an index.
SOME = """
CYPHER 25
UNWIND range(0, 39) AS tenant
UNWIND range(1, 25) AS n
CREATE (made:$($label) {seeded: true})
SET made += {tenant: $seed + tenant}
FOREACH (name IN $own | SET made[name] = CASE name WHEN 'tenant' THEN $seed + tenant ELSE $seed + tenant + '-' + n END)
FOREACH (name IN $some | SET made[name] = 'w' + n % 5)
FOREACH (name IN $numbers | SET made[name] = n)
"""
NUMBERS = re.compile(r"_at$|^seq$|^number$|^importance$|^due$|^attempts?$")
GONE = "CYPHER 25 MATCH (n:$any($names)) WHERE n.seeded DELETE n"


@pytest.fixture(scope="module", autouse=True)
def populated(parts: State) -> Iterator[None]:
    """Some nodes of every label, so that plans do not depend on what other tests left."""
    found = [row for row in parts.graph.read(INDEXED) if row["label"] in labels.NOUNS]
    for row in found:
        own = set(row["own"]) | {"tenant"}
        numbers = {name for name in set(row["names"]) - own if NUMBERS.search(name)}
        some = sorted(set(row["names"]) - own - numbers)
        given = {"label": row["label"], "own": sorted(own), "numbers": sorted(numbers), "some": some}
        parts.graph.write(SOME, seed=str(uuid4()), **given)
    yield
    parts.graph.write(GONE, names=[row["label"] for row in found])


@pytest.fixture(scope="module")
def session(graph: Graph, connection: Connection) -> Iterator[Session]:
    """A session of the driver itself: plans are nothing that the rest of Loci asks for."""
    with open_driver(connection) as driver, driver.session(database=connection.database) as made:
        yield made


@pytest.mark.parametrize("name", sorted(planned()))
def test_no_query_reads_a_whole_label(name: str, session: Session) -> None:
    query = planned()[name].strip().removeprefix("CYPHER 25")
    parameters = dict.fromkeys(re.findall(r"\$(\w+)", query))
    plan = session.run("CYPHER 25 EXPLAIN " + query, parameters).consume().plan
    assert plan is not None
    assert scans(dict(plan)) == [] or name in WHOLE_LABEL


@pytest.mark.parametrize("name", [name for name, query in sorted(planned().items()) if "SKIP $offset" in query])
def test_a_page_of_a_list_costs_the_same_wherever_it_is(name: str, connection: Connection, graph: Graph) -> None:
    query = planned()[name]
    parameters = {each: KINDS.get(each) for each in re.findall(r"\$(\w+)", query)}
    assert reads_a_page(connection, query.strip(), **parameters) is (name not in WHOLE_LIST)


def test_the_queries_that_are_planned_are_most_of_all() -> None:
    assert len(planned()) > 0.7 * len(cypher.every_query())

"""How the server would run each query: nothing of a tenant is ever found by reading all nodes of a label."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from neo4j import Session

from graph import labels
from graph.driver import Connection, Graph, open_driver
from tests.contract import cypher

SCANS = ("LabelScan", "AllNodesScan", "RelationshipTypeScan")
# Pieces that become a statement only together with others, which are planned where they are put together.
PIECES = re.compile(r"NARROWED|CREATE CONSTRAINT|CREATE INDEX|SHOW INDEXES|CALL db\.|CALL dbms\.")
# module.CONSTANT -> why it may read a whole label
WHOLE_LABEL = {
    "graph.keys.ACCOUNTS": "counts all keys, once at the start of a server",
}


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


def test_the_queries_that_are_planned_are_most_of_all() -> None:
    assert len(planned()) > 0.7 * len(cypher.every_query())

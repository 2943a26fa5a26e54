"""What a reembed walks over: everything that has a vector, in the order of an index."""

from __future__ import annotations

import re
import uuid

import pytest

from graph import refill
from graph.driver import Connection, Graph
from graph.labels import in_slot, other_slot
from graph.refill import EMPTY_ABOVE, EMPTY_WITHIN, FILL, LACK_ABOVE, LACK_WITHIN
from tests.contract import cypher
from tests.graph.plans import operators

WALKS = {
    f"{name}[{label}]": query
    for name in ("LACK_WITHIN", "LACK_ABOVE", "EMPTY_WITHIN", "EMPTY_ABOVE")
    for label, query in getattr(refill, name).items()
}


def searchable() -> set[str]:
    """Return the labels of nodes that queries make Searchable."""
    text = "\n".join(cypher.every_query().values())
    made = set(re.findall(r"\(\w+:(\w+):Searchable\b", text))
    return made | {"Memory"} if re.search(r"SET m:Searchable", text) else made


def test_everything_that_is_searchable_is_filled_and_emptied() -> None:
    found = searchable()
    assert {"Memory", "MemoryVersion", "MemoryWindow", "Decision", "Pattern"} <= found
    # Windows are made with their memories.
    assert set(FILL) == set(LACK_ABOVE) == set(LACK_WITHIN) == found - {"MemoryWindow"}
    assert set(EMPTY_ABOVE) == set(EMPTY_WITHIN) == found


def test_versions_are_emptied_after_the_memories_they_are_copied_from() -> None:
    order = list(EMPTY_ABOVE)
    assert order.index("Memory") < order.index("MemoryVersion")


@pytest.mark.parametrize("name", WALKS)
def test_a_walk_takes_its_order_from_an_index(name: str, connection: Connection) -> None:
    query = in_slot(WALKS[name], "a")
    given = {"tenant": "", "after": "", "limit": 7, "slot": "a", "identity": ""}
    found = operators(connection, query, **given)
    assert any("IndexSeek" in each for each in found)
    assert not [each for each in found if each in ("Sort", "Top", "NodeByLabelScan", "AllNodesScan")]


def test_a_walk_meets_every_node_once_whatever_its_stretch(graph: Graph) -> None:
    tenants = sorted(str(uuid.uuid4()) for _ in range(3))
    for tenant, count in zip(tenants, (5, 1, 4), strict=True):
        graph.write(
            "CYPHER 25 UNWIND range(1, $count) AS n CREATE (:Pattern {tenant: $tenant, id: randomUUID()})",
            tenant=tenant, count=count,
        )  # fmt: skip
        graph.write("CYPHER 25 MATCH (n:Pattern {tenant: $tenant}) SET n:Searchable", tenant=tenant)
    met = [
        (row["tenant"], row["id"])
        for read in refill.lacking(graph, "Pattern", other_slot("a"), 2)
        for row in read["lacking"]
        if row["tenant"] in tenants
    ]
    assert len(met) == len(set(met)) == 10
    assert met == sorted(met)
    graph.write("CYPHER 25 MATCH (n:Pattern) WHERE n.tenant IN $tenants DELETE n", tenants=tenants)

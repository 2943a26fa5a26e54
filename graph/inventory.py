"""How much of everything is in a database, over all tenants, and whether it holds together: for backups."""

from collections.abc import Mapping
from dataclasses import dataclass

from graph.driver import Graph

# Read node by node and link by link: the counts that the database keeps are what this is compared with.
LABELS = "CYPHER 25 MATCH (n) UNWIND labels(n) AS name RETURN name, count(*) AS total"
TYPES = "CYPHER 25 MATCH (a)-[r]->(b) RETURN type(r) AS name, count(elementId(b)) AS total"
NODES = "CYPHER 25 MATCH (n) RETURN count(n) AS total"
LINKS = "CYPHER 25 MATCH ()-[r]->() RETURN count(r) AS total"
WALKED = "CYPHER 25 MATCH (n) RETURN count(elementId(n)) AS total"
INDEXES = "CYPHER 25 SHOW INDEXES YIELD name, state WHERE state <> 'ONLINE' RETURN name, state"


@dataclass(frozen=True)
class Inventory:
    """Nodes by label and relationships by type, and what is wrong, in words."""

    labels: Mapping[str, int]
    types: Mapping[str, int]
    faults: tuple[str, ...]

    @property
    def nodes(self) -> int:
        """All labels together; a node with two labels is in it twice."""
        return sum(self.labels.values())

    @property
    def links(self) -> int:
        """All relationships."""
        return sum(self.types.values())


def inventory(graph: Graph) -> Inventory:
    """Count everything by reading it, and compare with what the database says it has."""
    labels = {row["name"]: int(row["total"]) for row in graph.read(LABELS)}
    types = {row["name"]: int(row["total"]) for row in graph.read(TYPES)}
    faults = [f"the index {row['name']} is {row['state']}" for row in graph.read(INDEXES)]
    for what, said, found in (
        ("nodes", graph.read(NODES)[0]["total"], graph.read(WALKED)[0]["total"]),
        ("relationships", graph.read(LINKS)[0]["total"], sum(types.values())),
    ):
        if said != found:
            faults.append(f"{said} {what} are counted and {found} are there")
    return Inventory(labels, types, tuple(faults))

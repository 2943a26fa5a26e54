"""How the database would run a query: which operators, without running it."""

from typing import Any

from neo4j import GraphDatabase

from graph.driver import Connection


def operators(connection: Connection, query: str, **parameters: Any) -> list[str]:
    """Return the operators of a query's plan, the last one first, without their runtime's suffix."""
    explained = query.replace("CYPHER 25", "CYPHER 25 EXPLAIN", 1)
    with GraphDatabase.driver(
        connection.uri, auth=(connection.user, connection.password), notifications_min_severity="OFF"
    ) as driver:
        plan = driver.execute_query(explained, parameters, database_=connection.database).summary.plan
    assert plan is not None
    return list(_walk(plan))


def reads_a_page(connection: Connection, query: str, **parameters: Any) -> bool:
    """Tell whether a list takes its order from an index and stops at its limit, however long the list is.

    A plan that sorts by itself has `Top` or `Sort` right over the seek; one that only settles ties has `PartialTop`.
    """
    found = operators(connection, query, **parameters)
    seek = next(at for at, name in enumerate(found) if "Seek" in name or "Scan" in name)
    above = [name for name in found[:seek] if name in ("Top", "Sort", "PartialTop", "PartialSort", "Limit")]
    return "Seek" in found[seek] and bool(above) and above[-1].startswith(("Partial", "Limit"))


def _walk(plan: Any) -> Any:
    yield plan["operatorType"].partition("@")[0]
    for child in plan.get("children", []):
        yield from _walk(child)

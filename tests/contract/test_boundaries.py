"""Who may import whom. The layers stay apart because this fails when they meet."""

from __future__ import annotations

import pytest

from tests.contract import sources
from tests.contract.sources import Module

pytestmark = pytest.mark.static

# package -> what it must not import, and why
FORBIDDEN: dict[str, dict[str, str]] = {
    "graph": {
        "app": "the graph package knows Neo4j and nothing of HTTP, settings or tenancy rules",
        "flask": "the graph package knows nothing of HTTP",
    },
    "app.resources": {"neo4j": "resources go through repositories"},
    "app.schemas": {
        "neo4j": "schemas touch nothing but the data they are given",
        "graph": "schemas touch nothing but the data they are given",
        "app.services": "schemas touch nothing but the data they are given",
        "app.resources": "schemas are used by resources, not the other way round",
    },
    "app.services": {
        "flask": "services are called by requests, workers and commands alike",
        "app.resources": "services are used by resources, not the other way round",
    },
    "app.compat": {
        "neo4j": "adapters translate at the edge and reach data through services",
        "graph": "adapters translate at the edge and reach data through services",
    },
    "app.mcp": {
        "neo4j": "tools call the API, so that keys, scopes and limits exist once",
        "graph": "tools call the API, so that keys, scopes and limits exist once",
        "app.services": "tools call the API, so that keys, scopes and limits exist once",
    },
}
WITHOUT_CYPHER = ("app",)


def crossings(module: Module, forbidden: dict[str, str]) -> list[str]:
    """Return one sentence for each import of `module` that `forbidden` names."""
    return [
        f"{module.path}:{line} imports {name}: {reason}"
        for name, line in sources.imports(module)
        for package, reason in forbidden.items()
        if name == package or name.startswith(package + ".")
    ]


def cypher_in(module: Module) -> list[str]:
    """Return one sentence for each string of `module` that is a query."""
    return [
        f"{module.path}:{line} writes Cypher: queries live in graph/"
        for value, line in sources.strings(module)
        if sources.CYPHER.search(value)
    ]


@pytest.mark.parametrize("package", FORBIDDEN)
def test_package_keeps_to_its_side(package: str) -> None:
    found = [fault for module in sources.modules(package) for fault in crossings(module, FORBIDDEN[package])]
    assert found == []


def test_cypher_is_written_in_the_graph_package_only() -> None:
    found = [fault for module in sources.modules(*WITHOUT_CYPHER) for fault in cypher_in(module)]
    assert found == []


class TestTheseRulesCanFail:
    @pytest.mark.parametrize(
        "line",
        [
            "import app",
            "import app.config as c",
            "from app import errors",
            "from app.config import Settings",
            "def later():\n    from app.config import Settings",
            "from ..app import errors",
        ],
    )
    def test_every_way_to_import_is_seen(self, line: str) -> None:
        assert crossings(sources.parse("graph.agents", line), FORBIDDEN["graph"])

    def test_a_name_that_only_begins_alike_is_no_crossing(self) -> None:
        module = sources.parse("graph.agents", "import apples\nfrom graph.app_names import x")
        assert crossings(module, FORBIDDEN["graph"]) == []

    @pytest.mark.parametrize(
        "query",
        ["CYPHER 25 RETURN 1", "MATCH (m:Memory) RETURN m", "UNWIND $rows AS row RETURN row", "MERGE (a) RETURN a"],
    )
    def test_a_query_is_recognised(self, query: str) -> None:
        assert cypher_in(sources.parse("app.resources.agents", f"QUERY = {query!r}"))

    def test_a_sentence_about_matching_is_not_a_query(self) -> None:
        module = sources.parse("app.errors", '"""MATCH (in docstrings)."""\nTEXT = "No agents match; create one."')
        assert cypher_in(module) == []

"""Every query that touches a tenant's data names the tenant, and no query is put together from pieces."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from graph import labels
from tests.contract import sources
from tests.contract.sources import Module

pytestmark = pytest.mark.static

# Labels of tenant-owned nodes that are no noun of their own.
TENANT_LABELS = {*labels.NOUNS, "Searchable", "Counter", "ApiKey"}
PATTERN = re.compile(r"[(|]\s*\w*\s*:\s*(?P<labels>\w+(?:\s*[:|&]\s*\w+)*)")
LABEL_TEST = re.compile(r"\b\w+\s*:\s*(?P<labels>[A-Z]\w+)\b(?!\s*\{)")

# The only module whose work is to put names into query text.
BUILDER = "graph.labels"

# module.CONSTANT -> why it may touch a tenant's nodes without naming the tenant
WITHOUT_TENANT: dict[str, str] = {}


def constants(module: Module) -> dict[str, str]:
    """Return the UPPER_CASE string constants of a module, those of its classes included."""
    found: dict[str, str] = {}
    for node in ast.walk(module.tree):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        value = getattr(node, "value", None)
        text = value.value if isinstance(value, ast.Constant) else None
        for target in targets:
            if isinstance(text, str) and isinstance(target, ast.Name) and target.id.isupper():
                found[target.id] = text
    return found


def queries(module: Module) -> dict[str, str]:
    """Return those constants that are Cypher."""
    return {name: value for name, value in constants(module).items() if sources.CYPHER.search(value)}


def tenant_labels(query: str) -> set[str]:
    """Return the tenant-owned labels that stand in the patterns of a query."""
    named = " ".join(match["labels"] for rule in (PATTERN, LABEL_TEST) for match in rule.finditer(query))
    return TENANT_LABELS & set(re.findall(r"\w+", named))


def lacks_tenant(query: str) -> bool:
    """Tell whether a query touches a tenant's nodes without the parameter that confines it."""
    return bool(tenant_labels(query)) and "$tenant" not in query


def loose(module: Module) -> Iterator[str]:
    """Yield one sentence for each query text that is no UPPER_CASE constant of the module."""
    known = set(constants(module).values())
    for value, line in sources.strings(module):
        if sources.CYPHER.search(value) and value not in known:
            yield f"{module.path}:{line}: a query must be an UPPER_CASE constant"


def _is_query(node: ast.expr, names: set[str]) -> bool:
    """Tell whether an expression is a query's text: literal, or one of the module's query constants by name."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and bool(sources.CYPHER.search(node.value))
    if isinstance(node, ast.JoinedStr):
        return any(_is_query(part, names) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _is_query(node.value, names)
    if isinstance(node, ast.BinOp):
        return _is_query(node.left, names) or _is_query(node.right, names)
    return (
        isinstance(node, ast.Name | ast.Attribute) and (node.id if isinstance(node, ast.Name) else node.attr) in names
    )


def built(module: Module, names: set[str]) -> Iterator[str]:
    """Yield one sentence for each place where query text is formatted, joined or replaced into."""
    for node in ast.walk(module.tree):
        how = ""
        if not isinstance(node, ast.expr):
            continue
        if isinstance(node, ast.JoinedStr) and _is_query(node, names):
            how = "an f-string"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod) and _is_query(node, names):
            how = "+ or %"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            method, pieces = node.func.attr, [node.func.value, *node.args]
            pieces += [item for part in node.args if isinstance(part, ast.List | ast.Tuple) for item in part.elts]
            if method in {"format", "format_map", "replace", "join", "substitute"} and any(
                _is_query(piece, names) for piece in pieces
            ):
                how = f".{method}()"
        if how:
            yield f"{module.path}:{node.lineno}: {how} builds Cypher; only graph/labels.py may"


def every_query() -> dict[str, str]:
    """Return all query constants of the graph package by `module.CONSTANT`."""
    return {
        f"{module.name}.{name}": value for module in sources.modules("graph") for name, value in queries(module).items()
    }


def test_every_query_on_a_tenants_nodes_names_the_tenant() -> None:
    found = [name for name, query in every_query().items() if lacks_tenant(query) and name not in WITHOUT_TENANT]
    assert found == []


def test_every_exception_is_still_needed() -> None:
    now = {name for name, query in every_query().items() if lacks_tenant(query)}
    assert set(WITHOUT_TENANT) - now == set()


def test_every_query_states_its_language_version() -> None:
    assert [
        name
        for name, query in every_query().items()
        if not query.lstrip().startswith("CYPHER 25") and not query.startswith("CALL d")
    ] == []


def test_queries_stand_in_constants() -> None:
    assert [fault for module in sources.modules("graph") if module.name != BUILDER for fault in loose(module)] == []


def test_no_query_is_built_from_pieces() -> None:
    names = {name.rpartition(".")[2] for name in every_query()}
    assert [f for module in sources.modules("graph") if module.name != BUILDER for f in built(module, names)] == []


def test_tenant_labels_are_constrained_by_tenant() -> None:
    """A label that is merged or matched by id has its uniqueness inside the tenant, never over all of them."""
    schema = "\n".join(path.read_text("utf-8") for path in (sources.ROOT / "graph/migrations").glob("*.cypher"))
    rules = re.findall(r"FOR \((\w+):(\w+)\) REQUIRE (.+?) IS UNIQUE", schema)
    assert rules
    assert [
        f"{label}: {what}"
        for variable, label, what in rules
        if label in TENANT_LABELS - {"ApiKey"} and not what.startswith(f"({variable}.tenant,")
    ] == []


class TestTheseRulesCanFail:
    @pytest.mark.parametrize(
        "query",
        [
            "MATCH (m:Memory {id: $id}) RETURN m",
            "MATCH (:Project)<-[:IN_PROJECT]-(m:Memory) RETURN m",
            "MATCH (a:Agent|Session) RETURN a",
            "MATCH (n) WHERE n:Entity RETURN n",
            "MERGE (e:Entity {key: $key}) RETURN e",
            "MATCH (m:Memory:Searchable) RETURN m",
        ],
    )
    def test_a_query_without_its_tenant_is_found(self, query: str) -> None:
        assert lacks_tenant(query)

    @pytest.mark.parametrize(
        "query",
        [
            "MATCH (m:Memory {tenant: $tenant, id: $id}) RETURN m",
            "MATCH (v:SchemaVersion) RETURN v",
            "MATCH ()-[r:MENTIONS]->() RETURN r",
        ],
    )
    def test_a_query_with_it_or_without_tenants_passes(self, query: str) -> None:
        assert not lacks_tenant(query)

    @pytest.mark.parametrize(
        "line",
        [
            'x = f"MATCH (m:{label}) RETURN m"',
            'x = "MATCH (m:%s) RETURN m" % label',
            'x = "MATCH (m:Memory) " + clause',
            'x = "MATCH (m:{}) RETURN m".format(label)',
            'x = GET.replace("A", label)',
            "x = GET + clause",
            'x = f"{GET} LIMIT 3"',
            'x = " ".join([GET, clause])',
        ],
    )
    def test_every_way_to_build_one_is_seen(self, line: str) -> None:
        assert list(built(sources.parse("graph.agents", line), {"GET"}))

    def test_a_query_outside_a_constant_is_seen(self) -> None:
        assert list(loose(sources.parse("graph.agents", 'def get(tx):\n    tx.run("MATCH (a) RETURN a")')))

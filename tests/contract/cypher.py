"""The query constants of the graph package, with the fixed pieces they are put together from."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from graph import labels
from tests.contract import sources
from tests.contract.sources import Module

# Labels of tenant-owned nodes that are no noun of their own.
TENANT_LABELS = {*labels.NOUNS, "Searchable", "Counter", "ApiKey"}
# A part of a query, which alone may be no statement yet.
FRAGMENT = re.compile(r"\b(?:MATCH|MERGE|RETURN|WHERE|UNWIND|ORDER BY|DETACH|FOREACH|SET \w+\.)\b|\bCALL [({\w]")
NODE = re.compile(r"\(\s*\w*\s*:\s*(?P<labels>\w+(?:\s*[:|&]\s*\w+)*)\s*(?P<map>\{[^{}]*\})?")
LABEL_TEST = re.compile(r"(?<=[\s(])\w+:(?P<labels>[A-Z]\w+)\b(?!\s*\{)")
BUILDING_METHODS = {"format", "format_map", "replace", "join", "substitute", "safe_substitute"}


@dataclass
class Constants:
    """The UPPER_CASE texts of one module: `texts` by name, `pieces` the names that others are made of."""

    module: Module
    texts: dict[str, str] = field(default_factory=dict)
    pieces: set[str] = field(default_factory=set)
    folded: set[int] = field(default_factory=set)

    def queries(self) -> dict[str, str]:
        """Return the whole queries: those that state their version, and others that are no piece of another."""
        return {
            name: text
            for name, text in self.texts.items()
            if text.lstrip().startswith("CYPHER 25") or (sources.CYPHER.search(text) and name not in self.pieces)
        }

    def fragments(self) -> set[str]:
        """Return the names of all texts that are Cypher, whole or in part."""
        return {name for name, text in self.texts.items() if sources.CYPHER.search(text) or FRAGMENT.search(text)}


def constants(module: Module, known: dict[str, Constants] | None = None) -> Constants:
    """Return the constants of a module. Literals joined by `+` at module level are as fixed as one literal.

    `known` holds the constants of modules that pieces may be imported from.
    """
    found = Constants(module)
    imported = _imported(module, known or {})
    for node in module.tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and target.id.isupper() and isinstance(value, ast.expr):
            for name, part in _parts(target.id, value):
                text = _folded(part, {**imported, **found.texts}, found)
                if text is not None:
                    found.texts[name] = text
                    found.folded.update(id(piece) for piece in ast.walk(part))
    return found


def _parts(name: str, value: ast.expr) -> list[tuple[str, ast.expr]]:
    """Return the texts of a constant by name: its own, or those of a table of queries, as `NAME[key]`."""
    if not isinstance(value, ast.Dict):
        return [(name, value)]
    return [
        (f"{name}[{key.value!s}]", item)
        for key, item in zip(value.keys, value.values, strict=True)
        if isinstance(key, ast.Constant)
    ]


def _imported(module: Module, known: dict[str, Constants]) -> dict[str, str]:
    return {
        alias.asname or alias.name: known[node.module].texts[alias.name]
        for node in module.tree.body
        if isinstance(node, ast.ImportFrom) and node.module in known
        for alias in node.names
        if alias.name in known[node.module].texts
    }


def _folded(node: ast.expr, names: dict[str, str], found: Constants) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.Name) and node.id in names:
        found.pieces.add(node.id)
        return names[node.id]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _folded(node.left, names, found), _folded(node.right, names, found)
        return None if left is None or right is None else left + right
    return None


def every_module() -> list[Constants]:
    """Return the constants of every module below graph/."""
    alone = {module.name: constants(module) for module in sources.modules("graph")}
    return [constants(each.module, alone) for each in alone.values()]


def every_query() -> dict[str, str]:
    """Return all whole queries of the graph package by `module.CONSTANT`."""
    return {f"{each.module.name}.{name}": text for each in every_module() for name, text in each.queries().items()}


def tenant_labels(query: str) -> set[str]:
    """Return the tenant-owned labels that stand in the patterns of a query."""
    named = " ".join(match["labels"] for rule in (NODE, LABEL_TEST) for match in rule.finditer(query))
    return TENANT_LABELS & set(re.findall(r"\w+", named))


def lacks_tenant(query: str) -> bool:
    """Tell whether a query touches a tenant's nodes without the parameter that confines it."""
    return bool(tenant_labels(query)) and not re.search(r"\$tenant\b", query)


def keyed_without_tenant(query: str) -> list[str]:
    """Return the node patterns that pick a tenant's node by properties, the tenant not among them."""
    return [
        match.group()
        for match in NODE.finditer(query)
        if match["map"] and TENANT_LABELS & set(re.findall(r"\w+", match["labels"])) and "tenant:" not in match["map"]
    ]


def loose(found: Constants) -> Iterator[str]:
    """Yield one sentence for each query text that stands in no UPPER_CASE constant of the module."""
    fixed = {
        node.value
        for node in ast.walk(found.module.tree)
        if id(node) in found.folded and isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    for text, line in sources.strings(found.module):
        if sources.CYPHER.search(text) and text not in fixed:
            yield f"{found.module.path}:{line}: a query must be an UPPER_CASE constant"


def built(found: Constants, names: set[str]) -> Iterator[str]:
    """Yield one sentence for each place where query text is formatted, joined or replaced into.

    `names` are the constants that are Cypher. Literals joined at module level are no such place.
    """
    for node in ast.walk(found.module.tree):
        how = "" if not isinstance(node, ast.expr) or id(node) in found.folded else _building(node, names)
        if how:
            yield f"{found.module.path}:{getattr(node, 'lineno', 0)}: {how} builds Cypher; only graph/labels.py may"


def _building(node: ast.expr, names: set[str]) -> str:
    if isinstance(node, ast.JoinedStr) and _is_cypher(node, names):
        return "an f-string"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod) and _is_cypher(node, names):
        return "+ or %"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in BUILDING_METHODS:
        pieces = [node.func.value, *node.args]
        pieces += [item for part in node.args if isinstance(part, ast.List | ast.Tuple) for item in part.elts]
        if any(_is_cypher(piece, names) for piece in pieces):
            return f".{node.func.attr}()"
    return ""


def _is_cypher(node: ast.expr, names: set[str]) -> bool:
    """Tell whether an expression is query text: a literal, a constant by name, or something made of those."""
    match node:
        case ast.Constant(value=str() as text):
            return bool(sources.CYPHER.search(text))
        case ast.JoinedStr(values=parts):
            return any(_is_cypher(part, names) for part in parts)
        case ast.FormattedValue(value=inner):
            return _is_cypher(inner, names)
        case ast.BinOp(left=left, right=right):
            return _is_cypher(left, names) or _is_cypher(right, names)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in names
    return False

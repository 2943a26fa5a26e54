"""What the contract tests read: the files git tracks, and our modules as syntax trees."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# A statement, not a sentence: a Cypher verb in capitals followed by what only a query has there.
CYPHER = re.compile(
    r"\bCYPHER 25\b|\b(?:MATCH|MERGE|CREATE)\s*[(`]|\bUNWIND\s+\$?\w+\s+AS\b|\bDETACH\s+DELETE\b"
    r"|\bCALL\s*[({]|\bCALL\s+db\.|\b(?:CREATE|DROP)\s+(?:VECTOR |FULLTEXT |RANGE )?(?:INDEX|CONSTRAINT)\b"
)


@dataclass(frozen=True)
class Module:
    """One Python file: its dotted name, its path below the root, and its syntax tree."""

    name: str
    path: str
    tree: ast.Module


@cache
def tracked() -> tuple[str, ...]:
    """Return the paths of all tracked files that exist, relative to the root."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return tuple(path for path in listing.split("\0") if path and (ROOT / path).is_file())


def text(path: str) -> str:
    """Return the text of one file below the root."""
    return (ROOT / path).read_text(encoding="utf-8")


def parse(name: str, source: str) -> Module:
    """Return `source` as a module called `name`; used for planted violations too."""
    return Module(name, name.replace(".", "/") + ".py", ast.parse(source))


def modules(*packages: str) -> Iterator[Module]:
    """Yield every module below the named packages, whether git knows it already or not."""
    for package in packages:
        for path in sorted((ROOT / package.replace(".", "/")).rglob("*.py")):
            relative = path.relative_to(ROOT)
            parts = relative.with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            yield Module(name, relative.as_posix(), ast.parse(path.read_text(encoding="utf-8")))


def imports(module: Module) -> Iterator[tuple[str, int]]:
    """Yield the absolute dotted name and the line of everything a module imports, inside functions as well."""
    package = module.name if module.path.endswith("__init__.py") else module.name.rpartition(".")[0]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            for alias in node.names:
                yield f"{base}.{alias.name}", node.lineno


def strings(module: Module) -> Iterator[tuple[str, int]]:
    """Yield the text and the line of every string, the fixed parts of f-strings included, docstrings excepted."""
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value, node.lineno

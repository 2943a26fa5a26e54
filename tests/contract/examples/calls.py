"""Operations called with their examples."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from app.scopes import BY_VERB
from tests.callers import Caller
from tests.contract.examples.tables import BODIES, QUERIES, SCOPES
from tests.contract.examples.world import MAKERS, World
from tests.contract.operations import Operation


def scope_of(operation: Operation) -> str:
    """Return the scope an operation is to need."""
    return SCOPES.get(str(operation), BY_VERB[operation.verb])


def body_of(operation: Operation, world: World) -> Any:
    """Return a good body, bytes where it is a file; None for an operation without one."""
    if operation.body is None and str(operation) not in BODIES:
        return None
    if str(operation) not in BODIES:
        pytest.fail(f"add BODIES[{str(operation)!r}] to its noun in tests/contract/examples: a body that is accepted")
    return BODIES[str(operation)](world)


def query_of(operation: Operation, world: World) -> dict[str, Any]:
    """Return good query arguments."""
    required = [p["name"] for p in operation.spec.get("parameters", []) if p["in"] == "query" and p.get("required")]
    if str(operation) not in QUERIES:
        if required:
            pytest.fail(f"add QUERIES[{str(operation)!r}] with {required} to its noun in tests/contract/examples")
        return {}
    found: dict[str, Any] = QUERIES[str(operation)](world)
    return found


def path_of(operation: Operation, world: World, **given: str) -> str:
    """Return the path with its parameters filled in: those `given`, the others by the world's own instances."""
    names = {name: given.get(name) or world.id(maker_of(operation, name)) for name in operation.parameters}
    return operation.path.format(**{name: quote(value, safe="") for name, value in names.items()})


def maker_of(operation: Operation, parameter: str) -> str:
    """Return the name of what makes a path parameter: `noun/parameter` where two nouns use the same one."""
    own = f"{operation.path.split('/')[2]}/{parameter}"
    return own if own in MAKERS else parameter


UNSET: Any = object()


def call(operation: Operation, world: World, caller: Caller | None = None, **change: Any) -> TestResponse:
    """Call an operation with its example. `change` may replace `body`, `query`, `path` (a dict), `data`, `headers`."""
    path = path_of(operation, world, **change.pop("path", {}))
    query = change.pop("query", UNSET)
    body = change.pop("body", UNSET)
    if "data" not in change:
        found = body_of(operation, world) if body is UNSET else body
        change["data" if isinstance(found, bytes) else "json"] = found
    change["query_string"] = query_of(operation, world) if query is UNSET else query
    return (caller or world.caller).call(operation.verb, path, **change)

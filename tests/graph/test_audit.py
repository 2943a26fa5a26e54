"""The audit trail in the graph: written once however often it is tried, and kept apart by tenant."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from graph.audit import AuditRepository, record
from graph.driver import Graph
from graph.labels import NEVER
from graph.usage import Owner
from tests.together import at_once


def entry(tenant: str, at: int = 1000, **changes: Any) -> dict[str, Any]:
    """Return one entry as it is recorded."""
    facts = {"action": "agents.create", "key_id": "key-1", "key_prefix": "mem_test_000", "request_id": "req_1"}
    return {"tenant": tenant, "id": str(uuid.uuid4()), "created_at": at, **facts, **changes}


def rows(graph: Graph, tenant: str, key_id: str | None = None, action: str | None = None) -> list[dict[str, Any]]:
    """Return all entries of a tenant."""
    return AuditRepository(graph, Owner(tenant)).list(NEVER, "", 0, 100, 0, key_id, action)


def test_an_entry_that_is_written_twice_is_one(graph: Graph) -> None:
    tenant = str(uuid.uuid4())
    made = [entry(tenant, at) for at in range(1, 6)]
    at_once([partial(record, graph, made)] * 8)
    assert [row["created_at"] for row in rows(graph, tenant)] == [5, 4, 3, 2, 1]


def test_the_first_writer_of_an_id_decides(graph: Graph) -> None:
    tenant, id = str(uuid.uuid4()), str(uuid.uuid4())
    record(graph, [entry(tenant, 1, id=id)])
    record(graph, [entry(tenant, 2, id=id)])
    assert [row["created_at"] for row in rows(graph, tenant)] == [1]


def test_one_write_serves_many_tenants_and_keeps_them_apart(graph: Graph) -> None:
    one, other = str(uuid.uuid4()), str(uuid.uuid4())
    record(graph, [entry(one), entry(other), entry(other)])
    assert (len(rows(graph, one)), len(rows(graph, other))) == (1, 2)


def test_each_way_to_choose_finds_its_own(graph: Graph) -> None:
    tenant = str(uuid.uuid4())
    for key_id in ("key-1", "key-2"):
        for action in ("agents.create", "keys.use"):
            record(graph, [entry(tenant, key_id=key_id, action=action)])
    assert len(rows(graph, tenant)) == 4
    assert {row["action"] for row in rows(graph, tenant, key_id="key-1")} == {"agents.create", "keys.use"}
    assert {row["key_id"] for row in rows(graph, tenant, action="keys.use")} == {"key-1", "key-2"}
    assert [(row["key_id"], row["action"]) for row in rows(graph, tenant, "key-2", "keys.use")] == [
        ("key-2", "keys.use")
    ]
    repository = AuditRepository(graph, Owner(tenant))
    assert [repository.count(0, NEVER, key, action) for key, action in ((None, None), ("key-1", None))] == [4, 2]
    assert repository.count(1001, NEVER, None, None) == 0

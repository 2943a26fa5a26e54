"""Usage in the graph: one node for a key, a route and a day, tied to its key."""

from __future__ import annotations

import uuid
from typing import Any

from app.clock import now_ms
from graph.driver import Graph
from graph.keys import KeyRepository
from graph.usage import Owner, UsageRepository, add_all
from tests.callers import Caller

BY = """
CYPHER 25
MATCH (u:UsageDay {tenant: $tenant})-[r:BY]->(k:ApiKey)
RETURN u.key AS key, u.name AS name, u.requests AS requests, count(r) AS links, k.id AS key_id
"""
CHOSEN: dict[str, Any] = {"first": "2026-01-01", "last": "2026-12-31", "key_id": None, "route": None}


def row(key_id: str, route: str = "GET /v1/agents", day: str = "2026-03-03", requests: int = 2) -> dict[str, Any]:
    """Return one count as it is added."""
    return {
        "id": str(uuid.uuid4()), "key": f"{day}|{key_id}|{route}", "name": f"{route} on {day}", "day": day,
        "key_id": key_id, "route": route, "requests": requests, "client_errors": 1, "server_errors": 0, "kept_out": 0,
        "ms": 4.0,
    }  # fmt: skip


def key_of(graph: Graph, caller: Caller) -> str:
    """Return the id of the caller's key."""
    return str(KeyRepository(graph, caller.account).list(2**62, "", 0, 1)[0]["id"])


def test_counts_add_up_on_one_node_tied_to_its_key(graph: Graph, caller: Caller) -> None:
    id = key_of(graph, caller)
    for _ in range(3):
        add_all(graph, {caller.tenant: [row(id)]}, {})
    found = graph.read(BY, tenant=caller.tenant)
    assert found == [
        {
            "key": f"2026-03-03|{id}|GET /v1/agents", "name": "GET /v1/agents on 2026-03-03", "requests": 6, "links": 1,
            "key_id": id,
        }
    ]  # fmt: skip


def test_one_write_serves_many_tenants_and_keeps_them_apart(graph: Graph, caller: Caller, stranger: Caller) -> None:
    mine, theirs = key_of(graph, caller), key_of(graph, stranger)
    add_all(graph, {caller.tenant: [row(mine)], stranger.tenant: [row(theirs, requests=7)]}, {})
    assert UsageRepository(graph, caller).total(**CHOSEN)["requests"] == 2
    assert UsageRepository(graph, stranger).total(**CHOSEN)["requests"] == 7


def test_the_last_use_of_a_key_never_goes_back(graph: Graph, caller: Caller) -> None:
    id, now = key_of(graph, caller), now_ms()
    for at in (now, now - 60_000):
        add_all(graph, {}, {id: at})
    assert KeyRepository(graph, caller.account).get(id)["last_used_at"] == now


def test_a_key_that_is_gone_fails_nothing(graph: Graph) -> None:
    tenant = str(uuid.uuid4())
    add_all(graph, {tenant: [row("gone")]}, {"gone": 1})
    assert UsageRepository(graph, Owner(tenant)).total(**CHOSEN)["requests"] == 2


def test_a_report_that_groups_by_nothing_of_a_row_leaves_it_out(graph: Graph, caller: Caller) -> None:
    id = key_of(graph, caller)
    add_all(graph, {caller.tenant: [row(id), row(id, "POST /v1/agents", requests=5), row(id, day="2026-03-04")]}, {})
    usage = UsageRepository(graph, caller)
    by_route = usage.report(["route"], 10, **CHOSEN)
    assert [(found["route"], found["requests"], found["day"], found["key_id"]) for found in by_route] == [
        ("POST /v1/agents", 5, None, None),
        ("GET /v1/agents", 4, None, None),
    ]
    by_day = usage.report(["day", "key"], 10, **CHOSEN)
    assert [(found["day"], found["requests"], found["key_id"]) for found in by_day] == [
        ("2026-03-04", 2, id),
        ("2026-03-03", 7, id),
    ]
    assert len(usage.report(["day"], 1, **CHOSEN)) == 1

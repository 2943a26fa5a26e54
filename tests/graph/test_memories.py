"""Memories in the graph: what is written at once, what is nobody else's, and what a deletion leaves whole."""

from __future__ import annotations

import uuid
from functools import partial

import pytest

from app.state import State
from graph.clock import now_ms
from graph.errors import NotFound
from graph.labels import VECTOR_FILTERS
from graph.memories import MemoryRepository, expired
from tests.callers import Caller


def repository(parts: State, caller: Caller) -> MemoryRepository:
    """Return the memories of a caller's tenant."""
    return MemoryRepository(parts.graph, caller, slot=parts.space.slot)


def chain(parts: State, caller: Caller, session: str) -> list[str]:
    """Return the texts of a session's chain from its first to its last, as the relationships tell it."""
    rows = parts.graph.read(
        """MATCH (s:Session {tenant: $t, id: $id})-[:LAST]->(last:Memory)
        MATCH path = (first:Memory)-[:NEXT*0..]->(last) WHERE NOT (:Memory)-[:NEXT]->(first)
        RETURN [m IN nodes(path) | m.content] AS said""",
        t=caller.tenant,
        id=session,
    )
    return [text for row in rows for text in row["said"]]


def test_no_method_reaches_into_another_tenant(caller: Caller, stranger: Caller, parts: State) -> None:
    session = caller.post("/v1/sessions", {}).get_json()["id"]
    memory = caller.remember("The build is green", session_id=session)
    others = repository(parts, stranger)
    id = memory["id"]
    for use in (partial(others.get, id), partial(others.lock, id), partial(others.update, id, {"content": "taken"})):
        with pytest.raises(NotFound, match=r"^Memory not found$"):
            use()
    assert others.get_many([id]) == {}
    assert others.embeddings([id]) == {}
    assert others.delete([id]) == []
    assert others.of_session(session) == []
    assert others.of_agent(memory["agent_id"], 10) == []
    others.keep_version(id, str(uuid.uuid4()), now_ms())
    others.drop_names(id, now_ms())
    others.share_with_versions(id)
    found = caller.get(f"/v1/memories/{id}").get_json()
    assert (found["content"], found["entities"]) == ("The build is green", memory["entities"])
    assert caller.get(f"/v1/memories/{id}/versions").get_json()["total_count"] == 1


def test_every_property_that_the_vector_index_filters_on_is_set(caller: Caller, parts: State) -> None:
    memory = caller.remember("The build is green")
    query = "MATCH (m:Memory {tenant: $t, id: $id}) RETURN properties(m) AS all"
    row = parts.graph.read(query, t=caller.tenant, id=memory["id"])[0]
    assert [name for name in VECTOR_FILTERS if row["all"].get(name) is None] == []


def test_the_name_shown_in_the_browser_never_tells_what_is_confidential(caller: Caller, parts: State) -> None:
    memory = caller.remember("The door code is 4711", visibility="confidential", title="Door code 4711")
    query = "MATCH (m:Memory {tenant: $t, id: $id}) RETURN m.name AS name"
    assert "4711" not in parts.graph.read(query, t=caller.tenant, id=memory["id"])[0]["name"]


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        ([0], [1, 2, 3, 4]),
        ([4], [0, 1, 2, 3]),
        ([2], [0, 1, 3, 4]),
        ([1, 2, 3], [0, 4]),
        ([3, 1], [0, 2, 4]),
        ([0, 4], [1, 2, 3]),
        ([0, 1, 2, 3, 4], []),
    ],
)
def test_a_deletion_closes_the_chain_over_every_gap(
    caller: Caller, parts: State, gone: list[int], left: list[int]
) -> None:
    session = caller.post("/v1/sessions", {}).get_json()["id"]
    ids = [caller.remember(f"Step {n}", session_id=session)["id"] for n in range(5)]
    removed = repository(parts, caller).delete([ids[n] for n in gone])
    assert set(removed) == {ids[n] for n in gone}
    assert chain(parts, caller, session) == [f"Step {n}" for n in left]
    caller.remember("Step 5", session_id=session)
    assert chain(parts, caller, session) == [f"Step {n}" for n in [*left, 5]]


def test_a_deletion_takes_nothing_else(caller: Caller, parts: State) -> None:
    caller.remember("Priya Raman moved the Billing Service", project="billing")
    gone = caller.remember("Priya Raman left the Billing Service", project="billing")
    repository(parts, caller).delete([gone["id"], str(uuid.uuid4())])
    counts = parts.graph.read(
        "MATCH (n) WHERE n.tenant = $t AND labels(n)[0] IN ['Memory', 'Agent', 'Project'] "
        "RETURN labels(n)[0] AS label, count(n) AS found ORDER BY label",
        t=caller.tenant,
    )
    assert counts == [{"label": label, "found": 1} for label in ("Agent", "Memory", "Project")]
    priya = "MATCH (e:Entity {tenant: $t, name: 'Priya Raman'}) RETURN COUNT { (e)<-[:MENTIONS]-() } AS mentions"
    assert parts.graph.read(priya, t=caller.tenant) == [{"mentions": 1}]


def test_what_has_expired_is_told_for_every_tenant(caller: Caller, parts: State) -> None:
    memory = caller.remember("Soon gone", ttl_seconds=3600)
    mine = {"tenant": caller.tenant, "id": memory["id"]}
    assert mine not in expired(parts.graph, 10_000)
    past = "MATCH (m:Memory {tenant: $tenant, id: $id}) SET m.expires_at = $now"
    parts.graph.write(past, **mine, now=now_ms() - 1)
    assert mine in expired(parts.graph, 10_000)
    assert repository(parts, caller).get_many([memory["id"]]) == {}
    repository(parts, caller).delete([memory["id"]])

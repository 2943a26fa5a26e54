"""Keys in the graph: one account at a time, decided by one caller at a time."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

import pytest

from app.state import State
from graph.driver import Graph
from graph.errors import Conflict, NotFound
from graph.keys import KeyDirectory, KeyRepository
from graph.labels import NEVER
from tests.together import at_once

CHAIN = """
CYPHER 25
MATCH (:ApiKey {account: $account, id: $id})<-[r:REPLACES]-(k:ApiKey)-[:OPENS]->(:Tenant {account: $account})
RETURN k.id AS id, r.from AS since, r.to AS until
"""


@pytest.fixture
def keys(graph: Graph) -> KeyRepository:
    """The keys of a fresh account."""
    return KeyRepository(graph, f"test-{uuid.uuid4()}")


def properties(**changes: Any) -> dict[str, Any]:
    """Return what CREATE needs."""
    made = {
        "id": str(uuid.uuid4()), "tenant_id": str(uuid.uuid4()), "digest": uuid.uuid4().hex,
        "key_prefix": "mem_test_000", "name": "ci", "scopes": ["read"], "dialect": "native", "expires_at": None,
        "daily_spend_limit_usd": None, "monthly_spend_limit_usd": None,
    }  # fmt: skip
    return {**made, **changes}


def fresh() -> dict[str, str]:
    """Return what a rotation needs."""
    return {"new_id": str(uuid.uuid4()), "digest": uuid.uuid4().hex, "key_prefix": "mem_test_001"}


def test_an_account_is_needed(graph: Graph) -> None:
    with pytest.raises(ValueError, match="account"):
        KeyRepository(graph, "")


def test_a_digest_leads_to_the_key_and_its_tenant(keys: KeyRepository) -> None:
    row = keys.create("team-a", **properties(digest="d" * 8 + keys.account))
    found = KeyDirectory(keys.graph).find("d" * 8 + keys.account)
    assert found is not None
    assert (found["id"], found["account"], found["namespace"]) == (row["id"], keys.account, "team-a")
    assert KeyDirectory(keys.graph).find("unknown") is None


def test_sixteen_first_keys_of_a_namespace_share_one_tenant(keys: KeyRepository) -> None:
    at_once([partial(keys.create, "team-a", **properties()) for _ in range(16)])
    assert [row["namespace"] for row in keys.tenants()] == ["team-a"]
    assert keys.count() == 16


def test_no_method_reaches_into_another_account(keys: KeyRepository, graph: Graph) -> None:
    id = keys.create("default", **properties())["id"]
    other = KeyRepository(graph, f"test-{uuid.uuid4()}")
    for call in (
        partial(other.get, id),
        partial(other.update, id, {"name": "mine"}),
        partial(other.revoke, id),
        partial(other.rotate, id, 0, **fresh()),
    ):
        with pytest.raises(NotFound, match="API key not found"):
            call()
    assert other.list(NEVER, "", 0, 10) == other.namespaces(NEVER, "", 0, 10) == []
    assert keys.get(id)["name"] == "ci"


def test_a_rotation_is_a_relationship_between_the_keys(keys: KeyRepository) -> None:
    old = keys.create("default", **properties())
    new = keys.rotate(old["id"], 1000, **fresh())
    found = keys.graph.read(CHAIN, account=keys.account, id=old["id"])
    assert [(row["id"], row["until"]) for row in found] == [(new["id"], NEVER)]
    after = keys.get(old["id"])
    assert found[0]["since"] == after["deprecated_at"]
    assert after["auto_revoke_at"] - after["deprecated_at"] == 1000


def test_a_rotation_that_is_refused_leaves_nothing(keys: KeyRepository) -> None:
    id = keys.create("default", **properties())["id"]
    keys.revoke(id)
    with pytest.raises(Conflict):
        keys.rotate(id, 0, **fresh())
    assert keys.count() == 1


def test_of_two_admins_revoked_at_once_one_stays(keys: KeyRepository) -> None:
    ids = [keys.create("default", **properties(scopes=["admin"]))["id"] for _ in range(2)]

    def revoked(id: str) -> bool:
        try:
            keys.revoke(id)
        except Conflict:
            return False
        return True

    assert sorted(at_once([partial(revoked, id) for id in ids])) == [False, True]
    assert keys.revoke(ids[0], even_last=True)["revoked_at"]
    assert keys.revoke(ids[1], even_last=True)["revoked_at"]


def test_a_replaced_admin_key_in_its_grace_does_not_count(keys: KeyRepository) -> None:
    old = keys.create("default", **properties(scopes=["admin"]))
    new = keys.rotate(old["id"], 60_000, **fresh())
    with pytest.raises(Conflict, match="last key"):
        keys.update(new["id"], {"scopes": ["read"]})
    assert keys.get(new["id"])["scopes"] == ["admin"]


def test_the_first_key_is_made_once(parts: State) -> None:
    # The suite's database has keys already, so nobody may get a first one.
    KeyRepository(parts.graph, f"test-{uuid.uuid4()}").create("default", **properties())
    assert KeyDirectory(parts.graph).any()
    assert at_once([partial(KeyDirectory(parts.graph).create_first, **properties()) for _ in range(4)]) == [None] * 4

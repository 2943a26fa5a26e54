"""An encrypted namespace over every route: everything works, answers are those of any other namespace, and no word that
was given as a text is in the database in clear."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from app.scopes import ALL_SCOPES
from app.services.encryption import set_encryption
from app.state import State
from tests.callers import Caller, new_caller
from tests.contract.examples import MAKERS, World, call
from tests.contract.operations import GUARDED, Operation, conforms

MARKER = "zqkestrel"
NODES = "CYPHER 25 MATCH (n) WHERE n.tenant = $of RETURN labels(n) AS labels, n {.*, embedding: null} AS props"
LINKS = "CYPHER 25 MATCH (n)-[r]->() WHERE n.tenant = $of RETURN [type(r)] AS labels, properties(r) AS props"
# What clients address things by, and what lists filter by: docs/security.md says so.
READABLE = {
    "Agent": {"name"},
    "Project": {"name", "slug"},
    "Session": {"external_id", "project"},
    "Memory": {"user_id"},
    "MemoryVersion": {"user_id"},
    "MemoryWindow": {"user_id"},
    "MemoryChange": {"user_id"},
    "Decision": {"tags", "tag_keys"},
    "Pattern": {"tags", "tag_keys", "category", "memory_type", "source_slug"},
    "MENTIONS": {"relationship"},
    "MENTIONED": {"relationship"},
    "DEPENDS_ON": {"type"},
    "RELATES_TO": {"type"},
    "RELATED_TO": {"type"},
    "WAS_RELATED_TO": {"type"},
    "Webhook": {"name", "url"},
    "Callback": {"name", "url"},
    "ExtractionKey": {"name", "model", "base_url"},
    "Trashed": {"user_id"},
    "Erasure": {"subject", "named"},
    "AuditEntry": set(),
}


def sealed_caller(app: Flask, parts: State) -> Caller:
    """Return a caller with all scopes in a fresh tenant that is encrypted as a whole."""
    caller = new_caller(app, parts, ALL_SCOPES, None)
    assert set_encryption(parts.graph, caller.account, "default")
    return caller


def in_clear(parts: State, tenant: str, marker: str = MARKER) -> dict[str, set[str]]:
    """Return which properties hold a word, by label; those that are readable left out."""
    found: dict[str, set[str]] = {}
    stored = parts.graph.as_stored()
    for row in [*stored.read(NODES, of=tenant), *stored.read(LINKS, of=tenant)]:
        label = next(name for name in row["labels"] if name != "Searchable")
        names = {name for name, value in row["props"].items() if marker in repr(value).lower()}
        if hidden := names - READABLE.get(label, set()):
            found.setdefault(label, set()).update(hidden)
    return found


@pytest.fixture(scope="module")
def world(app: Flask, parts: State) -> World:
    """An encrypted tenant in which one of everything was made."""
    made = World(sealed_caller(app, parts), MARKER)
    for name in MAKERS:
        made.id(name)
    return made


@pytest.mark.parametrize("operation", GUARDED, ids=str)
def test_every_operation_works_in_an_encrypted_namespace(operation: Operation, world: World) -> None:
    response = call(operation, World(world.caller, MARKER))
    assert response.status_code < 300, response.get_data(as_text=True)
    conforms(operation, response)
    assert "hmac:" not in response.get_data(as_text=True)
    assert "(encrypted)" not in response.get_data(as_text=True)


def test_no_word_of_a_text_is_stored_in_clear(world: World, parts: State) -> None:
    assert in_clear(parts, world.caller.tenant) == {}
    found: Any = world.caller.post("/v1/memories/search", {"query": MARKER, "limit": 50}).get_json()["data"]
    assert any(MARKER in hit["memory"]["content"] for hit in found)


def test_the_look_for_it_can_fail(app: Flask, parts: State) -> None:
    caller = new_caller(app, parts, ALL_SCOPES, None)
    caller.remember(f"Priya {MARKER} left", metadata={"said": MARKER}, title=MARKER)
    assert in_clear(parts, caller.tenant)["Memory"] >= {"content", "title", "metadata", "name"}

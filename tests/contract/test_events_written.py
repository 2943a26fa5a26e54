"""Every route that writes tells of exactly what it changed; one that is refused tells of nothing."""

from __future__ import annotations

import ast
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from app.events import EVENTS
from app.ids import is_uuid
from app.scopes import ALL_SCOPES
from app.state import State
from graph.outbox import FACTS, noun_of
from tests.callers import new_caller
from tests.contract import sources
from tests.contract.examples import World, body_of, call, path_of, query_of
from tests.contract.operations import GUARDED, Operation, document
from tests.events import Told

MARKER = "zqmerlin"
NOTHING = ""
# What the sentence of all examples names: five things and itself.
STORY = "entity.created " * 6
# Each route that may write, and the events of its example in a tenant with nothing in it but what the path and the body
# name; the kinds that a text names are made by extraction.
EXPECTED = {
    "POST /v1/memories": "agent.created project.created memory.created " + STORY,
    "POST /v1/memories/batch": "agent.created memory.created memory.created " + "entity.created " * 5,
    "PUT /v1/memories/{memory_id}": "memory.updated",
    "DELETE /v1/memories/{memory_id}": "memory.deleted",
    "PUT /v1/memories/{memory_id}/importance": "memory.updated",
    "POST /v1/memories/{memory_id}/archive": "memory.updated",
    "POST /v1/memories/{memory_id}/unarchive": "memory.updated",
    "POST /v1/memories/{memory_id}/extract-entities": "memory.updated entity.created",
    "POST /v1/memories/maintenance": "memory.updated",
    "POST /v1/memories/bulk-delete": "memory.deleted",
    "POST /v1/memories/backfill-entities": NOTHING,
    "POST /v2/memories": "agent.created project.created memory.created",
    "POST /v2/jobs/{job}/cancel": "memory.updated",
    "POST /v1/agents": "agent.created",
    "PUT /v1/agents/{agent_id}": "agent.updated",
    "DELETE /v1/agents/{agent_id}": "memory.deleted agent.deleted",
    "POST /v1/entities": "entity.created",
    "PUT /v1/entities/{entity_id}": "entity.updated",
    "DELETE /v1/entities/{entity_id}": "entity.deleted",
    "POST /v1/entities/{entity_id}/aliases": "entity.updated",
    "DELETE /v1/entities/{entity_id}/aliases": "entity.updated",
    "POST /v1/entities/{entity_id}/merge": "entity.merged",
    "POST /v1/sessions": "session.created",
    "POST /v1/sessions/get-or-create": "session.created",
    "PUT /v1/sessions/{session_id}": "session.updated",
    "DELETE /v1/sessions/{session_id}": "memory.updated decision.updated session.deleted",
    "PUT /v1/sessions/{session_id}/end": "session.ended",
    "POST /v1/sessions/{session_id}/reopen": "session.reopened",
    "POST /v1/sessions/{session_id}/summary": "session.updated",
    "POST /v1/decisions": "project.created decision.created",
    "PUT /v1/decisions/{decision_id}": "decision.updated",
    "DELETE /v1/decisions/{decision_id}": "decision.deleted",
    "POST /v1/decisions/{decision_id}/supersede": "decision.created decision.superseded",
    "POST /v1/decisions/{decision_id}/revert": "decision.reverted",
    "POST /v1/patterns": "pattern.created",
    "PUT /v1/patterns/{pattern_id}": "pattern.updated",
    "DELETE /v1/patterns/{pattern_id}": "pattern.deleted",
    "POST /v1/patterns/{pattern_id}/adopt": "pattern.adopted",
    "DELETE /v1/patterns/{pattern_id}/adopt": "pattern.dropped",
    "POST /v1/projects": "project.created",
    "PUT /v1/projects/{slug}": "project.updated",
    "DELETE /v1/projects/{slug}": "memory.updated project.deleted",
    "POST /v1/projects/{slug}/relationships": "project.linked",
    "DELETE /v1/projects/{slug}/relationships/{relationship_id}": "project.unlinked",
    "POST /v1/trash/{trashed_id}/restore": "agent.restored",
    "DELETE /v1/trash/{trashed_id}": NOTHING,
    "POST /v1/erasures": "memory.deleted " + "entity.deleted " * 6,
    "POST /v1/erasures/verify": NOTHING,
    "POST /v1/keys": "key.created",
    "PUT /v1/keys/{key_id}": "key.updated",
    "DELETE /v1/keys/{key_id}": "key.revoked",
    "POST /v1/keys/{key_id}/rotate": "key.created key.rotated",
    "POST /v1/webhooks": "webhook.created",
    "PUT /v1/webhooks/{webhook_id}": "webhook.updated",
    "DELETE /v1/webhooks/{webhook_id}": "webhook.deleted",
    "POST /v1/webhooks/{webhook_id}/rotate-secret": "webhook.updated",
}
# Links between things that are there already tell of nothing (docs/webhooks.md); nor does what only reads or sends.
SILENT = {
    "POST /v1/entities/links",
    "POST /v1/entities/{entity_id}/link",
    "DELETE /v1/entities/{entity_id}/memories/{memory_id}",
    "POST /v1/entities/{entity_id}/relationships",
    "DELETE /v1/entities/{entity_id}/relationships/{relationship_id}",
    "POST /v1/decisions/{decision_id}/memories",
    "DELETE /v1/decisions/{decision_id}/memories",
    "POST /v1/decisions/{decision_id}/dependencies",
    "DELETE /v1/decisions/{decision_id}/dependencies",
    "POST /v1/extraction/keys",
    "POST /v1/extraction/keys/deactivate-all",
    "POST /v1/extraction/keys/{extraction_key_id}/activate",
    "DELETE /v1/extraction/keys/{extraction_key_id}",
    "POST /v1/webhooks/{webhook_id}/test",
    "POST /v1/webhooks/{webhook_id}/redeliver",
    "POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver",
    # A worker does it, and what a file brings in is not told.
    "POST /v1/transfer/imports",
    "POST /v1/memories/search",
    "POST /v1/memories/context",
    "POST /v2/context/build",
    "POST /v2/context",
    "POST /v1/ask",
    "POST /v1/embed",
    "POST /v1/projects/impact-analysis",
}
# What takes the name of an event first.
MAKERS = ("Happened", "happened", "each", "link_event")
WRITING = tuple(operation for operation in GUARDED if operation.verb != "GET")
each_writing = pytest.mark.parametrize("operation", WRITING, ids=str)


def remembered(world: World, **fields: Any) -> None:
    """Store a memory that names nothing."""
    world.create("/v1/memories", content=world.text("it rained all day"), auto_extract_entities=False, **fields)


def agent_with_a_memory(world: World) -> None:
    """Let the world's agent record one."""
    remembered(world, agent_id=world.id("agent_id"))


def project_with_a_memory(world: World) -> None:
    """Let the world's project have one."""
    remembered(world, agent_id="iris", project=world.id("slug"))


def session_with_contents(world: World) -> None:
    """Let the world's session hold a memory and a decision."""
    session = world.id("session_id")
    remembered(world, agent_id="iris", session_id=session)
    world.create("/v1/decisions", title=world.text("stay in"), rationale=world.text("it rains"), session_id=session)


def unread(world: World) -> None:
    """Make the path's memory one whose names nobody looked for."""
    found = world.create("/v1/memories", content="we met Orville", agent_id="iris", auto_extract_entities=False)
    world.made["memory_id"] = found["id"]


# What a route needs beside its example to have something to do, and bodies with which it does it.
PREPARED: dict[str, Callable[[World], object]] = {
    "POST /v1/memories/{memory_id}/unarchive": lambda w: w.create(f"/v1/memories/{w.id('memory_id')}/archive"),
    "POST /v1/memories/{memory_id}/extract-entities": unread,
    "POST /v1/memories/maintenance": lambda w: remembered(w, agent_id="iris", importance=0.1, tier="warm"),
    "POST /v1/memories/bulk-delete": lambda w: remembered(w, agent_id="iris", user_id=w.text("user")),
    "DELETE /v1/agents/{agent_id}": agent_with_a_memory,
    "DELETE /v1/projects/{slug}": project_with_a_memory,
    "DELETE /v1/sessions/{session_id}": session_with_contents,
    "POST /v1/sessions/{session_id}/summary": session_with_contents,
    "POST /v1/sessions/{session_id}/reopen": lambda w: w.caller.put(f"/v1/sessions/{w.id('session_id')}/end", {}),
}
BODIES: dict[str, dict[str, Any]] = {"POST /v1/memories/bulk-delete": {"dry_run": False}}


@dataclass(frozen=True)
class Called:
    """What became of one call."""

    status: int
    events: list[dict[str, Any]]


def called(operation: Operation, world: World, told: Told, **given: str) -> Called:
    """Call an operation with its example; everything that the example needs is made before. `given` is for its path."""
    named = {name: value for name, value in given.items() if name in operation.parameters}
    path_of(operation, world, **named)
    if prepare := PREPARED.get(str(operation)):
        prepare(world)
    body, query = body_of(operation, world), query_of(operation, world)
    if str(operation) in BODIES:
        body |= BODIES[str(operation)]
    told.rows()
    response = call(operation, world, body=body, query=query, path=named)
    return Called(response.status_code, told.rows())


@pytest.fixture
def world(app: Flask, parts: State) -> World:
    """A tenant of its own, whose texts all carry the marker."""
    return World(new_caller(app, parts, ALL_SCOPES, None), MARKER)


@pytest.fixture
def told(world: World, parts: State) -> Told:
    """The events of that tenant."""
    return Told(parts, world.caller.tenant)


def expected(operation: Operation) -> list[str]:
    """Return the names that an operation's example tells; PATCH tells what PUT does."""
    name = f"PUT {operation.path}" if operation.verb == "PATCH" else str(operation)
    if name not in EXPECTED and name not in SILENT:
        pytest.fail(f"say in EXPECTED which events {name} writes, or in SILENT that it writes none")
    return sorted(EXPECTED.get(name, NOTHING).split())


class TestEveryWritingRoute:
    @each_writing
    def test_tells_of_exactly_what_it_changed(self, operation: Operation, world: World, told: Told) -> None:
        names = expected(operation)
        found = called(operation, world, told)
        assert found.status < 300
        assert sorted(event["type"] for event in found.events) == names
        for event in found.events:
            plain(event)

    @pytest.mark.parametrize("operation", [each for each in WRITING if each.parameters], ids=str)
    def test_tells_of_nothing_when_it_is_refused(self, operation: Operation, world: World, told: Told) -> None:
        last = operation.parameters[-1]
        found = called(operation, world, told, **{last: "nobody-has-it" if last == "slug" else str(uuid.uuid4())})
        assert found.status in (404, 409, 422)
        assert found.events == []


def plain(event: dict[str, Any]) -> None:
    """Assert that an event says ids, numbers and names of fields, and no word that a client stored."""
    assert event["type"] in EVENTS
    assert event["noun"] == noun_of(event["type"])
    assert is_uuid(event["noun_id"])
    assert event["data"].keys() <= FACTS[event["noun"]].keys()
    assert MARKER not in str(event)
    for name, value in event["data"].items():
        if name == "changed":
            assert value == sorted(set(value))
            assert set(value) <= fields_of(event["noun"]), f"{value}: not what the wire calls the fields"
        else:
            assert isinstance(value, int) or name.endswith("_type") or is_uuid(value)


def fields_of(noun: str) -> set[str]:
    """Return what the wire calls the fields of a noun."""
    schema = {"key": "KeyInfoOut", "webhook": "WebhookMade"}.get(noun, f"{noun.capitalize()}Out")
    return set(document()["components"]["schemas"][schema]["properties"])


@pytest.mark.static
class TestNames:
    def test_every_event_is_told_somewhere(self) -> None:
        assert EVENTS.keys() - names_told() == set()

    def test_no_event_is_told_that_is_not_documented(self) -> None:
        assert names_told() - EVENTS.keys() == set()

    def test_every_noun_with_events_says_its_facts(self) -> None:
        assert {noun_of(name) for name in EVENTS} == FACTS.keys()


def names_told() -> set[str]:
    """Return the names of events that the code gives to what makes events."""
    return {
        text
        for module in sources.modules("graph", "app")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and node.args and called_name(node) in MAKERS
        for text in texts(node.args[0])
    }


def called_name(node: ast.Call) -> str:
    """Return the last name of what is called."""
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def texts(argument: ast.expr) -> Iterator[str]:
    """Yield the names that an argument may be; one with a noun before `.word` stands for all nouns with that word."""
    for node in ast.walk(argument):
        if isinstance(node, ast.JoinedStr) and isinstance(node.values[-1], ast.Constant):
            end = str(node.values[-1].value)
            yield from (noun + end for noun in FACTS if noun + end in EVENTS)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value[1:]:
            yield node.value

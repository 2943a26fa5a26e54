"""What an encrypted namespace answers is what any other answers: one story is told to both, and both are asked."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

from app.scopes import ALL_SCOPES
from app.state import State
from app.workers.topics import find_topics
from tests.callers import Caller, new_caller
from tests.contract.test_sealed import sealed_caller

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)|\b1[678]\d{8}(?:\d{3})?\b")
QUESTIONS = (
    "Who moved the Billing Service?", "What does Priya Raman like?", "Where is the database?", "When was the launch?",
)  # fmt: skip


def told(app: Flask, parts: State, caller: Caller) -> Caller:
    """Tell a caller's namespace a story, with everything around it."""
    session = caller.post("/v1/sessions", {"external_id": "one", "title": "Moving house", "metadata": {"a": 1}})
    ids = [
        caller.remember(
            content, session_id=session.get_json()["id"], metadata={"number": number, "odd": number % 2 == 1},
            title=f"Note {number}", importance=0.5 + number / 100, project="billing",
        )["id"]
        for number, content in enumerate(STORY)
    ]  # fmt: skip
    caller.put(f"/v1/memories/{ids[1]}", {"content": STORY[1] + " since Monday", "metadata": {"by": "Priya"}})
    caller.put(f"/v1/memories/{ids[2]}", {"visibility": "confidential"})
    caller.delete(f"/v1/memories/{ids[3]}")
    caller.post("/v1/memories", {"content": STORY[4] + " now", "agent_id": "iris", "supersedes": ids[4]})
    caller.put(f"/v1/sessions/{session.get_json()['id']}/end", {"summary": "All is moved"})
    caller.put(f"/v1/sessions/{session.get_json()['id']}/end", {"summary": "All is moved"})
    made = [
        caller.post("/v1/entities", {"name": name, "entity_type": "project", "metadata": {"of": name}}).get_json()["id"]
        for name in ("Billing Service", "Dunning Engine", "Ledger")
    ]
    caller.post(f"/v1/entities/{made[0]}/aliases", {"alias": "Invoice Robot"})
    caller.post(f"/v1/entities/{made[0]}/aliases", {"alias": "Accounts Engine"})
    relate = {"target_id": made[1], "relationship_type": "depends_on", "metadata": {"since": "March"}}
    caller.post(f"/v1/entities/{made[0]}/relationships", relate)
    caller.post(f"/v1/entities/{made[0]}/relationships", {**relate, "metadata": {"since": "May"}})
    caller.put(f"/v1/entities/{made[1]}", {"name": "Reminder Engine"})
    caller.post(f"/v1/entities/{made[2]}/merge", {"into": made[1]})
    decision = {"title": "Stay on PostgreSQL", "rationale": "Priya Raman knows it", "memory_ids": ids[:2]}
    one = caller.post("/v1/decisions", decision).get_json()["id"]
    caller.post(f"/v1/decisions/{one}/supersede", {"title": "Move to Oracle", "rationale": "The auditors ask for it"})
    caller.post(
        "/v1/patterns", {"title": "Idempotent writers", "description": "Every write takes a key", "tags": ["a"]}
    )
    caller.put("/v1/projects/billing", {"name": "Billing", "stack": {"languages": ["python"]}, "metadata": {"t": 1}})
    find_topics(parts.graph, caller.tenant)
    return caller


STORY = (
    "Priya Raman moved the Billing Service from Oracle to PostgreSQL in Lisbon",
    "Priya Raman likes green tea and long walks",
    "The launch of the Ledger was on 8 May 2023",
    "Tomas Novak forgot the password of the Dunning Engine",
    "Tomas Novak keeps the backups in Porto",
    "The database of the Billing Service is in Lisbon",
    "Priya Raman and Tomas Novak met in Porto to plan the launch",
    "Nobody eats lunch at noon on Fridays",
    "The Dunning Engine writes to the Billing Service every night",
    "Ada Lind asked whether the Ledger holds in winter",
)


@pytest.fixture(scope="module")
def plain(app: Flask, parts: State) -> Caller:
    return told(app, parts, new_caller(app, parts, ALL_SCOPES, None))


@pytest.fixture(scope="module")
def sealed(app: Flask, parts: State) -> Caller:
    return told(app, parts, sealed_caller(app, parts))


def masked(value: Any) -> Any:
    """Return an answer without what differs between any two namespaces: ids and times."""
    if isinstance(value, dict):
        kept = {name: masked(each) for name, each in value.items() if name not in ("timings", "timing", "took_ms")}
        return {name: "ms" if name.endswith("_ms") else each for name, each in kept.items()}
    if isinstance(value, list):
        return [masked(each) for each in value]
    if isinstance(value, str):
        return TIME.sub("time", UUID.sub("id", value))
    return "time" if isinstance(value, int) and value > 1_600_000_000 else value


def answers(caller: Caller, path: str, **query: Any) -> Any:
    response = caller.get(path, query_string=query) if query else caller.get(path)
    assert response.status_code == 200, response.get_json()
    return masked(response.get_json())


def by_content(found: Any) -> Any:
    return sorted(found, key=repr)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/memories", "/v1/memories?include_superseded=true", "/v1/sessions", "/v1/decisions", "/v1/patterns",
        "/v1/projects", "/v1/memories/stats", "/v1/projects/billing/context", "/v1/events?from=oldest&limit=200",
        "/v1/memories?metadata_filter=%7B%22odd%22%3Atrue%7D",
    ],
)  # fmt: skip
def test_lists_are_equal(plain: Caller, sealed: Caller, path: str) -> None:
    assert answers(sealed, path) == answers(plain, path)


@pytest.mark.parametrize("path", ["/v1/entities?limit=100", "/v1/memories/changes?limit=100"])
def test_lists_whose_equals_have_no_order_are_equal_but_for_it(plain: Caller, sealed: Caller, path: str) -> None:
    here, there = answers(sealed, path), answers(plain, path)
    assert by_content(here["data"]) == by_content(there["data"])


@pytest.mark.parametrize("q", ["Billing Service", "invoice robot", "reminder", "engine", "Ledger", "Raman"])
def test_names_are_found_alike(plain: Caller, sealed: Caller, q: str) -> None:
    here, there = answers(sealed, "/v1/entities", q=q)["data"], answers(plain, "/v1/entities", q=q)["data"]
    assert here[:1] == there[:1]
    assert by_content(here) == by_content(there)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_search_by_meaning_is_equal_and_names_lead_as_far(plain: Caller, sealed: Caller, question: str) -> None:
    def asked(caller: Caller, **more: Any) -> Any:
        return [masked(hit) for hit in caller.search(question, limit=20, **more)]

    assert asked(sealed, search_mode="semantic") == asked(plain, search_mode="semantic")
    assert asked(sealed, search_mode="semantic", metadata_filter={"odd": True}) == asked(
        plain, search_mode="semantic", metadata_filter={"odd": True}
    )
    # Without the keyword arm of both, the graph leads to the same.
    arms = ["vectors", "session", "graph", "entities"]
    assert [hit["memory"]["content"] for hit in asked(sealed, arms=arms)] == [
        hit["memory"]["content"] for hit in asked(plain, arms=arms)
    ]

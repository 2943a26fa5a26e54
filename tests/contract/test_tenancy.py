"""Nothing of one tenant is seen or changed by another, over every route: planted words, ids, names and slugs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from app.scopes import ALL_SCOPES
from app.services.keys import make_key
from app.state import State
from graph.keys import KeyRepository
from tests.callers import Caller, new_caller
from tests.contract.examples import MAKERS, World, body_of, call, maker_of, path_of, query_of, scope_of
from tests.contract.footprint import footprint
from tests.contract.operations import GUARDED, Operation, conforms

MARKER = "zqkestrel"
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What belongs to the account, not to one namespace of it.
ACCOUNT_WIDE = ("/v1/keys", "/v1/usage", "/v1/audit")
# These answer for each item by itself, or erase whatever there may still be of an id in the caller's own tenant.
PER_ITEM = {"POST /v1/memories/batch", "POST /v1/erasures"}

PLACES = [(operation, where) for operation in GUARDED for where in ("account", "namespace")]
PLACES = [(o, where) for o, where in PLACES if where == "account" or not o.path.startswith(ACCOUNT_WIDE)]
each_place = pytest.mark.parametrize(("operation", "elsewhere"), PLACES, ids=[f"{o} other {w}" for o, w in PLACES])


@dataclass(frozen=True)
class Victim:
    """A tenant full of marked things, and every id its answers ever showed."""

    world: World
    ids: frozenset[str]


@pytest.fixture(scope="module")
def victim(app: Flask, parts: State) -> Victim:
    """A tenant in which every creating and changing route was called."""
    world = World(new_caller(app, parts, ALL_SCOPES, None), MARKER)
    for name in MAKERS:
        world.id(name)
    seen = set(world.made.values())
    for operation in GUARDED:
        if operation.verb in ("POST", "PUT", "PATCH"):
            # A world of its own for each, so that one call does not take away what another needs.
            response = call(operation, World(world.caller, MARKER))
            assert response.status_code < 300, (str(operation), response.get_json())
            seen |= set(UUID.findall(response.get_data(as_text=True)))
    return Victim(world, frozenset(found for found in seen if UUID.fullmatch(found)))


@pytest.fixture(scope="module")
def neighbours(app: Flask, parts: State, victim: Victim) -> dict[str, Caller]:
    """A caller of another account, and one of another namespace in the victim's account; both hold the same texts."""
    found = {where: elsewhere_caller(app, parts, victim, where) for where in ("account", "namespace")}
    for caller in found.values():
        world = World(caller)
        for name in MAKERS:
            world.id(name)
    return found


def elsewhere_caller(app: Flask, parts: State, victim: Victim, where: str) -> Caller:
    """Return a caller in a fresh tenant: in another account, or in another namespace of the victim's."""
    if where == "account":
        return new_caller(app, parts, ALL_SCOPES, None)
    account = victim.world.caller.account
    keys = KeyRepository(parts.graph, account)
    namespace = f"other-{len(keys.tenants())}"
    key, _ = make_key(keys, parts.pepper, namespace, {"scopes": list(ALL_SCOPES)})
    tenant = next(row["id"] for row in keys.tenants() if row["namespace"] == namespace)
    return Caller(app, key, account, tenant)


def strings(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


class TestOtherTenant:
    @each_place
    def test_shows_nothing_in_what_is_the_callers_own(
        self, operation: Operation, elsewhere: str, victim: Victim, neighbours: dict[str, Caller]
    ) -> None:
        response = call(operation, World(neighbours[elsewhere]))
        text = response.get_data(as_text=True)
        assert response.status_code < 300, text
        assert MARKER not in text
        assert victim.ids.intersection(UUID.findall(text)) == set()

    @each_place
    def test_is_out_of_reach_by_its_ids_and_names(
        self, operation: Operation, elsewhere: str, victim: Victim, app: Flask, parts: State
    ) -> None:
        # A caller for this call alone: it may come to own a project by the name it was given.
        world = World(elsewhere_caller(app, parts, victim, elsewhere), names=victim.world)
        body, query = body_of(operation, world), query_of(operation, world)
        before = footprint(parts, victim.world.caller)
        response = call(operation, world, body=body, query=query)
        conforms(operation, response)
        named = {*strings(body), *strings(query), path_of(operation, world)}
        text = response.get_data(as_text=True)
        asked = {victim.world.id(maker_of(operation, name)) for name in operation.parameters}
        for known in sorted(named | asked, key=len, reverse=True):
            text = text.replace(known, "")
        assert MARKER not in text
        assert victim.ids.intersection(UUID.findall(text)) == set()
        after = footprint(parts, victim.world.caller)
        # The keys of the account, last in the list, are the business of all its namespaces.
        assert (after if elsewhere == "account" else after[:-1]) == before[: len(before) - (elsewhere != "account")]
        if operation.parameters:
            assert response.status_code == 404, response.get_json()
        elif victim.ids & named and scope_of(operation) != "read" and str(operation) not in PER_ITEM:
            assert response.status_code in (400, 404), response.get_json()


def test_the_victim_is_worth_looking_at(victim: Victim, parts: State) -> None:
    response = victim.world.caller.post("/v1/memories/search", {"query": MARKER, "limit": 100})
    assert MARKER in response.get_data(as_text=True)
    assert len(victim.ids) > 20
    labels = {row.get("label") for row in footprint(parts, victim.world.caller)}
    assert labels >= {"Memory", "Agent", "Session", "Project", "Entity"}

"""Callers that the generated tests share: one tenant, and keys of every kind for it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import pytest
from flask import Flask

from app import crypto
from app.scopes import ALL_SCOPES
from app.state import State
from graph.clock import now_ms
from graph.keys import KeyRepository
from tests.callers import Caller, new_caller
from tests.contract.examples import World


@dataclass(frozen=True)
class Crew:
    """`all` may do everything, `only[scope]` just that, `but[scope]` everything else; `bad` keys are of no use."""

    all: Caller
    only: dict[str, Caller]
    but: dict[str, Caller]
    bad: dict[str, Caller]


@pytest.fixture(scope="session")
def crew(app: Flask, parts: State) -> Crew:
    """One tenant with its callers."""
    whole = new_caller(app, parts, ALL_SCOPES, None)

    def may(*scopes: str) -> Caller:
        return new_caller(app, parts, scopes, whole)

    revoked, expired = may(*ALL_SCOPES), may(*ALL_SCOPES)
    keys = KeyRepository(parts.graph, whole.account)
    by_digest = {crypto.key_digest(parts.pepper, one.key): one for one in (revoked, expired)}
    for row in parts.graph.read(IDS_OF, digests=list(by_digest)):
        if by_digest[row["digest"]] is revoked:
            keys.revoke(row["id"])
        else:
            parts.graph.write(EXPIRE, digest=row["digest"], past=now_ms() - 1)
    # `admin` includes the others, so a key without a scope must lack that too.
    rest = {scope: [other for other in ALL_SCOPES if other not in (scope, "admin")] for scope in ALL_SCOPES}
    return Crew(
        all=whole,
        only={scope: may(scope) for scope in ALL_SCOPES},
        but={scope: may(*others) for scope, others in rest.items()},
        bad={
            "no": Caller(app, "", ""),
            "an unknown": Caller(app, f"mem_prod_{uuid.uuid4().hex}{uuid.uuid4().hex}", ""),
            "a malformed": Caller(app, "mem_prod_ü'}) RETURN 1 //", ""),
            "an endless": Caller(app, "mem_prod_" + "a" * 5000, ""),
            "a revoked": revoked,
            "an expired": expired,
        },
    )


IDS_OF = "MATCH (k:ApiKey) WHERE k.digest IN $digests RETURN k.id AS id, k.digest AS digest"
EXPIRE = "MATCH (k:ApiKey {digest: $digest}) SET k.expires_at = $past"


@pytest.fixture
def world(crew: Crew) -> World:
    """A caller that may do everything, and nothing made yet."""
    return World(crew.all)

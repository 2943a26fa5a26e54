"""Callers with keys that were made for a dialect, good ones and refused ones."""

from __future__ import annotations

import uuid
from dataclasses import replace

from flask import Flask

from app import crypto
from app.clock import now_ms
from app.dialects import Dialect
from app.services.keys import make_key
from app.state import State
from graph.keys import KeyRepository
from tests.callers import Caller

EXPIRE = "MATCH (k:ApiKey {account: $account, id: $id}) SET k.expires_at = $past"


def speaker(
    app: Flask, parts: State, dialect: Dialect, *scopes: str, namespace_of: Caller | None = None, name: str = ""
) -> Caller:
    """Return a caller with a new key for a dialect.

    It is in an account of its own, in the namespace `name` there, or in that of another caller. Without scopes it has
    those that the dialect gives.
    """
    account = namespace_of.account if namespace_of else f"test-{uuid.uuid4()}"
    keys = KeyRepository(parts.graph, account)
    if namespace_of:
        name = next(row["namespace"] for row in keys.tenants() if row["id"] == namespace_of.tenant)
    key, row = make_key(keys, parts.pepper, name or None, {"scopes": list(scopes or dialect.scopes)}, dialect)
    return Caller(app, key, account, row["tenant"])


def refused(app: Flask, parts: State, dialect: Dialect) -> dict[str, Caller]:
    """Return callers whose keys are of no use, by what is the matter: unknown, malformed, endless, revoked, expired."""
    revoked, expired = speaker(app, parts, dialect), speaker(app, parts, dialect)
    KeyRepository(parts.graph, revoked.account).revoke(id_of(parts, revoked), even_last=True)
    past = {"account": expired.account, "id": id_of(parts, expired), "past": now_ms() - 1}
    parts.graph.write(EXPIRE, **past)
    return {
        "unknown": replace(revoked, key=dialect.new_key()),
        "malformed": replace(revoked, key="'}) RETURN 1 //"),
        "endless": replace(revoked, key=dialect.new_key() + "a" * 5_000),
        "revoked": revoked,
        "expired": expired,
    }


def id_of(parts: State, caller: Caller) -> str:
    """Return the id of a caller's key."""
    digest = crypto.key_digest(parts.pepper, caller.key)
    rows = parts.graph.read("MATCH (k:ApiKey {digest: $digest}) RETURN k.id AS id", digest=digest)
    return str(rows[0]["id"])

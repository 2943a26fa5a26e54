"""`loci keys`: what a person at the machine can do without having a key."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import loci
from app.state import State
from graph.driver import Connection
from tests.callers import Caller, error_of
from tests.conftest import PEPPER

Run = Callable[..., Result]


@pytest.fixture
def account() -> str:
    """The name of an account that nobody has."""
    return f"test-{uuid.uuid4()}"


@pytest.fixture
def run(connection: Connection, account: str, tmp_path: Path, parts: State) -> Run:
    """Run `loci keys ...` for that account on the tests' database."""
    environment = {
        "NEO4J_URI": connection.uri, "NEO4J_USER": connection.user, "NEO4J_PASSWORD": connection.password,
        "LOCI_HOME": str(tmp_path), "LOCI_KEY_PEPPER": PEPPER,
    }  # fmt: skip

    def call(*arguments: str) -> Result:
        return CliRunner().invoke(loci, ["keys", *arguments, "--account", account], env=environment)

    return call


def test_a_key_is_made_listed_rotated_and_revoked(run: Run, account: str, parts: State, anonymous: Caller) -> None:
    made = run("create", "--name", "ci", "--scope", "admin", "--namespace", "team-a")
    key = made.stdout.strip()
    id = re.search(r"id (\S+),", made.stderr)
    assert id is not None
    holder = Caller(anonymous.app, key, account)
    assert holder.get("/v1/keys").get_json()["data"][0]["namespace"] == "team-a"
    listed = run("list").stdout
    assert id[1] in listed
    assert "active" in listed
    assert key not in listed

    rotated = run("rotate", id[1], "--grace-hours", "0")
    error_of(holder.get("/v1/keys"), 401)
    fresh = Caller(anonymous.app, rotated.stdout.strip(), account)
    own = fresh.get("/v1/keys").get_json()["data"][0]["id"]
    assert re.search(rf"id {own}; the old key works for 0 hours more", rotated.stderr)

    assert run("revoke", own).exit_code == 0, "even the last admin key: a new one can be made here"
    error_of(fresh.get("/v1/keys"), 401)
    assert run("list").stdout.count("ended") == 2


def test_a_key_of_another_account_is_not_found(run: Run, caller: Caller, unknown_id: str) -> None:
    other = caller.get("/v1/keys").get_json()["data"][0]["id"]
    for id in (other, unknown_id):
        for verb in ("revoke", "rotate"):
            result = run(verb, id)
            assert result.exit_code == 1
            assert "API key not found" in str(result.exception)
    assert caller.get("/v1/keys").status_code == 200


def test_hours_out_of_range_are_refused_with_the_range(run: Run, unknown_id: str) -> None:
    result = run("rotate", unknown_id, "--grace-hours", "721")
    assert result.exit_code == 2
    assert "0<=x<=720" in result.stderr

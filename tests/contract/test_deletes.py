"""Deleting, over every route that does: by many at once, with a body where it is asked for, and once and for all."""

from __future__ import annotations

from functools import partial

import pytest

from tests.contract.examples import World, body_of, call, path_of, query_of
from tests.contract.operations import OPERATIONS, Operation, conforms
from tests.together import at_once

DELETES = [operation for operation in OPERATIONS if operation.verb == "DELETE"]
READABLE = {operation.path for operation in OPERATIONS if operation.verb == "GET"}
# A revoked key can still be looked at.
STAYS = {"/v1/keys/{key_id}"}
# Those who put a state that holds already: revoked is revoked.
REPEATABLE = {"DELETE /v1/keys/{key_id}"}
each_delete = pytest.mark.parametrize("operation", DELETES, ids=str)


@each_delete
def test_by_sixteen_at_once_is_done_by_one(operation: Operation, world: World) -> None:
    path, body, query = path_of(operation, world), body_of(operation, world), query_of(operation, world)
    answers = at_once([partial(world.caller.call, "DELETE", path, body, query_string=query)] * 16)
    for answer in answers:
        conforms(operation, answer)
    done = 16 if str(operation) in REPEATABLE else 1
    assert sum(answer.status_code in (200, 204) for answer in answers) == done
    assert sum(answer.status_code == 404 for answer in answers) == 16 - done


@each_delete
def test_answers_with_a_body_where_it_is_asked_for(operation: Operation, world: World) -> None:
    response = call(operation, world, headers={"Prefer": "return=representation"})
    conforms(operation, response)
    assert response.status_code == 200
    assert response.get_json()["deleted"] is True


@pytest.mark.parametrize(
    "operation", [o for o in DELETES if o.path in READABLE - STAYS and o.path.endswith("}")], ids=str
)
def test_makes_it_unknown(operation: Operation, world: World) -> None:
    path = path_of(operation, world)
    assert call(operation, world).status_code < 300
    assert world.caller.delete(path).status_code == 404
    assert world.caller.get(path).status_code == 404

"""What one API stored is found by all others with a key for the same namespace; any key does for any of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.compat import DIALECTS
from app.state import State
from tests.callers import Caller
from tests.workers.test_embed_pending import work_off

TEXT = "Marta keeps the spare key of the boathouse under the third flowerpot"
QUESTION = "where is the spare key of the boathouse?"


def ok(caller: Caller, verb: str, path: str, json: Any = None, **options: Any) -> Any:
    """Send a request that must be answered well; return the body."""
    response = caller.call(verb, path, json, headers={"azen-api-key": caller.key}, **options)
    assert response.status_code in (200, 201, 202), (path, response.get_data(as_text=True))
    return response.get_json()


def through_native(caller: Caller) -> None:
    caller.remember(TEXT)


def through_azen(caller: Caller) -> None:
    ok(caller, "POST", "/azen/api/v1/memory", {"text": TEXT})


def through_agentmemo(caller: Caller) -> None:
    ok(caller, "POST", "/agentmemo/memory/store", {"user_id": "u_77", "agent_id": "desk", "content": TEXT})


def through_sendryx(caller: Caller) -> None:
    ok(caller, "POST", "/sendryx/v1/memory/store", {"content": TEXT})


def by_native(caller: Caller) -> list[str]:
    return [hit["memory"]["content"] for hit in caller.search(QUESTION)]


def by_azen(caller: Caller) -> list[str]:
    return [hit["content"] for hit in ok(caller, "POST", "/azen/api/v1/memory/search", {"query": QUESTION})["memories"]]


def by_agentmemo(caller: Caller) -> list[str]:
    found = ok(caller, "GET", "/agentmemo/memory/retrieve", query_string={"q": QUESTION, "user_id": "u_77"})
    return [hit["content"] for hit in found["results"]]


def by_sendryx(caller: Caller) -> list[str]:
    found = ok(caller, "GET", "/sendryx/v1/memory/search", query_string={"query": QUESTION})
    return [hit["content"] for hit in found["results"]]


DOORS: dict[str, tuple[Callable[[Caller], None], Callable[[Caller], list[str]]]] = {
    "native": (through_native, by_native),
    "azen": (through_azen, by_azen),
    "agentmemo": (through_agentmemo, by_agentmemo),
    "sendryx": (through_sendryx, by_sendryx),
}
NAMES = ["native", *(dialect.name for dialect in DIALECTS)]


@pytest.mark.parametrize("one", NAMES)
def test_what_one_api_stored_is_found_by_all(one: str, caller: Caller, stranger: Caller, parts: State) -> None:
    DOORS[one][0](caller)
    work_off(parts, caller)
    assert {name: DOORS[name][1](caller) for name in NAMES} == {name: [TEXT] for name in NAMES}
    assert {name: DOORS[name][1](stranger) for name in NAMES} == {name: [] for name in NAMES}

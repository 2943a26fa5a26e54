"""Searches, contexts and questions as at a past moment, over HTTP."""

from typing import Any

import pytest

from tests.callers import Caller, error_of
from tests.resources.test_moments import at, then

QUESTION = "where does Ada live?"


@pytest.fixture
def moved(caller: Caller) -> str:
    """Tell three towns, one after the other, and return the memory's id."""
    with at(0):
        id = caller.remember("Ada lives in Lisbon")["id"]
    for number, place in enumerate(("Porto", "Braga"), 1):
        with at(number):
            caller.patch(f"/v1/memories/{id}", json={"content": f"Ada lives in {place}"})
    return str(id)


def told(caller: Caller, **body: Any) -> list[str]:
    """Return the texts of the hits of a search."""
    response = caller.post("/v1/memories/search", json={"query": QUESTION, **body})
    assert response.status_code == 200, response.get_json()
    return [hit["memory"]["content"] for hit in response.get_json()["data"]]


@pytest.mark.parametrize("mode", ["hybrid", "semantic", "keyword"])
@pytest.mark.parametrize(("minute", "place"), [(0, "Lisbon"), (1, "Porto"), (2, "Braga")])
def test_a_search_finds_what_was_said_then(caller: Caller, moved: str, mode: str, minute: int, place: str) -> None:
    assert told(caller, as_of=then(minute), search_mode=mode) == [f"Ada lives in {place}"]


def test_a_search_finds_by_words_that_are_no_longer_there(caller: Caller, moved: str) -> None:
    assert told(caller, query="Lisbon", search_mode="keyword") == []
    assert told(caller, query="Lisbon", search_mode="keyword", as_of=then(0)) == ["Ada lives in Lisbon"]


def test_what_was_stored_later_is_not_found(caller: Caller, moved: str) -> None:
    with at(5):
        caller.remember("Ada lives with Ben")
    assert told(caller, as_of=then(4)) == ["Ada lives in Braga"]


def test_the_future_is_refused(caller: Caller) -> None:
    response = caller.post("/v1/memories/search", json={"query": QUESTION, "as_of": "2999-01-01T00:00:00Z"})
    assert "as_of" in error_of(response, 422)["message"]


def test_a_context_is_built_of_the_texts_of_then(caller: Caller, moved: str) -> None:
    body = {"query": QUESTION, "threshold": 0, "as_of": then(1)}
    context = caller.post("/v1/memories/context", json=body).get_json()
    assert "Porto" in context["context"]
    assert "Braga" not in str(context)
    built = caller.post("/v2/context/build", json=body).get_json()
    assert "Porto" in str(built)
    assert "Braga" not in str(built)


def test_a_question_is_answered_as_then(caller: Caller, moved: str) -> None:
    answer = caller.post("/v1/ask", json={"question": QUESTION, "as_of": then(0), "method": "extractive"}).get_json()
    assert "Braga" not in str(answer)
    assert [hit["content"] for hit in answer["hits"]] == ["Ada lives in Lisbon"]

"""Vectors over HTTP."""

import math
from typing import Any

import pytest

from app.state import State
from tests.callers import Caller, error_of


class TestEmbed:
    def test_a_vector_has_the_models_length_and_length_one(self, caller: Caller, parts: State) -> None:
        body = caller.post("/v1/embed", {"text": "Where does the zorblat live?"}).get_json()
        assert len(body["embedding"]) == body["dimension"] == parts.space.dimensions
        assert math.isclose(sum(x * x for x in body["embedding"]), 1.0, rel_tol=1e-4)
        assert body["model"] == parts.embedder.name

    @pytest.mark.parametrize("prefix", ["search_query", "search_document", None])
    def test_it_is_the_vector_that_is_stored_or_asked_with(self, caller: Caller, parts: State, prefix: Any) -> None:
        body = caller.post("/v1/embed", {"text": "zorblat", "prefix": prefix}).get_json()
        embedder = parts.embedder
        own = (
            embedder.embed_documents(["zorblat"])[0] if prefix == "search_document" else embedder.embed_query("zorblat")
        )
        assert body["embedding"] == pytest.approx(own.tolist())

    @pytest.mark.parametrize(
        "body", [{}, {"text": ""}, {"text": "  "}, {"text": None}, {"text": 7}, {"text": "x" * 50_001},
                 {"text": "x", "prefix": "clustering"}, {"text": "a\x00b"}]
    )  # fmt: skip
    def test_bad_bodies_are_refused(self, caller: Caller, body: dict[str, Any]) -> None:
        error_of(caller.post("/v1/embed", body), 422)

    def test_reading_is_enough_and_a_key_is_needed(self, make_caller: Any, anonymous: Caller) -> None:
        assert make_caller("read").post("/v1/embed", {"text": "x"}).status_code == 200
        error_of(anonymous.post("/v1/embed", {"text": "x"}), 401)

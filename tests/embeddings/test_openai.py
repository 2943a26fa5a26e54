import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from app.embeddings.base import EmbedderMisconfigured, EmbedderUnavailable
from app.embeddings.openai import OpenAIEmbedder, OpenAIOptions
from tests.embeddings.model_server import DIMENSIONS, ModelServer

Connect = Callable[..., OpenAIEmbedder]


@pytest.fixture
def connect(model_server: ModelServer) -> Iterator[Connect]:
    made: list[OpenAIEmbedder] = []

    def make(**changes: Any) -> OpenAIEmbedder:
        options = {"model": "acme-embed", "base_url": model_server.base_url, "api_key": "sk-test", "first_wait": 0.01}
        made.append(OpenAIEmbedder(OpenAIOptions(**{**options, **changes})))
        return made[-1]

    yield make
    for embedder in made:
        embedder.close()


class TestEmbedDocuments:
    def test_vectors_are_in_the_order_of_the_texts_whatever_the_order_of_the_answer(self, connect: Connect) -> None:
        embedder = connect()
        texts = [f"memory number {number}" for number in range(5)]
        together = embedder.embed_documents(texts)
        for text, vector in zip(texts, together, strict=True):
            assert np.array_equal(vector, embedder.embed_documents([text])[0])

    def test_vectors_have_length_one(self, connect: Connect) -> None:
        (vector,) = connect().embed_documents(["tea"])
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-6)

    def test_many_texts_go_in_batches(self, connect: Connect, model_server: ModelServer) -> None:
        assert len(connect().embed_documents([f"text {number}" for number in range(130)])) == 130
        assert [len(request["input"]) for request in model_server.requests] == [64, 64, 2]

    def test_long_texts_go_in_smaller_batches(self, connect: Connect, model_server: ModelServer) -> None:
        connect(max_bytes=90_000).embed_documents(["a" * 90_000] * 5)
        assert [len(request["input"]) for request in model_server.requests] == [2, 2, 1]

    def test_a_text_is_cut_to_what_the_model_can_read_and_never_inside_a_character(
        self, connect: Connect, model_server: ModelServer
    ) -> None:
        connect(max_bytes=10).embed_documents(["tea" * 10, "茶" * 10])
        assert model_server.requests[0]["input"] == ["teateateat", "茶茶茶"]

    def test_no_texts_ask_nothing(self, connect: Connect, model_server: ModelServer) -> None:
        assert connect().embed_documents([]) == []
        assert model_server.requests == []

    def test_a_blank_text_is_refused_before_anything_is_sent(self, connect: Connect, model_server: ModelServer) -> None:
        with pytest.raises(ValueError, match=r"texts\[1\]"):
            connect().embed_documents(["tea", ""])
        assert model_server.requests == []


class TestEmbedQuery:
    def test_a_question_asked_again_is_not_sent_again(self, connect: Connect, model_server: ModelServer) -> None:
        embedder = connect()
        assert embedder.embed_query("who?") is embedder.embed_query("who? ")
        assert len(model_server.requests) == 1

    def test_a_failure_is_not_remembered(self, connect: Connect, model_server: ModelServer) -> None:
        embedder = connect()
        model_server.fail(401)
        with pytest.raises(EmbedderMisconfigured):
            embedder.embed_query("who?")
        assert embedder.embed_query("who?").shape == (DIMENSIONS,)

    def test_the_key_is_sent(self, connect: Connect, model_server: ModelServer) -> None:
        connect().embed_query("who?")
        assert model_server.headers[0]["authorization"] == "Bearer sk-test"

    def test_without_a_key_none_is_taken_from_the_environment(
        self, connect: Connect, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-somebody-else")
        connect(api_key=None).embed_query("who?")
        assert "sk-of-somebody-else" not in model_server.headers[0]["authorization"]

    def test_the_question_is_not_logged(self, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            connect().embed_query("where is the treasure?")
        assert "treasure" not in caplog.text


class TestDimensions:
    def test_they_come_from_the_first_answer(self, connect: Connect) -> None:
        assert connect().dimensions == DIMENSIONS

    def test_a_setting_is_sent_to_the_model(self, connect: Connect, model_server: ModelServer) -> None:
        embedder = connect(dimensions=32)
        assert embedder.dimensions == 32
        assert embedder.embed_query("who?").shape == (32,)
        assert model_server.requests[0]["dimensions"] == 32

    def test_no_setting_sends_none(self, connect: Connect, model_server: ModelServer) -> None:
        connect().embed_query("who?")
        assert "dimensions" not in model_server.requests[0]

    def test_a_model_that_ignores_the_setting_is_refused(self, connect: Connect, model_server: ModelServer) -> None:
        model_server.edit = lambda body: body["data"][0].update(embedding=[1.0] * 48)
        with pytest.raises(EmbedderMisconfigured, match="48 numbers where 32 are expected"):
            connect(dimensions=32).embed_query("who?")

    def test_an_answer_of_another_length_than_the_first_is_refused(
        self, connect: Connect, model_server: ModelServer
    ) -> None:
        embedder = connect()
        embedder.embed_query("who?")
        model_server.edit = lambda body: body["data"][0].update(embedding=[1.0] * 48)
        with pytest.raises(EmbedderMisconfigured, match="48"):
            embedder.embed_query("what?")

    def test_a_first_answer_of_mixed_lengths_decides_nothing(self, connect: Connect, model_server: ModelServer) -> None:
        embedder = connect()
        model_server.edit = lambda body: body["data"][0].update(embedding=[1.0] * 48)
        with pytest.raises(EmbedderUnavailable, match="different lengths"):
            embedder.embed_documents(["tea", "bread"])
        model_server.edit = lambda body: None
        assert embedder.dimensions == DIMENSIONS


class TestBadAnswers:
    @pytest.mark.parametrize(
        "spoil",
        [
            pytest.param(lambda body: body["data"].pop(), id="one too few"),
            pytest.param(lambda body: body["data"].append(body["data"][0]), id="one too many"),
            pytest.param(lambda body: body["data"][0].update(index=0), id="the same index twice"),
            pytest.param(lambda body: body["data"][0].update(index=7), id="an index of nothing"),
            pytest.param(lambda body: body["data"][0].pop("index"), id="no index"),
            pytest.param(lambda body: body["data"][0]["embedding"].__setitem__(0, float("nan")), id="not a number"),
            pytest.param(lambda body: body["data"][0].update(embedding=[0.0] * DIMENSIONS), id="zero"),
            pytest.param(lambda body: body["data"][0].update(embedding=None), id="null"),
            pytest.param(lambda body: body["data"][0].update(embedding="AAAA"), id="text"),
            pytest.param(lambda body: body.update(data=None), id="no data"),
            pytest.param(lambda body: body.pop("data"), id="another shape"),
            pytest.param(lambda body: body.update(data=["tea", "bread"]), id="data of another shape"),
        ],
    )
    def test_they_are_refused_whole(
        self, connect: Connect, model_server: ModelServer, spoil: Callable[[dict[str, Any]], None]
    ) -> None:
        model_server.edit = spoil
        with pytest.raises(EmbedderUnavailable):
            connect().embed_documents(["tea", "bread"])

    @pytest.mark.parametrize(
        ("kind", "body"),
        [("text/html", b"<html>Welcome</html>"), ("application/json", b'{"data": ['), ("application/json", b"[]")],
    )
    def test_a_page_that_is_no_answer_is_refused(
        self, connect: Connect, model_server: ModelServer, kind: str, body: bytes
    ) -> None:
        model_server.script = [(200, {"Content-Type": kind}, body)]
        with pytest.raises(EmbedderUnavailable, match="not a list of embeddings"):
            connect().embed_query("who?")


class TestRetries:
    @pytest.mark.parametrize("status", [408, 429, 500, 503])
    def test_a_failure_that_passes_is_tried_again(
        self, connect: Connect, model_server: ModelServer, status: int
    ) -> None:
        model_server.fail(status)
        model_server.fail(status)
        assert connect().embed_query("who?").shape == (DIMENSIONS,)
        assert len(model_server.requests) == 3

    def test_a_failure_that_stays_is_given_up(self, connect: Connect, model_server: ModelServer) -> None:
        for _ in range(200):
            model_server.fail(500)
        with pytest.raises(EmbedderUnavailable, match="500"):
            connect(query_deadline=0.3).embed_query("who?")
        assert len(model_server.requests) > 1

    def test_a_wait_longer_than_the_deadline_is_passed_on_instead(
        self, connect: Connect, model_server: ModelServer
    ) -> None:
        model_server.fail(429, Retry_After="120")
        with pytest.raises(EmbedderUnavailable) as caught:
            connect().embed_query("who?")
        assert caught.value.retry_after == 120
        assert len(model_server.requests) == 1

    def test_an_empty_account_is_not_asked_again(self, connect: Connect, model_server: ModelServer) -> None:
        model_server.fail(429, code="insufficient_quota")
        with pytest.raises(EmbedderUnavailable, match="insufficient_quota"):
            connect().embed_query("who?")
        assert len(model_server.requests) == 1

    @pytest.mark.parametrize(
        ("status", "remedy"),
        [
            (400, "model name"),
            (401, "API key"),
            (403, "API key"),
            (404, "base URL"),
            (413, "longer"),
            (418, "base URL"),
        ],
    )
    def test_a_refusal_is_final_and_says_what_to_check(
        self, connect: Connect, model_server: ModelServer, status: int, remedy: str
    ) -> None:
        model_server.fail(status)
        with pytest.raises(EmbedderMisconfigured, match=str(status)) as caught:
            connect().embed_query("who?")
        assert remedy in caught.value.remedy
        assert len(model_server.requests) == 1

    def test_the_servers_own_words_are_not_repeated(self, connect: Connect, model_server: ModelServer) -> None:
        model_server.fail(400, message="cannot read 'where is the treasure?'")
        with pytest.raises(EmbedderMisconfigured) as caught:
            connect().embed_query("where is the treasure?")
        assert "treasure" not in str(caught.value)
        assert caught.value.__suppress_context__

    def test_a_server_that_is_not_there_is_unavailable(self, connect: Connect) -> None:
        embedder = connect(base_url="http://127.0.0.1:1/v1", query_deadline=0.2)
        with pytest.raises(EmbedderUnavailable, match="cannot be reached"):
            embedder.embed_query("who?")

    def test_a_server_that_never_answers_is_unavailable(self, connect: Connect, silent_url: str) -> None:
        with pytest.raises(EmbedderUnavailable, match="in time"):
            connect(base_url=silent_url, timeout=0.1, query_deadline=0.15).embed_query("who?")


class TestAbout:
    def test_the_identity_needs_no_network_and_no_address(self) -> None:
        here, there = (OpenAIOptions("m", base_url=f"http://127.0.0.1:{port}/v1") for port in (1, 2))
        assert OpenAIEmbedder(here).identity == OpenAIEmbedder(there).identity

    @pytest.mark.parametrize("change", [{"model": "n"}, {"dimensions": 8}, {"max_bytes": 100}])
    def test_the_identity_tells_apart_what_cannot_be_compared(self, change: dict[str, Any]) -> None:
        options = {"model": "m", "base_url": "http://127.0.0.1:1/v1"}
        plain, changed = OpenAIOptions(**options), OpenAIOptions(**{**options, **change})  # type: ignore[arg-type]
        assert OpenAIEmbedder(plain).identity != OpenAIEmbedder(changed).identity

    def test_closed_is_closed(self, connect: Connect) -> None:
        embedder = connect()
        embedder.embed_query("who?")
        embedder.close()
        embedder.close()
        with pytest.raises(EmbedderUnavailable, match="closed"):
            embedder.embed_query("who?")

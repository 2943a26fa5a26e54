"""Extraction by a chat model against a small server on loopback; the rules take over whenever it fails."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from app.services.extract import KnownNames, LlmExtractor, RulesExtractor

TEXT = "the team of Ada Lovelace moved zorblat to Berlin"
Answer = Callable[[BaseHTTPRequestHandler], None]


class FakeModel:
    """Answers /v1/chat/completions as `answer` says and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: Answer = entities()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                fake.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                try:
                    fake.answer(self)
                except OSError:
                    self.close_connection = True  # the client has gone, as it should when it is kept waiting

            def log_message(self, format: str, *args: object) -> None:
                """Keeps test output quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def content(text: str | None) -> Answer:
    body = {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}
    return lambda handler: send(handler, json.dumps(body).encode())


def entities(*pairs: tuple[object, object]) -> Answer:
    return content(json.dumps({"entities": [{"name": name, "type": kind} for name, kind in pairs]}))


def status(code: int) -> Answer:
    return lambda handler: send(handler, b'{"error": {"message": "secret detail"}}', code)


def drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(200):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.02)


def flood(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b" " * 1_000_000)


@pytest.fixture
def model() -> Iterator[FakeModel]:
    fake = FakeModel()
    yield fake
    fake.close()


@pytest.fixture
def extractor(model: FakeModel) -> Iterator[LlmExtractor]:
    made = LlmExtractor(model="tiny", api_key="not-a-key", base_url=model.url, timeout=0.5)
    yield made
    made.close()


class TestModelAnswers:
    def test_its_names_are_taken_with_their_place_and_type(self, model: FakeModel, extractor: LlmExtractor) -> None:
        model.answer = entities(("zorblat", "technology"), ("Ada Lovelace", "person"))
        result = extractor.extract(TEXT)
        assert (result.extraction_method, result.extraction_model, result.error) == ("llm", "tiny", None)
        found = {m.name: m for m in result.mentions}
        assert set(found) == {"zorblat", "Ada Lovelace"}
        assert found["zorblat"].source == "llm"
        assert TEXT[found["zorblat"].start : found["zorblat"].end] == "zorblat"

    def test_it_is_asked_for_a_strict_schema_with_the_twelve_types(
        self, model: FakeModel, extractor: LlmExtractor
    ) -> None:
        extractor.extract(TEXT)
        schema = model.asked[0]["response_format"]["json_schema"]
        assert schema["strict"] is True
        kinds = schema["schema"]["properties"]["entities"]["items"]["properties"]["type"]["enum"]
        assert len(kinds) == 12

    def test_names_that_are_not_in_the_text_and_unknown_types_are_dropped(
        self, model: FakeModel, extractor: LlmExtractor
    ) -> None:
        model.answer = entities(("Berlin", "location"), ("Paris", "location"), ("zorblat", "planet"), (7, "person"))
        assert [m.name for m in extractor.extract(TEXT).mentions] == ["Berlin"]

    def test_one_name_twice_is_one_mention(self, model: FakeModel, extractor: LlmExtractor) -> None:
        model.answer = entities(("Berlin", "location"), ("berlin", "location"), ("BERLIN", "person"))
        assert len(extractor.extract(TEXT).mentions) == 1

    def test_no_names_is_an_answer(self, model: FakeModel, extractor: LlmExtractor) -> None:
        model.answer = entities()
        result = extractor.extract(TEXT)
        assert (result.mentions, result.extraction_method) == ([], "llm")

    def test_the_title_and_the_names_of_the_tenant_stay(self, model: FakeModel, extractor: LlmExtractor) -> None:
        model.answer = entities(("Berlin", "location"))
        known = KnownNames([("zorblat", "Zorblat", "project", "e1")])
        found = {m.name: m for m in extractor.extract(TEXT, "The Move", known).mentions}
        assert set(found) == {"Berlin", "Zorblat", "The Move"}
        assert found["The Move"].about
        assert found["Zorblat"].entity_id == "e1"


class TestModelFails:
    @pytest.mark.parametrize(
        ("answer", "error"),
        [
            (status(500), "status_500"),
            (status(401), "status_401"),
            (status(429), "status_429"),
            (content("no json"), "bad_answer"),
            (content("[]"), "bad_answer"),
            (content('{"entities": [1]}'), "bad_answer"),
            (content(None), "refused"),
            (entities(("Paris", "location")), "not_in_text"),
            (lambda handler: send(handler, b"<html>"), "bad_answer"),
            (lambda handler: send(handler, b'{"choices": []}'), "bad_answer"),
            (lambda handler: time.sleep(1.2), "timeout"),
            (drip, "timeout"),
            (flood, "too_long"),
        ],
        ids=[
            "500",
            "401",
            "429",
            "text",
            "list",
            "items",
            "null",
            "invented",
            "html",
            "none",
            "silent",
            "drip",
            "flood",
        ],
    )
    def test_the_rules_answer_and_the_result_says_why(
        self, model: FakeModel, extractor: LlmExtractor, answer: Answer, error: str
    ) -> None:
        model.answer = answer
        result = extractor.extract(TEXT)
        assert (result.extraction_method, result.error) == ("rules", error)
        assert result.mentions == RulesExtractor().extract(TEXT).mentions
        assert {"Ada Lovelace", "Berlin"} <= {m.name for m in result.mentions}

    def test_a_failed_call_is_not_repeated(self, model: FakeModel, extractor: LlmExtractor) -> None:
        model.answer = status(500)
        extractor.extract(TEXT)
        assert len(model.asked) == 1

    def test_an_unreachable_server_is_named(self) -> None:
        made = LlmExtractor(model="tiny", api_key="not-a-key", base_url="http://127.0.0.1:9/v1", timeout=0.5)
        result = made.extract(TEXT)
        made.close()
        assert (result.extraction_method, result.error) == ("rules", "unreachable")


class TestRulesExtractor:
    def test_it_says_that_the_rules_were_used(self) -> None:
        result = RulesExtractor().extract(TEXT)
        assert (result.extraction_method, result.extraction_model, result.error) == ("rules", None, None)

"""One question to a chat model: its answer, or None whatever goes wrong."""

import json
import threading
import time
from collections.abc import Generator, Iterator
from http.server import BaseHTTPRequestHandler
from typing import cast

import pytest

from app.config import Settings
from app.services import chat
from tests.services.streams import begin, broken, piece, silent, streamed
from tests.services.test_extract_llm import FakeModel, content, send


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeModel]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = FakeModel()
    yield made
    made.close()


def settings(model: FakeModel, **more: object) -> Settings:
    """Return settings that ask the model on loopback."""
    return Settings(llm_model="tiny", openai_api_key="sk-test", openai_base_url=model.url, **more)  # type: ignore[arg-type]


def test_the_answer_comes_back_without_white_space_around_it(model: FakeModel) -> None:
    model.answer = content("  All is well.\n")
    assert chat.ask(settings(model), "Be brief", "How is it?") == "All is well."
    [asked] = model.asked
    assert (asked["model"], asked["temperature"]) == ("tiny", 0)
    assert [message["content"] for message in asked["messages"]] == ["Be brief", "<<<\nHow is it?\n>>>"]


def test_without_a_model_nothing_is_asked() -> None:
    assert chat.ask(Settings(), "Be brief", "How is it?") is None


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"no", b'{"choices": []}', b'{"choices": [{"message": null}]}'])
def test_an_answer_of_another_shape_is_none(model: FakeModel, body: bytes) -> None:
    model.answer = lambda handler: send(handler, body)
    assert chat.ask(settings(model), "Be brief", "How is it?") is None


@pytest.mark.parametrize("text", [None, "", "  "])
def test_an_empty_answer_is_none(model: FakeModel, text: str | None) -> None:
    model.answer = content(text)
    assert chat.ask(settings(model), "Be brief", "How is it?") is None


@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_a_refusal_is_none_and_not_repeated(model: FakeModel, status: int) -> None:
    model.answer = lambda handler: send(handler, b"{}", status)
    assert chat.ask(settings(model), "Be brief", "How is it?") is None
    assert len(model.asked) == 1


def test_an_endless_answer_is_none(model: FakeModel) -> None:
    model.answer = lambda handler: send(handler, json.dumps({"x": "y" * (chat.MAX_ANSWER_BYTES + 1)}).encode())
    assert chat.ask(settings(model), "Be brief", "How is it?") is None


def test_an_answer_that_drips_too_slowly_is_none(model: FakeModel) -> None:
    def drip(handler: object) -> None:
        handler.send_response(200)  # type: ignore[attr-defined]
        handler.end_headers()  # type: ignore[attr-defined]
        for _ in range(100):
            handler.wfile.write(b" ")  # type: ignore[attr-defined]
            handler.wfile.flush()  # type: ignore[attr-defined]
            time.sleep(0.05)

    model.answer = drip
    assert chat.ask(settings(model, llm_timeout=0.3), "Be brief", "How is it?") is None


def test_nobody_there_is_none(model: FakeModel) -> None:
    nowhere = Settings(llm_model="tiny", openai_base_url="http://127.0.0.1:9/v1")
    assert chat.ask(nowhere, "Be brief", "How is it?") is None


def test_a_model_that_falls_silent_within_its_answer_is_none(model: FakeModel) -> None:
    model.answer = silent(b'{"choices"')
    assert chat.ask(settings(model, llm_timeout=0.3), "Be brief", "How is it?") is None


def test_a_model_that_hangs_up_within_its_answer_is_none(model: FakeModel) -> None:
    model.answer = broken(b'{"choices"')
    assert chat.ask(settings(model), "Be brief", "How is it?") is None


class TestTold:
    def test_pieces_come_one_by_one(self, model: FakeModel) -> None:
        model.answer = streamed("All ", "is ", "well.")
        assert list(self.told(model)) == ["All ", "is ", "well."]
        assert model.asked[0]["stream"] is True

    def test_a_server_that_does_not_stream_is_understood(self, model: FakeModel) -> None:
        model.answer = content("All is well.")
        assert list(self.told(model)) == ["All is well."]

    def test_chunks_without_text_are_passed_over(self, model: FakeModel) -> None:
        chunks = [
            b'{"choices": []}',
            b'{"choices": [{"delta": {"role": "assistant"}}]}',
            b'{"choices":[{"delta":{"content":"x"}}]}',
        ]
        model.answer = lambda handler: send(
            handler, b"".join(b"data: %b\n\n" % each for each in chunks) + b"data: [DONE]\n\n"
        )
        assert list(self.told(model)) == ["x"]

    @pytest.mark.parametrize(
        "body", [b"", b"{}", b"no", b"data: no\n\n", b"data: {}\n\n", b"data: []\n\n", b'data: {"choices": [1]}\n\n',
                 b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n']
    )  # fmt: skip
    def test_an_answer_of_another_shape_or_without_an_end_fails(self, model: FakeModel, body: bytes) -> None:
        model.answer = lambda handler: send(handler, body)
        with pytest.raises(chat.ChatFailed):
            list(self.told(model))

    @pytest.mark.parametrize("start", [b"", b": wait\n\n", b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'])
    def test_a_model_that_falls_silent_or_hangs_up_fails(self, model: FakeModel, start: bytes) -> None:
        for answer in (silent(start), broken(start)):
            model.answer = answer
            with pytest.raises(chat.ChatFailed):
                list(self.told(model, llm_timeout=0.3))

    def test_an_endless_answer_fails(self, model: FakeModel) -> None:
        model.answer = streamed(*["y" * 1000] * (chat.MAX_ANSWER_BYTES // 1000))
        with pytest.raises(chat.ChatFailed):
            list(self.told(model))

    def test_who_stops_listening_ends_the_call(self, model: FakeModel) -> None:
        gone = threading.Event()

        def talk(handler: BaseHTTPRequestHandler) -> None:
            begin(handler)
            try:
                for _ in range(2_000):
                    handler.wfile.write(piece("word "))
                    handler.wfile.flush()
                    time.sleep(0.005)
            except OSError:
                gone.set()
                raise

        model.answer = talk
        pieces = self.told(model, llm_timeout=20.0)
        assert next(pieces) == "word "
        pieces.close()
        assert gone.wait(5)

    @staticmethod
    def told(model: FakeModel, **more: object) -> Generator[str, None, None]:
        """Ask the model on loopback."""
        own = chat.servers_own(settings(model, **more))
        assert own is not None
        return cast(Generator[str, None, None], chat.told(own, "Be brief", "How is it?"))

"""One question to a chat model: its answer, or None whatever goes wrong."""

import json
import time
from collections.abc import Iterator

import pytest

from app.config import Settings
from app.services import chat
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

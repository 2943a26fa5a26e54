"""One question to an OpenAI-compatible chat model, within a time that holds however slowly the answer comes."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import openai
from structlog import get_logger

from app.config import Network, Settings
from app.outbound import Refused, guarded_client

log = get_logger()

# A stream spends some 200 bytes on each piece of a word.
MAX_ANSWER_BYTES = 512 * 1024
# Whatever a model, or the way to it, can do. An AttributeError is JSON of another shape.
FAILURES = (
    openai.OpenAIError, httpx2.HTTPError, OSError, ValueError, LookupError, TypeError, AttributeError, Refused,
)  # fmt: skip


class ChatFailed(Exception):
    """A model gave no answer, or broke off."""


@dataclass(frozen=True)
class ChatModel:
    """Where to ask. An address that a client chose has `allow`: private networks that may be reached all the same."""

    model: str
    api_key: str
    base_url: str | None
    timeout: float
    allow: Sequence[Network] | None = None


def servers_own(settings: Settings) -> ChatModel | None:
    """Return the chat model of the settings; None when none is set."""
    if not settings.llm_model:
        return None
    key, url = settings.openai_api_key or "none", settings.openai_base_url or None
    return ChatModel(settings.llm_model, key, url, settings.llm_timeout)


def ask(settings: Settings, instructions: str, text: str) -> str | None:
    """Return the answer of the settings' model, or None when none is set, it fails, or it is not there in time.

    `text` stands between markers that `instructions` may speak of. Nothing of either is logged.
    """
    model = servers_own(settings)
    return ask_model(model, instructions, text) if model else None


def ask_model(model: ChatModel, instructions: str, text: str) -> str | None:
    """Return a model's answer, or None when it fails or is not there within its `timeout`. As `ask` otherwise."""
    try:
        return _asked(model, instructions, text)
    except FAILURES as error:
        log.warning("chat_model_failed", kind=type(error).__name__)
        return None


def told(model: ChatModel, instructions: str, text: str) -> Iterator[str]:
    """Yield a model's answer piece by piece, as it comes. Who closes the iterator ends the call. As `ask` otherwise.

    Raises:
        ChatFailed: it fails, breaks off, or is not done within its `timeout`.
    """
    try:
        yield from _told(model, instructions, text)
    except FAILURES as error:
        log.warning("chat_model_failed", kind=type(error).__name__)
        raise ChatFailed from error


def _asked(model: ChatModel, instructions: str, text: str) -> str | None:
    with _answer(model, instructions, text) as chunks:
        content = _content(b"".join(chunks))
    return content.strip() or None if isinstance(content, str) else None


def _told(model: ChatModel, instructions: str, text: str) -> Iterator[str]:
    rest, others, ended = b"", [], False
    with _answer(model, instructions, text, stream=True) as chunks:
        for chunk in chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if not line.startswith(b"data:"):
                    others.append(line)
                    continue
                data = line.removeprefix(b"data:").strip()
                ended = ended or data == b"[DONE]"
                if not ended and (piece := _delta(data)):
                    yield piece
            if ended:
                return
    # Not every server streams: some give the whole answer all the same.
    content = _content(b"\n".join([*others, rest]))
    if not isinstance(content, str):
        raise TypeError
    yield content


@contextmanager
def _answer(model: ChatModel, instructions: str, text: str, **more: Any) -> Iterator[Iterator[bytes]]:
    """Give the body of a model's answer in chunks; reading them fails when the time is over or they are too many."""
    until = time.monotonic() + model.timeout
    guarded = model.allow is not None
    with openai.OpenAI(
        api_key=model.api_key,
        base_url=model.base_url,
        timeout=model.timeout,
        max_retries=0,
        http_client=guarded_client(model.allow or (), seconds=model.timeout) if guarded else None,
    ) as client:
        create: Any = client.chat.completions.with_streaming_response.create
        messages = [
            {"role": "system", "content": instructions},
            {"role": "user", "content": f"<<<\n{text}\n>>>"},
        ]
        with create(model=model.model, temperature=0, messages=messages, **more) as response:
            yield _bounded(response.iter_bytes(), until)


def _bounded(chunks: Iterator[bytes], until: float) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if time.monotonic() > until:
            raise TimeoutError
        if size > MAX_ANSWER_BYTES:
            raise ValueError
        yield chunk


def _content(body: bytes) -> Any:
    return json.loads(body)["choices"][0]["message"]["content"]


def _delta(data: bytes) -> str:
    # Some chunks have no choices, but what was used; some have a role alone.
    choices = json.loads(data)["choices"]
    piece = choices[0]["delta"].get("content") if choices else None
    return piece if isinstance(piece, str) else ""

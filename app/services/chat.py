"""One question to an OpenAI-compatible chat model, within a time that holds however slowly the answer comes."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import openai
from structlog import get_logger

from app.config import Network, Settings
from app.outbound import Refused, guarded_client

log = get_logger()

MAX_ANSWER_BYTES = 256 * 1024


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
    except (openai.OpenAIError, OSError, ValueError, LookupError, TypeError, Refused) as error:
        log.warning("chat_model_failed", kind=type(error).__name__)
        return None


def _asked(model: ChatModel, instructions: str, text: str) -> str | None:
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
        body = bytearray()
        with create(model=model.model, temperature=0, messages=messages) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if time.monotonic() > until:
                    raise TimeoutError
                if len(body) > MAX_ANSWER_BYTES:
                    raise ValueError
    content = json.loads(body)["choices"][0]["message"]["content"]
    return content.strip() or None if isinstance(content, str) else None

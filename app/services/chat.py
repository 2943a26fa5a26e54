"""One question to an OpenAI-compatible chat model, within a time that holds however slowly the answer comes."""

import json
import time
from typing import Any

import openai
from structlog import get_logger

from app.config import Settings

log = get_logger()

MAX_ANSWER_BYTES = 256 * 1024


def ask(settings: Settings, instructions: str, text: str) -> str | None:
    """Return the model's answer, or None when none is set, it fails, or it is not there in `LOCI_LLM_TIMEOUT`.

    `text` stands between markers that `instructions` may speak of. Nothing of either is logged.
    """
    if not settings.llm_model:
        return None
    try:
        return _asked(settings, instructions, text)
    except (openai.OpenAIError, OSError, ValueError, LookupError, TypeError) as error:
        log.warning("chat_model_failed", kind=type(error).__name__)
        return None


def _asked(settings: Settings, instructions: str, text: str) -> str | None:
    until = time.monotonic() + settings.llm_timeout
    with openai.OpenAI(
        api_key=settings.openai_api_key or "none",
        base_url=settings.openai_base_url or None,
        timeout=settings.llm_timeout,
        max_retries=0,
    ) as client:
        create: Any = client.chat.completions.with_streaming_response.create
        messages = [
            {"role": "system", "content": instructions},
            {"role": "user", "content": f"<<<\n{text}\n>>>"},
        ]
        body = bytearray()
        with create(model=settings.llm_model, temperature=0, messages=messages) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if time.monotonic() > until:
                    raise TimeoutError
                if len(body) > MAX_ANSWER_BYTES:
                    raise ValueError
    content = json.loads(body)["choices"][0]["message"]["content"]
    return content.strip() or None if isinstance(content, str) else None

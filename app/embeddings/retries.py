"""When a call to a model server is worth repeating, and what its failures mean to the operator."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import openai
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_before_delay, wait_random_exponential

from app.embeddings.base import EmbedderError, EmbedderMisconfigured, EmbedderUnavailable

T = TypeVar("T")

LONGEST_WAIT = 8.0
SHORTEST_ATTEMPT = 0.1

_REMEDIES = {
    400: "Check the model name, the dimensions setting (not every model can shorten) and its context length.",
    401: "Check the API key.",
    403: "Check that the API key may use this model.",
    404: "Check the base URL (most end in /v1) and the model name.",
    413: "Use a model or a server that takes longer requests.",
    422: "Check the model name and the dimensions setting (not every model can shorten).",
}
_PLAIN_CODE = re.compile(r"[\w.-]{1,60}")
_REMEDY = "Check the base URL, the model name and the API key."


@dataclass(frozen=True, slots=True)
class Retries:
    """Repeats a call until it succeeds, fails for good, or `deadline` would pass. Times are in seconds."""

    deadline: float
    timeout: float
    first_wait: float

    def run(self, call: Callable[[float], T]) -> T:
        """Calls with the seconds that the attempt may take.

        Raises EmbedderUnavailable for failures that pass (no connection, 408, 409, 429, 5xx) and EmbedderMisconfigured
        for every other refusal.
        """
        end = time.monotonic() + self.deadline
        retrying = Retrying(
            stop=stop_before_delay(self.deadline),
            wait=self._wait,
            retry=retry_if_exception(_passes),
            reraise=True,
        )
        try:
            return retrying(lambda: call(max(SHORTEST_ATTEMPT, min(self.timeout, end - time.monotonic()))))
        except (openai.OpenAIError, ValueError) as error:
            # Not chained: a log would then show the server's words, which may repeat the text of a memory.
            raise _explained(error) from None

    def _wait(self, state: RetryCallState) -> float:
        asked = _retry_after(state.outcome.exception() if state.outcome else None)
        # Spread at random, so that the threads that failed together do not come back together.
        return asked if asked is not None else wait_random_exponential(self.first_wait, LONGEST_WAIT)(state)


def _passes(error: BaseException) -> bool:
    if isinstance(error, openai.APIStatusError):
        # An empty account answers 429 as well, but seconds will not fill it.
        return error.code != "insufficient_quota" and _may_pass(error.status_code)
    return isinstance(error, openai.APIConnectionError)


def _may_pass(status: int) -> bool:
    return status in (408, 409, 425, 429) or status >= 500


def _retry_after(error: BaseException | None) -> float | None:
    """Seconds that the server asks us to wait, where it says so as a number."""
    if not isinstance(error, openai.APIStatusError):
        return None
    try:
        return max(0.0, float(error.response.headers.get("retry-after", "")))
    except ValueError:
        return None


def _explained(error: openai.OpenAIError | ValueError) -> EmbedderError:
    """Says what happened without the server's own words, which may repeat the text that was sent."""
    if isinstance(error, openai.APITimeoutError):
        return EmbedderUnavailable("The model's server did not answer in time.")
    if isinstance(error, openai.APIConnectionError):
        return EmbedderUnavailable("The model's server cannot be reached.")
    if isinstance(error, openai.APIStatusError):
        code = f" ({error.code})" if _PLAIN_CODE.fullmatch(error.code or "") else ""
        message = f"The model's server answered {error.status_code}{code}."
        if _may_pass(error.status_code):
            return EmbedderUnavailable(message, _retry_after(error))
        return EmbedderMisconfigured(message, _REMEDIES.get(error.status_code, _REMEDY))
    return EmbedderUnavailable("The model's server answered something that is not a list of embeddings.")

"""One attempt to tell an endpoint of an event: what is sent, how it is signed, and what its answer means.

Signed after the Standard Webhooks specification, and beside it in the form of MemoryRelay clients. The bytes that are
signed are the bytes that are sent.
"""

import hashlib
import hmac
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx2
import orjson
import structlog
from standardwebhooks import Webhook

from app.clock import now_ms
from app.outbound import Refused
from app.schemas.webhooks import PREFIX
from app.services.events import envelope
from graph.delivery_queue import GONE
from graph.records import Row

log = structlog.get_logger()

SHOWN_CHARACTERS = 2_048
# Enough for as many characters of any language; nothing beyond is read.
READ_BYTES = 4 * SHOWN_CHARACTERS
JITTER = random.SystemRandom()
LEAST, MOST = 0.8, 1.2
# Who is overloaded is left alone for at least so long, unless the operator's whole schedule is shorter.
BUSY_SECONDS = 60.0
# Those that take longer share threads of their own.
SLOW_MS = 2_000
BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


@dataclass(frozen=True)
class Answer:
    """What came of one attempt. `error` is empty when the event was accepted; `busy` asks for patience."""

    status: int | None = None
    text: str = ""
    error: str = ""
    retry_after: float | None = None
    busy: bool = False
    duration_ms: int = 0

    @property
    def gone(self) -> bool:
        """Whether the endpoint asks for nothing more to be sent, ever."""
        return self.status == HTTPStatus.GONE


def body_of(event: Row, content: Row) -> bytes:
    """Return the body: the event as the wire shows it, with the texts that were asked for in its `data`."""
    shown = envelope(event)
    return orjson.dumps({**shown, "timestamp": shown["created_at"], "data": {**content, **shown["data"]}})


def headers_of(event: Row, delivery_id: str, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """Return the headers; each of `secrets` signs, and without any there is no signature."""
    seconds = now_ms() // 1000
    headers = {
        "Content-Type": "application/json",
        "webhook-id": event["id"],
        "webhook-timestamp": str(seconds),
        "X-MemoryRelay-Event": event["type"],
        "X-MemoryRelay-Delivery": delivery_id,
    }
    if secrets:
        # The package reads any time as if it were UTC.
        moment, text = datetime.fromtimestamp(seconds, UTC), body.decode()
        signers = [Webhook(secret if secret.startswith(PREFIX) else secret.encode()) for secret in secrets]
        headers["webhook-signature"] = " ".join(signer.sign(event["id"], moment, text) for signer in signers)
        digests = [hmac.new(one.encode(), b"%d.%b" % (seconds, body), hashlib.sha256).hexdigest() for one in secrets]
        headers["X-MemoryRelay-Signature"] = ",".join([f"t={seconds}", *(f"v1={digest}" for digest in digests)])
    return headers


def attempt(client: httpx2.Client, url: str, headers: dict[str, str], body: bytes) -> Answer:
    """Send a body once and return what came of it; never raises."""
    started = time.monotonic()
    found = _called(client, url, headers, body)
    return Answer(**{**found, "duration_ms": round((time.monotonic() - started) * 1000)})


def _called(client: httpx2.Client, url: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    try:
        with client.stream("POST", url, content=body, headers=headers) as response:
            status = response.status_code
            wait = retry_after(response.headers.get("retry-after", ""))
            return {
                "status": status,
                "error": "" if response.is_success else _said(status),
                "retry_after": wait,
                "busy": status in BUSY,
                "text": beginning(response),
            }
    except Refused as error:
        return {"error": f"the address {error}"}
    except httpx2.ConnectTimeout:
        return {"error": "it could not be reached in time", "busy": True}
    except httpx2.TimeoutException:
        return {"error": "it did not answer in time", "busy": True}
    except httpx2.ConnectError as error:
        told = "its certificate cannot be verified" if "CERTIFICATE" in str(error) else "it could not be reached"
        return {"error": told}
    except httpx2.HTTPError:
        return {"error": "the connection broke off"}
    except Exception:
        # Whatever it is, it counts as an attempt, or the same delivery would be tried for ever.
        log.exception("delivery_not_sent")
        return {"error": "it could not be sent"}


def _said(status: int) -> str:
    if 300 <= status < 400:
        return f"it answered {status}, and redirects are not followed"
    return f"it answered {status}"


def beginning(response: httpx2.Response) -> str:
    """Return the first 2,048 characters of an answer, or what came of them; the rest is not read."""
    if response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        return ""
    read = b""
    try:
        for part in response.iter_raw():
            read += part
            if len(read) >= READ_BYTES:
                break
    except (httpx2.HTTPError, Refused):
        pass  # the status is known, and that is what counts
    return read[:READ_BYTES].decode("utf-8", "replace")[:SHOWN_CHARACTERS]


def retry_after(text: str) -> float | None:
    """Return the seconds that a `Retry-After` header asks for, given as a number or as a date; None for neither."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    known = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, known.timestamp() - now_ms() / 1000)


def pause(schedule: Sequence[float], attempts: int, answer: Answer) -> float | None:
    """Return how many seconds to wait after so many attempts, all of them failed; None when no more are to follow.

    The schedule's pause, a fifth more or less so that many that failed together do not come back together. What the
    endpoint asks for counts between once and twice of that.
    """
    if attempts > len(schedule):
        return None
    planned = schedule[attempts - 1] * JITTER.uniform(LEAST, MOST)
    if answer.busy:
        planned = max(planned, min(BUSY_SECONDS, max(schedule)))
    if answer.retry_after is None:
        return planned
    return min(max(planned, answer.retry_after), 2 * planned)


def outcome_of(answer: Answer, at: int, wait: float | None) -> Row:
    """Return what an attempt begun `at` (epoch ms) comes to, as `Endpoints.record` takes it.

    `wait` is how many seconds to wait for the next; None gives the delivery up.
    """
    state = "delivered" if not answer.error else "failed" if wait is None else "pending"
    entry = {
        "at": at,
        "status": answer.status,
        "error": answer.error or None,
        "duration_ms": answer.duration_ms,
        "answer": answer.text or None,
    }
    return {
        "at": at,
        "state": state,
        "status": answer.status,
        "error": answer.error,
        "next_attempt_at": now_ms() + int(1000 * (wait or 0)),
        "log": orjson.dumps(entry).decode(),
        "slow": answer.duration_ms > SLOW_MS,
        "verdict": GONE if answer.gone else "",
    }

"""Webhooks: addresses are checked, secrets are sealed before they are stored and opened only to sign."""

import base64
import secrets
from typing import Any
from urllib.parse import urlsplit

import orjson

from app.auth import Principal
from app.clock import now_ms
from app.errors import QuotaExceeded, invalid
from app.events import TEST_EVENT
from app.ids import new_id
from app.outbound import Refused, check_url
from app.schemas.webhooks import PREFIX
from app.services.events import unseen
from app.state import State
from graph.records import Row
from graph.webhooks import WebhookRepository

HOUR_MS = 3_600_000
SECRET_BYTES = 32
# Each event of a tenant is a delivery to each: without a bound, one tenant's would keep the senders busy for all.
MOST_WEBHOOKS = 1000
FIELD = "webhook.secret"


def create_webhook(parts: State, caller: Principal, body: dict[str, Any]) -> dict[str, Any]:
    """Create a webhook from a loaded `WebhookCreate` body; return it, with its secret if that was made here.

    Raises:
        Invalid: the URL must not be called.
        Forbidden: it names events of keys, and the caller lacks the scope `admin`.
        QuotaExceeded: the tenant has `MOST_WEBHOOKS` already.
    """
    check(parts, body["url"])
    if WebhookRepository(parts.graph, caller).count() >= MOST_WEBHOOKS:
        raise QuotaExceeded(f"There are {MOST_WEBHOOKS} webhooks already; delete one that is not needed")
    hidden = unseen(caller, body["event_types"], "event_types")
    id, given = new_id(), body.pop("secret", None)
    secret = given or new_secret()
    row = WebhookRepository(parts.graph, caller).create(
        id,
        **{**body, "event_types": in_order(body["event_types"])},
        name=shown_name(body["url"]),
        hidden=list(hidden),
        secret=parts.vault.seal(secret, caller.tenant, id, FIELD),
    )
    return shown(row) if given else {**shown(row), "secret": secret}


def edit_webhook(parts: State, caller: Principal, id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Change a webhook as a loaded `WebhookUpdate` body says and return it.

    Raises:
        NotFound: no such webhook.
        Invalid: the URL must not be called.
        Forbidden: it names events of keys, and the caller lacks the scope `admin`.
    """
    repository = WebhookRepository(parts.graph, caller)
    changes = dict(body)
    if "url" in body:
        repository.get(id)
        check(parts, body["url"])
        changes["name"] = shown_name(body["url"])
    if "event_types" in body:
        changes["event_types"] = in_order(body["event_types"])
    if body.keys() & {"url", "event_types"}:
        # Whoever names the address decides what may be told there.
        changes["hidden"] = list(unseen(caller, body.get("event_types", ()), "event_types"))
    return shown(repository.update(id, lambda row: {**changes, **switched(row, changes.get("enabled"))}))


def switched(row: Row, enabled: bool | None) -> Row:
    """Return what goes with switching a webhook on: what waits may be sent at once, and it has a clean record."""
    if not enabled or row["enabled"]:
        return {}
    changes: Row = {"enabled_at": now_ms(), "failing_since": 0, "disabled_reason": None}
    # While it is leased, `due_at` is the end of the lease, and whoever holds it looks what is next.
    return changes if row["holder"] else {**changes, "due_at": now_ms()}


def rotate_secret(parts: State, caller: Principal, id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Replace a webhook's secret as a loaded `SecretRotate` body says; return it, with the secret if made here.

    Raises:
        NotFound: no such webhook.
    """
    given = body.get("secret")
    secret = given or new_secret()
    sealed = parts.vault.seal(secret, caller.tenant, id, FIELD)
    grace = round(body["grace_hours"] * HOUR_MS)
    row = WebhookRepository(parts.graph, caller).rotate(id, sealed, grace)
    return shown(row) if given else {**shown(row), "secret": secret}


def send_test(parts: State, caller: Principal, id: str) -> dict[str, Any]:
    """Put a test event on its way to one webhook; return its delivery.

    Raises:
        NotFound: no such webhook.
    """
    data = orjson.dumps({"webhook_id": id, "message": "A test event, sent on request"}).decode()
    row = WebhookRepository(parts.graph, caller).test(id, new_id(), new_id(), TEST_EVENT, data)
    return delivery_shown(row)


def signing_secrets(parts: State, caller: Principal, id: str) -> list[str]:
    """Return the secrets that sign for a webhook now, the current one first: two during a rotation.

    Raises:
        NotFound: no such webhook.
        SealBroken: the master key is not the one that sealed them.
    """
    found = WebhookRepository(parts.graph, caller).secrets(id)
    return opened(parts, {**found, "tenant": caller.tenant, "id": id})


def opened(parts: State, row: Row) -> list[str]:
    """Return the secrets of a row with `tenant`, `id` and the sealed `secret` and `old_secret`, those that are empty
    left out.

    Raises:
        SealBroken: the master key is not the one that sealed them.
    """
    sealed = [row[name] for name in ("secret", "old_secret") if row[name]]
    return [parts.vault.open(one, row["tenant"], row["id"], FIELD) for one in sealed]


def check(parts: State, url: str) -> None:
    """Refuse an address that must not be called.

    Raises:
        Invalid: says why.
    """
    try:
        check_url(url, parts.settings.outbound_networks)
    except Refused as error:
        raise invalid("url", str(error)) from error


def new_secret() -> str:
    """Return a fresh secret in the form of the Standard Webhooks specification: `whsec_`, 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def in_order(names: list[str]) -> list[str]:
    """Return names without repeats, in the order they came."""
    return list(dict.fromkeys(names))


def shown_name(url: str) -> str:
    """Return what Neo4j Browser shows: the host alone, because a path or a query may hold a token."""
    return urlsplit(url).hostname or "webhook"


def shown(row: Row) -> dict[str, Any]:
    """Return a webhook row as the wire shows it."""
    until = row["old_secret_until"]
    return {
        **row,
        "old_secret_until": until if until > now_ms() else None,
        "failing_since": row["failing_since"] or None,
    }


def delivery_shown(row: Row) -> dict[str, Any]:
    """Return a delivery row as the wire shows it."""
    due = row["next_attempt_at"] if row["state"] == "pending" else None
    return {**row, "next_attempt_at": due, "error": row["error"] or None}

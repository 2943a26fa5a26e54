"""Making keys: the secret exists once, here; the graph keeps its digest."""

from collections.abc import Sequence
from typing import Any

from app import crypto
from app.clock import now_ms
from app.dialects import NATIVE, Dialect
from app.errors import Unauthorized
from app.ids import new_id
from app.services.encryption import set_encryption
from app.state import State
from graph.errors import Conflict
from graph.keys import FIRST_NAMESPACE, KeyDirectory, KeyRepository

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
PREFIX = 12
# The account of keys that anybody made for himself (LOCI_SIGNUP).
SIGN_UPS = "signup"


def make_key(
    repository: KeyRepository,
    pepper: str,
    namespace: str | None,
    body: dict[str, Any],
    dialect: Dialect = NATIVE,
    *,
    only_new: bool = False,
) -> tuple[str, dict[str, Any]]:
    """Create a key from a loaded `KeyCreate` body; return it in clear, this once, and its row.

    Without a namespace it opens what the dialect says, or that of the account's first key.

    Raises:
        Conflict: the namespace is there already, and was to be `only_new`.
    """
    key, id = dialect.new_key(), new_id()
    if not namespace:
        namespace = f"{dialect.name}-{id}" if dialect.own_namespace else dialect.namespace or FIRST_NAMESPACE
    row = repository.create(namespace, only_new=only_new, **_properties(id, key, pepper, body, dialect))
    if dialect.encryption:
        # One that was there already too, and before anybody has the key.
        set_encryption(repository.graph, repository.account, namespace, dialect.encryption)
    return key, row


def key_for(
    parts: State, account: str | None, namespace: str | None, body: dict[str, Any], dialect: Dialect
) -> tuple[str, dict[str, Any]]:
    """Create a key as `make_key` does, for an account; for None, which is anybody, in a namespace that is new.

    Whoever signs up is in an account of their own: no name that they take is one that the operator's keys open.

    Raises:
        Unauthorized: nobody asks by name, and the namespace is there already.
    """
    keys = KeyRepository(parts.graph, account or SIGN_UPS)
    try:
        return make_key(keys, parts.pepper, namespace, body, dialect, only_new=account is None)
    except Conflict as error:
        raise Unauthorized(f"{error}; another key for it needs a key with the scope `admin`") from error


def key_of(parts: State, account: str, id: str) -> dict[str, Any]:
    """Return the row of a key.

    Raises:
        NotFound: no such key in the account.
    """
    return KeyRepository(parts.graph, account).get(id)


def edit_key(repository: KeyRepository, id: str, body: dict[str, Any]) -> dict[str, Any]:
    """Change a key as a loaded `KeyUpdate` body says and return its row.

    Raises:
        NotFound: no such key in the account.
        Conflict: no admin key would be left.
    """
    scopes = {"scopes": sorted(set(body["scopes"]))} if "scopes" in body else {}
    return repository.update(id, {**body, **scopes})


def rotate_key(
    repository: KeyRepository, pepper: str, id: str, grace_hours: float, dialects: Sequence[Dialect] = ()
) -> tuple[str, dict[str, Any]]:
    """Replace a key by a new one; return that in clear, this once, and its row. The old one ends after the grace.

    The new one looks as the old one's dialect, among `dialects`, has it.

    Raises:
        NotFound: no such key in the account.
        Conflict: the key has ended, or was rotated before.
    """
    spoken = repository.get(id)["dialect"]
    key = next((dialect for dialect in dialects if dialect.name == spoken), NATIVE).new_key()
    facts = {"new_id": new_id(), "digest": crypto.key_digest(pepper, key), "key_prefix": key[:PREFIX]}
    return key, repository.rotate(id, round(grace_hours * HOUR_MS), **facts)


def make_first_key(directory: KeyDirectory, pepper: str, scopes: tuple[str, ...]) -> str | None:
    """Create the first key of a new database and return it; None when there is a key already."""
    key = NATIVE.new_key()
    body = {"name": "first key", "scopes": list(scopes)}
    row = directory.create_first(**_properties(new_id(), key, pepper, body, NATIVE))
    return key if row else None


def key_shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return a key row as the wire shows it."""
    now = now_ms()
    ended = any(row[name] is not None and row[name] <= now for name in ("revoked_at", "expires_at", "auto_revoke_at"))
    return {**row, "is_active": not ended, "spend_info": None}


def _properties(id: str, key: str, pepper: str, body: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    days = body.get("expires_days")
    return {
        "id": id,
        "tenant_id": new_id(),
        "digest": crypto.key_digest(pepper, key),
        "key_prefix": key[:PREFIX],
        "name": body.get("name"),
        "scopes": sorted(set(body["scopes"])),
        "dialect": dialect.name,
        "encryption": dialect.encryption,
        "expires_at": now_ms() + days * DAY_MS if days else None,
        "daily_spend_limit_usd": body.get("daily_spend_limit_usd"),
        "monthly_spend_limit_usd": body.get("monthly_spend_limit_usd"),
    }

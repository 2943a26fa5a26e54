"""Keys of language models that tenants bring: sealed when they come in, never shown again."""

from app.auth import Principal
from app.errors import invalid
from app.ids import new_id
from app.outbound import Refused, check_url
from app.services.extractors import ADDRESSES, SEALED_FIELD
from app.state import State
from graph.extraction import ExtractionKeyRepository
from graph.records import Row

SHOWN_CHARACTERS = 4
# Any shorter, and the shown end would be a large part of it.
LONG_ENOUGH = 12


def add_key(parts: State, caller: Principal, body: Row) -> Row:
    """Store the key of a loaded `ExtractionKeyIn` body and return its row; a tenant's first becomes active.

    Raises:
        Invalid: `base_url` must not be called, or is missing.
    """
    url = body.get("base_url")
    if url is None and body["provider"] not in ADDRESSES:
        raise invalid("base_url", f"is needed for the provider `{body['provider']}`")
    if url is not None:
        try:
            check_url(url, parts.settings.outbound_networks)
        except Refused as error:
            raise invalid("base_url", str(error)) from error
    id = new_id()
    key = body["api_key"].strip()
    props = {
        "provider": body["provider"],
        "model": body["model"],
        "label": body.get("label"),
        "base_url": url,
        "masked_key": masked(key),
        "sealed": parts.vault.seal(key, caller.tenant, id, SEALED_FIELD),
    }
    row = ExtractionKeyRepository(parts.graph, caller).create(id, props)
    parts.extractors.forget(caller.tenant)
    return row


def masked(key: str) -> str:
    """Return what is shown of a key: its end, where it is long enough to keep its secret."""
    return "…" + (key[-SHOWN_CHARACTERS:] if len(key) >= LONG_ENOUGH else "")


def settings_shown(parts: State, caller: Principal) -> Row:
    """Return an `ExtractionSettingsOut` answer."""
    rows = ExtractionKeyRepository(parts.graph, caller).list()
    active = next((row for row in rows if row["is_active"]), None)
    own = parts.settings.llm_model
    address = (active["base_url"] or ADDRESSES.get(active["provider"], "")) if active else ""
    return {
        "tier": "scale",
        "extractor": "byok" if active else "llm" if own else "rules",
        "byok_enabled_globally": True,
        "byok_configured": bool(rows),
        "byok_active": active is not None,
        "masked_api_key": active["masked_key"] if active else None,
        "preferred_model": active["model"] if active else own,
        "base_url": address,
        "last_validated_at": active["last_validated_at"] if active else None,
        "plan_limits": {},
        "keys": rows,
    }

"""Identifiers and secrets."""

import re
import secrets
import uuid

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


def new_id() -> str:
    """Return a random UUIDv4 as text: clients validate ids as canonical hyphenated UUIDs."""
    return str(uuid.uuid4())


def is_uuid(text: str) -> bool:
    """Tell whether `text` is a canonical hyphenated UUID."""
    return UUID.fullmatch(text) is not None


def new_key(environment: str = "prod") -> str:
    """Return a fresh API key: `mem_prod_` and 64 hex digits (256 random bits)."""
    return f"mem_{environment}_{secrets.token_hex(32)}"

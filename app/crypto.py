"""Key digests: API keys are 256 random bits, so a keyed hash is enough and a slow password hash would only cost."""

import hashlib
import hmac


def key_digest(pepper: str, key: str) -> str:
    """Return the HMAC-SHA256 (hex) of an API key under the server's pepper (64 hex digits)."""
    return hmac.new(bytes.fromhex(pepper), key.encode(), hashlib.sha256).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare two digests in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())

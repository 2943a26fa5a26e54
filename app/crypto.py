"""Key digests, and secrets that must be read again: those are encrypted at rest.

API keys are 256 random bits, so a keyed hash is enough and a slow password hash would only cost. Webhook secrets and
keys of language models are needed in clear when something is sent, so they are sealed by AES-256-GCM under a master
key that never reaches the database.
"""

import base64
import binascii
import hashlib
import hmac
import secrets

import orjson
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE = 12
VERSION = "v1"


class SealBroken(Exception):
    """A sealed secret cannot be opened here: another master key made it, or it was moved or changed."""


def key_digest(pepper: str, key: str) -> str:
    """Return the HMAC-SHA256 (hex) of an API key under the server's pepper (64 hex digits)."""
    return hmac.new(bytes.fromhex(pepper), key.encode(), hashlib.sha256).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare two digests in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


class Vault:
    """Seals texts under one master key (64 hex digits) as `v1.<key id>.<base64 of nonce and AES-256-GCM text>`, and
    signs receipts."""

    def __init__(self, master_key: str) -> None:
        key = bytes.fromhex(master_key)
        self._cipher = AESGCM(key)
        # Names the key without telling anything of it, so that a wrong key is told apart from damage.
        self._key_id = hashlib.sha256(b"loci master key" + key).hexdigest()[:8]
        # A key of its own for signing, so that no signature says anything of the key that seals.
        seed = HKDF(hashes.SHA256(), 32, salt=None, info=b"loci receipts").derive(key)
        self._signer = Ed25519PrivateKey.from_private_bytes(seed)

    def __repr__(self) -> str:
        return f"Vault({self._key_id})"

    @property
    def public_key(self) -> str:
        """The Ed25519 key that verifies what `sign` signs, as base64 of its 32 bytes."""
        return base64.b64encode(self._signer.public_key().public_bytes_raw()).decode()

    def sign(self, data: bytes) -> str:
        """Return the Ed25519 signature of some bytes as base64."""
        return base64.b64encode(self._signer.sign(data)).decode()

    def signed(self, data: bytes, signature: str) -> bool:
        """Tell whether a signature is that of `sign` for these bytes."""
        try:
            self._signer.public_key().verify(base64.b64decode(signature, validate=True), data)
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True

    def seal(self, text: str, tenant: str, node_id: str, field: str) -> str:
        """Return `text` encrypted; it opens only with the same tenant, node and field beside it."""
        nonce = secrets.token_bytes(NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, text.encode(), _context(tenant, node_id, field))
        return f"{VERSION}.{self._key_id}.{base64.b64encode(sealed).decode()}"

    def open(self, sealed: str, tenant: str, node_id: str, field: str) -> str:
        """Return the text that was sealed for this tenant, node and field.

        Raises:
            SealBroken: another master key made it, or it belongs elsewhere, or it was changed.
        """
        version, _, rest = sealed.partition(".")
        key_id, _, body = rest.partition(".")
        if version != VERSION:
            raise SealBroken("A stored secret has an unknown form")
        if key_id != self._key_id:
            raise SealBroken("A stored secret was sealed with another master key; restore that LOCI_MASTER_KEY")
        try:
            data = base64.b64decode(body, validate=True)
            # The last letter has spare bits: of the texts that decode alike, one alone is what was sealed.
            if base64.b64encode(data).decode() != body:
                raise SealBroken("A stored secret was changed or moved")
            return self._cipher.decrypt(data[:NONCE], data[NONCE:], _context(tenant, node_id, field)).decode()
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise SealBroken("A stored secret was changed or moved") from error


def _context(*names: str) -> bytes:
    # A JSON list, because plainly joined names could mean two different triples.
    return orjson.dumps(names)

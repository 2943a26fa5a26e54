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
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
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


@dataclass(frozen=True, repr=False)
class Master:
    """One master key: its name, which tells nothing of it, what it seals with, and what it signs with."""

    id: str
    cipher: AESGCM
    signer: Ed25519PrivateKey


def master_of(key: str) -> Master:
    """Return the master key of 64 hex digits."""
    raw = bytes.fromhex(key)
    # A key of its own for signing, so that no signature says anything of the key that seals.
    seed = HKDF(hashes.SHA256(), 32, salt=None, info=b"loci receipts").derive(raw)
    name = hashlib.sha256(b"loci master key" + raw).hexdigest()[:8]
    return Master(name, AESGCM(raw), Ed25519PrivateKey.from_private_bytes(seed))


class Vault:
    """Seals texts under the master key (64 hex digits) as `v1.<key id>.<base64 of nonce and AES-256-GCM text>`, opens
    what it or one of the `former` keys sealed, and signs receipts.

    While it serves, the master key may be changed by others: `renew` returns the keys as they are now, the current one
    first, and is asked where a text names a key that is not known, and by `refresh`.
    """

    def __init__(
        self, master_key: str, former: Sequence[str] = (), renew: Callable[[], Sequence[str]] | None = None
    ) -> None:
        self._renew = renew
        self._known: dict[str, Master] = {}
        self._take((master_key, *former))

    def __repr__(self) -> str:
        return f"Vault({self.key_id})"

    @property
    def key_id(self) -> str:
        """Names the key that seals, without telling anything of it: so a wrong key is told apart from damage."""
        return self._master.id

    def knows(self, key_id: str) -> bool:
        """Tell whether a master key is here, by its name."""
        return key_id in self._known

    def refresh(self) -> None:
        """Take the master keys as they are now."""
        if self._renew is not None:
            self._take(self._renew())

    def _take(self, keys: Sequence[str]) -> None:
        masters = [master_of(key) for key in keys]
        # What a process once had goes on opening what it has read before.
        self._known = {**self._known, **{one.id: one for one in masters}}
        self._master = masters[0]

    @property
    def public_key(self) -> str:
        """The Ed25519 key that verifies what `sign` signs, as base64 of its 32 bytes."""
        return self.public_key_of(self.key_id)

    def public_key_of(self, key_id: str) -> str:
        """Return the public key that goes with a master key that is known here, by its name."""
        return base64.b64encode(self._known[key_id].signer.public_key().public_bytes_raw()).decode()

    def sign(self, data: bytes) -> str:
        """Return the Ed25519 signature of some bytes as base64."""
        return base64.b64encode(self._master.signer.sign(data)).decode()

    def signed(self, data: bytes, signature: str, former: Sequence[str] = ()) -> bool:
        """Tell whether a signature is that of `sign` for these bytes, now or under one of the `former` public keys."""
        return any(_verified(key, data, signature) for key in (self.public_key, *former))

    def seal(self, text: str, tenant: str, node_id: str, field: str) -> str:
        """Return `text` encrypted; it opens only with the same tenant, node and field beside it."""
        # Rare enough to look each time: what is sealed with a key that was replaced would soon be unreadable.
        self.refresh()
        nonce = secrets.token_bytes(NONCE)
        master = self._master
        sealed = nonce + master.cipher.encrypt(nonce, text.encode(), _context(tenant, node_id, field))
        return f"{VERSION}.{master.id}.{base64.b64encode(sealed).decode()}"

    def open(self, sealed: str, tenant: str, node_id: str, field: str) -> str:
        """Return the text that was sealed for this tenant, node and field.

        Raises:
            SealBroken: another master key made it, or it belongs elsewhere, or it was changed.
        """
        version, _, rest = sealed.partition(".")
        key_id, _, body = rest.partition(".")
        if version != VERSION:
            raise SealBroken("A stored secret has an unknown form")
        if key_id not in self._known:
            self.refresh()
        if key_id not in self._known:
            raise SealBroken("A stored secret was sealed with another master key; restore that LOCI_MASTER_KEY")
        try:
            data = base64.b64decode(body, validate=True)
            # The last letter has spare bits: of the texts that decode alike, one alone is what was sealed.
            if base64.b64encode(data).decode() != body:
                raise SealBroken("A stored secret was changed or moved")
            cipher = self._known[key_id].cipher
            return cipher.decrypt(data[:NONCE], data[NONCE:], _context(tenant, node_id, field)).decode()
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise SealBroken("A stored secret was changed or moved") from error


def sealed_by(sealed: str) -> str:
    """Return the name of the master key that sealed a text."""
    return sealed.split(".")[1]


def _verified(public_key: str, data: bytes, signature: str) -> bool:
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key))
        key.verify(base64.b64decode(signature, validate=True), data)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _context(*names: str) -> bytes:
    # A JSON list, because plainly joined names could mean two different triples.
    return orjson.dumps(names)

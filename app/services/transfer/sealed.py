"""Exports of encrypted tenants: each line is sealed under a key that follows from the tenant's lookup key.

That key stays when data keys are rotated, and lies in the database of the server that wrote the export, wrapped by its
master key: so this server, or one that was restored from a backup of it, reads the file, into namespaces of the account
that it is of, and nobody else does. Header, marks and the closing line have no text of a client and stay in clear.
"""

import base64
import binascii
import secrets
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.services.encryption import DataKey, Encryption
from app.services.transfer.form import TransferError
from graph.driver import Graph
from graph.errors import Unreadable
from graph.repository import Tenanted
from graph.sealing import ALL
from graph.tenants import same_account

NONCE = 12
ELSEWHERE = (
    "this export is encrypted, and its key is not here: import it on the server that wrote it, or on one that was "
    "restored from a backup of that; or take the encryption off the namespace there first, and export it again"
)


class Lines:
    """Seals and opens lines of one tenant's exports."""

    def __init__(self, key: DataKey) -> None:
        self.key_id = key.id
        self._cipher = AESGCM(HKDF(hashes.SHA256(), 32, salt=None, info=b"loci export").derive(key.raw))

    def closed(self, told: dict[str, Any]) -> dict[str, Any]:
        """Return what stands in a line in the place of what it says."""
        nonce = secrets.token_bytes(NONCE)
        body = self._cipher.encrypt(nonce, orjson.dumps(told), self.key_id.encode())
        return {"sealed": base64.b64encode(nonce + body).decode()}

    def opened(self, number: int, sealed: Any) -> dict[str, Any]:
        """Return what a line says.

        Raises:
            TransferError: it was changed.
        """
        try:
            data = base64.b64decode(sealed, validate=True)
            told = orjson.loads(self._cipher.decrypt(data[:NONCE], data[NONCE:], self.key_id.encode()))
        except (InvalidTag, binascii.Error, ValueError, TypeError) as error:
            raise TransferError(number, "sealed", "cannot be decrypted; the file is damaged") from error
        return told if isinstance(told, dict) else {}


def sealing_of(graph: Graph, caller: Tenanted) -> Lines | None:
    """Return what seals the lines of a tenant; None where it is not encrypted as a whole."""
    cipher = graph.cipher
    if not isinstance(cipher, Encryption) or cipher.mode(caller.tenant) != ALL:
        return None
    return Lines(cipher.lookup(caller.tenant))


def sealing_by(graph: Graph, caller: Tenanted, key_id: str) -> Lines:
    """Return what opens the lines of an export that names this key, for a caller of the account that it is of.

    Raises:
        TransferError: the key is not here, or another account's.
    """
    try:
        if isinstance(graph.cipher, Encryption) and key_id:
            key = graph.cipher.key(key_id)
            if same_account(graph, key.tenant, caller.tenant):
                return Lines(key)
    except Unreadable as error:
        raise TransferError(1, "sealed_by", ELSEWHERE) from error
    raise TransferError(1, "sealed_by", ELSEWHERE)

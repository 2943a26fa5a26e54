"""The keys of encryption at rest: which tenants are encrypted, and what seals and opens their texts.

Each tenant has a data key, which seals, and a lookup key, which digests are made with; both are in the database,
wrapped by the master key, which never is. An envelope says which data key sealed it, for which node and which field;
AES-256-GCM has tenant, node and field as associated data, so that it opens for these alone.

| bytes | |
|---|---|
| 4 | `graph.sealing.MAGIC` |
| 8 | id of the data key |
| 1 | 0 for a text, 1 for bytes |
| 2 + n | length of what follows, then node and field as a JSON list |
| 12 | nonce |
| rest | ciphertext and tag |
"""

import base64
import hmac
import secrets
import threading
import time
from dataclasses import dataclass

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.clock import now_ms
from app.crypto import VERSION as SEAL
from app.crypto import SealBroken, Vault, sealed_by
from graph.data_keys import (
    ACTIVE,
    BY_ID,
    CHECK,
    KEEP_CHECK,
    KEEP_SETTING,
    LOOKUP,
    MODE,
    SECRETS,
    SET_MODE,
    DataKeyRepository,
)  # fmt: skip
from graph.driver import Graph
from graph.errors import NotFound, Unreadable, Unsupported
from graph.sealing import ALL, CONFIDENTIAL, DIGEST, MAGIC, OFF, Opened
from graph.tenants import Owner

NONCE, KEY_ID, HEAD = 12, 8, 15
FIELD = "data key"
# What another process changes is known here after so long: modes of tenants, and which key seals.
FRESH_SECONDS = 5.0
MOST_MODES = 100_000
SEALED = f"{SEAL}."
STRENGTH = {OFF: 0, "off": 0, CONFIDENTIAL: 1, ALL: 2}
REMEDY = (
    "Restore the master key it was made with: the file secrets/master-key of that LOCI_HOME, LOCI_MASTER_KEY, or what "
    "LOCI_MASTER_KEY_COMMAND prints; the key before a rotation goes into LOCI_MASTER_KEY_FORMER. Nothing was changed."
)


@dataclass(frozen=True)
class DataKey:
    """One key of one tenant, unwrapped."""

    id: str
    tenant: str
    raw: bytes
    cipher: AESGCM


class Encryption:
    """Seals and opens for every tenant of one database (`graph.sealing.Cipher`). Safe to share between threads.

    `setting` is LOCI_ENCRYPTION; the stronger of it and a tenant's own mode holds.
    """

    def __init__(self, graph: Graph, vault: Vault, setting: str = OFF) -> None:
        self.vault = vault
        self.setting = OFF if setting == "off" else setting
        self._graph = graph
        self._lock = threading.Lock()
        self._modes: dict[str, tuple[str, float]] = {}
        self._keys: dict[str, DataKey] = {}
        self._active: dict[str, tuple[DataKey, float]] = {}
        self._lookup: dict[str, DataKey] = {}

    @property
    def stored(self) -> Graph:
        """The database with every value as it lies there."""
        return self._graph.as_stored()

    def mode(self, tenant: str) -> str:
        """Return how much of a tenant is sealed: OFF, CONFIDENTIAL or ALL."""
        if self.setting == ALL:
            return ALL
        now = time.monotonic()
        noted = self._modes.get(tenant)
        # Asked of each by itself: whoever meets one that was made a moment ago must not take it for a plain one.
        own = noted[0] if noted is not None and noted[1] > now else self._read_mode(tenant)
        return own if STRENGTH[own] > STRENGTH[self.setting] else self.setting

    def note(self, tenant: str, mode: str) -> None:
        """Take a tenant's mode from whoever has just read it."""
        if self.setting != ALL:
            if len(self._modes) >= MOST_MODES:
                self._modes = {}
            self._modes[tenant] = (mode, time.monotonic() + FRESH_SECONDS)

    def forget(self) -> None:
        """Read modes and keys in force anew: somebody has just changed them."""
        self._modes, self._active = {}, {}

    def seal(self, value: str | bytes, tenant: str, node: str, field: str) -> bytes:
        """Return a value as an envelope under the tenant's data key."""
        key, place = self.active(tenant), orjson.dumps([node, field])
        head = MAGIC + bytes.fromhex(key.id) + bytes([isinstance(value, bytes)]) + len(place).to_bytes(2) + place
        nonce = secrets.token_bytes(NONCE)
        plain = value if isinstance(value, bytes) else value.encode()
        return head + nonce + key.cipher.encrypt(nonce, plain, _context(tenant, node, field))

    def open(self, envelope: bytes) -> Opened:
        """Return what is in an envelope.

        Raises:
            Unreadable: its key is not here, or it was changed.
        """
        try:
            is_bytes, end = envelope[12], HEAD + int.from_bytes(envelope[13:HEAD])
            node, field = orjson.loads(envelope[HEAD:end])
            key = self.key(key_of(envelope))
            nonce, body = envelope[end : end + NONCE], envelope[end + NONCE :]
            plain = key.cipher.decrypt(nonce, body, _context(key.tenant, node, field))
            return Opened(plain if is_bytes else plain.decode(), key.tenant, node, field, key.id)
        except (InvalidTag, ValueError, IndexError) as error:
            raise Unreadable("A stored text was changed or moved: it cannot be decrypted") from error

    def digest(self, tenant: str, text: str) -> str:
        """Return the HMAC-SHA256 of a text under the tenant's lookup key."""
        return DIGEST + hmac.digest(self.lookup(tenant).raw, text.encode(), "sha256").hex()

    def lookup(self, tenant: str) -> DataKey:
        """Return the key that a tenant's digests are made with."""
        held = self._lookup.get(tenant)
        if held is None:
            held = self._lookup[tenant] = self._made(tenant, LOOKUP)
        return held

    def active(self, tenant: str) -> DataKey:
        """Return the key that seals a tenant's texts now."""
        now = time.monotonic()
        held = self._active.get(tenant)
        if held is None or held[1] < now:
            held = self._active[tenant] = (self._made(tenant, ACTIVE), now + FRESH_SECONDS)
        return held[0]

    def key(self, id: str) -> DataKey:
        """Return a data key by its id.

        Raises:
            Unreadable: it is not in the database, or the master key is not the one that wrapped it.
        """
        held = self._keys.get(id)
        if held is None:
            found = self.stored.read(BY_ID, id=id)
            if not found:
                raise Unreadable("The key of a stored text is not in this database")
            held = self._unwrapped(found[0]["tenant"], id, found[0]["wrapped"])
        return held

    def wrapped(self, tenant: str) -> tuple[str, str]:
        """Return a new key as (id, wrapped)."""
        id = secrets.token_bytes(KEY_ID).hex()
        return id, self.vault.seal(base64.b64encode(secrets.token_bytes(32)).decode(), tenant, id, FIELD)

    def check(self, *, serving: bool = False) -> list[str]:
        """See that the master key is that of the database; return the public keys that signed receipts before.

        What a server was last started with holds for every process beside it that asks for less, so that a command
        from another shell opens nothing; `serving` says that this is the server.

        Raises:
            Unsupported: it is another.
        """
        graph = self.stored
        found = graph.read(CHECK)[0]
        if found["sealed"] is None:
            self._check_secrets(graph)
            found = graph.write(KEEP_CHECK, sealed=self.vault.seal("loci", "", "master", "check"))[0]
        try:
            self.vault.open(found["sealed"], "", "master", "check")
        except SealBroken as error:
            raise Unsupported("The database was made with another master key.", REMEDY) from error
        kept = str(found["setting"])
        if serving and kept != self.setting:
            graph.write(KEEP_SETTING, setting=self.setting)
        elif STRENGTH[kept] > STRENGTH[self.setting]:
            self.setting = kept
        return list(found["signers"])

    def _check_secrets(self, graph: Graph) -> None:
        """Refuse a key that is not the one of secrets that were sealed before there was a check."""
        for row in graph.read(SECRETS, after="", limit=1):
            for value in row["props"].values():
                if isinstance(value, str) and value.startswith(SEALED) and not self.vault.knows(sealed_by(value)):
                    raise Unsupported("The database was made with another master key.", REMEDY)

    def set_mode(self, account: str, namespace: str, mode: str) -> bool:
        """Set a namespace's own mode; return whether it was another. What is there already is not touched.

        Raises:
            NotFound: there is no such namespace.
        """
        found = self.stored.write(SET_MODE, account=account, namespace=namespace, mode=mode, now=now_ms())
        if not found:
            raise NotFound("Namespace")
        self.forget()
        self.note(found[0]["id"], mode)
        return bool(found[0]["changed"])

    def _read_mode(self, tenant: str) -> str:
        found = self.stored.read(MODE, tenant=tenant)
        mode = str(found[0]["mode"]) if found else OFF
        self.note(tenant, mode)
        return mode

    def _made(self, tenant: str, place: str) -> DataKey:
        with self._lock:
            keys = DataKeyRepository(self.stored, Owner(tenant))
            row = keys.get(place) or keys.made(place, *self.wrapped(tenant))
            return self._keys.get(row["id"]) or self._unwrapped(tenant, row["id"], row["wrapped"])

    def _unwrapped(self, tenant: str, id: str, wrapped: str) -> DataKey:
        try:
            raw = base64.b64decode(self.vault.open(wrapped, tenant, id, FIELD))
        except SealBroken as error:
            raise Unreadable("The data key of a namespace was wrapped by another master key") from error
        held = self._keys[id] = DataKey(id, tenant, raw, AESGCM(raw))
        return held


def key_of(envelope: bytes) -> str:
    """Return the id of the data key that sealed an envelope."""
    return bytes(envelope[4:12]).hex()


def set_encryption(graph: Graph, account: str, namespace: str, mode: str = ALL) -> bool:
    """Put a namespace under a mode of its own; return whether it was under another.

    Whatever is stored from now on is sealed so; what is there already is sealed anew by the worker.

    Raises:
        NotFound: there is no such namespace.
        ValueError: the graph was opened without keys (`app.bootstrap.encrypted`).
    """
    if not isinstance(graph.cipher, Encryption):
        raise ValueError("a namespace is encrypted by whoever has the keys")
    return graph.cipher.set_mode(account, namespace, mode)


def _context(*names: str) -> bytes:
    # A JSON list, because plainly joined names could mean two different triples.
    return orjson.dumps(names)

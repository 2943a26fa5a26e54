"""Changing the master key: what it sealed is sealed with the new one, while servers go on.

Servers take the keys anew where they meet a text of a key that they do not know, so nothing is unreadable at any
moment: whoever has the new key has the former one too, until nothing is sealed with that.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.crypto import sealed_by
from app.services.encryption import FIELD as DATA_KEY
from app.services.encryption import Encryption
from app.services.extractors import SEALED_FIELD
from app.services.webhooks import FIELD as WEBHOOK
from graph.data_keys import CHECK, SECRETS, SET_CHECK, WRAPPED, DataKeyRepository
from graph.records import Row
from graph.tenants import Owner

BATCH = 500
# Where secrets lie, and the field that they are sealed for.
PLACES = {"secret": WEBHOOK, "old_secret": WEBHOOK, "sealed": SEALED_FIELD}


@dataclass
class Rewrap:
    """The work. `encryption` has the new key first and knows the former one."""

    encryption: Encryption

    def run(self) -> int:
        """Seal everything with the master key in force; return how much was sealed with another.

        Raises:
            SealBroken: something was sealed with a key that is not here.
        """
        done = self._check()
        while found := self.round():
            done += found
        return done

    def round(self) -> int:
        """Go over everything once; return how much was sealed with another key."""
        return sum(1 for _ in self._data_keys()) + sum(1 for _ in self._secrets())

    def left(self) -> int:
        """Return how much is sealed with another key than the one in force."""
        known = self.encryption.vault.key_id
        found = [row["wrapped"] for row in self._read(WRAPPED)]
        found += [row["props"][name] for row in self._read(SECRETS) for name in PLACES if row["props"].get(name)]
        return sum(sealed_by(each) != known for each in found)

    def _check(self) -> int:
        graph, vault = self.encryption.stored, self.encryption.vault
        self.encryption.check()
        found = graph.read(CHECK)[0]
        if sealed_by(found["sealed"]) == vault.key_id:
            return 0
        # Receipts of before stay verifiable by the public key of before.
        signer = vault.public_key_of(sealed_by(found["sealed"]))
        graph.write(SET_CHECK, sealed=vault.seal("loci", "", "master", "check"), signer=signer)
        return 1

    def _data_keys(self) -> Iterator[None]:
        vault = self.encryption.vault
        for row in self._read(WRAPPED):
            if sealed_by(row["wrapped"]) != vault.key_id:
                clear = vault.open(row["wrapped"], row["tenant"], row["id"], DATA_KEY)
                again = vault.seal(clear, row["tenant"], row["id"], DATA_KEY)
                self._keys(row).rewrap(row["id"], row["wrapped"], again)
                yield

    def _secrets(self) -> Iterator[None]:
        vault = self.encryption.vault
        for row in self._read(SECRETS):
            for name, field in PLACES.items():
                sealed: Any = row["props"].get(name)
                if sealed and sealed_by(sealed) != vault.key_id:
                    clear = vault.open(sealed, row["tenant"], row["id"], field)
                    again = vault.seal(clear, row["tenant"], row["id"], field)
                    self._keys(row).reseal("secret" in name, row["id"], name, sealed, again)
                    yield

    def _keys(self, row: Row) -> DataKeyRepository:
        return DataKeyRepository(self.encryption.stored, Owner(row["tenant"]))

    def _read(self, query: str) -> Iterator[Row]:
        graph, after = self.encryption.stored, ""
        while rows := graph.read(query, after=after, limit=BATCH):
            yield from rows
            after = rows[-1]["id"]

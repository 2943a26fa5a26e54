"""Sealing what a tenant has anew: after its mode changed, or its data key was rotated, while servers go on.

A round goes over everything and seals, unseals or seals again what is not as it is to be; rounds follow one another
until one finds nothing. A server may go on for a while with the key or the mode of before, so the last round begins
only once that is over; then the retired keys go. Whoever is interrupted begins anew and finds the rest.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from app.clock import now_ms
from app.services.encryption import FRESH_SECONDS, Encryption, key_of
from app.services.readable import readable
from graph.data_keys import DataKeyRepository
from graph.entity_removal import EntityRemovalRepository
from graph.errors import Conflict
from graph.labels import SEALED
from graph.records import Row
from graph.repository import Tenanted
from graph.sealed import SealedRepository
from graph.sealing import (
    ALL,
    CONFIDENTIAL,
    EMPTY,
    NAMELESS,
    OFF,
    Closing,
    is_digest,
    is_envelope,
    is_naming,
    made_of_text,
    node_of,
    sealed_names,
)  # fmt: skip

STRETCH = 200
ROUNDS = 50
LINKED = ("Entity", "Project")
# Names that statements of ours copy from a text.
NAMED_AFTER = ("Session", "Topic")

Tell = Callable[[int], None]


def settle_seconds(encryption: Encryption) -> float:
    """Return how long a server may go on with what was in force before: it knows it, and writes for so long at most."""
    return FRESH_SECONDS + encryption.stored.connection.timeout


@dataclass
class Reseal:
    """The work on one tenant. `tell` is given how many nodes more were gone through; it may raise.

    `settle` is in seconds, as `settle_seconds`.
    """

    encryption: Encryption
    owner: Tenanted
    tell: Tell = lambda count: None
    settle: float | None = None

    def __post_init__(self) -> None:
        self.tenant = self.owner.tenant
        self.stored = self.encryption.stored
        self.nodes = SealedRepository(self.stored, self.owner)
        self.keys = DataKeyRepository(self.stored, self.owner)
        self.changed = 0

    def rotate(self) -> bool:
        """Put a new data key in force; False where the tenant has none, or a rotation is still under way."""
        if self.retired() or not self.keys.get("active"):
            return False
        self.keys.rotate(*self.encryption.wrapped(self.tenant))
        self.encryption.forget()
        self.nodes.ask()
        return True

    def retired(self) -> list[Row]:
        """Return the keys that were taken out of force and may still be in use."""
        return [row for row in self.keys.list() if row["place"] == row["id"]]

    def out_of_use(self) -> list[str]:
        """Return the retired keys with which nobody seals any more; a round begun now meets all that they sealed.

        A key that is retired while a round goes on is not among them: that round took it for the one in force.
        """
        now = now_ms()
        return [row["id"] for row in self.retired() if now - row["updated_at"] >= 1000 * self._settle()]

    def run(self, since: int) -> int:
        """Seal everything anew that was asked for at `since` (epoch ms); return how much was changed."""
        while not self.step(since):
            time.sleep(max(0.0, self._unsettled(since)))
        return self.changed

    def step(self, since: int) -> bool:
        """Go over everything until nothing is found; return whether that is for good. False: it is too soon after
        `since` (epoch ms) to say so."""
        for _ in range(ROUNDS):
            unsettled, out_of_use = self._unsettled(since), self.out_of_use()
            found = self.round()
            self.changed += found
            if not found:
                break
        else:
            return False
        if unsettled > 0:
            return False
        for id in out_of_use:
            self.keys.drop(id)
        self.nodes.over(since)
        return True

    def _unsettled(self, since: int) -> float:
        """Return for how many seconds more a server may go on as before."""
        return self._settle() - (now_ms() - since) / 1000

    def _settle(self) -> float:
        return settle_seconds(self.encryption) if self.settle is None else self.settle

    def round(self) -> int:
        """Go over everything once; return how much was not as it is to be."""
        self.encryption.forget()
        mode = self.encryption.mode(self.tenant)
        active = self.encryption.active(self.tenant).id if mode or self.keys.list() else ""
        judge = Judge(self.encryption, self.tenant, mode, active)
        return sum(self._label(label, judge) for label in SEALED) + sum(self._links(label, judge) for label in LINKED)

    def _label(self, label: str, judge: "Judge") -> int:
        found = 0
        for page in self.nodes.pages(label, STRETCH):
            rows = []
            for row in page:
                if changes := judge.changes(label, row["props"], row["visibility"]):
                    was = [[name, row["props"].get(name)] for name in changes if row["props"].get(name) is not None]
                    rows.append({"key": row["key"], "was": was, "changes": changes})
            self._put(label, rows)
            found += len(rows)
            self.tell(len(page))
        return found

    def _put(self, label: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        try:
            self.nodes.put(label, rows)
        except Conflict:
            # Somebody wrote the same name under its digest meanwhile; one by one it is seen which.
            if len(rows) > 1:
                for row in rows:
                    self._put(label, [row])
            else:
                self._join(label, rows[0])

    def _join(self, label: str, row: Row) -> None:
        if label == "EntityName":
            self.nodes.join_names(row["key"], row["changes"]["key"])
        elif into := self.nodes.named_so(row["changes"]["key"]):
            removal = EntityRemovalRepository(self.stored, self.owner)
            removal.merge(row["key"], into, removal.pair(row["key"], into)[1]["metadata"])

    def _links(self, label: str, judge: "Judge") -> int:
        found = 0
        for links in self.nodes.links(label, STRETCH):
            rows = []
            for link in links:
                sealed = judge.value("metadata", link["metadata"], "", wanted=judge.mode == ALL)
                if sealed is not None:
                    rows.append({**link, "was": link["metadata"], "metadata": sealed})
            if rows:
                self.nodes.put_links(label, rows)
            found += len(rows)
        return found


class Judge:
    """Tells what of stored properties is not as the mode and the key in force ask for."""

    def __init__(self, encryption: Encryption, tenant: str, mode: str, active: str) -> None:
        self.encryption, self.tenant, self.mode, self.active = encryption, tenant, mode, active

    def changes(self, label: str, props: Row, visibility: str | None = None) -> Row:
        """Return the properties that are to be others, with their new values; of a part of a memory, `visibility` is
        the memory's."""
        given = props if visibility is None else {**props, "visibility": visibility}
        wanted = sealed_names(self.mode, given)
        if self.mode == ALL and label in NAMED_AFTER:
            wanted |= {"name"}
        if self.mode != OFF and label == "ImportChunk":
            wanted |= {"data"}
        node, made = node_of(given, ""), Row()
        for name, value in props.items():
            again = self.value(name, value, node, wanted=name in wanted)
            if again is not None:
                made[name] = again
        made |= self._names(label, props)
        if label == "Event" and self.mode == ALL and isinstance(props.get("data"), str):
            made["agent_id"] = orjson.loads(props["data"]).get("agent_id")
        return {name: value for name, value in made.items() if value != props.get(name)}

    def value(self, name: str, value: Any, node: str, *, wanted: bool) -> Any:
        """Return what is to stand in the place of one value; None where it is as it is to be."""
        if is_envelope(value):
            if wanted and key_of(value) == self.active:
                return None
            found = self.encryption.open(bytes(value))
            return self.encryption.seal(found.value, self.tenant, found.node, found.field) if wanted else found.value
        if wanted and isinstance(value, (str, bytes, bytearray)) and value not in EMPTY:
            plain = bytes(value) if isinstance(value, bytearray) else value
            return self.encryption.seal(plain, self.tenant, node, name)
        return None

    def _names(self, label: str, props: Row) -> Row:
        if self.mode == OFF:
            return self._readable(label, props)
        made = Row()
        if isinstance(text := props.get("content_hash"), str) and not is_digest(text):
            made["content_hash"] = self.encryption.digest(self.tenant, text)
        if self.mode == ALL:
            if is_naming(props):
                made |= Closing(self.encryption, self.tenant, ALL).digests(props)
            if made_of_text(props) and label not in NAMED_AFTER:
                made["name"] = NAMELESS
        if self.mode == CONFIDENTIAL:
            made |= {name: value for name, value in self._readable(label, props).items() if name != "content_hash"}
        return made

    def _readable(self, label: str, props: Row) -> Row:
        """Return what follows from the texts themselves, where digests stand."""
        clear = {name: self.encryption.open(value).value if is_envelope(value) else value
                 for name, value in props.items() if name != "metadata"}  # fmt: skip
        return readable(label, clear)

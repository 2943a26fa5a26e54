"""Sealed texts: what a statement writes is sealed on its way in, and what it answers is opened on its way out.

Both happen where statements are run (`graph.driver`), so the database and its transaction log never see a text of an
encrypted tenant, and no repository has to remember anything. A sealed text is stored as a byte array, everything else
never is: the full-text index takes only strings, so sealed texts stay out of it by their type. What is looked up by a
text (names of entities, hashes of contents) is a keyed digest instead.

What is sealed is told by the names of parameters and properties (`TEXTS`), in every statement of such a tenant: a noun
that is added later is sealed as soon as it uses one of them.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from graph.errors import Unreadable
from graph.records import Row

OFF, CONFIDENTIAL, ALL = "", "confidential", "all"
# Every envelope begins with this, and every digest with that: what is a digest already is not digested again.
MAGIC = b"\xc5LS1"
DIGEST = "hmac:"
DIGESTED = re.compile("hmac:[0-9a-f]{64}")
# What Neo4j Browser shows on a node whose name is made of its text.
NAMELESS = "(encrypted)"

TEXTS = frozenset((
    "content", "title", "metadata", "rationale", "alternatives", "description", "example_code", "stack", "repo_url",
    "summary", "digest", "label", "payload", "data", "links",
))  # fmt: skip
# What says nothing, and queries compare with.
EMPTY = frozenset(("", "{}", "[]", "null", b""))
# The first of these in a map, or in the maps around it, is the node that a text belongs to.
NODES = ("into", "noun_id", "id", "entity_id", "of")
# Where a row says whose its texts are. Those of a version are its memory's.
OWN = ("id", "memory_id", "noun_id", "entity_id", "of", "source_entity_id", "target_entity_id")
# Parts of a memory carry its texts as they are, under its id.
PARTS = ("was_version", "said_until")
# Of a question's words: names are looked up by every stretch of so many words.
LONGEST_NAME, MOST_WORDS = 6, 400


# Lists that queries order by what is sealed.
ORDERED: Mapping[str, Callable[[Any], Any]] = {
    "aliases": str,
    "entities": lambda mention: (-mention["confidence"], mention["value"]),
}


class Opened(NamedTuple):
    """What was in an envelope, and what it was sealed for."""

    value: str | bytes
    tenant: str
    node: str
    field: str
    key: str


class Cipher(Protocol):
    """Whoever has the keys."""

    def mode(self, tenant: str) -> str:
        """Return how much of a tenant is sealed: OFF, CONFIDENTIAL or ALL."""
        ...

    def seal(self, value: str | bytes, tenant: str, node: str, field: str) -> bytes:
        """Return a value as an envelope that opens for this tenant, node and field alone."""
        ...

    def open(self, envelope: bytes) -> Opened:
        """Return what is in an envelope.

        Raises:
            Unreadable: its key is not here, or it was changed.
        """
        ...

    def note(self, tenant: str, mode: str) -> None:
        """Take a tenant's own mode from whoever has just read it."""
        ...

    def digest(self, tenant: str, text: str) -> str:
        """Return the keyed digest by which a text is looked up in a tenant, DIGEST before it."""
        ...


def is_digest(text: str) -> bool:
    """Tell whether a text is a digest already: one of a client that only begins like it is not."""
    return DIGESTED.fullmatch(text) is not None


def is_envelope(value: Any) -> bool:
    """Tell whether a value is a sealed one."""
    return isinstance(value, (bytes, bytearray)) and value.startswith(MAGIC)


def closed(cipher: Cipher, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters of a statement as the database may see them; of a tenant without encryption as they are."""
    tenant = str(parameters.get("tenant") or "")
    mode = cipher.mode(tenant) if tenant else OFF
    return Closing(cipher, tenant, mode).of_map(parameters, "") if mode else parameters


class Closing:
    """Seals what one tenant's maps of properties hold."""

    def __init__(self, cipher: Cipher, tenant: str, mode: str) -> None:
        self.cipher, self.tenant, self.mode = cipher, tenant, mode

    def of_map(self, given: Mapping[str, Any], node: str) -> Row:
        """Return a map of parameters or properties, with its maps; `node` is whose it is unless it names another."""
        node = node_of(given, node)
        wanted = sealed_names(self.mode, given)
        made = {name: self._value(name, value, node, name in wanted) for name, value in given.items()}
        if "pieces" in given:
            # A sealed text contains nothing that can be looked for: what is found is judged outside the database.
            made["pieces"] = []
        if "content_hash" in given and isinstance(given["content_hash"], str):
            made["content_hash"] = self._digest(given["content_hash"])
        if self.mode == ALL:
            made |= self._names(given)
        return made

    def _value(self, name: str, value: Any, node: str, sealing: bool) -> Any:
        if isinstance(value, dict):
            return self.of_map(value, node)
        if sealing and isinstance(value, (str, bytes)) and value not in EMPTY and not is_envelope(value):
            return self.cipher.seal(value, self.tenant, node, name)
        if isinstance(value, (list, tuple)) and value and isinstance(value[0], dict):
            return [self.of_map(each, node) if isinstance(each, dict) else each for each in value]
        return value

    def _names(self, given: Mapping[str, Any]) -> Row:
        made: Row = {}
        if "asked" in given and "padded" in given:
            stretches = list(_stretches(given["padded"]))
            made["asked"] = [self._digest(each) for each in dict.fromkeys([*given["asked"], *stretches])]
            made["padded"] = ""
        elif is_naming(given):
            made |= self.digests(given)
        elif name_key := given.get("name_key"):
            made["name_key"] = self._digest(name_key)
        if made_of_text(given):
            made["name"] = NAMELESS
        return made

    def digests(self, given: Mapping[str, Any]) -> Row:
        """Return what an entity, or a spelling of one, is looked up by, digested."""
        made: Row = {name: self._digest(given[name]) for name in ("name_key", "padded") if given.get(name)}
        if key := given.get("key"):
            name, bar, kind = key.rpartition("|") if "name_key" in given else (key, "", "")
            made["key"] = self._digest(name) + bar + kind
        return made

    def _digest(self, text: str) -> str:
        return text if is_digest(text) else self.cipher.digest(self.tenant, text)


def sealed_names(mode: str, given: Mapping[str, Any]) -> frozenset[str]:
    """Return which names of a map of properties are sealed in a tenant of this mode."""
    if mode == ALL:
        return TEXTS | {"name"} if is_naming(given) or "deleted_with" in given else TEXTS
    if mode == CONFIDENTIAL and given.get("visibility") == CONFIDENTIAL:
        return frozenset(("content", "title", "metadata"))
    # What holds whatever was deleted or sent: a confidential memory may be among it.
    if mode == CONFIDENTIAL and ("deleted_with" in given or isinstance(given.get("data"), bytes)):
        return frozenset(("data",))
    return frozenset()


def is_naming(given: Mapping[str, Any]) -> bool:
    """Tell whether a map names an entity."""
    return "name" in given and (
        "name_key" in given or "padded" in given or ("key" in given and "scope_tokens" in given)
    )


def made_of_text(given: Mapping[str, Any]) -> bool:
    """Tell whether the `name` of a map is the first words of a text."""
    return "name" in given and not given.keys().isdisjoint(("content", "title", "visibility", "rationale"))


def node_of(given: Mapping[str, Any], around: str) -> str:
    """Return the id of the node that the texts of a map belong to.

    "" for projects, which are known by a slug that may change, and for relationships, which may be stated again.
    """
    if "slug" in given or "target_id" in given or ("from" in given and "to" in given):
        return ""
    if given.get("memory_id") and (given.get("kind") == "version" or any(name in given for name in PARTS)):
        return str(given["memory_id"])
    return next((value for name in NODES if isinstance(value := given.get(name), str) and value), around)


def opened(cipher: Cipher, value: Any, tenant: str = "") -> Any:
    """Return rows, or a part of them, with every sealed value in clear; `tenant` is whose the statement was, "" where
    it was nobody's.

    Raises:
        Unreadable: one cannot be opened here, or stands elsewhere than it was sealed for.
    """
    if isinstance(value, dict):
        made = {name: _checked(cipher, each, value, tenant) if _is_bytes(each) else opened(cipher, each, tenant)
                for name, each in value.items()}  # fmt: skip
        for name, order in ORDERED.items():
            if isinstance(found := made.get(name), list) and found != value[name]:
                found.sort(key=order)
        return made
    if isinstance(value, list):
        return [opened(cipher, each, tenant) for each in value]
    return _checked(cipher, value, {}, tenant) if is_envelope(value) else value


def _checked(cipher: Cipher, value: bytes, beside: Row, asked: str) -> Any:
    if not is_envelope(value):
        return value
    found = cipher.open(bytes(value))
    ids = [beside[name] for name in OWN if name in beside]
    tenant = beside.get("tenant", found.tenant)
    moved = tenant not in (found.tenant, None) or asked not in (found.tenant, "")
    if moved or (found.node and ids and found.node not in ids):
        raise Unreadable("A stored text was moved here from elsewhere")
    return found.value


def _is_bytes(value: Any) -> bool:
    return isinstance(value, (bytes, bytearray))


def _stretches(padded: str) -> Iterator[str]:
    """Yield what a name that is asked for may be: runs of words longer than four characters."""
    words: Sequence[str] = padded.split()[:MOST_WORDS]
    for start in range(len(words)):
        for end in range(start + 1, min(start + LONGEST_NAME, len(words)) + 1):
            stretch = " ".join(words[start:end])
            if len(stretch) > 4:
                yield stretch

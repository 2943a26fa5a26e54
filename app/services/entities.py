"""Entities by name: keys, search, rename, merge; and what each change means for the names that extraction knows."""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson
from rapidfuzz.distance import OSA

from app.answers import merged
from app.auth import Principal
from app.errors import invalid
from app.ids import is_uuid, new_id
from app.schemas.common import METADATA_BYTES
from app.services.extract import is_date_key, name_key
from app.services.forget import delete_entity
from app.services.refer import agent_created
from app.state import State
from graph.entities import EntityRepository
from graph.entity_names import EntityNameRepository
from graph.entity_removal import EntityRemovalRepository
from graph.labels import scope_token
from graph.records import Row

LONGEST_KEY = 255
MOST_FOUND = 200
# Names of an encrypted tenant that a search by name looks through, the newest.
MOST_KNOWN = 20_000
EXACT, BEGINS = 2000.0, 1000.0
WORD = re.compile(r"\w+")
NOTHING = '+scope_tokens:"none"'


def entity_key(name: str) -> str:
    """Return the key under which a name is unique: the extractor's, or the folded name where that has no letters.

    A name that normalisation makes very long ends in a digest, because an index key is bounded.
    """
    key = name_key(name) or " ".join(unicodedata.normalize("NFKC", name).casefold().split()) or name
    if len(key) <= LONGEST_KEY:
        return key
    return key[: LONGEST_KEY - 65] + " " + hashlib.sha256(key.encode()).hexdigest()


def named(name: str, entity_type: str) -> dict[str, Any]:
    """Return the properties that follow from an entity's name and type."""
    key = entity_key(name)
    return {
        "name": name,
        "name_key": key,
        "padded": f" {key} ",
        "noise": is_date_key(key),
        "entity_type": entity_type,
        "key": f"{key}|{entity_type}",
    }


def create(parts: State, caller: Principal, body: dict[str, Any]) -> tuple[Row, bool]:
    """Return the entity that a loaded `EntityCreate` body names, and whether it is new.

    Raises:
        NotFound: the agent's id is unknown.
    """
    id, agent_id = new_id(), agent_created(parts, caller, body.get("agent_id"))
    props = named(body["name"], body["entity_type"])
    metadata = orjson.dumps(body["metadata"]).decode()
    made = EntityRepository(parts.graph, caller).create(id, props, metadata, agent_id)
    if made["id"] == id:
        parts.names.added(caller.tenant, props["name_key"], props["name"], props["entity_type"], id)
    return made, made["id"] == id


def edit(parts: State, caller: Principal, id: str, body: dict[str, Any]) -> Row:
    """Apply a loaded `EntityUpdate` body.

    Raises:
        NotFound: no such entity.
        Conflict: another entity of the type has the name.
        Invalid: the merged metadata is too large.
    """
    made = EntityRepository(parts.graph, caller).update(id, _changes(body))
    if body.keys() & {"name", "entity_type"}:
        parts.names.stale(caller.tenant)
        parts.names.added(caller.tenant, entity_key(made["name"]), made["name"], made["entity_type"], id)
    return made


def _changes(body: dict[str, Any]) -> Callable[[Row], Row]:
    def change(row: Row) -> Row:
        made: Row = {}
        if "metadata" in body:
            made["metadata"] = merged(row["metadata"], body["metadata"])
        name, entity_type = str(body.get("name", row["name"])), str(body.get("entity_type", row["entity_type"]))
        if (name, entity_type) != (row["name"], row["entity_type"]):
            made |= named(name, entity_type)
        return made

    return change


def merge(parts: State, caller: Principal, id: str, into: str) -> Row:
    """Merge entity `id` into entity `into` and return the survivor; its metadata wins where both have a key.

    Raises:
        NotFound: one of the two is unknown.
        Invalid: they are the same.
    """
    if id == into:
        raise invalid("into", "must be another entity")
    removal = EntityRemovalRepository(parts.graph, caller)
    gone, kept = removal.pair(id, into)
    both = orjson.dumps({**orjson.loads(gone["metadata"] or "{}"), **orjson.loads(kept["metadata"] or "{}")})
    removal.merge(id, into, both.decode() if len(both) <= METADATA_BYTES else kept["metadata"])
    parts.names.stale(caller.tenant)
    return EntityRepository(parts.graph, caller).get(into)


def delete(parts: State, caller: Principal, id: str) -> None:
    """Delete an entity, its links and its names; memories stay.

    Raises:
        NotFound: no such entity.
    """
    delete_entity(parts, caller, id)
    parts.names.gone(caller.tenant, id)


def add_alias(parts: State, caller: Principal, id: str, alias: str) -> tuple[Row, bool]:
    """Make another spelling lead to an entity; return `{alias, created_at}` and whether it is new.

    Raises:
        NotFound: no such entity.
        Conflict: the spelling leads to another entity of the type.
    """
    row, created = EntityNameRepository(parts.graph, caller).add(id, alias, entity_key(alias))
    if created:
        entity = EntityRepository(parts.graph, caller).get(id)
        own = entity_key(entity["name"])
        parts.names.added(caller.tenant, own, entity["name"], entity["entity_type"], id, alias)
    return row, created


def drop_alias(parts: State, caller: Principal, id: str, alias: str) -> None:
    """Take a spelling away.

    Raises:
        NotFound: no such entity or alias.
        Conflict: it is the entity's own name.
    """
    EntityNameRepository(parts.graph, caller).drop(id, entity_key(alias))
    parts.names.stale(caller.tenant)


def find(parts: State, caller: Principal, q: str, filters: Row) -> list[str]:
    """Return ids of at most 200 entities by name or alias: the exact one, then by prefix, words and misspellings."""
    names = EntityNameRepository(parts.graph, caller)
    if names.seals:
        return names.chosen(_scores(q, names.known(MOST_KNOWN)), filters)[:MOST_FOUND]
    return names.find(entity_key(q), lucene(caller.tenant, q), MOST_FOUND, filters)


def _scores(q: str, known: Iterable[Sequence[str]]) -> dict[str, float]:
    """Return how well entities go by a name, by id: as the database would say if it could read their names."""
    key, words = entity_key(q), _words(q)
    scores: dict[str, float] = {}
    for _, spelling, _, _, _, id in known:
        spelled = entity_key(spelling)
        if spelled == key:
            score = EXACT
        elif spelled.startswith(key):
            score = BEGINS
        else:
            score = _worded(words, _words(spelling))
        if score:
            scores[id] = max(score, scores.get(id, 0.0))
    return scores


def _worded(wanted: Sequence[str], said: Sequence[str]) -> float:
    total = 0.0
    for word in wanted:
        best = max((_alike(word, other) for other in said), default=0.0)
        if not best:
            return 0.0
        total += best
    return total


def _alike(word: str, other: str) -> float:
    if other == word:
        return 4.0
    if other.startswith(word):
        return 2.0
    far = 1 if len(word) < 8 else 2
    return 1.0 if len(word) > 3 and word.isalpha() and OSA.distance(word, other, score_cutoff=far) <= far else 0.0


def _words(q: str) -> list[str]:
    return WORD.findall(unicodedata.normalize("NFKC", q).lower())[:8]


def lucene(tenant: str, q: str) -> str:
    """Return the Lucene query for names that hold every word of `q`, or its beginning, or a misspelling of it.

    Words are letters and digits alone and in lower case, so nothing in `q` can act as syntax.
    """
    clauses = [f"+({_word(word)})" for word in _words(q)] or [NOTHING]
    return f"+scope_tokens:{scope_token('tenant', tenant)}^0 {' '.join(clauses)}"


def _word(word: str) -> str:
    ways = [f'name:"{word}"^4', f"name:{word}*^2"]
    if len(word) > 3 and word.isalpha():
        ways.append(f"name:{word}~{1 if len(word) < 8 else 2}")
    return " ".join(ways)


def resolve(parts: State, caller: Principal, reference: str) -> Row:
    """Return the entity with this id, or with this name or alias.

    Raises:
        NotFound: there is none.
    """
    names = EntityNameRepository(parts.graph, caller)
    id = reference.lower() if is_uuid(reference) else names.named(entity_key(reference))
    return EntityRepository(parts.graph, caller).get(id)

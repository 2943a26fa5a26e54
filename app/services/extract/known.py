"""The tenant's own names, found in a text: exactly by one automaton, with one misspelling by neighbourhood."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import ahocorasick
from rapidfuzz.distance import OSA

from .gazetteer import is_listed, lowered, on_boundaries
from .keys import name_key
from .mention import EntityType
from .words import is_common, is_opener

MIN_FUZZY = 6
_SHORT = 2


@dataclass(frozen=True, slots=True)
class KnownHit:
    """A name of the tenant at `start`:`end`; `name` and `key` are the entity's, not those of the alias that matched."""

    start: int
    end: int
    key: str
    name: str
    entity_type: EntityType
    entity_id: str


@dataclass(frozen=True, slots=True)
class _Known:
    key: str
    name: str
    entity_type: EntityType
    entity_id: str
    spelled: str
    exact_case: bool


class KnownNames:
    """Names and aliases of one tenant. Immutable after it is made, so threads may share it.

    `rows` are (key, name, entity_type, entity_id); aliases are further rows with the same `entity_id`, whose `name`
    is the alias. The first row of an entity gives the name and key that mentions carry. Building takes about 50 ms for
    10,000 names; keep the object and rebuild it when the names have changed.
    """

    def __init__(self, rows: Iterable[tuple[str, str, EntityType, str]]) -> None:
        self._automaton = ahocorasick.Automaton()
        self._by_key: dict[str, _Known] = {}
        self._near: dict[tuple[int, str, bool], list[str]] = defaultdict(list)
        first: dict[str, tuple[str, str]] = {}
        spelled: dict[str, list[_Known]] = defaultdict(list)
        for key, name, entity_type, entity_id in rows:
            own_key, own_name = first.setdefault(entity_id, (key, name))
            lower = lowered(name)
            if not lower.strip():
                continue
            exact_case = len(lower) <= _SHORT or (" " not in lower and _is_word(lower, entity_type))
            known = _Known(own_key, own_name, entity_type, entity_id, name, exact_case)
            spelled[lower].append(known)
            for alias_key in {name_key(name), key if key == own_key else ""} - {""}:
                if alias_key not in self._by_key:
                    self._by_key[alias_key] = known
                    self._index_near(alias_key)
        for lower, candidates in spelled.items():
            self._automaton.add_word(lower, (len(lower), candidates[0]))
        self._size = len(spelled)
        if self._size:
            self._automaton.make_automaton()

    def __len__(self) -> int:
        return self._size

    def find(self, text: str) -> list[KnownHit]:
        """Exact occurrences on word boundaries, the longest first where they overlap, in order of appearance.

        A name that is an ordinary word ("Will") must be spelled as it is known.
        """
        if not self._size:
            return []
        lower = lowered(text)
        hits = []
        for last, (length, known) in self._automaton.iter(lower):
            start, end = last - length + 1, last + 1
            if not on_boundaries(lower, start, end):
                end = _plural_end(lower, start, end, known)
                if end < 0:
                    continue
            if not known.exact_case or text[start : start + length] == known.spelled:
                hits.append(KnownHit(start, end, known.key, known.name, known.entity_type, known.entity_id))
        return _longest(hits)

    def exact(self, name: str) -> KnownHit | None:
        """The entity that has `name` (by key), or None. Offsets are -1."""
        known = self._by_key.get(name_key(name))
        return None if known is None else _nowhere(known)

    def near(self, name: str) -> KnownHit | None:
        """The one entity whose name is at most one edit away from `name`, or None when there is none or more than one.

        Only for names of 6 letters and more; digits must agree, and another listed name ("Daniela" beside
        "Daniel") is no misspelling.
        """
        key = name_key(name)
        exact = self._by_key.get(key)
        if exact is not None:
            return _nowhere(exact)
        if len(key) < MIN_FUZZY or is_listed(key) or is_common(key):
            return None
        digits = [c for c in key if c.isdigit()]
        found: dict[str, _Known] = {}
        for candidate in self._candidates(key):
            if OSA.distance(key, candidate, score_cutoff=1) <= 1 and digits == [c for c in candidate if c.isdigit()]:
                known = self._by_key[candidate]
                found[known.entity_id] = known
        return _nowhere(next(iter(found.values()))) if len(found) == 1 else None

    def _index_near(self, key: str) -> None:
        if len(key) >= MIN_FUZZY:
            self._near[len(key), key[:2], True].append(key)
            self._near[len(key), key[-2:], False].append(key)

    def _candidates(self, key: str) -> set[str]:
        """One edit in a word of six letters leaves its first two or its last two letters as they are."""
        found: set[str] = set()
        for length in (len(key) - 1, len(key), len(key) + 1):
            found.update(self._near.get((length, key[:2], True), ()))
            found.update(self._near.get((length, key[-2:], False), ()))
        return found


_WORD_LIKE: frozenset[EntityType] = frozenset({"concept", "skill", "metric", "document", "event", "other"})


def _is_word(lower: str, entity_type: EntityType) -> bool:
    """Whether the name, in lower case, is an ordinary word that means something else ("will"), unlike "webhook"."""
    return is_opener(lower) or (entity_type not in _WORD_LIKE and is_common(lower))


def _nowhere(known: _Known) -> KnownHit:
    return KnownHit(-1, -1, known.key, known.name, known.entity_type, known.entity_id)


def _plural_end(lower: str, start: int, end: int, known: _Known) -> int:
    """End of the plural of a known name, or -1: "webhooks" is "Webhook", "Roberts" is not "Robert"."""
    if (
        lower[end : end + 1] == "s"
        and on_boundaries(lower, start, end + 1)
        and name_key(lower[start : end + 1]) == name_key(known.spelled)
    ):
        return end + 1
    return -1


def _longest(hits: list[KnownHit]) -> list[KnownHit]:
    kept: list[KnownHit] = []
    for hit in sorted(hits, key=lambda h: (h.start, h.start - h.end)):
        if not kept or hit.start >= kept[-1].end:
            kept.append(hit)
    return kept

"""Extraction by rules: forms, listed names, capitalised names, the tenant's own names, the title."""

import re
from bisect import bisect_right
from collections.abc import Iterable
from typing import TypeVar

from . import gazetteer, patterns
from .gazetteer import Hit, StartTest
from .keys import name_key
from .kinds import kind_of
from .known import KnownHit, KnownNames
from .mention import NOT_IN_TEXT, EntityType, Mention, Source, clean_name, is_date_key
from .names import Name, NameFinder
from .words import is_common

MAX_MENTIONS = 64
MAX_TITLE = 120
MAX_TEXT = 100_000
_MASK = "\x02"
_PARENTHESIS = re.compile(r"\s*\(([^()]*)\)\s*$")
_SPEAKER = re.compile(
    r"^[ \t]{0,3}([^\W\d_][\w.'\u2019-]{0,30}(?: [^\W\d_][\w.'\u2019-]{0,30}){0,2})[ \t]?:(?=\s)", re.MULTILINE
)
_GLOSS: dict[str, EntityType] = {
    word: kind  # type: ignore[misc]
    for kind, words in (
        (
            "document",
            "film novel book song album magazine series show play poem painting story musical soundtrack anime ep",
        ),
        (
            "location",
            "city town village river county state country island lake mountain district suburb province region park",
        ),
        ("organization", "company band organization organisation club team school university group duo label network"),
        (
            "person",
            "bishop actor actress politician footballer singer musician writer author director painter priest composer",
        ),
        ("technology", "software language library framework database protocol"),
        ("product", "game app console"),
    )
    for word in words.split()
}


class _Collector:
    """Keeps one mention per key: the earliest place, the surest type, a little surer with every repetition."""

    def __init__(self) -> None:
        self._best: dict[str, Mention] = {}
        self._count: dict[str, int] = {}

    def add(
        self,
        raw: str,
        entity_type: EntityType,
        confidence: float,
        start: int,
        end: int,
        *,
        key: str | None = None,
        about: bool = False,
        source: Source = "rule",
        entity_id: str | None = None,
    ) -> None:
        name = clean_name(raw)
        key = key or (name_key(name) if name else "")
        if name is None or not key or len(key) > 255 or not (is_date_key(key) or any(c.isalpha() for c in key)):
            return
        self._count[key] = self._count.get(key, 0) + 1
        new = Mention(name, key, entity_type, confidence, start, end, about, source, entity_id)
        old = self._best.get(key)
        self._best[key] = new if old is None else _merged(old, new)

    def drop(self, key: str) -> None:
        self._best.pop(key, None)

    def best(self) -> list[Mention]:
        def rank(mention: Mention) -> tuple[bool, float, int]:
            repeated = min(self._count[mention.key] - 1, 4) * 0.05
            dated = 0.4 if is_date_key(mention.key) else 0.0
            return not mention.about, -(mention.confidence + repeated - dated), mention.start

        return sorted(self._best.values(), key=rank)[:MAX_MENTIONS]


def _merged(old: Mention, new: Mention) -> Mention:
    surer = new if new.confidence > old.confidence else old
    placed = [m for m in (old, new) if m.start != NOT_IN_TEXT]
    first = min(placed, key=lambda m: m.start, default=old)
    known = old if old.entity_id else new
    shown = known if known.entity_id else next((m for m in (old, new) if m.about), first)
    return Mention(
        shown.name,
        old.key,
        surer.entity_type,
        surer.confidence,
        first.start,
        first.end,
        old.about or new.about,
        known.source if known.entity_id else surer.source,
        known.entity_id,
    )


def extract(text: str, title: str | None = None, known: KnownNames | None = None) -> list[Mention]:
    """The entities `text` and `title` name, best first, at most `MAX_MENTIONS`, one per key.

    `title` is what the text is about: its mention (and that of the title without a trailing parenthesis) carries
    `about=True`. `known` holds the names the tenant already has. Only the first `MAX_TEXT` characters are read.
    """
    text = text[:MAX_TEXT]
    found = _Collector()
    exact = known.find(text) if known is not None else []
    names = _scan(text, found, exact)
    if known is not None:
        _add_exact(exact, found)
        _add_near(known, names, found)
    if title and title.strip():
        _add_title(title.strip(), found, known)
    return found.best()


def _scan(text: str, found: _Collector, exact: list[KnownHit], *, offset: bool = True) -> list[Name]:
    """Adds what the rules find in `text` outside the known names; returns the capitalised names among it."""
    known_at = [(hit.start, hit.end) for hit in exact]
    forms = patterns.find(text)
    for form in _not_within(forms, known_at):
        found.add(form.name, form.entity_type, form.confidence, *_place(form.start, form.end, offset), key=form.key)
    masked = _masked(text, forms)
    is_start = StartTest(masked)
    names = list(_speakers(masked)) + NameFinder(masked, is_start).find()
    hits = gazetteer.find(masked, gazetteer.lowered(masked), is_start)
    kept = _without_covered(names, hits)
    outside = _outside(hits, kept)
    kept = _not_within(kept, known_at)
    for name in kept:
        found.add(name.name, name.entity_type, name.confidence, *_place(name.start, name.end, offset))
    for hit in _not_within(outside, known_at):
        found.add(hit.name, hit.entity_type, 0.92 if hit.sure else 0.6, *_place(hit.start, hit.end, offset))
    return kept


_Spanned = TypeVar("_Spanned", patterns.Found, Name, Hit)


def _not_within(items: list[_Spanned], spans: list[tuple[int, int]]) -> list[_Spanned]:
    if not spans:
        return items
    starts = [start for start, _ in spans]

    def free(item: _Spanned) -> bool:
        i = bisect_right(starts, item.start) - 1
        return i < 0 or item.end > spans[i][1]

    return [item for item in items if free(item)]


def _place(start: int, end: int, offset: bool) -> tuple[int, int]:
    return (start, end) if offset else (NOT_IN_TEXT, NOT_IN_TEXT)


def _masked(text: str, forms: Iterable[patterns.Found]) -> str:
    parts, at = [], 0
    for form in sorted(forms, key=lambda f: f.start):
        parts += [text[at : form.start], _MASK * (form.end - form.start)]
        at = form.end
    return "".join(parts) + text[at:]


def _speakers(text: str) -> list[Name]:
    """Who speaks in a chat: "Caroline: I went ..." at the start of a line."""
    found = []
    for match in _SPEAKER.finditer(text):
        words = match.group(1).split()
        listed = gazetteer.is_first_name(words[0].lower())
        named = all(word[:1].isupper() for word in words)
        if any(is_common(w.lower()) for w in words) and not (listed and len(words) == 1 and named):
            continue
        if gazetteer.listed_type(match.group(1)) is not None or match.group(1).isupper() or not (named or listed):
            continue
        if match.start() == 0 or listed or len(words) > 1:
            found.append(Name(match.start(1), match.end(1), match.group(1), "person", 0.95))
    return found


def _without_covered(names: list[Name], hits: list[Hit]) -> list[Name]:
    """Names that no longer listed name contains ("York" in "New York", "Prize" in "Nobel Prize")."""
    phrases: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (h.start, -h.end)):
        if (" " in hit.name or "'" in hit.name) and not (phrases and hit.end <= phrases[-1].end):
            phrases.append(hit)
    if not phrases:
        return names
    starts = [hit.start for hit in phrases]

    def free(name: Name) -> bool:
        hit = phrases[max(0, bisect_right(starts, name.start) - 1)]
        inside = hit.start <= name.start and name.end <= hit.end
        return not inside or hit.end - hit.start == name.end - name.start

    return [name for name in names if free(name)]


def _outside(hits: list[Hit], names: list[Name]) -> list[Hit]:
    """Listed names that are not part of a longer name."""
    taken = sorted((name.start, name.end) for name in names)
    kept: list[Hit] = []
    i = 0
    for hit in sorted(hits, key=lambda h: (h.start, h.start - h.end)):
        while i < len(taken) and taken[i][1] <= hit.start:
            i += 1
        inside = any(start <= hit.start and hit.end <= end for start, end in taken[max(0, i - 1) : i + 2])
        if not inside and not (kept and hit.start < kept[-1].end):
            kept.append(hit)
    return kept


def _add_exact(hits: list[KnownHit], found: _Collector) -> None:
    for hit in hits:
        found.add(
            hit.name,
            hit.entity_type,
            0.99,
            hit.start,
            hit.end,
            key=hit.key,
            source="known",
            entity_id=hit.entity_id,
        )


def _add_near(known: KnownNames, names: list[Name], found: _Collector) -> None:
    """Replaces names that are a misspelling of a known one, or another spelling with the same key."""
    for name in names:
        near = known.near(name.name)
        if near is None:
            continue
        found.drop(name_key(name.name))
        sure = 0.99 if near.key == name_key(name.name) else 0.8
        found.add(
            near.name,
            near.entity_type,
            sure,
            name.start,
            name.end,
            key=near.key,
            source="known",
            entity_id=near.entity_id,
        )


def _add_title(title: str, found: _Collector, known: KnownNames | None) -> None:
    _scan(title, found, [], offset=False)
    if len(title) > MAX_TITLE:
        return
    bare = _PARENTHESIS.sub("", title)
    for name in dict.fromkeys((title, bare)):
        if clean_name(name) is None:
            continue
        kind, confidence = _title_type(title, name)
        hit = known.exact(name) if known is not None else None
        if hit is not None:
            found.add(
                hit.name,
                hit.entity_type,
                0.99,
                NOT_IN_TEXT,
                NOT_IN_TEXT,
                key=hit.key,
                about=True,
                source="known",
                entity_id=hit.entity_id,
            )
        else:
            found.add(name, kind, confidence, NOT_IN_TEXT, NOT_IN_TEXT, about=True)


def _title_type(title: str, name: str) -> tuple[EntityType, float]:
    gloss = _PARENTHESIS.search(title)
    if gloss:
        for word in reversed(gloss.group(1).lower().split()):
            if word in _GLOSS:
                return _GLOSS[word], 0.9
    kind, confidence = kind_of(name.split(), "", "", honorific=False, quoted=False)
    return kind, min(confidence, 0.6)

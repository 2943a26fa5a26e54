"""Near-duplicates: of texts that say the same, the first is enough. Pure functions.

A text says nothing new when all its telling words stand in one that was kept, and make up most of that one. Two texts
that differ in a number, a name or a "not", or tell the same names in another order, are about different things.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.services.recall.question import STOP_WORDS

# The share of the kept text's telling words that the other must have: below it, one is only a part of the other.
OVERLAP = 0.75
# Longer texts count as the same only where they are equal but for white space and case.
LONGEST = 4_000
_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")
_ENDING = re.compile(r"(?:ing|ed|ly|es|s|e)$")
_NOT = frozenset("no not never none nor without cannot".split())


@dataclass(frozen=True, slots=True)
class Said:
    """A text reduced to what it says: its telling words without endings, its names in order, its negations."""

    plain: str
    words: frozenset[str]
    names: tuple[str, ...]
    negations: tuple[str, ...]


def said(text: str) -> Said:
    """Return what a text says."""
    plain = " ".join(text.casefold().split())
    if len(plain) > LONGEST:
        return Said(plain, frozenset(), (), ())
    words, names, negations = set(), [], []
    for word in _WORD.findall(text):
        low = word.casefold().replace("\u2019", "'")
        if low in _NOT or low.endswith("n't"):
            negations.append(low)
        elif low not in STOP_WORDS:
            stem = _stem(low)
            words.add(stem)
            if word[0].isupper():
                names.append(stem)
    return Said(plain, frozenset(words), tuple(names), tuple(sorted(negations)))


def nothing_new(new: Said, kept: Said) -> bool:
    """Tell whether a text says nothing that one kept before does not."""
    if new.plain == kept.plain:
        return True
    if not new.words or not new.words <= kept.words or new.negations != kept.negations:
        return False
    both = set(new.names) & set(kept.names)
    in_order = [name for name in new.names if name in both] == [name for name in kept.names if name in both]
    return in_order and len(new.words) >= OVERLAP * len(kept.words)


def distinct(texts: Sequence[str]) -> list[int]:
    """Return the positions of the texts that say something new, in their order."""
    kept: list[tuple[int, Said]] = []
    for at, text in enumerate(texts):
        new = said(text)
        if not any(nothing_new(new, old) for _, old in kept):
            kept.append((at, new))
    return [at for at, _ in kept]


def _stem(word: str) -> str:
    short = _ENDING.sub("", word)
    return short if len(short) > 2 else word

"""Sentences of a text, each exactly as it stands there. Pure functions."""

import re
from collections.abc import Iterator

LONGEST = 300
# After these a full stop ends no sentence.
_SHORT = re.compile(r"(?:^|[\s(])(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|No|Nr|vs|etc|e\.g|i\.e|cf|approx)\.$")
# Full stops of other scripts need no space after them.
_END = re.compile(r"[.!?\u2026][\"'\u2019\u201d)\]]*(?=\s)|\n+|[\u3002\uff01\uff1f]")
_WORD = re.compile(r"\w")


def sentences(text: str) -> list[str]:
    """Return the sentences of a text in their order; each is a piece of it, at most `LONGEST` characters long.

    What has no full stop for longer than that is parted between words.
    """
    return [part for whole in _split(text) for part in _parted(whole.strip()) if _WORD.search(part)]


def _split(text: str) -> Iterator[str]:
    start = 0
    for found in _END.finditer(text):
        if found.group()[0] == "." and _SHORT.search(text[max(start, found.start() - 8) : found.start() + 1]):
            continue
        yield text[start : found.end()]
        start = found.end()
    yield text[start:]


def _parted(sentence: str) -> Iterator[str]:
    while len(sentence) > LONGEST:
        space = max(sentence.rfind(" ", 1, LONGEST), sentence.rfind("\t", 1, LONGEST))
        if space < 0:
            # One endless word: no part of it would be a word.
            space = next((at for at, sign in enumerate(sentence) if sign.isspace()), len(sentence))
        else:
            yield sentence[:space].rstrip()
        sentence = sentence[space:].lstrip()
    if sentence:
        yield sentence

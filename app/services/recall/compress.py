"""Shortening texts to their best sentences within a token budget."""

import re
from collections.abc import Collection, Sequence

CHARACTERS_A_TOKEN = 4
# What a text may keep without a budget; within one it may keep half of what is left where that is more.
TOKENS_A_TEXT = 60
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+(?=\s|$)|[.!?]+(?=\S)[^.!?\n]*|\n|$)+")
_WORD = re.compile(r"\w+")
ELLIPSIS = "…"


def shortened(texts: Sequence[str], words: Collection[str], tokens: int | None) -> list[str]:
    """Return `texts` (best hit first) cut down to what `words`, the question's, ask for; some may come back empty.

    All together take at most `tokens` tokens of four characters, the first texts first. A word is never cut.
    """
    left = None if tokens is None else tokens * CHARACTERS_A_TOKEN
    usual = TOKENS_A_TEXT * CHARACTERS_A_TOKEN
    short = []
    for text in texts:
        room = usual if left is None else min(left, max(left // 2, usual))
        kept = best_sentences(text, words, room)
        short.append(kept)
        left = None if left is None else left - len(kept)
    return short


def best_sentences(text: str, words: Collection[str], room: int) -> str:
    """Return the sentences of `text` with most of `words`, in their order, in at most `room` characters."""
    if len(text) <= room:
        return text
    sentences = [found.group().strip() for found in _SENTENCE.finditer(text)]
    sentences = [sentence for sentence in sentences if sentence] or [text.strip()]
    worth = [(-_worth(sentence, words), at) for at, sentence in enumerate(sentences)]
    kept: set[int] = set()
    used = 0
    for _, at in sorted(worth):
        size = len(sentences[at]) + (1 if kept else 0)
        if used + size <= room:
            kept.add(at)
            used += size
    if not kept:
        return cut(sentences[min(worth)[1]], room)
    return " ".join(sentences[at] for at in sorted(kept))


def cut(text: str, room: int) -> str:
    """Return the beginning of `text` in at most `room` characters, ended at a word."""
    if len(text) <= room:
        return text
    if room <= len(ELLIPSIS):
        return ""
    part = text[: room - len(ELLIPSIS)]
    if text[len(part)].isalnum() and part[-1:].isalnum():
        part = part[: len(part) - len(re.split(r"[^\w'\u2019-]", part)[-1])]
    part = part.rstrip(" ,;:-")
    return part + ELLIPSIS if part else ""


def _worth(sentence: str, words: Collection[str]) -> float:
    said = _WORD.findall(sentence.lower())
    stems = {word[:6] for word in said}
    return float(sum(word[:6] in stems for word in set(words)) / (1 + len(said)) ** 0.3)

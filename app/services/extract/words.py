"""Ordinary words: what a capital letter at the start of a sentence does not turn into a name."""

import re
from functools import lru_cache

from .data import words

OPENERS = words("openers")
COMMON = words("common") | OPENERS
DEMONYMS = words("demonyms")

# Words before a name that say who somebody is. They are cut off, and what follows them is a person.
HONORIFICS = frozenset(
    """mr mrs ms miss dr prof professor sir madam dame mister doctor president emperor empress king queen prince
    princess
    pope lord lady captain colonel general sergeant lieutenant major admiral senator governor mayor minister bishop
    archbishop father sister brother uncle aunt auntie coach judge justice saint grandma grandpa mom dad chef nurse
    officer detective inspector baron baroness count countess duke duchess sultan caliph rabbi imam sheikh""".split()
)
DETERMINERS = frozenset("your my our his her its their this that these those".split())
# Common nouns for people and firms that stand before a name ("Customer Globex") or before "of" ("Premier of ...").
ROLES = frozenset(
    """customer client user colleague manager vendor supplier partner patient host tenant author engineer developer
    owner reviewer reporter assignee maintainer analyst designer director editor head chief chair chairman chairwoman
    premier president minister secretary governor mayor member founder cofounder co-founder ceo cto cfo coo vp lead
    intern friend neighbor neighbour boss therapist tutor""".split()
)
_SUFFIXES = (
    ("ies", "y"),
    ("ied", "y"),
    ("ing", ""),
    ("ing", "e"),
    ("ed", ""),
    ("ed", "e"),
    ("es", ""),
    ("s", ""),
    ("ly", ""),
    ("er", ""),
    ("er", "e"),
    ("est", ""),
    ("ness", ""),
    ("ful", ""),
    ("less", ""),
    ("ability", "able"),
    ("ily", "y"),
    ("ally", "al"),
)
_DOUBLING = frozenset({"ing", "ed", "er", "est"})
_CONTRACTION = re.compile(r"(?:'(?:m|re|ve|ll|d)|n't)$")
# Endings of abstract nouns, verbs and adjectives: at the start of a sentence or heading an unknown word with one of
# them is not taken for a name.
_ABSTRACT = re.compile(
    r"(?:ing|ly|tion|sion|ity|ness|ment|ize|ise|ify|ous|ful|able|ible|ive|ance|ence|ship|ency|ancy|ology|ical"
    r"|ication|ed|ism|less|ward|izer)s?$"
)
_MIN_ABSTRACT = 6
_MAX_WORD = 24


@lru_cache(maxsize=32_768)
def is_common(word: str) -> bool:
    """Whether the lower-cased `word` is an ordinary English word, plural and verb endings allowed."""
    return _listed(word, COMMON)


@lru_cache(maxsize=8_192)
def is_opener(word: str) -> bool:
    """Whether the lower-cased `word` starts sentences rather than names: function words, adverbs, everyday verbs."""
    word = word.replace("\u2019", "'")
    return (
        word in OPENERS
        or _CONTRACTION.search(word) is not None
        or (word.endswith(("ing", "ed", "ly")) and _listed(word, OPENERS))
    )


@lru_cache(maxsize=32_768)
def is_ordinary(word: str) -> bool:
    """Whether the lower-cased `word` is common or has the form of an abstract noun, a verb or an adverb."""
    return is_common(word) or is_opener(word) or (len(word) >= _MIN_ABSTRACT and _ABSTRACT.search(word) is not None)


def _listed(word: str, known: frozenset[str]) -> bool:
    if len(word) > _MAX_WORD:
        return False
    word = word.replace("\u2019", "'")
    if word in known:
        return True
    if "-" in word:
        return all(_listed(part, known) for part in word.split("-"))
    for suffix, ending in _SUFFIXES:
        stem = word[: -len(suffix)]
        if len(stem) > 1 and word.endswith(suffix):
            if stem + ending in known:
                return True
            # "planning", "stopped": the doubled consonant belongs to the ending.
            if suffix in _DOUBLING and len(stem) > 3 and stem[-1] == stem[-2] and stem[:-1] in known:
                return True
    return False

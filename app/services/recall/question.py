"""What a search takes from the words of a question. Nothing of the client's text is ever read as query syntax."""

import re
from dataclasses import dataclass
from itertools import pairwise

from app.services.extract import KnownNames, extract, name_key

MOST_WORDS = 48
LONGEST_WORD = 64
NAMES_FROM = 1_000

# What questions are made of says nothing about the answer.
QUESTION_WORDS = frozenset(
    "what when where who whom whose which why how do does did have has had was were am can could would should".split()
)
# The english analyzer drops these, and a clause that it empties would match everything.
STOP_WORDS = frozenset(
    """a an and are as at be but by for if in into is it no not of on or such that the their then there these they this
    to was will with""".split()
)
MONTHS = frozenset("january february march april may june july august september october november december".split())
_WORD = re.compile(r"\w+(?:['\u2019]\w+)*")
_POSSESSIVE = re.compile(r"['\u2019]s$")


@dataclass(frozen=True, slots=True)
class Question:
    """A question, read once.

    `words` are its telling words in order, each once; `pairs` those that stand side by side; `dated` the words that may
    be part of a date; `names` the keys of the names in it, `entities` the ids of those that the tenant has; `padded`
    the whole text as ` word word `.
    """

    text: str
    words: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    dated: tuple[str, ...]
    names: tuple[str, ...]
    padded: str
    entities: tuple[str, ...] = ()


def read(text: str, analyzer: str = "english", known: KnownNames | None = None) -> Question:
    """Return what there is to search for in a question.

    `analyzer` names that of the text index; `known` are the names that the tenant has.
    """
    plain = [_POSSESSIVE.sub("", word.lower())[:LONGEST_WORD] for word in _WORD.findall(text)]
    told = [word for word in plain if word not in QUESTION_WORDS] or plain
    if analyzer == "english":
        told = [word for word in told if word not in STOP_WORDS]
    words = tuple(dict.fromkeys(told))[:MOST_WORDS]
    told = told[:MOST_WORDS]
    mentions = extract(text[:NAMES_FROM], known=known)
    return Question(
        text=text,
        words=words,
        pairs=tuple(dict.fromkeys(pairwise(told))),
        dated=tuple(word for word in words if word.isdigit() or word in MONTHS),
        names=tuple(mention.key for mention in mentions),
        padded=f" {name_key(text[:NAMES_FROM])} {' '.join(plain)} ",
        entities=tuple(dict.fromkeys(mention.entity_id for mention in mentions if mention.entity_id is not None)),
    )

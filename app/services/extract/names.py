"""Names by their capital letters: spans of capitalised words, without what only starts a sentence."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from .gazetteer import StartTest, is_first_name, is_listed, listed_type
from .kinds import kind_of
from .mention import EntityType
from .words import DEMONYMS, DETERMINERS, HONORIFICS, ROLES, is_common, is_opener, is_ordinary

MAX_TOKENS = 12
_STRONG = (
    "of|de|del|della|dello|di|da|dos|das|du|des|van|von|der|den|ter|zu|la|le|las|los|el|al|bin|ibn|bint|y|e|wa|ye|&"
)
_WEAK = re.compile(r" (?:and|for|in|on|to|with|from|at|or)(?: (?:the|a|an))? | the |, (?:and|the) ")
_WEAK_TITLE = frozenset("and in on to with for".split())
_NEXT_WORD = re.compile(r"[ \t]{1,3}([^\W\d_]{1,30})")
_PREVIOUS_WORD = re.compile(r"([^\W\d_]{1,30}):?[ \t]{1,3}[\"'\u201c*_(]{0,3}$")
_DECIMAL = re.compile(r" v?\d{1,4}(?:\.\d+)*\+?$")
_ROMAN = re.compile(r"[IVX]{1,5}")
_POSSESSIVE = re.compile(r"['\u2019][sS]$|(?<=s)['\u2019]$")
_QUOTED = re.compile(r"[\"\u201c]([^\W\d_a-z][^\"\u201c\u201d\n]{1,78})[\"\u201d]")
_KEEP_TITLE = frozenset("saint st".split())
_NAMED_BY = frozenset("project operation".split())  # "Operation Sunrise": whatever follows is a name
_PRONOUNS = frozenset("i i'm i'll i'd i've a".split())
_LOWER_WORD = re.compile(r"(?<![\w'])[a-z][a-z']{2,30}")
_CAPITALS = re.compile(r"\b[A-Z]{2,30} [A-Z]{2,30}\b")
_SHOUT = re.compile(r"[^\n.!?]*[.!?\n]?")


@dataclass(frozen=True, slots=True)
class Name:
    """A capitalised name at `start`:`end` of the text."""

    start: int
    end: int
    name: str
    entity_type: EntityType
    confidence: float


@cache
def _span() -> re.Pattern[str]:
    """Capitalised words joined by blanks, particles ("van", "of the") and short numbers.

    Built at run time because `re` has no class for upper case.
    """
    upper = _upper_class()
    inner = r"(?:['\u2019\u2010.-](?=\w)\w{1,40}){0,6}"
    word = (
        rf"(?:(?:Dr|Mr|Mrs|Ms|Prof|St|Mt|Ft|Sr|Jr|Gen|Col|Lt|Capt|Rev|Hon|Gov|Sen)\.|(?:{upper}\.){{1,5}}"
        rf"|(?:[dlDLO]['\u2019]|al-|el-|ad-|an-|as-)?{upper}\w{{0,60}}{inner}[+#]{{0,2}})"
    )
    particle = rf"(?:{_STRONG})[ \t](?:(?:the|la|las|los|der|den)[ \t])?"
    joint = rf"[ \t]{{1,2}}(?:(?:{particle})?{word}|\d{{1,3}}(?:\.\d{{1,3}}){{0,2}}(?![\w:/%.-]\w|%))"
    return re.compile(rf"(?<![\w@#/.$\u2019'])(?:{word})(?:{joint}){{0,{MAX_TOKENS - 1}}}")


def _upper_class() -> str:
    runs: list[list[int]] = []
    for code in range(0x10000 if sys.maxunicode > 0xFFFF else sys.maxunicode):
        char = chr(code)
        if char.isupper() or char.istitle():
            if runs and runs[-1][1] == code - 1:
                runs[-1][1] = code
            else:
                runs.append([code, code])
    return (
        "["
        + "".join(f"{re.escape(chr(a))}-{re.escape(chr(b))}" if a != b else re.escape(chr(a)) for a, b in runs)
        + "]"
    )


class NameFinder:
    """Finds capitalised names in one text; `masked` is the text with recognised forms blanked out."""

    def __init__(self, masked: str, is_start: StartTest) -> None:
        self._text = masked
        self._is_start = is_start
        self._shouted = _shouted_ranges(masked)
        self._seen_lower: frozenset[str] | None = None

    def find(self) -> list[Name]:
        """Names in order of appearance; they never overlap, except that a quoted title covers what is in it."""
        titles = list(self._quoted())
        found = list(titles)
        for start, end in self._spans():
            if not any(t.start <= start and end <= t.end for t in titles):
                found += self._judge(start, end)
        return found

    def _quoted(self) -> Iterator[Name]:
        for match in _QUOTED.finditer(self._text):
            inner = match.group(1).rstrip(" .,!?")
            tokens = inner.split()
            if len(tokens) > MAX_TOKENS or not all(t[:1].isupper() or len(t) < 5 or t[:1].isdigit() for t in tokens):
                continue
            single = len(tokens) == 1
            if (single and (is_common(inner.lower()) or not inner[:1].isupper())) or inner.isupper() or "\x02" in inner:
                continue
            kind, sure = kind_of(tokens, self._before(match.start()), "", honorific=False, quoted=True)
            if is_opener(tokens[0].lower()) and any(listed_type(t) for t in tokens):
                continue
            yield Name(match.start(1), match.start(1) + len(inner), inner, kind, sure)

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Spans, with those merged that a weak connecting word joins into one title ("Gone with the Wind")."""
        held: tuple[int, int] | None = None
        for match in _span().finditer(self._text):
            here = match.start(), match.end()
            if held is not None and here[0] - held[1] < 12 and self._one_title(held, here):
                held = held[0], here[1]
                continue
            if held is not None:
                yield held
            held = here
        if held is not None:
            yield held

    def _one_title(self, left: tuple[int, int], right: tuple[int, int]) -> bool:
        gap = self._text[left[1] : right[0]]
        if _WEAK.fullmatch(gap) is None or gap.split()[0] not in _WEAK_TITLE or self._is_start(left[0]):
            return False
        words = [w.lower() for w in self._text[left[0] : left[1]].split()]
        following = [w.lower() for w in self._text[right[0] : right[1]].split()]
        if any(is_listed(w) or listed_type(w) for w in (words[-1], following[0])) or following[0] in _PRONOUNS:
            return False
        plain_left = all(is_common(w) for w in words) and not any(w in ROLES for w in words)
        plain_right = all(is_common(w) for w in following)
        return plain_left and plain_right and not all(is_opener(w) for w in words + following)

    def _judge(self, start: int, end: int) -> Iterator[Name]:
        raw = self._text[start:end]
        at, pieces = start, []
        for token in re.finditer(r"\S+", raw):
            pieces.append((at + token.start(), token.group()))
        for part in _split_owner(pieces):
            name = self._name(part)
            if name is not None:
                yield name

    def _name(self, pieces: list[tuple[int, str]]) -> Name | None:
        opening = self._is_start(pieces[0][0])
        full = _joined(pieces)
        if listed_type(full) is None or len(pieces) == 1:
            pieces, honorific, demoted = self._trim(pieces, opening)
        else:
            honorific, demoted = False, False
        if not pieces:
            return None
        start, end = pieces[0][0], pieces[-1][0] + len(pieces[-1][1])
        name = _joined(pieces)
        if not name:
            return None
        tokens = name.split()
        # What follows "Thanks" or "Choose" is a name only if it does not look like a plain phrase.
        # "The Search Service" at a start is one, though: nobody capitalises what follows an article.
        demoted = demoted and not _article_before(self._text, start)
        plain_phrase = opening and demoted and len(tokens) > 1 and all(is_ordinary(_plain(t)) for t in tokens)
        opening = opening and not demoted and not _article_before(self._text, start)
        if plain_phrase or not self._worth(tokens, start, opening, honorific):
            return None
        kind, sure = kind_of(tokens, self._before(start), self._after(end), honorific=honorific, quoted=False)
        if kind == "technology" and (short := _DECIMAL.sub("", name)) and short != name and listed_type(name) is None:
            end -= len(name) - len(short)
            name = short
        if opening and len(tokens) == 1 and sure < 0.8:
            sure -= 0.1
        return Name(start, end, name, kind, sure)

    def _trim(self, pieces: list[tuple[int, str]], opening: bool) -> tuple[list[tuple[int, str]], bool, bool]:
        """Without sentence openers, honorifics and roles; whether an honorific was there; whether anything was cut."""
        honorific, cut = False, False
        while pieces:
            word = _plain(pieces[0][1])
            following = pieces[1][1] if len(pieces) > 1 else ""
            if (
                word in HONORIFICS
                and word not in _KEEP_TITLE
                and following[:1].isupper()
                and listed_type(following) is None
            ):
                honorific = True
            elif word in ROLES and len(pieces) > 2 and following.islower():
                pieces = pieces[1:]
            elif word in ROLES and len(pieces) == 2 and not is_common(following.lower()):
                pass
            elif not (is_opener(word) and (opening or word in _PRONOUNS or word in DETERMINERS)):
                break
            cut = True
            pieces = pieces[1:]
            while pieces and pieces[0][1].islower() and not pieces[0][1].startswith("al-"):
                pieces = pieces[1:]
        while len(pieces) > 1 and (_plain(pieces[-1][1]) in _PRONOUNS or pieces[-1][1].islower()):
            pieces = pieces[:-1]
        return pieces, honorific and len(pieces) < 5, cut

    def _worth(self, tokens: list[str], start: int, opening: bool, honorific: bool) -> bool:
        lower = [_plain(token) for token in tokens]
        if any(a <= start < b for a, b in self._shouted):
            return False
        if len(tokens) == 1:
            return honorific or self._single(tokens[0], lower[0], opening)
        if listed_type(" ".join(tokens)) is not None or (lower[0] in _NAMED_BY and not tokens[-1].isdigit()):
            return True
        if all(
            token.isdigit() or is_common(word) or word in DEMONYMS for token, word in zip(tokens, lower, strict=True)
        ):
            numbered = tokens[-1].isdigit() and len(tokens) == 2
            return not opening and not numbered and not all(is_opener(w) or w in ROLES for w in lower)
        if opening and all(token.isdigit() or is_ordinary(word) for token, word in zip(tokens, lower, strict=True)):
            return False
        headline = opening and len(tokens) > 3 and sum(is_opener(w) for w in lower[1:] if w not in {"of", "the"}) > 0
        return not headline

    def _single(self, token: str, lower: str, opening: bool) -> bool:
        if len(token) < 2 or lower in DEMONYMS or (_ROMAN.fullmatch(token) and not is_listed(lower)):
            return False
        if is_first_name(lower) and not is_opener(lower):
            return not (opening and is_common(lower))
        if is_opener(lower) or is_common(lower):
            # A listed name that is an ordinary word as well is the gazetteer's to judge.
            return False
        _, hyphen, tail = token.rpartition("-")
        if hyphen and tail.islower() and is_ordinary(tail):
            return False  # "GDPR-like", "Well-crafted"
        if token.isupper() and len(token) <= 8:
            return len(token) > 2 or not opening
        return not opening or (len(token) > 3 and not is_ordinary(lower) and lower not in self._lower_words())

    def _lower_words(self) -> frozenset[str]:
        if self._seen_lower is None:
            self._seen_lower = frozenset(_LOWER_WORD.findall(self._text))
        return self._seen_lower

    def _before(self, start: int) -> str:
        match = _PREVIOUS_WORD.search(self._text[max(0, start - 40) : start])
        return match.group(1).lower() if match else ""

    def _after(self, end: int) -> str:
        match = _NEXT_WORD.match(self._text, end)
        return match.group(1).lower() if match else ""


def _split_owner(pieces: list[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    """Splits an owner off when it is a first name: "Bob's Tesla" is two names, "King's College" is one."""
    for i, (_, token) in enumerate(pieces[:-1]):
        bare = _POSSESSIVE.sub("", token)
        if bare != token and (is_first_name(bare.lower()) and listed_type(_joined(pieces)) is None):
            return [pieces[: i + 1], *_split_owner(pieces[i + 1 :])]
    return [pieces]


def _article_before(text: str, start: int) -> bool:
    return text[max(0, start - 4) : start].lower().endswith("the ")


def _plain(token: str) -> str:
    return token.lower().replace("\u2019", "'").rstrip(".")


def _joined(pieces: list[tuple[int, str]]) -> str:
    tokens = [token for _, token in pieces]
    if tokens:
        tokens[-1] = _POSSESSIVE.sub("", tokens[-1])
    return " ".join(tokens)


def _shouted_ranges(text: str) -> list[tuple[int, int]]:
    """Sentences in capitals: capitals say nothing there."""
    if not _CAPITALS.search(text):
        return []
    ranges = []
    for match in _SHOUT.finditer(text):
        words = re.findall(r"[^\W\d_]{2,}", match.group())
        if len(words) > 2 and sum(w.isupper() for w in words) > 0.6 * len(words):
            ranges.append((match.start(), match.end()))
    return ranges

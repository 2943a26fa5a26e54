"""Names of the world that are worth knowing without having met them: found in any case where that is safe."""

import re
from dataclasses import dataclass
from functools import cache

import ahocorasick

from .data import entries, people
from .keys import name_key
from .mention import EntityType
from .words import is_common, is_opener

# Short capitals are often ordinary words in lower case ("rest", "ram", "who"); these are not.
_LOWER_OK = frozenset(
    """api sql nosql html css json yaml toml xml csv http https jwt aws gcp ssh sftp ftp tcp udp dns tls ssl ssd gpu cpu
    usb vpn cdn sdk cli orm uuid llm nlp npm pip k8s gdpr hipaa oauth oauth2 sso saml smtp imap cors csrf php kpi
    okr
    ios macos""".split()
)
_TOKEN = re.compile(r"\.?\w[\w+#]*(?:[./&-][\w+#]+)*")
_MODEL = re.compile(r" \d{1,2}(?!\w|[.,:/-]\d|%)")
_SHORT = 4
_MIN_LOWER = 3
_MONTH_NAMES = frozenset("april may june august".split())
_BEFORE_TIMES = frozenset("in before after until till since by during from next last this early late mid".split())
_LONGEST_BEFORE = 12


@dataclass(frozen=True, slots=True)
class Hit:
    """A listed name at `start`:`end`; `sure` is False when the word could be an ordinary one."""

    start: int
    end: int
    name: str
    entity_type: EntityType
    sure: bool


@dataclass(frozen=True, slots=True)
class _Listed:
    name: str
    entity_type: EntityType
    ordinary: bool
    acronym: bool


@cache
def _singles() -> dict[str, _Listed]:
    table: dict[str, _Listed] = {}
    for name, ordinary in people().items():
        table[name] = _Listed(name.title(), "person", ordinary or len(name) < _SHORT or is_common(name), False)
    for lower, listed in _spellings():
        if " " not in lower and "'" not in lower:
            table[lower] = listed
    return table


@cache
def _phrases() -> "ahocorasick.Automaton":
    automaton = ahocorasick.Automaton()
    for lower, listed in _spellings():
        if " " in lower or "'" in lower:
            automaton.add_word(lower, (len(lower), listed))
    automaton.make_automaton()
    return automaton


def _spellings() -> list[tuple[str, _Listed]]:
    found = []
    for entry in entries():
        for spelled in (entry.name, *entry.aliases):
            lower = lowered(spelled)
            acronym = spelled.isupper() and len(spelled) <= _SHORT and lower not in _LOWER_OK
            ordinary = entry.ordinary or (" " not in lower and is_common(lower))
            found.append((lower, _Listed(entry.name, entry.entity_type, ordinary, acronym)))
    return found


@cache
def _types_by_key() -> dict[str, EntityType]:
    return {name_key(entry.name): entry.entity_type for entry in entries()}


def listed_type(name: str) -> EntityType | None:
    """The type of a listed name (not of a first name), or None."""
    return _types_by_key().get(name_key(name))


def is_first_name(word: str) -> bool:
    """Whether `word`, in lower case, is a listed first name."""
    return word in people()


def is_listed(word: str) -> bool:
    """Whether the lower-cased single word is listed at all, as a first name or otherwise."""
    return word in _singles()


def lowered(text: str) -> str:
    """`text` in lower case and with straight apostrophes, of the same length, so that offsets stay valid."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = "".join(low if len(low := c.lower()) == 1 else c for c in text)
    return lower.replace("\u2019", "'")


def find(text: str, lower: str, is_start: "StartTest") -> list[Hit]:
    """Listed names in `text`. `lower` is `lowered(text)`; `is_start(i)` tells whether a sentence begins at `i`."""
    hits = []
    table = _singles()
    for match in _TOKEN.finditer(lower):
        listed = table.get(match.group())
        if listed is not None:
            hit = _judge(text, match.start(), match.end(), listed, is_start)
            if hit is not None:
                hits.append(hit)
        elif "/" in match.group():
            hits += _parts(text, match, is_start)
    phrases = _phrases()
    for last, (length, listed) in phrases.iter(lower) if len(phrases) else ():
        start, end = last - length + 1, last + 1
        if on_boundaries(lower, start, end):
            hit = _judge(text, start, end, listed, is_start)
            if hit is not None:
                hits.append(hit)
    return hits


def _parts(text: str, match: re.Match[str], is_start: "StartTest") -> list[Hit]:
    """Both names of "python/flask"; a path does not get here, it is masked before."""
    hits, at = [], match.start()
    for part in match.group().split("/"):
        listed = _singles().get(part)
        if listed is not None:
            hit = _judge(text, at, at + len(part), listed, is_start)
            if hit is not None:
                hits.append(hit)
        at += len(part) + 1
    return hits


def _judge(text: str, start: int, end: int, listed: _Listed, is_start: "StartTest") -> Hit | None:
    if listed.entity_type == "product" and (model := _MODEL.match(text, end)) is not None:
        return Hit(start, model.end(), text[start : model.end()], "product", not listed.ordinary)
    spelled = text[start:end]
    if spelled.islower():
        if listed.ordinary or listed.acronym or len(spelled) < _MIN_LOWER:
            return None
        return Hit(start, end, listed.name, listed.entity_type, True)
    if listed.acronym and not spelled.isupper():
        return None
    if listed.entity_type == "person" and _is_month(text, start, spelled.lower()):
        return None
    if not listed.ordinary or " " in spelled:
        return Hit(start, end, spelled, listed.entity_type, True)
    if listed.entity_type != "person" and spelled.isupper() and len(spelled) <= _SHORT:
        return Hit(start, end, spelled, listed.entity_type, True)
    if is_start(start) and is_opener(spelled.lower()):
        return None
    return Hit(start, end, spelled, listed.entity_type, not is_start(start))


def _is_month(text: str, start: int, lower: str) -> bool:
    """Whether a first name that is a month too ("April") stands where only a time can ("before April")."""
    if lower not in _MONTH_NAMES:
        return False
    before = text[max(0, start - _LONGEST_BEFORE) : start].split()
    return bool(before) and before[-1].lower() in _BEFORE_TIMES


def on_boundaries(lower: str, start: int, end: int) -> bool:
    """Whether no letter or digit continues the word on either side (scripts without spaces have no such sides)."""
    before, after = lower[start - 1 : start], lower[end : end + 1]
    return not (_joins(before) and _joins(lower[start])) and not (_joins(after) and _joins(lower[end - 1]))


_SPACELESS = 0x2E80  # from here on: Chinese, Japanese, Korean, written without blanks between words


def _joins(char: str) -> bool:
    return bool(char) and (char.isalnum() or char == "_") and ord(char) < _SPACELESS


class StartTest:
    """Tells whether a sentence, a line, a list item or a quotation starts at an offset."""

    _SKIP = frozenset(" \t*_#-\u2022\u2013\u2014([{\u00bf\u00a1`~|")
    _QUOTE = frozenset("\"'\u201c\u2018\u00ab")
    _END = frozenset(".!?:;>\n\r\u2026\u3002")
    _BACK = 12

    def __init__(self, text: str) -> None:
        self._text = text

    def __call__(self, at: int) -> bool:
        text, stop = self._text, max(0, at - self._BACK)
        for i in range(at - 1, stop - 1, -1):
            char = text[i]
            if char in self._QUOTE:
                return True
            if char not in self._SKIP:
                # Nothing starts after "e.g. ", but a wrong "yes" only costs doubt.
                return char in self._END or ord(char) >= 0x1F000
        return stop == 0

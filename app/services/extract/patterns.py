"""What can be recognised by its form alone: addresses, code, tickets, dates.

Every repetition is bounded or unambiguous, so that no text makes a pattern slow.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .gazetteer import is_listed, listed_type
from .mention import EntityType
from .words import is_common

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sept sep",
            "october oct",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}
_MONTH = (
    "(?:[Jj]an(?:uary)?|[Ff]eb(?:ruary)?|[Mm]ar(?:ch)?|[Aa]pr(?:il)?|[Mm]ay|[Jj]une?|[Jj]uly?|[Aa]ug(?:ust)?"
    r"|[Ss]ept?(?:ember)?|[Oo]ct(?:ober)?|[Nn]ov(?:ember)?|[Dd]ec(?:ember)?)\b\.?"
)
_DAY = r"(?:3[01]|[12]\d|0?[1-9])"
_YEAR = r"(?:1\d{3}|20\d\d)"
_DATE = re.compile(
    rf"\b(?P<iy>{_YEAR})-(?P<im>0[1-9]|1[0-2])-(?P<id>0[1-9]|[12]\d|3[01])(?!\d)"
    rf"|\b(?P<d1>{_DAY})(?:st|nd|rd|th)?(?: of)? (?P<m1>{_MONTH}),?(?: (?P<y1>{_YEAR})\b)?"
    rf"|\b(?P<m2>{_MONTH}) (?P<d2>{_DAY})(?:st|nd|rd|th)?\b(?!:)(?:,? (?P<y2>{_YEAR})\b)?"
    rf"|\b(?P<m3>{_MONTH}),? (?P<y3>{_YEAR})\b"
    rf"|\bQ(?P<q>[1-4])[ /](?P<qy>{_YEAR})\b"
)
_YEAR_ALONE = re.compile(
    r"(?<![\w.,:/$\u20ac\u00a3#%=+-])(1\d{3}|20\d\d)(?![\w:/%$\u20ac=]|[.,]\d|-\d{3})(?:(?= ([a-z]+)))?"
)
_UNITS = frozenset(
    """ms s sec seconds minutes hours days weeks months years users people items rows bytes kb mb gb tb tokens requests
    characters chars words lines files km m miles meters metres kg g lbs pounds dollars euros calories kcal steps words
    points percent times entries records nodes edges memories documents queries messages px vectors dimensions pages
    votes members students inhabitants copies units feet ft hp""".split()
)

_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"'`\u201c\u201d\\)\]}]{3,500}")
_EMAIL = re.compile(
    r"(?<![\w.%+-])[\w.%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,5}\.[A-Za-z]{2,24}(?![\w-])"
)
_HANDLE = re.compile(
    r"(?<![\w@./:-])@[A-Za-z_]\w{1,38}(?:[.-]\w{1,38}){0,3}(?![\w/(@]|\.\w|[ \t]*\n[ \t]*(?:async )?(?:def|class|@))"
)
_DECORATORS = frozenset(
    "@property @dataclass @staticmethod @classmethod @media @import @override @param @return @pytest.fixture".split()
)

_TICKET = re.compile(r"(?<![\w-])[A-Z][A-Z0-9]{1,9}-\d{1,6}(?![\w-])")
_NO_TICKET = frozenset(
    "UTF SHA GPT COVID ISO AES RFC RSA MD HTTP TLS SSL IPV ES PS USB H B F A CVE IEEE BERT ROUGE BLEU".split()
)
_FILE = re.compile(
    r"(?<![\w./-])/?(?:[\w.-]{1,80}/){0,12}[\w.-]{1,80}\.(?:pyi?|jsx?|tsx?|mdx?|ya?ml|json[l5]?|toml|sql|sh|cfg"
    r"|ini|java|go|rs|[ch]|cpp|cs"
    r"|rb|php|html?|css|txt|csv|tsv|pdf|docx?|xlsx?|pptx?|ipynb|cypher|lock|xml|proto|tf|kt|swift|lua|env"
    r"|conf)\b(?![\w/])"
)
_SNAKE = re.compile(r"(?<![\w./-])(?:__)?[A-Za-z][A-Za-z0-9]{0,60}(?:_[A-Za-z0-9]{1,60}){1,12}(?:__)?(?![\w-])")
_CALL = re.compile(r"(?<![\w./-])([A-Za-z_]\w{1,60}(?:\.[A-Za-z_]\w{0,60}){0,5})\(\)")
_DOTTED = re.compile(r"(?<![\w./@-])[A-Za-z_]\w{1,60}(?:\.[A-Za-z_]\w{1,60}){1,5}(?![\w/@-])")
_CAMEL = re.compile(r"(?<![\w./@-])[a-z]{2,40}[a-z0-9]{0,20}(?:[A-Z][A-Za-z0-9]{1,40}){1,8}(?![\w-])")
_MIXED = re.compile(r"(?<![\w./@-])[a-z]{2,20}\d[a-z]{2,20}(?![\w-])")
_PASCAL = re.compile(r"(?<![\w./@-])(?:[A-Z][a-z0-9]{1,40}){1,8}(?P<tail>[A-Z][a-z0-9]{1,40})(?![\w-])")
_PASCAL_TAILS = frozenset(
    """Adapter Api App Base Batch Builder Button Cache Callback Client Collection Command Component Config Connection
    Container Context Controller Decorator Dialog Driver Dto Engine Entity Enum Error Event Exception Executor Factory
    Field Filter Form Formatter Graph Handle Handler Helper Id Impl Index Info Interface Item Iterator Job Key Layout
    Lexer List Listener Loader Lock Logger Manager Map Mapper Matcher Middleware Mixin Model Module Node Object Observer
    Options Page Pair Parser Path Plugin Policy Pool Processor Protocol Provider Proxy Query Queue Reader Record
    Registry Repository Request Resolver Resource Response Result Router Runner Schema Serializer Server
    Service Session Set
    Settings State Store Strategy Stream Table Task Template Test Thread Token Tree Type Util Utils Validator Value View
    Visitor Warning Widget Worker Wrapper Writer""".split()
)
_HEADER = re.compile(
    r"\b(?:Accept|Access|Cache|Content|Idempotency|If|Last|Retry|Set|Transfer|User|X)(?:-[A-Z][A-Za-z]{1,20}){1,4}\b"
)
_PACKAGE = re.compile(r"(?<![\w./@-])[a-z][a-z0-9]{1,30}(?:-[a-z0-9]{2,30}){1,3}(?![\w/-])")
_NO_PACKAGE = frozenset(
    "based like style first only native specific compatible free related driven powered side aware ready".split()
)
_BACKTICK = re.compile(r"`([^`\s]{2,80})`")
_LOOKS_LIKE_CODE = re.compile(r"\w*[A-Z_./:-][\w./:-]+|[\w.]+[_./:]\w+")
_NOT_CODE_TLD = frozenset("com org net io dev app co uk de fr ai eu edu gov example invalid test local".split())


@dataclass(frozen=True, slots=True)
class Found:
    """A recognised form. `key` is set only where it differs from `name_key(name)`."""

    start: int
    end: int
    name: str
    entity_type: EntityType
    confidence: float
    key: str | None = None


def find(text: str) -> list[Found]:
    """All forms in `text`, the first of two that overlap by order of trust: addresses, paths, code, dates."""
    found: list[Found] = []
    for needed, search in _SEARCHES:
        if needed is None or any(part in text for part in needed):
            found.extend(search(text))
    taken: list[Found] = []
    covered = bytearray(len(text))
    for item in found:
        if not any(covered[item.start : item.end]):
            covered[item.start : item.end] = b"\1" * (item.end - item.start)
            taken.append(item)
    return taken


def _urls(text: str) -> Iterator[Found]:
    for match in _URL.finditer(text):
        url = match.group().rstrip(".,;:!?*_")
        yield Found(match.start(), match.start() + len(url), url, "document", 0.98)


def _emails(text: str) -> Iterator[Found]:
    for match in _EMAIL.finditer(text):
        address = match.group().rstrip(".-")
        yield Found(match.start(), match.start() + len(address), address, "other", 0.98)


def _handles(text: str) -> Iterator[Found]:
    for match in _HANDLE.finditer(text):
        if match.group() not in _DECORATORS and not match.group().startswith("@app."):
            yield Found(match.start(), match.end(), match.group(), "person", 0.85)


def _tickets(text: str) -> Iterator[Found]:
    for match in _TICKET.finditer(text):
        if match.group().partition("-")[0] not in _NO_TICKET and listed_type(match.group()) is None:
            yield Found(match.start(), match.end(), match.group(), "document", 0.9)


def _files(text: str) -> Iterator[Found]:
    for match in _FILE.finditer(text):
        if listed_type(match.group()) is None:
            yield Found(match.start(), match.end(), match.group(), "document", 0.9)


def _code(
    pattern: re.Pattern[str], accept: Callable[[re.Match[str]], bool], confidence: float
) -> Callable[[str], Iterator[Found]]:
    group = 1 if pattern.groups and not pattern.groupindex else 0

    def search(text: str) -> Iterator[Found]:
        for match in pattern.finditer(text):
            if accept(match):
                yield Found(match.start(group), match.end(group), match.group(group), "technology", confidence)

    return search


def _any(match: re.Match[str]) -> bool:
    return True


def _not_listed(match: re.Match[str]) -> bool:
    return not is_listed(match.group().lower())


def _dotted_code(match: re.Match[str]) -> bool:
    parts = match.group().split(".")
    if match.group().endswith("()") or parts[-1] in _NOT_CODE_TLD or listed_type(match.group()) is not None:
        return False
    # "done.Then" is a missing blank, "requests.Session" and "Pool.close" are code.
    return bool(_PASCAL.fullmatch(parts[0])) or not any(is_common(part.lower()) for part in parts[:1])


def _pascal_code(match: re.Match[str]) -> bool:
    return match["tail"] in _PASCAL_TAILS and _not_listed(match)


def _package(match: re.Match[str]) -> bool:
    head, _, tail = match.group().rpartition("-")
    return (
        is_listed(head) and listed_type(head) == "technology" and tail not in _NO_PACKAGE and not is_common(tail + "s-")
    )


def _backtick(match: re.Match[str]) -> bool:
    return _LOOKS_LIKE_CODE.fullmatch(match.group(1)) is not None


def _dates(text: str) -> Iterator[Found]:
    for match in _DATE.finditer(text):
        raw = match.group().rstrip(" ,.")
        yield Found(match.start(), match.start() + len(raw), raw, "event", 0.9, _date_key(match))


def _date_key(match: re.Match[str]) -> str:
    if match["iy"]:
        return match.group()
    if match["q"]:
        return f"{match['qy']}-q{match['q']}"
    month = _MONTHS[(match["m1"] or match["m2"] or match["m3"]).rstrip(".").lower()]
    if match["y3"]:
        return f"{match['y3']}-{month:02d}"
    return f"{match['y1'] or match['y2'] or '-'}-{month:02d}-{int(match['d1'] or match['d2']):02d}"


def _years(text: str) -> Iterator[Found]:
    for match in _YEAR_ALONE.finditer(text):
        if match.group(2) not in _UNITS:
            yield Found(match.start(1), match.end(1), match.group(1), "event", 0.6, match.group(1))


_SEARCHES: tuple[tuple[tuple[str, ...] | None, Callable[[str], Iterator[Found]]], ...] = (
    (("://", "www."), _urls),
    (("@",), _emails),
    (("@",), _handles),
    (("-",), _tickets),
    ((".",), _files),
    (("`",), _code(_BACKTICK, _backtick, 0.8)),
    (("()",), _code(_CALL, _any, 0.85)),
    (("_",), _code(_SNAKE, _any, 0.85)),
    (("-",), _code(_HEADER, _any, 0.8)),
    ((".",), _code(_DOTTED, _dotted_code, 0.7)),
    (None, _code(_CAMEL, _not_listed, 0.8)),
    (None, _code(_MIXED, _not_listed, 0.6)),
    (None, _code(_PASCAL, _pascal_code, 0.8)),
    (("-",), _code(_PACKAGE, _package, 0.7)),
    (None, _dates),
    (None, _years),
)

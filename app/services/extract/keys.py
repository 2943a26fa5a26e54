"""`name_key`: when two spellings are one name."""

import re
import unicodedata
from functools import cache, lru_cache

from .data import entries

# Folding a plural is safe only for nouns that head the names of things. "Roberts" is not the plural of "Robert".
_PLURAL_HEADS = frozenset(
    """account adapter agent alert algorithm api app backup benchmark bot branch bucket bug build cache channel client
    cluster component connector contract controller cookie customer dashboard database dataset decision dependency
    deployment document driver embedding endpoint engine entity environment error event experiment feature flag
    framework function gateway graph guideline handler header hook incident index ingress instance integration
    interface invoice job key lambda library limit log memory metric microservice migration model module namespace
    network node note notebook notification package partition pattern payment permission pipeline plugin pod policy
    portal prompt protocol provider proxy query queue record registry release replica report repository request role
    rule runner schema script sdk secret server service session setting shard skill snapshot socket sprint stack
    stream subscription system table task team template tenant test thread ticket token tool topic transaction
    trigger user utility validator vector version volume webhook widget worker workflow workshop workspace""".split()
)
_QUOTES = str.maketrans(
    {
        "\u2019": "'",
        "\u2018": "'",
        "\u02bc": "'",
        "`": "'",
        "\u00b4": "'",
        "\u2010": "-",
        "\u2011": "-",
        "\u2012": "-",
        "\u2013": "-",
        "\u2014": "-",
        "\u0307": None,  # what case folding leaves of the Turkish dotted capital I
    }
)
_IDENTIFIER = re.compile(r"\S*[_/:@\\]\S*|\w+\(\)")
_POSSESSIVE = re.compile(r"(?<=\w)(?:'s|')$")
_INITIALS = re.compile(r"\b[^\W\d_](?:\. ?[^\W\d_]\b)+\.?")
_LOOSE_DOT = re.compile(r"\.(?!\w)|(?<!\w)\.(?!\w)")
_OTHER = re.compile(r"[^\w.+#]+")
_LEADING = re.compile(r"^(?:the|an?) (?=\S{3})")


@lru_cache(maxsize=32_768)
def name_key(name: str) -> str:
    """The key under which a name is looked up and counted once: `name` without regard to case, quotes, dashes, a
    leading article, a trailing possessive, the plural of common nouns, and with well-known short forms spelled out.

    Identifiers, paths, e-mail addresses and URLs keep their punctuation. Empty when nothing is left of `name`.
    """
    key = _plain_key(name)
    return _aliases().get(key, key)


def _plain_key(name: str) -> str:
    text = unicodedata.normalize("NFKC", name).casefold().translate(_QUOTES).strip()
    if _IDENTIFIER.fullmatch(text):
        return text.removesuffix("()").strip("/.,;'\"")
    text = _INITIALS.sub(lambda m: m.group().replace(".", "").replace(" ", ""), text)
    text = _POSSESSIVE.sub("", text.strip("\"'.,;:!?()[]{}*<> ") if not text.endswith("'s") else text)
    text = _LOOSE_DOT.sub("", text.replace("'", "").replace("&", " and "))
    text = _LEADING.sub("", " ".join(_OTHER.sub(" ", text).split()))
    return _singular(text, name)


def _singular(text: str, name: str) -> str:
    head, _, last = text.rpartition(" ")
    if len(last) < 3 or not last.endswith("s"):
        return text
    for singular in (last[:-1], last[:-2], last[:-3] + "y"):
        if singular in _PLURAL_HEADS and last != singular:
            return f"{head} {singular}".strip()
    # "PRs", "SLAs": capitals with a small s can only be a plural.
    spelled = name.strip().removesuffix("'s").rsplit(None, 1)[-1]
    if len(spelled) > 2 and spelled[-1] == "s" and spelled[:-1].isalpha() and spelled[:-1].isupper():
        return f"{head} {last[:-1]}".strip()
    return text


@cache
def _aliases() -> dict[str, str]:
    return {_plain_key(alias): _plain_key(entry.name) for entry in entries() for alias in entry.aliases}

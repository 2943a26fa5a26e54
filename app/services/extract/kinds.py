"""Which of the twelve types a name is, judged by its words and by the words beside it."""

from .gazetteer import is_first_name, listed_type
from .mention import EntityType
from .words import COMMON, is_common, is_ordinary


def _table(**kinds: str) -> dict[str, EntityType]:
    return {word: kind for kind, words in kinds.items() for word in words.split()}  # type: ignore[misc]


_LAST = _table(
    organization="""inc ltd llc plc gmbh ag corp corporation co company companies university college institute school
    academy bank foundation agency ministry council club fc united records airlines airways group team committee party
    studios pictures orchestra hospital clinic association society museum church army navy police press publishing
    publishers partners ventures capital holdings industries enterprises traders motors systems technologies labs
    laboratories laboratory network union league federation board commission authority department bureau office band
    hotel restaurant cafe bakery library parliament senate court movement gallery theatre theater success finance legal
    marketing consulting solutions trust fund hotels media news""",
    location="""street road avenue boulevard lane square plaza river lake mountain mountains mount hill hills island
    islands county city town village park bay valley beach airport bridge district province peninsula sea ocean desert
    canyon station harbor harbour castle palace tower cathedral coast gardens garden falls forest creek cape gulf strait
    canal region state territory republic kingdom empire heights springs port""",
    event="""war festival conference summit olympics cup championship championships awards award day revolution prize
    games marathon hackathon expo tournament election elections massacre siege uprising congress fair parade gala
    olympiad pandemic eve regatta rally concert workshop meetup offsite retreat""",
    document="""report act agreement guide manual constitution journal handbook readme charter bible law paper treaty
    declaration policy contract magazine newspaper times gazette herald tribune novel film movie album song memo spec
    specification whitepaper applications""",
    project="""project service initiative migration programme program pipeline""",
    product="""app pro max plus ultra mini watch phone suite console headphones edition studio game""",
    technology="""api sdk framework db protocol server library driver database kernel cloud engine algorithm sql script
    cli os ml ai js gateway""",
    concept="""theory principle effect law theorem method model paradox syndrome disease disorder therapy hypothesis""",
)
_FIRST = _table(
    organization="""university institute ministry bank department bureau royal hotel fc ac club college church
    federal society order""",
    location="lake mount mt fort port cape new north south east west san santa los las",
    event="battle treaty siege tour",
    project="project operation mission apollo",
)
_BEFORE = _table(
    location="in near to from visited visit visiting across around toward towards outside",
    organization="at joined joining acquired founded acquires hired employer startup company firm",
    technology="""using use uses via adopt adopted deploy deployed upgrade upgrading upgraded migrate library
    framework language database""",
    person="""with met told asked asks ask tell called by named friend colleague brother sister son daughter wife
    husband girlfriend boyfriend cousin mom dad thanks hi hey dear hello cc owner assignee reporter author
    says regards love
    partner coach teacher""",
    document="""wrote painted composed directed read reading watched watching novel book film movie song album
    titled entitled""",
)
_AFTER = _table(
    person="""said says asked asks told thinks wants prefers preferred likes loves hates lives lived works worked moved
    born wrote studied taught married died met suggested proposed recommended decided felt hates feels knows cried
    enjoys owns agreed replied mentioned presented calls called wants""",
    organization="announced acquired employs hired launched shares inc ltd reports investor investigates",
    project="project initiative programme program milestone rollout",
    event="festival conference tournament",
    technology="""library framework server cluster index query queries driver replica container containers syntax
    compiler""",
    location="coast airport city",
)
_CODE_SHAPED = ("error", "exception", "client", "server", "service", "store", "repository", "handler", "manager")


def kind_of(tokens: list[str], before: str, after: str, *, honorific: bool, quoted: bool) -> tuple[EntityType, float]:
    """Type and confidence (0 to 1) of the name `tokens`; `before` and `after` are its neighbours in lower case."""
    if honorific:
        return "person", 0.9
    listed = listed_type(" ".join(tokens))
    if listed is not None:
        return listed, 0.92
    lower = [token.lower().rstrip(".") for token in tokens]
    if quoted and _BEFORE.get(before) != "person":
        return "document", 0.75
    if len(tokens) > 1:
        return _phrase(tokens, lower, before, after)
    return _word(tokens[0], lower[0], before, after)


def _phrase(tokens: list[str], lower: list[str], before: str, after: str) -> tuple[EntityType, float]:
    if is_first_name(lower[0]) and _may_be_family(lower[-1]):
        return "person", 0.9
    if "of" in lower[1:4] and (head := _LAST.get(lower[lower.index("of") - 1])) is not None:
        return head, 0.85
    if lower[-1].isdigit() and (listed := listed_type(" ".join(tokens[:-1]))) is not None:
        return listed, 0.9
    cue = _cue(lower)
    if cue is not None:
        return cue
    if after == "project":
        return "project", 0.8
    if any(listed_type(token) == "technology" for token in tokens):
        return "technology", 0.7
    if lower[0] == "the" and all(is_ordinary(word) for word in lower[1:]):
        return "document", 0.6  # what keeps its article in the middle of a sentence is mostly a title
    if any(is_ordinary(word) for word in lower if len(word) > 3 and word not in {"of", "the"}):
        return ("document", 0.6) if _BEFORE.get(before) == "document" else ("other", 0.55)
    if _BEFORE.get(before) in {"location", "organization"} and len(tokens) == 2 and not is_first_name(lower[0]):
        return _BEFORE[before], 0.6
    return "person", 0.65


def _cue(lower: list[str]) -> tuple[EntityType, float] | None:
    cue = _LAST.get(lower[-1]) or _FIRST.get(lower[0])
    if cue is not None:
        return cue, 0.85
    if len(lower) > 2 and _LAST.get(lower[-2]) == "organization":
        return "organization", 0.8  # its seat stands last: "Rowing Club Basel"
    return None


def _may_be_family(word: str) -> bool:
    """Trades make family names ("Weber", "Turner"), though they look like forms of ordinary words."""
    return not is_common(word) or (word.endswith("er") and word not in COMMON)


def _word(token: str, lower: str, before: str, after: str) -> tuple[EntityType, float]:
    if after == "project":
        return "project", 0.8
    if is_first_name(lower):
        return "person", 0.88
    if token.isupper() and len(token) > 1:
        return _BEFORE.get(before, "other") if before in {"at", "joined", "using"} else "other", 0.6
    cue = _AFTER.get(after) or _BEFORE.get(before)
    if cue is not None:
        return cue, 0.7
    if any(c.isdigit() for c in token):
        return "technology", 0.6
    if any(c.isupper() for c in token[1:]) and "'" not in token and "-" not in token:
        return "technology" if lower.endswith(_CODE_SHAPED) else "organization", 0.6
    return "other", 0.55

"""Which kind of memory a text is, when its writer did not say.

Rules, first match wins. They look at form and at a few unmistakable phrases, and leave everything else a fact:

1. `system`            written by or for a machine: a tag, a log line, a traceback, instructions to an agent
2. `task`              something still to be done: a check box, TODO, "need to", "remind me", a plain command
3. `preference`        what somebody likes, wants or avoids, and standing wishes ("always", "never", "from now on")
4. `insight`           something understood: causes, lessons, conclusions
5. `entity_reference`  says little more than who or what a name is, or how to reach it; only when names were found
6. `event`             something that happened or will happen at a time
7. `fact`              everything else
"""

import re
from typing import Literal

MemoryType = Literal["fact", "event", "insight", "task", "preference", "entity_reference", "system"]

_READ = 2_000  # characters looked at: the kind of a memory shows at its beginning
_SHORT = 120
_FLAGS = re.IGNORECASE

_SPEAKER = re.compile(r"^\s*[^\W\d_][\w.'\u2019-]{0,30}(?: [^\W\d_][\w.'\u2019-]{0,30})?: ")
_SYSTEM = re.compile(
    r"^\s*(?:\[(?:system|config|internal|heartbeat|debug|info|warn(?:ing)?|error|audit|cron)\]|system(?: prompt"
    r"| message| note)?:"
    r"|(?:debug|info|warn(?:ing)?|error|critical|fatal)[ :]|you are (?:an?|the) [\w -]{0,40}(?:assistant|agent"
    r"|bot|model)\b"
    r"|traceback \(most recent|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S* +\[?(?:debug|info|warn|error)|heartbeat\b"
    r"|health ?check\b"
    r"|(?:agent|session|memory|sync|backup|index) (?:started|stopped|restarted|initiali[sz]ed|completed|reindexed)\b)",
    _FLAGS,
)
_TASK = re.compile(
    r"^\s*(?:[-*] )?\[[ ]\]|\b(?:todo|fixme|action items?|to-do)\b|\b(?:need|needs|have|has|ought"
    r"|supposed) to (?!be (?:a|an|the)\b)(?:be )?[a-z]+"
    r"|\b(?:remember|don't forget|do not forget|remind (?:me|him|her|us|them)|make sure) (?:to|that|about)\b"
    r"|\bfollow(?:ing)? up (?:with|on)\b"
    r"|\bmust (?:not )?(?:be )?[a-z]+ (?:by|before|until)\b|\b(?:due|deadline(?: is)?"
    r"|no later than)\b.{0,20}\b(?:today|tomorrow|monday|tuesday|wednesday"
    r"|thursday|friday|saturday|sunday|next|end of|\d)|\bshould (?:\w+ ){1,8}(?:by|before) (?:tomorrow|monday"
    r"|tuesday|wednesday|thursday|friday|next|the end)"
    r"|\b(?:still|yet) to (?:do|be done)\b|\bnext steps?:|\bpending:|^\s*(?:please|pls)\b",
    _FLAGS,
)
_COMMAND = re.compile(
    r"^\s*(?:add|ask|book|buy|call|cancel|check|clean|contact|create|deploy|document|email|finish|fix|implement"
    r"|investigate|merge|migrate|order|pay"
    r"|prepare|refactor|remove|rename|renew|replace|reply|review|rewrite|schedule|send|ship|submit|test|update"
    r"|upgrade|write) (?:\w+\b)",
    _FLAGS,
)
_PREFERENCE = re.compile(
    r"\b(?:prefer(?:s|red|ence|ences)?|favou?rite|would rather|'d rather|fond of|a fan of|can't stand"
    r"|cannot stand|allergic to|no interest in)\b"
    r"|\b(?:i|we|he|she|they|user|users|customer|client|[A-Z]\w+) (?:really |absolutely |also |still )?(?:likes?"
    r"|loves?|enjoys?|hates?|dislikes?|adores?|wants?"
    r"|(?:do|does)(?:n't| not) (?:like|want|enjoy|eat|drink|use))\b(?! to be (?:reminded|called back))"
    r"|^\s*(?:please )?(?:always|never) [a-z]+|\b(?:from now on|instead of .{1,40} please)\b|\bthe user (?:likes"
    r"|wants|prefers)",
    _FLAGS,
)
_INSIGHT = re.compile(
    r"\b(?:root cause|lessons?(?: learn(?:ed|t))?|turns? out|turned out|realis\w+|realiz\w+|takeaways?|the (?:key"
    r"|main|real) (?:reason|problem|point|insight)|insight"
    r"|correlat\w+|suggests? that|indicates? that|implies|shows? that|means that|conclu\w+|in hindsight"
    r"|learn(?:ed|t) that|discovered that|noticed that|found (?:out )?that"
    r"|the more .{1,60} the (?:more|less|better|worse|faster|slower)|tends? to|trade-?offs?|(?:is|was|were"
    r"|are) caused by|the reason (?:is|was|for)|explains why|works better)\b",
    _FLAGS,
)
_REFERENCE = re.compile(
    r"^(?:[\w.&'\u2019-]+ ){0,5}[\w.&'\u2019)-]+,? (?:is|are|was|=) (?:an?|the|our|my|his|her|their|one of"
    r"|\w+'s) [^.!?]{2,80}[.!]?$"
    r"|^[^\n.:]{2,50}: [^\n]{0,60}(?:\S+@\S+\.\S+|https?://\S+|\+?\d[\d ()/-]{6,})[^\n]{0,40}$"
    r"|\b(?:can be reached|reach (?:him|her|them) at|contact (?:for|person)|also known as|a\.k\.a\.|aka"
    r"|stands for|short for|nickname)\b",
)
_ROLE = re.compile(
    r"\b(?:ceo|cto|cfo|coo|vp|founder|co-?founder|owner|manager|lead|head|director|engineer|developer|designer"
    r"|architect|analyst|maintainer|client|customer|vendor"
    r"|colleague|friend|brother|sister|mother|father|wife|husband|partner|boss|teacher|doctor|professor|therapist"
    r"|neighbou?r|cat|dog|service|library|repository"
    r"|repo|project|team|tool|database|company|contact|assistant|cousin|aunt|uncle|son|daughter)\b",
    _FLAGS,
)
_MOMENT = re.compile(
    r"\b(?:yesterday|today|tonight|tomorrow|this (?:morning|afternoon|evening|week|weekend|month)|last (?:night"
    r"|week|weekend|month|year|monday|tuesday|wednesday|thursday"
    r"|friday|saturday|sunday|spring|summer|autumn|fall|winter)|next (?:week|weekend|month|year|monday|tuesday"
    r"|wednesday|thursday|friday|saturday|sunday)"
    r"|(?:an?|one|two|three|\d+) (?:minutes?|hours?|days?|weeks?|months?|years?) ago|just now|recently"
    r"|\d{4}-\d\d-\d\d|at \d{1,2}(?::\d\d)?(?: ?[ap]m)?"
    r"|(?:on|since|until) (?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)|\d{1,2}(?:st|nd|rd"
    r"|th)? (?:of )?(?:january|february|march|april|may|june|july"
    r"|august|september|october|november|december)|(?:january|february|march|april|may|june|july|august|september"
    r"|october|november|december) \d{1,2})\b",
    _FLAGS,
)
_HAPPENED = re.compile(
    r"\b(?:went|met|visited|attended|launched|released|deployed|shipped|moved|started|finished|joined|left"
    r"|happened|took place|takes place|will take place|celebrated|married"
    r"|graduated|crashed|failed|broke|won|lost|bought|sold|signed|arrived|called|presented|announced|merged"
    r"|rolled back|migrated|hired|quit|died|was born|had (?:a|an|the|lunch"
    r"|dinner)|meeting|is (?:flying|moving|visiting|leaving)|travel(?:l?ed|ling|ing)|scheduled|booked|saw|watched"
    r"|ran|gave|received|got|came|fixed|decided|adopted|approved)\b",
    _FLAGS,
)
_PAST_FIRST = re.compile(
    r"\s*(?:[Ww]e|[Ii]|[Hh]e|[Ss]he|[Tt]hey|[A-Z]\w+(?: [A-Z]\w+)?) (?:just |finally |have |has |had )?"
    r"(?:\w+ed|went|met|left|won|lost|bought|sold|quit|broke|got|had|saw|ran|took|gave|came)\b"
)


def classify(text: str, has_entities: bool) -> MemoryType:
    """The type of the memory `text`; `has_entities` tells whether extraction found names in it.

    Looks at the first 2,000 characters. A leading speaker ("Caroline: ...") is passed over.
    """
    text = text[:_READ]
    if _SYSTEM.search(text):
        return "system"
    said = _without_speaker(text)
    if _TASK.search(said) or (_COMMAND.search(said) and "?" not in said):
        return "task"
    if _PREFERENCE.search(said):
        return "preference"
    if _INSIGHT.search(said):
        return "insight"
    if has_entities and len(text) <= _SHORT and _is_reference(text):
        return "entity_reference"
    if _HAPPENED.search(said) and (_MOMENT.search(said) or (len(said) <= _SHORT and _past_first(said))):
        return "event"
    return "fact"


def _without_speaker(text: str) -> str:
    """`text` after "Caroline: ", but not after "TODO: " or "Lesson learned: "."""
    speaker = _SPEAKER.match(text)
    if speaker is None or _TASK.search(speaker.group()) or _INSIGHT.search(speaker.group()):
        return text
    return text[speaker.end() :]


def _is_reference(text: str) -> bool:
    """A name with its role or with the way to reach it; "Paris is the capital of France" is a fact about the world."""
    match = _REFERENCE.search(text.strip())
    return match is not None and (
        (" is " not in match.group() and " was " not in match.group()) or _ROLE.search(text) is not None
    )


def _past_first(text: str) -> bool:
    """Whether the sentence tells of an action in its first words: "We launched the beta", "I met Ada"."""
    return _PAST_FIRST.match(text) is not None

"""A context in blocks: memories grouped by session and day, the decisions in force, the names; within one budget.

Each block is a text for a prompt and names the memories that it rests on. Pure functions, but for `around`.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.auth import Principal
from app.clock import iso
from app.services.recall.compress import CHARACTERS_A_TOKEN, cut
from app.services.refer import NOBODY, agent_named, project_named
from app.services.searchable import Finder
from app.state import State
from graph.context import ContextRepository
from graph.labels import NEVER
from graph.records import Row

BETWEEN = "\n\n"
# A block is counted with what stands between it and the next, and with what rounding up to tokens may add.
EXTRA = len(BETWEEN) + CHARACTERS_A_TOKEN - 1
# Shares of the budget that may go to what is not a memory; what they leave, memories get.
DECISIONS_SHARE, NAMES_SHARE = 0.25, 0.1
MOST_DECISIONS, LONGEST_DECISION = 5, 500
MOST_NAMES, LONGEST_NAMES = 12, 500
LONGEST_TITLE = 80
# A rest shorter than this tells nothing.
SHORTEST = 24
# Conditions that no decision can be asked for: where one is set, only decisions that rest on what was found are told.
NARROWER = (
    "user_id", "session_id", "memory_type", "tier", "visibility", "min_importance", "created_after", "created_before",
    "occurred_after", "occurred_before", "archived_only", "metadata_filter",
)  # fmt: skip
# From here on a decision answers the question; a little stricter than a search for decisions, which was asked for.
RELEVANT = 0.4


@dataclass(frozen=True, slots=True)
class Block:
    """One block. `since` and `until` are epoch milliseconds; `kind` is `memories`, `decision` or `entities`."""

    kind: str
    text: str
    memory_ids: tuple[str, ...]
    session_id: str | None = None
    decision_id: str | None = None
    since: int | None = None
    until: int | None = None

    @property
    def tokens(self) -> int:
        """Tokens of four characters."""
        return math.ceil(len(self.text) / CHARACTERS_A_TOKEN)

    def shown(self, text: bool = True) -> Row:
        """Return it as `BlockOut` takes it, with its text or without."""
        return {
            "kind": self.kind,
            "session_id": self.session_id,
            "decision_id": self.decision_id,
            "since": self.since,
            "until": self.until,
            "memory_ids": list(self.memory_ids),
            "text": self.text if text else None,
            "tokens": self.tokens,
        }


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around memories: decisions in force, most telling first, and titles of sessions by id."""

    decisions: Sequence[Row] = ()
    titles: dict[str, str | None] | None = None


def around(parts: State, caller: Principal, memories: Sequence[Row], wanted: Row) -> Around:
    """Return the active decisions that answer `wanted["query"]`, then those that rest on `memories` (shown rows).

    With `wanted["as_of"]` (epoch ms) those that were active then.

    Raises:
        EmbedderError: the question cannot be embedded now.
    """
    agent = agent_named(parts, caller, wanted.get("agent_id"))
    project = project_named(parts, caller, wanted.get("project"))
    if NOBODY in (agent, project):
        return Around()
    narrower, as_of = any(wanted.get(name) for name in NARROWER), wanted.get("as_of")
    fitting = [] if narrower else _fitting(parts, caller, wanted["query"], agent, project, as_of)
    beside = stands_around(parts, caller, memories, fitting, project, agent, as_of)
    if narrower:
        told = {row["id"] for row in memories}
        decisions = [{**row, "memory_ids": [id for id in row["memory_ids"] if id in told]} for row in beside.decisions]
        beside = replace(beside, decisions=decisions)
    return beside


def _fitting(
    parts: State, caller: Principal, query: str, agent: str | None, project: str | None, as_of: int | None
) -> list[str]:
    within = {name: value for name, value in (("agent_id", agent), ("project_id", project)) if value}
    finder = Finder(parts, caller, "decision", query)
    found = [id for id, _ in finder.scored(finder.rows(within, everything=as_of is not None), RELEVANT)]
    # Which of them stood at a past moment is asked of all: the index knows of today alone.
    return found if as_of is not None else found[:MOST_DECISIONS]


def stands_around(
    parts: State,
    caller: Principal,
    memories: Sequence[Row],
    decisions: Sequence[str],
    project_id: str | None = None,
    agent_id: str | None = None,
    as_of: int | None = None,
) -> Around:
    """Return those of `decisions` (ids, best first) that are active, then those that rest on the best of `memories`.

    With `as_of` (epoch ms) those that were active then.
    """
    ids = [row["id"] for row in memories]
    sessions = {row["session_id"] for row in memories if row["session_id"]}
    found = ContextRepository(parts.graph, caller).around(ids, decisions, sorted(sessions), project_id, agent_id, as_of)
    place = {id: at for at, id in enumerate([*decisions, *ids])}
    last = len(place)

    def key(row: Row) -> Any:
        return min([place.get(row["id"], last), *(place.get(id, last) for id in row["memory_ids"])]), row["id"]

    titles = {row["id"]: row["title"] for row in found["sessions"]}
    return Around(sorted(found["decisions"], key=key)[:MOST_DECISIONS], titles)


def assembled(memories: Sequence[Row], beside: Around, tokens: int | None) -> list[Block]:
    """Return blocks of shown memory rows (best first, none twice) that take at most `tokens`, together and joined.

    The best memories get the room; they are then told in the order of time. A word is never cut.
    """
    room = math.inf if tokens is None else tokens * CHARACTERS_A_TOKEN
    decided = list(_decisions(beside.decisions, room * DECISIONS_SHARE))
    left = room - sum(len(block.text) + EXTRA for block in decided)
    # The names are those of the memories told, which are only known when they are: their room is kept.
    kept = min(room * NAMES_SHARE, LONGEST_NAMES + EXTRA)
    told = _told(memories, beside.titles or {}, left - kept)
    names = _names([row for rows in told.values() for row, _ in rows], kept)
    return [*_grouped(told, beside.titles or {}), *decided, *names]


def joined(blocks: Sequence[Block]) -> str:
    """Return the blocks as one text."""
    return BETWEEN.join(block.text for block in blocks)


def moment(row: Row) -> int:
    """Return when what a memory tells took place, else when it was stored, in milliseconds."""
    occurred = row.get("occurred_at")
    return int(row["created_at"] if occurred is None or occurred >= NEVER else occurred)


Group = tuple[str, str]


def _told(memories: Sequence[Row], titles: dict[str, str | None], room: float) -> dict[Group, list[tuple[Row, str]]]:
    told: dict[Group, list[tuple[Row, str]]] = {}
    for row in memories:
        group = ((iso(moment(row)) or "")[:10], row["session_id"] or "")
        cost = 1 if group in told else len(_heading(group, titles)) + EXTRA + 1
        line = _line(row["content"])
        if cost + len(line) > room:
            rest = int(room - cost) if room > cost else 0
            line = cut(line, rest) if rest >= SHORTEST else ""
        if not line:
            break
        told.setdefault(group, []).append((row, line))
        room -= cost + len(line)
    return told


def _grouped(told: dict[Group, list[tuple[Row, str]]], titles: dict[str, str | None]) -> Iterator[Block]:
    blocks = []
    for group, members in told.items():
        rows = sorted(members, key=lambda each: (moment(each[0]), each[0]["created_at"], each[0]["seq"]))
        text = "\n".join([_heading(group, titles), *(line for _, line in rows)])
        times = [moment(row) for row, _ in rows]
        ids = tuple(row["id"] for row, _ in rows)
        blocks.append(Block("memories", text, ids, group[1] or None, None, times[0], times[-1]))
    yield from sorted(blocks, key=lambda block: (block.since, block.session_id or ""))


def _decisions(decisions: Sequence[Row], room: float) -> Iterator[Block]:
    for row in decisions:
        day = (iso(row["created_at"]) or "")[:10]
        text = f"Decision of {day}: {_plain(row['title'])}. Why: {_plain(row['rationale'])}"
        text = cut(text, int(min(LONGEST_DECISION, max(room - EXTRA, 0))))
        if len(text) < SHORTEST:
            return
        room -= len(text) + EXTRA
        at = row["created_at"]
        yield Block("decision", text, tuple(row["memory_ids"]), None, row["id"], at, at)


def _names(rows: Sequence[Row], room: float) -> Iterator[Block]:
    mentions = [(row["id"], each["value"], each["type"]) for row in rows for each in row.get("entities") or ()]
    mentions = [each for each in mentions if not _is_date(each[1], each[2])]
    counted = Counter((value, kind) for _, value, kind in dict.fromkeys(mentions))
    text, shown = "Names: ", set[tuple[str, str]]()
    for value, kind in sorted(counted, key=lambda each: (-counted[each], each))[:MOST_NAMES]:
        more = f"{', ' if shown else ''}{_plain(value)} ({kind})"
        if len(text) + len(more) + EXTRA > room:
            break
        text += more
        shown.add((value, kind))
    if shown:
        yield Block("entities", text, tuple(dict.fromkeys(id for id, *name in mentions if tuple(name) in shown)))


def _is_date(name: str, kind: str) -> bool:
    # Rules know days and years as events.
    return kind == "event" and any(sign.isdigit() for sign in name)


def _heading(group: Group, titles: dict[str, str | None]) -> str:
    day, session = group
    if not session:
        return f"{day}:"
    title = titles.get(session)
    return f'{day}, session "{cut(_plain(title), LONGEST_TITLE)}":' if title else f"{day}, a session:"


def _line(text: str) -> str:
    # Set in, so that no line of a memory can pass for the heading of another block.
    return "- " + "\n  ".join(line.rstrip() for line in text.strip().splitlines() if line.strip())


def _plain(text: str) -> str:
    return " ".join(text.split())

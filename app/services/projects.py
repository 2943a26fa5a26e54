"""Projects where more than one repository is needed: registering, the context page, deleting in bounded batches."""

from collections.abc import Iterator
from typing import Any

import orjson

from app.answers import shown
from app.auth import Principal
from app.clock import iso
from app.ids import new_id
from app.services.blocks import Block, assembled, stands_around
from app.services.distinct import distinct
from app.services.forget import delete_memories, keep, keep_links
from app.services.recall.compress import CHARACTERS_A_TOKEN, cut
from app.state import State
from graph.driver import Transaction
from graph.memories import MemoryRepository
from graph.moments import MomentRepository
from graph.patterns import PatternRepository
from graph.project_moments import PastProjectRepository
from graph.projects import ProjectRepository

Row = dict[str, Any]

MOST_MEMORIES = MOST_DECISIONS = MOST_PATTERNS = 10
# Memories looked at beyond those shown, to fill the places of those that say nothing new.
SPARE = 10
MOST_SESSIONS = 5
# Characters of one text in the lists of a context, of one line of its Markdown, and of the whole Markdown.
LONGEST_TEXT = 2_000
LONGEST_LINE = 300
LONGEST_PAGE = 12_000
BATCH = 200


def register(parts: State, caller: Principal, body: Row) -> Row:
    """Register a project and tie to it the patterns that name it as their source; return it.

    `body` is a loaded `ProjectCreate` with its JSON objects as text.

    Raises:
        Conflict: the slug is taken.
    """
    slug, id = body["slug"], new_id()
    props = {name: value for name, value in body.items() if name != "slug"}

    def work(tx: Transaction) -> Row:
        made = ProjectRepository(parts.graph, caller, tx).create(id, slug, props)
        PatternRepository(parts.graph, caller, tx).sourced(slug)
        return made

    return parts.graph.transaction(work)


def context(
    parts: State,
    caller: Principal,
    slug: str,
    tokens: int = LONGEST_PAGE // CHARACTERS_A_TOKEN,
    as_of: int | None = None,
) -> Row:
    """Return what to know before working on a project: in bounded lists, as Markdown and in blocks of `tokens` each.

    With `as_of` (epoch ms) it is what there was to know then.

    Raises:
        NotFound: no such project, or none then.
    """
    projects = (
        ProjectRepository(parts.graph, caller) if as_of is None else PastProjectRepository(parts.graph, caller, as_of)
    )
    project = projects.get(slug)
    project |= {**shown(project), "stack": orjson.loads(project["stack"] or "{}")}
    hot = _distinct(projects.hot_memories(project["id"], MOST_MEMORIES + SPARE), "content")[:MOST_MEMORIES]
    found = {
        "project": project,
        "hot_memories": _cut(hot, "content"),
        "recent_decisions": _cut(projects.active_decisions(project["id"], MOST_DECISIONS), "rationale"),
        "active_patterns": _cut(projects.adopted_patterns(project["id"], MOST_PATTERNS), "description"),
        "recent_sessions": _cut(projects.recent_sessions(slug, MOST_SESSIONS), "summary"),
    }
    page = formatted(found, min(LONGEST_PAGE, tokens * CHARACTERS_A_TOKEN))
    return {**found, "formatted_context": page, "blocks": _blocks(parts, caller, found, tokens, as_of)}


def formatted(found: Row, room: int) -> str:
    """Return a context as Markdown in at most `room` characters. Each text is a line: none can pass for a heading."""
    page = "\n".join(_lines(found))
    return page if len(page) <= room else page[: room + 1].rpartition("\n")[0] or cut(page, room)


def _blocks(parts: State, caller: Principal, found: Row, tokens: int, as_of: int | None) -> list[Block]:
    ids = [row["id"] for row in found["hot_memories"]]
    if as_of is None:
        known = MemoryRepository(parts.graph, caller).get_many(ids)
    else:
        known = {row["id"]: row for row in MomentRepository(parts.graph, caller, as_of).shown(ids)}
    memories = [{**known[row["id"]], "content": row["content"]} for row in found["hot_memories"] if row["id"] in known]
    decisions = [row["id"] for row in found["recent_decisions"]]
    beside = stands_around(parts, caller, memories, decisions, found["project"]["id"], as_of=as_of)
    return assembled(memories, beside, tokens)


def delete_project(parts: State, caller: Principal, slug: str, with_memories: bool) -> None:
    """Delete a project. Its memories go too if asked for; otherwise they stay, as decisions and patterns always do.

    Raises:
        NotFound: no such project.
    """
    projects = ProjectRepository(parts.graph, caller)
    id = projects.by_slug(slug)["id"]
    keep_links(parts, caller, "project", id)
    _empty(parts, projects, id, with_memories)

    def work(tx: Transaction) -> None:
        inside = ProjectRepository(parts.graph, caller, tx)
        keep(parts, caller, tx, "project", id)
        inside.delete(id)
        # What came while the rest went: nothing more can come now, so it is little.
        _empty(parts, inside, id, with_memories)

    parts.graph.transaction(work)


def _empty(parts: State, projects: ProjectRepository, id: str, with_memories: bool) -> None:
    while with_memories and (ids := projects.memories(id, BATCH)):
        delete_memories(parts, projects.caller, ids, id, projects.tx)
    # A memory that came after the last look must not be let go where all are to be deleted.
    for take in (*(() if with_memories else (projects.release,)), projects.release_decisions, projects.unlink):
        while take(id, BATCH):
            pass


def _distinct(rows: list[Row], name: str) -> list[Row]:
    return [rows[at] for at in distinct([row[name] for row in rows])]


def _cut(rows: list[Row], name: str) -> list[Row]:
    return [{**row, name: row[name] and cut(row[name], LONGEST_TEXT)} for row in rows]


def _lines(found: Row) -> Iterator[str]:
    project = found["project"]
    yield f"## {_line(project['name'])}"
    if project["description"]:
        yield _line(project["description"])
    if project["stack"]:
        yield f"Stack: {_line(_stack(project['stack']))}"
    yield from _section("What matters most", (_line(row["content"]) for row in found["hot_memories"]))
    decisions = (f"**{_line(row['title'])}**: {_line(row['rationale'])}" for row in found["recent_decisions"])
    yield from _section("Decisions in force", decisions)
    patterns = (f"**{_line(row['title'])}**: {_line(row['description'])}" for row in found["active_patterns"])
    yield from _section("Patterns in use", patterns)
    yield from _section("Recent sessions", (_session(row) for row in found["recent_sessions"]))


def _section(heading: str, entries: Iterator[str]) -> Iterator[str]:
    first = True
    for entry in entries:
        if first:
            yield f"\n### {heading}"
            first = False
        yield f"- {entry}"


def _session(row: Row) -> str:
    day = (iso(row["started_at"]) or "")[:10]
    told = f": {_line(row['summary'])}" if row["summary"] else ""
    return f"{day} {_line(row['title'] or 'untitled')} ({row['status']}){told}"


def _stack(stack: Row) -> str:
    parts = (f"{name}: {', '.join(map(str, of)) if isinstance(of, list) else of}" for name, of in stack.items())
    return "; ".join(parts)


def _line(text: str | None) -> str:
    return cut(" ".join((text or "").split()), LONGEST_LINE)

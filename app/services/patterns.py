"""Patterns from the request to one transaction: create, edit, search by meaning, and what to suggest to a project."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from app.answers import merged
from app.auth import Principal
from app.ids import new_id
from app.schemas.tags import tag_keys
from app.services.searchable import Finder, joined, least, standing
from app.state import State
from graph.driver import Transaction
from graph.errors import Unavailable
from graph.labels import NONE
from graph.naming import shown_name
from graph.patterns import PatternRepository
from graph.records import vector
from graph.repository import differing

Row = dict[str, Any]
WORDS = ("title", "description", "category", "example_code")
# Of writers who change the same words at once, one gets on in each round.
ATTEMPTS = 32


def create(parts: State, caller: Principal, body: Row) -> str:
    """Store a loaded `PatternCreate` body and return the new pattern's id.

    Raises:
        EmbedderUnavailable: no vector can be had now.
    """
    said = {name: body.get(name) or None for name in WORDS} | {"tags": body["tags"]}
    props = {
        **standing(parts, caller, "pattern", body["title"], content_of(said)),
        **said,
        **_filters(body["scope"], said["category"]),
        "scope": body["scope"],
        "id": new_id(),
        "tag_keys": tag_keys(body["tags"]),
        "source_slug": body.get("source_project"),
        "metadata": orjson.dumps(body["metadata"]).decode(),
    }
    embedding = vector(parts.embedder.embed_documents([props["content"]])[0])
    parts.graph.transaction(
        lambda tx: PatternRepository(parts.graph, caller, tx, parts.space.slot).create(props, embedding)
    )
    return str(props["id"])


def amend(parts: State, caller: Principal, id: str, body: Row) -> None:
    """Apply a loaded `PatternUpdate` body. New words get a new vector.

    Raises:
        NotFound: no such pattern.
        Invalid: the merged metadata is too large.
        EmbedderUnavailable: the text is new and no vector can be had now.
    """
    if not any(_amended(parts, caller, id, body) for _ in range(ATTEMPTS)):
        raise Unavailable("Others keep changing this pattern; try again")


def find(parts: State, caller: Principal, wanted: Row) -> list[tuple[Row, float]]:
    """Return the patterns a loaded `PatternSearch` asks for, as (row, score), best first.

    With a project, global ones and those it adopted or is the source of; without, all.

    Raises:
        EmbedderUnavailable: the question cannot be embedded now.
    """
    patterns = PatternRepository(parts.graph, caller, slot=parts.space.slot)
    finder = Finder(parts, caller, "pattern", wanted["query"])
    category, project = category_key(wanted.get("category")), wanted.get("project")
    filters = {"memory_type": category} if category else {}
    if project:
        rows = finder.rows({**filters, "visibility": "global"})
        rows += patterns.own(project, finder.vector, category or None)
    else:
        rows = finder.rows(filters)
    hits = finder.scored(rows, least(wanted))[: wanted["limit"]]
    found = patterns.get_many([id for id, _ in hits])
    return [(found[id], score) for id, score in hits if id in found]


def suggest(parts: State, caller: Principal, slug: str, limit: int) -> list[Row]:
    """Return global patterns that a project has not adopted, best first.

    First count the adopters that resemble the project (tied to it, with a part of its stack, with patterns in common),
    then all adopters.

    Raises:
        NotFound: no such project.
    """
    patterns = PatternRepository(parts.graph, caller)
    around = patterns.neighbours(slug)
    mine = set(stack_words(around["stack"]))
    similar = {*around["related"], *around["alike"]}
    similar |= {id for id, stack in around["stacks"] if mine & set(stack_words(stack))}
    return patterns.suggest(slug, sorted(similar), limit)


def content_of(said: Mapping[str, Any]) -> str:
    """Return the text by which a pattern is found."""
    return joined(
        said["title"], said["description"], said["category"], ", ".join(said["tags"] or ()), said["example_code"]
    )


def category_key(category: str | None) -> str:
    """Return a category as it is compared; empty for none."""
    return (category or "").strip().casefold()


def stack_words(stack: str | None) -> Iterator[str]:
    """Yield what a project is made of: every text in its stack (JSON text), lower-cased; keys do not count."""
    waiting = [orjson.loads(stack or "{}")]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str) and item.strip():
            yield item.strip().casefold()


def _filters(scope: str, category: str | None) -> Row:
    # The vector index filters by a fixed list of properties: scope and category take places that memories fill
    # with their visibility and their type.
    return {"visibility": scope, "memory_type": category_key(category) or NONE}


def _amended(parts: State, caller: Principal, id: str, body: Row) -> bool:
    """Apply an edit; False when the words changed while their vector was being made."""
    now = PatternRepository(parts.graph, caller).get(id)
    said: Row = {name: body.get(name, now[name]) or None for name in WORDS}
    said["tags"] = body.get("tags", now["tags"])
    fresh: Row = {}
    embedding = None
    if any(said[name] != now[name] for name in said):
        content = content_of(said)
        embedding = vector(parts.embedder.embed_documents([content])[0])
        fresh = {**said, "tag_keys": tag_keys(said["tags"]), "content": content}
        fresh |= {"name": shown_name(said["title"], "private"), "embedding_model": parts.embedder.identity}

    def work(tx: Transaction) -> bool:
        patterns = PatternRepository(parts.graph, caller, tx, parts.space.slot)
        before = patterns.lock(id)
        if any(before[name] != now[name] for name in said):
            return False
        changes = {**said, **fresh, "scope": body.get("scope", before["scope"])}
        if "metadata" in body:
            changes["metadata"] = merged(before["metadata"], body["metadata"])
        changes = differing(changes, before)
        if "source_project" in body and body["source_project"] != before["source_project_slug"]:
            changes["source_slug"] = body["source_project"]
        if changes:
            filters = _filters(str(body.get("scope", before["scope"])), said["category"])
            patterns.update(id, {**filters, **changes}, embedding)
        return True

    return parts.graph.transaction(work)

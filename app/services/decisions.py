"""Decisions from the request to one transaction: record, edit, supersede, revert, check, and what falls with them."""

from collections.abc import Mapping
from typing import Any

import orjson

from app.answers import merged
from app.auth import Principal
from app.ids import is_uuid, new_id
from app.schemas.tags import tag_keys
from app.services.extract import extract
from app.services.refer import NOBODY, project_named
from app.services.searchable import Finder, joined, least, standing
from app.state import State
from graph.agents import AgentRepository
from graph.decision_links import DecisionLinkRepository
from graph.decisions import DecisionRepository, refuse_superseded
from graph.driver import Transaction
from graph.errors import BadReference, Unavailable
from graph.impact import ImpactRepository
from graph.labels import NONE
from graph.naming import shown_name
from graph.projects import ProjectRepository
from graph.records import vector
from graph.repository import differing
from graph.sessions import SessionRepository

Row = dict[str, Any]
WORDS = ("title", "rationale", "alternatives")
# Of writers who change the same words at once, one gets on in each round.
ATTEMPTS = 32


def decide(parts: State, caller: Principal, body: Row, old: str | None = None) -> str:
    """Record a loaded `DecisionCreate` body, or with `old` the `DecisionSupersede` that takes that decision's place.

    Returns the id of the new decision.

    Raises:
        NotFound: `old`, an agent's id or a memory is unknown.
        BadReference: the session is unknown.
        Conflict: `old` is superseded already.
        EmbedderUnavailable: no vector can be had now.
    """
    body = {**body, "alternatives": body.get("alternatives") or None}
    props = {
        **standing(parts, caller, "decision", body["title"], content_of(body)),
        **{name: body[name] for name in (*WORDS, "status")},
        "id": new_id(),
        "metadata": orjson.dumps(body["metadata"]).decode(),
    }
    embedding = vector(parts.embedder.embed_documents([props["content"]])[0])
    subjects = subjects_of(parts, caller, body)
    fresh = {"agent": new_id(), "project": new_id()}

    def work(tx: Transaction) -> None:
        decisions = DecisionRepository(parts.graph, caller, tx, parts.space.slot)
        links = DecisionLinkRepository(parts.graph, caller, tx)
        # The decision to be replaced is locked before anything else: of many who replace it, one goes on.
        before = decisions.lock(old) if old else None
        if before:
            refuse_superseded(before, "supersede")
        tags: list[str] = body["tags"] if "tags" in body else before["tags"] if before else []
        places = _places(parts, caller, tx, body, before, fresh)
        decisions.create({**props, **places, "tags": tags, "tag_keys": tag_keys(tags)}, embedding, old)
        if old:
            decisions.supersede(old, props["id"])
        if body["memory_ids"]:
            links.base(props["id"], body["memory_ids"])
        links.about(props["id"], subjects)

    parts.graph.transaction(work)
    return str(props["id"])


def amend(parts: State, caller: Principal, id: str, body: Row) -> None:
    """Apply a loaded `DecisionUpdate` body. A new text gets a new vector and new subjects.

    Raises:
        NotFound: no such decision.
        Conflict: the status of a superseded decision cannot be set.
        Invalid: the merged metadata is too large.
        EmbedderUnavailable: the text is new and no vector can be had now.
    """
    if not any(_amended(parts, caller, id, body) for _ in range(ATTEMPTS)):
        raise Unavailable("Others keep changing this decision; try again")


def revert(parts: State, caller: Principal, id: str) -> None:
    """Put a decision out of force without another in its place; reverting it again changes nothing.

    Raises:
        NotFound: no such decision.
        Conflict: it is superseded.
    """

    def work(tx: Transaction) -> None:
        decisions = DecisionRepository(parts.graph, caller, tx)
        before = decisions.lock(id)
        refuse_superseded(before, "revert")
        if before["status"] != "reverted":
            decisions.update(id, {"status": "reverted", "current": False})

    parts.graph.transaction(work)


def check(parts: State, caller: Principal, wanted: Row) -> list[tuple[Row, float]]:
    """Return decisions on the matter of a loaded `DecisionCheck`, as (row, score), best first.

    Raises:
        EmbedderUnavailable: the question cannot be embedded now.
    """
    project_id = project_named(parts, caller, wanted.get("project"))
    if project_id == NOBODY:
        return []
    finder = Finder(parts, caller, "decision", wanted["query"])
    filters = {"project_id": project_id} if project_id else {}
    found = finder.rows(filters, everything=wanted["include_superseded"])
    hits = finder.scored(found, least(wanted))[: wanted["limit"]]
    rows = DecisionRepository(parts.graph, caller).get_many([id for id, _ in hits])
    return [(rows[id], score) for id, score in hits if id in rows]


def impact(parts: State, caller: Principal, id: str, wanted: Row) -> Row:
    """Return what falls if a decision changes, as `ImpactOut` shows it with stored rows for decisions.

    Raises:
        NotFound: no such decision.
    """
    wide, certain = ImpactRepository(parts.graph, caller).walks(id, wanted["depth"])
    steps = [step for step in wide.decisions() if step.current or wanted["include_superseded"]]
    depends = {step.node["id"] for step in certain.decisions()}
    shown = steps[: wanted["limit"]]
    rows = DecisionRepository(parts.graph, caller).get_many([id, *(step.node["id"] for step in shown)])
    return {
        "decision": rows.get(id) or DecisionRepository(parts.graph, caller).get(id),
        "data": [
            {
                "decision": rows[step.node["id"]],
                "distance": step.distance,
                "depends": step.node["id"] in depends,
                "path": wide.path(step.node["id"]),
            }
            for step in shown
            if step.node["id"] in rows
        ],
        "total": len(steps),
        "truncated": wide.truncated or len(steps) > len(shown),
        "too_common": list(wide.too_common.values()),
    }


def content_of(body: Mapping[str, Any]) -> str:
    """Return the text by which a decision is found."""
    return joined(*(body.get(name) for name in WORDS))


def subjects_of(parts: State, caller: Principal, body: Mapping[str, Any]) -> list[Row]:
    """Return the entities that a decision's text names, as `DecisionLinkRepository.about` takes them.

    Dates and numbers are left out: that two decisions name the same year ties nothing together. The title is read as
    any other sentence, for unlike a memory's it says what is decided and names no subject as a whole.
    """
    known = parts.names.of(parts.graph, caller.tenant)
    return [
        {
            "key": mention.key,
            "name": mention.name,
            "padded": f" {mention.key} ",
            "entity_type": mention.entity_type,
            "noise": False,
            "entity_id": new_id(),
            "confidence": mention.confidence,
            "source": mention.source,
        }
        for mention in extract(content_of(body), known=known)
        if not mention.is_date and not mention.key.isdigit()
    ]


def _places(
    parts: State, caller: Principal, tx: Transaction, body: Row, before: Row | None, fresh: Mapping[str, str]
) -> Row:
    """Return ids of agent, project and session: those of the body, else those of the decision it replaces."""
    old = before or {}
    agent, slug, session = body.get("agent_id"), body.get("project_slug"), body.get("session_id")
    places = {"agent_id": old.get("agent_id"), "session_id": session or old.get("session_id")}
    if agent:
        known = is_uuid(agent)
        agents = AgentRepository(parts.graph, caller, tx)
        places["agent_id"] = agents.resolve(agent.lower() if known else agent, known, fresh["agent"])["id"]
    if slug := slug or old.get("project_slug"):
        places["project_id"] = ProjectRepository(parts.graph, caller, tx).resolve(slug, fresh["project"])["id"]
    if session and not SessionRepository(parts.graph, caller, tx).lock([session]):
        raise BadReference("session_id", f"Session not found: {session}")
    return {name: places.get(name) or NONE for name in ("agent_id", "project_id", "session_id")}


def _amended(parts: State, caller: Principal, id: str, body: Row) -> bool:
    """Apply an edit; False when the words changed while their vector was being made."""
    now = DecisionRepository(parts.graph, caller).get(id)
    said = {name: body.get(name, now[name]) or None for name in WORDS}
    fresh: Row = {}
    embedding, subjects = None, None
    if any(said[name] != now[name] for name in WORDS):
        content = content_of(said)
        embedding, subjects = vector(parts.embedder.embed_documents([content])[0]), subjects_of(parts, caller, said)
        name = shown_name(said["title"] or "", "private")
        fresh = {**said, "content": content, "name": name, "embedding_model": parts.embedder.identity}

    def work(tx: Transaction) -> bool:
        decisions = DecisionRepository(parts.graph, caller, tx, parts.space.slot)
        before = decisions.lock(id)
        if any(before[name] != now[name] for name in WORDS):
            return False
        if changes := differing(_changes(body, before) | fresh, before):
            decisions.update(id, changes, embedding)
        if subjects is not None:
            DecisionLinkRepository(parts.graph, caller, tx).about(id, subjects)
        return True

    return parts.graph.transaction(work)


def _changes(body: Row, before: Row) -> Row:
    changes: Row = {}
    if "metadata" in body:
        changes["metadata"] = merged(before["metadata"], body["metadata"])
    if "tags" in body and body["tags"] != before["tags"]:
        changes |= {"tags": body["tags"], "tag_keys": tag_keys(body["tags"])}
    if "status" in body and body["status"] != before["status"]:
        refuse_superseded(before, "change the status of")
        changes |= {"status": body["status"], "current": body["status"] != "reverted"}
    return changes

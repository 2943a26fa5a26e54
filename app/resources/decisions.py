"""Decisions, `/v1/decisions`: what was chosen and why, what it replaced, what it rests on and what falls with it."""

from collections.abc import Callable
from typing import Any

from flask import Response
from flask.views import MethodView

from app.answers import deleted, memory_shown, shown
from app.api import Blueprint
from app.auth import principal
from app.errors import invalid
from app.pagination import PageArgs, list_of, page, position
from app.schemas.common import DeletedOut
from app.schemas.decisions import (
    DecisionChainOut,
    DecisionCheck,
    DecisionCheckOut,
    DecisionCreate,
    DecisionFilter,
    DecisionOut,
    DecisionSupersede,
    DecisionUpdate,
    DependencyLinks,
    DependencyUnlink,
    ImpactArgs,
    ImpactOut,
    LinkedOut,
    MemoryLinks,
    MemoryUnlink,
)
from app.schemas.memories import MemoryOut
from app.schemas.moments import AsOfArgs
from app.services.decisions import amend, check, decide, impact, revert
from app.services.forget import delete_decision
from app.services.refer import agent_named, project_named
from app.state import state
from graph.decision_links import DecisionLinkRepository
from graph.decision_moments import DecisionMomentRepository
from graph.decisions import DecisionRepository
from graph.records import Rows

blueprint = Blueprint("decisions", __name__, url_prefix="/v1/decisions", description="What was chosen, and why.")


class DecisionListArgs(PageArgs, DecisionFilter, AsOfArgs):
    """Query arguments of the list."""


def decisions() -> DecisionRepository:
    """Return the repository for the caller's tenant."""
    return DecisionRepository(state().graph, principal())


def decisions_of(args: dict[str, Any]) -> DecisionRepository | DecisionMomentRepository:
    """Return the repository of today, or that of the moment `as_of` where loaded query arguments name one."""
    return DecisionMomentRepository(state().graph, principal(), args["as_of"]) if "as_of" in args else decisions()


def links() -> DecisionLinkRepository:
    """Return the repository of links for the caller's tenant."""
    return DecisionLinkRepository(state().graph, principal())


@blueprint.route("")
class DecisionList(MethodView):
    @blueprint.arguments(DecisionListArgs, location="query")
    @blueprint.response(200, list_of(DecisionOut))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List decisions, newest first

        Superseded and reverted ones are in it: filter by `status` for those in force. A project or agent nobody has
        gives an empty list. With `as_of` it is the list of that moment: statuses and links as they were, texts as they
        are.
        """
        at, limit = position(args), args["limit"]
        filters = {
            "agent_id": agent_named(state(), principal(), args.get("agent_id")),
            "project_id": project_named(state(), principal(), args.get("project")),
            "session_id": args.get("session_id"),
            "status": args.get("status"),
            "tags": args.get("tags", []),
            "every_tag": args["tags_match"] == "all",
        }
        found = decisions_of(args)
        rows = found.list(at.before, at.before_id, at.offset, limit + 1, filters)
        return page([shown(row) for row in rows], limit, at, lambda: found.count(filters))

    @blueprint.arguments(DecisionCreate)
    @blueprint.response(201, DecisionOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Record a decision

        Look with `check` first. An agent name or project slug not seen before is created; 404 when an agent id, session
        or memory is unknown.
        """
        return shown(decisions().get(decide(state(), principal(), body)))


@blueprint.route("/check")
class DecisionChecking(MethodView):
    @blueprint.arguments(DecisionCheck, location="query")
    @blueprint.response(200, DecisionCheckOut)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Look up by meaning what was decided already, before deciding

        A search: hits are on the matter, whether they agree or not. Decisions no longer in force are left out unless
        asked for.
        """
        data = [{"decision": shown(row), "score": score} for row, score in check(state(), principal(), args)]
        return {"data": data, "query": args["query"], "total": len(data)}


@blueprint.route("/<decision_id>")
class DecisionItem(MethodView):
    @blueprint.arguments(AsOfArgs, location="query")
    @blueprint.response(200, DecisionOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], decision_id: str) -> dict[str, Any]:
        """Get one decision, or with `as_of` its status and links as they were, with the texts of today

        404 when there is none, when it was recorded later, or when it belongs to another tenant.
        """
        return shown(decisions_of(args).get(decision_id))

    @blueprint.arguments(DecisionUpdate)
    @blueprint.response(200, DecisionOut)
    @blueprint.alt_response(404, "NotFoundError")
    @blueprint.alt_response(409, "ConflictError")
    def put(self, body: dict[str, Any], decision_id: str) -> dict[str, Any]:
        """Change a decision; absent and null fields stay as they are

        Corrects what was written; to decide otherwise, supersede it, which keeps the history. 409 when the status of a
        superseded one is to be set.
        """
        amend(state(), principal(), decision_id, body)
        return shown(decisions().get(decision_id))

    patch = put

    @blueprint.response(204)
    @blueprint.alt_response(200, schema=DeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def delete(self, decision_id: str) -> Response:
        """Delete a decision; its chain closes over the gap, and what it had replaced is in force again

        There is no way back: revert it to keep the history. 404 when it is gone already.
        """
        delete_decision(state(), principal(), decision_id)
        return deleted("decision", decision_id)


@blueprint.route("/<decision_id>/supersede")
class DecisionSuperseding(MethodView):
    @blueprint.arguments(DecisionSupersede)
    @blueprint.response(201, DecisionOut)
    @blueprint.alt_response(404, "NotFoundError")
    @blueprint.alt_response(409, "ConflictError")
    def post(self, body: dict[str, Any], decision_id: str) -> dict[str, Any]:
        """Put a new decision in the place of this one

        The old one stays, as `superseded`. Its agent, session, project and tags are taken over where they are absent.
        409 when it was superseded before: supersede the last of its chain.
        """
        return shown(decisions().get(decide(state(), principal(), body, old=decision_id)))


@blueprint.route("/<decision_id>/revert")
class DecisionReverting(MethodView):
    @blueprint.response(200, DecisionOut)
    @blueprint.alt_response(404, "NotFoundError")
    @blueprint.alt_response(409, "ConflictError")
    def post(self, decision_id: str) -> dict[str, Any]:
        """Take a decision back without another in its place

        It stays, as `reverted`. Reverting it again changes nothing; 409 when it was superseded.
        """
        revert(state(), principal(), decision_id)
        return shown(decisions().get(decision_id))


@blueprint.route("/<decision_id>/chain")
class DecisionChain(MethodView):
    @blueprint.response(200, DecisionChainOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, decision_id: str) -> dict[str, Any]:
        """List the decisions that superseded one another, oldest first

        The same for every decision of the chain. One that superseded nothing and was not superseded is a chain of one.
        """
        rows = [shown(row) for row in decisions().chain(decision_id)]
        return {"data": rows, "total": len(rows), "current_id": rows[-1]["id"]}


@blueprint.route("/<decision_id>/memories")
class DecisionMemories(MethodView):
    @blueprint.arguments(PageArgs, location="query")
    @blueprint.response(200, list_of(MemoryOut))
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], decision_id: str) -> dict[str, Any]:
        """List the memories a decision rests on, newest first

        Archived memories are in it, superseded ones are not.
        """
        at, limit = position(args), args["limit"]
        decisions().get(decision_id)
        rows = links().memories(decision_id, at.before, at.before_seq, at.offset, limit + 1)
        shown_rows = [memory_shown(row) for row in rows]
        return page(shown_rows, limit, at, lambda: links().count_memories(decision_id), tie="seq")

    @blueprint.arguments(MemoryLinks)
    @blueprint.response(200, LinkedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, body: dict[str, Any], decision_id: str) -> dict[str, Any]:
        """Say that a decision rests on memories; saying so twice counts once

        All or none: 404 when one of the memories is unknown.
        """
        added = links().base(decision_id, body["ids"])
        return {"id": decision_id, "linked": body["ids"], "added": added}

    @blueprint.arguments(MemoryUnlink, location="query")
    @blueprint.arguments(MemoryUnlink)
    @blueprint.response(204)
    @blueprint.alt_response(200, schema=DeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def delete(self, query: dict[str, Any], body: dict[str, Any], decision_id: str) -> Response:
        """Take away a memory that a decision rests on, named in the query or in the body

        The memory stays. 404 when the decision does not rest on it.
        """
        memory_id = named("memory_id", query, body)
        links().unbase(decision_id, memory_id)
        return deleted("link", memory_id)


@blueprint.route("/<decision_id>/dependencies")
class DecisionDependencies(MethodView):
    @blueprint.arguments(PageArgs, location="query")
    @blueprint.response(200, list_of(DecisionOut))
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], decision_id: str) -> dict[str, Any]:
        """List the decisions that a decision depends on, newest first

        Direct ones alone; `impact` follows them further.
        """
        return linked(args, decision_id, links().dependencies, links().count_dependencies)

    @blueprint.arguments(DependencyLinks)
    @blueprint.response(200, LinkedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, body: dict[str, Any], decision_id: str) -> dict[str, Any]:
        """Say that a decision depends on others; cycles are allowed, itself is not

        All or none: 404 when one of them is unknown. Saying so twice counts once.
        """
        if decision_id in body["ids"]:
            raise invalid("decision_id", "a decision cannot depend on itself")
        added = links().depend(decision_id, body["ids"])
        return {"id": decision_id, "linked": body["ids"], "added": added}

    @blueprint.arguments(DependencyUnlink, location="query")
    @blueprint.arguments(DependencyUnlink)
    @blueprint.response(204)
    @blueprint.alt_response(200, schema=DeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def delete(self, query: dict[str, Any], body: dict[str, Any], decision_id: str) -> Response:
        """Take back that a decision depends on another, named in the query or in the body

        Both decisions stay. 404 when it does not depend on that one.
        """
        other = named("decision_id", query, body)
        links().independent(decision_id, other)
        return deleted("link", other)


@blueprint.route("/<decision_id>/dependents")
class DecisionDependents(MethodView):
    @blueprint.arguments(PageArgs, location="query")
    @blueprint.response(200, list_of(DecisionOut))
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], decision_id: str) -> dict[str, Any]:
        """List the decisions that depend on a decision, newest first

        Direct ones alone; `impact` follows them further.
        """
        return linked(args, decision_id, links().dependents, links().count_dependents)


@blueprint.route("/<decision_id>/impact")
class DecisionImpact(MethodView):
    @blueprint.arguments(ImpactArgs, location="query")
    @blueprint.response(200, ImpactOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], decision_id: str) -> dict[str, Any]:
        """Say what falls if a decision changes: each affected decision with its shortest path

        Follows dependencies, shared grounds and shared subjects up to `depth` relationships. Work is bounded:
        `truncated` and `too_common` say what was left out.
        """
        found = impact(state(), principal(), decision_id, args)
        data = [{**item, "decision": shown(item["decision"])} for item in found["data"]]
        return {**found, "decision": shown(found["decision"]), "data": data}


def linked(
    args: dict[str, Any], decision_id: str, rows: Callable[..., Rows], count: Callable[[str], int]
) -> dict[str, Any]:
    """Return a page of decisions on the other end of a decision's links."""
    at, limit = position(args), args["limit"]
    decisions().get(decision_id)
    found = rows(decision_id, at.before, at.before_id, at.offset, limit + 1)
    return page([shown(row) for row in found], limit, at, lambda: count(decision_id))


def named(field: str, query: dict[str, Any], body: dict[str, Any]) -> str:
    """Return an id that a DELETE names in its query or in its body.

    Raises:
        Invalid: it does neither.
    """
    found = query.get(field) or body.get(field)
    if found is None:
        raise invalid(field, f"send it as `?{field}=` or in the body")
    return str(found)

"""Sessions, `/v1/sessions`."""

from typing import Any

from flask import Response
from flask.views import MethodView

from app.answers import changes, deleted, shown, stored
from app.api import Blueprint
from app.auth import principal
from app.ids import new_id
from app.pagination import PageArgs, list_of, page, position
from app.schemas.common import DeletedOut
from app.schemas.memories import MemoryOut
from app.schemas.moments import AsOfArgs
from app.schemas.sessions import (
    MomentOut,
    SessionCreate,
    SessionDelete,
    SessionEnd,
    SessionFilter,
    SessionFind,
    SessionFoundOut,
    SessionOut,
    SessionShow,
    SessionUpdate,
    SessionWithMemoriesOut,
    SummaryOut,
)
from app.services.refer import agent_created, agent_named
from app.services.sessions import delete_session, memory_page, session_shown, summarise, summary_of, timeline_page
from app.state import state
from graph.sessions import SessionRepository

blueprint = Blueprint("sessions", __name__, url_prefix="/v1/sessions", description="What belongs together in time.")


class SessionListArgs(PageArgs, SessionFilter):
    """Query arguments of the list."""


class SessionMemoriesArgs(PageArgs, AsOfArgs):
    """Query arguments of a session's memories."""


def sessions() -> SessionRepository:
    """Return the repository for the caller's tenant."""
    return SessionRepository(state().graph, principal())


@blueprint.route("")
class SessionList(MethodView):
    @blueprint.arguments(SessionListArgs, location="query")
    @blueprint.response(200, list_of(SessionOut))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List sessions, newest first

        Conditions add up; an agent nobody has gives an empty list.
        """
        at, limit = position(args), args["limit"]
        filters = {
            "agent_id": agent_named(state(), principal(), args.get("agent_id")),
            **{name: args.get(name) for name in ("external_id", "project", "status")},
        }
        rows = sessions().list(at.before, at.before_id, at.offset, limit + 1, **filters)
        return page([shown(row) for row in rows], limit, at, lambda: sessions().count(**filters))

    @blueprint.arguments(SessionCreate)
    @blueprint.response(201, SessionOut)
    @blueprint.alt_response(404, "NotFoundError")
    @blueprint.alt_response(409, "ConflictError")
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Start a session

        409 when the `external_id` is taken: `get-or-create` returns that session instead. An agent name not seen before
        is created; 404 for an agent id that nobody has.
        """
        agent_id = agent_created(state(), principal(), body.pop("agent_id", None))
        return shown(sessions().create(new_id(), agent_id, stored(body)))


@blueprint.route("/get-or-create")
class SessionFindOrCreate(MethodView):
    @blueprint.arguments(SessionFind)
    @blueprint.response(200, SessionFoundOut)
    @blueprint.alt_response(201, schema=SessionFoundOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Return the session with this external id; 201 when this call started it

        Safe to repeat, also at the same time: all callers get the same session. One that was there is returned as it
        is, whatever else was sent.
        """
        agent_id = agent_created(state(), principal(), body.pop("agent_id", None))
        row, created = sessions().get_or_create(new_id(), agent_id, stored(body))
        return {**shown(row), "created": created}, 201 if created else 200


@blueprint.route("/<session_id>")
class SessionItem(MethodView):
    @blueprint.arguments(SessionShow, location="query")
    @blueprint.response(200, SessionWithMemoriesOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], session_id: str) -> dict[str, Any]:
        """Get one session, with its memories where asked for

        With `include_memories`, up to 1,000 of those not superseded, in writing order; `/memories` pages through all.
        With `as_of` they are those of that moment; the session itself is told as it is now.
        """
        return session_shown(state(), principal(), session_id, args)

    @blueprint.arguments(SessionUpdate)
    @blueprint.response(200, SessionOut)
    @blueprint.alt_response(404, "NotFoundError")
    def put(self, body: dict[str, Any], session_id: str) -> dict[str, Any]:
        """Change a session; absent and null fields stay as they are

        Status and times change by ending and reopening it. Metadata is merged key by key.
        """
        return shown(sessions().update(session_id, changes(body)))

    patch = put

    @blueprint.arguments(SessionDelete, location="query")
    @blueprint.response(204)
    @blueprint.alt_response(200, schema=DeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def delete(self, args: dict[str, Any], session_id: str) -> Response:
        """Delete a session; its memories stay unless `memories=delete`

        Decisions made in it stay either way. 404 when it is gone already.
        """
        delete_session(state(), principal(), session_id, args["memories"] == "delete")
        return deleted("session", session_id)


@blueprint.route("/<session_id>/end")
class SessionEnding(MethodView):
    @blueprint.arguments(SessionEnd)
    @blueprint.response(200, SessionOut)
    @blueprint.alt_response(404, "NotFoundError")
    def put(self, body: dict[str, Any], session_id: str) -> dict[str, Any]:
        """End a session; ending it again keeps the first end

        A `summary` sent with a second end replaces the first. Memories can still be stored in it.
        """
        return shown(sessions().end(session_id, body.get("summary")))


@blueprint.route("/<session_id>/reopen")
class SessionReopening(MethodView):
    @blueprint.response(200, SessionOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, session_id: str) -> dict[str, Any]:
        """Make an ended session active again; an active one stays as it is

        Its end is forgotten; summary and memories stay.
        """
        return shown(sessions().reopen(session_id))


@blueprint.route("/<session_id>/memories")
class SessionMemories(MethodView):
    @blueprint.arguments(SessionMemoriesArgs, location="query")
    @blueprint.response(200, list_of(MemoryOut))
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], session_id: str) -> dict[str, Any]:
        """List a session's memories in writing order

        Archived ones are in it: they are part of the story. Superseded ones are not.
        """
        return memory_page(state(), principal(), session_id, args)


@blueprint.route("/<session_id>/timeline")
class SessionTimeline(MethodView):
    @blueprint.arguments(PageArgs, location="query")
    @blueprint.response(200, list_of(MomentOut))
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], session_id: str) -> dict[str, Any]:
        """List what happened in a session, earliest first

        Start, memories, decisions and end, each with its time. An end is there once the session has ended.
        """
        return timeline_page(state(), principal(), session_id, args)


@blueprint.route("/<session_id>/summary")
class SessionSummary(MethodView):
    @blueprint.response(200, SummaryOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, session_id: str) -> dict[str, Any]:
        """Get the summary generated last; one made on the spot, and not kept, where there is none

        Changes nothing. Confidential and archived memories are left out of it.
        """
        return summary_of(state(), principal(), session_id)

    @blueprint.response(200, SummaryOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, session_id: str) -> dict[str, Any]:
        """Generate a summary and keep it

        Replaces the one generated before; a summary that was given stays in the session itself. A chat model writes it
        where one is configured and answers; otherwise its most telling sentences are taken.
        """
        return summarise(state(), principal(), session_id)

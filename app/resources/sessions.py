"""Sessions, `/v1/sessions`."""

from typing import Any

from flask.views import MethodView

from app.answers import memory_shown, shown, stored
from app.api import Blueprint
from app.auth import principal
from app.ids import new_id
from app.pagination import PageArgs, list_of, page, position
from app.schemas.sessions import (
    SessionCreate,
    SessionEnd,
    SessionFilter,
    SessionFind,
    SessionFoundOut,
    SessionOut,
    SessionShow,
    SessionWithMemoriesOut,
)
from app.services.refer import agent_created, agent_named
from app.state import state
from graph.memories import MemoryRepository
from graph.sessions import SessionRepository

blueprint = Blueprint("sessions", __name__, url_prefix="/v1/sessions", description="What belongs together in time.")


class SessionListArgs(PageArgs, SessionFilter):
    """Query arguments of the list."""


def sessions() -> SessionRepository:
    """Return the repository for the caller's tenant."""
    return SessionRepository(state().graph, principal())


@blueprint.route("")
class SessionList(MethodView):
    @blueprint.arguments(SessionListArgs, location="query")
    @blueprint.response(200, list_of(SessionOut))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List sessions, newest first"""
        at, limit = position(args), args["limit"]
        filters = {
            "agent_id": agent_named(state(), principal(), args.get("agent_id")),
            "project": args.get("project"),
            "status": args.get("status"),
        }
        rows = sessions().list(at.before, at.before_id, at.offset, limit + 1, **filters)
        return page([shown(row) for row in rows], limit, at, lambda: sessions().count(**filters))

    @blueprint.arguments(SessionCreate)
    @blueprint.response(201, SessionOut)
    @blueprint.alt_response(404, "NotFoundError")
    @blueprint.alt_response(409, "ConflictError")
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Start a session"""
        agent_id = agent_created(state(), principal(), body.pop("agent_id", None))
        return shown(sessions().create(new_id(), agent_id, stored(body)))


@blueprint.route("/get-or-create")
class SessionFindOrCreate(MethodView):
    @blueprint.arguments(SessionFind)
    @blueprint.response(200, SessionFoundOut)
    @blueprint.alt_response(201, schema=SessionFoundOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """Return the session with this external id; 201 when this call started it"""
        agent_id = agent_created(state(), principal(), body.pop("agent_id", None))
        row, created = sessions().get_or_create(new_id(), agent_id, stored(body))
        return {**shown(row), "created": created}, 201 if created else 200


@blueprint.route("/<session_id>")
class SessionItem(MethodView):
    @blueprint.arguments(SessionShow, location="query")
    @blueprint.response(200, SessionWithMemoriesOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], session_id: str) -> dict[str, Any]:
        """Get one session, with its memories where asked for"""
        found = shown(sessions().get(session_id))
        if args["include_memories"]:
            rows = MemoryRepository(state().graph, principal()).of_session(session_id)
            found["memories"] = [memory_shown(row) for row in rows]
        return found


@blueprint.route("/<session_id>/end")
class SessionEnding(MethodView):
    @blueprint.arguments(SessionEnd)
    @blueprint.response(200, SessionOut)
    @blueprint.alt_response(404, "NotFoundError")
    def put(self, body: dict[str, Any], session_id: str) -> dict[str, Any]:
        """End a session; ending it again keeps the first end"""
        return shown(sessions().end(session_id, body.get("summary")))

"""Agents, `/v1/agents`: the canonical noun. To add one, copy its shape."""

from typing import Any

from flask import Response
from flask.views import MethodView

from app.answers import changes, deleted, shown, stored
from app.api import Blueprint
from app.auth import principal
from app.ids import is_uuid, new_id
from app.pagination import PageArgs, list_of, page, position
from app.schemas.agents import AgentCreate, AgentOut, AgentStatsOut, AgentUpdate
from app.schemas.common import DeletedOut
from app.services.forget import delete_agent
from app.state import state
from graph.agents import AgentRepository

blueprint = Blueprint("agents", __name__, url_prefix="/v1/agents", description="Named namespaces for memories.")


def agents() -> AgentRepository:
    """Return the repository for the caller's tenant."""
    return AgentRepository(state().graph, principal())


@blueprint.route("")
class AgentList(MethodView):
    @blueprint.arguments(PageArgs, location="query")
    @blueprint.response(200, list_of(AgentOut))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List agents, newest first

        Agents that were only named by a memory are in it too.
        """
        at, limit = position(args), args["limit"]
        rows = agents().list(at.before, at.before_id, at.offset, limit + 1)
        return page([shown(row) for row in rows], limit, at, agents().count)

    @blueprint.arguments(AgentCreate)
    @blueprint.response(201, AgentOut)
    @blueprint.alt_response(409, "ConflictError")
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create an agent

        Not needed before a first memory: naming an agent there creates it. 409 when the name is taken; an `id` in the
        body is ignored.
        """
        return shown(agents().create(new_id(), **stored(body)))


@blueprint.route("/<agent_id>")
class AgentItem(MethodView):
    @blueprint.response(200, AgentOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, agent_id: str) -> dict[str, Any]:
        """Get one agent

        404 for a name: this takes the UUID; statistics take both.
        """
        return shown(agents().get(agent_id))

    @blueprint.arguments(AgentUpdate)
    @blueprint.response(200, AgentOut)
    @blueprint.alt_response(404, "NotFoundError")
    @blueprint.alt_response(409, "ConflictError")
    def put(self, body: dict[str, Any], agent_id: str) -> dict[str, Any]:
        """Change an agent; absent and null fields stay as they are

        A new name leads to the same memories; the old name is free again. 409 when another agent has it. Metadata is
        merged key by key.
        """
        return shown(agents().update(agent_id, changes(body)))

    patch = put

    @blueprint.response(204)
    @blueprint.alt_response(200, schema=DeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def delete(self, agent_id: str) -> Response:
        """Delete an agent and the memories it recorded

        There is no way back, unless the operator keeps a trash (`/v1/trash`). Sessions, decisions and entities stay
        without it. 404 when it is gone already.
        """
        delete_agent(state(), principal(), agent_id)
        return deleted("agent", agent_id)


@blueprint.route("/<path:agent>/stats")  # a name may hold a slash
class AgentStats(MethodView):
    @blueprint.response(200, AgentStatsOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, agent: str) -> dict[str, Any]:
        """Count what an agent holds; `agent` may be its id or its name

        Archived memories count. 404 when no agent has that id or name.
        """
        id = agent.lower() if is_uuid(agent) else agents().by_name(agent)["id"]
        row = agents().stats(id)
        return {**row, "data": {"total_memories": row["memory_count"], "last_updated": row["last_updated"]}}

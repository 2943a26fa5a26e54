"""What became of memories, `/v1/memories/changes`."""

from typing import Any

from flask.views import MethodView

from app.api import Blueprint
from app.auth import principal
from app.pagination import list_of, position
from app.schemas.memory_changes import MemoryChangeArgs, MemoryChangeOut
from app.services.memory_changes import changes_page
from app.state import state

blueprint = Blueprint("memory changes", __name__, url_prefix="/v1/memories", description="What became of memories.")


@blueprint.route("/changes")
class MemoryChangeList(MethodView):
    @blueprint.arguments(MemoryChangeArgs, location="query")
    @blueprint.response(200, list_of(MemoryChangeOut))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List what was stored, edited, superseded, archived and deleted in a period, newest first

        Conditions add up; an agent, project or session that nobody has gives an empty list. Of a deleted memory only
        when it went and its agent, session and project are known; with `user_id`, no deletion is listed.
        """
        return changes_page(state(), principal(), args, position(args))

"""The asynchronous store, `/v2/memories`."""

from typing import Any

from flask.views import MethodView

from app.api import Blueprint
from app.auth import principal
from app.schemas.memories_v2 import MemoryAccept, MemoryAcceptedOut, MemoryStatusOut
from app.services.accept import USUAL_SECONDS, accept
from app.services.jobs import job_shown_id
from app.state import state
from graph.jobs import JobRepository

blueprint = Blueprint("memories v2", __name__, url_prefix="/v2/memories", description="Store now, be found soon.")


@blueprint.route("")
class MemoryAccepting(MethodView):
    @blueprint.arguments(MemoryAccept)
    @blueprint.response(202, MemoryAcceptedOut)
    @blueprint.alt_response(404, "NotFoundError")
    @blueprint.alt_response(409, "ConflictError")
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Accept a memory; it can be read at once and is found by search when it is ready

        Answers before the vector and the names are computed, which a worker does within seconds; ask for its status, or
        give a `webhook_url`. 404 when an agent or project id is unknown, 409 when the memory to supersede was replaced
        before, 403 `quota_exceeded` when the tenant is full.
        """
        kept = accept(state(), principal(), body)
        return {
            "id": kept.id,
            "status": "ready" if kept.is_duplicate else "pending",
            "job_id": job_shown_id(kept.job_id) if kept.job_id else None,
            "estimated_completion_seconds": 0 if kept.is_duplicate else USUAL_SECONDS,
            "is_duplicate": kept.is_duplicate,
        }


@blueprint.route("/<memory_id>/status")
class MemoryStatus(MethodView):
    @blueprint.response(200, MemoryStatusOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, memory_id: str) -> dict[str, Any]:
        """Tell how far a memory is

        Works for every memory, however it was stored. `failed` says why in `error`; editing the memory or extracting
        its names anew makes a fresh attempt.
        """
        return JobRepository(state().graph, principal()).status(memory_id)

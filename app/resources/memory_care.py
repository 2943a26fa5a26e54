"""All memories at once, `/v1/memories/...`: maintenance, bulk deletion, counts, extraction still to do."""

from typing import Any

from flask.views import MethodView

from app.api import Blueprint
from app.auth import principal, require
from app.schemas.memories import TIERS, TYPES
from app.schemas.memory_care import (
    BackfillArgs,
    BackfillOut,
    BulkDeleteIn,
    BulkDeleteOut,
    MaintenanceIn,
    MaintenanceOut,
    MemoryStatsOut,
)
from app.services.backfill import backfill
from app.services.bulk_delete import bulk_delete
from app.services.maintain import demote_cold
from app.state import state
from graph.labels import NONE
from graph.memory_stats import MemoryStatsRepository

blueprint = Blueprint("memory care", __name__, url_prefix="/v1/memories", description="All memories at once.")

METHODS = ("rules", "llm", "byok", NONE)
MOST_COUNTED = 50


@blueprint.route("/stats")
class MemoryStats(MethodView):
    @blueprint.response(200, MemoryStatsOut)
    def get(self) -> dict[str, Any]:
        """Count memories by tier, kind, agent and project

        Archived and superseded memories count. Agents and projects are the 50 with most memories.
        """
        row = MemoryStatsRepository(state().graph, principal()).stats(
            list(TIERS), list(TYPES), list(METHODS), MOST_COUNTED
        )
        return {
            **row,
            "by_tier": dict(row["by_tier"]),
            "by_type": dict(row["by_type"]),
            "by_extraction": {method or "none": count for method, count in row["by_method"]},
        }


@blueprint.route("/maintenance")
class MemoryMaintenance(MethodView):
    @require("admin")
    @blueprint.arguments(MaintenanceIn)
    @blueprint.response(200, MaintenanceOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Demote what is of little importance, and archive what was cold for long

        A warm memory with an importance below 0.4 becomes cold at once; one with at most 0.5 becomes cold when nobody
        changed it for 90 days. A cold memory that nobody changed for 180 days is archived, unless a decision is based
        on it. Hot memories are never touched.
        """
        return {"action": body["action"], **demote_cold(state(), principal())}


@blueprint.route("/bulk-delete")
class MemoryBulkDelete(MethodView):
    @require("delete")
    @blueprint.arguments(BulkDeleteIn)
    @blueprint.response(200, BulkDeleteOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Delete all memories that meet the conditions, or only count them

        All conditions must be met, and at least one given, or `all: true`. Send `dry_run: true` first to see how many
        would go; there is no way back. Call again while `has_more` is true. Needs the scope `delete`.
        """
        return bulk_delete(state(), principal(), body)


@blueprint.route("/backfill-entities")
class MemoryBackfill(MethodView):
    @blueprint.arguments(BackfillArgs, location="query")
    @blueprint.response(200, BackfillOut)
    def post(self, args: dict[str, Any]) -> dict[str, Any]:
        """Queue memories whose names were not looked for yet

        For memories stored while no extractor ran, or before a better one was configured. Workers do the work soon;
        memories in the queue already are not queued twice.
        """
        queued = backfill(state(), principal(), args["limit"], args.get("agent_id"))
        return {"status": "queued" if queued else "nothing_to_do", "queued": queued}

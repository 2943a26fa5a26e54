"""Health, `/v1/health`: no key is needed."""

from typing import Any

from flask.views import MethodView

import app
from app import limits
from app.api import Blueprint
from app.clock import now_ms
from app.schemas.health import HealthOut
from app.services.health import database_answers
from app.state import state

blueprint = Blueprint("health", __name__, access="public", description="Whether the server works.")


@blueprint.route("/v1/health")
class Health(MethodView):
    @blueprint.response(200, HealthOut)
    @blueprint.alt_response(503, schema=HealthOut)
    def get(self) -> tuple[dict[str, Any], int]:
        """Say whether the server works, and what it stands on

        Needs no key and is not counted. 503 with the same body means that the database cannot be reached; the server
        goes on trying, so ask again.
        """
        parts = state()
        database = "up" if database_answers(parts) else "down"
        now = now_ms()
        return {
            "status": "healthy" if database == "up" else "degraded",
            "version": app.__version__,
            "api_version": "v1",
            "environment": parts.settings.environment,
            "timestamp": now // 1000,
            "uptime_seconds": max(0, now - parts.started_ms) // 1000,
            "services": {
                "database": database,
                "vector_store": database,
                "cache": limits.store(),
                "task_queue": database,
                "embeddings": "unchecked",
            },
            "embedding_info": {"provider": parts.embedder.name, "dimension": parts.space.dimensions},
        }, 200 if database == "up" else 503

"""Extraction settings and keys of one's own, `/v1/extraction`."""

from typing import Any

from flask.views import MethodView

from app.api import Blueprint
from app.auth import principal, require
from app.schemas.extraction import (
    DeactivatedOut,
    ExtractionKeyDeletedOut,
    ExtractionKeyIn,
    ExtractionKeyOut,
    ExtractionSettingsOut,
)
from app.services.extraction_keys import add_key, settings_shown
from app.state import state
from graph.extraction import ExtractionKeyRepository

blueprint = Blueprint("extraction", __name__, url_prefix="/v1/extraction", description="How names are found.")


def extraction_keys() -> ExtractionKeyRepository:
    """Return the repository for the caller's tenant."""
    return ExtractionKeyRepository(state().graph, principal())


@blueprint.route("/settings")
class ExtractionSettings(MethodView):
    @blueprint.response(200, ExtractionSettingsOut)
    def get(self) -> dict[str, Any]:
        """Tell how names are found in memories, and by which key

        Rules of the server's own need no model; a key of your own goes before the server's model. Keys are shown by
        their last characters alone.
        """
        return settings_shown(state(), principal())


@blueprint.route("/keys")
class ExtractionKeyList(MethodView):
    @require("admin")
    @blueprint.arguments(ExtractionKeyIn)
    @blueprint.response(200, ExtractionKeyOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Bring a language model's key; the first becomes active

        The key is encrypted at rest and is never shown again. `base_url` must be a public https address unless the
        operator allows others. Needs the scope `admin`.
        """
        return add_key(state(), principal(), body)


@blueprint.route("/keys/deactivate-all")
class ExtractionKeysDeactivated(MethodView):
    @require("admin")
    @blueprint.response(200, DeactivatedOut)
    def post(self) -> dict[str, Any]:
        """Use no key of one's own; they stay configured

        Extraction goes on with the server's model, or with the rules. Doing so twice changes nothing. Needs the scope
        `admin`.
        """
        count = extraction_keys().deactivate_all()
        state().extractors.forget(principal().tenant)
        return {"status": "ok", "message": f"{count} keys deactivated", "deactivated_count": count}


@blueprint.route("/keys/<extraction_key_id>/activate")
class ExtractionKeyActivated(MethodView):
    @require("admin")
    @blueprint.response(200, ExtractionKeyOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, extraction_key_id: str) -> dict[str, Any]:
        """Use this key, and no other

        Memories stored from now on are read by its model. 404 when there is no such key. Needs the scope `admin`.
        """
        row = extraction_keys().activate(extraction_key_id)
        state().extractors.forget(principal().tenant)
        return row


@blueprint.route("/keys/<extraction_key_id>")
class ExtractionKeyItem(MethodView):
    @require("admin")
    @blueprint.response(200, ExtractionKeyDeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def delete(self, extraction_key_id: str) -> dict[str, Any]:
        """Delete a key for good

        When it was the active one, extraction goes on with the server's model or with the rules. 404 when it is gone
        already. Needs the scope `admin`.
        """
        extraction_keys().delete(extraction_key_id)
        state().extractors.forget(principal().tenant)
        return {"id": extraction_key_id, "deleted": True, "status": "ok"}

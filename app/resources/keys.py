"""API keys, `/v1/keys`. Everything here needs the scope `admin`."""

from typing import Any

from flask import Response
from flask.views import MethodView

from app.answers import deleted
from app.api import Blueprint
from app.auth import principal, require
from app.schemas.common import DeletedOut
from app.schemas.keys import KeyCreate, KeyOut
from app.services.keys import key_shown, make_key
from app.state import state
from graph.keys import KeyRepository

blueprint = Blueprint("keys", __name__, url_prefix="/v1/keys", description="API keys of the account.")


def keys() -> KeyRepository:
    """Return the repository for the caller's account."""
    return KeyRepository(state().graph, principal().account)


@blueprint.route("")
class KeyList(MethodView):
    @require("admin")
    @blueprint.arguments(KeyCreate)
    @blueprint.response(201, KeyOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make a key; the answer is the only place it is ever shown"""
        key, row = make_key(keys(), state().pepper, body.get("namespace") or principal().namespace, body)
        return {"key": key, "key_info": key_shown(row)}


@blueprint.route("/<key_id>")
class KeyItem(MethodView):
    @require("admin")
    @blueprint.response(204)
    @blueprint.alt_response(200, schema=DeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def delete(self, key_id: str) -> Response:
        """Revoke a key at once"""
        keys().revoke(key_id)
        return deleted("api_key", key_id)

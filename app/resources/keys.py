"""API keys, `/v1/keys`. Everything here needs the scope `admin` and sees the keys of the caller's account."""

from typing import Any

from flask import Response
from flask.views import MethodView

from app.answers import deleted
from app.api import Blueprint
from app.auth import principal, require
from app.dialects import NATIVE, named, spoken
from app.pagination import PageArgs, list_of, page, position
from app.schemas.common import DeletedOut
from app.schemas.keys import KeyCreate, KeyInfoOut, KeyOut, KeyRotate, KeyUpdate, NamespaceOut
from app.services.keys import edit_key, key_shown, make_key, rotate_key
from app.state import state
from graph.keys import KeyRepository

blueprint = Blueprint("keys", __name__, url_prefix="/v1/keys", description="API keys of the account.")


def keys() -> KeyRepository:
    """Return the repository for the caller's account."""
    return KeyRepository(state().graph, principal().account)


@blueprint.route("")
class KeyList(MethodView):
    @require("admin")
    @blueprint.arguments(PageArgs, location="query")
    @blueprint.response(200, list_of(KeyInfoOut))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List keys, newest first, ended ones included

        Keys of all namespaces of the account. None is shown whole. Needs the scope `admin`.
        """
        at, limit = position(args), args["limit"]
        rows = keys().list(at.before, at.before_id, at.offset, limit + 1)
        return page([key_shown(row) for row in rows], limit, at, keys().count)

    @require("admin")
    @blueprint.arguments(KeyCreate)
    @blueprint.response(201, KeyOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make a key; the answer is the only place it is ever shown

        A namespace not seen before is made: a tenant of its own, empty. Repeating the call makes another key. Needs the
        scope `admin`.
        """
        dialect = named(body.get("dialect", NATIVE.name))
        usual = "" if dialect.own_namespace else dialect.namespace or principal().namespace
        namespace = body.get("namespace") or usual
        key, row = make_key(keys(), state().pepper, namespace, {"scopes": dialect.scopes, **body}, dialect)
        return {"key": key, "key_info": key_shown(row)}


@blueprint.route("/namespaces")
class KeyNamespaces(MethodView):
    @require("admin")
    @blueprint.arguments(PageArgs, location="query")
    @blueprint.response(200, list_of(NamespaceOut))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List the namespaces of the account, newest first

        Each is a tenant of its own, whose things no other sees. Needs the scope `admin`.
        """
        at, limit = position(args), args["limit"]
        return page(
            keys().namespaces(at.before, at.before_id, at.offset, limit + 1), limit, at, keys().count_namespaces
        )


@blueprint.route("/<key_id>")
class KeyItem(MethodView):
    @require("admin")
    @blueprint.response(200, KeyInfoOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, key_id: str) -> dict[str, Any]:
        """Get one key, without its secret

        Ended keys are returned too. Needs the scope `admin`.
        """
        return key_shown(keys().get(key_id))

    @require("admin")
    @blueprint.arguments(KeyUpdate)
    @blueprint.response(200, KeyInfoOut)
    @blueprint.alt_response(404, "NotFoundError")
    @blueprint.alt_response(409, "ConflictError")
    def put(self, body: dict[str, Any], key_id: str) -> dict[str, Any]:
        """Change a key's name, scopes or limits; 409 when no admin key would be left

        New scopes hold from the next request on. Needs the scope `admin`.
        """
        return key_shown(edit_key(keys(), key_id, body))

    patch = put

    @require("admin")
    @blueprint.response(204)
    @blueprint.alt_response(200, schema=DeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    @blueprint.alt_response(409, "ConflictError")
    def delete(self, key_id: str) -> Response:
        """Revoke a key at once; 409 when no admin key would be left

        It can still be listed, as revoked. Revoking it again changes nothing. Needs the scope `admin`.
        """
        keys().revoke(key_id)
        return deleted("api_key", key_id)


@blueprint.route("/<key_id>/rotate")
class KeyRotation(MethodView):
    @require("admin")
    @blueprint.arguments(KeyRotate)
    @blueprint.response(201, KeyOut)
    @blueprint.alt_response(404, "NotFoundError")
    @blueprint.alt_response(409, "ConflictError")
    def post(self, body: dict[str, Any], key_id: str) -> dict[str, Any]:
        """Replace a key by a new one, shown only here; the old one works on for a grace period

        The new key has the same name, scopes and namespace; one that expires gets its whole lifetime anew. 409 when the
        key has ended or was rotated before. Needs the scope `admin`.
        """
        key, row = rotate_key(keys(), state().pepper, key_id, body["grace_hours"], spoken())
        return {"key": key, "key_info": key_shown(row)}

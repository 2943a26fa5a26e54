"""The trash, `/v1/trash`: what was deleted and can still be restored."""

from typing import Any

from flask import Response
from flask.views import MethodView

from app.answers import deleted
from app.api import Blueprint
from app.auth import principal
from app.pagination import list_of, page, position
from app.schemas.common import DeletedOut
from app.schemas.trash import TrashArgs, TrashedOut
from app.services.trash import restore
from app.state import state
from graph.trash import TrashRepository

blueprint = Blueprint("trash", __name__, url_prefix="/v1/trash", description="Deleted things that can be restored.")


def trash() -> TrashRepository:
    """Return the repository for the caller's tenant."""
    return TrashRepository(state().graph, principal())


def trashed_shown(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as the wire shows it."""
    return {**row, "deleted_with": row["deleted_with"] or None}


@blueprint.route("")
class TrashList(MethodView):
    @blueprint.arguments(TrashArgs, location="query")
    @blueprint.response(200, list_of(TrashedOut))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List what was deleted and can be restored, deleted last first

        Empty where the operator keeps no trash (`LOCI_TRASH_DAYS`).
        """
        at, limit = position(args), args["limit"]
        chosen = {"noun": args.get("noun"), "deleted_with": args.get("deleted_with")}
        rows = trash().list(at.before, at.before_id, at.offset, limit + 1, **chosen)
        return page([trashed_shown(row) for row in rows], limit, at, lambda: trash().count(**chosen))


@blueprint.route("/<trashed_id>")
class TrashItem(MethodView):
    @blueprint.response(204)
    @blueprint.alt_response(200, schema=DeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def delete(self, trashed_id: str) -> Response:
        """Erase a deleted thing now

        There is no way back. 404 when it is not in the trash.
        """
        trash().erase_one(trashed_id)
        return deleted("trashed", trashed_id)


@blueprint.route("/<trashed_id>/restore")
class TrashRestore(MethodView):
    @blueprint.response(200, TrashedOut)
    @blueprint.alt_response(404, "NotFoundError")
    @blueprint.alt_response(409, "ConflictError")
    def post(self, trashed_id: str) -> dict[str, Any]:
        """Take a deleted thing back out of the trash, under its id

        With its versions and with those of its links whose other end exists. 409 when its name is taken by now, or when
        the agent of a memory is in the trash itself. 404 when it is not in the trash.
        """
        return trashed_shown(restore(state(), principal(), trashed_id))

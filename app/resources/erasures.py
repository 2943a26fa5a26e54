"""Erasures, `/v1/erasures`: gone for good, with a receipt."""

from typing import Any

from flask import Response, jsonify
from flask.views import MethodView

from app.api import Blueprint
from app.auth import principal, require
from app.pagination import PageArgs, list_of, page, position
from app.schemas.erasures import ErasureIn, ErasureOut, ReceiptIn, ReceiptOut
from app.services.erasures import erase, opened, verify
from app.state import state
from graph.erasures import ErasureRepository

blueprint = Blueprint("erasures", __name__, url_prefix="/v1/erasures", description="Gone for good, with a receipt.")

STATUS = {"dry_run": 200, "done": 201, "running": 202}


def erasures() -> ErasureRepository:
    """Return the repository for the caller's tenant."""
    return ErasureRepository(state().graph, principal())


@blueprint.route("")
class ErasureList(MethodView):
    @blueprint.arguments(PageArgs, location="query")
    @blueprint.response(200, list_of(ErasureOut))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List erasures with their receipts, newest first

        They are kept and hold no content.
        """
        at, limit = position(args), args["limit"]
        rows = erasures().list(at.before, at.before_id, at.offset, limit + 1)
        return page([opened(row) for row in rows], limit, at, erasures().count)

    @require("delete")
    @blueprint.arguments(ErasureIn)
    @blueprint.response(201, ErasureOut)
    @blueprint.alt_response(200, schema=ErasureOut)
    @blueprint.alt_response(202, schema=ErasureOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, body: dict[str, Any]) -> Response:
        """Erase memories and all that was made of them, or count what would go

        There is no way back: the trash goes as well. 202 where it takes longer than a request may: a worker goes on,
        and the erasure says how far it is. Repeating it finds nothing and says so.
        """
        made = erase(state(), principal(), body)
        answer = jsonify(ErasureOut().dump(made))
        answer.status_code = STATUS[made["state"]]
        return answer


@blueprint.route("/<erasure_id>")
class ErasureItem(MethodView):
    @blueprint.response(200, ErasureOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, erasure_id: str) -> dict[str, Any]:
        """Get one erasure and its receipt

        While `state` is `running`, `removed` grows.
        """
        return opened(erasures().get(erasure_id))


@blueprint.route("/verify")
class ErasureVerify(MethodView):
    @require("read")
    @blueprint.arguments(ReceiptIn)
    @blueprint.response(200, ReceiptOut)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Check that a receipt is this server's and was not changed

        `docs/security.md` shows how to check it without the server.
        """
        return {"valid": verify(state(), body["receipt"], body["signature"])}

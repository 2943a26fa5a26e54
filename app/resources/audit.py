"""The audit trail, `/v1/audit`: who wrote what and when. Needs the scope `admin`."""

from typing import Any

from flask.views import MethodView

from app.api import Blueprint
from app.auth import principal, require
from app.pagination import list_of, page, position
from app.schemas.audit import AuditArgs, AuditOut
from app.services.audit import trail
from app.state import state

blueprint = Blueprint("audit", __name__, url_prefix="/v1/audit", description="Who wrote what and when.")


@blueprint.route("")
class AuditList(MethodView):
    @require("admin")
    @blueprint.arguments(AuditArgs, location="query")
    @blueprint.response(200, list_of(AuditOut))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List writes and uses of keys, newest first

        What was written is named by its id and never shown. Entries cannot be changed or deleted. Needs the scope
        `admin`.
        """
        at, limit = position(args), args["limit"]
        rows, count = trail(state(), principal(), at, limit + 1, args)
        return page(rows, limit, at, count)

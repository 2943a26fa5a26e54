"""Usage and quota: `/v1/usage`, `/v1/quota`."""

from typing import Any

from flask.views import MethodView

from app.api import Blueprint
from app.auth import principal
from app.schemas.usage import QuotaOut, UsageArgs, UsageOut
from app.services.usage import quota, report
from app.state import state

blueprint = Blueprint("usage", __name__, url_prefix="/v1", description="What the keys of a tenant do, and its quota.")


@blueprint.route("/usage")
class Usage(MethodView):
    @blueprint.arguments(UsageArgs, location="query")
    @blueprint.response(200, UsageOut)
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """Add up requests by day, key and route: of all keys for an admin key, else of the key itself

        Counted per day (UTC) and written every few seconds. At most 1,000 rows: `has_more` says that there are others,
        and `total` adds up all.
        """
        return report(state(), principal(), args)


@blueprint.route("/quota")
class Quota(MethodView):
    @blueprint.response(200, QuotaOut)
    def get(self) -> dict[str, Any]:
        """Tell how many memories the tenant holds and may hold

        A store beyond the limit is answered with 403 `quota_exceeded`. Deleting memories makes room at once.
        """
        return quota(state(), principal())

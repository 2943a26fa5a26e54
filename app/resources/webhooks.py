"""Webhooks, `/v1/webhooks`: addresses that are told of events."""

from typing import Any

from flask import Response
from flask.views import MethodView

from app.answers import deleted
from app.api import Blueprint
from app.auth import principal
from app.pagination import PageArgs, list_of, page, position
from app.schemas.common import DeletedOut
from app.schemas.webhooks import (
    DeliveriesResend,
    DeliveryArgs,
    DeliveryDetail,
    DeliveryOut,
    ResentOut,
    SecretRotate,
    WebhookCreate,
    WebhookMade,
    WebhookOut,
    WebhookUpdate,
)
from app.services.deliveries import delivery, resend, resend_range
from app.services.webhooks import create_webhook, delivery_shown, edit_webhook, rotate_secret, send_test, shown
from app.state import state
from graph.webhooks import WebhookRepository

blueprint = Blueprint("webhooks", __name__, url_prefix="/v1/webhooks", description="Addresses that are told of events.")


def webhooks() -> WebhookRepository:
    """Return the repository for the caller's tenant."""
    return WebhookRepository(state().graph, principal())


@blueprint.route("")
class WebhookList(MethodView):
    @blueprint.arguments(PageArgs, location="query")
    @blueprint.response(200, list_of(WebhookOut))
    def get(self, args: dict[str, Any]) -> dict[str, Any]:
        """List webhooks, newest first

        Secrets are never in it.
        """
        at, limit = position(args), args["limit"]
        rows = webhooks().list(at.before, at.before_id, at.offset, limit + 1)
        return page([shown(row) for row in rows], limit, at, webhooks().count)

    @blueprint.arguments(WebhookCreate)
    @blueprint.response(201, WebhookMade)
    def post(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make a webhook; a secret that the server makes is shown only here

        The address must be public and https unless the operator allows others. Repeating the call makes another
        webhook.
        """
        return create_webhook(state(), principal(), body)


@blueprint.route("/<webhook_id>")
class WebhookItem(MethodView):
    @blueprint.response(200, WebhookOut)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, webhook_id: str) -> dict[str, Any]:
        """Get one webhook

        Without its secret: rotate it if it was lost.
        """
        return shown(webhooks().get(webhook_id))

    @blueprint.arguments(WebhookUpdate)
    @blueprint.response(200, WebhookOut)
    @blueprint.alt_response(404, "NotFoundError")
    def put(self, body: dict[str, Any], webhook_id: str) -> dict[str, Any]:
        """Change a webhook; absent and null fields stay as they are

        `event_types` are replaced as a whole. The secret is changed by rotating it.
        """
        return edit_webhook(state(), principal(), webhook_id, body)

    patch = put

    @blueprint.response(204)
    @blueprint.alt_response(200, schema=DeletedOut)
    @blueprint.alt_response(404, "NotFoundError")
    def delete(self, webhook_id: str) -> Response:
        """Delete a webhook and the log of its deliveries

        What was still waiting is not sent. 404 when it is gone already.
        """
        webhooks().delete(webhook_id)
        return deleted("webhook", webhook_id)


@blueprint.route("/<webhook_id>/rotate-secret")
class WebhookSecret(MethodView):
    @blueprint.arguments(SecretRotate)
    @blueprint.response(200, WebhookMade)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, body: dict[str, Any], webhook_id: str) -> dict[str, Any]:
        """Replace the secret; the old one signs as well for a grace period

        Within the grace period, what is sent is signed with both secrets. One that the server makes is shown only here.
        """
        return rotate_secret(state(), principal(), webhook_id, body)


@blueprint.route("/<webhook_id>/test")
class WebhookTest(MethodView):
    @blueprint.response(202, DeliveryOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, webhook_id: str) -> dict[str, Any]:
        """Put a test event on its way to this webhook

        Whatever its event types are. Its deliveries tell what became of it.
        """
        return send_test(state(), principal(), webhook_id)


@blueprint.route("/<webhook_id>/deliveries")
class WebhookDeliveries(MethodView):
    @blueprint.arguments(DeliveryArgs, location="query")
    @blueprint.response(200, list_of(DeliveryOut))
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, args: dict[str, Any], webhook_id: str) -> dict[str, Any]:
        """List what was sent to this webhook, newest first

        One row for each event, whose attempts it counts. `error` says why the last attempt failed.
        """
        at, limit, state_wanted = position(args), args["limit"], args.get("state")
        webhooks().get(webhook_id)
        rows = webhooks().deliveries(webhook_id, state_wanted, at.before, at.before_id, at.offset, limit + 1)
        return page(
            [delivery_shown(row) for row in rows],
            limit,
            at,
            lambda: webhooks().count_deliveries(webhook_id, state_wanted),
        )


@blueprint.route("/<webhook_id>/deliveries/<delivery_id>")
class WebhookDelivery(MethodView):
    @blueprint.response(200, DeliveryDetail)
    @blueprint.alt_response(404, "NotFoundError")
    def get(self, webhook_id: str, delivery_id: str) -> dict[str, Any]:
        """Get one delivery with every attempt

        Each with its time, the status and the beginning of the answer, or why there was none.
        """
        return delivery(state(), principal(), webhook_id, delivery_id)


@blueprint.route("/<webhook_id>/deliveries/<delivery_id>/redeliver")
class WebhookDeliveryAgain(MethodView):
    @blueprint.response(202, DeliveryOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, webhook_id: str, delivery_id: str) -> dict[str, Any]:
        """Send the event of a delivery once more

        A new delivery with the same event id, before everything newer that waits; the one named stays as it is.
        """
        return resend(state(), principal(), webhook_id, delivery_id)


@blueprint.route("/<webhook_id>/redeliver")
class WebhookAgain(MethodView):
    @blueprint.arguments(DeliveriesResend)
    @blueprint.response(202, ResentOut)
    @blueprint.alt_response(404, "NotFoundError")
    def post(self, body: dict[str, Any], webhook_id: str) -> dict[str, Any]:
        """Send the events of a period once more

        One new delivery for each event, with the same event id and in the old order. Events on their way already are
        left out. 422 when the period holds more than 10,000 deliveries.
        """
        return resend_range(state(), principal(), webhook_id, body)

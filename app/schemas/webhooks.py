"""Webhooks on the wire. A secret is shown once, and only when the server made it."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from marshmallow import ValidationError, fields, validate

from app.events import EVENTS
from app.pagination import PageArgs
from app.schemas.common import IsoTime, Moment, Schema, Text

STATES = ("pending", "delivered", "failed")
RESENT = ("failed", "delivered")
PREFIX = "whsec_"


def check_secret(text: str) -> None:
    """Refuse a secret that says it is base64 and is not: nobody could verify what it signs.

    Raises:
        ValidationError: it begins with `whsec_` and goes on with something else than base64.
    """
    if not text.startswith(PREFIX):
        return
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValidationError("must go on with base64 after `whsec_`") from error
    if not key:
        raise ValidationError("must not be empty after `whsec_`")


class Secret(Text):
    """A signing secret, used as it is."""

    def __init__(self, **kwargs: Any) -> None:
        said = "Signs what is sent: `whsec_` and base64, or any text, used as it is. Absent: the server makes one."
        facts = {"description": said, "example": "whsec_bm90LWEtcmVhbC1zZWNyZXQ="}
        super().__init__(256, blank=False, validate=[check_secret], metadata=facts, **kwargs)


def event_types(**kwargs: Any) -> Any:
    """Return the field for events to be told of."""
    known = Text(validate=[validate.OneOf(list(EVENTS), error="is no event; docs/webhooks.md lists them")])
    facts = {"description": "Events to be told of; an empty list means all.", "example": ["memory.created"]}
    few = validate.Length(max=100, error="must name at most {max} events")
    return fields.List(known, validate=few, metadata=facts, **kwargs)


class WebhookOut(ma.Schema):
    """A webhook: an address that is told of events."""

    object = fields.Constant("webhook", metadata={"description": "Always `webhook`."})
    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    url = fields.String(metadata={"description": "Where events are sent.", "example": "https://hooks.example.com/loci"})
    event_types = fields.List(
        fields.String(), metadata={"description": "Events it is told of; empty: all.", "example": ["memory.created"]}
    )
    enabled = fields.Boolean(metadata={"description": "Whether anything is sent.", "example": True})
    description = fields.String(allow_none=True, metadata={"description": "What it is for.", "example": "audit trail"})
    include_content = fields.Boolean(
        metadata={
            "description": "Whether payloads carry texts, those of confidential memories never.",
            "example": False,
        }
    )
    failing_since = IsoTime(
        allow_none=True,
        metadata={"description": "Since when nothing but failures came back; null after a success.", "example": None},
    )
    disabled_reason = fields.String(
        allow_none=True, metadata={"description": "Why the server switched it off.", "example": None}
    )
    old_secret_until = IsoTime(
        allow_none=True,
        metadata={"description": "Until when the secret before the last rotation signs as well.", "example": None},
    )
    created_at = IsoTime(metadata={"description": "When it was made."})
    updated_at = IsoTime(metadata={"description": "When it was last changed."})


class WebhookMade(WebhookOut):
    """A webhook with the secret that the server made for it: the only time it is shown."""

    secret = fields.String(
        metadata={
            "description": "Only when the server made it. It cannot be shown again.",
            "example": "whsec_bm90LWEtcmVhbC1zZWNyZXQ=",
            "sometimes": True,
        }
    )


class WebhookCreate(Schema):
    """A new webhook."""

    url = Text(
        2048, required=True, blank=False,
        metadata={"description": "https only.", "example": "https://hooks.example.com/loci"},
    )  # fmt: skip
    event_types = event_types(load_default=list)
    secret = Secret()
    description = Text(255, load_default=None, metadata={"description": "What it is for.", "example": "audit trail"})
    enabled = fields.Boolean(load_default=True, metadata={"description": "Whether anything is sent."})
    include_content = fields.Boolean(
        load_default=False,
        metadata={"description": "Whether payloads carry texts, those of confidential memories never."},
    )


class WebhookUpdate(Schema):
    """Changes to a webhook; absent and null fields stay as they are. Secrets are changed by rotating them."""

    url = Text(2048, blank=False, metadata={"description": "https only.", "example": "https://hooks.example.com/loci"})
    event_types = event_types()
    description = Text(255, metadata={"description": "What it is for.", "example": "audit trail"})
    enabled = fields.Boolean(
        metadata={"description": "Whether anything is sent; switched on, it gets at once what waits for it."}
    )
    include_content = fields.Boolean(
        metadata={"description": "Whether payloads carry texts, those of confidential memories never."}
    )

    @ma.pre_load
    def refuse_secret(self, data: Any, **_: Any) -> Any:
        # Unknown fields are ignored, but whoever sends this one believes that it signs from now on.
        if isinstance(data, Mapping) and data.get("secret") is not None:
            raise ValidationError("is changed by `POST /v1/webhooks/{webhook_id}/rotate-secret`", "secret")
        return data


class SecretRotate(Schema):
    """How a webhook's secret is replaced."""

    secret = Secret()
    grace_hours = fields.Float(
        load_default=24.0, allow_nan=False, validate=validate.Range(0, 720, error="must lie between {min} and {max}"),
        metadata={"description": "Hours that the old secret signs as well; 0 drops it at once.", "example": 24},
    )  # fmt: skip


class DeliveryArgs(PageArgs):
    """Which deliveries are asked for."""

    state = Text(
        validate=[validate.OneOf(STATES, error="must be one of: {choices}")],
        metadata={"description": "Only these.", "example": "failed"},
    )


class DeliveriesResend(Schema):
    """Which deliveries are sent again."""

    since = Moment(
        required=True, metadata={"description": "Made at this time or later.", "example": "2026-03-20T08:00:00Z"}
    )
    until = Moment(metadata={"description": "Made before this time; absent: now.", "example": "2026-03-20T09:00:00Z"})
    state = Text(
        load_default="failed",
        validate=[validate.OneOf(RESENT, error="must be one of: {choices}")],
        metadata={"description": "Which of them: `failed` or `delivered`.", "example": "failed"},
    )


class ResentOut(ma.Schema):
    """How many deliveries were put on their way again."""

    object = fields.Constant("redelivery", metadata={"description": "Always `redelivery`."})
    webhook_id = fields.String(metadata={"description": "Where they go.", "format": "uuid"})
    count = fields.Integer(
        metadata={"description": "New deliveries: one for each event, those on their way left out.", "example": 12}
    )


class DeliveryOut(ma.Schema):
    """One event on its way to one webhook."""

    object = fields.Constant("delivery", metadata={"description": "Always `delivery`."})
    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    webhook_id = fields.String(metadata={"description": "Where it goes.", "format": "uuid"})
    event_id = fields.String(metadata={"description": "What is sent; the same in every attempt.", "format": "uuid"})
    event_type = fields.String(metadata={"description": "Name of the event.", "example": "memory.created"})
    state = fields.String(
        validate=validate.OneOf(STATES), metadata={"description": f"One of {', '.join(STATES)}.", "example": "pending"}
    )
    attempts = fields.Integer(metadata={"description": "Times it was sent so far.", "example": 0})
    next_attempt_at = IsoTime(allow_none=True, metadata={"description": "When it is sent next, while pending."})
    last_attempt_at = IsoTime(allow_none=True, metadata={"description": "When it was last sent.", "example": None})
    delivered_at = IsoTime(allow_none=True, metadata={"description": "When it was answered with 2xx.", "example": None})
    response_status = fields.Integer(
        allow_none=True, metadata={"description": "Status of the last answer.", "example": None}
    )
    error = fields.String(allow_none=True, metadata={"description": "Why the last attempt failed.", "example": None})
    created_at = IsoTime(metadata={"description": "When it was put on its way."})


class AttemptOut(ma.Schema):
    """One time that a delivery was sent."""

    at = IsoTime(metadata={"description": "When it was sent."})
    status = fields.Integer(allow_none=True, metadata={"description": "Status of the answer.", "example": 503})
    error = fields.String(
        allow_none=True, metadata={"description": "Why it counts as failed.", "example": "it answered 503"}
    )
    duration_ms = fields.Integer(metadata={"description": "Milliseconds until it was over.", "example": 84})
    answer = fields.String(
        allow_none=True,
        metadata={"description": "The first 2,048 characters of the answer.", "example": "try again later"},
    )


class DeliveryDetail(DeliveryOut):
    """One event on its way to one webhook, with every attempt."""

    attempt_log = fields.List(
        fields.Nested(AttemptOut), metadata={"description": "Every time it was sent, oldest first."}
    )

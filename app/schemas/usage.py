"""Usage and quota on the wire."""

from typing import Any

import marshmallow as ma
from marshmallow import ValidationError, fields, validate

from app.schemas.common import Id, IsoTime, Moment, Schema, Text

GROUPING = validate.Regexp(
    r"^(day|key|route)(,(day|key|route)){0,2}$", error="must be any of day, key and route, separated by commas"
)


class PeriodArgs(Schema):
    """A stretch of time, both ends included."""

    since = Moment(
        data_key="from",
        metadata={"description": "Not before: a day, ISO 8601 or unix seconds.", "example": "2026-03-01"},
    )
    until = Moment(
        data_key="to", metadata={"description": "Not after: a day, ISO 8601 or unix seconds.", "example": "2026-03-31"}
    )

    @ma.validates_schema
    def in_order(self, data: dict[str, Any], **_: Any) -> None:
        if data.get("since", 0) > data.get("until", data.get("since", 0)):
            raise ValidationError("must not be after `to`", "from")


class UsageArgs(PeriodArgs):
    """Which usage is asked for, and how it is added up. Days are UTC."""

    key_id = Id(metadata={"description": "Only this key."})
    route = Text(200, metadata={"description": "Only this route.", "example": "POST /v1/memories/search"})
    group_by = Text(
        load_default="day", validate=[GROUPING],
        metadata={"description": "One row for each: any of day, key and route, separated by commas."},
    )  # fmt: skip


class UsageSum(ma.Schema):
    """Requests, added up."""

    requests = fields.Integer(metadata={"description": "Requests answered.", "example": 812})
    client_errors = fields.Integer(metadata={"description": "Of these, refused with 4xx.", "example": 3})
    server_errors = fields.Integer(metadata={"description": "Of these, failed with 5xx.", "example": 0})
    mean_ms = fields.Float(metadata={"description": "Milliseconds that one took on average.", "example": 17.4})


class UsageRow(UsageSum):
    """One sum; what it is not grouped by is null."""

    day = fields.String(
        allow_none=True, metadata={"description": "Day (UTC).", "format": "date", "example": "2026-03-20"}
    )
    key_id = fields.String(allow_none=True, metadata={"description": "Key.", "format": "uuid"})
    key_prefix = fields.String(allow_none=True, metadata={"description": "Its first 12 characters."})
    key_name = fields.String(allow_none=True, metadata={"description": "What the key is for.", "example": "ci"})
    route = fields.String(allow_none=True, metadata={"description": "Method and path.", "example": "POST /v1/memories"})


class UsageOut(ma.Schema):
    """What the keys of a tenant did."""

    object = fields.Constant("usage", metadata={"description": "Always `usage`."})
    first = fields.String(
        data_key="from", metadata={"description": "First day (UTC).", "format": "date", "example": "2026-03-01"}
    )
    last = fields.String(
        data_key="to", metadata={"description": "Last day (UTC).", "format": "date", "example": "2026-03-31"}
    )
    group_by = fields.List(fields.String(), metadata={"description": "What the rows are for.", "example": ["day"]})
    data = fields.List(fields.Nested(UsageRow), metadata={"description": "Newest days first, then busiest first."})
    has_more = fields.Boolean(metadata={"description": "Whether rows beyond 1,000 were left out."})
    total = fields.Nested(UsageSum, metadata={"description": "Everything chosen, added up."})


class QuotaOut(ma.Schema):
    """Memories stored and allowed."""

    used = fields.Integer(metadata={"description": "Memories that the tenant holds.", "example": 812})
    limit = fields.Integer(
        metadata={"description": "How many it may hold; 1,000,000,000 where there is no limit.", "example": 1000}
    )
    resetAt = IsoTime(
        allow_none=True, metadata={"description": "Always null: deleting frees quota, time does not.", "example": None}
    )

"""The audit trail on the wire."""

import marshmallow as ma
from marshmallow import fields

from app.pagination import PageArgs
from app.schemas.common import Id, IsoTime, Text
from app.schemas.usage import PeriodArgs


class AuditArgs(PageArgs, PeriodArgs):
    """Which entries are asked for."""

    key_id = Id(metadata={"description": "Only what this key did."})
    action = Text(100, metadata={"description": "Only this action.", "example": "memories.create"})


class AuditOut(ma.Schema):
    """One request that wrote, or the first use of a key on a day. It never holds content."""

    object = fields.Constant("audit_entry", metadata={"description": "Always `audit_entry`."})
    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    action = fields.String(
        metadata={"description": "Noun and verb, or `keys.use` for the first use of a day.", "example": "keys.rotate"}
    )
    method = fields.String(allow_none=True, metadata={"description": "Method; null for `keys.use`.", "example": "POST"})
    route = fields.String(
        allow_none=True, metadata={"description": "Path as documented.", "example": "/v1/keys/{key_id}/rotate"}
    )
    noun_id = fields.String(
        allow_none=True, metadata={"description": "Id of what was written, where there is one.", "format": "uuid"}
    )
    status = fields.Integer(allow_none=True, metadata={"description": "Status of the answer.", "example": 201})
    key_id = fields.String(metadata={"description": "Key that was used.", "format": "uuid"})
    key_prefix = fields.String(metadata={"description": "Its first 12 characters.", "example": "mem_prod_7c1"})
    request_id = fields.String(metadata={"description": "As sent in `X-Request-ID`."})
    created_at = IsoTime(metadata={"description": "When it was answered."})

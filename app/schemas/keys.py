"""API keys on the wire."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from app.schemas.common import IsoTime, Schema, Text
from app.scopes import SCOPES

SPEND = validate.Range(0, 1_000_000_000, error="must lie between {min} and {max}")
NAMESPACE = validate.Regexp(
    r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$(?!\n)", error="must be letters, digits and any of . _ : / @ -, such as `team-a`"
)


class KeyInfoOut(ma.Schema):
    """A key without its secret."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    name = fields.String(allow_none=True, metadata={"description": "What it is for.", "example": "ci"})
    key_prefix = fields.String(metadata={"description": "The first 12 characters.", "example": "mem_prod_7c1"})
    scopes = fields.List(fields.String(), metadata={"description": "What it may do.", "example": ["read", "write"]})
    namespace = fields.String(metadata={"description": "Namespace of the account it opens.", "example": "default"})
    created_at = IsoTime(metadata={"description": "When it was made."})
    last_used_at = IsoTime(allow_none=True, metadata={"description": "When it was last used, to the minute."})
    expires_at = IsoTime(allow_none=True, metadata={"description": "When it stops working."})
    revoked_at = IsoTime(allow_none=True, metadata={"description": "When it was revoked.", "example": None})
    deprecated_at = IsoTime(
        allow_none=True, metadata={"description": "When it was replaced by a rotation.", "example": None}
    )
    auto_revoke_at = IsoTime(
        allow_none=True, metadata={"description": "When a replaced key stops working.", "example": None}
    )
    replaced_by = fields.String(
        allow_none=True,
        metadata={"description": "Id of the key that a rotation put in its place.", "format": "uuid", "example": None},
    )
    is_active = fields.Boolean(metadata={"description": "Whether it works now.", "example": True})
    daily_spend_limit_usd = fields.Float(
        allow_none=True, metadata={"description": "Kept as sent; nothing is billed.", "example": None}
    )
    monthly_spend_limit_usd = fields.Float(
        allow_none=True, metadata={"description": "Kept as sent; nothing is billed.", "example": None}
    )
    spend_info = fields.Raw(
        allow_none=True, metadata={"description": "Always null: nothing is billed.", "example": None}
    )


class KeyOut(ma.Schema):
    """A new key: the only time it is shown."""

    key = fields.String(metadata={"description": "The key. It cannot be shown again.", "example": "mem_prod_7c1..."})
    key_info = fields.Nested(KeyInfoOut, metadata={"description": "Everything else about it."})


def scopes_field(**kwargs: Any) -> Any:
    """Return the field for at least one scope."""
    known = Text(validate=[validate.OneOf(list(SCOPES), error="must be one of: {choices}")])
    facts = {"description": f"Any of {', '.join(SCOPES)}.", "example": ["read", "write"]}
    return fields.List(
        known, validate=validate.Length(1, error="must name at least one scope"), metadata=facts, **kwargs
    )


class KeyCreate(Schema):
    """A new key."""

    name = Text(255, metadata={"description": "What it is for.", "example": "ci"})
    scopes = scopes_field()
    expires_days = fields.Integer(
        validate=validate.Range(1, 365, error="must lie between {min} and {max}"),
        metadata={"description": "Days until it stops working; absent: never.", "example": 90},
    )
    namespace = Text(
        255, blank=False, validate=[NAMESPACE],
        metadata={
            "description": "Namespace of the account it opens, made on first use; absent: the caller's own, or a new "
            "one where the dialect has that.",
            "example": "team-a",
        },
    )  # fmt: skip
    dialect = Text(
        32, metadata={"description": "Make it look, and do, as the clients of this API expect.", "example": "sendryx"}
    )
    daily_spend_limit_usd = fields.Float(
        allow_nan=False,
        validate=SPEND,
        metadata={"description": "Kept; nothing is billed.", "example": 5},
    )
    monthly_spend_limit_usd = fields.Float(
        allow_nan=False,
        validate=SPEND,
        metadata={"description": "Kept; nothing is billed.", "example": 50},
    )


class KeyUpdate(Schema):
    """Changes to a key; absent and null fields stay as they are. What it opens and when it expires never change."""

    name = Text(255, metadata={"description": "What it is for.", "example": "ci"})
    scopes = scopes_field()
    daily_spend_limit_usd = fields.Float(
        allow_nan=False,
        validate=SPEND,
        metadata={"description": "Kept; nothing is billed.", "example": 5},
    )
    monthly_spend_limit_usd = fields.Float(
        allow_nan=False,
        validate=SPEND,
        metadata={"description": "Kept; nothing is billed.", "example": 50},
    )


class KeyRotate(Schema):
    """How a key is replaced."""

    grace_hours = fields.Float(
        load_default=24.0, allow_nan=False, validate=validate.Range(0, 720, error="must lie between {min} and {max}"),
        metadata={"description": "Hours that the old key works on; 0 ends it at once.", "example": 24},
    )  # fmt: skip


class NamespaceOut(ma.Schema):
    """A namespace of the account: a tenant of its own."""

    object = fields.Constant("namespace", metadata={"description": "Always `namespace`."})
    id = fields.String(metadata={"description": "UUID of the tenant.", "format": "uuid"})
    namespace = fields.String(metadata={"description": "Its name, as keys are made for it.", "example": "team-a"})
    key_count = fields.Integer(metadata={"description": "Keys made for it, ended ones included.", "example": 3})
    created_at = IsoTime(metadata={"description": "When its first key was made."})

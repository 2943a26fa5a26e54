"""Extraction settings and own keys on the wire."""

import marshmallow as ma
from marshmallow import fields

from app.schemas.common import IsoTime, Schema, Text
from app.schemas.memories import one_of

PROVIDERS = ("openai", "anthropic", "google", "azure", "ollama", "custom")


class ExtractionKeyIn(Schema):
    """A language model's key of your own. It is encrypted at rest and never shown again."""

    provider = Text(required=True, validate=[one_of(PROVIDERS)], metadata={"description": "Whose it is."})
    api_key = Text(4096, blank=False, required=True, metadata={"description": "The key.", "example": "sk-example"})
    model = Text(255, blank=False, required=True, metadata={"description": "Model to ask.", "example": "small-1"})
    label = Text(255, metadata={"description": "A name for it.", "example": "team key"})
    base_url = Text(
        2048,
        metadata={
            "description": "OpenAI-compatible address; needed for `azure`, `ollama` and `custom`.",
            "format": "uri",
            "example": "https://llm.example.com/v1",
        },
    )


class ExtractionKeyOut(ma.Schema):
    """A key of your own."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    provider = fields.String(validate=one_of(PROVIDERS), metadata={"description": "Whose it is.", "example": "openai"})
    label = fields.String(allow_none=True, metadata={"description": "Your name for it.", "example": "team key"})
    model = fields.String(metadata={"description": "Model it asks.", "example": "small-1"})
    base_url = fields.String(allow_none=True, metadata={"description": "Its address, when given.", "example": None})
    is_active = fields.Boolean(metadata={"description": "Whether extraction uses it.", "example": True})
    masked_key = fields.String(metadata={"description": "Its last characters.", "example": "…mple"})
    last_validated_at = IsoTime(allow_none=True, metadata={"description": "When its model last answered."})
    last_used_at = IsoTime(allow_none=True, metadata={"description": "When it was last used."})
    created_at = IsoTime(metadata={"description": "When it was added."})
    updated_at = IsoTime(metadata={"description": "When it was last changed."})


class ExtractionSettingsOut(ma.Schema):
    """How names are found in memories."""

    tier = fields.String(
        validate=one_of(("scale",)),
        metadata={"description": "Always `scale`: nothing is held back.", "example": "scale"},
    )
    extractor = fields.String(
        validate=one_of(("rules", "llm", "byok")),
        metadata={"description": "`rules`, `llm` or `byok`.", "example": "rules"},
    )
    byok_enabled_globally = fields.Boolean(metadata={"description": "Always true.", "example": True})
    byok_configured = fields.Boolean(metadata={"description": "Whether there is a key of your own."})
    byok_active = fields.Boolean(metadata={"description": "Whether one is in use."})
    masked_api_key = fields.String(
        allow_none=True, metadata={"description": "The active key's last characters.", "example": None}
    )
    preferred_model = fields.String(metadata={"description": "Model in use; empty for the rules.", "example": ""})
    base_url = fields.String(metadata={"description": "Its address; empty without one.", "example": ""})
    last_validated_at = IsoTime(
        allow_none=True, metadata={"description": "When the active key's model last answered.", "example": None}
    )
    plan_limits = fields.Dict(metadata={"description": "Limits of the plan; there are none.", "example": {}})
    keys = fields.List(fields.Nested(ExtractionKeyOut), metadata={"description": "Your keys, oldest first."})


class DeactivatedOut(ma.Schema):
    """What became of the keys."""

    status = fields.String(validate=one_of(("ok",)), metadata={"description": "Always `ok`.", "example": "ok"})
    message = fields.String(metadata={"description": "The same in words.", "example": "1 key deactivated"})
    deactivated_count = fields.Integer(metadata={"description": "Keys that were active.", "example": 1})


class ExtractionKeyDeletedOut(ma.Schema):
    """A key that is gone."""

    id = fields.String(metadata={"description": "UUID.", "format": "uuid"})
    object = fields.Constant("extraction_key", metadata={"description": "Always `extraction_key`."})
    deleted = fields.Boolean(metadata={"description": "Always true.", "example": True})
    status = fields.String(validate=one_of(("ok",)), metadata={"description": "Always `ok`.", "example": "ok"})

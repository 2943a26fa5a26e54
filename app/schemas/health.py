"""Health on the wire."""

import marshmallow as ma
from marshmallow import fields, validate


class EmbeddingInfo(ma.Schema):
    """The embedder in force."""

    provider = fields.String(metadata={"description": "Provider and model.", "example": "local:bge-small-en-v1.5-q"})
    dimension = fields.Integer(metadata={"description": "Length of its vectors.", "example": 384})


class HealthOut(ma.Schema):
    """Whether the server works, and what it stands on."""

    status = fields.String(
        required=True,
        validate=validate.OneOf(("healthy", "degraded")),
        metadata={"description": "`healthy` or `degraded`.", "example": "healthy"},
    )
    version = fields.String(required=True, metadata={"description": "Version of Loci.", "example": "0.1.0"})
    api_version = fields.String(
        required=True, validate=validate.OneOf(("v1",)), metadata={"description": "Always `v1`."}
    )
    environment = fields.String(required=True, metadata={"description": "LOCI_ENVIRONMENT.", "example": "production"})
    timestamp = fields.Integer(required=True, metadata={"description": "Unix seconds.", "example": 1773655200})
    uptime_seconds = fields.Integer(
        required=True, metadata={"description": "Seconds since this process started.", "example": 86400}
    )
    services = fields.Dict(
        keys=fields.String(), values=fields.String(), required=True,
        metadata={
            "description": "`up`, `down` or `unchecked` for each part; `cache` may be `memory`.",
            "example": {"database": "up", "embeddings": "unchecked"},
        },
    )  # fmt: skip
    embedding_info = fields.Nested(EmbeddingInfo, metadata={"description": "The embedder in force."})

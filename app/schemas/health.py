"""Health on the wire."""

import marshmallow as ma
from marshmallow import fields


class EmbeddingInfo(ma.Schema):
    """The embedder in force."""

    provider = fields.String(metadata={"description": "Provider and model.", "example": "local:bge-small-en-v1.5-q"})
    dimension = fields.Integer(metadata={"description": "Length of its vectors.", "example": 384})


class HealthOut(ma.Schema):
    """Whether the server works, and what it stands on."""

    status = fields.String(required=True, metadata={"description": "`healthy` or `degraded`.", "example": "healthy"})
    version = fields.String(required=True, metadata={"description": "Version of Loci."})
    api_version = fields.String(required=True, metadata={"description": "Always `v1`."})
    environment = fields.String(required=True, metadata={"description": "LOCI_ENVIRONMENT."})
    timestamp = fields.Integer(required=True, metadata={"description": "Unix seconds."})
    uptime_seconds = fields.Integer(required=True, metadata={"description": "Seconds since this process started."})
    services = fields.Dict(
        keys=fields.String(), values=fields.String(), required=True,
        metadata={"description": "`up`, `down` or `unchecked` for each part."},
    )  # fmt: skip
    embedding_info = fields.Nested(EmbeddingInfo, metadata={"description": "The embedder in force."})

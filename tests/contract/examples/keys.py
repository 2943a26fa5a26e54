"""How to call the routes of API keys, and what is noted of their use."""

from __future__ import annotations

from tests.contract.examples.world import Makers, Makes

MAKERS: Makers = {
    "key_id": lambda w: str(w.create("/v1/keys", name=w.text("ci"))["key_info"]["id"]),
}
BODIES: Makes = {
    "POST /v1/keys": lambda w: {"name": w.text("ci"), "scopes": ["read"], "expires_days": 30},
    "PUT /v1/keys/{key_id}": lambda w: {"name": w.text("ci, weekly"), "scopes": ["read"]},
    "POST /v1/keys/{key_id}/rotate": lambda w: {"grace_hours": 1},
}
SCOPES: dict[str, str] = {
    "POST /v1/keys": "admin",
    "GET /v1/audit": "admin",
    "GET /v1/keys": "admin",
    "GET /v1/keys/namespaces": "admin",
    "GET /v1/keys/{key_id}": "admin",
    "PUT /v1/keys/{key_id}": "admin",
    "PATCH /v1/keys/{key_id}": "admin",
    "DELETE /v1/keys/{key_id}": "admin",
    "POST /v1/keys/{key_id}/rotate": "admin",
}

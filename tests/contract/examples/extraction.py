"""How to call the routes of keys for extraction by a model of the tenant's own."""

from __future__ import annotations

from tests.contract.examples.world import Makers, Makes

MAKERS: Makers = {
    "extraction_key_id": lambda w: str(w.create("/v1/extraction/keys", **BODIES["POST /v1/extraction/keys"](w))["id"]),
}
BODIES: Makes = {
    "POST /v1/extraction/keys": lambda w: {"provider": "openai", "api_key": w.text("sk-example"), "model": w.text("m")},
}
SCOPES: dict[str, str] = {
    "POST /v1/extraction/keys": "admin",
    "POST /v1/extraction/keys/deactivate-all": "admin",
    "POST /v1/extraction/keys/{extraction_key_id}/activate": "admin",
    "DELETE /v1/extraction/keys/{extraction_key_id}": "admin",
}

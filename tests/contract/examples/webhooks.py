"""How to call the routes of webhooks."""

from __future__ import annotations

from tests.contract.examples.world import Makers, Makes

MAKERS: Makers = {
    "webhook_id": lambda w: str(w.create("/v1/webhooks", **BODIES["POST /v1/webhooks"](w))["id"]),
    "delivery_id": lambda w: str(w.create(f"/v1/webhooks/{w.id('webhook_id')}/test")["id"]),
}
BODIES: Makes = {
    "POST /v1/webhooks": lambda w: {
        "url": "https://hooks.example.com/loci",
        "event_types": ["memory.created", "memory.deleted"],
        "description": w.text("audit trail"),
    },
    "PUT /v1/webhooks/{webhook_id}": lambda w: {"description": w.text("nightly"), "enabled": False},
    "POST /v1/webhooks/{webhook_id}/redeliver": lambda w: {"since": "2026-03-20T08:00:00Z"},
    "POST /v1/webhooks/{webhook_id}/rotate-secret": lambda w: {"grace_hours": 1},
}

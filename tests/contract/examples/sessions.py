"""How to call the routes of sessions."""

from __future__ import annotations

from tests.contract.examples.world import Makers, Makes

MAKERS: Makers = {
    "session_id": lambda w: str(w.create("/v1/sessions", **BODIES["POST /v1/sessions"](w))["id"]),
}
BODIES: Makes = {
    "POST /v1/sessions": lambda w: {
        "agent_id": w.id("agent_id"),
        "external_id": w.fresh("repo"),
        "project": w.text("billing"),
        "title": w.text("Moving house"),
        "metadata": {"branch": w.text("main")},
    },
    "POST /v1/sessions/get-or-create": lambda w: {"external_id": w.fresh("repo"), "title": w.text("Moving house")},
    "PUT /v1/sessions/{session_id}/end": lambda w: {"summary": w.text("All is moved")},
    "PUT /v1/sessions/{session_id}": lambda w: {
        "title": w.text("Moved house"),
        "project": w.text("billing"),
        "summary": w.text("All is moved"),
        "metadata": {"by": w.text("Priya")},
    },
}

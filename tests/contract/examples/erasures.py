"""How to call the routes of erasures."""

from __future__ import annotations

from typing import Any

from tests.contract.examples.world import Makers, Makes, World


def erased(w: World) -> dict[str, Any]:
    """Erase a memory and return the erasure."""
    memory = w.create("/v1/memories", content=w.text(), agent_id="iris")
    return w.create("/v1/erasures", memory_id=memory["id"], dry_run=False)


def receipt(w: World) -> dict[str, Any]:
    """Return a receipt to verify."""
    made = erased(w)
    return {"receipt": made["receipt"], "signature": made["signature"]}


MAKERS: Makers = {"erasure_id": lambda w: str(erased(w)["id"])}
BODIES: Makes = {
    "POST /v1/erasures": lambda w: {"memory_id": w.id("memory_id"), "dry_run": False},
    "POST /v1/erasures/verify": receipt,
}
SCOPES = {"POST /v1/erasures": "delete", "POST /v1/erasures/verify": "read"}

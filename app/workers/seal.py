"""Seals anew what a namespace has, after its mode was changed or a rotation of its data key was left."""

from app.services.encryption import Encryption
from app.services.reseal import Reseal
from app.state import State
from graph.sealed import due
from graph.tenants import Owner


def work(parts: State) -> bool:
    """Go over one namespace that waits; return whether others do."""
    found = due(parts.graph, 2)
    if not found or not isinstance(parts.graph.cipher, Encryption):
        return False
    Reseal(parts.graph.cipher, Owner(found[0]["id"])).run(found[0]["since"])
    return len(found) > 1

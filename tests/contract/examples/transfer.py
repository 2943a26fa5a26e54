"""How to call the routes of transfers."""

from __future__ import annotations

import uuid

from app.services.transfer.form import Place, chained, line
from tests.contract.examples.world import Makers, Makes, World


def file(w: World) -> bytes:
    """Return an export that holds nothing."""
    told = {"loci": "export", "format": 1, "id": str(uuid.uuid4()), "vectors": False, "counts": {}}
    first = line({**told, "embedder": {"identity": "none", "dimensions": 1}})
    digest = chained("", first)
    mark = line({"mark": Place("", digest=digest).stored()})
    return first + mark + line({"end": {"lines": 3, "sha256": digest}})


def sent(w: World) -> str:
    """Send it and return the import's id."""
    return str(w.caller.post("/v1/transfer/imports", data=file(w)).get_json()["id"])


MAKERS: Makers = {"import_id": sent}
BODIES: Makes = {"POST /v1/transfer/imports": file}
SCOPES = {
    "GET /v1/transfer/export": "admin",
    "GET /v1/transfer/imports": "admin",
    "POST /v1/transfer/imports": "admin",
    "GET /v1/transfer/imports/{import_id}": "admin",
}

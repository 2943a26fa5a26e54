"""Calling back the address that one request named, once its memory is ready or has failed."""

import orjson

from app.ids import new_id
from app.services.webhooks import shown_name
from app.state import State
from graph.deliveries import DeliveryRepository
from graph.driver import Transaction
from graph.records import Row
from graph.repository import Tenanted

EVENT = "embedding.completed"


def call_back(
    parts: State, caller: Tenanted, tx: Transaction, payload: Row, memory_id: str, status: str, error: str | None = None
) -> None:
    """Put the call that a job's payload asks for on its way, in the transaction that ends the job.

    `status` is `ready` or `failed`. Nothing is written where no `webhook_url` was given.
    """
    if not (url := payload.get("webhook_url")):
        return
    data = {"status": status, **({"error": error} if error else {})}
    deliveries = DeliveryRepository(parts.graph, caller, tx)
    deliveries.callback(new_id(), shown_name(url), url, EVENT, memory_id, orjson.dumps(data).decode())

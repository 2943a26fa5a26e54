"""Notes what every request did, after it was answered, without ever slowing or failing it."""

import time

import orjson
import structlog
from flask import Flask, Response, current_app, g, request

from app.auth import Principal, needed_scope
from app.ids import is_uuid
from app.ledger import Ledger
from app.request_id import request_id

log = structlog.get_logger()

READING = frozenset({"GET", "HEAD", "OPTIONS"})
# A new thing's id is read from the answer; longer answers are no single thing.
LONGEST_ANSWER = 65_536


def init_app(app: Flask) -> None:
    """Note each request that came with a key, after it was answered."""

    @app.after_request
    def note(response: Response) -> Response:
        caller: Principal | None = g.get("principal")
        if caller is not None and request.url_rule is not None:
            try:
                _note(caller, request.url_rule.rule, response)
            except Exception:
                # A request is worth more than its entry.
                log.exception("ledger_note_failed")
        return response


def counted_as(route: str) -> None:
    """Have this request counted under `route`, where one route of the router does several things."""
    g.route = route


def _note(caller: Principal, rule: str, response: Response) -> None:
    parts = current_app.extensions["loci"]
    ledger: Ledger = parts.ledger
    ledger.open(parts.graph)
    route = rule.replace("<", "{").replace(">", "}")
    took = 1000 * (time.perf_counter() - g.get("started", time.perf_counter()))
    called, status, let_in = f"{request.method} {g.get('route', route)}", response.status_code, g.get("let_in", False)
    tokens = g.get("tokens", 0)
    ledger.usage.count(caller.tenant, caller.key_id, called, status, took, let_in=let_in, tokens=tokens)
    ledger.audit.used(caller, request_id())
    if request.method not in READING and needed_scope(str(request.endpoint), request.method) != "read":
        ledger.audit.wrote(caller, request_id(), request.method, route, status, _noun_id(response))


def _noun_id(response: Response) -> str | None:
    """Return the id of what was written: as a dialect told it, else from the path, else from the answer.

    Never a name or a text.
    """
    if told := g.get("written"):
        return str(told)
    for value in (request.view_args or {}).values():
        if is_uuid(str(value)):
            return str(value)
    length = response.content_length or 0
    if response.status_code != 201 or not response.is_json or length > LONGEST_ANSWER:
        return None
    made = orjson.loads(response.get_data())
    found = (made.get("key_info") or made).get("id") if isinstance(made, dict) else None
    return found if isinstance(found, str) and is_uuid(found) else None

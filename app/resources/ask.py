"""Questions answered from memories, `/v1/ask`: as JSON, or as server-sent events while the answer is being made."""

from collections.abc import Iterator
from typing import Any

from flask import Response
from flask.views import MethodView
from structlog import get_logger

from app import errors, server_sent
from app.api import Blueprint
from app.auth import principal, require
from app.request_id import request_id
from app.schemas.ask import AnswerHitOut, AnswerOut, AskIn
from app.services.ask import Event, ask
from app.state import state

log = get_logger()

blueprint = Blueprint("ask", __name__, description="Answers from memories, with citations.")

STREAM = {
    "schema": {"type": "string"},
    "example": 'event: delta\ndata: {"text":"Deploys of billing happen on Tuesdays [1]"}\n\n',
}


@blueprint.route("/v1/ask")
class Ask(MethodView):
    @require("read")
    @blueprint.arguments(AskIn)
    @blueprint.response(200, AnswerOut)
    @blueprint.doc(responses={"200": {"content": {server_sent.MEDIA_TYPE: STREAM}}})
    def post(self, body: dict[str, Any]) -> dict[str, Any] | Response:
        """Answer a question from memories, with citations

        Changes nothing and needs only the scope `read`. A chat model answers where one is configured; else, and
        whenever it fails, the answer is made of sentences of the memories. As a stream: `hits`, some `delta`, each
        `citation`, then `done` with the answer that counts; `error` when it cannot be finished.
        """
        streaming = body.get("stream", server_sent.preferred())
        answer = ask(state(), principal(), body, streaming)
        return streamed(answer.events(), request_id()) if streaming else answer.whole()


def streamed(events: Iterator[Event], request: str) -> Response:
    """Return events as a stream that ends with `done` or `error`; who goes away ends the making of them."""

    def lines() -> Iterator[bytes]:
        try:
            for name, data in events:
                yield server_sent.line(name, shown(name, data))
        except Exception as error:
            # Whatever it is, the status is sent: the client learns of it as it would have learnt otherwise.
            log.exception("stream_failed", kind=type(error).__name__, request_id=request)
            told = errors.Internal("Something went wrong here; the request id leads to its log line")
            yield server_sent.line("error", errors.body(told, request))

    return server_sent.streamed(lines())


def shown(name: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return the data of an event as the wire shows it."""
    if name != "hits":
        return data
    return {**data, "hits": AnswerHitOut(many=True).dump(data["hits"])}

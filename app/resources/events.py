"""What happened, `/v1/events`: as pages for pollers, or as a stream of server-sent events."""

from typing import Any

from flask import Response, request
from flask.views import MethodView
from marshmallow import ValidationError

from app import crypto, server_sent
from app.api import Blueprint
from app.auth import owner, principal
from app.dialects import current
from app.errors import invalid
from app.request_id import request_id
from app.schemas.events import CURSOR, EventArgs, EventList, check_cursor
from app.server_sent import Peer, streamed
from app.services.event_stream import Stream
from app.services.events import begin, check_kept, page, wanted
from app.state import state
from graph.events import EventRepository

blueprint = Blueprint("events", __name__, description="What happened, in order.")

STREAM = {
    "schema": {"type": "string"},
    "example": 'id: 1042\nevent: memory.created\ndata: {"object":"event","type":"memory.created","number":1042}\n\n',
}
LAST_ID = "Last-Event-ID"
HEADER = {
    "in": "header",
    "name": LAST_ID,
    "description": "Where a stream goes on: the last `id` that was seen. It counts more than the query.",
    "schema": {"type": "string", "pattern": CURSOR, "example": "1041"},
}


@blueprint.route("/v1/events")
class EventFeed(MethodView):
    @blueprint.arguments(EventArgs, location="query")
    @blueprint.response(200, EventList)
    @blueprint.alt_response(410, "Gone")
    @blueprint.doc(parameters=[HEADER], responses={"200": {"content": {server_sent.MEDIA_TYPE: STREAM}}})
    def get(self, args: dict[str, Any]) -> dict[str, Any] | Response:
        """Read what happened, oldest first

        With `Accept: text/event-stream` a stream, which goes on after `Last-Event-ID`. Events of keys are shown to
        keys with the scope `admin` alone. 410 when the cursor is older than what is kept.
        """
        return stream(args) if server_sent.preferred() else page(state(), principal(), args)


def stream(args: dict[str, Any]) -> Response:
    """Return the stream that the present request asks for; it holds a place until it is closed.

    Raises:
        Gone: the cursor is not among what is kept.
        RateLimited, NotAvailable: no place is free.
    """
    parts, caller = state(), principal()
    asked, events = wanted(caller, args), EventRepository(parts.graph, caller)
    kept = events.settled()
    number = begin(events, {**args, **seen()}, kept, "now")
    check_kept(number, kept)
    digest = crypto.key_digest(parts.pepper, current().presented_key(request.headers))
    parts.streams.take(caller.key_id, parts.settings.most_streams)
    made = Stream(parts, caller, asked, number, lambda: owner(parts, digest), Peer().gone)
    response = streamed(made.lines(request_id()))
    response.call_on_close(lambda: parts.streams.give_back(caller.key_id))
    return response


def seen() -> dict[str, Any]:
    """Return the cursor that a client sends by itself when it connects again.

    Raises:
        Invalid: it is none of ours.
    """
    last = request.headers.get(LAST_ID, "").strip()
    try:
        check_cursor(last or "0")
        return {"cursor": last} if last else {}
    except ValidationError as error:
        raise invalid(LAST_ID, str(error.messages[0])) from error

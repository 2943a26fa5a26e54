"""Server-sent events: their form on the wire, and the response that carries them."""

import select
import socket
from collections.abc import Iterable
from typing import Any

import orjson
from flask import Response, request

MEDIA_TYPE = "text/event-stream"
# A client that takes nothing for so long is gone, whatever its connection says.
STALLED_SECONDS = 30.0


def preferred() -> bool:
    """Tell whether the caller would rather have events than JSON."""
    accepted = request.accept_mimetypes
    return accepted[MEDIA_TYPE] > accepted["application/json"]


def line(name: str, data: dict[str, Any], id: int | None = None) -> bytes:
    """Return one event; JSON has no line feed of its own, so its data is one line."""
    head = b"" if id is None else b"id: %d\n" % id
    return head + b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


def streamed(lines: Iterable[bytes]) -> Response:
    """Return a response that sends lines as they come."""
    # Proxies that gather answers would hold a stream back until its end.
    return Response(lines, mimetype=MEDIA_TYPE, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})


class Peer:
    """The client at the other end of the present request, as far as the server gives us its socket."""

    def __init__(self) -> None:
        found = request.environ.get("gunicorn.socket")
        self._socket: socket.socket | None = found if isinstance(found, socket.socket) else None
        if self._socket is not None:
            # The server waits for ever, and a thread with it.
            self._socket.settimeout(STALLED_SECONDS)

    def gone(self) -> bool:
        """Tell whether the client has closed the connection: writing shows it only at the second heartbeat."""
        if self._socket is None:
            return False
        try:
            # With a time-out, reading waits for it, whatever its flags say.
            readable = select.poll()
            readable.register(self._socket, select.POLLIN)
            return bool(readable.poll(0)) and self._socket.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

"""Ids in paths: anything but a canonical UUID is a 422 that names the parameter, wherever the route is."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask, request

from app.errors import invalid
from app.ids import is_uuid

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def init_app(app: Flask) -> None:
    """Check and lower-case every path parameter whose name ends in `_id`, before any view runs."""

    @app.before_request
    def check() -> None:
        for name, value in (request.view_args or {}).items():
            if name.endswith("_id"):
                if not is_uuid(value):
                    raise invalid(name, "must be a UUID such as 3d0c1f66-6d5e-4a8b-9f21-7a1b7e0f5c90")
                request.view_args[name] = value.lower()  # type: ignore[index]


class SingleSlash:
    """WSGI middleware: a client whose base URL ends in a slash asks for `//v1/...`; a redirect would lose its POST."""

    def __init__(self, app: "WSGIApplication") -> None:
        self.app = app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith("//"):
            environ["PATH_INFO"] = "/" + path.lstrip("/")
        return self.app(environ, start_response)

"""Which verbs a path takes: a word of ours in a path (`/v1/memories/search`) is never taken for an id."""

from functools import cache

from flask import Flask, Response, request
from werkzeug.exceptions import MethodNotAllowed


def init_app(app: Flask) -> None:
    """Refuse, on a path without parameters, the verbs of a route that would read its last word as an id."""

    @cache
    def fixed() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for rule in app.url_map.iter_rules():
            if not rule.arguments:
                found.setdefault(rule.rule, set()).update(rule.methods or ())
        return found

    @app.before_request
    def check() -> Response | None:
        verbs = fixed().get(request.path)
        if verbs is None:
            return None
        if request.method == "OPTIONS":
            return app.response_class(headers={"Allow": ", ".join(sorted(verbs))})
        if request.method not in verbs:
            raise MethodNotAllowed(sorted(verbs))
        return None

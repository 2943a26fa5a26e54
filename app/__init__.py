"""Loci's HTTP side: `create_app` puts the parts together and does nothing else."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.state import State

__version__ = "0.1.0"

MAX_BODY = 24 * 1024 * 1024


def create_app(parts: "State") -> "Flask":
    """Return the WSGI app over `parts` (settings, graph, embedder, pepper): no I/O happens here."""
    # Imported here, so that a helper process which needs one small module of this package does not load the web.
    from flask import Flask

    from app import auth, dialects, limits, logs, path_ids, recording, request_id, space_watch, verbs
    from app.api import Api, OrJson
    from app.compat import ADAPTERS, DIALECTS
    from app.errors import ERRORS
    from app.openapi import OPTIONS, register_components
    from app.resources import BLUEPRINTS, PAGES

    app = Flask("loci", static_folder=None)
    app.json = OrJson(app)
    app.config.update(OPTIONS, API_VERSION=__version__, MAX_CONTENT_LENGTH=MAX_BODY)
    app.extensions["loci"] = parts
    request_id.init_app(app)
    logs.init_app(app)
    dialects.init_app(app, DIALECTS)
    verbs.init_app(app)
    auth.init_app(app)
    limits.init_app(app, parts.settings)
    auth.init_scopes(app)
    path_ids.init_app(app)
    recording.init_app(app)
    space_watch.init_app(app)
    app.wsgi_app = path_ids.SingleSlash(app.wsgi_app)  # type: ignore[method-assign]
    api = Api(app)
    register_components(api, ERRORS)
    for blueprint in BLUEPRINTS:
        api.register_blueprint(blueprint)
    for pages in (*PAGES, *ADAPTERS):
        app.register_blueprint(pages)
    return app

"""The interactive page over `openapi.json`, `/docs`: served from here alone, so that it works without the internet."""

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

from app.local.home import Home
from app.local.lockfile import load_lock
from app.state import state

# No flask-smorest blueprint: pages are not part of the API that they document.
blueprint = Blueprint("docs", __name__)
blueprint.access = "public"  # type: ignore[attr-defined]

# The page's own script; the policy below forbids anything inline or from elsewhere.
SCRIPT = """
window.addEventListener("load", () => {
  const missing = document.getElementById("missing");
  if (typeof SwaggerUIBundle === "undefined") { missing.hidden = false; return; }
  SwaggerUIBundle({
    url: "/openapi.json", dom_id: "#page", deepLinking: true, persistAuthorization: true, tryItOutEnabled: true,
    docExpansion: "none", filter: true, validatorUrl: null,
  });
});
"""
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Loci API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<p id="missing" hidden>The interactive page is not in the artifact cache: run <code>loci fetch</code> and reload.
The document itself is <a href="/openapi.json">openapi.json</a>.</p>
<main id="page"></main>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; script-src 'self'; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def folder() -> Path:
    """Return where the page's assets lie once fetched."""
    return Home(state().settings.home_path).artifacts / load_lock("api-docs").folder


@blueprint.route("/docs")
def page() -> Response:
    """Show the interactive page."""
    response = Response(PAGE, mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    return response


@blueprint.route("/docs/start.js")
def script() -> Response:
    """Start the page."""
    return Response(SCRIPT, mimetype="text/javascript")


@blueprint.route("/docs/<path:name>")
def asset(name: str) -> Response:
    """Serve one asset of the artifact; the folder holds nothing else."""
    return send_from_directory(folder(), name, max_age=86_400)

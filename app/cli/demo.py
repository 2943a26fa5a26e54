"""`loci demo`: a realistic graph to look around in, in a namespace of its own."""

import click
import httpx2

from app.config import load_settings
from app.demo.load import DemoError, Loader
from app.local.errors import LocalError
from app.local.home import Home

NAMESPACE = "demo"


@click.command()
def demo() -> None:
    """Load a small team's memory into the namespace `demo` of a running server, and print a key for it."""
    settings = load_settings()
    known = Home(settings.home_path).read_credentials()
    url, key = settings.url or known.get("base_url", ""), settings.api_key or known.get("api_key", "")
    if not url or not key:
        raise LocalError(
            "No running server is known.", "Start one with `loci serve`, or set LOCI_URL and LOCI_API_KEY."
        )
    try:
        with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client:
            made = client.post("/v1/keys", json={"name": NAMESPACE, "namespace": NAMESPACE, "scopes": ["admin"]})
        if made.status_code != 201:
            raise LocalError(f"The server refuses to make a key: {made.json().get('message')}.", "Use an admin key.")
        opened = made.json()["key"]
        headers = {"Authorization": f"Bearer {opened}"}
        with httpx2.Client(base_url=url, headers=headers, timeout=60) as client:
            if client.get("/v1/projects").json()["data"]:
                click.echo("The demo is there already; this is another key for it.")
            else:
                Loader(client, click.echo).load()
    except httpx2.TransportError as error:
        raise LocalError(f"{url} does not answer.", "Start it with `loci serve`.") from error
    except DemoError as error:
        raise LocalError(str(error), "See the server's log.") from error
    click.echo(f"Key of the namespace `{NAMESPACE}`: {opened}")
    if browser := known.get("neo4j_browser_url"):
        click.echo(f"Look around in Neo4j Browser: {browser} (docs/browser.md has ten questions to start with)")

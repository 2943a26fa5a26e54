"""`loci keys`: make, list, rotate and revoke API keys without having one."""

from typing import Any

import click

from app.bootstrap import pepper
from app.cli.common import settings_and_graph
from app.clock import iso
from app.compat import DIALECTS
from app.config import Settings
from app.dialects import NATIVE, Dialect
from app.scopes import SCOPES
from app.services.keys import key_shown, make_key, rotate_key
from graph.driver import Graph
from graph.keys import FIRST_ACCOUNT, KeyRepository
from graph.labels import NEVER

SPOKEN: dict[str, Dialect] = {dialect.name: dialect for dialect in (NATIVE, *DIALECTS)}


@click.group()
def keys() -> None:
    """Make, list, rotate and revoke API keys."""


def opened() -> tuple[Settings, Graph]:
    """Return the settings and the graph, which is closed when the command is over."""
    settings, graph = settings_and_graph()
    click.get_current_context().call_on_close(graph.close)
    return settings, graph


@keys.command()
@click.option("--name", help="What the key is for.")
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(list(SCOPES)), help="What it may do; repeat for more."
)
@click.option("--namespace", help="Namespace it opens; absent: `default`, or what the dialect has.")
@click.option(
    "--dialect",
    type=click.Choice(list(SPOKEN)),
    default=NATIVE.name,
    show_default=True,
    help="Make it look, and do, as the clients of this API expect.",
)
@click.option("--expires-days", type=click.IntRange(1, 365), help="Days until it stops working.")
@click.option("--account", default=FIRST_ACCOUNT, show_default=True, help="Account it belongs to.")
def create(
    name: str | None,
    scopes: tuple[str, ...],
    namespace: str | None,
    dialect: str,
    expires_days: int | None,
    account: str,
) -> None:
    """Make a key and print it: the only time it is shown."""
    settings, graph = opened()
    body: dict[str, Any] = {
        "name": name,
        "scopes": list(scopes or SPOKEN[dialect].scopes),
        "expires_days": expires_days,
    }
    key, row = make_key(KeyRepository(graph, account), pepper(settings), namespace, body, SPOKEN[dialect])
    click.echo(key)
    click.echo(f"id {row['id']}, namespace {row['namespace']}, scopes {', '.join(row['scopes'])}", err=True)


@keys.command("list")
@click.option("--account", default=FIRST_ACCOUNT, show_default=True, help="Whose keys.")
def list_keys(account: str) -> None:
    """List keys, newest first."""
    _, graph = opened()
    for row in KeyRepository(graph, account).list(NEVER, "", 0, 1000):
        state = "active" if key_shown(row)["is_active"] else "ended"
        scopes = ",".join(row["scopes"])
        click.echo(
            f"{row['id']}  {row['key_prefix']}…  {state}  {row['namespace']}  {scopes}  "
            f"{iso(row['created_at'])}  {row['name'] or ''}".rstrip()
        )


@keys.command()
@click.argument("key_id")
@click.option("--account", default=FIRST_ACCOUNT, show_default=True, help="Whose key.")
@click.option(
    "--grace-hours", type=click.FloatRange(0, 720), default=24, show_default=True, help="How long the old one works on."
)
def rotate(key_id: str, account: str, grace_hours: float) -> None:
    """Replace a key by a new one and print it: the only time it is shown."""
    settings, graph = opened()
    key, row = rotate_key(KeyRepository(graph, account), pepper(settings), key_id, grace_hours, DIALECTS)
    click.echo(key)
    click.echo(f"id {row['id']}; the old key works for {grace_hours:g} hours more", err=True)


@keys.command()
@click.argument("key_id")
@click.option("--account", default=FIRST_ACCOUNT, show_default=True, help="Whose key.")
def revoke(key_id: str, account: str) -> None:
    """Revoke a key at once."""
    _, graph = opened()
    row = KeyRepository(graph, account).revoke(key_id, even_last=True)
    click.echo(f"Revoked {row['key_prefix']}…")

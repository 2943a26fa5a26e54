"""`loci encryption`: what is encrypted, and keys taken out of use while servers go on."""

import time
from collections.abc import Iterator, Sequence

import click

from app.cli.common import checked_keys, settings_and_graph, stoppable
from app.local.errors import LocalError
from app.local.home import Home
from app.services.encryption import Encryption
from app.services.master_key import Rewrap
from app.services.reseal import Reseal, settle_seconds
from app.vault import FILE, SETTING, source_of
from graph.data_keys import DataKeyRepository
from graph.driver import Graph
from graph.keys import FIRST_ACCOUNT
from graph.sealed import SealedRepository, due
from graph.sealing import ALL, CONFIDENTIAL
from graph.tenants import Owner, every_owner, named, owner_of

STOPPED = "Stopped. The same command goes on from here."
MOST = 100_000
MODES = {"off": "", CONFIDENTIAL: CONFIDENTIAL, ALL: ALL}


@click.group()
def encryption() -> None:
    """Encrypt what is stored, and change the keys."""


def opened() -> tuple[Encryption, Graph]:
    """Return the keys and the graph, which is closed when the command is over.

    Raises:
        LocalError, Unsupported: there is no database, or the master key is not its own.
    """
    _, graph = settings_and_graph()
    click.get_current_context().call_on_close(graph.close)
    return checked_keys(graph), graph


@encryption.command()
def status() -> None:
    """Tell what is encrypted in each namespace, with how many keys, and what waits to be encrypted anew."""
    cipher, graph = opened()
    click.echo(f"Master key {cipher.vault.key_id}; sealed with another: {Rewrap(cipher).left()}")
    click.echo(f"LOCI_ENCRYPTION={cipher.setting or 'off'}")
    waiting = {row["id"] for row in due(graph, MOST)}
    for owner in every_owner(graph):
        keys = DataKeyRepository(cipher.stored, owner).list()
        retired = sum(row["place"] == row["id"] for row in keys)
        mode = cipher.mode(owner.tenant) or "off"
        state = "waits to be encrypted anew" if owner.tenant in waiting else "as it is to be"
        click.echo(f"{named(graph, owner.tenant)}  {mode}  {len(keys)} keys, {retired} retired  {state}")


@encryption.command()
@click.option("--namespace", help="Only this one; all that there are without it.")
@click.option("--account", default=FIRST_ACCOUNT, show_default=True, help="Account of the namespace.")
@click.option("--mode", type=click.Choice(list(MODES)), help="Its own mode from now on; needs --namespace.")
def apply(namespace: str | None, account: str, mode: str | None) -> None:
    """Encrypt what is there already as LOCI_ENCRYPTION and the namespaces' own modes ask for, while servers go on."""
    cipher, graph = opened()
    if mode is not None:
        if namespace is None:
            raise LocalError("A mode is one namespace's.", "Name it with --namespace, or set LOCI_ENCRYPTION for all.")
        cipher.set_mode(account, namespace, MODES[mode])
    with stoppable(STOPPED):
        _go_over(cipher, list(_owners(graph, namespace, account)))


@encryption.command("rotate-data")
@click.option("--namespace", help="Only this one; all that there are without it.")
@click.option("--account", default=FIRST_ACCOUNT, show_default=True, help="Account of the namespace.")
def rotate_data(namespace: str | None, account: str) -> None:
    """Put new data keys in force, seal everything anew, and delete the old keys, while servers go on."""
    cipher, graph = opened()
    with stoppable(STOPPED):
        owners = list(_owners(graph, namespace, account))
        for owner in owners:
            Reseal(cipher, owner).rotate()
        _go_over(cipher, owners)


@encryption.command("rotate-master")
def rotate_master() -> None:
    """Put a new master key in force, and seal with it what the former one sealed, while servers go on.

    A key in LOCI_HOME is replaced here. One that is a setting or a command's is changed by you first, with the former
    one in LOCI_MASTER_KEY_FORMER; then servers are started anew with both, then this is run.
    """
    settings, graph = settings_and_graph()
    click.get_current_context().call_on_close(graph.close)
    home, where = Home(settings.home_path), source_of(settings)
    cipher, _ = opened()
    if where == FILE:
        home.replace_master_key()
    elif where != FILE and not settings.master_key_former:
        named = "LOCI_MASTER_KEY" if where == SETTING else "what LOCI_MASTER_KEY_COMMAND prints"
        raise LocalError(
            "The new master key is not known.", f"Change {named}, and put the former key into LOCI_MASTER_KEY_FORMER."
        )
    with stoppable(STOPPED):
        cipher.vault.refresh()
        done = Rewrap(cipher).run()
        # A server may have sealed something with the former key that it has not committed yet.
        time.sleep(settle_seconds(cipher))
        while Rewrap(cipher).left():
            done += Rewrap(cipher).run()
        if where == FILE:
            home.drop_former_master_key()
    click.echo(f"Master key {cipher.vault.key_id} is in force; {done} things were sealed anew with it.")
    if where != FILE:
        click.echo("Take LOCI_MASTER_KEY_FORMER away, and start the servers anew.")


def _owners(graph: Graph, namespace: str | None, account: str) -> Iterator[Owner]:
    return every_owner(graph) if namespace is None else iter([owner_of(graph, account, namespace)])


def _go_over(cipher: Encryption, owners: Sequence[Owner]) -> None:
    """Seal anew what is not as it is to be; what servers may still do as before is waited for once for all."""
    waiting = {row["id"] for row in due(cipher.stored, MOST)}
    held = [one for one in owners if cipher.mode(one.tenant) or DataKeyRepository(cipher.stored, one).list()]
    for owner in held:
        if owner.tenant not in waiting:
            SealedRepository(cipher.stored, owner).ask()
    if held:
        wait = settle_seconds(cipher)
        click.echo(f"Servers may go on as before for {wait:.0f} seconds; this ends after that.", err=True)
    since = {row["id"]: row["since"] for row in due(cipher.stored, MOST)}
    for owner in held:
        # A worker may have gone over it meanwhile.
        changed = Reseal(cipher, owner).run(since[owner.tenant]) if owner.tenant in since else 0
        mode = cipher.mode(owner.tenant) or "off"
        click.echo(f"{named(cipher.stored, owner.tenant)}: {mode}, {changed} changed")

"""Backups of a real server: made, checked, restored, and refused where they must be."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli.backup import backup as backup_command
from app.cli.backup import restore as restore_command
from app.local.backup import MANIFEST, Made, make, read_manifest, restore
from app.local.errors import BackupError, ServerError
from app.local.home import Home
from app.local.neo4j_place import Server
from graph.driver import Connection, Graph
from graph.inventory import Inventory, inventory
from tests.local.small import small

pytestmark = pytest.mark.slow

FILL = """
CYPHER 25
UNWIND range(1, 200) AS number
CREATE (:Fact {number: number, text: 'fact ' + number})-[:SAID_BY]->(:Person {name: 'person ' + number})
"""
INDEX = "CYPHER 25 CREATE FULLTEXT INDEX facts IF NOT EXISTS FOR (f:Fact) ON EACH [f.text]"
FIND = "CYPHER 25 CALL db.index.fulltext.queryNodes('facts', '\"fact 17\"') YIELD node RETURN node.number AS number"


def connected(server: Server) -> Graph:
    return Graph(Connection(server.bolt_url, server.user, server.password))


@pytest.fixture(scope="module")
def filled(real_home: Home) -> Inventory:
    """The home with a store in it, and what is in the store."""
    neo4j = small(real_home)
    graph = connected(neo4j.start())
    graph.write(INDEX)
    graph.write(FILL)
    found = inventory(graph)
    graph.close()
    neo4j.stop()
    real_home.pepper()
    real_home.master_key()
    return found


@pytest.fixture(scope="module")
def made(real_home: Home, filled: Inventory, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A backup of it, made while somebody used the server."""
    user = small(real_home)
    user.start()
    target = tmp_path_factory.mktemp("backups") / "loci.backup"
    with pytest.raises(ServerError, match="in use by a running Loci"):
        make(small(real_home), target, stop=False)
    assert not target.exists()
    found = make(small(real_home), target, stop=True)
    # What used it starts it again, as `loci serve` does.
    graph = connected(user.start())
    assert inventory(graph) == filled
    graph.close()
    user.stop()
    return found


@pytest.fixture
def fresh(artifacts: Path, tmp_path: Path) -> Iterator[Home]:
    """An empty home."""
    home = Home(tmp_path / "fresh")
    home.path.mkdir()
    home.artifacts.symlink_to(artifacts, target_is_directory=True)
    yield home
    shutil.rmtree(home.path, ignore_errors=True)


def test_a_round_trip_keeps_every_node_relationship_index_and_secret(
    made: Made, filled: Inventory, real_home: Home, fresh: Home
) -> None:
    assert filled.labels["Fact"] == filled.types["SAID_BY"] == 200
    assert made.counted == filled
    assert made.path.stat().st_mode & 0o077 == 0
    restore(small(fresh), made.path, force=False)
    assert (fresh.pepper(), fresh.master_key()) == (real_home.pepper(), real_home.master_key())
    neo4j = small(fresh)
    graph = connected(neo4j.start())
    assert inventory(graph) == filled
    assert graph.read(FIND) == [{"number": 17}]
    graph.close()
    with pytest.raises(ServerError, match="in use"):
        restore(small(fresh), made.path, force=True)
    neo4j.stop()
    with pytest.raises(BackupError, match="holds a store already"):
        restore(small(fresh), made.path, force=False)
    restore(small(fresh), made.path, force=True)
    assert not (fresh.neo4j / "data.replaced").exists()


def test_a_file_that_was_cut_off_or_changed_or_is_no_backup_is_refused(made: Made, fresh: Home, tmp_path: Path) -> None:
    whole = made.path.read_bytes()
    short, other, changed = tmp_path / "short", tmp_path / "other", tmp_path / "changed"
    short.write_bytes(whole[: len(whole) // 2])
    other.write_text("nothing of the kind")
    with zipfile.ZipFile(made.path) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, text + b"x" if name.endswith("neostore.nodestore.db") else text)
    for path in (short, other, changed):
        with pytest.raises(BackupError):
            restore(small(fresh), path, force=False)
        assert not (fresh.neo4j / "data").exists()


def test_one_that_names_files_outside_its_folder_is_refused(fresh: Home, tmp_path: Path, made: Made) -> None:
    manifest = {**read_manifest(made.path), "files": {"../../evil": "0" * 64}}
    hostile = tmp_path / "hostile"
    with zipfile.ZipFile(hostile, "w") as archive:
        archive.writestr("../../evil", "x")
        archive.writestr(MANIFEST, json.dumps(manifest))
    with pytest.raises(BackupError, match="outside"):
        restore(small(fresh), hostile, force=False)


def test_one_of_a_newer_server_is_refused(fresh: Home, tmp_path: Path, made: Made) -> None:
    newer = tmp_path / "newer"
    with zipfile.ZipFile(newer, "w") as archive:
        archive.writestr(MANIFEST, json.dumps({**read_manifest(made.path), "neo4j": "2031.01.0", "files": {}}))
    with pytest.raises(BackupError, match="newer"):
        restore(small(fresh), newer, force=False)


def test_without_secrets_it_asks_for_them(real_home: Home, filled: Inventory, fresh: Home, tmp_path: Path) -> None:
    target = tmp_path / "bare"
    make(small(real_home), target, stop=False, secrets=False, check=False)
    with zipfile.ZipFile(target) as archive:
        assert not [name for name in archive.namelist() if "secrets" in name or "credentials" in name]
    with pytest.raises(BackupError, match="without its secrets"):
        restore(small(fresh), target, force=False)


def test_the_commands_say_what_they_did_and_what_to_keep_safe(
    real_home: Home, filled: Inventory, fresh: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCI_HOME", str(real_home.path))
    target = str(tmp_path / "by-command")
    done = CliRunner().invoke(backup_command, [target])
    assert done.exit_code == 0, done.output
    assert "Checked: 400 labelled nodes and 200 relationships" in done.output
    assert "every secret" in done.output
    again = CliRunner().invoke(backup_command, [target])
    assert again.exit_code == 1
    assert "exists already" in again.output
    monkeypatch.setenv("LOCI_HOME", str(fresh.path))
    back = CliRunner().invoke(restore_command, [target])
    assert back.exit_code == 0, back.output
    monkeypatch.setenv("NEO4J_URI", "bolt://127.0.0.1:1")
    monkeypatch.setenv("NEO4J_PASSWORD", "x")
    assert "server of your own" in CliRunner().invoke(backup_command, [str(tmp_path / "no")]).output

"""`loci export` and `loci import` as the person at the machine sees them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from app.cli import loci
from app.services.transfer.export import Export
from app.state import State
from graph.driver import Connection
from tests.callers import Caller
from tests.conftest import MASTER_KEY, PEPPER
from tests.transfer.conftest import contents, same

Run = Callable[..., Result]


@pytest.fixture
def run(connection: Connection, tmp_path: Path) -> Run:
    """Run a command of a caller's account on the tests' database."""
    environment = {
        "NEO4J_URI": connection.uri, "NEO4J_USER": connection.user, "NEO4J_PASSWORD": connection.password,
        "LOCI_HOME": str(tmp_path / "home"), "LOCI_KEY_PEPPER": PEPPER, "LOCI_EMBEDDER": "hashing",
        "LOCI_ENVIRONMENT": "test", "LOCI_MASTER_KEY": MASTER_KEY,
    }  # fmt: skip

    def call(caller: Caller, *arguments: str) -> Result:
        return CliRunner().invoke(loci, [*arguments, "--account", caller.account], env=environment)

    return call


def test_a_namespace_is_exported_and_imported_elsewhere(
    run: Run, full: Caller, stranger: Caller, parts: State, tmp_path: Path
) -> None:
    file = tmp_path / "all.jsonl"
    made = run(full, "export", str(file), "--vectors")
    assert made.exit_code == 0, made.output
    assert file.stat().st_mode & 0o077 == 0
    assert "MB" in made.stderr
    read = run(stranger, "import", str(file))
    assert read.exit_code == 0, read.output
    assert f"Memory: {sum(k[0] == 'Memory' for k in contents(parts, full.tenant).nodes)} imported" in read.stdout
    same(contents(parts, full.tenant), contents(parts, stranger.tenant))
    assert "0 imported" in run(stranger, "import", str(file)).stdout


def test_a_namespace_that_is_not_there_is_made_by_an_import_and_refused_by_an_export(
    run: Run, full: Caller, caller: Caller, tmp_path: Path
) -> None:
    file = tmp_path / "all.jsonl"
    assert "Namespace not found" in run(caller, "export", str(file), "--namespace", "new").output + str(
        run(caller, "export", str(file), "--namespace", "new").exception
    )
    run(full, "export", str(file))
    assert run(caller, "import", str(file), "--namespace", "new").exit_code == 0
    assert run(caller, "export", str(tmp_path / "again.jsonl"), "--namespace", "new").exit_code == 0


def test_an_interrupted_export_is_gone_on_with(
    run: Run, full: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.transfer.export.STRETCH", 5)
    whole, file = tmp_path / "whole.jsonl", tmp_path / "part.jsonl"
    assert run(full, "export", str(whole)).exit_code == 0
    nothing = run(full, "export", str(file), "--resume")
    assert "was interrupted" in str(nothing.exception)
    real, count = Export._mark, [0]

    def dies(self: Export, at: object) -> bytes:
        count[0] += 1
        if count[0] == 12:
            raise KeyboardInterrupt
        return real(self, at)  # type: ignore[arg-type]

    monkeypatch.setattr(Export, "_mark", dies)
    stopped = run(full, "export", str(file))
    assert (stopped.exit_code, file.exists()) == (130, False)
    assert "--resume" in stopped.output
    part = tmp_path / "part.jsonl.part"
    with part.open("ab") as out:
        out.write(b'{"node":"Mem')
    assert "other vectors" in str(run(full, "export", str(file), "--resume", "--vectors").exception)
    done = run(full, "export", str(file), "--resume")
    assert done.exit_code == 0, done.output
    one, two = (path.read_bytes().splitlines()[1:] for path in (whole, file))
    told = [
        [each for each in map(orjson.loads, lines) if "mark" not in each and "end" not in each] for lines in (one, two)
    ]
    assert told[0] == told[1]
    assert not part.exists()


def test_a_file_that_is_there_is_not_replaced_unasked(run: Run, full: Caller, tmp_path: Path) -> None:
    file = tmp_path / "kept.txt"
    file.write_text("mine")
    assert "exists" in str(run(full, "export", str(file)).exception)
    assert file.read_text() == "mine"
    assert run(full, "export", str(file), "--overwrite").exit_code == 0
    assert file.read_bytes().startswith(b'{"loci":"export"')


def test_what_is_wrong_with_a_file_is_told_by_line(run: Run, caller: Caller, tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text('{"loci":"export","format":7}\n')
    failed = run(caller, "import", str(file))
    assert failed.exit_code == 1
    assert "line 1, format: is 7" in str(failed.exception)
    assert "Nothing is imported." in str(failed.exception)


def test_another_servers_dump_is_told_how_to_be_read(run: Run, caller: Caller, tmp_path: Path) -> None:
    file = tmp_path / "dump.json"
    for dump in ('[{"id": "1", "memory": "x"}]', '{\n  "results": []\n}\n'):
        file.write_text(dump)
        assert "--from mem0" in str(run(caller, "import", str(file)).exception)


def test_an_export_to_a_folder_that_is_not_there_is_refused(run: Run, full: Caller, tmp_path: Path) -> None:
    assert "Nothing can be written" in str(run(full, "export", str(tmp_path / "none" / "x.jsonl")).exception)

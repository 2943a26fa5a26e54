"""`loci reembed` as the person at the machine sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import doctor, loci
from app.services import reembed as service
from graph.driver import Connection
from graph.reembed import current
from tests.conftest import MASTER_KEY, PEPPER
from tests.reembed.conftest import QUICK, SETTINGS, Site

Run = Callable[..., Result]


@pytest.fixture
def run(own: Connection, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command on the database of its own, at a pace for tests."""
    environment = {
        "NEO4J_URI": own.uri, "NEO4J_USER": own.user, "NEO4J_PASSWORD": own.password, "LOCI_HOME": str(tmp_path),
        "LOCI_KEY_PEPPER": PEPPER, "LOCI_MASTER_KEY": MASTER_KEY, "LOCI_EMBEDDER": "hashing",
        "LOCI_ENVIRONMENT": "test",
    }  # fmt: skip
    monkeypatch.setattr("os.nice", lambda more: 0)
    real = service.Reembed.__init__

    def quickly(self: service.Reembed, *given: object, **named: object) -> None:
        real(self, *given, **{"pace": QUICK, **named})  # type: ignore[arg-type]

    monkeypatch.setattr(service.Reembed, "__init__", quickly)

    def call(*arguments: str, answers: str | None = None, **settings: str) -> Result:
        return CliRunner().invoke(loci, ["reembed", *arguments], env={**environment, **settings}, input=answers)

    return call


class TestRun:
    def test_asks_before_it_begins_and_before_it_switches(self, run: Run, site: Site) -> None:
        for n in range(12):
            site.caller.remember(f"entry number{n} about the tide")
        before = site.space
        stopped = run("--model", f"hashing:{site.length}", answers="n\n")
        assert stopped.exit_code == 1
        assert current(site.graph) is None
        stopped = run("--model", f"hashing:{site.length}", answers="y\nn\n")
        assert "Put the new model in force?" in stopped.output
        assert "of the first 10 answers are the same" in stopped.output
        assert site.space == before
        done = run("--yes")
        assert done.exit_code == 0, done.output
        assert "Switched." in done.output
        assert site.space.identity == site.target.identity
        assert (site.lacking(), site.left_behind()) == (0, 0)

    def test_only_tries_where_asked_to(self, run: Run, site: Site) -> None:
        tried = run("--model", f"hashing:{site.length}", "--dry-run")
        assert tried.exit_code == 0
        assert f"hashing:{site.length}, {site.length} numbers; texts: " in tried.output
        assert current(site.graph) is None

    def test_refuses_the_model_in_force_even_to_try(self, run: Run, site: Site) -> None:
        refused = run("--model", f"hashing:{site.space.dimensions}", "--dry-run")
        assert refused.exit_code == 1
        assert "holds the vectors" in str(refused.exception)

    def test_refuses_another_master_key_before_it_begins(self, run: Run, site: Site) -> None:
        tried = ("--yes", "--model", f"hashing:{site.length}")
        assert run(*tried, "--dry-run").exit_code == 0
        refused = run(*tried, LOCI_MASTER_KEY="7e" * 32)
        assert refused.exit_code == 1
        assert "made with another master key" in str(refused.exception)
        assert current(site.graph) is None

    @pytest.mark.parametrize("name", ["no-such-model", "martian:model", "local:no/such/folder"])
    def test_refuses_a_model_that_it_does_not_know(self, run: Run, name: str) -> None:
        refused = run("--model", name)
        assert refused.exit_code == 1
        assert "bge-small" in str(refused.exception)

    def test_without_a_model_says_what_to_do(self, run: Run) -> None:
        assert "loci reembed --model" in str(run().exception)


class TestStatus:
    def test_tells_what_is_in_force_and_what_is_under_way(self, run: Run, site: Site) -> None:
        assert "No reembed is under way." in run("--status").output
        work = site.begin()
        work.fill()
        with work.beating():
            assert "a process works on it" in run("--status").output
        said = run("--status").output
        assert f"to hashing:{site.length}" in said
        assert "nobody works on it: `loci reembed` goes on with it" in said


class TestAbort:
    def test_undoes_what_was_filled(self, run: Run, site: Site) -> None:
        site.caller.remember("the walrus sleeps")
        before = site.space
        work = site.begin()
        work.fill()
        work.lease.give_back()
        assert "Undone" in run("--abort").output
        assert site.space == before
        assert (site.lacking(), site.left_behind()) == (0, 0)

    def test_without_anything_to_undo_says_so(self, run: Run) -> None:
        assert "No reembed is under way" in str(run("--abort").exception)


class TestDoctor:
    def test_finds_settings_that_name_a_former_model(self, site: Site) -> None:
        if not site.space.model:
            site.reembed()
        named = replace(SETTINGS, embedding_dimensions=site.space.dimensions)
        assert doctor._space(named, site.graph).good
        found = doctor._space(replace(SETTINGS, embedding_dimensions=1999), site.graph)
        assert not found.good
        assert f"in force is hashing:{site.space.dimensions}" in found.seen
        assert doctor._space(replace(SETTINGS, embedder="local"), site.graph).good

    def test_finds_a_reembed_that_nobody_works_on(self, site: Site) -> None:
        assert doctor._reembed(SETTINGS, site.graph).good
        work = site.begin()
        assert doctor._reembed(SETTINGS, site.graph).good
        work.lease.give_back()
        found = doctor._reembed(SETTINGS, site.graph)
        assert not found.good
        assert "loci reembed" in found.remedy

"""What `make` promises: a scrubbed environment, a clear word to an old Python, tests that cannot leave the machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

from scripts import run_tests, setup_venv
from tests.contract import sources

pytestmark = pytest.mark.static


class TestScrubbedEnvironment:
    def test_nothing_of_the_callers_configuration_reaches_the_tests(self) -> None:
        mine = {
            "NEO4J_URI": "neo4j+s://production",
            "NEO4J_PASSWORD": "secret",
            "OPENAI_API_KEY": "secret",
            "LOCI_HOME": "mine",
            "LOCI_RATE_LIMIT": "1/day",
            "REDIS_URL": "redis://production",
            "JAVA_HOME": "mine",
            "PYTHONPATH": "mine",
            "LOCI_API_KEY": "secret",
        }
        assert run_tests.scrubbed(mine) == {}

    def test_what_the_network_and_the_test_database_need_is_kept(self) -> None:
        needed = {
            "PATH": "p",
            "HOME": "h",
            "PIP_INDEX_URL": "i",
            "HTTPS_PROXY": "x",
            "SSL_CERT_FILE": "c",
            "LOCI_TEST_NEO4J_URI": "bolt://127.0.0.1:7687",
            "LOCI_MAVEN_URL": "m",
        }
        assert run_tests.scrubbed(needed) == needed

    def test_artifacts_are_shared_with_the_callers_home(self, tmp_path: Path) -> None:
        assert run_tests.artifact_cache({"LOCI_HOME": str(tmp_path), "HOME": "h"}) == tmp_path / "artifacts"
        assert run_tests.artifact_cache({"HOME": str(tmp_path)}) == tmp_path / ".loci" / "artifacts"


class TestSetUp:
    def test_an_old_python_is_told_what_to_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(setup_venv, "MINIMUM", (99, 0))
        with pytest.raises(SystemExit, match=r"needs Python 99\.0 or newer.*make PYTHON="):
            setup_venv.main()

    def test_an_unknown_kind_is_refused(self) -> None:
        script = sources.ROOT / "scripts" / "setup_venv.py"
        done = subprocess.run([sys.executable, str(script), "prod"], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "runtime|dev" in done.stderr

    @pytest.mark.parametrize("changed", ["requirements/dev.txt", "pyproject.toml"])
    def test_a_changed_lock_is_installed_anew(
        self, changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("requirements/runtime.txt", "requirements/dev.txt", "pyproject.toml", ".venv/bin/python"):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("before")
        monkeypatch.setattr(setup_venv, "ROOT", tmp_path)
        monkeypatch.setattr(setup_venv, "VENV", tmp_path / ".venv")
        monkeypatch.setattr(setup_venv, "PYTHON", tmp_path / ".venv/bin/python")
        assert not setup_venv.is_ready("dev")
        setup_venv.stamp("dev").write_text(setup_venv.fingerprint("dev"))
        assert setup_venv.is_ready("dev")
        assert setup_venv.is_ready("runtime"), "dev is a superset"
        (tmp_path / changed).write_text("after")
        assert not setup_venv.is_ready("dev")

    def test_development_is_locked_to_the_versions_of_runtime(self) -> None:
        def pins(name: str) -> set[str]:
            lines = sources.text(f"requirements/{name}.txt").splitlines()
            return {line.split(" ")[0] for line in lines if "==" in line and not line.startswith(" ")}

        assert pins("runtime") - pins("dev") == set()


class TestHarness:
    def test_sockets_reach_loopback_only(self) -> None:
        with socket.socket() as outward, pytest.raises(SocketConnectBlockedError):
            outward.connect(("192.0.2.1", 80))

    def test_a_warning_is_an_error(self) -> None:
        with pytest.raises(DeprecationWarning):
            warnings.warn("old", DeprecationWarning, stacklevel=1)

    @pytest.mark.parametrize("where", ["in a test", "in a whole file"])
    def test_a_skip_fails_where_skips_are_forbidden(self, where: str, tmp_path: Path) -> None:
        level = "pytest.skip('no reason', allow_module_level=True)\n" if where == "in a whole file" else ""
        file = tmp_path / "test_planted.py"
        file.write_text(f"import pytest\n{level}def test_planted():\n    pytest.skip('no reason')\n")
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(file)]
        command += ["-c", str(sources.ROOT / "pyproject.toml")]
        outcomes = []
        for forbid in ("", "1"):
            environment = {**os.environ, "LOCI_TEST_FORBID_SKIPS": forbid, "PYTHONPATH": str(sources.ROOT)}
            done = subprocess.run(
                command, cwd=sources.ROOT, env=environment, capture_output=True, text=True, check=False
            )
            outcomes.append((done.returncode in {0, 5}, "no reason" in done.stdout))
        assert outcomes == [(True, True), (False, True)]

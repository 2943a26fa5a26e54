"""What is published holds for everybody: no registry's address, no path of one machine, no secret."""

from __future__ import annotations

import re

import pytest

from tests.contract import sources

pytestmark = pytest.mark.static

# Spelled with spaces, or this file would be its own first finding.
REGISTRIES = (
    "pypi org", "pythonhosted org", "npmjs org", "npmjs com", "yarnpkg com", "maven org", "maven apache org",
    "maven google com", "sonatype org", "jitpack io", "jsdelivr net", "unpkg com", "docker io", "ghcr io", "quay io",
    "gcr io", "huggingface co", "hf co", "crates io", "artifactory", "nexus3",
)  # fmt: skip
HOSTS = re.compile("|".join(rf"(?<![\w-]){re.escape(name.replace(' ', '.'))}\b" for name in REGISTRIES), re.IGNORECASE)
MACHINE_PATHS = re.compile(r"(?<![\w.$}~])/(?:home|Users|root|work|private/var)/[\w.]|\b[A-Z]:\\\\?Users\\")
KEYS = re.compile(r"\bmem_prod_(?!0{8}|1{8}|a{8}|f{8})[0-9a-f]{64}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----")

THIS_FILE = "tests/contract/test_public_files.py"


def readable() -> list[str]:
    """Return the tracked files that are text."""
    return [path for path in sources.tracked() if path != THIS_FILE and b"\0" not in (sources.ROOT / path).read_bytes()]


def findings(pattern: re.Pattern[str]) -> list[str]:
    """Return file, line number and match for every match of `pattern` in a tracked file."""
    return [
        f"{path}:{number}: {match.group()}"
        for path in readable()
        for number, line in enumerate(sources.text(path).splitlines(), start=1)
        for match in pattern.finditer(line)
    ]


def test_no_file_names_a_registry_host() -> None:
    assert findings(HOSTS) == []


def test_no_file_names_a_path_of_one_machine() -> None:
    assert findings(MACHINE_PATHS) == []


def test_no_file_carries_a_key() -> None:
    assert findings(KEYS) == []


@pytest.mark.parametrize("path", ["requirements/runtime.txt", "requirements/dev.txt"])
def test_lock_files_hold_versions_and_hashes_only(path: str) -> None:
    allowed = re.compile(
        r"^(?:$|[A-Za-z0-9._-]+==[^\s/:]+ \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?|\s*#(?! (?:http|file)).*)$"
    )
    assert [line for line in sources.text(path).splitlines() if not allowed.match(line)] == []


class TestTheseRulesCanFail:
    def test_hosts_are_found_with_and_without_a_scheme(self) -> None:
        for host in (name.replace(" ", ".") for name in REGISTRIES):
            assert HOSTS.search(f"https://files.{host}/x")
            assert HOSTS.search(f"see {host}, there")

    @pytest.mark.parametrize("path", ["/home/ada/x", "at /Users/ada", "'/root/.cache'", "C:\\Users\\ada"])
    def test_machine_paths_are_found(self, path: str) -> None:
        assert MACHINE_PATHS.search(path)

    @pytest.mark.parametrize("path", ["$HOME/work/x", "~/work/x", "/v1/users/home", "/var/lib/loci"])
    def test_other_paths_are_left_alone(self, path: str) -> None:
        assert not MACHINE_PATHS.search(path)

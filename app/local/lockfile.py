"""The lock files: which artifacts Loci uses, by coordinate, with size and SHA-256.

`scripts/lock_artifacts.py` writes them.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "locks"


@dataclass(frozen=True)
class Target:
    """A file as it lies in the artifact's folder: name, SHA-256 as hex, size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Member:
    """A file inside a jar and the target it is unpacked to."""

    path: str
    target: Target


@dataclass(frozen=True)
class LockedFile:
    """One jar: `group:artifact:version[:classifier]`, SHA-256 as hex, size in bytes, and what to unpack of it."""

    coordinate: str
    sha256: str
    size: int
    members: tuple[Member, ...] = ()

    @property
    def parts(self) -> tuple[str, str, str, str]:
        """Group, artifact, version and classifier (empty for none)."""
        group, artifact, version, *rest = self.coordinate.split(":")
        return group, artifact, version, rest[0] if rest else ""

    @property
    def filename(self) -> str:
        """The jar's file name in a Maven repository."""
        _, artifact, version, classifier = self.parts
        return f"{artifact}-{version}{'-' + classifier if classifier else ''}.jar"

    @property
    def targets(self) -> tuple[Target, ...]:
        """The files it leaves behind: its members when there are any, else the jar itself."""
        if self.members:
            return tuple(member.target for member in self.members)
        return (Target(self.filename, self.sha256, self.size),)


@dataclass(frozen=True)
class Lock:
    """One artifact: everything that is fetched, checked and used together."""

    name: str
    version: str
    title: str
    roots: tuple[str, ...]
    files: tuple[LockedFile, ...]
    digest: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """The name of its folder under LOCI_HOME/artifacts."""
        return f"{self.name}-{self.version}"

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every file that lies in the folder."""
        return tuple(target for file in self.files for target in file.targets)


def lock_names() -> list[str]:
    """Return the names of all locks, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


@cache
def load_lock(name: str) -> Lock:
    """Return the lock of that name.

    Raises:
        KeyError: there is no such lock.
    """
    path = FOLDER / f"{name}.toml"
    if not path.is_file():
        raise KeyError(name)
    return parse_lock(path.read_text(encoding="utf-8"))


def parse_lock(text: str) -> Lock:
    """Return the lock that a TOML text describes. Its digest is that of the text."""
    found = tomllib.loads(text)
    return Lock(
        name=found["name"],
        version=found["version"],
        title=found["title"],
        roots=tuple(found["roots"]),
        files=tuple(_file(entry) for entry in found["files"]),
        digest=hashlib.sha256(text.encode()).hexdigest(),
        facts=found.get("facts", {}),
    )


def _file(entry: Mapping[str, Any]) -> LockedFile:
    members = tuple(
        Member(member["path"], Target(member["name"], member["sha256"], member["size"]))
        for member in entry.get("members", ())
    )
    return LockedFile(entry["coordinate"], entry["sha256"], entry["size"], members)

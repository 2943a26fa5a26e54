"""Fetch one locked jar through jgo's resolver. The repository is jgo's own default, or a mirror given by URL."""

import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from app.local.errors import ArtifactError
from app.local.lockfile import LockedFile
from app.local.progress import Progress

if TYPE_CHECKING:
    from jgo.maven import MavenContext

_TIMEOUT = 60  # seconds without an answer or a byte
_PAUSES = (0.5, 2.0)  # seconds before the second and the third try


class StoppedError(Exception):
    """Another file of the same fetch failed, so this one need not come any more."""


class Downloader:
    """Brings jars into a staging folder, one at a time in each thread, and checks size and SHA-256.

    Raises:
        ArtifactError: jgo is not installed (from the constructor).
    """

    def __init__(self, staging: Path, maven_url: str | None, progress: Progress, stop: threading.Event) -> None:
        self._staging = staging
        self._progress = progress
        self._stop = stop
        self._mirror = _shown(maven_url) if maven_url else None
        self._context = self._open(maven_url)
        self._counted = threading.local()

    def _open(self, maven_url: str | None) -> "MavenContext":
        try:
            from jgo.maven import MavenContext, PythonResolver
        except ImportError as error:
            raise ArtifactError(
                "Artifacts cannot be fetched: the package jgo is missing.",
                'Install the extra: pip install "loci[local]", or set NEO4J_URI to a server of your own.',
            ) from error
        resolver = PythonResolver(progress_callback=self._counting)
        if maven_url and urlsplit(maven_url).scheme == "file":
            folder = Path(unquote(urlsplit(maven_url).path))
            return MavenContext(resolver, self._staging, local_repos=[folder], remote_repos={}, timeout=_TIMEOUT)
        remote = {"mirror": maven_url.rstrip("/")} if maven_url else None
        return MavenContext(resolver, self._staging, remote_repos=remote, timeout=_TIMEOUT)

    def get(self, file: LockedFile) -> Path:
        """Return the path of the checked jar inside the staging folder.

        Raises:
            ArtifactError: it could not be fetched, or is not what the lock says; nothing of it is left behind.
            StoppedError: `stop` was set meanwhile.
        """
        for pause in (*_PAUSES, None):
            self._counted.bytes = 0
            try:
                path = self._resolve(file)
                break
            except (OSError, RuntimeError) as error:  # requests' errors are OSErrors; jgo raises RuntimeError
                self._progress.advanced(-self._counted.bytes)
                self._discard(file)
                if pause is None:
                    raise self._failure(file, error) from error
                if self._stop.wait(pause):
                    raise StoppedError from error
        self._progress.advanced(file.size - self._counted.bytes)
        check(path, file)
        return path

    def _resolve(self, file: LockedFile) -> Path:
        if self._stop.is_set():
            raise StoppedError
        staged = self._discard(file)
        group, artifact, version, classifier = file.parts
        component = self._context.project(group, artifact).at_version(version)
        found: Path = component.artifact(classifier=classifier, packaging="jar").resolve()
        if found != staged:  # a folder given as mirror is read in place, and stays as it is
            staged.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, staged)
        return staged

    def _discard(self, file: LockedFile) -> Path:
        """Remove what an earlier try left: jgo takes any file that is there for the whole of it."""
        group, artifact, version, _ = file.parts
        path = self._staging.joinpath(*group.split("."), artifact, version, file.filename)
        path.unlink(missing_ok=True)
        return path

    @contextmanager
    def _counting(self, name: str, size: int) -> Iterator[Callable[[int], None]]:
        def update(count: int) -> None:
            if self._stop.is_set():
                raise StoppedError
            self._counted.bytes += count
            self._progress.advanced(count)

        yield update

    def _failure(self, file: LockedFile, error: Exception) -> ArtifactError:
        source = self._mirror or "the public Maven repository"
        if isinstance(error, RuntimeError):
            return ArtifactError(
                f"{file.coordinate} could not be fetched: {source} did not give it.",
                "Try again later, or set LOCI_MAVEN_URL to a mirror that has it.",
            )
        if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
            return ArtifactError(
                f"{file.coordinate} could not be stored: {error.strerror}.",
                "Make room on the disk of LOCI_HOME, or set LOCI_HOME to another one.",
            )
        return ArtifactError(
            f"{file.coordinate} could not be fetched: {source} cannot be reached ({type(error).__name__}).",
            "Check the network and its proxy settings; or set LOCI_MAVEN_URL to a mirror you can reach; or run "
            "`loci fetch` on a machine with network and copy its LOCI_HOME/artifacts folder here. "
            "What has been fetched so far is kept.",
        )


def check(path: Path, file: LockedFile) -> None:
    """Compare a jar with its lock and delete it when it differs.

    Raises:
        ArtifactError: size or SHA-256 differ; names the coordinate and both values.
    """
    size = path.stat().st_size
    actual = sha256(path)
    if (size, actual) == (file.size, file.sha256):
        return
    path.unlink()
    raise ArtifactError(
        f"{file.coordinate} is refused and deleted: wrong checksum.\n"
        f"  expected SHA-256 {file.sha256}, {file.size} bytes\n"
        f"  received SHA-256 {actual}, {size} bytes",
        "Try again; when it stays so, the mirror or a proxy changes files: set LOCI_MAVEN_URL to another one.",
    )


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _shown(url: str) -> str:
    """Return the address without user and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()

"""Making the Java machine's cache: a scratch server does what a server does, and Java keeps what it learnt."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from app.local.errors import ServerError
from app.local.home import Home, replacing
from app.local.java import Java, find_java
from app.local.java_cache import PREFIX, place
from app.local.lockfile import load_lock
from app.local.neo4j import ManagedNeo4j
from app.local.neo4j_config import java_flags
from app.local.neo4j_place import Server
from app.local.progress import Progress, SilentProgress

_SECONDS = 300
_HEAP, _PAGE_CACHE = "512m", "64m"


def make_cache(
    home: Home, exercise: Callable[[Server], None], maven_url: str | None = None, progress: Progress | None = None
) -> Path | None:
    """Return the cache, made if it is not there; None on a Java that has none.

    `exercise` is given a running server with an empty store, and does with it what is to be quick later. `maven_url`
    and `progress` are as in `fetch`.

    Raises:
        ArtifactError: the server cannot be fetched.
        JavaError: there is no Java for it.
        PortTakenError, ServerError: the scratch server does not start, or Java does not make the cache.
    """
    java = find_java()
    path = place(home.create(), load_lock("neo4j").version, java)
    if path is None or (path.exists() and fits(path, java, ManagedNeo4j(home, maven_url=maven_url).class_path())):
        return path
    (progress or SilentProgress()).note("Preparing Java, so that Neo4j starts in half the time (a minute, once)")
    with tempfile.TemporaryDirectory(prefix="loci-java-") as folder:
        (Path(folder) / "artifacts").symlink_to(home.artifacts, target_is_directory=True)
        recorded = Path(folder) / "recorded"
        record = ("-XX:AOTMode=record", f"-XX:AOTConfiguration={recorded}")
        server = ManagedNeo4j(
            Home(folder), 0, 0, _HEAP, _PAGE_CACHE, maven_url=maven_url, java_flags=record, cached=False
        )
        try:
            exercise(server.start())
        finally:
            server.stop()
        part = Path(folder) / "made"
        create = ("-XX:AOTMode=create", f"-XX:AOTConfiguration={recorded}", f"-XX:AOTCache={part}", f"-Xmx{_HEAP}")
        told = _run([str(java.path), "-cp", server.class_path(), *java_flags(java), *create])
        if told or not part.exists():
            raise ServerError(f"Java made no cache:\n{told[-2000:]}", "Loci works without one.")
        _put(part, path)
    return path


def fits(path: Path, java: Java, class_path: str) -> bool:
    """Whether Java takes a cache for the files of this class path: it leaves one alone when a file was fetched anew."""
    wanted = ("-XX:AOTMode=on", f"-XX:AOTCache={path}", "-version")
    return not _run([str(java.path), "-cp", class_path, *java_flags(java), *wanted])


def _put(part: Path, path: Path) -> None:
    # Another disk, as a rule: whoever starts a server meanwhile finds the whole cache or none.
    with part.open("rb") as made, replacing(path) as file:
        shutil.copyfileobj(made, file)
    for former in set(path.parent.glob(f"{PREFIX}*{path.suffix}")) - {path}:
        former.unlink(missing_ok=True)


def _run(command: list[str]) -> str:
    """Return "" when a command went well, else what it said."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603 - our own
    except subprocess.TimeoutExpired:
        return f"it took longer than {_SECONDS} seconds"
    return (done.stdout + done.stderr).strip() or f"it ended with {done.returncode}" if done.returncode else ""

